/**
 * A body as a Readable that also reads like http.client, from one position.
 *
 * Node's stream machinery takes from the buffer when it asks (`_read`), the other readers take from it directly, and whoever is served
 * next goes on where the last one stopped. It knows where bytes come from as two functions, `resume` and `abort`, and nothing about
 * connections.
 */
import type { Readable } from 'node:stream';
import { BodyBuffer } from './body-buffer.js';
import { BodyIterator, decodedPieces } from './body-iterator.js';
import { BodyReaders } from './body-readers.js';
import { IncompleteRead } from '../errors.js';
import { takeBuffered } from './take-buffered.js';

/** Where a body's bytes come from. */
export interface BodySource {
  /** The reader wants bytes and has none. Called each time it asks. */
  resume(): void;
  /** The body was given up with bytes unread, whether all of them had arrived or not; `error` is what `destroy` was called with. */
  abort(error: Error | null): void;
  /** The body was read to its end, and the stream is finished with. */
  done(): void;
}

/** The source of a body that has failed or was given up: nothing is left to ask for. */
const GONE: BodySource = { resume() {}, abort() {}, done() {} };

/** Received and unread bytes from which on the source is held back. */
const HIGH_WATER_BYTES = 65_536;

const EMPTY = Buffer.alloc(0);

function ignore(): void {}

/** A body that its owner feeds (`deliver`, `finish`, `fail`) and its user reads. */
export class BodyStream extends BodyReaders {
  #source: BodySource;
  readonly #buffer: BodyBuffer;
  /** Node's machinery asked for bytes and has not been served. */
  #wanted = false;
  /** The direct reader that runs; others wait for it. */
  #turn: Promise<unknown> | null = null;
  /** The piece that a loop waits for outside of any turn. */
  #piece: Promise<Buffer | null> | null = null;
  #ended = false;

  constructor(source: BodySource) {
    super({ highWaterMark: HIGH_WATER_BYTES });
    this.#source = source;
    this.#buffer = new BodyBuffer(this);
  }

  /** @internal */
  onAsk(): void {
    this.#source.resume();
  }

  /** @internal */
  onFailureMet(error: Error): void {
    this.destroy(error);
  }

  // The owner's side.

  /**
   * More of the body. The stream keeps the bytes.
   *
   * @internal
   * @returns false when the source should wait until `resume`
   */
  deliver(bytes: Buffer): boolean {
    if (this.#wanted && !this.#busy && !this.destroyed) {
      this.#buffer.receivedBytes += bytes.length;
      this.#push(bytes);
    } else {
      this.#buffer.deliver(bytes);
    }
    return this.#buffer.queue.length < HIGH_WATER_BYTES;
  }

