/**
 * The two body framings without a coding (RFC 9112 §6.2, §6.3 rule 8): so many bytes, or all until the peer closes.
 */
import { IncompleteRead } from '../errors.js';
import type { BodyReader, Emit } from './chunked.js';

export class LengthReader implements BodyReader {
  done: boolean;
  length: number;

  constructor(length: number) {
    this.length = length;
    this.done = length === 0;
  }

  write(bytes: Buffer, from: number, emit: Emit): number {
    const to = Math.min(bytes.length, from + this.length);
    this.skipData(to - from);
    if (to > from) emit(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to));
    return to;
  }

  get dataAhead(): number {
    return this.length;
  }

  skipData(count: number): void {
    this.length -= count;
    this.done = this.length === 0;
  }

  end(): void {
    if (!this.done) throw new IncompleteRead(Buffer.alloc(0), this.length);
  }
}

export class UntilCloseReader implements BodyReader {
  done = false;
  readonly length = null;
  readonly dataAhead: number = Infinity;

  skipData(): void {}

  write(bytes: Buffer, from: number, emit: Emit): number {
    emit(from === 0 ? bytes : bytes.subarray(from));
    return bytes.length;
  }

  /** A close is the end here, so whoever calls this has made sure that it was an orderly one. */
  end(): void {
    this.done = true;
  }
}
