/**
 * The received and unread bytes of a body, and the ways of reading them that http.client has: by count, by line, into a buffer.
 *
 * One position for all of them. It waits for bytes but knows no stream: who feeds it (`deliver`, `finish`, `fail`) and who asks for more
 * is the owner's business, and so is that only one of its readers runs at a time. An end or a failure is met only behind the
 * bytes that came before it.
 */
import { BodyQueue } from './body-queue.js';
import { IncompleteRead } from '../errors.js';

/** Whose buffer it is: a stream. */
export interface BodyBufferOwner {
  /** A reader wants bytes and has none. */
  onAsk(): void;
  /** A reader is about to be given this. */
  onFailureMet(error: Error): void;
}

interface PieceWaiter {
  resolve: (piece: Buffer | null) => void;
  reject: (error: Error) => void;
}

const EMPTY = Buffer.alloc(0);

const NO_LINES: readonly Buffer[] = [];

export class BodyBuffer {
  readonly queue: BodyQueue = new BodyQueue();
  /** The source has no more: the end comes when the queue is empty. */
  complete = false;
  failure: Error | null = null;
  /** Bytes of the body received so far. */
  receivedBytes = 0;

  readonly #owner: BodyBufferOwner;
  /** A reader waits for bytes, the end or a failure. */
  #wake: (() => void) | null = null;
  /** The loop of an iterator waits: served without the queue. */
  #pieceWaiter: PieceWaiter | null = null;
  /** What `readinto` is filling, and how far. Bytes may be received straight into it. */
  #view: Buffer | null = null;
  #filled = 0;
  /** Whether the last reader brought its own memory, as the next one then will. */
  fillsViews = false;

  constructor(owner: BodyBufferOwner) {
    this.#owner = owner;
  }

  /** Whether a reader waits. */
  get waiting(): boolean {
    return this.#wake !== null || this.#pieceWaiter !== null;
  }

  /** Whether an iterator waits for its next piece. */
  get pieceWanted(): boolean {
    return this.#pieceWaiter !== null;
  }

  // The owner's side.

  /** More of the body; the bytes are kept. */
  deliver(bytes: Buffer): void {
    this.receivedBytes += bytes.length;
    const waiter = this.#pieceWaiter;
    if (waiter !== null) {
      this.#pieceWaiter = null;
      waiter.resolve(bytes);
      return;
    }
    this.queue.push(bytes);
    this.#wakeReader();
  }

  /** More of the body that is only lent: copied, into the caller's view where one waits. */
  deliverLent(bytes: Buffer): void {
    const view = this.directTarget();
    if (view === null) {
      this.deliver(Buffer.from(bytes));
      return;
    }
    const count = Math.min(bytes.length, view.length);
    bytes.copy(view, 0, 0, count);
    this.received(count);
    if (count < bytes.length) this.deliver(Buffer.from(bytes.subarray(count)));
  }

