/**
 * What kind of body a caller gave, and how it will be framed and read. Decided before anything is dialled; nothing is sent here.
 */
import { Readable } from 'node:stream';
import { types } from 'node:util';
import type { FileHandle } from 'node:fs/promises';
import { charsetOf, encodeText } from '../fields/charset.js';
import type { Charset, DefaultCharset } from '../fields/charset.js';
import { HTTPMessage } from '../fields/message.js';
import { UnimplementedFileMode } from '../errors.js';
import { FileBlocks } from './file-blocks.js';
import { REQUEST_OPTIONS } from './request-options.js';
import { checkedSize, encodeForm } from './form-data.js';
import {
  describeKind,
  iteratorOf,
  repeatablePieces,
  streamEnded,
  streamFailure,
  webPieces,
} from './source.js';
import type { Pieces, Source } from './source.js';

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
  /**
   * Whether anything was taken from its source for a transport. An untouched plan can be sent as if for the first time: the plan, not
   * what the caller gave, as a file may have been read into it.
   */
  touched: boolean;
}

/**
 * Whether a plan can be sent once more: `repeatable` from its start, `untouched` as it never was sent, or `spent`, which a source that
 * was told that no more is wanted is as well.
 */
export function repeatabilityOf(body: BodyPlan | null): 'repeatable' | 'untouched' | 'spent' {
  if (body === null || body.replayable) return 'repeatable';
  return body.touched || body.source?.cancelled === true ? 'spent' : 'untouched';
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
  // Not instanceof: those of another realm, as in a test runner's sandbox, are bytes too.
  if (types.isAnyArrayBuffer(body)) return planBytes(Buffer.from(body), null, charset);
  if (body instanceof URLSearchParams) {
    return planBytes(
      Buffer.from(body.toString(), 'latin1'),
      'application/x-www-form-urlencoded;charset=UTF-8',
      charset,
    );
  }
  if (isBlob(body)) {
    const length = checkedSize(body);
    return {
      ...planPieces(
        repeatablePieces(() => webPieces(body.stream())),
        charset,
      ),
      length,
      replayable: true,
    };
  }
  if (isFormData(body)) {
    const { pieces, length, contentType: type } = encodeForm(body);
    return { ...planPieces(pieces, charset), length, contentType: type, replayable: true };
  }
  if (isFileHandle(body)) return planFile(body, settings.blocksize, charset);
  if (isNodeReadable(body)) return planStream(body, charset);
  if (body instanceof ReadableStream) {
    if (body.locked) throw new TypeError('the ReadableStream given as body is locked to a reader');
    return planPieces(webPieces(body), charset);
  }
  if (areFields(body)) throw wrongKind(body);
  if (Symbol.asyncIterator in body)
    return planPieces(iteratorOf((body as AsyncIterable<unknown>)[Symbol.asyncIterator]()), charset);
  if (Symbol.iterator in body)
    return planPieces(iteratorOf((body as Iterable<unknown>)[Symbol.iterator]()), charset);
  throw wrongKind(body);
}

/**
 * The same for `send`, which has nothing to do without data.
 *
 * @throws TypeError as {@link planBody}, and for nothing at all
 */
export function planSend(
  data: RequestBody | null | undefined,
  contentType: string | null,
  settings: PlanSettings,
): BodyPlan {
  const plan = planBody(data, contentType, settings);
  if (plan !== null) return plan;
  throw new TypeError(`send() needs data to send: ${ACCEPTED}; got ${String(data)}`);
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
  return planSource({ stream: null, pieces, giveBack: null, cancelled: false }, charset);
}

function planSource(source: Source, charset: Charset | null): BodyPlan {
  return {
    bytes: null,
    source,
    length: null,
    contentType: null,
    charset,
    prepare: null,
    replayable: false,
    touched: false,
  };
}

function planStream(stream: Readable, charset: Charset | null): BodyPlan {
  if (streamEnded(stream)) {
    // Of a message that was read to its end nothing is left, and that is what is sent. Of any other stream it is a mistake.
    if (isMessage(stream)) return planPieces([][Symbol.iterator](), charset);
    throw new TypeError('the stream given as body has been read to its end, there is nothing left to send');
  }
  const failure = streamFailure(stream);
  if (failure === null)
    return planSource({ stream, pieces: null, giveBack: null, cancelled: false }, charset);
  // oxlint-disable-next-line typescript/only-throw-error -- the very error of the caller's stream
  if (stream.errored === failure) throw failure;
  throw new TypeError('the stream given as body has been destroyed, there is nothing left to send');
}

/** The head does not depend on the file, but whether it can be read has to be known before the head goes out: its first block is. */
function planFile(handle: FileHandle, blocksize: number, charset: Charset | null): BodyPlan {
  const pieces = new FileBlocks(handle, blocksize);
  const giveBack = (block: Buffer): void => {
    pieces.giveBack(block);
  };
  const prepare = async (): Promise<void> => {
    try {
      await pieces.prepare();
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw Object.assign(new UnimplementedFileMode(`the file given as body cannot be read: ${why}`), {
        cause,
      });
    }
  };
  return { ...planSource({ stream: null, pieces, giveBack, cancelled: false }, charset), prepare };
}

/**
 * The tag is only looked at first because to name the class itself loads it, and FormData takes longer to load than all of this library.
 * It proves nothing: others' classes carry it too (npm's form-data is a stream), and are told by what they are.
 */
function isFormData(body: object): body is FormData {
  return tagOf(body) === '[object FormData]' && body instanceof FormData;
}

function isBlob(body: object): body is Blob {
  const tag = tagOf(body);
  return (tag === '[object Blob]' || tag === '[object File]') && body instanceof Blob;
}

function tagOf(body: object): string {
  return Object.prototype.toString.call(body);
}

/** What nobody sends as a body, and many give in its place: fields, as a message, `Headers`, a Map, or a list of pairs. */
function areFields(body: object): boolean {
  return (
    body instanceof HTTPMessage ||
    body instanceof Map ||
    (tagOf(body) === '[object Headers]' && body instanceof Headers) ||
    (Array.isArray(body) && Array.isArray(body[0]))
  );
}

/** A message of HTTP, by what all of them have: this library's responses, and what Node's servers and clients receive. */
function isMessage(stream: Readable): boolean {
  return 'headers' in stream && ('status' in stream || 'statusCode' in stream);
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

function wrongKind(body: unknown): TypeError {
  return new TypeError(`a body must be ${ACCEPTED}${adviceFor(body)}; got ${describeKind(body)}`);
}

function adviceFor(body: unknown): string {
  if (typeof body === 'function') return ' (a function is called by whoever gives it)';
  if (typeof body !== 'object' || body === null) return '';
  if (areFields(body)) return ' (fields are the argument behind the body)';
  const prototype: unknown = Object.getPrototypeOf(body);
  if (prototype !== Object.prototype && prototype !== null) return '';
  const names = Object.keys(body);
  if (names.length > 0 && names.every((name) => REQUEST_OPTIONS.has(name)))
    return ' (options are the argument behind the fields)';
  return ' (fields are the argument behind the body; an object is sent as JSON.stringify(object))';
}
