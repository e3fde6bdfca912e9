/**
 * When things happened in an exchange. A stamp is the time of the turn of the event loop that it falls in: asking the system for each
 * costs 0.17 µs here, some 6 % of a small GET, and what happens in one turn cannot be told apart by a caller anyway.
 */

/** When things happened, in milliseconds since the request was made; null for what did not happen, or not yet. */
export interface Timings {
  /** The attempt that was answered began: 0, unless it waited for its turn or was not the first. */
  readonly start: number;
  /** A connection was opened for it. Null on a connection that was open already. */
  readonly connected: number | null;
  /** The whole request was handed to the socket. */
  readonly sent: number | null;
  /** The final head had arrived. */
  readonly headers: number | null;
  /** The last byte of the body had arrived. */
  readonly end: number | null;
}

let now = 0;

function forget(): void {
  now = 0;
}

/** The time of this turn of the loop, as `performance.now()` gives it. */
export function turnTime(): number {
  if (now === 0) {
    now = performance.now();
    setImmediate(forget);
  }
  return now;
}

export class Timing {
  // Not 0 before they are set: a member that has only held numbers gets a box of its own for each, and this way all stamps of a turn
  // share one.
  connectedAt: number | null = null;
  sentAt: number | null = null;
  headersAt: number | null = null;
  endAt: number | null = null;
  /** Null where that is when it was started. */
  readonly #madeAt: number | null;
  #startedAt: number | null = null;

  /** @param madeAt - when the request was made, if that was before this attempt */
  constructor(madeAt: number | undefined) {
    this.#madeAt = madeAt ?? null;
    this.#startedAt = turnTime();
  }

  /** As data. */
  read(): Timings {
    return {
      start: this.#since(this.#startedAt) ?? 0,
      connected: this.#since(this.connectedAt),
      sent: this.#since(this.sentAt),
      headers: this.#since(this.headersAt),
      end: this.#since(this.endAt),
    };
  }

  #since(at: number | null): number | null {
    const from = this.#madeAt ?? this.#startedAt;
    return at === null || from === null ? null : at - from;
  }
}
