/**
 * Random choices that a seed decides, so that a run can be played again. No cryptography, no state but its own.
 */

/** A stream of random choices: the same seed gives the same choices (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A number from 0 up to, not including, 1. */
  fraction(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  /** An integer from `low` to `high`, both included. */
  integer(low: number, high: number): number {
    return low + Math.floor(this.fraction() * (high - low + 1));
  }

  /** True so often out of 100. */
  percent(often: number): boolean {
    return this.fraction() * 100 < often;
  }

  /** One of these. */
  pick<T>(choices: readonly T[]): T {
    return choices[this.integer(0, choices.length - 1)] as T;
  }

  /** A size: mostly small, sometimes large, often on a border. */
  size(largest: number): number {
    const size = this.pick([
      0,
      1,
      this.integer(2, 100),
      this.integer(100, 5000),
      this.pick([4096, 8192, 16_384, 65_535, 65_536, 65_537]),
      this.integer(5000, 100_000),
      this.integer(100_000, largest),
    ]);
    return Math.min(size, largest);
  }
}
