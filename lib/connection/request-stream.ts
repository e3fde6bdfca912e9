/**
 * A request as a stream: what is written is the body, what is read is the response's body, so that an exchange stands in a `pipeline()`.
 *
 * It is the same exchange as `request()` and `getResponse()`: a write is the next piece of the upload's source, a read the next of the
 * response. It keeps no queue beyond its two high-water marks, frames nothing and knows no connection.
 */
import { Duplex } from 'node:stream';
import type { DuplexOptions, Readable } from 'node:stream';
import { SignalWatch } from '../exchange/signal-watch.js';
import { prematureClose } from '../request/source.js';
import type { HTTPResponse } from '../response/response.js';

type Done = (error?: Error | null) => void;

type Piece = IteratorResult<unknown, undefined>;

/** A piece that was written and is not asked for yet, and who waits until it is out of our hands. */
interface Written {
  chunk: unknown;
  done: Done;
}

/** A stream that ends, as far as that can be told. */
type Sink = NodeJS.WritableStream & {
  writableFinished?: boolean;
  writableEnded?: boolean;
  destroyed?: boolean;
};

/**
 * Begins the exchange.
 *
 * @param body - what is written; null when there is no writable side
 * @param signal - aborted when the stream is destroyed
 */
export type BeginStream = (body: AsyncIterable<unknown> | null, signal: AbortSignal) => Promise<HTTPResponse>;

/** Methods whose requests have no body worth streaming (RFC 9110 §9.3.1, §9.3.2). */
const BODILESS = new Set(['GET', 'HEAD']);

/* An option of every Duplex that the types forget. */
const NO_WRITABLE_SIDE: DuplexOptions = { writable: false } as object;

const END: Piece = { done: true, value: undefined };

const HIGH_WATER_BYTES = 65_536;

/**
 * An exchange as a Duplex. Emits `response` when the head has arrived. Destroying it ends the exchange, a failure of the exchange
 * destroys it.
 */
export class RequestStream extends Duplex {
  /** The response, once its head has arrived. Counts as handled when nobody asks for it. */
  readonly response: Promise<HTTPResponse>;

  readonly #controller = new AbortController();
  #signal: SignalWatch | null = null;
  /** The response that is read from. */
  #answer: HTTPResponse | null = null;
  #reading = false;
  #wanted = false;
  /** Everything was pushed, the end too, which the reader has not reached yet. */
  #pushedAll = false;
  #written: Written | null = null;
  /** The upload waits for a piece. */
  #asked: ((piece: Piece) => void) | null = null;
  /** The last piece was handed over; its writer hears of it when the next one is asked for. */
  #handed: Done | null = null;
  #finished = false;
  /** Nothing more is sent: what is written is dropped. */
  #dropping = false;
  readonly #piped = new Set<Readable>();
  readonly #sinks = new Set<Sink>();

  /** @internal */
  constructor(method: string, begin: BeginStream, signal: AbortSignal | undefined) {
    const bodiless = BODILESS.has(method.toUpperCase());
    super({
      ...(bodiless ? NO_WRITABLE_SIDE : undefined),
      decodeStrings: false,
      readableHighWaterMark: HIGH_WATER_BYTES,
      writableHighWaterMark: HIGH_WATER_BYTES,
    });
    this.on('pipe', (source: Readable) => this.#piped.add(source));
    this.on('unpipe', (source: Readable) => this.#piped.delete(source));
    if (signal !== undefined && !(signal instanceof AbortSignal))
      throw new TypeError('signal must be an AbortSignal');
    if (signal?.aborted === true) {
      this.#controller.abort(signal.reason);
    } else if (signal !== undefined) {
      this.#signal = new SignalWatch(signal, (reason) => {
        this.destroy(reason as Error);
      });
      this.#signal.start();
    }
    this.response = begin(
      bodiless ? null : { [Symbol.asyncIterator]: () => this.#pieces() },
      this.#controller.signal,
    );
    this.response.then(
      (response) => {
        this.#open(response);
      },
      (error: unknown) => {
        this.destroy(error as Error);
      },
    );
  }

  // The body.

  /** @internal */
  override _write(chunk: unknown, encoding: BufferEncoding, done: Done): void {
    // Node says utf8 where no encoding was named: such text is encoded as a body's text is.
    const piece =
      typeof chunk === 'string' && !/^utf-?8$/i.test(encoding) ? Buffer.from(chunk, encoding) : chunk;
    const asked = this.#asked;
    if (this.#dropping) {
      done();
    } else if (asked !== null) {
      this.#asked = null;
      this.#handed = done;
      asked({ done: false, value: piece });
    } else {
      this.#written = { chunk: piece, done };
    }
  }

  /** @internal */
  override _final(done: Done): void {
    this.#finished = true;
    const asked = this.#asked;
    this.#asked = null;
    asked?.(END);
    done();
  }

  #pieces(): AsyncIterator<unknown> {
    return {
      next: () => this.#next() as Promise<Piece>,
      return: () => {
        this.#drop();
        return Promise.resolve(END);
      },
    };
  }

