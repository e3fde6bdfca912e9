/**
 * The status line of a response (RFC 9112 §4): `HTTP/1.x SP 3DIGIT [SP reason]`, read from bytes whose text is already known to hold
 * no control characters. Strict where a peer could mean something else; the SP before an empty reason may be missing, as servers
 * in the wild leave it out.
 */
import { BadStatusLine, UnknownProtocol } from '../errors.js';
import { trimBlanks } from './grammar.js';

export interface StatusLine {
  /** 10 or 11, as in http.client. HTTP/1.2 and later minor versions are read as 11 (RFC 9110 §2.5). */
  version: 10 | 11;
  /** 100 to 999. */
  status: number;
  /** Without blanks at its ends; may be empty. */
  reason: string;
}

const PREFIX = [0x48, 0x54, 0x54, 0x50, 0x2f]; // HTTP/
const SP = 0x20;

/** Whether the bytes can be the start of a status line; at most the first five are looked at. */
export function isStatusLineStart(bytes: Buffer, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (bytes[i] !== PREFIX[i - from]) return false;
  return true;
}

/**
 * @param from - index of the first byte of the line
 * @param to - index of its CR
 * @throws UnknownProtocol for a well-formed version that is not 1.x
 * @throws BadStatusLine for everything else that is not a status line
 */
export function parseStatusLine(bytes: Buffer, from: number, to: number): StatusLine {
  const minor = digit(bytes, from + 7);
  const hundreds = digit(bytes, from + 9);
  const tens = digit(bytes, from + 10);
  const ones = digit(bytes, from + 11);
  const length = to - from;
  const shapeFits =
    bytes[from + 5] === 0x31 &&
    bytes[from + 6] === 0x2e &&
    minor >= 0 &&
    bytes[from + 8] === SP &&
    length >= 12;
  if (!shapeFits) throw versionError(bytes.toString('latin1', from, to));
  const endsBehindCode = length === 12 || bytes[from + 12] === SP;
  if (hundreds < 1 || tens < 0 || ones < 0 || !endsBehindCode)
    throw new BadStatusLine(bytes.toString('latin1', from, to));
  return {
    version: minor === 0 ? 10 : 11,
    status: hundreds * 100 + tens * 10 + ones,
    reason:
      length === 15 && bytes[from + 13] === 0x4f && bytes[from + 14] === 0x4b
        ? 'OK'
        : length > 13
          ? trimBlanks(bytes.toString('latin1', from + 13, to))
          : '',
  };
}

function digit(bytes: Buffer, at: number): number {
  const value = (bytes[at] ?? 0) - 0x30;
  return value >= 0 && value <= 9 ? value : -1;
}

function versionError(line: string): UnknownProtocol | BadStatusLine {
  const version = line.split(' ', 1)[0] as string;
  const otherVersion = /^HTTP\/(?!1\.\d$)\d+(?:\.\d+)*$/.test(version);
  return otherVersion ? new UnknownProtocol(version) : new BadStatusLine(line);
}
