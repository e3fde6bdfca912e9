/**
 * Reads responses from bytes: heads, interim heads, bodies, trailers (RFC 9112 §4 to §7).
 *
 * One response at a time. It stops behind the last byte of a response and says so; what follows is surplus and the caller's, whether
 * that is a tunnel's first bytes or a reason to close. It does no I/O and keeps no clock; every violation is thrown.
 */
import { LimitExceeded, RemoteDisconnected } from '../errors.js';
import type { Limits } from '../limits.js';
import { ChunkedReader } from './chunked.js';
import type { BodyReader } from './chunked.js';
import { decideByFields, decideFraming } from './framing.js';
import type { Framing } from './framing.js';
import { HeadReader } from './head-reader.js';
import type { StatusLine } from './status-line.js';
import { readPlainHead } from './plain-head.js';
import { LengthReader, UntilCloseReader } from './plain-body.js';

/** A head, interim or final. */
export interface ResponseHead extends StatusLine {
  /** `[name, value, name, value, …]` in the order received. */
  readonly fields: string[];
  /** The head as it came, where it is at hand: to look for one field costs less than to make strings of all. */
  readonly text?: string;
}

/** Takes what the parser finds, in order: any number of interim heads, one head, pieces of body, one end. */
export interface ResponseHandler {
  onInterim(head: ResponseHead): void;
  onHead(head: ResponseHead, framing: Framing): void;
  /** The bytes are lent for the call. */
  onBody(bytes: Buffer): void;
  /** The response is complete. */
  onEndOfResponse(trailers: string[]): void;
}

const NO_TRAILERS: string[] = [];

export class ResponseParser {
  /** Whether the response is complete. Then `write` uses nothing until `reset`. */
  done = false;

  readonly #limits: Readonly<Limits>;
  readonly #handler: ResponseHandler;
  readonly #head: HeadReader;
  readonly #emit: (bytes: Buffer) => void;
  #method: string;
  #interimResponses = 0;
  #body: BodyReader | null = null;
  #switched = false;

  constructor(method: string, limits: Readonly<Limits>, handler: ResponseHandler) {
    this.#method = method;
    this.#limits = limits;
    this.#handler = handler;
    this.#head = new HeadReader('response head', limits);
    this.#emit = (bytes) => {
      handler.onBody(bytes);
    };
  }

  /** Makes the parser ready for the response to another request. */
  reset(method: string): void {
    this.done = false;
    this.#method = method;
    this.#interimResponses = 0;
    this.#body = null;
    this.#switched = false;
    this.#head.reset();
  }

  /** Ends the reading of this response at once: a `write` that is under way uses no further byte. */
  stop(): void {
    this.done = true;
  }

  /** The reader of the body; null before the head is complete, and when there is no body. */
  get body(): BodyReader | null {
    return this.#body;
  }

  /**
   * Reads on from `from`. The bytes may be overwritten (chunks are decoded in place).
   *
   * @returns the index behind the last byte used; less than `bytes.length` only when the response is complete.
   */
  write(bytes: Buffer, from: number): number {
    let at = from;
    while (at < bytes.length && !this.done) {
      if (this.#body === null) {
        const plain = this.#head.started ? null : readPlainHead(bytes, at, this.#limits);
        if (plain !== null) {
          at += plain.bytes;
          if (!this.#skipInterim(plain))
            this.#begin(plain, decideByFields(this.#method, plain, plain.framing));
          continue;
        }
        at = this.#head.write(bytes, at);
        if (!this.#head.done) continue;
        const { version, status, reason } = this.#head.statusLine;
        const fields = this.#head.fields();
        const head = { version, status, reason, fields };
        if (!this.#skipInterim(head)) this.#begin(head, decideFraming(this.#method, head, fields));
      } else {
        at = this.#body.write(bytes, at, this.#emit);
        this.#finishBody();
      }
    }
    return at;
  }

  /** So many bytes of the body, at most its `dataAhead`, were read elsewhere. */
  skipBody(count: number): void {
    this.#body?.skipData(count);
    this.#finishBody();
  }

  /** Whether a byte of this response has been read. */
  get started(): boolean {
    return this.#body !== null || this.#interimResponses > 0 || this.#head.started;
  }

  /** Whether the response ended HTTP on this connection: a 101, or a 2xx to CONNECT. */
  get switched(): boolean {
    return this.#switched;
  }

  /** Whether only the end of the connection ends the body. */
  get untilClose(): boolean {
    return this.#body instanceof UntilCloseReader;
  }

  /**
   * The peer will send no more.
   *
   * @throws RemoteDisconnected before a status line
   * @throws BadStatusLine or BadHeader within a head
   * @throws IncompleteRead within a body
   */
  end(): void {
    if (this.done) return;
    if (this.#body === null) throw this.#head.started ? this.#head.truncated() : new RemoteDisconnected();
    this.#body.end();
    this.#finishBody();
  }

  /** Whether it is an interim head. */
  #skipInterim(head: ResponseHead): boolean {
    if (head.status >= 200 || head.status === 101) return false;
    if (++this.#interimResponses > this.#limits.interimResponses) {
      throw new LimitExceeded('interimResponses', this.#limits.interimResponses);
    }
    this.#head.reset();
    this.#handler.onInterim(head);
    return true;
  }

  /** The final head is there. */
  #begin(head: ResponseHead, framing: Framing): void {
    const body = this.#readerFor(framing);
    this.#switched = framing.kind === 'switch';
    this.#body = body;
    if (body === null) this.done = true;
    this.#handler.onHead(head, framing);
    // A handler may have stopped the parser or started the next response.
    if (body === null && this.#body === null) this.#handler.onEndOfResponse(NO_TRAILERS);
  }

  #readerFor(framing: Framing): BodyReader | null {
    switch (framing.kind) {
      case 'length':
        return framing.length === 0 ? null : new LengthReader(framing.length as number);
      case 'chunked':
        return new ChunkedReader(this.#limits);
      case 'until close':
        return new UntilCloseReader();
      case 'none':
      case 'switch':
        return null;
    }
  }

  #finishBody(): void {
    const body = this.#body;
    if (this.done || body === null || !body.done) return;
    this.done = true;
    this.#body = null;
    this.#handler.onEndOfResponse(body instanceof ChunkedReader ? body.trailers() : NO_TRAILERS);
  }
}
