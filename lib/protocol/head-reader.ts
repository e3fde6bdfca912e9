/**
 * Reads the line-based parts of a message: a response head, a trailer section, or a bare field section (RFC 9112 §2.2, §4, §5).
 *
 * It looks at each byte once, in order, and throws at the first that breaks the grammar or a limit, so any cut of the same bytes
 * gives the same fields or the same error. It keeps positions while it scans and makes strings only when the section is whole.
 * It knows no framing and never reads past the blank line: `write` says how many bytes it used, the rest is the caller's.
 */
import { BadHeader, BadStatusLine, LimitExceeded, LineTooLong } from '../errors.js';
import type { LineType } from '../errors.js';
import type { Limits } from '../limits.js';
import { TEXT_CHARACTER, TOKEN_CHARACTER } from './grammar.js';
import { isStatusLineStart, parseStatusLine } from './status-line.js';
import type { StatusLine } from './status-line.js';

/** What a section is: it decides whether a status line comes first, and which limits and errors apply. */
export type SectionKind = 'response head' | 'fields' | 'trailers';

const CR = 0x0d;
const LF = 0x0a;
const SP = 0x20;
const HTAB = 0x09;
const COLON = 0x3a;

/** Fields whose meaning decides where a message ends or a connection goes: never accepted folded over lines. */
const NEVER_FOLDED = /^(?:content-length|transfer-encoding|connection)$/i;

type State = 'line start' | 'status line' | 'name' | 'value' | 'fold' | 'line end';

type StatusLineStart = 'status line' | 'empty line' | 'too few bytes';

/** Errors of heads that were cut off, which break no rule. */
const CUT_OFF = new WeakSet<Error>();

/** Whether it is about a head that the end of the connection cut off, in the place of one that is malformed. */
export function isCutOff(error: Error): boolean {
  return CUT_OFF.has(error);
}

/** Marks a continuation line in the list of positions, where a field has the start of its name. */
const CONTINUATION = -1;

export class HeadReader {
  /** Whether the blank line was reached. */
  done = false;

  readonly #kind: SectionKind;
  readonly #limits: Readonly<Limits>;
  #state: State;
  /** What of the section came in earlier writes; empty while it lies in one write as a whole. */
  #kept: Buffer = Buffer.alloc(0);
  #keptBytes = 0;
  /** Positions from here on count from the first byte of the section. */
  #at = 0;
  #lineStart = 0;
  #nameStart = 0;
  #colon = 0;
  #lineKind: State = 'line start';
  #fieldLines = 0;
  #skippedEmptyLine = false;
  /** Four numbers a field line: name start (or CONTINUATION), name end, value start, value end. */
  readonly #positions: number[] = [];
  #statusLine: StatusLine | null = null;
  #text = '';

  constructor(kind: SectionKind, limits: Readonly<Limits>) {
    this.#kind = kind;
    this.#limits = limits;
    this.#state = kind === 'response head' ? 'status line' : 'line start';
  }

