/**
 * What may end a download while no request of it runs, and its waits between two of them: one listener and at most two timers.
 *
 * It says that something ran out and ends nothing itself; behind `stop()` nothing of it is left.
 */
import { SignalWatch } from '../exchange/signal-watch.js';
import { MAX_MS } from '../options.js';

export class DownloadWatch {
  readonly #signal: SignalWatch | null;
  readonly #endsAt: number;
  readonly #onTotal: () => void;
  #started = false;
  #total: NodeJS.Timeout | undefined;
  #delay: NodeJS.Timeout | undefined;
  #wake: (() => void) | null = null;

  /**
   * @param endsAt - by `performance.now()`; Infinity for never
   * @param onTotal - told that the time is over
   * @param onAbort - told the signal's reason
   */
  constructor(
    signal: AbortSignal | undefined,
    endsAt: number,
    onTotal: () => void,
    onAbort: (reason: unknown) => void,
  ) {
    this.#signal = signal === undefined ? null : new SignalWatch(signal, onAbort);
    this.#endsAt = endsAt;
    this.#onTotal = onTotal;
  }

  /** From the first interruption on: until then the first request watches. */
  start(): void {
    if (this.#started) return;
    this.#started = true;
    if (this.#endsAt !== Infinity)
      this.#total = setTimeout(this.#onTotal, Math.ceil(Math.max(0, this.#endsAt - performance.now())));
    this.#signal?.start();
  }

  /** Resolves after so many milliseconds, or when it is stopped. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
      this.#delay = setTimeout(resolve, Math.min(Math.ceil(ms), MAX_MS));
    });
  }

  stop(): void {
    clearTimeout(this.#total);
    clearTimeout(this.#delay);
    this.#signal?.stop();
    this.#wake?.();
  }
}
