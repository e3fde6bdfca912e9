/**
 * The options of pools and of their requests: names, defaults, checks.
 *
 * What cannot be used is refused here, before anything is opened.
 */
import { fieldsOf } from '../fields/message.js';
import type { HeadersInit, InformationalResponse } from '../fields/message.js';
import { SECURE_CONNECTION_OPTIONS } from '../opening/connection-options.js';
import type { HTTPSConnectionOptions } from '../opening/connection-options.js';
import { checkMs, kindOf, namesOf, readOptions } from '../options.js';
import type { PlanSettings } from '../request/body.js';
import { REQUEST_OPTIONS } from '../request/request-options.js';
import type { RequestOptions } from '../request/request-options.js';
import { resolveRetries } from './retry.js';
import type { Retries, RetryOptions } from './retry.js';

/** What a pool's connections and requests are made with. */
export interface PoolOptions extends HTTPSConnectionOptions {
  /** Connections at the most, those being opened included. Default 32. */
  maxConnections?: number | undefined;
  /** Requests that may wait for a connection; one more is refused with `LimitExceeded`, limit `maxWaiting`. Default Infinity. */
  maxWaiting?: number | undefined;
  /** Milliseconds that a request waits for a connection; then `TimeoutError`, timer `acquire`. Default: no limit. */
  acquireTimeout?: number | null | undefined;
  /**
   * Milliseconds after which an idle connection is closed. Default 4000. A server's `Keep-Alive: timeout=n` shortens it to n s less 1 s.
   */
  idleTimeout?: number | null | undefined;
  /** Milliseconds after which a connection takes no new request, since a name may have moved. Default: no limit. */
  maxAge?: number | null | undefined;
  /** Requests after which a connection is not used again. Default: no limit. */
  maxRequests?: number | null | undefined;
  /** The URL of a proxy, or `'env'` for what the environment says, read when the pool is made. Default null: none. */
  proxy?: string | URL | null | undefined;
  /** Fields of every request; a request's own field of the same name takes their place. */
  headers?: HeadersInit | undefined;
  /** What is tried again, and how often. Default 0: nothing. */
  retries?: number | RetryOptions | undefined;
  /** Whether content codings are asked for and undone. Default false. */
  decompress?: boolean | undefined;
}

/** Options of one request of a pool; they override the pool's. */
export interface PoolRequestOptions extends RequestOptions {
  /** See {@link PoolOptions.retries}. */
  retries?: number | RetryOptions | undefined;
  /** See {@link PoolOptions.decompress}. */
  decompress?: boolean | undefined;
  /** See {@link PoolOptions.acquireTimeout}. */
  acquireTimeout?: number | null | undefined;
}

/** A pool's own options, checked and complete. */
export interface PoolSettings {
  readonly maxConnections: number;
  readonly maxWaiting: number;
  readonly acquireTimeout: number | undefined;
  readonly idleTimeout: number;
  readonly maxAge: number;
  readonly maxRequests: number;
  readonly headers: readonly string[];
  readonly retries: Retries;
  readonly decompress: boolean;
  readonly planning: PlanSettings;
  readonly onInformational: ((response: InformationalResponse) => void) | undefined;
}

const IDLE_TIMEOUT_MS = 4000;
const MAX_CONNECTIONS = 32;

const OWN_NAMES = namesOf<Omit<PoolOptions, keyof HTTPSConnectionOptions>>({
  maxConnections: true,
  maxWaiting: true,
  acquireTimeout: true,
  idleTimeout: true,
  maxAge: true,
  maxRequests: true,
  proxy: true,
  headers: true,
  retries: true,
  decompress: true,
});

/** The names of a pool's options. */
export const POOL_OPTIONS: ReadonlySet<string> = new Set([...OWN_NAMES, ...SECURE_CONNECTION_OPTIONS]);

/** The names of the options of one request. */
export const POOL_REQUEST_OPTIONS: ReadonlySet<string> = new Set([
  ...REQUEST_OPTIONS,
  ...namesOf<Omit<PoolRequestOptions, keyof RequestOptions>>({
    retries: true,
    decompress: true,
    acquireTimeout: true,
  }),
]);

/** A pool's options, apart: its own, and those of its connections. */
export interface ReadPoolOptions {
  readonly own: PoolOptions;
  readonly connection: HTTPSConnectionOptions;
}

/** @throws TypeError for an unknown name */
export function readPoolOptions(options: PoolOptions | undefined): ReadPoolOptions {
  const own = readOptions(options, POOL_OPTIONS);
  const connection: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(own)) if (!OWN_NAMES.has(name)) connection[name] = value;
  return { own, connection };
}

/** @throws TypeError, RangeError for what cannot be used */
export function resolvePoolOptions(options: PoolOptions, blocksize: number): PoolSettings {
  const {
    maxConnections = MAX_CONNECTIONS,
    maxWaiting = Infinity,
    maxRequests,
    idleTimeout,
    maxAge,
  } = options;
  return {
    maxConnections: checkCount('maxConnections', maxConnections, 1),
    maxWaiting: checkCount('maxWaiting', maxWaiting, 0),
    acquireTimeout: resolveAcquireTimeout(options.acquireTimeout),
    idleTimeout: limitOf('idleTimeout', idleTimeout, IDLE_TIMEOUT_MS),
    maxAge: limitOf('maxAge', maxAge, Infinity),
    maxRequests: checkCount('maxRequests', maxRequests ?? Infinity, 1),
    headers: fieldsOf(options.headers),
    retries: resolveRetries(options.retries),
    decompress: checkFlag('decompress', options.decompress ?? false),
    planning: { blocksize, defaultCharset: options.defaultCharset ?? 'utf-8' },
    onInformational: options.onInformational,
  };
}

/** @returns undefined for no limit */
export function resolveAcquireTimeout(ms: number | null | undefined): number | undefined {
  return ms === undefined || ms === null ? undefined : checkMs('acquireTimeout', ms);
}

/** @throws TypeError unless it is a boolean */
export function checkFlag(name: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw new TypeError(`${name} must be a boolean, got ${kindOf(value)}`);
}

function limitOf(name: string, ms: number | null | undefined, fallback: number): number {
  if (ms === undefined) return fallback;
  return ms === null ? Infinity : checkMs(name, ms);
}

/** @throws TypeError for what is no integer, RangeError for one that is too small */
export function checkCount(name: string, value: unknown, least: number): number {
  if (typeof value !== 'number' || !(Number.isInteger(value) || value === Infinity))
    throw new TypeError(
      `${name} must be an integer, got ${typeof value === 'number' ? String(value) : kindOf(value)}`,
    );
  if (value < least) throw new RangeError(`${name} must be at least ${String(least)}, got ${String(value)}`);
  return value;
}
