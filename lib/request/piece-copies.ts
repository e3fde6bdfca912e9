/**
 * Copies of small pieces, side by side in buffers that are never written to again where something lies. An allocation for each piece
 * would cost more than its copy.
 */

const BUFFER_BYTES = 65_536;

const NOTHING = Buffer.alloc(0);

export class PieceCopies {
  #buffer: Buffer = NOTHING;
  #to = 0;

  /** @param bytes - less than 64 KiB */
  copy(bytes: Buffer): Buffer {
    if (this.#to + bytes.length > this.#buffer.length) {
      this.#buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
      this.#to = 0;
    }
    const from = this.#to;
    this.#buffer.set(bytes, from);
    this.#to = from + bytes.length;
    return this.#buffer.subarray(from, this.#to);
  }

  /** No more are made. */
  clear(): void {
    this.#buffer = NOTHING;
    this.#to = 0;
  }
}
