/**
 * A body as a Readable whose bytes can also be taken in other ways, all from one position.
 *
 * Node's stream machinery takes from the buffer when it asks (`_read`), other readers take from it directly, one at a time, and whoever
 * is served next goes on where the last one stopped. What those readers do is in `BodyBuffer`, and which there are in `BodyReaders`. It
 * knows where bytes come from as a `BodySource`, and nothing about connections.
 */
import { Readable } from 'node:stream';
import { BodyBuffer } from './body-buffer.js';
import type { BodySource } from './body-sink.js';
import { IncompleteRead } from '../errors.js';
import { HIGH_WATER_BYTES, NodeSide } from './node-side.js';

/** The source of a body that has failed, was given up or read to its end: nothing is left to ask for. */
const GONE: BodySource = { resume() {}, abort() {}, consumed() {} };

const EMPTY = Buffer.alloc(0);

/** What Node says of a stream. Looked up once: `Reflect.get` costs ten times as much. */
// oxlint-disable typescript/unbound-method -- called with the stream as `this`
const nodesView = (name: string): ((this: Readable) => boolean) =>
  Object.getOwnPropertyDescriptor(Readable.prototype, name)?.get as (this: Readable) => boolean;
const didRead = nodesView('readableDidRead');
const ended = nodesView('readableEnded');
const destroyed = nodesView('destroyed');
const closed = nodesView('closed');
const readable = nodesView('readable');
// oxlint-enable typescript/unbound-method

const STREAM_OPTIONS = { highWaterMark: HIGH_WATER_BYTES };

function ignore(): void {}

