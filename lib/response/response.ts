/**
 * `HTTPResponse`: a head and the body that belongs to it, as http.client shows it and as a Readable.
 *
 * It knows the connection only as the source of its bytes (`BodySource`), so it can be made and tested alone. It parses nothing and
 * never decides about the connection.
 */
import type { FileHandle } from 'node:fs/promises';
import type { InspectOptions } from 'node:util';
import { BodyReaders, checkBound } from './body-readers.js';
import type { ReadOptions } from './body-readers.js';
import type { BodySource } from './body-sink.js';
import type { BodyBuffer } from './body-buffer.js';
import { lineDecoderFor, textDecoderFor } from '../fields/charset.js';
import { HTTPMessage, messageOf } from '../fields/message.js';
import { MAX_MS, namesOf, readOptions } from '../options.js';
import type { Framing } from '../protocol/framing.js';
import type { ResponseHead } from '../protocol/response-parser.js';
import type { Timings } from '../timing.js';
import { planSave, saveBody } from './save.js';
import type { SaveOptions } from './save.js';

/** What a response knows of its request and its connection. */
export interface ResponseContext {
  method: string;
  url: string;
  debugLevel: number;
  /** Whether the connection had carried a request before. */
  readonly reused: boolean;
  /** The peer's address; null where there is none. */
  readonly remoteAddress: string | null;
  /** The URLs before this one, where redirects led here. */
  readonly redirectedFrom?: readonly string[] | undefined;
  /** When things happened. */
  readonly timing: { read(): Timings };
  /** The descriptor of the socket; -1 where the platform shows none. */
  fileno(): number;
  /** Whether the connection could be used again, now that the response is complete. */
  reusable(): boolean;
}

/** All that a response is made of, but for its body. */
export interface ResponseOrigin {
  readonly head: ResponseHead;
  readonly framing: Framing;
  readonly context: ResponseContext;
}

type Inspect = (value: unknown, options: InspectOptions) => string;

/** Bounds on {@link HTTPResponse.drain}. */
export interface DrainOptions {
  /** Bytes to discard at the most. Default: no bound. */
  maxBytes?: number | undefined;
  /** Milliseconds to spend at the most. Default: no bound. */
  timeout?: number | undefined;
}

const DRAIN_OPTIONS = namesOf<DrainOptions>({ maxBytes: true, timeout: true });

/** The response to a request (http.client.HTTPResponse): a Readable of the body's bytes, with the head beside it. */
export class HTTPResponse extends BodyReaders {
  static {
    // What `console.log` shows: the head, and where the body stands, instead of the stream's machinery.
    Object.defineProperty(this.prototype, Symbol.for('nodejs.util.inspect.custom'), {
      value(this: HTTPResponse, depth: number, options: InspectOptions, inspect: Inspect): string {
        return this.#inspect(depth, options, inspect);
      },
      configurable: true,
      writable: true,
    });
  }

  /** The status code, 100 to 999. */
  readonly status: number;
  /** The reason phrase, possibly empty. */
  readonly reason: string;
  /** 10 for HTTP/1.0, 11 for HTTP/1.1 and later minor versions. */
  readonly version: 10 | 11;
  /** The request's method. */
  readonly method: string;
  /** The request's target, as the caller gave it. */
  readonly url: string;
  /** Whether the body is in the chunked transfer coding. */
  readonly chunked: boolean;
  /** Whether the connection closes behind this response. */
  readonly willClose: boolean;
  /** The connection's debug level when the response was made. */
  readonly debugLevel: number;
  /** Whether the connection had carried a request before. */
  readonly reused: boolean;
  /** The peer's IP address; null where there is none, as on a stream that was given. */
  readonly remoteAddress: string | null;

  readonly #timing: { read(): Timings };
  readonly #head: ResponseHead;
  readonly #framing: Framing;
  readonly #context: ResponseContext;
  #headers: HTTPMessage | null = null;
  #trailerFields: string[] = [];
  #trailers: HTTPMessage | null = null;

  /** @internal */
  constructor(head: ResponseHead, framing: Framing, context: ResponseContext, source: BodySource) {
    super(source);
    this.status = head.status;
    this.reason = head.reason;
    this.version = head.version;
    this.#head = head;
    this.method = context.method;
    this.url = context.url;
    this.debugLevel = context.debugLevel;
    this.reused = context.reused;
    this.remoteAddress = context.remoteAddress;
    this.#timing = context.timing;
    this.chunked = framing.kind === 'chunked';
    this.willClose = !framing.keepAlive;
    this.#framing = framing;
    this.#context = context;
  }

