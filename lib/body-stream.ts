/**
 * A body as a Readable that also reads like http.client: into a buffer, by lines, by count, all from one position.
 *
 * Received bytes wait in a queue of its own. Node's stream machinery takes from it when it asks (`_read`), the other readers take
 * from it directly, and whoever is served next goes on where the last one stopped. An end or a failure is shown only when the bytes
 * before it were read. It knows where bytes come from as two functions, `resume` and `abort`, and nothing about connections.
 */
import { Readable } from 'node:stream';
import { BodyIterator } from './body-iterator.js';
import { BodyQueue } from './body-queue.js';
import { IncompleteRead } from './errors.js';

/** Where a body's bytes come from. */
export interface BodySource {
  /** The reader wants bytes and has none. Called each time it asks. */
  resume(): void;
  /** The body was given up before its end; `error` is what `destroy` was called with. */
  abort(error: Error | null): void;
}

/** The source of a body whose end was received: nothing is left to ask for. */
const FINISHED: BodySource = { resume() {}, abort() {} };

/** Received and unread bytes from which on the source is held back. */
const HIGH_WATER_BYTES = 65_536;

const EMPTY = Buffer.alloc(0);

const NO_LINES: readonly Buffer[] = [];

function ignore(): void {}

/** @throws TypeError unless it is a whole number; negative ones and Infinity stand for no limit */
function checkAmount(amount: number): void {
  if (Number.isInteger(amount) || Math.abs(amount) === Infinity) return;
  throw new TypeError(`a number of bytes must be a whole number, got ${String(amount)}`);
}

/** A body that its owner feeds (`deliver`, `finish`, `fail`) and its user reads. */
export class BodyStream extends Readable {
  #source: BodySource;
  readonly #queue = new BodyQueue();
  /** The source has no more: the end comes when the queue is empty. */
  #complete = false;
  #ended = false;
  #failure: Error | null = null;
  /** Node's machinery asked for bytes and has not been served. */
  #wanted = false;
  /** A direct reader waits for bytes, the end or a failure. */
  #wake: (() => void) | null = null;
  /** What `readinto` is filling, and how far. Bytes may be received straight into it. */
  #view: Buffer | null = null;
  #filled = 0;
  /** The direct reader that runs; others wait for it. */
  #turn: Promise<unknown> | null = null;
  #delivered = 0;

  constructor(source: BodySource) {
    super({ highWaterMark: HIGH_WATER_BYTES });
    this.#source = source;
  }

  // The owner's side.

  /**
   * More of the body. The stream keeps the bytes.
   *
   * @internal
   * @returns false when the source should wait until `resume`
   */
  deliver(bytes: Buffer): boolean {
    this.#delivered += bytes.length;
    if (this.#wanted && this.#turn === null && !this.destroyed) {
      this.#push(bytes);
      return this.#wanted || this.#queue.length < HIGH_WATER_BYTES;
    }
    this.#queue.push(bytes);
    this.#wakeReader();
    return this.#queue.length < HIGH_WATER_BYTES;
  }

