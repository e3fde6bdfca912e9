/**
 * The received and unread bytes of a body, and the ways of reading them that http.client has: by count, by line, into a buffer.
 *
 * One position for all of them. It waits for bytes but knows no stream: who feeds it (`deliver`, `finish`, `fail`) and who asks for more
 * is the owner's business, and so is that only one of its readers runs at a time. An end or a failure is met only behind the
 * bytes that came before it.
 */
import { BodyQueue } from './body-queue.js';
import { IncompleteRead, LimitExceeded } from '../errors.js';
import { ViewFill, viewLost } from './view-fill.js';

/** Whose buffer it is: a stream. */
export interface BodyBufferOwner {
  /** A reader wants bytes and has none. */
  onAsk(): void;
  /** A reader is about to be given this, and nothing more can be read. */
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
  /** Whether it was given up at once, by `destroy()`, rather than cut short behind what had come. */
  givenUp = false;
  /** Told when it is given up. For a reader that may be busy elsewhere then. */
  onGivenUp: ((error: Error) => void) | null = null;
  /** Bytes of the body received so far. */
  receivedBytes = 0;

  readonly #owner: BodyBufferOwner;
  /** A reader waits for bytes, the end or a failure. */
  #wake: (() => void) | null = null;
  /** The loop of an iterator waits: served without the queue. */
  #pieceWaiter: PieceWaiter | null = null;
  /** What `readinto` is filling. Bytes may be received straight into it. */
  #fill: ViewFill | null = null;
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
    const fill = this.#waitingFill();
    if (fill === null) {
      this.deliver(Buffer.from(bytes));
      return;
    }
    const count = fill.copy(bytes);
    this.receivedBytes += count;
    if (fill.full) this.#wakeReader();
    if (count < bytes.length) this.deliver(Buffer.from(bytes.subarray(count)));
  }

  /** What is still empty of the view that a reader fills, when the next bytes of the body may be received there. */
  directTarget(): Buffer | null {
    return this.#waitingFill()?.room() ?? null;
  }

  /** So many bytes were received into `directTarget`. */
  received(count: number): void {
    this.receivedBytes += count;
    const fill = this.#fill;
    if (fill === null) return;
    if (!fill.intact) {
      this.#owner.onFailureMet(viewLost());
      return;
    }
    fill.add(count);
    if (fill.full) this.#wakeReader();
  }

  finish(): void {
    this.complete = true;
    this.#endWait();
  }

  /** The source has failed: met behind what came before. */
  fail(error: Error): void {
    if (this.complete || this.failure !== null) return;
    // How much had come, which who found the cut does not count.
    this.failure = error instanceof IncompleteRead ? error.forCall(EMPTY, this.receivedBytes) : error;
    this.#endWait();
  }

  /** Everything unread is dropped, and every reader fails. */
  drop(error: Error): void {
    // A body that is cut short leaves the call that waits what it had gathered.
    if (!(this.waiting && error instanceof IncompleteRead)) this.queue.clear();
    this.complete = false;
    this.givenUp = this.failure === null;
    this.fail(error);
    if (this.givenUp) this.onGivenUp?.(error);
  }

  /** A reader ends the body. */
  giveUp(error: Error): void {
    this.#owner.onFailureMet(error);
  }

  /** The failure as one call meets it, with what that call had gathered. */
  failureWith(partial: Buffer): Error {
    const failure = this.failure as Error;
    return failure instanceof IncompleteRead ? failure.forCall(partial, this.receivedBytes) : failure;
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

  readinto(view: ArrayBufferView): Promise<number> {
    return this.fillView(new ViewFill(view));
  }

  /** `readinto`, for a reader that wants to know how far it got when it fails. */
  async fillView(fill: ViewFill): Promise<number> {
    fill.takeFrom(this.queue);
    this.#fill = fill;
    this.fillsViews = true;
    try {
      while (!fill.full) {
        const more = await this.#more(() => fill.gathered());
        if (!fill.intact) throw this.failure === null ? this.#fail(viewLost()) : this.#meetFailure(EMPTY);
        fill.takeFrom(this.queue);
        if (!more) break;
      }
      return fill.filled;
    } finally {
      this.#fill = null;
    }
  }

  async readbytes(amt: number): Promise<Buffer> {
    while (this.queue.length < amt && (await this.#more(() => this.queue.takeAll())));
    return this.queue.take(amt);
  }

  /** @param due - bytes that are still to be read, where that is known */
  async readall(maxBytes: number, due: number | null): Promise<Buffer> {
    const known = this.complete || due === null ? 0 : due;
    do {
      if (this.failure === null && Math.max(known, this.queue.length) > maxBytes)
        throw this.#fail(new LimitExceeded('maxBytes', maxBytes));
    } while (await this.#more(() => this.queue.takeAll()));
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

  /** A line that lies ready, its LF included; null when there is none. */
  takeLine(): Buffer | null {
    const length = this.queue.lineLength(0);
    return length === -1 ? null : this.queue.take(length);
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
    while (this.receivedBytes === before || this.#waitingFill() !== null) {
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

  /** The view that the next bytes belong to; none once its memory was taken away, which ends the body. */
  #waitingFill(): ViewFill | null {
    const fill = this.#fill;
    if (fill === null || fill.full || this.queue.length > 0) return null;
    if (fill.intact) return fill;
    // A failure that is there already is what its reader is given.
    if (this.failure === null) this.#owner.onFailureMet(viewLost());
    return null;
  }

  #meetFailure(partial: Buffer): Error {
    return this.#fail(this.failureWith(partial));
  }

  #fail(error: Error): Error {
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