  /** The absolute URLs before {@link url}, from the first, where a client followed redirects; else empty. */
  get redirectedFrom(): string[] {
    return [...(this.#context.redirectedFrom ?? [])];
  }

  /** When things happened, in milliseconds since the request was made, to the precision of a turn of the event loop. */
  get timings(): Timings {
    return this.#timing.read();
  }

  /** The fields of the head. */
  get headers(): HTTPMessage {
    return (this.#headers ??= messageOf(this.#head.fields));
  }

  /** The same object as {@link headers}; http.client's name. */
  get msg(): HTTPMessage {
    return this.headers;
  }

  /** The trailer fields; empty until the reader has reached the end of the body. */
  get trailers(): HTTPMessage {
    if (!this.endReached) return new HTTPMessage();
    return (this.#trailers ??= messageOf(this.#trailerFields));
  }

  /** Bytes of the body still to be read; null when the framing does not say. */
  override get length(): number | null {
    const declared = this.#framing.length;
    return declared === null ? null : declared - this.readBytes;
  }

  /** The value of a field, null when it is missing; repeated fields are joined with `, `. */
  getHeader(name: string): string | null;
  /**
   * The value of a field; repeated fields are joined with `, `.
   *
   * @param defaultValue - returned when the field is missing; an iterable other than a string is joined the same way
   */
  getHeader<T>(name: string, defaultValue: T): string | T;
  getHeader(name: string, defaultValue: unknown = null): unknown {
    const values = this.headers.getAll(name);
    if (values.length > 0) return values.join(', ');
    const isList =
      typeof defaultValue === 'object' && defaultValue !== null && Symbol.iterator in defaultValue;
    return isList ? [...(defaultValue as Iterable<unknown>)].map(String).join(', ') : defaultValue;
  }

  /** The fields as pairs, in the order received. */
  getHeaders(): [name: string, value: string][] {
    return [...this.headers];
  }

  /** Whether the body was read to its end and the connection let go. */
  isClosed(): boolean {
    return this.endReached || (this.complete && this.unreadBytes === 0) || this.destroyed;
  }

  /** The descriptor of the socket; -1 where the platform shows none, and once the connection is gone. */
  fileno(): number {
    return this.#context.fileno();
  }

  /** The same as {@link headers}. */
  info(): HTTPMessage {
    return this.headers;
  }

  /** The same as {@link url}. */
  geturl(): string {
    return this.url;
  }

  /** The same as {@link status}. */
  getcode(): number {
    return this.status;
  }

  /** The lines that are left, decoded by the charset of Content-Type (UTF-8 without one), without their ends (LF or CRLF). */
  async *lines(): AsyncIterableIterator<string> {
    const { decode, behindLF } = lineDecoderFor(this.headers.get('content-type'));
    let text = '';
    let finished = false;
    try {
      while (!finished) {
        // Line by line, not by pieces: whoever reads between two lines goes on behind the first.
        let line = this.takeReady(takeLine) ?? (await this.readline());
        finished = line.length === 0;
        if (behindLF > 0 && !finished) line = Buffer.concat([line, await this.readbytes(behindLF)]);
        // What is left of the text holds no LF, so the search goes on behind it.
        const searched = text.length;
        text += decode(line);
        let start = 0;
        for (let end = text.indexOf('\n', searched); end !== -1; end = text.indexOf('\n', start)) {
          yield withoutCR(text.slice(start, end));
          start = end + 1;
        }
        text = text.slice(start);
      }
      if (text !== '') yield text;
    } finally {
      if (!finished) this.destroy();
    }
  }

  /**
   * What is left of the body as text, by the charset of Content-Type, UTF-8 without one.
   *
   * @throws TypeError for a charset that the platform does not know
   * @throws LimitExceeded as {@link readall}
   * @throws IncompleteRead
   */
  async text(options?: ReadOptions): Promise<string> {
    const decode = textDecoderFor(this.headers.get('content-type'));
    return decode(await this.readall(options));
  }

  /**
   * What is left of the body, parsed as JSON. Nothing checks that it is a `T`.
   *
   * @throws SyntaxError when it is not JSON
   * @throws LimitExceeded as {@link readall}
   * @throws IncompleteRead
   */
  async json<T = unknown>(options?: ReadOptions): Promise<T> {
    return JSON.parse(await this.text(options)) as T;
  }

  /**
   * Writes what is left to a file: received and written side by side through a few buffers, without a copy.
   *
   * When either side fails the other is ended and the error is given: the file's own for a full disk or a reader of a FIFO that has gone,
   * and the connection is closed then. The file keeps what was written, which is all that had come when the body was cut short.
   *
   * @param file - a path or `file:` URL, to be opened as the options say; or a FileHandle, which is written at its position and stays open
   * @returns the number of bytes written
   * @throws TypeError for anything else as file, and for unknown options; the body can then still be read
   * @throws IncompleteRead when the body is cut short
   */
  async save(file: string | URL | FileHandle, options?: SaveOptions): Promise<number> {
    const target = planSave(file, options);
    return this.inTurn((buffer) => saveBody(buffer, target, this.length));
  }

  /**
   * Reads what is left and drops it, so that the connection can be used again.
   *
   * @returns true when the connection can be used again; false when a bound was met and the connection closed, or the peer closes anyway
   * @throws TypeError for a bound that is no number or negative
   * @throws IncompleteRead when the body is cut short
   */
  async drain(options?: DrainOptions): Promise<boolean> {
    const bounds = readOptions(options, DRAIN_OPTIONS);
    const maxBytes = checkBound('maxBytes', bounds.maxBytes);
    const timeout = checkBound('timeout', bounds.timeout);
    const limit = { expired: false };
    const giveUp = (): void => {
      limit.expired = true;
      this.destroy();
    };
    const timer = timeout > MAX_MS ? undefined : setTimeout(giveUp, timeout);
    try {
      let discarded = 0;
      for (;;) {
        if (this.length !== null && discarded + this.length > maxBytes) break;
        const { length } = await this.peek();
        if (length === 0) return this.#context.reusable();
        discarded += length;
        if (discarded > maxBytes) break;
        await this.read1(length);
      }
    } catch (error) {
      if (!limit.expired) throw error;
    } finally {
      clearTimeout(timer);
    }
    this.destroy();
    return false;
  }

  #inspect(depth: number, options: InspectOptions, inspect: Inspect): string {
    const name = this.constructor.name;
    if (depth < 0) return `[${name}]`;
    const { status, reason, version, method, url, headers } = this;
    const shown = { status, reason, version, method, url, headers, body: this.#describeBody() };
    return `${name} ${inspect(shown, options)}`;
  }

  #describeBody(): string {
    const read = `${String(this.readBytes)} bytes read`;
    if (this.endReached || (this.complete && this.unreadBytes === 0)) return `read to its end, ${read}`;
    if (this.destroyed) return `given up, ${read}`;
    const due = this.complete ? this.unreadBytes : this.length;
    const received = `${String(this.unreadBytes)} received and unread`;
    return `${read}, ${received}, ${due === null ? 'its end unknown' : `${String(due)} to be read in all`}`;
  }

  /** Bytes that a new request would have to step over; null when they cannot be counted, 0 when there are none. @internal */
  get pendingBytes(): number | null {
    if (this.destroyed) return 0;
    return this.complete ? this.unreadBytes : this.length;
  }

  /** Bytes of the body that have not come yet; null when the framing does not say. @internal */
  get dueBytes(): number | null {
    return this.length === null ? null : this.length - this.unreadBytes;
  }

  /** @internal */
  setTrailers(fields: string[]): void {
    this.#trailerFields = fields;
  }

  /** @internal */
  passTrailersTo(other: HTTPResponse): void {
    other.setTrailers(this.#trailerFields);
  }

  /**
   * What a response is made of that shows this one's head, from another source.
   *
   * @internal
   */
  get origin(): ResponseOrigin {
    const { method, url, debugLevel, reused, remoteAddress } = this;
    const context: ResponseContext = {
      method,
      url,
      debugLevel,
      reused,
      remoteAddress,
      redirectedFrom: this.#context.redirectedFrom,
      timing: this.#timing,
      fileno: () => this.fileno(),
      reusable: () => this.#context.reusable(),
    };
    return { head: this.#head, framing: this.#framing, context };
  }
}

const takeLine = (buffer: BodyBuffer): Buffer | null => buffer.takeLine();

function withoutCR(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line;
}
