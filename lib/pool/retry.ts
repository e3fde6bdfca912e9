/**
 * Retries that the caller asked for: the options, which failures and statuses count, and how long to wait before the next attempt.
 *
 * It owns these rules and waits for nothing itself. Never retried, whatever the options say: a violation of the protocol, a certificate,
 * an abort, a bad argument, a `total` timeout; each of these would fail again, or is somebody's decision.
 */
import { HTTPException, RemoteDisconnected, TimeoutError } from '../errors.js';
import { TunnelError } from '../opening/tunnel-error.js';
import { kindOf, MAX_MS, namesOf, readOptions } from '../options.js';
import { IDEMPOTENT } from './resend.js';

/** One try of a request, as `onRetry` and `error.attempts` show it. */
export interface Attempt {
  /** Counts from 1. */
  number: number;
  /** What ended it; null when a response came. */
  error: Error | null;
  /** The status of the response; null when none came. */
  status: number | null;
  /** Milliseconds until the next attempt; 0 when there is none. */
  delay: number;
}

/** What is tried again, how often, and after how long. */
export interface RetryOptions {
  /** Attempts after the first. Default 2. */
  limit?: number | undefined;
  /** Methods that are tried again. Default GET, HEAD, OPTIONS, TRACE, PUT, DELETE. */
  methods?: Iterable<string> | undefined;
  /** Statuses that are tried again. Default 408, 429, 502, 503, 504. */
  statuses?: Iterable<number> | undefined;
  /** Milliseconds: the n-th wait is random in [half, whole] of min(maxDelay, minDelay · 2^(n-1)). Default 200. */
  minDelay?: number | undefined;
  /** See `minDelay`. Default 10000. */
  maxDelay?: number | undefined;
  /** The longest Retry-After, in milliseconds, that is waited for; with a longer one the response is given as it is. Default 30000. */
  maxRetryAfter?: number | undefined;
  /** Told before each wait; false: no further attempt. What it throws rejects the request. */
  onRetry?: ((attempt: Attempt) => boolean | void) | undefined;
}

/** The same, checked and complete. */
export interface Retries {
  readonly limit: number;
  readonly methods: ReadonlySet<string>;
  readonly statuses: ReadonlySet<number>;
  readonly minDelay: number;
  readonly maxDelay: number;
  readonly maxRetryAfter: number;
  readonly onRetry: ((attempt: Attempt) => unknown) | null;
}

const STATUSES: ReadonlySet<number> = new Set([408, 429, 502, 503, 504]);

const NONE: Retries = {
  limit: 0,
  methods: IDEMPOTENT,
  statuses: STATUSES,
  minDelay: 200,
  maxDelay: 10_000,
  maxRetryAfter: 30_000,
  onRetry: null,
};

const NAMES = namesOf<RetryOptions>({
  limit: true,
  methods: true,
  statuses: true,
  minDelay: true,
  maxDelay: true,
  maxRetryAfter: true,
  onRetry: true,
});

/**
 * Options from what the caller gave: a number is the limit; nothing, or null, is none.
 *
 * @throws TypeError, RangeError for what cannot be used
 */
export function resolveRetries(option: number | RetryOptions | null | undefined): Retries {
  if (option === undefined || option === null) return NONE;
  if (typeof option === 'number') return { ...NONE, limit: checkLimit(option) };
  if (typeof option !== 'object')
    throw new TypeError(`retries must be a number or an object, got ${typeof option}`);
  const given = readOptions(option, NAMES, 'retries');
  const { limit = 2, methods, statuses, onRetry } = given;
  if (onRetry !== undefined && typeof onRetry !== 'function')
    throw new TypeError(`retries.onRetry must be a function, got ${kindOf(onRetry)}`);
  return {
    limit: checkLimit(limit),
    methods: methods === undefined ? IDEMPOTENT : setOf(methods, 'methods', isMethod),
    statuses: statuses === undefined ? STATUSES : setOf(statuses, 'statuses', isStatus),
    minDelay: delayOf(given.minDelay, 'minDelay', NONE.minDelay),
    maxDelay: delayOf(given.maxDelay, 'maxDelay', NONE.maxDelay),
    maxRetryAfter: delayOf(given.maxRetryAfter, 'maxRetryAfter', NONE.maxRetryAfter),
    onRetry: onRetry ?? null,
  };
}

/**
 * The wait before another attempt, without what a server has asked for.
 *
 * @param number - of the attempt that failed; the first is 1
 * @param random - in [0, 1)
 */
export function backoffMs(retries: Retries, number: number, random: number): number {
  const whole = Math.min(retries.maxDelay, retries.minDelay * 2 ** (number - 1), MAX_MS);
  return whole * (0.5 + random / 2);
}

/**
 * How long a Retry-After asks to wait (RFC 9110 §10.2.3): seconds, or a date, which is over when it is past.
 *
 * @param now - milliseconds since the epoch
 * @returns milliseconds; null for a value that is neither, which says nothing
 */
export function retryAfterMs(value: string, now: number): number | null {
  const text = value.trim();
  if (/^[0-9]+$/.test(text)) return Number(text) * 1000;
  const date = parseDate(text, now);
  return date === null ? null : Math.max(0, date - now);
}

