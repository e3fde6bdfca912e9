/**
 * The exceptions of http.client and a few of ours. (`TunnelError` lies with the tunnels, as it has fields.)
 *
 * Errors hold plain data only (no socket, no response, no connection), so that they can be logged, cloned and kept. The
 * protocol code throws them bare; `describeFailure` adds which exchange failed and how far it got.
 */
import { describeFailure, HTTPException } from './exception.js';
import type { Phase, TimerName } from './exception.js';

export {
  attachTo,
  describeFailure,
  describeSocketError,
  HTTPException,
  isOurs,
  shownByStreams,
} from './exception.js';
export type { DialledAddress, ExchangeData, Phase, TimerName } from './exception.js';

/** The connection has no socket and `autoOpen` is false, or it was closed under a pending call. */
export class NotConnected extends HTTPException {
  /** The name of the class. */
  override name = 'NotConnected';
  override readonly code: string = 'ERR_NOT_CONNECTED';
}

/** A host, port or request target that cannot be used. */
export class InvalidURL extends HTTPException {
  /** The name of the class. */
  override name = 'InvalidURL';
  override readonly code: string = 'ERR_INVALID_URL';
}

/** The peer answered in a version of HTTP other than 1.x. */
export class UnknownProtocol extends HTTPException {
  /** The name of the class. */
  override name = 'UnknownProtocol';
  override readonly code: string = 'ERR_UNKNOWN_PROTOCOL';
  /** The version text of the status line. */
  readonly version: string;

  constructor(version: string) {
    super(`the peer speaks ${quote(version)}, not HTTP/1.x`);
    this.version = version;
  }
}

/** A response with a Transfer-Encoding other than exactly `chunked` (RFC 9112 §6.1). */
export class UnknownTransferEncoding extends HTTPException {
  /** The name of the class. */
  override name = 'UnknownTransferEncoding';
  override readonly code: string = 'ERR_UNKNOWN_TRANSFER_ENCODING';
}

/** A `FileHandle` that cannot be read was given as a request body. */
export class UnimplementedFileMode extends HTTPException {
  /** The name of the class. */
  override name = 'UnimplementedFileMode';
  override readonly code: string = 'ERR_UNIMPLEMENTED_FILE_MODE';
}

/** The body ended before its framing said so. */
export class IncompleteRead extends HTTPException {
  /** The name of the class. */
  override name = 'IncompleteRead';
  override readonly code: string = 'ERR_INCOMPLETE_READ';
  /** The bytes that the failing call had gathered. What earlier calls returned is not in it. */
  readonly partial: Buffer;
  /** How many more bytes of the body were due; `null` when the framing did not say. */
  readonly expected: number | null;
  readonly #reason: string;
  readonly #received: number | null;

  /**
   * @param received - bytes of the body that had come in all, to whichever call they went; null when that is what was gathered
   * @internal
   */
  constructor(
    partial: Buffer,
    expected: number | null,
    reason = 'the body ended early',
    received: number | null = null,
  ) {
    const due = expected === null ? '' : `, ${String(expected)} more expected`;
    super(`${reason} (${describeProgress(partial.length, received)}${due})`);
    this.partial = partial;
    this.expected = expected;
    this.#reason = reason;
    this.#received = received;
  }

