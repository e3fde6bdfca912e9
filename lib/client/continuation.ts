/**
 * What a download may be continued by, and what an answer to a continuation must be: a table, each row with its section of RFC 9110.
 *
 * It owns these rules and nothing around them: it asks for nothing, waits for nothing and reads no body. An answer is judged by its head
 * alone, before a byte of it is used, since a byte of something else in the middle of a file is not seen by anybody later.
 */
import { BadEncoding, BadHeader, IncompleteRead, ResourceChanged, TimeoutError } from '../errors.js';
import type { HTTPMessage } from '../fields/message.js';
import { isTransient, parseDate, resolveRetries } from '../pool/retry.js';
import { listMembers, readDecimal } from '../protocol/grammar.js';
import { isCutOff } from '../protocol/head-reader.js';

/** What is known of the file when a continuation is asked for. */
export interface Known {
  /** The offset of the next byte. */
  readonly position: number;
  /** The file's size; null while that is not known. */
  readonly total: number | null;
  /** What If-Range names: a strong entity-tag, or a date. */
  readonly validator: string;
  /** The entity-tag, a weak one too; null for none, or none that is known. */
  readonly etag: string | null;
  /** The content codings, as {@link codingOf} writes them. */
  readonly coding: string;
}

/** An answer, as it is judged. */
export interface Answer {
  readonly status: number;
  readonly reason: string;
  readonly headers: HTTPMessage;
  /** Bytes of its body, where the framing says so. */
  readonly length: number | null;
}

/** The bytes that an answer brings. */
export interface ContentRange {
  readonly first: number;
  readonly last: number;
  /** The size of the whole; null for `*`. */
  readonly total: number | null;
}

/** What to do with an answer: read it, stop as all is there, or ask again later. */
export type Judgement = { use: ContentRange } | 'end' | 'later';

interface Check {
  /** Its section of RFC 9110. */
  readonly section: string;
  readonly rule: string;
  /** What is wrong with the answer; null for nothing. */
  readonly fault: (answer: Answer, known: Known) => Error | null;
}

/** What a 206 has to be, in the order in which it is looked at. */
export const CHECKS: readonly Check[] = [
  {
    section: '§15.3.7.1',
    rule: 'it has one Content-Range, of bytes that can be',
    fault: ({ headers }) =>
      rangeOf(headers) === null ? refuse(headers, 'a 206 without one usable Content-Range') : null,
  },
  {
    section: '§14.4',
    rule: 'its range begins at the position',
    fault: ({ headers }, { position }) =>
      rangeOf(headers)?.first === position
        ? null
        : refuse(headers, `a range that does not begin at byte ${String(position)}`),
  },
  {
    section: '§8.6',
    rule: 'its body is as long as its range',
    fault({ headers, length }) {
      const { first = 0, last = 0 } = rangeOf(headers) ?? {};
      return length === null || length === last - first + 1
        ? null
        : refuse(headers, `a body of ${String(length)} bytes for another range`);
    },
  },
  {
    section: '§8.8.3',
    rule: 'it has the same ETag, where it has one',
    fault({ headers }, { position, etag }) {
      const other = etag === null ? undefined : headers.getAll('etag').find((now) => now !== etag);
      return other === undefined ? null : new ResourceChanged(position, etag, other);
    },
  },
  {
    section: '§13.1.5',
    rule: 'it has the same Last-Modified, where it has one and the date is what was asked by',
    fault({ headers }, { position, validator }) {
      const now = headers.get('last-modified');
      return isTag(validator) || now === null || now === validator
        ? null
        : new ResourceChanged(position, validator, now);
    },
  },
  {
    section: '§14.4',
    rule: 'it agrees on the total, where both know it',
    fault({ headers }, { position, total }) {
      const now = rangeOf(headers)?.total ?? null;
      return total === null || now === null || now === total
        ? null
        : new ResourceChanged(position, total, now);
    },
  },
  {
    section: '§8.4',
    rule: 'it has no other content coding',
    fault({ headers }, { coding }) {
      const now = codingOf(headers);
      return now === '' || now === coding
        ? null
        : new BadEncoding(`the continuation has the content coding ${JSON.stringify(now.slice(0, 80))}`);
    },
  },
];

/**
 * @throws BadHeader, BadEncoding, ResourceChanged for an answer that cannot be gone on with
 */
