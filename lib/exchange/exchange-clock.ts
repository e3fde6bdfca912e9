/**
 * The clocks of one exchange: a `Clock` that looks once more before it judges.
 *
 * The loop may have been held for longer than a limit while what would have stopped the clock lay in the kernel, so the loop polls once
 * before an expiry counts. Then it asks the sides of the exchange whether the clock ran out for something. It ends nothing itself.
 */
import { TimeoutError } from '../errors.js';
import type { Phase } from '../errors.js';
import type { ClockName, TimeLimits } from '../options.js';
import { afterPoll } from '../transport/poll-barrier.js';
import { Clock } from './clock.js';
import type { Link } from './link.js';
import type { Receiving } from './receiving.js';
import type { Sending } from './sending.js';

/** The exchange, as its clocks see it. */
export interface TimedExchange {
  readonly over: boolean;
  readonly link: Link | null;
  readonly sending: Sending;
  readonly receiving: Receiving;
  /** What it is doing. */
  readonly phase: Phase;
  onTimeout(error: TimeoutError): void;
}

export class ExchangeClock extends Clock {
  readonly #exchange: TimedExchange;
  /** When the reader last asked for bytes. */
  #askedAt = 0;

  constructor(limits: TimeLimits, exchange: TimedExchange) {
    super(limits, (timer, ms) => {
      afterPoll(() => {
        if (!exchange.over && !this.isRunning(timer)) this.#judge(timer, ms);
      });
    });
    this.#exchange = exchange;
  }

  /** The reader asks: the body clock runs from now, without being armed anew for each wish. */
  asked(): void {
    this.#askedAt = performance.now();
    if (!this.isRunning('body')) this.start('body');
  }

  #judge(timer: ClockName, ms: number): void {
    const exchange = this.#exchange;
    if (timer === 'body' && this.#goesOn(ms)) return;
    if (timer === 'send' && exchange.sending.stillTaking()) return;
    if (timer === 'response' && exchange.receiving.state !== 'awaited') return;
    if (timer === 'connect' && exchange.link !== null) return;
    const phase = timer === 'send' ? 'send' : exchange.phase;
    exchange.onTimeout(new TimeoutError(timer, phase, ms));
  }

  /** Whether the body clock ran out for nothing: nobody waits, or bytes came, or were asked for, later than it knew. */
  #goesOn(ms: number): boolean {
    const { receiving, link } = this.#exchange;
    // Inside a loop body and while paused nobody waits; the next wish starts it anew.
    if (receiving.response?.waiting !== true) return true;
    const since = Math.max(this.#askedAt, link?.lastBytesAt ?? 0);
    const leftMs = since + ms - performance.now();
    if (leftMs < 1) return false;
    this.start('body', leftMs);
    return true;
  }
}
