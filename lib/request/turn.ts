/**
 * How long a source that always has something ready is listened to before timers, aborts and the reply have their turn.
 */

const TURN_BYTES = 1_048_576;
const TURN_MS = 10;
/** Where the clock stands still. */
const TURN_PIECES = 16_384;

export class Turn {
  /** Bytes that came in this turn; whoever takes them adds them. */
  bytes = 0;
  #pieces = 0;
  #from = 0;

  begin(): void {
    this.bytes = 0;
    this.#pieces = 0;
    this.#from = performance.now();
  }

  /** Whether the loop should be let go round, asked once for each piece. Empty ones count as well. */
  over(): boolean {
    const enough = this.bytes >= TURN_BYTES;
    // To look at the clock costs as much as a small piece does.
    if (!enough && (++this.#pieces & 7) !== 0) return false;
    return enough || this.#pieces >= TURN_PIECES || performance.now() - this.#from >= TURN_MS;
  }

  /** Calls back in the next turn of the event loop. */
  next(callback: () => void): void {
    setImmediate(() => {
      this.begin();
      callback();
    });
  }
}
