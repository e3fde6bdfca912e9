/**
 * The ways of reading a body that http.client and Python's `io` have, and `for await`, as methods of a Readable.
 *
 * What each does is in `BodyBuffer`; who may read when, and how that fits with Node's own ways, is `BodyStream`'s business.
 */
import { StringDecoder } from 'node:string_decoder';
import type { BodyBuffer } from './body-buffer.js';
import { BodyStream } from './body-stream.js';
import { kindOf, namesOf, readOptions } from '../options.js';

/** Bounds on reading all of a body. */
export interface ReadOptions {
  /** Bytes that the call may return at the most. Default: no bound. */
  maxBytes?: number | undefined;
}

const READ_OPTIONS = namesOf<ReadOptions>({ maxBytes: true });

/** A Readable that also reads by count, by line, and into a buffer. All ways share one position. */
export abstract class BodyReaders extends BodyStream {
  /** Bytes of the body still to be read; null when that is not known. */
  abstract get length(): number | null;

  /**
   * Fills `view`, with fewer bytes only at the end of the body; 0 is the end. Large bodies are received straight into it: leave the
   * memory alone until the promise settles. When it is transferred or resized meanwhile, the read fails and the connection is closed.
   *
   * @returns the number of bytes, not elements
   * @throws TypeError for anything but a Buffer, a typed array or a DataView
   * @throws IncompleteRead with the bytes of this call in `partial`
   */
  async readinto(view: ArrayBufferView): Promise<number> {
    checkView(view);
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
   * @throws LimitExceeded, limit `'maxBytes'`, as soon as it is known that there is more; the connection is closed
   * @throws IncompleteRead with what was left and arrived in `partial`
   */
  async readall(options?: ReadOptions): Promise<Buffer> {
    const maxBytes = checkBound('maxBytes', readOptions(options, READ_OPTIONS).maxBytes);
    return this.inTurn((buffer) => buffer.readall(maxBytes, this.length));
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

  /** The pieces of the body as they arrive; leaving the loop early destroys the response. */
  override [Symbol.asyncIterator](): NodeJS.AsyncIterator<Buffer> {
    const encoding = this.readableEncoding;
    if (encoding === null) return new BodyIterator(this);
    // Not Node's own iterator, which goes on asking while the loop body runs.
    return decodedPieces(new BodyIterator(this), encoding) as unknown as NodeJS.AsyncIterator<Buffer>;
  }

  /** Destroys what is unread. */
  override [Symbol.asyncDispose](): Promise<void> {
    if (!this.endReached) this.destroy();
    return Promise.resolve();
  }

  /**
   * The next piece as it was received, or null at the end; undefined while there is nothing to take without waiting.
   *
   * @internal
   */
  takePiece(): Buffer | null | undefined {
    const piece = this.takeReady(takePiece);
    if (piece !== null) return piece;
    return this.takeEnd() ? null : undefined;
  }
}

const takePiece = (buffer: BodyBuffer): Buffer | null => buffer.queue.takePiece();

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };

/**
 * `for await` over a body: a piece is asked for only when the loop wants one, so the time spent in the loop body counts for no clock, and
 * a piece that lies ready is handed over without a wait.
 */
class BodyIterator implements NodeJS.AsyncIterator<Buffer, undefined> {
  readonly #body: BodyReaders;
  #left = false;

  constructor(body: BodyReaders) {
    this.#body = body;
  }

  next(): Promise<IteratorResult<Buffer, undefined>> {
    if (this.#left) return Promise.resolve(DONE);
    const piece = this.#body.takePiece();
    if (piece === undefined) return this.#body.nextPiece().then(asResult);
    return Promise.resolve(asResult(piece));
  }

  /** The loop was left: what is unread is given up, as with Node's own iterator. */
  return(): Promise<IteratorResult<Buffer, undefined>> {
    this.#left = true;
    this.#body.destroy();
    return Promise.resolve(DONE);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.return().then(ignore);
  }
}

/** The pieces as the strings that `setEncoding` asks for; a character that is cut in two waits for its rest. */
async function* decodedPieces(
  pieces: AsyncIterable<Buffer>,
  encoding: BufferEncoding,
): AsyncGenerator<string, undefined> {
  const decoder = new StringDecoder(encoding);
  for await (const piece of pieces) {
    const text = decoder.write(piece);
    if (text !== '') yield text;
  }
  const rest = decoder.end();
  if (rest !== '') yield rest;
}

function asResult(piece: Buffer | null): IteratorResult<Buffer, undefined> {
  return piece === null ? DONE : { done: false, value: piece };
}

function ignore(): void {}

/** @throws TypeError unless it is a whole number; negative ones and Infinity stand for no limit */
function checkAmount(amount: number): void {
  if (Number.isInteger(amount) || Math.abs(amount) === Infinity) return;
  throw new TypeError(`a number of bytes must be a whole number, got ${String(amount)}`);
}

function checkView(view: unknown): void {
  if (ArrayBuffer.isView(view)) return;
  throw new TypeError(`readinto() fills a Buffer, a typed array or a DataView, got ${kindOf(view)}`);
}

/**
 * A bound as options give it.
 *
 * @throws TypeError unless it is a number that is not negative; absent, null and Infinity are none
 */
export function checkBound(name: string, bound: unknown): number {
  if (bound === undefined || bound === null) return Infinity;
  if (typeof bound === 'number' && bound >= 0) return bound;
  const given = typeof bound === 'number' ? String(bound) : kindOf(bound);
  throw new TypeError(`${name} must be a number that is not negative, got ${given}`);
}
