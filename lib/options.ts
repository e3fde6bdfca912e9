/**
 * Options as callers give them: how they are read and checked, and the time limits that connections and requests share.
 *
 * It knows no option's meaning; who uses one says what it does.
 */
import type { TimerName } from './errors.js';

/** Time limits in milliseconds, one for each phase. Absent: no limit. */
export interface Timeouts {
  /** Look-up, dial, TLS and tunnel. */
  connect?: number;
  /** Bytes waited and the socket took none. A silent source stops this clock. */
  send?: number;
  /** From the last byte sent to the final head. */
  response?: number;
  /** No byte came while the reader wanted one. */
  body?: number;
  /** The whole exchange, to the last body byte. */
  total?: number;
}

/** Longer than any timer can wait; a longer limit is none. */
export const MAX_MS = 2_147_483_647;

/**
 * Limits from an option: a number sets all but `total`.
 *
 * @throws TypeError unless every limit is a non-negative number
 */
export function resolveTimeouts(timeout: number | Timeouts | null | undefined): Timeouts | null {
  if (timeout === null || timeout === undefined) return null;
  const limits: Timeouts =
    typeof timeout === 'number'
      ? { connect: timeout, send: timeout, response: timeout, body: timeout }
      : timeout;
  if (typeof limits !== 'object')
    throw new TypeError(`timeout must be a number or an object, got ${typeof timeout}`);
  for (const [name, ms] of Object.entries(limits) as [string, unknown][]) {
    if (!TIMERS.includes(name as TimerName)) throw new TypeError(`unknown timeout '${name}'`);
    if (ms === undefined) continue;
    if (typeof ms !== 'number' || Number.isNaN(ms) || ms < 0) {
      throw new TypeError(`timeout ${name} must be a non-negative number of milliseconds, got ${String(ms)}`);
    }
  }
  return limits;
}

const TIMERS: readonly TimerName[] = ['connect', 'send', 'response', 'body', 'total'];
