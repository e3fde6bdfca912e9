/**
 * The chunked transfer coding (RFC 9112 §7.1), both directions.
 *
 * The reader decodes in place: the data of the chunks in one write is moved together and handed over as one piece. It checks every
 * byte of the framing: sizes are 1*HEXDIG, extensions follow the grammar, data ends with CRLF. What is lenient elsewhere (a bare LF,
 * a sign, blanks, unchecked bytes behind the data) is how requests and responses get smuggled.
 */
import { BadChunk, IncompleteRead, LimitExceeded, LineTooLong } from '../errors.js';
import type { Limits } from '../limits.js';
import { formatFields, TOKEN_CHARACTER } from './grammar.js';
import { HeadReader } from './head-reader.js';

/** Takes a piece of a body. The bytes are only lent: whoever keeps them copies them, unless it owns the buffer they lie in. */
export type Emit = (bytes: Buffer) => void;

/** Reads one body: `write` gives it bytes and says up to where they were used, `end` says that no more will come. */
export interface BodyReader {
  /** Whether the body is complete. */
  readonly done: boolean;
  /** Body bytes still due; null when the framing does not say. */
  readonly length: number | null;
  /** So many of the next bytes are certain to be data: a caller may read them straight into a place of its own. */
  readonly dataAhead: number;
  /** Bytes that `dataAhead` promised were read elsewhere. */
  skipData(count: number): void;
  /** Reads on from `from`; returns the index behind the last byte used. */
  write(bytes: Buffer, from: number, emit: Emit): number;
  /** The peer sends no more. Throws `IncompleteRead` unless that completes the body. */
  end(): void;
}

const CR = 0x0d;
const LF = 0x0a;
const SP = 0x20;
const HTAB = 0x09;
const SEMICOLON = 0x3b;
const EQUALS = 0x3d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** The value of a hexadecimal digit, or 16. */
const HEX_VALUE = new Uint8Array(256).fill(16);
for (let value = 0; value < 16; value++) {
  const digit = value.toString(16);
  HEX_VALUE[digit.charCodeAt(0)] = value;
  HEX_VALUE[digit.toUpperCase().charCodeAt(0)] = value;
}

/** Where the next byte stands. The middle group is the grammar of chunk extensions, one name for each place in it. */
type State =
  | 'size'
  | 'blank before ;'
  | 'before name'
  | 'name'
  | 'blank before ='
  | 'before value'
  | 'token value'
  | 'quoted value'
  | 'quoted pair'
  | 'behind quote'
  | 'size LF'
  | 'data'
  | 'data CR'
  | 'data LF'
  | 'trailers';

/** The most digits of a size that is read at once. No chunk that lies whole in one piece of bytes needs more. */
const PLAIN_SIZE_DIGITS = 6;

/** From so many bytes on, the size line of such a chunk and the CRLF behind a byte of data lie within them. */
const PLAIN_CHUNK_BYTES = PLAIN_SIZE_DIGITS + 5;

/* Looked up once, since it lies three prototypes away: 240 -> 210 ms a GiB in chunks of 100 bytes. */
// oxlint-disable-next-line typescript/unbound-method -- it is called with the bytes as `this`
const { copyWithin } = Uint8Array.prototype;

/** What a chunk of `size` bytes may spend on its size line before it counts as overhead. */
function overheadCredit(size: number): number {
  return 16 + 2 * size;
}

export class ChunkedReader implements BodyReader {
  done = false;
  readonly length = null;

  readonly #limits: Readonly<Limits>;
  readonly #trailers: HeadReader;
  #state: State = 'size';
  #size = 0;
  #digits = 0;
  #lineBytes = 0;
  #overhead = 0;
  /** The data found in the bytes of one `write` lies in [dataStart, dataEnd), which never reaches beyond what was read. */
  #dataStart = 0;
  #dataEnd = 0;

  constructor(limits: Readonly<Limits>) {
    this.#limits = limits;
    this.#trailers = new HeadReader('trailers', limits);
  }

