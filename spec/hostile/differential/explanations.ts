/**
 * Why other clients and millrace disagree: a row for each kind of disagreement, with the rule of `docs/protocol.md` that it comes under.
 * A disagreement that no row explains fails the run.
 *
 * A row of what only the other client accepts leans on the strict reading, which names the rule that was broken; every other row
 * looks for its cause in the bytes and in the outcomes themselves.
 */
import type { StrictReading } from '../../support/strict-response.js';
import type { Exhibit } from './exhibits.js';
import type { Accepted, ClientOutcome } from './outcome.js';

/** A disagreement over one exhibit. */
export interface Disagreement {
  readonly exhibit: Exhibit;
  /** The wire, an octet a character. */
  readonly text: string;
  readonly ours: ClientOutcome;
  readonly theirs: ClientOutcome;
  readonly strict: StrictReading;
}

export interface Explanation {
  readonly client: 'node:http' | 'http.client';
  readonly rule: number;
  /** What the other client does. */
  readonly what: string;
  /** The parts of the outcome that this can make different. */
  readonly parts: readonly string[];
  readonly holds: (disagreement: Disagreement) => boolean;
}

const CONTENT = ['body', 'trailers', 'reuse'];
const EVERYTHING = ['status', 'version', 'reason', 'fields', 'interims', ...CONTENT];

/** What both take. */
function bothAccept(
  { ours, theirs }: Disagreement,
  holds: (ours: Accepted, theirs: Accepted) => boolean,
): boolean {
  return ours.error === null && theirs.error === null && holds(ours, theirs);
}

/** What only the others refuse, and say so in these words. */
function theyRefuse(
  { ours, theirs }: Disagreement,
  words: RegExp,
  holds: (ours: Accepted) => boolean = () => true,
): boolean {
  return ours.error === null && theirs.error !== null && words.test(theirs.error) && holds(ours);
}

function isSwitch(method: string, { status }: Accepted): boolean {
  return status === 101 || (method === 'CONNECT' && status >= 200 && status <= 299);
}

/** The values of a field, as text between bars; empty without one. */
function valuesOf({ fields }: Accepted, name: string): string {
  return fields
    .filter(([key]) => key.toLowerCase() === name)
    .map(([, value]) => `|${value}|`)
    .join('');
}

/** Fields as they are but for blanks at the ends of values and where lines were folded. */
function looseFields({ fields }: Accepted): string {
  const pairs = fields.map(([name, value]) => [name, value.replace(/[ \t]*(?:\r\n[ \t]+)+/g, ' ')] as const);
  return JSON.stringify(pairs.map(([name, value]) => [name, value.replace(/^[ \t]+|[ \t]+$/g, '')]));
}

function hasFold({ text }: Disagreement): boolean {
  return /\r\n[ \t]/.test(text);
}

/** A Transfer-Encoding with more than blanks and one member in its list. */
function hasOddCoding({ text }: Disagreement): boolean {
  return /transfer-encoding:[^\r]*[,\t]/i.test(text);
}

/** Rows of what only the client accepts, by the rule that the strict reading found broken. */
function lenient(client: Explanation['client'], rows: Readonly<Record<number, string>>): Explanation[] {
  return Object.entries(rows).map(([rule, what]) => ({
    client,
    rule: Number(rule),
    what,
    parts: ['only they accept'],
    holds: ({ ours, theirs, strict }) =>
      ours.error !== null && theirs.error === null && strict.rule === Number(rule),
  }));
}