  /**
   * More of the body that is only lent: copied, into the caller's view where one waits.
   *
   * @internal
   */
  deliverLent(bytes: Buffer): boolean {
    if (this.#turn === null) return this.deliver(Buffer.from(bytes));
    this.#buffer.deliverLent(bytes);
    return this.#buffer.queue.length < HIGH_WATER_BYTES;
  }

  /**
   * Where the next bytes of the body may be received straight into: what is still empty of `readinto`'s view.
   *
   * @internal
   */
  directTarget(): Buffer | null {
    return this.#buffer.directTarget();
  }

  /**
   * Whether bytes are best received where they can be copied from at once: a reader with memory of its own is likely to ask.
   *
   * @internal
   */
  get fillsViews(): boolean {
    return this.#buffer.fillsViews;
  }

  /**
   * So many bytes were received into `directTarget`.
   *
   * @internal
   */
  delivered(count: number): void {
    this.#buffer.received(count);
  }

  /**
   * The body is complete.
   *
   * @internal
   */
  finish(): void {
    const looping = this.#buffer.pieceWanted && this.#turn === null;
    this.#buffer.finish();
    if (looping) this.#reachEnd();
    else if (this.#wanted && !this.#busy) this.#serve();
  }

  /**
   * The body failed: shown to the reader once it has read what came before.
   *
   * @internal
   */
  fail(error: Error): void {
    this.#source = GONE;
    this.#buffer.fail(error);
    if (this.#wanted && !this.#busy) this.#showFailure();
  }

  /**
   * Whether a reader is waiting for bytes right now; false inside a loop body and while paused.
   *
   * @internal
   */
  get waiting(): boolean {
    if (this.#buffer.waiting) return true;
    if (!this.#wanted) return false;
    // Reading on 'readable' looks like a pause to Node: there the reader waits once it has taken everything.
    return (
      this.readableFlowing !== false || (this.readableLength === 0 && this.listenerCount('readable') > 0)
    );
  }

  /** Bytes that were received and not yet read. */
  protected get unreadBytes(): number {
    return this.#buffer.queue.length + this.readableLength;
  }

  /** Bytes of the body handed to readers. */
  protected get readBytes(): number {
    return this.#buffer.receivedBytes - this.unreadBytes;
  }

  /** Whether the end was received (not: read). */
  protected get complete(): boolean {
    return this.#buffer.complete;
  }

  /** Whether a reader has reached the end. */
  protected get endReached(): boolean {
    // Node is told of the end as soon as it has buffered the last byte, which may be long before that is read.
    return this.#ended && this.unreadBytes === 0;
  }

  // Node's side.

  /** @internal */
  override _read(): void {
    this.#wanted = true;
    if (!this.#busy) this.#serve();
  }

  /** Node's `Readable.read`: `size` bytes, or all that are buffered; null when there are not so many. */
  override read(size?: number): Buffer | null;
  // Node's own type of it, so that a response fits wherever a `NodeJS.ReadableStream` is asked for.
  override read(size?: number): ReturnType<Readable['read']>;
  override read(size?: number): Buffer | null {
    // Node goes on emitting buffered 'data' after destroy() inside a listener.
    if (this.destroyed) return null;
    const bytes = super.read(size) as Buffer | null;
    if (this.#buffer.failure !== null && this.#wanted && !this.#busy) this.#showFailure();
    return bytes;
  }

  /** A paused reader that goes on asks anew, although Node's own request is still open. */
  override resume(): this {
    super.resume();
    if (this.#wanted) this.#source.resume();
    return this;
  }

  /** @internal */
  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const source = this.#source;
    const buffer = this.#buffer;
    this.#source = GONE;
    // Node destroys a stream behind its 'end', when a direct reader may still hold what it took back from Node.
    const atEnd = buffer.complete && (this.readableEnded || this.unreadBytes === 0);
    if (!atEnd) {
      buffer.queue.clear();
      buffer.complete = false;
      buffer.fail(error ?? closedError());
    }
    // A response that nobody listens to must not end the process.
    if (error !== null && this.listenerCount('error') === 0) this.once('error', ignore);
    if (atEnd) source.done();
    else source.abort(error);
    callback(error);
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
    if (this.#busy) return undefined;
    if (this.readableLength > 0) this.#reclaim();
    const buffer = this.#buffer;
    const piece = buffer.queue.takePiece();
    if (piece !== null) {
      this.#handBack();
      return piece;
    }
    if (buffer.failure !== null || !buffer.complete) return undefined;
    this.#reachEnd();
    return null;
  }

  /**
   * The next line as `readline` gives it; undefined while there is none to take without waiting.
   *
   * @internal
   */
  takeLine(): Buffer | undefined {
    if (this.#busy) return undefined;
    if (this.readableLength > 0) this.#reclaim();
    const line = this.#buffer.takeLine();
    this.#handBack();
    return line;
  }

  /**
   * The next piece, or null at the end.
   *
   * @internal
   */
  nextPiece(): Promise<Buffer | null> {
    if (this.#busy) return this.inTurn((buffer) => buffer.nextPiece());
    // A loop that is alone needs no turn: that it waits is seen by the next reader.
    return (this.#piece = this.#buffer.nextPiece());
  }

  /** Whether a direct reader runs, so that what arrives is for it and not for Node's machinery. */
  get #busy(): boolean {
    return this.#turn !== null || this.#buffer.pieceWanted;
  }

  /** @internal Runs one direct reader at a time, in the order of the calls; each finds all unread bytes in the buffer. */
  protected override async inTurn<T>(reader: (buffer: BodyBuffer) => Promise<T>): Promise<T> {
    const before = this.#turn ?? (this.#buffer.pieceWanted ? this.#piece : null);
    const turn =
      before === null
        ? this.#begin(reader)
        : before.then(
            () => this.#begin(reader),
            () => this.#begin(reader),
          );
    const settled = turn.then(ignore, ignore);
    this.#turn = settled;
    try {
      return await turn;
    } finally {
      if (this.#turn === settled) this.#turn = null;
      if (!this.#busy) {
        this.#handBack();
        // Node's machinery may have asked meanwhile, or before.
        if (this.#wanted) this.#serve();
      }
      if (this.#buffer.complete && this.#buffer.queue.length === 0) this.#reachEnd();
    }
  }

  #begin<T>(reader: (buffer: BodyBuffer) => Promise<T>): Promise<T> {
    if (this.readableLength > 0) this.#reclaim();
    return reader(this.#buffer);
  }

  /** Takes back what Node's machinery has buffered: it comes before what is in the queue. */
  #reclaim(): void {
    const taken = takeBuffered(this, HIGH_WATER_BYTES, () => {
      this.#wanted = true;
    });
    this.#buffer.queue.unshift(taken);
  }

  /** Gives Node's machinery what a direct reader took back from it and left, or what it has asked for. */
  #handBack(): void {
    const { queue } = this.#buffer;
    if (queue.length === 0 || this.destroyed) return;
    if (this.#ended) {
      const bytes = queue.takeAll();
      const encoding = this.readableEncoding;
      this.unshift(encoding === null ? bytes : bytes.toString(encoding), encoding ?? undefined);
    } else if (this.#wanted) {
      this.#serve();
    }
  }

  /** Answers a request of Node's machinery, if there is something to answer. */
  #serve(): void {
    const buffer = this.#buffer;
    const piece = buffer.queue.takePiece();
    if (piece !== null) this.#push(piece);
    else if (buffer.failure !== null) this.#showFailure();
    else if (buffer.complete) this.#reachEnd();
    else this.#source.resume();
  }

  #push(bytes: Buffer): void {
    this.#wanted = false;
    try {
      this.push(bytes);
    } catch (error) {
      // A 'data' listener threw. That is its owner's bug, to be seen as one; the parser further down must not be torn.
      queueMicrotask(() => {
        throw error;
      });
      this.destroy();
    }
  }

  #reachEnd(): void {
    if (this.destroyed) return;
    this.#wanted = false;
    if (!this.#ended) {
      this.#ended = true;
      this.push(null);
    }
    // Has Node emit 'end' although nobody may be reading through it.
    super.read(0);
  }

  /** To Node's readers, once nothing is left to read. */
  #showFailure(): void {
    if (this.unreadBytes > 0 || this.#buffer.failure === null) return;
    this.destroy(this.#buffer.failureWith(EMPTY));
  }
}

/** What a reader meets that comes after `destroy()`. */
function closedError(): Error {
  return new IncompleteRead(EMPTY, null, 'the response was destroyed before its body was read');
}
