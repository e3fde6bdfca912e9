/**
 * Request bodies that remember how they were treated: how far they were read, and whether they were told that the rest is not wanted.
 */
import { Readable } from 'node:stream';

/** The pattern of {@link patternBytes} repeats after so many bytes. */
const PERIOD = 65_536;
const PATTERN = Buffer.from(Array.from({ length: PERIOD }, (_, i) => (i * 31 + (i >> 8)) & 0xff));

/** Bytes whose value follows from their position, so that a loss, a repetition or a swap shows. */
export function patternBytes(length: number, from = 0): Buffer {
  const start = from % PERIOD;
  return Buffer.alloc(length + start, PATTERN).subarray(start);
}

/** What became of a source. */
export interface Watch {
  /** Bytes given so far. */
  given: number;
  /** Whether it was read to its end. */
  exhausted: boolean;
  /** Whether it was told that the rest is not wanted: `return()` or `destroy()`. */
  cancelled: boolean;
}

/** An async generator of so many bytes, in pieces. */
export function generatorBody(
  length: number,
  piece = 16_384,
): { body: AsyncGenerator<Buffer>; watch: Watch } {
  const watch: Watch = { given: 0, exhausted: false, cancelled: false };
  async function* pieces(): AsyncGenerator<Buffer> {
    try {
      while (watch.given < length) {
        const from = watch.given;
        watch.given = Math.min(length, from + piece);
        yield patternBytes(watch.given - from, from);
        await Promise.resolve();
      }
      watch.exhausted = true;
    } finally {
      watch.cancelled = !watch.exhausted;
    }
  }
  return { body: pieces(), watch };
}

/** A Readable of so many bytes, in pieces. */
export function streamBody(length: number, piece = 16_384): { body: Readable; watch: Watch } {
  const watch: Watch = { given: 0, exhausted: false, cancelled: false };
  const body = new Readable({
    read() {
      const from = watch.given;
      watch.given = Math.min(length, from + piece);
      watch.exhausted = watch.given === from;
      this.push(watch.exhausted ? null : patternBytes(watch.given - from, from));
    },
    destroy(error, done) {
      watch.cancelled = !watch.exhausted;
      done(error);
    },
  });
  return { body, watch };
}

/** A source that gives what it has and then nothing more, until it is cancelled. */
export function silentBody(...pieces: Buffer[]): { body: AsyncIterable<Buffer>; watch: Watch } {
  const watch: Watch = { given: 0, exhausted: false, cancelled: false };
  const iterator: AsyncIterator<Buffer> = {
    next: () => {
      const piece = pieces.shift();
      if (piece === undefined) return new Promise(() => {});
      watch.given += piece.length;
      return Promise.resolve({ done: false, value: piece });
    },
    return: () => {
      watch.cancelled = true;
      return Promise.resolve({ done: true, value: undefined });
    },
  };
  return { body: { [Symbol.asyncIterator]: () => iterator }, watch };
}
