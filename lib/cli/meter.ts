/**
 * Counts the bytes of one direction and says how fast they go. It is asked from time to time and needs no timer; the rate is smoothed, so
 * that the time left does not jump with each piece.
 */

/** How much of the past the rate remembers. */
const MEMORY_MS = 3000;

/** Samples closer than this say more about the timer than about the transfer. */
const SAMPLE_MS = 50;

/** One direction of a transfer. */
export class Meter {
  /** Bytes in all, with those that were there before; null where only the end will tell. */
  total: number | null;
  #bytes = 0;
  /** What was there before this run. */
  #before = 0;
  #startedAt: number | null = null;
  #endedAt: number | null = null;
  #sampledAt = 0;
  #sampledBytes = 0;
  #rate: number | null = null;

  constructor(total: number | null = null) {
    this.total = total;
  }

  /** Bytes so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes of this run. */
  get gained(): number {
    return this.#bytes - this.#before;
  }

  /** Whether nothing more will come. */
  get finished(): boolean {
    return this.#endedAt !== null;
  }

  /** Begins to count at what was there before. */
  start(before = 0): void {
    this.#startedAt = performance.now();
    this.#endedAt = null;
    this.#sampledAt = this.#startedAt;
    this.#before = before;
    this.set(before);
    this.#sampledBytes = before;
  }

  /** Begins from nothing again: the body is sent once more. */
  restart(): void {
    this.start();
    this.#rate = null;
  }

  /** Nothing more will come: the clock stops. */
  finish(): void {
    this.#endedAt ??= performance.now();
  }

  /** Counts a piece. */
  add(bytes: number): void {
    this.#bytes += bytes;
  }

  /** Takes over a count that was made elsewhere. */
  set(bytes: number): void {
    this.#bytes = bytes;
  }

  /** Milliseconds since the start. */
  elapsedMs(now: number = performance.now()): number {
    return this.#startedAt === null ? 0 : (this.#endedAt ?? now) - this.#startedAt;
  }

  /** Bytes a second, smoothed; null while there is nothing to go by. */
  rate(now: number = performance.now()): number | null {
    const since = now - this.#sampledAt;
    if (this.#startedAt === null || since < SAMPLE_MS) return this.#rate;
    const current = ((this.#bytes - this.#sampledBytes) / since) * 1000;
    // The weight follows the time between two questions, so the smoothing does not depend on how often it is asked.
    const weight = 1 - Math.exp(-since / MEMORY_MS);
    // Young, the mean of all there is says more than a memory that is mostly empty.
    const elapsed = this.elapsedMs(now);
    this.#rate =
      this.#rate === null || elapsed < MEMORY_MS
        ? (this.gained / elapsed) * 1000
        : this.#rate + weight * (current - this.#rate);
    this.#sampledAt = now;
    this.#sampledBytes = this.#bytes;
    return this.#rate;
  }

  /** Bytes a second over the whole run. */
  meanRate(now: number = performance.now()): number | null {
    const elapsed = this.elapsedMs(now);
    return elapsed < 1 ? null : (this.gained / elapsed) * 1000;
  }
}
