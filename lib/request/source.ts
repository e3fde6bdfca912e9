/**
 * Where a body that comes in pieces comes from: a Node stream that is listened to, or an iterator that is asked.
 *
 * Sources are the caller's. Their methods may throw, be missing, or answer nonsense; what that means is said here. How fast they are
 * asked is the upload's matter.
 */
import type { Readable, Stream } from 'node:stream';
import { types } from 'node:util';
import { encodeText } from '../fields/charset.js';
import type { Charset } from '../fields/charset.js';

/** What is asked for pieces: an iterator, sync or async. What it answers is looked at piece by piece. */
export interface Pieces {
  next(): unknown;
  return?(value: undefined): unknown;
}

/** A body that comes in pieces: a Node stream that is listened to, or an iterator that is asked. */
export type Source = {
  /** Whether it was told that no more is wanted: what it says from then on, that it has ended too, is worth nothing. */
  cancelled: boolean;
} & (
  | { stream: Readable; pieces: null; giveBack: null }
  | {
      stream: null;
      pieces: Pieces;
      /** Told when a piece is out of our hands, by an iterator that lends several at a time; null for one that gives one at a time. */
      giveBack: ((piece: Buffer) => void) | null;
    }
);

/** Tells a source that it will not be read any further: `return()` for an iterator, `destroy()` for a stream. */
export function cancelSource(source: Source): void {
  source.cancelled = true;
  try {
    if (source.stream !== null) {
      // An old-style stream may not have it.
      if (typeof source.stream.destroy === 'function') source.stream.destroy();
      return;
    }
    // Not waited for: a generator that is stuck in its next() never answers.
    const returned: unknown = source.pieces.return?.(undefined);
    if (returned instanceof Promise) returned.catch(ignore);
  } catch {
    // What ended the upload is what the caller hears of.
  }
}

/**
 * Why a stream cannot give anything any more although it has not ended; null while it can.
 *
 * @returns the stream's own error, else one that says it was closed before its end
 */
export function streamFailure(stream: Readable): unknown {
  const failure: unknown = stream.errored ?? null;
  if (failure !== null) return failure;
  if (!stream.destroyed || stream.readableEnded) return null;
  return prematureClose();
}

/** What Node's own streams say in this case. */
export function prematureClose(): Error {
  return Object.assign(new Error('the body stream was closed before its end'), {
    code: 'ERR_STREAM_PREMATURE_CLOSE',
  });
}

/** Whether a stream has given all it had. One of the old style is no longer readable then. */
export function streamEnded(stream: Readable | (Stream & { readable: boolean })): boolean {
  return 'readableEnded' in stream ? stream.readableEnded : !stream.readable;
}

/**
 * The iterator that an iterable gives.
 *
 * @throws TypeError when it is none, and what the iterable throws
 */
export function iteratorOf(iterator: unknown): Pieces {
  if (typeof iterator !== 'object' || iterator === null || typeof (iterator as Pieces).next !== 'function')
    throw new TypeError(
      `the iterable given as body must give an iterator with next(), got ${describeKind(iterator)}`,
    );
  return iterator as Pieces;
}

/**
 * The pieces of a web stream through a reader, because the return() of the stream's own iterator waits for a read that may never end.
 * The stream is not locked before the first piece is asked for: until then the request may still be refused.
 */
export function webPieces(stream: ReadableStream): Pieces {
  let reader: ReadableStreamDefaultReader<unknown> | null = null;
  return {
    next: () => (reader ??= stream.getReader() as ReadableStreamDefaultReader<unknown>).read(),
    async return() {
      await (reader ?? stream).cancel();
    },
  };
}

/** Pieces that begin anew when they are asked again after their end, or after it was said that no more are wanted. */
export function repeatablePieces(open: () => AsyncGenerator | Pieces): Pieces {
  let pieces: Pieces | null = null;
  return {
    async next() {
      const result = (await (pieces ??= open()).next()) as IteratorResult<unknown>;
      if (result.done === true) pieces = null;
      return result;
    },
    return() {
      const current = pieces;
      pieces = null;
      return current?.return?.(undefined);
    },
  };
}

/**
 * A piece of a source as bytes.
 *
 * @throws TypeError for anything but text the charset can hold, and bytes
 */
export function pieceBytes(piece: unknown, charset: Charset | null): Buffer {
  if (Buffer.isBuffer(piece)) return piece;
  if (typeof piece === 'string') {
    if (charset !== null) return encodeText(piece, charset);
    throw new TypeError(
      'a body yielded text, and the charset that Content-Type declares is not known; yield bytes',
    );
  }
  if (ArrayBuffer.isView(piece)) return Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
  // Not instanceof: those of another realm, as in a test runner's sandbox, are bytes too.
  if (types.isAnyArrayBuffer(piece)) return Buffer.from(piece);
  throw new TypeError(`a body must yield strings or bytes, it yielded ${describeKind(piece)}`);
}

/** What a value is, for a message. */
export function describeKind(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value !== 'object') return `${typeof value} ${String(value).slice(0, 40)}`;
  const prototype = Object.getPrototypeOf(value) as { constructor?: { name?: string } } | null;
  return `an object of type ${prototype?.constructor?.name ?? 'Object'}`;
}

function ignore(): void {}
