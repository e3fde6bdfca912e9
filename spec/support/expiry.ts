/**
 * For specs of the clocks: an action that has to fail by one, in time. Lower bounds are strict; the upper bound only tells "fires" from
 * "hangs", as the machine may be busy.
 */
import { expect } from 'chai';
import { TimeoutError } from '../../lib/index.js';
import type { HTTPConnection, RequestBody, Timeouts } from '../../lib/index.js';
import { rejection } from './rejection.js';

/** The limit that most of these specs run into, in milliseconds. */
export const LIMIT_MS = 60;
/** Timers count whole milliseconds and may fire a fraction early. */
export const EARLY_MS = 2;
/** What a busy machine may add. */
export const LATE_MS = 400;

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** The error of an action that has to fail by a clock, not before `limit` and not for ever after. */
export async function expiry(
  action: PromiseLike<unknown>,
  startedAt: number,
  limit: number = LIMIT_MS,
): Promise<TimeoutError> {
  const error = await rejection<TimeoutError>(action);
  const elapsed = performance.now() - startedAt;
  expect(error).to.be.instanceOf(TimeoutError);
  expect(elapsed).to.be.within(limit - EARLY_MS, limit + LATE_MS);
  return error;
}

/** A request on a connection that is open already, so that the clock of interest is the first to run. */
export async function started(
  connection: HTTPConnection,
  timeout: number | Timeouts,
  body: RequestBody | null = null,
): Promise<{ sent: Promise<void>; startedAt: number }> {
  await connection.connect();
  const startedAt = performance.now();
  return { sent: connection.request('POST', '/', body, {}, { timeout }), startedAt };
}
