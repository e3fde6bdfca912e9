/**
 * The exceptions of http.client and a few of ours, with the data that an error about an exchange carries.
 *
 * Errors hold plain data only (no socket, no response, no connection), so that they can be logged, cloned and kept. The
 * protocol code throws them bare; `describeFailure` is the one place that adds which exchange failed and how far it got.
 */

/** What an exchange was doing when it failed. */
export type Phase = 'connect' | 'tunnel' | 'send' | 'response' | 'body';

/** The clock that ran out: a phase's own, or the one over the whole exchange. */
export type TimerName = 'connect' | 'send' | 'response' | 'body' | 'total';

/** Plain data about the exchange an error belongs to. Each is absent when it is not known. */
export interface ExchangeData {
  /** The request's method, as the caller gave it. */
  method?: string | undefined;
  /** The request's target, as the caller gave it. */
  url?: string | undefined;
  /** What the exchange was doing. */
  phase?: Phase | undefined;
  /** Bytes of this exchange handed to the network, head included. */
  bytesSent?: number | undefined;
  /** Bytes of this exchange received from the network, heads included. */
  bytesReceived?: number | undefined;
  /** Whether the exchange ran on a connection that had served one before. */
  reused?: boolean | undefined;
}

/** Base of every exception of this library. Wrong arguments are `TypeError`s, and socket errors stay Node's own. */
export class HTTPException extends Error implements ExchangeData {
  /** The name of the class. */
  override name = 'HTTPException';
  /** Stable: `ERR_` and the class name in snake case. */
  readonly code: string = 'ERR_HTTP_EXCEPTION';
  declare method?: string | undefined;
  declare url?: string | undefined;
  declare phase?: Phase | undefined;
  declare bytesSent?: number | undefined;
  declare bytesReceived?: number | undefined;
  declare reused?: boolean | undefined;
}

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

  constructor(partial: Buffer, expected: number | null, reason = 'the body ended early') {
    const due = expected === null ? '' : `, ${String(expected)} more expected`;
    super(`${reason} (${String(partial.length)} bytes read${due})`);
    this.partial = partial;
    this.expected = expected;
    this.#reason = reason;
  }

  /**
   * The same failure for another call, with what that one had gathered.
   *
   * @internal
   */
  forCall(partial: Buffer): IncompleteRead {
    const error = new IncompleteRead(partial, this.expected, this.#reason);
    if (this.cause !== undefined) error.cause = this.cause;
    describeFailure(error, this);
    return error;
  }
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

/** A bound of `Limits` other than the line length was passed. */
export class LimitExceeded extends HTTPException {
  /** The name of the class. */
  override name = 'LimitExceeded';
  override readonly code: string = 'ERR_LIMIT_EXCEEDED';
  /** The key of `Limits`. */
  readonly limit: string;
  /** Its value. */
  readonly allowed: number;

  constructor(limit: string, allowed: number) {
    super(`the peer sent more than limits.${limit} allows (${String(allowed)})`);
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

/** The proxy refused to open the tunnel. */
export class TunnelError<Headers = unknown> extends HTTPException {
  /** The name of the class. */
  override name = 'TunnelError';
  override readonly code: string = 'ERR_TUNNEL_ERROR';
  /** The proxy's status code. */
  readonly status: number;
  /** Its reason phrase. */
  readonly reason: string;
  /** The proxy's fields, an `HTTPMessage`: a 407 names its schemes in `Proxy-Authenticate`. */
  readonly headers: Headers;

  constructor(status: number, reason: string, headers: Headers) {
    super(`the proxy refused the tunnel: ${String(status)} ${reason}`.trimEnd());
    this.status = status;
    this.reason = reason;
    this.headers = headers;
  }
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

/**
 * Adds to an error which exchange it ended and how far that got. Data that the error has already stays; a message is
 * completed only on exceptions of ours, a socket error keeps Node's text.
 */
export function describeFailure(error: unknown, data: ExchangeData): void {
  if (!(error instanceof Error) || !Object.isExtensible(error)) return;
  const target = error as ExchangeData & Error;
  const described = target.method !== undefined;
  target.method ??= data.method;
  target.url ??= data.url;
  target.phase ??= data.phase;
  target.bytesSent ??= data.bytesSent;
  target.bytesReceived ??= data.bytesReceived;
  target.reused ??= data.reused;
  if (described || !(error instanceof HTTPException) || data.method === undefined) return;
  const progress = `${String(data.bytesSent ?? 0)} bytes sent, ${String(data.bytesReceived ?? 0)} received`;
  error.message = `${data.method} ${data.url ?? ''}: ${error.message} (${progress}${data.reused === true ? ', reused connection' : ''})`;
}

/** What is wrong, and with which line if there is one. */
function describeLine(reason: string, line: string): string {
  return line === '' ? reason : `${reason}: ${quote(line)}`;
}

/** At most 80 characters of peer text, escaped, so that a message is one printable line. */
function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