  /** The trailer fields, `[name, value, …]`, once done. */
  trailers(): string[] {
    return this.done ? this.#trailers.fields() : [];
  }

  get dataAhead(): number {
    return this.#state === 'data' ? this.#size : 0;
  }

  skipData(count: number): void {
    this.#size -= count;
    if (this.#size === 0) this.#state = 'data CR';
  }

  write(bytes: Buffer, from: number, emit: Emit): number {
    let at = from;
    this.#dataStart = 0;
    this.#dataEnd = 0;
    try {
      while (at < bytes.length && !this.done) {
        if (this.#state === 'data') {
          const take = Math.min(this.#size, bytes.length - at);
          this.#gather(bytes, at, at + take);
          at += take;
          this.skipData(take);
        } else if (this.#state === 'trailers') {
          at = this.#trailers.write(bytes, at);
          this.done = this.#trailers.done;
        } else {
          if (this.#state === 'size' && this.#digits === 0) at = this.#readPlainChunks(bytes, at);
          at = this.#readFraming(bytes, at);
        }
      }
    } finally {
      // Also when the framing behind it is broken: what was decoded is delivered, whichever way the bytes were cut.
      if (this.#dataEnd > this.#dataStart) emit(bytes.subarray(this.#dataStart, this.#dataEnd));
    }
    return at;
  }

  end(): void {
    if (!this.done) throw new IncompleteRead(Buffer.alloc(0), null);
  }

  /** Moves data to behind what was found before it in the same bytes. */
  #gather(bytes: Buffer, from: number, to: number): void {
    if (this.#dataEnd === this.#dataStart) {
      this.#dataStart = from;
      this.#dataEnd = to;
      return;
    }
    if (this.#dataEnd !== from) copyWithin.call(bytes, this.#dataEnd, from, to);
    this.#dataEnd += to - from;
  }

  /**
   * Reads chunks of the common shape, `HEX+ CRLF data CRLF`, as long as they lie whole in these bytes. Whatever else comes, good or bad,
   * is left where it begins to the reading by states: in chunks of 100 bytes that alone takes 470 ms a GiB, with this it is 210.
   */
  #readPlainChunks(bytes: Buffer, from: number): number {
    const last = bytes.length - PLAIN_CHUNK_BYTES;
    let at = from;
    while (at <= last) {
      let size = 0;
      let i = at;
      for (const digitsEnd = at + PLAIN_SIZE_DIGITS; i < digitsEnd; i++) {
        const value = HEX_VALUE[bytes[i] as number] as number;
        if (value === 16) break;
        size = size * 16 + value;
      }
      const start = i + 2;
      const end = start + size;
      if (size === 0 || bytes[i] !== CR || bytes[i + 1] !== LF) break;
      if (end + 2 > bytes.length || bytes[end] !== CR || bytes[end + 1] !== LF) break;
      if (start - at > this.#limits.lineBytes) break;
      // So short a size line takes less than its credit: no limit is met here.
      this.#overhead += start - at - overheadCredit(size);
      this.#gather(bytes, start, end);
      at = end + 2;
    }
    return at;
  }

  /** Reads the CRLF behind data, or a size line up to the next byte of data. */
  #readFraming(bytes: Buffer, from: number): number {
    const lineBytesAllowed = this.#limits.lineBytes;
    let at = from;
    while (at < bytes.length && this.#state !== 'data' && this.#state !== 'trailers') {
      const octet = bytes[at] as number;
      at++;
      switch (this.#state) {
        case 'data CR':
          if (octet !== CR) throw new BadChunk(`no CRLF behind a chunk's data`);
          this.#state = 'data LF';
          continue;
        case 'data LF':
          if (octet !== LF) throw new BadChunk(`no CRLF behind a chunk's data`);
          this.#state = 'size';
          this.#size = 0;
          this.#digits = 0;
          this.#lineBytes = 0;
          // The next chunk may be one that is read at once.
          return at;
        case 'size': {
          const value = HEX_VALUE[octet] as number;
          if (value === 16) {
            this.#state = this.#behindSize(octet);
            break;
          }
          this.#size = this.#size * 16 + value;
          this.#digits++;
          if (this.#size > Number.MAX_SAFE_INTEGER) throw new BadChunk('a chunk size beyond 2^53 - 1');
          break;
        }
        case 'size LF':
          if (octet !== LF) throw badSizeLine(octet);
          this.#lineBytes++;
          this.#endSizeLine();
          continue;
        default:
          this.#state = nextInExtension(this.#state, octet);
      }
      // The LF is still to come, unless this was the CR.
      if (++this.#lineBytes > lineBytesAllowed - (this.#state === 'size LF' ? 1 : 2)) {
        throw new LineTooLong('chunk size', lineBytesAllowed);
      }
    }
    return at;
  }

  #behindSize(octet: number): State {
    if (this.#digits > 0) {
      if (octet === CR) return 'size LF';
      if (octet === SEMICOLON) return 'before name';
      if (octet === SP || octet === HTAB) return 'blank before ;';
    }
    throw badSizeLine(octet);
  }

  #endSizeLine(): void {
    this.#overhead += this.#lineBytes - overheadCredit(this.#size);
    if (this.#overhead > this.#limits.chunkOverheadBytes) {
      throw new LimitExceeded('chunkOverheadBytes', this.#limits.chunkOverheadBytes);
    }
    this.#state = this.#size === 0 ? 'trailers' : 'data';
  }
}

/** `chunk-ext = *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )`, one octet at a time (RFC 9112 §7.1.1). */
function nextInExtension(state: State, octet: number): State {
  const blank = octet === SP || octet === HTAB;
  const token = TOKEN_CHARACTER[octet] === 1;
  switch (state) {
    case 'blank before ;':
      if (blank) return state;
      if (octet === SEMICOLON) return 'before name';
      break;
    case 'before name':
      if (blank) return state;
      if (token) return 'name';
      break;
    case 'name':
      if (token) return state;
      if (blank) return 'blank before =';
      if (octet === EQUALS) return 'before value';
      if (octet === SEMICOLON) return 'before name';
      if (octet === CR) return 'size LF';
      break;
    case 'blank before =':
      if (blank) return state;
      if (octet === EQUALS) return 'before value';
      if (octet === SEMICOLON) return 'before name';
      break;
    case 'before value':
      if (blank) return state;
      if (token) return 'token value';
      if (octet === QUOTE) return 'quoted value';
      break;
    case 'token value':
      if (token) return state;
      return behindValue(octet);
    case 'quoted value':
      if (octet === QUOTE) return 'behind quote';
      if (octet === BACKSLASH) return 'quoted pair';
      if (isQuotedText(octet)) return state;
      break;
    case 'quoted pair':
      if (isQuotedText(octet)) return 'quoted value';
      break;
    case 'behind quote':
      return behindValue(octet);
    default:
  }
  throw badSizeLine(octet);
}

function behindValue(octet: number): State {
  if (octet === CR) return 'size LF';
  if (octet === SEMICOLON) return 'before name';
  if (octet === SP || octet === HTAB) return 'blank before ;';
  throw badSizeLine(octet);
}

function isQuotedText(octet: number): boolean {
  return octet === HTAB || (octet >= SP && octet !== 0x7f);
}

function badSizeLine(octet: number): BadChunk {
  return new BadChunk(
    `a malformed chunk-size line: unexpected octet 0x${octet.toString(16).padStart(2, '0')}`,
  );
}

/** The size line of a chunk of `size` bytes, with the CRLF that ends the chunk before it unless it is the first. */
export function formatChunkSize(size: number, first: boolean): string {
  return `${first ? '' : '\r\n'}${size.toString(16)}\r\n`;
}

/** The end of a chunked body: the CRLF of the chunk before, unless there was none, the last chunk, trailers, the blank line. */
export function formatLastChunk(trailers: readonly string[], first: boolean): string {
  return `${first ? '' : '\r\n'}0\r\n${formatFields(trailers)}\r\n`;
}
