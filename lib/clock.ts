/**
 * The clocks of an exchange: one deadline a phase, one timer under all of them.
 *
 * A deadline is a number that is cheap to move; the timer is armed for the nearest and, when it fires early because its deadline moved,
 * armed again. Exact to the timer's own precision. Nothing is armed for a clock without a limit.
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

export class Clock {
  readonly #limits: Timeouts;
  readonly #onExpiry: (timer: TimerName, ms: number) => void;
  readonly #deadlines = new Map<TimerName, number>();
  #timer: NodeJS.Timeout | undefined;
  #armedFor = Infinity;
  #cleared = false;

  constructor(limits: Timeouts, onExpiry: (timer: TimerName, ms: number) => void) {
    this.#limits = limits;
    this.#onExpiry = onExpiry;
  }

  /** Starts a clock anew. */
  start(timer: TimerName): void {
    const ms = this.#limits[timer];
    if (ms === undefined || ms > MAX_MS || this.#cleared) return;
    const deadline = performance.now() + ms;
    this.#deadlines.set(timer, deadline);
    if (deadline < this.#armedFor) this.#arm(deadline, ms);
  }

  stop(timer: TimerName): void {
    this.#deadlines.delete(timer);
  }

  /** Stops all clocks for good: none starts again. */
  clear(): void {
    clearTimeout(this.#timer);
    this.#deadlines.clear();
    this.#cleared = true;
  }

  #arm(deadline: number, ms: number): void {
    clearTimeout(this.#timer);
    this.#armedFor = deadline;
    this.#timer = setTimeout(() => {
      this.#check();
    }, Math.ceil(ms));
  }

  #check(): void {
    this.#armedFor = Infinity;
    const now = performance.now();
    let nearest = Infinity;
    let expired: TimerName | null = null;
    for (const [timer, deadline] of this.#deadlines) {
      // Timers count whole milliseconds and may fire a fraction early.
      if (expired === null && deadline - now < 1) expired = timer;
      else nearest = Math.min(nearest, deadline);
    }
    // Armed for the others first: whoever is told may not count this expiry as one.
    if (nearest !== Infinity) this.#arm(nearest, Math.max(0, nearest - now));
    if (expired === null) return;
    this.#deadlines.delete(expired);
    this.#onExpiry(expired, this.#limits[expired] as number);
  }
}