  /** What is still empty of the view that a reader fills, when the next bytes of the body belong there. */
  directTarget(): Buffer | null {
    const view = this.#view;
    if (view === null || this.queue.length > 0 || this.#filled === view.length) return null;
    return this.#filled === 0 ? view : view.subarray(this.#filled);
  }

  /** So many bytes were received into `directTarget`. */
  received(count: number): void {
    this.receivedBytes += count;
    this.#filled += count;
    if (this.#view !== null && this.#filled === this.#view.length) this.#wakeReader();
  }

  finish(): void {
    this.complete = true;
    this.#endWait();
  }

  fail(error: Error): void {
    if (this.complete || this.failure !== null) return;
    this.failure = error;
    this.#endWait();
  }

  /** The failure as one call meets it, with what that call had gathered. */
  failureWith(partial: Buffer): Error {
    const failure = this.failure as Error;
    return failure instanceof IncompleteRead ? failure.forCall(partial) : failure;
  }

  // The readers.

  /** The next piece as it was received, or null at the end. */
  nextPiece(): Promise<Buffer | null> {
    this.fillsViews = false;
    return new Promise((resolve, reject) => {
      const piece = this.queue.takePiece();
      if (piece !== null) resolve(piece);
      else if (this.failure !== null) reject(this.#meetFailure(EMPTY));
      else if (this.complete) resolve(null);
      else {
        this.#pieceWaiter = { resolve, reject };
        this.#owner.onAsk();
      }
    });
  }

  async readinto(view: ArrayBufferView): Promise<number> {
    const bytes = Buffer.from(view.buffer, view.byteOffset, view.byteLength);
    this.#filled = this.queue.takeInto(bytes);
    this.#view = bytes;
    this.fillsViews = true;
    try {
      while (this.#filled < bytes.length) {
        const more = await this.#more(() => bytes.subarray(0, this.#filled));
        this.#filled += this.queue.takeInto(bytes.subarray(this.#filled));
        if (!more) break;
      }
      return this.#filled;
    } finally {
      this.#view = null;
    }
  }

  async readbytes(amt: number): Promise<Buffer> {
    while (this.queue.length < amt && (await this.#more(() => this.queue.takeAll())));
    return this.queue.take(amt);
  }

  async readall(): Promise<Buffer> {
    while (await this.#more(() => this.queue.takeAll()));
    return this.queue.takeAll();
  }

  async read1(amt: number): Promise<Buffer> {
    if (amt !== 0 && this.queue.length === 0) await this.#more(() => EMPTY);
    return amt < 0 ? (this.queue.takePiece() ?? EMPTY) : this.queue.take(amt);
  }

  async peek(amt: number): Promise<Buffer> {
    if (amt !== 0 && this.queue.length === 0) await this.#more(() => EMPTY);
    return this.queue.peek(amt < 0 ? Infinity : amt);
  }

  readline(limit: number): Promise<Buffer> {
    return this.#line(limit < 0 ? Infinity : limit, NO_LINES);
  }

  async readlines(hint: number): Promise<Buffer[]> {
    const lines: Buffer[] = [];
    for (let total = 0; hint <= 0 || total < hint;) {
      const line = await this.#line(Infinity, lines);
      if (line.length === 0) break;
      lines.push(line);
      total += line.length;
    }
    return lines;
  }

  /** A line that lies ready, its LF included; undefined when there is none. */
  takeLine(): Buffer | undefined {
    const length = this.queue.lineLength(0);
    return length === -1 ? undefined : this.queue.take(length);
  }

  /** Through the next LF, at most `most` bytes. `before` is what the call has read so far, for the error. */
  async #line(most: number, before: readonly Buffer[]): Promise<Buffer> {
    let searched = 0;
    for (;;) {
      const length = this.queue.lineLength(searched);
      if (length !== -1) return this.queue.take(Math.min(length, most));
      if (this.queue.length >= most) return this.queue.take(most);
      searched = this.queue.length;
      const more = await this.#more(() => Buffer.concat([...before, this.queue.takeAll()]));
      if (!more) return this.queue.takeAll();
    }
  }

  /**
   * Waits for more of the body: for a full view where one is being filled, else for anything.
   *
   * @param gathered - what the call has, for the error
   * @returns false at the end
   */
  async #more(gathered: () => Buffer): Promise<boolean> {
    const before = this.receivedBytes;
    while (this.receivedBytes === before || this.directTarget() !== null) {
      if (this.failure !== null) throw this.#meetFailure(gathered());
      if (this.complete) return false;
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#owner.onAsk();
      await woken;
    }
    return true;
  }

  #meetFailure(partial: Buffer): Error {
    const error = this.failureWith(partial);
    this.#owner.onFailureMet(error);
    return error;
  }

  #endWait(): void {
    const waiter = this.#pieceWaiter;
    this.#pieceWaiter = null;
    if (waiter !== null) {
      if (this.failure !== null) waiter.reject(this.#meetFailure(EMPTY));
      else waiter.resolve(null);
    }
    this.#wakeReader();
  }

  #wakeReader(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }
}