/** A body that its owner feeds (`deliver`, `finish`, `fail`) and its user reads. A `BodySink`, of which the published types show nothing. */
export class BodyStream extends Readable {
  // Node sees its own readers only. TypeScript takes these for fields, which no accessor may override.
  static {
    const show = (name: string, get: (this: BodyStream) => boolean): void => {
      const inherited = Object.getOwnPropertyDescriptor(Readable.prototype, name);
      Object.defineProperty(this.prototype, name, { ...inherited, get });
    };
    show('readableDidRead', function () {
      return this.#readDirectly || didRead.call(this);
    });
    show('readableEnded', function () {
      return this.endReached || ended.call(this);
    });
    // Behind an end that Node was not told of, as nobody listened, it looks as if Node had been.
    show('destroyed', function () {
      return this.#node.silent || destroyed.call(this);
    });
    show('closed', function () {
      if (!this.#node.silent) return closed.call(this);
      // finished() asks this first, and from Node 22 on it then asks Node's own state, before it listens.
      this.#node.wake();
      return true;
    });
    show('readable', function () {
      return !this.#node.silent && readable.call(this);
    });
    for (const name of ['on', 'addListener', 'prependListener'] as const) {
      const inherited = this.prototype[name];
      const value = function (this: BodyStream, event: string | symbol, listener: () => void): BodyStream {
        this.#node.wake();
        return inherited.call(this, event, listener);
      };
      Object.defineProperty(this.prototype, name, { configurable: true, writable: true, value });
    }
  }

  /**
   * The body that this one is read for: nobody waits here while nobody waits there.
   *
   * @internal
   */
  readFor: BodyStream | null = null;

  #source: BodySource;
  readonly #buffer: BodyBuffer;
  readonly #node: NodeSide;
  /** The direct reader that runs; others wait for it. */
  #turn: Promise<unknown> | null = null;
  /** The piece that a loop waits for outside of any turn. */
  #piece: Promise<Buffer | null> | null = null;
  #onCutShort: (() => void) | null = null;
  /** A direct reader was here, which Node does not see. */
  #readDirectly = false;

  constructor(source: BodySource) {
    super(STREAM_OPTIONS);
    this.#source = source;
    this.#buffer = new BodyBuffer(this);
    this.#node = new NodeSide(this);
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

  /** @internal */
  deliver(bytes: Buffer): boolean {
    if (this.#node.wanted && !this.#busy && !this.destroyed) {
      this.#buffer.receivedBytes += bytes.length;
      this.#node.push(bytes);
    } else {
      this.#buffer.deliver(bytes);
    }
    return this.#buffer.queue.length < HIGH_WATER_BYTES;
  }

  /** @internal */
  deliverLent(bytes: Buffer): boolean {
    if (this.#turn === null) return this.deliver(Buffer.from(bytes));
    this.#buffer.deliverLent(bytes);
    return this.#buffer.queue.length < HIGH_WATER_BYTES;
  }

  /** @internal */
  directTarget(): Buffer | null {
    return this.#buffer.directTarget();
  }

  /** @internal */
  received(count: number): void {
    this.#buffer.received(count);
  }

  /** @internal */
  get fillsViews(): boolean {
    return this.#buffer.fillsViews;
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
    else if (this.#node.wanted && !this.#busy) this.#serve();
  }

  /**
   * The body was cut short: shown to the reader once it has read what came before. `destroy(error)` is what takes effect at once.
   *
   * @internal
   */
  fail(error: Error): void {
    this.#source = GONE;
    this.#buffer.fail(error);
    this.#onCutShort?.();
    if (this.#node.wanted && !this.#busy) this.#showFailure();
  }

  /**
   * Calls back when the body is given up by `destroy()`; not when it is cut short, which its readers hear.
   *
   * @internal
   */
  whenGivenUp(tell: (error: Error) => void): void {
    this.#buffer.onGivenUp = tell;
  }

  /**
   * Calls back when the body is cut short, though what came before is not read yet.
   *
   * @internal
   */
  whenCutShort(tell: () => void): void {
    this.#onCutShort = tell;
    if (this.#buffer.failure !== null) tell();
  }

  /**
   * Gives up what is unread, which spoils no connection where all of it has been received.
   *
   * @internal
   */
  dismiss(error: Error): void {
    if (!this.#buffer.complete) this.destroy(error);
    this.takeReady(dropAll);
    this.takeEnd();
  }

  /**
   * Whether a reader is waiting for bytes right now; false inside a loop body and while paused.
   *
   * @internal
   */
  get waiting(): boolean {
    const { readFor } = this;
    return (readFor === null || readFor.waiting) && (this.#buffer.waiting || this.#node.waiting);
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
    return this.#node.ended && this.unreadBytes === 0;
  }

  // Node's side.

  /** @internal */
  override _read(): void {
    this.#node.wanted = true;
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
    if (this.#node.ended) this.#letGo();
    else if (this.#buffer.failure !== null && this.#node.wanted && !this.#busy) this.#showFailure();
    return bytes;
  }

  /** A paused reader that goes on asks anew, although Node's own request is still open. */
  override resume(): this {
    super.resume();
    if (this.#node.wanted) this.#source.resume();
    return this;
  }

  /** Gives up what is unread, at once; once the end was read there is nothing that could fail. */
  override destroy(error?: Error): this {
    const over = this.#buffer.complete && this.unreadBytes === 0;
    this.#node.wake();
    return super.destroy(over ? undefined : error);
  }

  /** @internal */
  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const source = this.#source;
    const buffer = this.#buffer;
    this.#source = GONE;
    // Node destroys a stream behind its 'end', when a direct reader may still hold what it took back from Node.
    const atEnd = buffer.complete && (ended.call(this) || this.unreadBytes === 0);
    if (!atEnd) buffer.drop(error ?? givenUp());
    // A response that nobody listens to must not end the process, and who listens now may not when Node emits it.
    if (error !== null) this.on('error', ignore);
    if (atEnd) source.consumed();
    else source.abort(error);
    callback(error);
  }

  // The direct readers.

  /** Whether a direct reader runs, so that what arrives is for it and not for Node's machinery. */
  get #busy(): boolean {
    return this.#turn !== null || this.#buffer.pieceWanted;
  }

  /** @internal Runs one direct reader at a time, in the order of the calls; each finds all unread bytes in the buffer. */
  protected async inTurn<T>(reader: (buffer: BodyBuffer) => Promise<T>): Promise<T> {
    const before = this.#turn ?? (this.#buffer.pieceWanted ? this.#piece : null);
    const begin = (): Promise<T> => reader(this.#beginDirect());
    const turn = before === null ? reader(this.#beginDirect()) : before.then(begin, begin);
    const settled = turn.then(ignore, ignore);
    this.#turn = settled;
    try {
      return await turn;
    } finally {
      if (this.#turn === settled) this.#turn = null;
      if (!this.#busy) {
        this.#handBack();
        // Node's machinery may have asked meanwhile, or before.
        if (this.#node.wanted) this.#serve();
      }
      if (this.#buffer.complete && this.#buffer.queue.length === 0) this.#reachEnd();
    }
  }

  /**
   * Takes what lies ready, in the direct readers' place; null for nothing, and while one of them runs.
   *
   * @internal
   */
  protected takeReady(take: (buffer: BodyBuffer) => Buffer | null): Buffer | null {
    if (this.#busy) return null;
    const taken = take(this.#beginDirect());
    this.#handBack();
    return taken;
  }

  /**
   * Reaches the end if it is what comes next; false otherwise, and while a direct reader runs.
   *
   * @internal
   */
  protected takeEnd(): boolean {
    const buffer = this.#buffer;
    if (this.#busy || buffer.failure !== null || !buffer.complete || this.unreadBytes > 0) return false;
    this.#reachEnd();
    return true;
  }

  /**
   * The next piece as it was received, or null at the end.
   *
   * @internal
   */
  nextPiece(): Promise<Buffer | null> {
    if (this.#busy) return this.inTurn((buffer) => buffer.nextPiece());
    // A loop that is alone needs no turn: that it waits is seen by the next reader.
    return (this.#piece = this.#beginDirect().nextPiece());
  }

  /** All that is unread is in the buffer then: what Node's machinery holds comes before what is queued. */
  #beginDirect(): BodyBuffer {
    this.#readDirectly = true;
    if (this.readableLength > 0) this.#buffer.queue.unshift(this.#node.takeBack());
    return this.#buffer;
  }

  /** Gives Node's machinery what a direct reader took back from it and left, or what it has asked for. */
  #handBack(): void {
    const { queue } = this.#buffer;
    if (queue.length === 0 || this.destroyed) return;
    if (this.#node.ended) this.#node.giveBack(queue.takeAll());
    else if (this.#node.wanted) this.#serve();
  }

  /** Answers a request of Node's machinery, if there is something to answer. */
  #serve(): void {
    const buffer = this.#buffer;
    const piece = buffer.queue.takePiece();
    if (piece !== null) this.#node.push(piece);
    else if (buffer.failure !== null) this.#showFailure();
    else if (buffer.complete) this.#reachEnd();
    else this.#source.resume();
  }

  #reachEnd(): void {
    if (this.destroyed) return;
    this.#node.end();
    this.#letGo();
  }

  /** Behind the last byte nothing is asked of the source any more, and nothing of it is kept. */
  #letGo(): void {
    if (this.#source === GONE || this.unreadBytes > 0) return;
    const source = this.#source;
    this.#source = GONE;
    source.consumed();
  }

  /** To Node's readers, once nothing is left to read. */
  #showFailure(): void {
    if (this.unreadBytes > 0 || this.#buffer.failure === null) return;
    this.destroy(this.#buffer.failureWith(EMPTY));
  }
}

function dropAll({ queue }: BodyBuffer): null {
  queue.clear();
  return null;
}

/** What a reader meets that comes after `destroy()`. */
function givenUp(): Error {
  return new IncompleteRead(EMPTY, null, 'the response was destroyed before its body was read');
}