  /**
   * The same failure for another call.
   *
   * @param partial - what that call had gathered
   * @param received - bytes of the body that had come in all, where the reader knows it better
   * @internal
   */
  forCall(partial: Buffer, received: number | null = this.#received): IncompleteRead {
    const error = new IncompleteRead(partial, this.expected, this.#reason, received);
    if (this.cause !== undefined) error.cause = this.cause;
    describeFailure(error, this);
    return error;
  }
}

/** How far a body had come: `7 bytes read`, or `65536 bytes had come, 7 of them to this call`. */
function describeProgress(gathered: number, received: number | null): string {
  if (received === null || received <= gathered) return `${String(gathered)} bytes read`;
  const share = gathered === 0 ? '' : `, ${String(gathered)} of them to this call`;
  return `${String(received)} bytes had come${share}`;
}

/** A call that the connection's state does not allow. It changed nothing. */
export class ImproperConnectionState extends HTTPException {
  /** The name of the class. */
  override name = 'ImproperConnectionState';
  override readonly code: string = 'ERR_IMPROPER_CONNECTION_STATE';
}

/** A request was started while another one runs, or while the last response has unread bytes. */
export class CannotSendRequest extends ImproperConnectionState {
  /** The name of the class. */
  override name = 'CannotSendRequest';
  override readonly code: string = 'ERR_CANNOT_SEND_REQUEST';
}

/** `putHeader` or `endHeaders` outside of the state Request-started. */
export class CannotSendHeader extends ImproperConnectionState {
  /** The name of the class. */
  override name = 'CannotSendHeader';
  override readonly code: string = 'ERR_CANNOT_SEND_HEADER';
}

/** `getResponse` without a request that was sent. */
export class ResponseNotReady extends ImproperConnectionState {
  /** The name of the class. */
  override name = 'ResponseNotReady';
  override readonly code: string = 'ERR_RESPONSE_NOT_READY';
}

/** The peer's first line is not a status line. */
export class BadStatusLine extends HTTPException {
  /** The name of the class. */
  override name = 'BadStatusLine';
  override readonly code: string = 'ERR_BAD_STATUS_LINE';
  /** The line as far as it was received, ISO-8859-1. */
  readonly line: string;

  constructor(line: string, reason = 'not a status line') {
    super(describeLine(reason, line));
    this.line = line;
  }
}

/** The peer closed the connection before a single byte of a response. */
export class RemoteDisconnected extends BadStatusLine {
  /** The name of the class. */
  override name = 'RemoteDisconnected';
  override readonly code: string = 'ECONNRESET';

  constructor() {
    super('', 'the peer closed the connection without a response');
  }
}

/** The kinds of line that have a length limit. */
export type LineType = 'status line' | 'header line' | 'chunk size' | 'trailer line';

/** A line is longer than `limits.lineBytes`. */
export class LineTooLong extends HTTPException {
  /** The name of the class. */
  override name = 'LineTooLong';
  override readonly code: string = 'ERR_LINE_TOO_LONG';
  /** What kind of line. */
  readonly lineType: LineType;

  constructor(lineType: LineType, allowed: number) {
    super(`got more than ${String(allowed)} bytes when reading a ${lineType}`);
    this.lineType = lineType;
  }
}

/** A malformed field, framing fields that conflict or cannot be used, or a head cut off within its fields. */
export class BadHeader extends HTTPException {
  /** The name of the class. */
  override name = 'BadHeader';
  override readonly code: string = 'ERR_BAD_HEADER';
  /** The offending line as far as it was received, ISO-8859-1. */
  readonly line: string;

  constructor(line: string, reason: string) {
    super(describeLine(reason, line));
    this.line = line;
  }
}

/** A malformed chunk-size line, or no CRLF behind a chunk's data. */
export class BadChunk extends HTTPException {
  /** The name of the class. */
  override name = 'BadChunk';
  override readonly code: string = 'ERR_BAD_CHUNK';
}

/** What a limit other than the line length is about, for its message. */
const LIMITED: Readonly<Record<string, string>> = {
  maxBytes: 'the body is longer than maxBytes allows',
  maxWaiting: 'as many requests as maxWaiting allows are waiting for a connection already',
};

/** A bound of `Limits` other than the line length was passed, or the `maxBytes` of a reader, or the `maxWaiting` of a pool. */
export class LimitExceeded extends HTTPException {
  /** The name of the class. */
  override name = 'LimitExceeded';
  override readonly code: string = 'ERR_LIMIT_EXCEEDED';
  /** The key of `Limits`, `maxBytes` or `maxWaiting`. */
  readonly limit: string;
  /** Its value. */
  readonly allowed: number;

