/**
 * The options of a download that goes on: their names, defaults and checks, and which fields a request for a part of it has.
 *
 * What cannot be used is refused here, before anything is asked. It knows no stream.
 */
import type { HeadersInit } from '../fields/message.js';
import { fieldsOf } from '../fields/message.js';
import { kindOf, MAX_MS, namesOf, readOptions, resolveTimeouts } from '../options.js';
import type { TimeLimits } from '../options.js';
import { CLIENT_REQUEST_OPTIONS } from './client-options.js';
import type { ClientRequestOptions } from './client-options.js';
import { isValidator } from './continuation.js';

/** What {@link DownloadOptions.onResume} is told. */
export interface ResumeEvent {
  /** The offset at which the download goes on. */
  position: number;
  /** What ended the request before. */
  error: Error;
  /** Which attempt this is since the last byte, counted from 1. */
  number: number;
}

/** The options of a download beside those of a request. */
export interface DownloadOptions {
  /** Fields of the request. `Range` and `If-Range` are the download's own. */
  headers?: HeadersInit | undefined;
  /** Where an earlier program stopped. */
  from?:
    | {
        /** The number of bytes it has. */
        position: number;
        /** The validator that its download had. */
        validator: string;
      }
    | undefined;
  /** So many requests in a row may bring no new byte. Default 10. */
  attempts?: number | undefined;
  /** Milliseconds: the n-th wait is random in [half, whole] of min(maxDelay, minDelay · 2^(n-1)). Default 200. */
  minDelay?: number | undefined;
  /** See `minDelay`. Default 10000. */
  maxDelay?: number | undefined;
  /** Told before each attempt to go on. What it throws ends the download. */
  onResume?: ((event: ResumeEvent) => void) | undefined;
}

/** Options of `resumable()`: those of a request, and how the download goes on. */
export interface ResumableOptions extends ClientRequestOptions, DownloadOptions {}

const RESUMABLE_OPTIONS: ReadonlySet<string> = new Set([
  ...CLIENT_REQUEST_OPTIONS,
  ...namesOf<DownloadOptions>({
    headers: true,
    from: true,
    attempts: true,
    minDelay: true,
    maxDelay: true,
    onResume: true,
  }),
]);

/** How a download goes on, checked and complete. */
export interface DownloadPlan {
  /** The caller's fields, `[name, value, …]`. */
  readonly fields: readonly string[];
  readonly from: { readonly position: number; readonly validator: string } | null;
  readonly attempts: number;
  readonly minDelay: number;
  readonly maxDelay: number;
  readonly onResume: ((event: ResumeEvent) => unknown) | null;
  /** Milliseconds for all of it; Infinity for no limit. */
  readonly total: number;
  /** Of the first request. */
  readonly first: ClientRequestOptions;
  /** Of the others: what they may cost is counted by `attempts`, and `total` runs over all of them. */
  readonly again: ClientRequestOptions;
}

/**
 * @param defaults - the client's time limits
 * @throws TypeError, RangeError for what cannot be used
 */
export function planDownload(given: ResumableOptions | undefined, defaults: TimeLimits | null): DownloadPlan {
  const {
    headers,
    from,
    attempts = 10,
    minDelay,
    maxDelay,
    onResume = null,
    ...request
  } = readOptions(given, RESUMABLE_OPTIONS);
  if (
    typeof attempts !== 'number' ||
    !(Number.isSafeInteger(attempts) || attempts === Infinity) ||
    attempts < 0
  )
    throw new TypeError(`attempts must be a non-negative integer, got ${String(attempts)}`);
  if (onResume !== null && typeof onResume !== 'function')
    throw new TypeError(`onResume must be a function, got ${kindOf(onResume)}`);
  const limits = request.timeout === undefined ? defaults : resolveTimeouts(request.timeout);
  const { total = Infinity } = limits ?? {};
  const first = { ...request, decompress: false };
  return {
    fields: ownFields(headers),
    from: from === undefined ? null : checkFrom(from),
    attempts,
    minDelay: checkDelay('minDelay', minDelay ?? 200),
    maxDelay: checkDelay('maxDelay', maxDelay ?? 10_000),
    onResume,
    total: total > MAX_MS ? Infinity : total,
    first,
    again: { ...first, retries: 0, ...(total === Infinity ? {} : { timeout: { ...limits, total: null } }) },
  };
}

/** The fields of a request: from `position` on, if that is still the file that `validator` names; all of it without one. */
export function requestFields(
  plan: DownloadPlan,
  position: number,
  validator: string | null,
): [string, string][] {
  const pairs: [string, string][] = [];
  for (let i = 0; i < plan.fields.length; i += 2)
    pairs.push([plan.fields[i] ?? '', plan.fields[i + 1] ?? '']);
  // Offsets are those of the file only where it comes as it is.
  pairs.push(['Accept-Encoding', 'identity']);
  if (validator !== null) pairs.push(['Range', `bytes=${String(position)}-`], ['If-Range', validator]);
  return pairs;
}

function ownFields(headers: HeadersInit | undefined): string[] {
  const given = fieldsOf(headers);
  const kept: string[] = [];
  for (let i = 0; i < given.length; i += 2) {
    const name = given[i] ?? '';
    if (/^(?:if-)?range$/i.test(name))
      throw new TypeError(`a resumable download makes its own ${name}; use from to begin within a file`);
    if (name.toLowerCase() !== 'accept-encoding') kept.push(name, given[i + 1] ?? '');
  }
  return kept;
}

function checkFrom(from: unknown): { position: number; validator: string } {
  if (typeof from !== 'object' || from === null)
    throw new TypeError(`from must be an object, got ${kindOf(from)}`);
  const { position, validator } = from as { position?: unknown; validator?: unknown };
  if (typeof position !== 'number' || !Number.isSafeInteger(position) || position < 0)
    throw new TypeError(`from.position must be a non-negative integer, got ${String(position)}`);
  if (typeof validator !== 'string' || !isValidator(validator))
    throw new TypeError(`from.validator must be a strong ETag or a date, got ${describe(validator)}`);
  return { position, validator };
}

function checkDelay(name: string, ms: unknown): number {
  if (typeof ms === 'number' && ms >= 0) return ms;
  throw new TypeError(`${name} must be a non-negative number of milliseconds, got ${describe(ms)}`);
}

function describe(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 80)) : kindOf(value);
}
