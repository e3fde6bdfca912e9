/**
 * The clocks of an exchange: one deadline a phase, one timer under all of them.
 *
 * A deadline is a number that is cheap to move; the timer is armed for the nearest and, when it fires early because its deadline moved,
 * armed again. Exact to the timer's own precision. Nothing is armed for a clock without a limit.
 */
import { MAX_MS } from '../options.js';
import type { ClockName, TimeLimits } from '../options.js';

export class Clock {
  readonly #limits: TimeLimits;
  readonly #onExpiry: (timer: ClockName, ms: number) => void;
  readonly #deadlines = new Map<ClockName, number>();
  #timer: NodeJS.Timeout | undefined;
  #armedFor = Infinity;
  #cleared = false;

  constructor(limits: TimeLimits, onExpiry: (timer: ClockName, ms: number) => void) {
    this.#limits = limits;
    this.#onExpiry = onExpiry;
  }

  /**
   * Starts a clock anew.
   *
   * @param ms - when something is left of its limit, how much
   */
  start(timer: ClockName, ms: number | undefined = this.#limits[timer]): void {
    if (ms === undefined || ms > MAX_MS || this.#cleared) return;
    const deadline = performance.now() + ms;
    this.#deadlines.set(timer, deadline);
    if (deadline < this.#armedFor) this.#arm(deadline, ms);
  }

  isRunning(timer: ClockName): boolean {
    return this.#deadlines.has(timer);
  }

  stop(timer: ClockName): void {
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
    let expired: ClockName | null = null;
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
