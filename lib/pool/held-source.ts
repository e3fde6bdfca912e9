/**
 * The source of a request body, held by its call: it can outlive an attempt that took nothing from it.
 *
 * An exchange that ends tells the source of its body that the rest is not wanted. When nothing had come out of that source, the request
 * may be sent again with it, so here that word is kept until the call is over. A piece that was asked for by one attempt and came after
 * its end is given to the next. It also listens to a stream that nobody reads yet, while the request waits for a connection.
 */
import type { Readable } from 'node:stream';
import { cancelSource, prematureClose, streamFailure } from '../request/source.js';
import type { Pieces, Source } from '../request/source.js';

export class HeldSource {
  /** Whether a piece has been given to an attempt. */
  taken = false;
  /** What an attempt reads instead of the source. */
  readonly pieces: Pieces;

  readonly #source: Source;
  readonly #inner: Pieces;
  /** What was asked for and has not been given to an attempt that could use it. */
  #asked: unknown = null;
  /** The attempt has ended that asked. */
  #stopped = false;
  #settled = false;
  #over = false;

  /** @param onFailure - the stream has failed, read or not */
  constructor(source: Source, onFailure: (error: unknown) => void) {
    this.#source = source;
    if (source.stream === null) {
      this.#inner = source.pieces;
    } else {
      const { stream } = source;
      this.#inner = piecesOf(stream);
      watch(stream, (error) => {
        if (!this.#over) onFailure(error);
      });
    }
    this.pieces = {
      next: () => this.#next(),
      return: () => {
        this.#stopped = true;
        if (this.taken || this.#settled) this.cancel();
        return undefined;
      },
    };
  }

  /** There will be no other attempt: what the last one says counts. */
  settle(): void {
    this.#settled = true;
    if (this.#stopped) this.cancel();
  }

  /** The rest is not wanted, if there is any. */
  cancel(): void {
    if (this.#over) return;
    this.#over = true;
    cancelSource(this.#source);
  }

  #next(): unknown {
    this.#stopped = false;
    const asked = this.#asked;
    if (asked !== null) return asked;
    const result: unknown = this.#inner.next();
    if (typeof (result as { then?: unknown } | null)?.then !== 'function') {
      this.taken = true;
      return result;
    }
    this.#asked = result;
    const note = (): void => {
      if (this.#stopped) return;
      this.#asked = null;
      this.taken = true;
    };
    // Heard before the attempt hears it, which is called second.
    (result as PromiseLike<unknown>).then(note, note);
    return result;
  }
}

/** The pieces of a stream, asked for one by one. What it has buffered is given without a promise. */
function piecesOf(stream: Readable): Pieces {
  let wake: (() => void) | null = null;
  let listens = false;
  const onChange = (): void => {
    const waiting = wake;
    wake = null;
    waiting?.();
  };
  const listen = (): void => {
    listens = true;
    for (const event of ['readable', 'end', 'error', 'close']) stream.on(event, onChange);
  };
  const next = (): unknown => {
    if (!listens) listen();
    const value: unknown = stream.read();
    if (value !== null) return { done: false, value };
    if (stream.readableEnded) return { done: true, value: undefined };
    const failure = streamFailure(stream);
    if (failure !== null) throw failure as Error;
    return new Promise<void>((resolve) => {
      wake = resolve;
    }).then(next);
  };
  return { next };
}

/** A stream may fail while it waits to be read, and one that closes without an end has failed. */
function watch(stream: Readable, onFailure: (error: unknown) => void): void {
  stream.on('error', onFailure);
  stream.on('close', () => {
    if (!stream.readableEnded) onFailure(streamFailure(stream) ?? prematureClose());
  });
}