export function judge(answer: Answer, known: Known): Judgement {
  const { status, reason, headers } = answer;
  const { position, total, validator } = known;
  if (status === 206) {
    for (const { fault } of CHECKS) {
      const error = fault(answer, known);
      if (error !== null) throw error;
    }
    return { use: rangeOf(headers) as ContentRange };
  }
  // §15.5.17: nothing lies behind the position, which is as it should be when that is the end.
  if (status === 416) {
    const now = unsatisfiedTotalOf(headers);
    if (now === null || now > position)
      throw refuse(headers, 'a 416 that does not say how far the file goes');
    if (now < position || (total !== null && total !== now)) throw new ResourceChanged(position, total, now);
    return 'end';
  }
  // §13.1.5: the condition of If-Range does not hold, so the whole of something else comes.
  if (status === 200)
    throw new ResourceChanged(position, validator, headers.get('etag') ?? headers.get('last-modified'));
  if (status === 429 || status === 408 || status >= 500) return 'later';
  throw new BadHeader(
    `${String(status)} ${reason}`,
    'a continuation was answered with another status than 206',
  );
}

/**
 * By what a file can be told from each later one (RFC 9110 §8.8): a strong entity-tag, or a modification at least a minute before the
 * answer, as within that the file may have changed twice. Null for neither.
 */
export function validatorOf(headers: HTTPMessage): string | null {
  const [etag = null, second] = headers.getAll('etag');
  if (etag !== null && second === undefined && isTag(etag)) return etag;
  const modified = headers.get('last-modified');
  const now = Date.now();
  const at = modified === null ? null : parseDate(modified, now);
  const date = parseDate(headers.get('date') ?? '', now);
  return at !== null && date !== null && date - at >= 60_000 ? modified : null;
}

/** Whether the server takes no ranges (RFC 9110 §14.3). */
export function refusesRanges(headers: HTTPMessage): boolean {
  return headers.getAll('accept-ranges').some((value) => listMembers(value).includes('none'));
}

/** Whether a text can be a validator: a strong entity-tag or a date. */
export function isValidator(text: string): boolean {
  return isTag(text) || parseDate(text, Date.now()) !== null;
}

/** Whether it is a strong entity-tag (RFC 9110 §8.8.3). */
export function isTag(text: string): boolean {
  return /^"[\x21\x23-\x7e\x80-\xff]*"$/.test(text);
}

/** The content codings, in lower case and without `identity`. */
export function codingOf(headers: HTTPMessage): string {
  const codings = headers.getAll('content-encoding').flatMap(listMembers);
  return codings.filter((coding) => coding !== 'identity').join(', ');
}

/** The one Content-Range of a 206 (RFC 9110 §14.4), null when there is none that is whole and exact. */
export function rangeOf(headers: HTTPMessage): ContentRange | null {
  const [value = '', second] = headers.getAll('content-range');
  const match = /^bytes +([0-9]{1,16})-([0-9]{1,16})\/([0-9]{1,16}|\*)$/i.exec(value);
  if (match === null || second !== undefined) return null;
  const [, from = '', to = '', size = ''] = match;
  const first = readDecimal(from);
  const last = readDecimal(to);
  const total = size === '*' ? null : readDecimal(size);
  if (first === null || last === null || last < first || (total === null && size !== '*')) return null;
  return total !== null && last >= total ? null : { first, last, total };
}

/** The total that the Content-Range of a 416 names; null without one. */
function unsatisfiedTotalOf(headers: HTTPMessage): number | null {
  const [value = '', second] = headers.getAll('content-range');
  const match = /^bytes +\*\/([0-9]{1,16})$/i.exec(value);
  return match === null || second !== undefined ? null : readDecimal(match[1] ?? '');
}

function refuse(headers: HTTPMessage, reason: string): BadHeader {
  const values = headers.getAll('content-range');
  return new BadHeader(values.length === 0 ? '' : `Content-Range: ${values.join(', ')}`, reason);
}

const RETRIES = resolveRetries(null);

/**
 * Whether the failure of a download is one of the way to the server, so that another connection may bring the rest: a connection that was
 * lost or stood still, or that could not be opened; never a violation, a certificate, a decision of the caller's.
 */
export function isInterruption(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof TimeoutError) return error.timer !== 'total' && error.timer !== 'acquire';
  if (error instanceof IncompleteRead || isCutOff(error)) return true;
  // What a caller's function has thrown has no phase.
  const phase: unknown = (error as { phase?: unknown }).phase;
  return isTransient(error, phase === 'connect' || phase === 'tunnel', RETRIES);
}