/**
 * Whether a failure may be gone the next time.
 *
 * @param opening - whether it ended the opening of the connection, not an exchange on it
 */
export function isTransient(error: unknown, opening: boolean, retries: Retries): boolean {
  if (error instanceof TimeoutError) return error.timer === 'connect' || error.timer === 'response';
  if (isConnectionLost(error)) return true;
  // The proxy could not reach the server: what it answers then is a status like any other.
  if (error instanceof TunnelError) return retries.statuses.has(error.status);
  if (error instanceof HTTPException || !(error instanceof Error)) return false;
  if (!opening) return false;
  // Whatever else kept the connection from being opened, but a bad argument, and whom TLS does not trust or understand.
  return !(error instanceof TypeError || error instanceof RangeError || isTLSFailure(error));
}

/** Whether a connection has closed or broken without a word of its peer. */
export function isConnectionLost(error: unknown): boolean {
  if (error instanceof RemoteDisconnected) return true;
  if (error instanceof HTTPException || !(error instanceof Error)) return false;
  const code: unknown = (error as NodeJS.ErrnoException).code;
  return typeof code === 'string' && CONNECTION_LOST.has(code);
}

/** What a socket says when the peer or the way to it is gone. */
const CONNECTION_LOST: ReadonlySet<string> = new Set(['ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ETIMEDOUT']);

/** By code: Node gives verification results their OpenSSL names, and OpenSSL's own errors a prefix. */
function isTLSFailure(error: NodeJS.ErrnoException): boolean {
  const { code } = error;
  return (
    typeof code === 'string' &&
    /^ERR_(?:SSL|TLS|OSSL)|^EPROTO$|CERT|CRL|SIGNATURE|^INVALID_|^HOSTNAME_|CHAIN|^PATH_/.test(code)
  );
}

function checkLimit(limit: unknown): number {
  if (typeof limit !== 'number' || !(Number.isSafeInteger(limit) || limit === Infinity) || limit < 0)
    throw new TypeError(`retries must be a non-negative integer, got ${String(limit)}`);
  return limit;
}

function delayOf(ms: unknown, name: string, fallback: number): number {
  if (ms === undefined) return fallback;
  if (typeof ms !== 'number' || Number.isNaN(ms) || ms < 0)
    throw new TypeError(`retries.${name} must be a non-negative number of milliseconds, got ${String(ms)}`);
  return ms;
}

function setOf<T>(given: unknown, name: string, isItem: (item: unknown) => item is T): ReadonlySet<T> {
  if (typeof given !== 'object' || given === null || !(Symbol.iterator in given))
    throw new TypeError(`retries.${name} must be a list, got ${typeof given}`);
  const set = new Set<T>();
  for (const item of given as Iterable<unknown>) {
    if (!isItem(item)) throw new TypeError(`retries.${name} holds ${String(item)}`);
    set.add(item);
  }
  return set;
}

function isMethod(item: unknown): item is string {
  return typeof item === 'string' && item !== '';
}

function isStatus(item: unknown): item is number {
  return typeof item === 'number' && Number.isInteger(item) && item >= 200 && item <= 999;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const TIME = '([0-9]{2}):([0-9]{2}):([0-9]{2})';
const MONTH = `(${MONTHS.join('|')})`;
/** The three forms of RFC 9110 §5.6.7. `Date.parse` would take the last for local time, and much that is no date for one. */
const FIXDATE = new RegExp(`^[A-Z][a-z]{2}, ([0-9]{2}) ${MONTH} ([0-9]{4}) ${TIME} GMT$`);
const RFC850 = new RegExp(`^[A-Z][a-z]{5,8}, ([0-9]{2})-${MONTH}-([0-9]{2}) ${TIME} GMT$`);
const ASCTIME = new RegExp(`^[A-Z][a-z]{2} ${MONTH} ([0-9 ][0-9]) ${TIME} ([0-9]{4})$`);

/**
 * An HTTP-date in milliseconds since the epoch; null for anything else.
 *
 * @param now - of which century the two digits of an old form are
 */
export function parseDate(text: string, now: number): number | null {
  const fixed = FIXDATE.exec(text);
  if (fixed !== null) return utc(fixed, 3, 2, 1, 4);
  const ansi = ASCTIME.exec(text);
  if (ansi !== null) return utc(ansi, 6, 1, 2, 3);
  const old = RFC850.exec(text);
  if (old === null) return null;
  // Two digits: the year that is not more than fifty ahead.
  const century = Math.floor(new Date(now).getUTCFullYear() / 100) * 100;
  const date = utc(old, 3, 2, 1, 4, century);
  const fifty = 50 * 365.25 * 86_400_000;
  return date - now > fifty ? utc(old, 3, 2, 1, 4, century - 100) : date;
}

function utc(
  match: RegExpExecArray,
  year: number,
  month: number,
  day: number,
  time: number,
  century = 0,
): number {
  return Date.UTC(
    Number(match[year]) + century,
    MONTHS.indexOf(match[month] ?? ''),
    Number(match[day]),
    Number(match[time]),
    Number(match[time + 1]),
    Number(match[time + 2]),
  );
}