  /**
   * More of the body that is only lent: copied, straight into the caller's view where one waits.
   *
   * @internal
   */
  deliverLent(bytes: Buffer): boolean {
    const view = this.#view;
    if (view !== null && this.#queue.length === 0) {
      const count = Math.min(bytes.length, view.length - this.#filled);
      bytes.copy(view, this.#filled, 0, count);
      this.delivered(count);
      if (count === bytes.length) return true;
      return this.deliver(Buffer.from(bytes.subarray(count)));
    }
    return this.deliver(Buffer.from(bytes));
  }

  /**
   * The part of `readinto`'s view that is still empty, when the next bytes of the body may be received straight into it.
   *
   * @internal
   */
  directTarget(): Buffer | null {
    if (this.#view === null || this.#queue.length > 0) return null;
    return this.#filled === this.#view.length ? null : this.#view.subarray(this.#filled);
  }

  /**
   * So many bytes were received into `directTarget`.
   *
   * @internal
   */
  delivered(count: number): void {
    this.#delivered += count;
    this.#filled += count;
    if (this.#view !== null && this.#filled === this.#view.length) this.#wakeReader();
  }

  /**
   * The body is complete.
   *
   * @internal
   */
  finish(): void {
    this.#complete = true;
    this.#source = FINISHED;
    this.#wakeReader();
    if (this.#wanted && this.#turn === null) this.#serve();
  }

  /**
   * The body failed: shown to the reader once it has read what came before.
   *
   * @internal
   */
  fail(error: Error): void {
    if (this.#complete || this.#failure !== null) return;
    this.#failure = error;
    this.#source = FINISHED;
    this.#wakeReader();
    if (this.#wanted && this.#turn === null) this.#showFailure();
  }

  /**
   * Whether a reader is waiting for bytes right now; false inside a loop body and while paused.
   *
   * @internal
   */
  get waiting(): boolean {
    return this.#wake !== null || (this.#wanted && this.readableFlowing !== false);
  }

  /** Bytes that were received and not yet read. */
  protected get unreadBytes(): number {
    return this.#queue.length + this.readableLength;
  }

  /** Bytes of the body handed to readers. */
  protected get readBytes(): number {
    return this.#delivered - this.unreadBytes;
  }

  /** Whether the end was received (not: read). */
  protected get complete(): boolean {
    return this.#complete;
  }

  /** Whether a reader has reached the end. */
  protected get endReached(): boolean {
    // Node is told of the end as soon as it has buffered the last byte, which may be long before that is read.
    return this.#ended && this.unreadBytes === 0;
  }

  // Node's side.

  override _read(): void {
    this.#wanted = true;
    if (this.#turn === null) this.#serve();
  }

  override read(size?: number): Buffer | null {
    // Node goes on emitting buffered 'data' after destroy() inside a listener.
    if (this.destroyed) return null;
    const bytes = super.read(size) as Buffer | null;
    if (this.#failure !== null && this.#wanted) this.#showFailure();
    return bytes;
  }

  /** A paused reader that goes on asks anew, although Node's own request is still open. */
  override resume(): this {
    super.resume();
    if (this.#wanted) this.#source.resume();
    return this;
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const source = this.#source;
    this.#source = FINISHED;
    // Node destroys a stream behind its 'end', when a direct reader may still hold what it took back from Node.
    const atEnd = this.#complete && (this.readableEnded || this.unreadBytes === 0);
    this.#failure ??= error ?? (atEnd ? null : closedError());
    if (!atEnd) this.#queue.clear();
    // A response that nobody listens to must not end the process.
    if (error !== null && this.listenerCount('error') === 0) this.once('error', ignore);
    this.#wakeReader();
    source.abort(error);
    callback(error);
  }

  // Reading like http.client.

  /**
   * Fills `view`, with fewer bytes only at the end of the body; 0 is the end. Large bodies are received straight into it.
   *
   * @returns the number of bytes, not elements
   * @throws IncompleteRead with the bytes of this call in `partial`
   */
  async readinto(view: ArrayBufferView): Promise<number> {
    const bytes = Buffer.from(view.buffer, view.byteOffset, view.byteLength);
    return this.#inTurn(async () => {
      let filled = this.#queue.takeInto(bytes);
      while (filled < bytes.length) {
        this.#view = bytes;
        this.#filled = filled;
        const more = await this.#more(() => bytes.subarray(0, this.#filled));
        filled = this.#filled;
        this.#view = null;
        filled += this.#queue.takeInto(bytes.subarray(filled));
        if (!more) break;
      }
      return filled;
    });
  }

  /**
   * `amt` bytes, fewer only at the end of the body; without `amt`, all that is left. http.client's `read(amt)`.
   *
   * @throws IncompleteRead with the bytes of this call in `partial`
   */
  async readbytes(amt?: number): Promise<Buffer> {
    if (amt === undefined || amt < 0) return this.readall();
    checkAmount(amt);
    return this.#inTurn(async () => {
      while (this.#queue.length < amt && (await this.#more(() => this.#queue.takeAll())));
      return this.#queue.take(amt);
    });
  }

  /**
   * All that is left of the body.
   *
   * @throws IncompleteRead with what was left and arrived in `partial`
   */
  async readall(): Promise<Buffer> {
    return this.#inTurn(async () => {
      while (await this.#more(() => this.#queue.takeAll()));
      return this.#queue.takeAll();
    });
  }

  /**
   * What has arrived, at most `amt` bytes, waiting only if nothing has; empty at the end.
   *
   * @throws IncompleteRead
   */
  async read1(amt = -1): Promise<Buffer> {
    checkAmount(amt);
    return this.#inTurn(async () => {
      if (amt !== 0 && this.#queue.length === 0) await this.#more(() => EMPTY);
      return amt < 0 ? (this.#queue.takePiece() ?? EMPTY) : this.#queue.take(amt);
    });
  }

  /**
   * Like {@link read1}, and the bytes stay. Never shows bytes beyond the body.
   *
   * @throws IncompleteRead
   */
  async peek(amt = -1): Promise<Buffer> {
    checkAmount(amt);
    return this.#inTurn(async () => {
      if (amt !== 0 && this.#queue.length === 0) await this.#more(() => EMPTY);
      return this.#queue.peek(amt < 0 ? Infinity : amt);
    });
  }

  /**
   * Through the next LF, at most `limit` bytes; the rest when there is no LF, empty at the end.
   *
   * @throws IncompleteRead with the bytes of the unfinished line in `partial`
   */
  async readline(limit = -1): Promise<Buffer> {
    checkAmount(limit);
    return this.#inTurn(() => this.#line(limit < 0 ? Infinity : limit, NO_LINES));
  }

  /**
   * The lines that are left; with `hint`, no more lines once so many bytes were read.
   *
   * @throws IncompleteRead with the lines of this call, and the unfinished one, in `partial`
   */
  async readlines(hint = -1): Promise<Buffer[]> {
    checkAmount(hint);
    return this.#inTurn(async () => {
      const lines: Buffer[] = [];
      for (let total = 0; hint <= 0 || total < hint;) {
        const line = await this.#line(Infinity, lines);
        if (line.length === 0) break;
        lines.push(line);
        total += line.length;
      }
      return lines;
    });
  }

  /** The pieces of the body as they arrive; leaving the loop early destroys the response. */
  override [Symbol.asyncIterator](): NodeJS.AsyncIterator<Buffer> {
    // With setEncoding the pieces are strings, and those Node makes.
    return this.readableEncoding === null ? new BodyIterator(this) : super[Symbol.asyncIterator]();
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    if (!this.endReached) this.destroy();
    return Promise.resolve();
  }

  /**
   * The next piece as it was received, or null at the end; undefined while there is nothing to take without waiting.
   *
   * @internal
   */
  takePiece(): Buffer | null | undefined {
    if (this.#turn !== null) return undefined;
    if (this.readableLength > 0) this.#reclaim();
    const piece = this.#queue.takePiece();
    if (piece !== null) {
      this.#handBack();
      return piece;
    }
    if (this.#failure !== null || !this.#complete) return undefined;
    this.#reachEnd();
    return null;
  }

  /**
   * The next line as `readline` gives it; undefined while there is none to take without waiting.
   *
   * @internal
   */
  takeLine(): Buffer | undefined {
    if (this.#turn !== null) return undefined;
    if (this.readableLength > 0) this.#reclaim();
    const length = this.#queue.lineLength(0);
    const line = length === -1 ? undefined : this.#queue.take(length);
    this.#handBack();
    return line;
  }

  /**
   * The next piece, or null at the end.
   *
   * @internal
   */
  async nextPiece(): Promise<Buffer | null> {
    return this.#inTurn(async () => {
      while (this.#queue.length === 0 && (await this.#more(() => EMPTY)));
      return this.#queue.takePiece();
    });
  }

  /** Runs one direct reader at a time, in the order of the calls; each finds all unread bytes in the queue. */
  async #inTurn<T>(reader: () => Promise<T>): Promise<T> {
    while (this.#turn !== null) await this.#turn.catch(ignore);
    if (this.readableLength > 0) this.#reclaim();
    const turn = reader();
    this.#turn = turn;
    try {
      return await turn;
    } finally {
      this.#turn = null;
      this.#view = null;
      this.#handBack();
      // Node's machinery may have asked meanwhile, or before.
      if (this.#wanted) this.#serve();
      if (this.#complete && this.#queue.length === 0) this.#reachEnd();
    }
  }

  /**
   * Waits for more of the body.
   *
   * @param gathered - what the call has, for the error
   * @returns false at the end
   */
  async #more(gathered: () => Buffer): Promise<boolean> {
    const before = this.#delivered;
    while (this.#delivered === before || (this.#view !== null && this.directTarget() !== null)) {
      if (this.#failure !== null) {
        const failure = this.#failureWith(gathered());
        this.destroy(failure);
        throw failure;
      }
      if (this.#complete) return false;
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#source.resume();
      await woken;
    }
    return true;
  }

  /** Through the next LF, at most `most` bytes. `before` is what the call has read so far, for the error. */
  async #line(most: number, before: readonly Buffer[]): Promise<Buffer> {
    let searched = 0;
    for (;;) {
      const length = this.#queue.lineLength(searched);
      if (length !== -1) return this.#queue.take(Math.min(length, most));
      if (this.#queue.length >= most) return this.#queue.take(most);
      searched = this.#queue.length;
      if (!(await this.#more(() => Buffer.concat([...before, this.#queue.takeAll()]))))
        return this.#queue.takeAll();
    }
  }

  /** Takes back what Node's machinery has buffered: it comes before what is in the queue. */
  #reclaim(): void {
    // Node's read() also shows what it gives to 'data' listeners, and asks for more before it gives. This one does neither.
    const quiet = Object.create(this, {
      emit: { value: () => false },
      _read: {
        value: () => {
          this.#wanted = true;
        },
      },
    }) as this;
    const taken: Buffer[] = [];
    const encoding = this.readableEncoding;
    while (this.readableLength > 0) {
      // By exact amounts: without one, and with one above its high-water mark, Node takes the last byte for the end or raises the mark.
      const bytes = super.read.call(quiet, Math.min(this.readableLength, HIGH_WATER_BYTES)) as
        Buffer | string;
      taken.push(typeof bytes === 'string' ? Buffer.from(bytes, encoding ?? 'utf8') : bytes);
    }
    this.#queue.unshift(taken.length === 1 ? (taken[0] as Buffer) : Buffer.concat(taken));
  }

  /** Gives Node's machinery what a direct reader took back from it and left, or what it has asked for. */
  #handBack(): void {
    if (this.#queue.length === 0 || this.destroyed) return;
    if (this.#ended) {
      const bytes = this.#queue.takeAll();
      const encoding = this.readableEncoding;
      this.unshift(encoding === null ? bytes : bytes.toString(encoding), encoding ?? undefined);
    } else if (this.#wanted) {
      this.#serve();
    }
  }

  /** Answers a request of Node's machinery, if there is something to answer. */
  #serve(): void {
    const piece = this.#queue.takePiece();
    if (piece !== null) this.#push(piece);
    else if (this.#failure !== null) this.#showFailure();
    else if (this.#complete) this.#reachEnd();
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

  #wakeReader(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
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
    if (this.#queue.length > 0 || this.readableLength > 0 || this.#failure === null) return;
    this.destroy(this.#failureWith(EMPTY));
  }

  #failureWith(partial: Buffer): Error {
    const failure = this.#failure as Error;
    return failure instanceof IncompleteRead ? failure.forCall(partial) : failure;
  }
}

/** What a reader meets that comes after `destroy()`. */
function closedError(): Error {
  return new IncompleteRead(EMPTY, null, 'the response was destroyed before its body was read');
}
