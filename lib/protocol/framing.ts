/**
 * Where a response body ends and whether its connection lives on (RFC 9112 §6.3, §9.3; RFC 9110 §7.6.1).
 *
 * Decided once, from the status line and the fields alone. Anything that two recipients could read in two ways is refused: that
 * is how smuggling begins.
 */
import { BadHeader, UnknownTransferEncoding } from '../errors.js';
import { listMembers, readDecimal } from './grammar.js';
import type { StatusLine } from './status-line.js';

/**
 * How a body ends: at once, after so many bytes, with the last chunk, with the connection; or HTTP itself ends with the head, after
 * a 101 or a 2xx to CONNECT.
 */
export type BodyKind = 'none' | 'length' | 'chunked' | 'until close' | 'switch';

export interface Framing {
  kind: BodyKind;
  /** Bytes of the body for `length`; 0 for `none` and `switch`; null when the framing does not say. */
  length: number | null;
  /** Whether the peer lets the connection be used again after this response. */
  keepAlive: boolean;
  /** Whether the peer says that it closes. */
  closes: boolean;
}

/** What the fields say about framing, gathered in one pass. */
export interface FramingFields {
  /**
   * Null without the field; several are joined with a comma, which makes them unusable. A number only for digits that are written as
   * `String` writes them.
   */
  contentLength: string | number | null;
  transferEncoding: string | null;
  close: boolean;
  keepAlive: boolean;
}

/**
 * @param fields - `[name, value, …]`
 * @throws BadHeader when the framing fields conflict or cannot be used
 * @throws UnknownTransferEncoding for any coding but one `chunked`
 */
export function decideFraming(method: string, line: StatusLine, fields: readonly string[]): Framing {
  const found = noFramingFields();
  for (let i = 0; i < fields.length; i += 2)
    addFramingField(found, fields[i] as string, fields[i + 1] as string);
  return decideByFields(method, line, found);
}

/** As {@link decideFraming}, from what was gathered while the head was scanned. */
export function decideByFields(method: string, line: StatusLine, found: Readonly<FramingFields>): Framing {
  const { contentLength, transferEncoding, close, keepAlive: asked } = found;
  const { status, version } = line;
  const keepAlive = !close && (version === 11 || asked);
  if (status === 101 || (method === 'CONNECT' && status >= 200 && status < 300)) {
    return { kind: 'switch', length: 0, keepAlive: false, closes: close };
  }
  // Also without a body: a peer whose framing fields contradict each other is out of step with somebody.
  if (transferEncoding !== null && contentLength !== null) {
    throw new BadHeader(`Transfer-Encoding: ${transferEncoding}`, 'Transfer-Encoding beside Content-Length');
  }
  const length = contentLength === null ? null : parseContentLength(contentLength);
  if (method === 'HEAD' || status < 200 || status === 204 || status === 304) {
    return { kind: 'none', length: 0, keepAlive, closes: close };
  }
  if (transferEncoding !== null) {
    if (version === 10) {
      throw new BadHeader(
        `Transfer-Encoding: ${transferEncoding}`,
        'Transfer-Encoding in an HTTP/1.0 response',
      );
    }
    if (!isChunkedOnly(transferEncoding)) {
      const text = JSON.stringify(transferEncoding.slice(0, 80));
      throw new UnknownTransferEncoding(`unknown transfer encoding ${text}`);
    }
    return { kind: 'chunked', length: null, keepAlive, closes: close };
  }
  if (length !== null) return { kind: 'length', length, keepAlive, closes: close };
  return { kind: 'until close', length: null, keepAlive: false, closes: close };
}

/** Nothing said yet. */
export function noFramingFields(): FramingFields {
  return { contentLength: null, transferEncoding: null, close: false, keepAlive: false };
}

/** Takes note of a field, if it is one of the three that matter here. */
export function addFramingField(found: FramingFields, name: string, value: string): void {
  // Most names are told apart by their lengths and never looked at.
  if (name.length === 14) {
    if (name.toLowerCase() === 'content-length') found.contentLength = join(found.contentLength, value);
  } else if (name.length === 17) {
    if (name.toLowerCase() === 'transfer-encoding')
      found.transferEncoding = join(found.transferEncoding, value);
  } else if (name.length === 10 && name.toLowerCase() === 'connection') {
    readConnection(value, found);
  }
}

function join(before: string | number | null, value: string): string {
  return before === null ? value : `${String(before)}, ${value}`;
}

function readConnection(value: string, found: FramingFields): void {
  for (const option of listMembers(value)) {
    if (option === 'close') found.close = true;
    else if (option === 'keep-alive') found.keepAlive = true;
  }
}

/** Exactly one member, `chunked`; empty members of the list do not count (RFC 9110 §5.6.1.2). */
function isChunkedOnly(value: string): boolean {
  const members = listMembers(value);
  return members.length === 1 && members[0] === 'chunked';
}

/** `1*DIGIT`, once, never rounded: a value that a number cannot hold exactly is refused. */
function parseContentLength(value: string | number): number {
  if (typeof value === 'number') return value;
  const length = readDecimal(value);
  if (length === null) throw new BadHeader(`Content-Length: ${value}`, 'an unusable Content-Length');
  return length;
}