const NODE: readonly Explanation[] = [
  {
    client: 'node:http',
    rule: 9,
    what: 'hands the connection over after any answer to CONNECT, its body unread',
    parts: [...CONTENT, 'only they accept'],
    holds: ({ exhibit, theirs }) =>
      exhibit.method === 'CONNECT' && theirs.error === null && theirs.status >= 300,
  },
  {
    client: 'node:http',
    rule: 7,
    what: 'takes an interim response to CONNECT for the final one',
    parts: [...EVERYTHING, 'only they accept'],
    holds: ({ exhibit, theirs }) =>
      exhibit.method === 'CONNECT' && theirs.error === null && theirs.status < 200,
  },
  {
    client: 'node:http',
    rule: 7,
    what: 'judges the persistence and the framing fields of interim responses',
    parts: ['only we accept'],
    holds: (d) =>
      theyRefuse(
        d,
        /Data after `Connection: close`|CONTENT_LENGTH|TRANSFER_ENCODING/,
        ({ interims }) => (interims?.length ?? 0) > 0,
      ),
  },
  {
    client: 'node:http',
    rule: 9,
    what: 'judges the framing fields of responses that end HTTP',
    parts: ['only we accept'],
    holds: (d) =>
      theyRefuse(d, /CONTENT_LENGTH|TRANSFER_ENCODING/, (ours) => isSwitch(d.exhibit.method, ours)),
  },
  {
    client: 'node:http',
    rule: 14,
    what: 'judges framing fields among the trailers',
    parts: ['only we accept'],
    holds: (d) =>
      theyRefuse(d, /CONTENT_LENGTH|TRANSFER_ENCODING/, ({ trailers }) =>
        (trailers ?? []).some(([name]) => /^(?:content-length|transfer-encoding)$/i.test(name)),
      ),
  },
  {
    client: 'node:http',
    rule: 12,
    what: 'refuses a tab beside the digits of Content-Length',
    parts: ['only we accept'],
    holds: (d) =>
      theyRefuse(d, /Invalid character in Content-Length/) &&
      /content-length:[ \t]*(?:\t[ \t]*[0-9]|[0-9]+[ \t]*\t)/i.test(d.text),
  },
  {
    client: 'node:http',
    rule: 3,
    what: 'refuses folded lines',
    parts: ['only we accept'],
    holds: (d) => theyRefuse(d, /HEADER_TOKEN/) && hasFold(d),
  },
  {
    client: 'node:http',
    rule: 6,
    what: 'refuses HTTP/1.2 and later, which are read as 1.1',
    parts: ['only we accept'],
    holds: (d) => theyRefuse(d, /INVALID_VERSION/) && /HTTP\/1\.[2-9] /.test(d.text),
  },
  {
    client: 'node:http',
    rule: 13,
    what: 'refuses blanks (BWS) in chunk extensions',
    parts: ['only we accept'],
    holds: (d) => theyRefuse(d, /chunk (?:size|extensions)/) && /[ \t][;=]|[;=][ \t]/.test(d.text),
  },
  {
    client: 'node:http',
    rule: 10,
    what: 'knows neither empty members nor tabs in Transfer-Encoding, and reads such a body until the connection closes',
    parts: [...CONTENT, 'only they accept'],
    holds: (d) => d.theirs.error === null && hasOddCoding(d),
  },
  {
    client: 'node:http',
    rule: 9,
    what: 'makes methods upper case, so that `head` is HEAD',
    parts: [...CONTENT, 'only they accept'],
    holds: ({ exhibit, theirs }) => exhibit.method === 'head' && theirs.error === null,
  },
  {
    client: 'node:http',
    rule: 17,
    what: 'lets keep-alive win over close in HTTP/1.0, takes Proxy-Connection for Connection, and overlooks options beside a tab',
    parts: ['reuse'],
    holds: (d) =>
      bothAccept(d, (ours) => {
        if (valuesOf(ours, 'proxy-connection') !== '' || /\nconnection:[^\r]*\t/i.test(d.text)) return true;
        return ours.version === 10 && /close/i.test(valuesOf(ours, 'connection'));
      }),
  },
  {
    client: 'node:http',
    rule: 17,
    what: 'does not use the connection again after a response to HEAD without a length',
    parts: ['reuse'],
    holds: (d) => d.exhibit.method === 'HEAD' && bothAccept(d, () => true),
  },
  {
    client: 'node:http',
    rule: 9,
    what: 'would use the connection again after a 101 without an Upgrade field',
    parts: ['reuse'],
    holds: (d) => bothAccept(d, (ours) => ours.status === 101),
  },
  ...lenient('node:http', {
    1: 'lets CR and LF stand in front of a status line, and a lone CR at its end',
    5: 'has other limits: none for a line, a field count or interim responses, and one for a whole head',
    6: 'takes status codes below 100, controls in a reason phrase, HTTP/0.9 and 2.0, and RTSP and ICE for HTTP',
    8: 'takes an empty Transfer-Encoding beside Content-Length for none',
    10: 'reads an unknown transfer coding until the connection closes',
    11: 'decodes chunks in an HTTP/1.0 response',
    13: 'takes chunk extensions without a name or a value, and other octets in them',
  }),
];