  /** Makes the reader ready for another section of the same kind. */
  reset(): void {
    this.done = false;
    this.#state = this.#kind === 'response head' ? 'status line' : 'line start';
    this.#keptBytes = 0;
    this.#at = 0;
    this.#lineStart = 0;
    this.#fieldLines = 0;
    this.#skippedEmptyLine = false;
    if (this.#positions.length > 0) this.#positions.length = 0;
    this.#statusLine = null;
  }

  /** Whether a byte of the section has been read. */
  get started(): boolean {
    return this.#keptBytes > 0;
  }

  /** The status line, once the section is done. */
  get statusLine(): StatusLine {
    if (this.#statusLine === null) throw new BadStatusLine('');
    return this.#statusLine;
  }

  /**
   * Reads on from `from`.
   *
   * @returns the index behind the last byte used: behind the blank line once `done`, else the end of `bytes`.
   */
  write(bytes: Buffer, from: number): number {
    if (this.#keptBytes === 0) {
      const end = this.#scan(bytes, from, bytes.length);
      if (!this.done) this.#keep(bytes, from);
      return end;
    }
    const before = this.#keptBytes;
    this.#keep(bytes, from);
    const end = this.#scan(this.#kept, 0, this.#keptBytes);
    if (!this.done) return bytes.length;
    this.#kept = Buffer.alloc(0);
    return from + end - before;
  }

  /** The error for a peer that closes within the section. */
  truncated(): BadStatusLine | BadHeader {
    const line = this.#kept.toString('latin1', this.#lineStart, this.#keptBytes);
    const error = this.#inStatusLine
      ? new BadStatusLine(line, 'the peer closed the connection within the status line')
      : new BadHeader(line, 'the peer closed the connection within the fields');
    CUT_OFF.add(error);
    return error;
  }

  /** The fields, `[name, value, name, value, …]`, once the section is done. Folded lines are joined with one SP (RFC 9112 §5.2). */
  fields(): string[] {
    const text = this.#text;
    const positions = this.#positions;
    const fields: string[] = [];
    for (let i = 0; i < positions.length; i += 4) {
      const nameStart = positions[i] as number;
      const value = text.slice(positions[i + 2], positions[i + 3]);
      if (nameStart === CONTINUATION) {
        // Trimmed already, both; trimming what was joined would read it from its start for each of its lines.
        const last = fields.length - 1;
        const before = fields[last] as string;
        fields[last] = before === '' || value === '' ? before + value : `${before} ${value}`;
      } else {
        fields.push(text.slice(nameStart, positions[i + 1]), value);
      }
    }
    return fields;
  }

  /** Scans from where it stood. `origin` is where the section starts in `bytes`. */
  #scan(bytes: Buffer, origin: number, end: number): number {
    const sectionBytes = this.#kind === 'trailers' ? this.#limits.trailerBytes : this.#limits.headBytes;
    const stop = Math.min(end, origin + sectionBytes);
    let i = origin + this.#at;
    scan: while (i < stop) {
      const lineStart = origin + this.#lineStart;
      // The last place where the CR of a line within the limit can stand.
      const lastCR = lineStart + this.#limits.lineBytes - 2;
      switch (this.#state) {
        case 'status line':
          if (i > lineStart) break;
          switch (this.#beginStatusLine(bytes, i, stop)) {
            case 'too few bytes':
              break scan;
            case 'empty line':
              continue;
            case 'status line':
          }
          break;
        case 'line start': {
          const octet = bytes[i];
          if (octet === CR) {
            this.#endLine('line start');
            continue;
          }
          if (octet === SP || octet === HTAB) {
            this.#beginContinuation(bytes, origin, i);
            continue;
          }
          this.#state = 'name';
          continue;
        }
        case 'name': {
          const limit = Math.min(stop, lastCR + 1);
          while (i < limit && TOKEN_CHARACTER[bytes[i] as number] === 1) i++;
          if (i === limit) {
            if (i > lastCR) throw this.#tooLong();
            continue;
          }
          if (bytes[i] !== COLON || i === lineStart)
            throw this.#badLine(bytes, lineStart, i, 'a malformed field name');
          this.#colon = i - origin;
          this.#state = 'value';
          i++;
          continue;
        }
        case 'line end':
          if (i + 1 >= stop) break scan;
          if (bytes[i + 1] !== LF) throw this.#badLine(bytes, lineStart, i, 'a CR without LF');
          this.#finishLine(bytes, origin, lineStart, i);
          i += 2;
          this.#lineStart = i - origin;
          if (this.done) {
            this.#at = i - origin;
            this.#text = bytes.toString('latin1', origin, i);
            return i;
          }
          continue;
        case 'value':
        case 'fold':
          break;
      }
      // A status line, a value or a continuation: text up to the CR.
      const limit = Math.min(stop, lastCR + 1);
      while (i < limit && TEXT_CHARACTER[bytes[i] as number] === 1) i++;
      if (i === limit) {
        if (i > lastCR) throw this.#tooLong();
      } else if (bytes[i] === CR) {
        this.#endLine(this.#state);
      } else {
        throw this.#badLine(bytes, lineStart, i, 'a control character or a bare LF');
      }
    }
    this.#at = i - origin;
    if (stop < end) throw this.#tooLarge();
    return end;
  }

  #endLine(kind: State): void {
    this.#lineKind = kind;
    this.#state = 'line end';
  }

