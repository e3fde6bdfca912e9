/**
 * What kind of body a caller gave, and how it will be framed and read. Decided before anything is dialled; nothing is sent here.
 */
import { Readable } from 'node:stream';
import type { FileHandle } from 'node:fs/promises';
import { charsetOf, encodeText } from '../fields/charset.js';
import type { Charset, DefaultCharset } from '../fields/charset.js';
import { UnimplementedFileMode } from '../errors.js';

/** Everything that can be sent as the body of a request. */
export type RequestBody =
  | string
  | ArrayBufferView
  | ArrayBuffer
  | Blob
  | URLSearchParams
  | FormData
  | FileHandle
  | Readable
  | ReadableStream
  | AsyncIterable<string | Uint8Array>
  | Iterable<string | Uint8Array>;

const ACCEPTED =
  'a string, Buffer, typed array, ArrayBuffer, Blob, URLSearchParams, FormData, FileHandle, stream.Readable, ReadableStream, ' +
  'or an iterable or async iterable of strings and bytes';

type Pieces = AsyncIterator<unknown> | Iterator<unknown>;

/** A body that comes in pieces: a Node stream that is listened to, or an iterator that is asked. */
export type Source = { stream: Readable; pieces: null } | { stream: null; pieces: Pieces };

/** A body, ready to be sent. */
export interface BodyPlan {
  /** The whole body, where it is at hand. */
  bytes: Buffer | null;
  source: Source | null;
  /** The number of bytes, where it is known. */
  length: number | null;
  /** Content-Type to send when the caller gave none. */
  contentType: string | null;
  /** The charset of string pieces; null when the declared one is not known, so that only bytes can be sent. */
  charset: Charset | null;
  /** What has to be waited for before the head may go out: a file's first block. Rejects with why the body cannot be sent. */
  prepare: (() => Promise<void>) | null;
  /** Whether it can be sent once more after it was sent in part: what is at hand, and what can be read from its start again. */
  replayable: boolean;
  /** Whether anything was taken from its source for a transport. An untouched plan can be sent as if for the first time. */
  touched: boolean;
}

/** What a connection brings to the planning of its requests. */
export interface PlanSettings {
  /** The size of the pieces a file is read in. */
  readonly blocksize: number;
  /** The charset of text whose Content-Type declares none. */
  readonly defaultCharset: DefaultCharset;
}

/**
 * @param contentType - the caller's Content-Type, whose charset decides how text is encoded
 * @returns null for no body
 * @throws TypeError for a body of another kind, text that the charset cannot hold, or a stream that has nothing left to read
 */
export function planBody(
  body: RequestBody | null | undefined,
  contentType: string | null,
  settings: PlanSettings,
): BodyPlan | null {
  if (body === null || body === undefined) return null;
  if (typeof body === 'string') {
    const declared = charsetOf(contentType, settings.defaultCharset);
    return planBytes(encodeText(body, declared), null, declared);
  }
  // Only text needs a charset that is known: bytes are what they are.
  const charset = knownCharset(contentType, settings.defaultCharset);
  if (typeof body !== 'object') throw wrongKind(body);
  if (ArrayBuffer.isView(body)) {
    const bytes = Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength);
    return planBytes(bytes, null, charset);
  }
  if (body instanceof ArrayBuffer || isSharedBuffer(body)) return planBytes(Buffer.from(body), null, charset);
  if (body instanceof URLSearchParams) {
    return planBytes(
      Buffer.from(body.toString(), 'latin1'),
      'application/x-www-form-urlencoded;charset=UTF-8',
      charset,
    );
  }
  if (isPlatformObject(body, 'Blob') || isPlatformObject(body, 'File')) {
    const blob = body as Blob;
    return { ...planPieces(webPieces(blob.stream()), charset), length: blob.size };
  }
  if (isPlatformObject(body, 'FormData')) {
    // The platform's own encoder: boundary, escaping and file parts are its job.
    const encoded = new Response(body as FormData);
    const pieces = webPieces(encoded.body as ReadableStream);
    return { ...planPieces(pieces, charset), contentType: encoded.headers.get('content-type') };
  }
  if (isFileHandle(body)) return planFile(body, settings.blocksize, charset);
  if (isNodeReadable(body)) return planStream(body, charset);
  if (body instanceof ReadableStream) {
    if (body.locked) throw new TypeError('the ReadableStream given as body is locked to a reader');
    return planPieces(webPieces(body), charset);
  }
  if (Symbol.asyncIterator in body)
    return planPieces((body as AsyncIterable<unknown>)[Symbol.asyncIterator](), charset);
  if (Symbol.iterator in body) return planPieces((body as Iterable<unknown>)[Symbol.iterator](), charset);
  throw wrongKind(body);
}