const PYTHON: readonly Explanation[] = [
  {
    client: 'http.client',
    rule: 7,
    what: 'takes every interim response but 100 for the final one',
    parts: [...EVERYTHING, 'only they accept', 'only we accept'],
    holds: ({ ours, theirs }) => {
      if (theirs.error === null) return theirs.status < 200 && theirs.status !== 101;
      return ours.error === null && (ours.interims ?? []).some((status) => status !== 100);
    },
  },
  {
    client: 'http.client',
    rule: 3,
    what: 'keeps the CRLF of a folded line in the value',
    parts: ['fields'],
    holds: (d) => hasFold(d) && bothAccept(d, (ours, theirs) => looseFields(ours) === looseFields(theirs)),
  },
  {
    client: 'http.client',
    rule: 2,
    what: 'keeps the blanks behind a value',
    parts: ['fields'],
    holds: (d) => bothAccept(d, (ours, theirs) => looseFields(ours) === looseFields(theirs)),
  },
  {
    client: 'http.client',
    rule: 10,
    what: 'knows neither empty members nor trailing blanks in Transfer-Encoding, and reads such a body until the connection closes',
    parts: CONTENT,
    holds: (d) =>
      bothAccept(d, (_, theirs) => !/^(?:\|chunked\|)?$/i.test(valuesOf(theirs, 'transfer-encoding'))),
  },
  {
    client: 'http.client',
    rule: 9,
    what: 'reads chunks behind a 101, a 204 or a 304',
    parts: [...CONTENT, 'only we accept'],
    holds: ({ ours }) =>
      ours.error === null &&
      [101, 204, 304].includes(ours.status) &&
      valuesOf(ours, 'transfer-encoding') !== '',
  },
  {
    client: 'http.client',
    rule: 9,
    what: 'would use the connection again after a 101',
    parts: ['reuse'],
    holds: (d) => bothAccept(d, (ours) => ours.status === 101),
  },
  {
    client: 'http.client',
    rule: 17,
    what: 'looks for the letters close in the first Connection field, and in HTTP/1.0 for keep-alive or a Keep-Alive field',
    parts: ['reuse'],
    holds: (d) => bothAccept(d, (ours) => ours.version === 10 || /close/i.test(valuesOf(ours, 'connection'))),
  },
  {
    client: 'http.client',
    rule: 6,
    what: 'strips octets from a reason phrase that are no blanks (NBSP, NEL)',
    parts: ['reason'],
    holds: (d) => bothAccept(d, (ours) => /^[\x80-\xff]|[\x80-\xff]$/.test(ours.reason)),
  },
  {
    client: 'http.client',
    rule: 6,
    what: 'knows no empty line before a status line',
    parts: ['only we accept'],
    holds: (d) => theyRefuse(d, /BadStatusLine/) && /(?:^|\r\n\r\n)\r\n/.test(d.text),
  },
  {
    client: 'http.client',
    rule: 5,
    what: 'counts the blank line among the 100 lines of a head',
    parts: ['only we accept'],
    holds: (d) => theyRefuse(d, /more than 100 headers/),
  },
  ...lenient('http.client', {
    1: 'takes a bare LF for the end of a line, and a bare CR for more than that',
    2: 'takes what is no field for the end of the fields, or keeps it',
    3: 'takes white space before the first field, and folded framing fields',
    5: 'has other limits: 65536 octets without CRLF, none for chunk extensions',
    6: 'splits the status line at any white space, and takes any version that begins with HTTP/1.',
    8: 'takes Transfer-Encoding beside Content-Length, and the first of the two it understands',
    10: 'reads an unknown transfer coding until the connection closes',
    11: 'decodes chunks in an HTTP/1.0 response',
    12: 'ignores a Content-Length it cannot read, takes the first of several, and reads signs and underscores',
    13: 'reads chunk sizes as int() does, skips extensions unseen and two octets behind data unseen',
    16: 'takes a head or a trailer section that is cut off for a whole one',
  }),
];

export const EXPLANATIONS: readonly Explanation[] = [...NODE, ...PYTHON];