  /**
   * Judges the first bytes of a status line as soon as they are there: a peer that speaks something else may never send a CRLF.
   */
  #beginStatusLine(bytes: Buffer, at: number, stop: number): StatusLineStart {
    // One empty line before the status line is skipped, as RFC 9112 §2.2 has it for requests.
    if (bytes[at] === CR && !this.#skippedEmptyLine) {
      if (at + 1 >= stop) return 'too few bytes';
      if (bytes[at + 1] !== LF) throw new BadStatusLine('\r');
      this.#skippedEmptyLine = true;
      this.#endLine('status line');
      return 'empty line';
    }
    const available = Math.min(stop, at + 5);
    if (!isStatusLineStart(bytes, at, available))
      throw new BadStatusLine(bytes.toString('latin1', at, Math.min(stop, at + 80)));
    return available === at + 5 ? 'status line' : 'too few bytes';
  }

  #beginContinuation(bytes: Buffer, origin: number, at: number): void {
    if (this.#positions.length === 0)
      throw this.#badLine(bytes, origin + this.#lineStart, at, 'white space before the first field');
    // The colon is still that of the field, however many lines it has been folded over.
    const nameText = bytes.toString('latin1', origin + this.#nameStart, origin + this.#colon);
    if (NEVER_FOLDED.test(nameText)) {
      throw this.#badLine(bytes, origin + this.#lineStart, at, `a folded ${nameText} field`);
    }
    this.#state = 'fold';
  }

  #finishLine(bytes: Buffer, origin: number, lineStart: number, cr: number): void {
    const kind = this.#lineKind;
    this.#state = 'line start';
    if (kind === 'line start') {
      this.done = true;
      return;
    }
    if (kind === 'status line') {
      if (cr === lineStart) this.#state = 'status line';
      else this.#statusLine = parseStatusLine(bytes, lineStart, cr);
      return;
    }
    if (++this.#fieldLines > this.#limits.fields) throw new LimitExceeded('fields', this.#limits.fields);
    const folded = kind === 'fold';
    let start = folded ? lineStart : origin + this.#colon + 1;
    let end = cr;
    while (start < end && (bytes[start] === SP || bytes[start] === HTAB)) start++;
    while (end > start && (bytes[end - 1] === SP || bytes[end - 1] === HTAB)) end--;
    if (!folded) this.#nameStart = this.#lineStart;
    this.#positions.push(folded ? CONTINUATION : this.#lineStart, this.#colon, start - origin, end - origin);
  }

  /** Takes over what is needed of `bytes`; a byte beyond the limit is enough to see that it was passed. */
  #keep(bytes: Buffer, from: number): void {
    const sectionBytes = this.#kind === 'trailers' ? this.#limits.trailerBytes : this.#limits.headBytes;
    const take = Math.min(bytes.length - from, sectionBytes + 1 - this.#keptBytes);
    const needed = this.#keptBytes + take;
    if (needed > this.#kept.length) {
      const grown = Buffer.allocUnsafe(Math.max(1024, needed, this.#kept.length * 2));
      this.#kept.copy(grown, 0, 0, this.#keptBytes);
      this.#kept = grown;
    }
    bytes.copy(this.#kept, this.#keptBytes, from, from + take);
    this.#keptBytes = needed;
  }

  #badLine(bytes: Buffer, lineStart: number, at: number, reason: string): BadStatusLine | BadHeader {
    const line = bytes.toString('latin1', lineStart, at + 1);
    return this.#inStatusLine ? new BadStatusLine(line, reason) : new BadHeader(line, reason);
  }

  get #inStatusLine(): boolean {
    return this.#state === 'status line' || (this.#state === 'line end' && this.#lineKind === 'status line');
  }

  #tooLong(): LineTooLong {
    let type: LineType = 'header line';
    if (this.#state === 'status line') type = 'status line';
    else if (this.#kind === 'trailers') type = 'trailer line';
    return new LineTooLong(type, this.#limits.lineBytes);
  }

  #tooLarge(): LimitExceeded {
    return this.#kind === 'trailers'
      ? new LimitExceeded('trailerBytes', this.#limits.trailerBytes)
      : new LimitExceeded('headBytes', this.#limits.headBytes);
  }
}
