/**
 * The ways of reading a body that http.client and Python's `io` have, as methods of a Readable.
 *
 * What each does is in `BodyBuffer`; who may read when is the stream's business (`inTurn`).
 */
import { Readable } from 'node:stream';
import type { BodyBuffer } from './body-buffer.js';

/** @throws TypeError unless it is a whole number; negative ones and Infinity stand for no limit */
function checkAmount(amount: number): void {
  if (Number.isInteger(amount) || Math.abs(amount) === Infinity) return;
  throw new TypeError(`a number of bytes must be a whole number, got ${String(amount)}`);
}

/** A Readable that also reads by count, by line, and into a buffer. All ways share one position. */
export abstract class BodyReaders extends Readable {
  /** @internal Runs one reader at a time. */
  protected abstract inTurn<T>(reader: (buffer: BodyBuffer) => Promise<T>): Promise<T>;

  /**
   * Fills `view`, with fewer bytes only at the end of the body; 0 is the end. Large bodies are received straight into it.
   *
   * @returns the number of bytes, not elements
   * @throws IncompleteRead with the bytes of this call in `partial`
   */
  async readinto(view: ArrayBufferView): Promise<number> {
    return this.inTurn((buffer) => buffer.readinto(view));
  }

  /**
   * `amt` bytes, fewer only at the end of the body; without `amt`, all that is left. http.client's `read(amt)`.
   *
   * @throws IncompleteRead with the bytes of this call in `partial`
   */
  async readbytes(amt?: number): Promise<Buffer> {
    if (amt === undefined || amt < 0) return this.readall();
    checkAmount(amt);
    return this.inTurn((buffer) => buffer.readbytes(amt));
  }

  /**
   * All that is left of the body.
   *
   * @throws IncompleteRead with what was left and arrived in `partial`
   */
  readall(): Promise<Buffer> {
    return this.inTurn((buffer) => buffer.readall());
  }

  /**
   * What has arrived, at most `amt` bytes, waiting only if nothing has; empty at the end.
   *
   * @throws IncompleteRead
   */
  async read1(amt = -1): Promise<Buffer> {
    checkAmount(amt);
    return this.inTurn((buffer) => buffer.read1(amt));
  }

  /**
   * Like {@link read1}, and the bytes stay. Never shows bytes beyond the body.
   *
   * @throws IncompleteRead
   */
  async peek(amt = -1): Promise<Buffer> {
    checkAmount(amt);
    return this.inTurn((buffer) => buffer.peek(amt));
  }

  /**
   * Through the next LF, at most `limit` bytes; the rest when there is no LF, empty at the end.
   *
   * @throws IncompleteRead with the bytes of the unfinished line in `partial`
   */
  async readline(limit = -1): Promise<Buffer> {
    checkAmount(limit);
    return this.inTurn((buffer) => buffer.readline(limit));
  }

  /**
   * The lines that are left; with `hint`, no more lines once so many bytes were read.
   *
   * @throws IncompleteRead with the lines of this call, and the unfinished one, in `partial`
   */
  async readlines(hint = -1): Promise<Buffer[]> {
    checkAmount(hint);
    return this.inTurn((buffer) => buffer.readlines(hint));
  }
}
