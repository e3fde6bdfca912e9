/**
 * The bounds on everything a peer can send, in one place: names, defaults, the check of a caller's overrides.
 *
 * Nothing here counts bytes; the readers in `protocol/` do, and name the limit they hit. Strictness is policy, not an
 * option: only these sizes can be changed.
 */
import { namesOf, readOptions } from './options.js';

/** Bounds on what a peer may send. All are on by default. */
export interface Limits {
  /** Bytes of one line (status, field, chunk size, trailer), CRLF included. Default 65536. Beyond: `LineTooLong`. */
  lineBytes: number;
  /** Bytes of one head, status line to blank line. Default 262144. Beyond: `LimitExceeded`. */
  headBytes: number;
  /** Field lines of one head, of one interim head, or of one trailer section. Default 100. Beyond: `LimitExceeded`. */
  fields: number;
  /** Interim (1xx) responses before a final one. Default 100. Beyond: `LimitExceeded`. */
  interimResponses: number;
  /**
   * Bytes of chunk-size lines beyond a credit of 16 + 2 × size for each chunk. Default 16384. One-byte chunks never reach it;
   * long extensions on small chunks do (CVE-2023-39326). Beyond: `LimitExceeded`.
   */
  chunkOverheadBytes: number;
  /** Bytes of one trailer section. Default 65536. Beyond: `LimitExceeded`. */
  trailerBytes: number;
}

/** The limits in force when the caller names none. Line length, field count and interim count are http.client's. */
export const DEFAULT_LIMITS: Readonly<Limits> = Object.freeze({
  lineBytes: 65_536,
  headBytes: 262_144,
  fields: 100,
  interimResponses: 100,
  chunkOverheadBytes: 16_384,
  trailerBytes: 65_536,
});

/** Some of the limits, as an option: those that are absent or undefined have their default. */
export type LimitOverrides = { [Name in keyof Limits]?: Limits[Name] | undefined };

const NAMES = namesOf<Limits>({
  lineBytes: true,
  headBytes: true,
  fields: true,
  interimResponses: true,
  chunkOverheadBytes: true,
  trailerBytes: true,
});

/**
 * The defaults with the caller's overrides.
 *
 * @throws TypeError when a limit is unknown or not a non-negative integer.
 */
export function resolveLimits(overrides: LimitOverrides | undefined): Readonly<Limits> {
  if (overrides === undefined) return DEFAULT_LIMITS;
  const limits = { ...DEFAULT_LIMITS };
  const given = readOptions(overrides, NAMES, 'limits');
  for (const name of Object.keys(given) as (keyof Limits)[]) {
    const value: unknown = given[name];
    if (!Number.isSafeInteger(value) || (value as number) < 0) {
      throw new TypeError(`limits.${name} must be a non-negative integer, got ${String(value)}`);
    }
    limits[name] = value as number;
  }
  return limits;
}
