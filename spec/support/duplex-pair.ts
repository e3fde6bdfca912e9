/**
 * Two ends of one line in memory: what is written to one comes out of the other, an end is an end, and an end that is destroyed takes
 * the other with it, like a connection that is cut. Owns nothing else.
 */
import { Duplex } from 'node:stream';

type Done = (error?: Error | null) => void;

/** One end of a line. */
export class LineEnd extends Duplex {
  other: LineEnd | null = null;
  #waiting: Done | null = null;
  #ended = false;

  constructor() {
    super({ allowHalfOpen: true });
  }

  override _read(): void {
    this.#release(null);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    if (this.other === null || this.other.destroyed) done(broken());
    else if (this.other.push(Buffer.from(chunk))) done();
    else this.other.#waiting = done;
  }

  override _final(done: Done): void {
    this.other?.receiveEnd();
    done();
  }

  override _destroy(error: Error | null, done: Done): void {
    done(error);
    process.nextTick(() => {
      this.#release(broken());
      if (this.other !== null && !this.other.#ended) this.other.destroy();
    });
  }

  receiveEnd(): void {
    this.#ended = true;
    if (!this.destroyed) this.push(null);
  }

  #release(error: Error | null): void {
    const done = this.#waiting;
    this.#waiting = null;
    done?.(error);
  }
}

/** The two ends. */
export function duplexPair(): [LineEnd, LineEnd] {
  const one = new LineEnd();
  const other = new LineEnd();
  one.other = other;
  other.other = one;
  return [one, other];
}

function broken(): Error {
  return Object.assign(new Error('the other end is gone'), { code: 'EPIPE', syscall: 'write' });
}