/** Tells a source that it will not be read any further: `return()` for an iterator, `destroy()` for a stream. */
export function cancelSource(source: Source): void {
  if (source.stream !== null) {
    source.stream.destroy();
    return;
  }
  try {
    // Not waited for: a generator that is stuck in its next() never answers.
    const returned: unknown = source.pieces.return?.();
    if (returned instanceof Promise) returned.catch(ignore);
  } catch {
    // What ended the upload is what the caller hears of.
  }
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
  if (piece instanceof ArrayBuffer) return Buffer.from(piece);
  throw new TypeError(`a body must yield strings or bytes, it yielded ${describeKind(piece)}`);
}

function knownCharset(contentType: string | null, fallback: DefaultCharset): Charset | null {
  try {
    return charsetOf(contentType, fallback);
  } catch {
    return null;
  }
}

function planBytes(bytes: Buffer, contentType: string | null, charset: Charset | null): BodyPlan {
  return {
    bytes,
    source: null,
    length: bytes.length,
    contentType,
    charset,
    prepare: null,
    replayable: true,
    touched: false,
  };
}

function planPieces(pieces: Pieces, charset: Charset | null): BodyPlan {
  return {
    bytes: null,
    source: { stream: null, pieces },
    length: null,
    contentType: null,
    charset,
    prepare: null,
    replayable: false,
    touched: false,
  };
}

/**
 * The pieces of a web stream through a reader, because the return() of the stream's own iterator waits for a read that may never end.
 * The stream is not locked before the first piece is asked for: until then the request may still be refused.
 */
function webPieces(stream: ReadableStream): AsyncIterator<unknown> {
  let reader: ReadableStreamDefaultReader<unknown> | null = null;
  return {
    next: () =>
      (reader ??= stream.getReader() as ReadableStreamDefaultReader<unknown>).read() as Promise<
        IteratorResult<unknown>
      >,
    async return() {
      await (reader ?? stream).cancel();
      return { done: true, value: undefined };
    },
  };
}

function planStream(stream: Readable, charset: Charset | null): BodyPlan {
  const failure = stream.errored ?? null;
  if (failure !== null) throw failure;
  if (stream.destroyed || stream.readableEnded) {
    throw new TypeError(
      'the stream given as body has been read to its end or destroyed, there is nothing left to send',
    );
  }
  return {
    bytes: null,
    source: { stream, pieces: null },
    length: null,
    contentType: null,
    charset,
    prepare: null,
    replayable: false,
    touched: false,
  };
}

/** The head does not depend on the file, but whether it can be read has to be known before the head goes out: its first block is. */
function planFile(handle: FileHandle, blocksize: number, charset: Charset | null): BodyPlan {
  const blocks = fileBlocks(handle, blocksize);
  let first: Promise<IteratorResult<Buffer>> | null = null;
  let taken = false;
  const pieces: AsyncIterator<unknown> = {
    next() {
      if (taken || first === null) return blocks.next();
      taken = true;
      return first;
    },
    return: () => blocks.return(undefined),
  };
  const prepare = async (): Promise<void> => {
    try {
      await (first ??= blocks.next());
    } catch (cause) {
      const { message } = cause as Error;
      throw Object.assign(new UnimplementedFileMode(`the file given as body cannot be read: ${message}`), {
        cause,
      });
    }
  };
  return { ...planPieces(pieces, charset), prepare };
}

/** The blocks of a file from its current position. The handle stays the caller's, and open. */
async function* fileBlocks(handle: FileHandle, blocksize: number): AsyncGenerator<Buffer, undefined> {
  for (;;) {
    const block = await readBlock(handle, blocksize);
    if (block.length === 0) return undefined;
    yield block;
  }
}

async function readBlock(handle: FileHandle, blocksize: number): Promise<Buffer> {
  const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafeSlow(blocksize), 0, blocksize, null);
  return buffer.subarray(0, bytesRead);
}

/** By name: to name the class itself would load it, and FormData takes longer to load than all of this library. */
function isPlatformObject(body: object, name: string): boolean {
  return Object.prototype.toString.call(body) === `[object ${name}]`;
}

function isFileHandle(body: object): body is FileHandle {
  return 'fd' in body && typeof body.fd === 'number' && 'createReadStream' in body && !('pipe' in body);
}

function isNodeReadable(body: object): body is Readable {
  return (
    body instanceof Readable ||
    ('pipe' in body && typeof body.pipe === 'function' && 'on' in body && 'readable' in body)
  );
}

function isSharedBuffer(body: object): body is ArrayBuffer {
  return typeof SharedArrayBuffer !== 'undefined' && body instanceof SharedArrayBuffer;
}

function wrongKind(body: unknown): TypeError {
  return new TypeError(`a body must be ${ACCEPTED}; got ${describeKind(body)}`);
}

function describeKind(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value !== 'object') return `${typeof value} ${String(value).slice(0, 40)}`;
  const prototype = Object.getPrototypeOf(value) as { constructor?: { name?: string } } | null;
  return `an object of type ${prototype?.constructor?.name ?? 'Object'}`;
}

function ignore(): void {}
