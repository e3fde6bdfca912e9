/**
 * The options of clients and of their requests: names, defaults, checks.
 */
import { kindOf, namesOf, readOptions } from '../options.js';
import { checkFlag, POOL_OPTIONS, POOL_REQUEST_OPTIONS } from '../pool/pool-options.js';
import type { PoolOptions, PoolRequestOptions } from '../pool/pool-options.js';

/** How redirects are followed. */
interface RedirectOptions {
  /** Redirects that are followed at the most. Default 0: the redirect is the response. */
  redirects?: number | undefined;
  /** Whether a redirect from https to http is followed. Default false. */
  allowDowngrade?: boolean | undefined;
}

/** What a client's pools and requests are made with. */
export interface ClientOptions extends PoolOptions, RedirectOptions {
  /** What relative URLs are relative to. Its user information is for all of them. */
  baseURL?: string | URL | undefined;
}

/** Options of one request of a client; they override the client's. */
export interface ClientRequestOptions extends PoolRequestOptions, RedirectOptions {}

const REDIRECT_NAMES = namesOf<RedirectOptions>({ redirects: true, allowDowngrade: true });

const CLIENT_OPTIONS: ReadonlySet<string> = new Set([...POOL_OPTIONS, ...REDIRECT_NAMES, 'baseURL']);

/** The names of the options of one request. */
export const CLIENT_REQUEST_OPTIONS: ReadonlySet<string> = new Set([
  ...POOL_REQUEST_OPTIONS,
  ...REDIRECT_NAMES,
]);

/** Redirects as a client's options say, for requests that say nothing. */
export interface RedirectDefaults {
  readonly redirects: number;
  readonly allowDowngrade: boolean;
}

/** A client's options, apart. */
export interface ReadClientOptions {
  readonly baseURL: string | URL | undefined;
  readonly policy: RedirectDefaults;
  readonly pool: PoolOptions;
}

/** @throws TypeError, RangeError for an unknown name or what cannot be used */
export function readClientOptions(options: ClientOptions | undefined): ReadClientOptions {
  const { baseURL, redirects = 0, allowDowngrade = false, ...pool } = readOptions(options, CLIENT_OPTIONS);
  return { baseURL, policy: checkPolicy(redirects, allowDowngrade), pool };
}

/** The options of one request, apart. */
export interface ReadRequestOptions {
  readonly policy: RedirectDefaults;
  /** Absent where there are none. */
  readonly pool: PoolRequestOptions | undefined;
}

/** @throws TypeError, RangeError for an unknown name or what cannot be used */
export function readClientRequestOptions(
  options: ClientRequestOptions | undefined,
  defaults: RedirectDefaults,
): ReadRequestOptions {
  if (options === undefined) return { policy: defaults, pool: undefined };
  const given = readOptions(options, CLIENT_REQUEST_OPTIONS);
  const { redirects = defaults.redirects, allowDowngrade = defaults.allowDowngrade, ...pool } = given;
  return { policy: checkPolicy(redirects, allowDowngrade), pool };
}

function checkPolicy(redirects: unknown, allowDowngrade: unknown): RedirectDefaults {
  if (typeof redirects !== 'number' || !(Number.isInteger(redirects) || redirects === Infinity))
    throw new TypeError(
      `redirects must be an integer, got ${typeof redirects === 'number' ? String(redirects) : kindOf(redirects)}`,
    );
  if (redirects < 0) throw new RangeError(`redirects must be at least 0, got ${String(redirects)}`);
  return { redirects, allowDowngrade: checkFlag('allowDowngrade', allowDowngrade) };
}