  /** The next piece, at once where one lies ready. */
  #next(): Piece | Promise<Piece> {
    this.#settleHanded();
    const written = this.#written;
    if (written !== null) {
      this.#written = null;
      this.#handed = written.done;
      return { done: false, value: written.chunk };
    }
    if (this.#finished) return END;
    return new Promise((resolve) => {
      this.#asked = resolve;
    });
  }

  #settleHanded(): void {
    const handed = this.#handed;
    this.#handed = null;
    handed?.();
  }

  /** The rest is not wanted: writers go on and find out by the response, sources that were piped in are given up behind it. */
  #drop(): void {
    if (this.#dropping) return;
    this.#dropping = true;
    const written = this.#written;
    this.#written = null;
    const piped = [...this.#piped];
    for (const source of piped) source.unpipe(this);
    // Behind the response: a pipeline that loses its source at once would tear down the sink as well.
    if (piped.length > 0)
      this.once('close', () => giveUp(piped)).once('end', () => this.#whenSunk(() => giveUp(piped)));
    process.nextTick(() => {
      this.#settleHanded();
      written?.done();
    });
  }

  /** Calls back once those who were piped to have the whole response. */
  #whenSunk(callback: () => void): void {
    setImmediate(() => {
      const waiting = [...this.#sinks].filter(
        (sink) => sink.writableEnded === true && sink.writableFinished !== true && sink.destroyed !== true,
      );
      let left = waiting.length;
      if (left === 0) callback();
      for (const sink of waiting) {
        const sunk = (): void => {
          sink.removeListener('finish', sunk).removeListener('close', sunk);
          if (--left === 0) callback();
        };
        sink.on('finish', sunk).on('close', sunk);
      }
    });
  }

  // The response.

  /** @internal */
  override _read(): void {
    this.#wanted = true;
    if (this.#answer !== null) this.#readFrom(this.#answer);
  }

  /** As of any Readable. */
  override pipe<T extends NodeJS.WritableStream>(sink: T, options?: { end?: boolean | undefined }): T {
    this.#sinks.add(sink);
    return super.pipe(sink, options);
  }

  #open(response: HTTPResponse): void {
    if (this.destroyed) {
      response.destroy();
      return;
    }
    this.#answer = response;
    response.on('error', (error) => {
      this.destroy(error);
    });
    response.on('close', () => {
      if (!response.readableEnded) this.destroy(response.errored ?? undefined);
    });
    this.emit('response', response);
    if (this.#wanted) this.#readFrom(response);
  }

  /** Listens from the first wish on, so that a caller who never reads here can read the response itself. */
  #readFrom(response: HTTPResponse): void {
    if (this.#reading) {
      response.resume();
      return;
    }
    this.#reading = true;
    response.on('data', (bytes: Buffer) => {
      if (!this.push(bytes)) response.pause();
    });
    response.on('end', () => {
      this.#pushedAll = true;
      this.push(null);
    });
  }

  /** @internal */
  override _destroy(error: Error | null, callback: Done): void {
    this.#signal?.stop();
    const finished = this.readableEnded && this.writableFinished;
    if (!finished) {
      this.#controller.abort(error ?? destroyedError());
      this.#answer?.destroy(error ?? undefined);
    }
    this.#dropping = true;
    const written = this.#written;
    this.#written = null;
    this.#handed = null;
    written?.done(error);
    // A pipeline waits for the end of a stream that has it in its buffer, for ever once that is merely closed.
    const stuck = error === null && this.#pushedAll && !this.readableEnded && this.listenerCount('error') > 0;
    callback(stuck ? destroyedError() : error);
  }
}

/** What `response` rejects with when the stream was destroyed without a reason. */
function destroyedError(): Error {
  const error = new Error('the request stream was destroyed before its response had come');
  return Object.assign(error, { name: 'AbortError', code: 'ABORT_ERR' });
}

/**
 * Nothing of these is wanted any more. With an error where somebody listens for one: a pipeline whose source had given all, but not said
 * so yet, waits for that word for ever when the source is merely closed.
 */
function giveUp(sources: readonly Readable[]): void {
  for (const source of sources)
    source.destroy(source.listenerCount('error') > 0 ? prematureClose() : undefined);
}
