/**
 * A stream that watches a transfer: what goes in comes out unchanged, counted and digested on the way. The demo puts one into
 * each direction, so both ends are compared by what really passed. It holds no bytes and never slows the stream down by itself.
 */
import { createHash, type Hash } from 'node:crypto';
import { Transform, type TransformCallback } from 'node:stream';

/** Counts and digests the bytes that pass through. */
export class Meter extends Transform {
  /** Bytes that passed so far. */
  bytes = 0;
  readonly #hash: Hash = createHash('sha256');
  readonly #onBytes: (bytes: number) => void;

  /** @param onBytes told the count after each piece */
  constructor(onBytes: (bytes: number) => void) {
    super();
    this.#onBytes = onBytes;
  }

  override _transform(piece: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.bytes += piece.length;
    this.#hash.update(piece);
    this.#onBytes(this.bytes);
    done(null, piece);
  }

  /** The SHA-256 of what passed, in hex. To be asked once, after the end. */
  digest(): string {
    return this.#hash.digest('hex');
  }
}
