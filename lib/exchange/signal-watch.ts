/**
 * One exchange's ear on its caller's signal. The signal is not ours: each of its members may throw, be replaced, or be called long after
 * the exchange is over, and none of that reaches further than this exchange.
 */

export class SignalWatch {
  readonly #signal: AbortSignal;
  readonly #onAbort: (reason: unknown) => void;
  readonly #heard = (): void => {
    let reason: unknown;
    try {
      reason = this.#signal.reason;
    } catch (error) {
      reason = error;
    }
    this.#onAbort(reason);
  };

  /** @param onAbort - told the reason, or what a member of the signal has thrown */
  constructor(signal: AbortSignal, onAbort: (reason: unknown) => void) {
    this.#signal = signal;
    this.#onAbort = onAbort;
  }

  /** Listens; a signal that is aborted already is told at once. */
  start(): void {
    try {
      if (this.#signal.aborted) this.#heard();
      else this.#signal.addEventListener('abort', this.#heard);
    } catch (error) {
      this.#onAbort(error);
    }
  }

  stop(): void {
    try {
      this.#signal.removeEventListener('abort', this.#heard);
    } catch {
      // What is heard behind the end changes nothing.
    }
  }
}
