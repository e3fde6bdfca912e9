/**
 * The fast road for a response head that lies whole in one piece of bytes, as nearly all do: it is scanned once, and its fields become
 * strings when somebody looks at them. A response with ten fields takes 0.6 µs to parse instead of 1.6, with five 0.35 instead of 1.1.
 *
 * It judges nothing by itself. Whatever is not plainly valid and within all limits (a fold, an empty line before the status line, a
 * missing byte, an error) is left, from its first byte, to `HeadReader`, the one place that says what is wrong.
 */
import type { Limits } from '../limits.js';
import { addFramingField, noFramingFields } from './framing.js';
import type { FramingFields } from './framing.js';
import { TEXT_CHARACTER, TOKEN_CHARACTER, trimBlanks } from './grammar.js';
import { isStatusLineStart, parseStatusLine } from './status-line.js';
import type { StatusLine } from './status-line.js';

const CR = 0x0d;
const LF = 0x0a;
const SP = 0x20;
const HTAB = 0x09;
const COLON = 0x3a;

/** A head whose lines are known to be well formed, without folds. */
export class PlainHead implements StatusLine {
  readonly version: 10 | 11;
  readonly status: number;
  readonly reason: string;
  /** What the fields say about framing. */
  readonly framing: Readonly<FramingFields>;
  /** The head as it came, to the end of the blank line: a character an octet. */
  readonly text: string;
  #fields: string[] | null = null;

  constructor(line: StatusLine, text: string, framing: Readonly<FramingFields>) {
    this.version = line.version;
    this.status = line.status;
    this.reason = line.reason;
    this.framing = framing;
    this.text = text;
  }

  /** How long the head was. */
  get bytes(): number {
    return this.text.length;
  }

  /** `[name, value, name, value, …]` in the order received: the same array each time. */
  get fields(): string[] {
    return (this.#fields ??= splitFields(this.text));
  }
}

function splitFields(text: string): string[] {
  const fields: string[] = [];
  let at = text.indexOf('\r\n') + 2;
  while (text.charCodeAt(at) !== CR) {
    const colon = text.indexOf(':', at);
    const end = text.indexOf('\r', colon);
    fields.push(text.slice(at, colon), valueOf(text, colon + 1, end));
    at = end + 2;
  }
  return fields;
}

/** The text without SP and HTAB at its ends, as a slice of the whole. */
function valueOf(text: string, from: number, to: number): string {
  let start = from;
  let end = to;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

function isBlank(octet: number): boolean {
  return octet === SP || octet === HTAB;
}

/**
 * @param from - where the head begins in `bytes`
 * @returns null when `HeadReader` has to read it
 * @throws UnknownProtocol, BadStatusLine for a complete status line, as `HeadReader` does
 */
export function readPlainHead(bytes: Buffer, from: number, limits: Readonly<Limits>): PlainHead | null {
  const stop = Math.min(bytes.length, from + limits.headBytes) - 1;
  const { lineBytes } = limits;
  if (from + 5 > stop || !isStatusLineStart(bytes, from, from + 5)) return null;
  let i = from + 5;
  while (i < stop && TEXT_CHARACTER[bytes[i] as number] === 1) i++;
  if (i >= stop || bytes[i] !== CR || bytes[i + 1] !== LF || i + 2 - from > lineBytes) return null;
  const line = parseStatusLine(bytes, from, i);
  const framing = noFramingFields();
  let lines = 0;
  for (;;) {
    const lineStart = i + 2;
    i = lineStart;
    while (i < stop && TOKEN_CHARACTER[bytes[i] as number] === 1) i++;
    if (i >= stop) return null;
    if (i === lineStart) break;
    if (bytes[i] !== COLON || ++lines > limits.fields) return null;
    const colon = i++;
    while (i < stop && TEXT_CHARACTER[bytes[i] as number] === 1) i++;
    if (i >= stop || bytes[i] !== CR || bytes[i + 1] !== LF || i + 2 - lineStart > lineBytes) return null;
    const nameBytes = colon - lineStart;
    if (nameBytes === 10 || nameBytes === 14 || nameBytes === 17) {
      if (!noteUsual(framing, bytes, lineStart, colon, i)) noteAny(framing, bytes, lineStart, colon, i);
    }
  }
  if (bytes[i] !== CR || bytes[i + 1] !== LF) return null;
  return new PlainHead(line, bytes.toString('latin1', from, i + 2), framing);
}

const CONNECTION = Buffer.from('connection');
const CONTENT_LENGTH = Buffer.from('content-length');
const TRANSFER_ENCODING = Buffer.from('transfer-encoding');
const KEEP_ALIVE = Buffer.from(' keep-alive');
/** So many digits are always a safe integer. */
const MOST_DIGITS = 15;

/** Says whether a field is done with: it is no framing field, or was noted in the form that nearly all servers use, without making a string of it: 0.3 µs a head. */
function noteUsual(
  found: FramingFields,
  bytes: Buffer,
  lineStart: number,
  colon: number,
  cr: number,
): boolean {
  switch (colon - lineStart) {
    case 10:
      if (!matches(bytes, lineStart, CONNECTION)) return true;
      if (cr - colon - 1 !== KEEP_ALIVE.length || !matches(bytes, colon + 1, KEEP_ALIVE)) return false;
      found.keepAlive = true;
      return true;
    case 14: {
      if (!matches(bytes, lineStart, CONTENT_LENGTH)) return true;
      const start = colon + 2;
      const length = cr - start;
      if (found.contentLength !== null || bytes[colon + 1] !== SP) return false;
      if (length < 1 || length > MOST_DIGITS || (bytes[start] === 0x30 && length > 1)) return false;
      let value = 0;
      for (let i = start; i < cr; i++) {
        const digit = (bytes[i] as number) - 0x30;
        if (digit < 0 || digit > 9) return false;
        value = value * 10 + digit;
      }
      found.contentLength = value;
      return true;
    }
    default:
      return !matches(bytes, lineStart, TRANSFER_ENCODING);
  }
}

/** Whether the bytes are this text, which is in lower case, whatever their case. They are known to hold no controls. */
function matches(bytes: Buffer, from: number, lower: Buffer): boolean {
  for (let i = 0; i < lower.length; i++) {
    const wanted = lower[i] as number;
    const octet = bytes[from + i] as number;
    if (octet !== wanted && (octet | 0x20) !== wanted) return false;
  }
  return true;
}

function noteAny(found: FramingFields, bytes: Buffer, lineStart: number, colon: number, cr: number): void {
  const name = bytes.toString('latin1', lineStart, colon);
  addFramingField(found, name, trimBlanks(bytes.toString('latin1', colon + 1, cr)));
}