  constructor(limit: string, allowed: number) {
    const what = Object.hasOwn(LIMITED, limit) ? LIMITED[limit] : undefined;
    super(`${what ?? `the peer sent more than limits.${limit} allows`} (${String(allowed)})`);
    this.limit = limit;
    this.allowed = allowed;
  }
}

/** A body source yielded more or fewer bytes than the caller's Content-Length declared. */
export class ContentLengthMismatch extends HTTPException {
  /** The name of the class. */
  override name = 'ContentLengthMismatch';
  override readonly code: string = 'ERR_CONTENT_LENGTH_MISMATCH';
  /** Bytes that Content-Length declares. */
  readonly declared: number;
  /** Bytes of the body that were sent; never more than declared. */
  readonly sent: number;

  /** @param length - where the body ended, when that is not what was sent */
  constructor(declared: number, sent: number, surplus: boolean, length: number = sent) {
    const what = surplus ? 'yielded more' : `ended after ${String(length)}`;
    super(`Content-Length declares ${String(declared)} bytes, the body ${what}`);
    this.declared = declared;
    this.sent = sent;
  }
}

/** A redirect that may not be followed. Its response's connection has been let go. */
export class RedirectError extends HTTPException {
  /** The name of the class. */
  override name = 'RedirectError';
  override readonly code: string = 'ERR_REDIRECT_ERROR';
  /** The status that redirects. */
  readonly status: number;
  /** Where to, as the server sent it, but without user information. */
  readonly location: string;
  /** The absolute URLs that were asked, from the first. */
  readonly urls: readonly string[];

  /** @param reason - why it is not followed, as a clause: `5 redirects were followed already` */
  constructor(reason: string, status: number, location: string, urls: readonly string[]) {
    const bare = location.replace(/^([a-z][a-z0-9+.-]*:)?(\/\/)[^/?#]*@/i, '$1$2');
    super(`a redirect is not followed, ${reason}: ${String(status)} to ${quote(bare)}`);
    this.status = status;
    this.location = bare;
    this.urls = Array.from(urls);
  }
}

/** A download cannot go on: what the server has is no longer what was begun. */
export class ResourceChanged extends HTTPException {
  /** The name of the class. */
  override name = 'ResourceChanged';
  override readonly code: string = 'ERR_RESOURCE_CHANGED';
  /** The offset of the next byte that was wanted. */
  readonly position: number;
  /** What it was known by: a validator, or a total; null for none. */
  readonly was: string | number | null;
  /** What the server says now; null for nothing. */
  readonly now: string | number | null;

  constructor(position: number, was: string | number | null, now: string | number | null) {
    const [before, after] = [was, now].map((value) => (value === null ? 'unnamed' : quote(String(value))));
    super(
      `the resource has changed at byte ${String(position)}: it was ${before ?? ''}, it is ${after ?? ''} now`,
    );
    this.position = position;
    this.was = was;
    this.now = now;
  }
}

/** A content coding that is not known or not allowed, or content that does not decode. */
export class BadEncoding extends HTTPException {
  /** The name of the class. */
  override name = 'BadEncoding';
  override readonly code: string = 'ERR_BAD_ENCODING';
}

/** A clock ran out. */
export class TimeoutError extends HTTPException {
  /** The name of the class. */
  override name = 'TimeoutError';
  override readonly code: string = 'ERR_TIMEOUT_ERROR';
  /** Which clock. */
  readonly timer: TimerName;

  constructor(timer: TimerName, phase: Phase, ms: number) {
    super(`the ${timer} timeout of ${String(ms)} ms ran out ${DOING[phase]}`);
    this.timer = timer;
    this.phase = phase;
  }
}

const DOING: Readonly<Record<Phase, string>> = {
  connect: 'while connecting',
  tunnel: 'while the proxy opened the tunnel',
  send: 'while sending the request',
  response: 'while waiting for the response',
  body: 'while reading the body',
};

/** What is wrong, and with which line if there is one. */
function describeLine(reason: string, line: string): string {
  return line === '' ? reason : `${reason}: ${quote(line)}`;
}

/** At most 80 characters of peer text, escaped, so that a message is one printable line. */
function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
