/**
 * An ear on a caller's signal. The signal is not ours: each of its members may throw, be replaced, or be called long after the exchange is
 * over, and none of that reaches further than who watches.
 *
 * All who watch one signal share one listener: Node warns of a leak from the eleventh on, and one signal for a hundred requests is no leak.
 */

/** The one listener on a signal. */
class Ear {
  readonly #watches = new Set<SignalWatch>();
  readonly #signal: AbortSignal;
  readonly #heard = (): void => {
    let reason: unknown;
    try {
      reason = this.#signal.reason;
    } catch (error) {
      reason = error;
    }
    ears.delete(this.#signal);
    // Whoever is stopped by what another does is not told any more.
    for (const watch of this.#watches) {
      this.remove(watch);
      watch.onAbort(reason);
    }
  };

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener('abort', this.#heard);
    ears.set(signal, this);
  }

  add(watch: SignalWatch): void {
    this.#watches.add(watch);
  }

  remove(watch: SignalWatch): void {
    if (!this.#watches.delete(watch) || this.#watches.size > 0) return;
    if (ears.get(this.#signal) === this) ears.delete(this.#signal);
    try {
      this.#signal.removeEventListener('abort', this.#heard);
    } catch {
      // What is heard behind the end changes nothing.
    }
  }
}

const ears = new WeakMap<AbortSignal, Ear>();

export class SignalWatch {
  readonly onAbort: (reason: unknown) => void;
  readonly #signal: AbortSignal;
  #ear: Ear | null = null;

  /** @param onAbort - told the reason, or what a member of the signal has thrown */
  constructor(signal: AbortSignal, onAbort: (reason: unknown) => void) {
    this.#signal = signal;
    this.onAbort = onAbort;
  }

  /** Listens; a signal that is aborted already is told at once. */
  start(): void {
    const signal = this.#signal;
    let reason: unknown;
    try {
      if (!signal.aborted) {
        this.#ear = ears.get(signal) ?? new Ear(signal);
        this.#ear.add(this);
        return;
      }
      reason = signal.reason;
    } catch (error) {
      reason = error;
    }
    this.onAbort(reason);
  }

  stop(): void {
    this.#ear?.remove(this);
  }
}
