/**
 * A second reading of the response grammar: RFC 9112 and the policy in `docs/protocol.md`, over the whole text at once.
 *
 * It shares no line and no idea with `lib/protocol/`, which reads a byte at a time: where the two disagree, one of them is wrong.
 * Clarity before speed. In a line that is not ended yet it does not look for errors (`loose`): a reader of single bytes may already have
 * seen one there.
 */
import type { Limits } from '../../lib/limits.js';

export type Field = readonly [name: string, value: string];

export interface Head {
  readonly version: number;
  readonly status: number;
  readonly reason: string;
  readonly fields: readonly Field[];
}

/** `waiting`: nothing is wrong yet, and more has to come. `rejected`: an error, which `classes` may be reported as. */
export type Outcome = 'complete' | 'waiting' | 'rejected';

/** What a reader made of some bytes, whichever reader it was. */
export interface Reading {
  readonly outcome: Outcome;
  readonly interims: readonly Head[];
  readonly head: Head | null;
  /** What was delivered, also before an error. */
  readonly body: Buffer;
  readonly trailers: readonly Field[];
  readonly surplus: Buffer;
  /** Whether the connection may serve another request. */
  readonly reusable: boolean;
  /** The names of the errors that fit; empty unless rejected. */
  readonly classes: readonly string[];
}

export interface StrictReading extends Reading {
  /** The bytes stop within a line, so that an error in it may or may not be seen yet. */
  readonly loose: boolean;
  /** The rule of the policy that was broken; null unless rejected. */
  readonly rule: number | null;
}

const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const TEXT = '[\\t\\x20-\\x7e\\x80-\\xff]*';
const QUOTED = '"(?:[\\t\\x20\\x21\\x23-\\x5b\\x5d-\\x7e\\x80-\\xff]|\\\\[\\t\\x20-\\x7e\\x80-\\xff])*"';
const BWS = '[ \\t]*';

const STATUS_LINE = new RegExp(`^HTTP/1\\.([0-9]) ([1-9][0-9][0-9])(?: (${TEXT}))?$`);
const FIELD_LINE = new RegExp(`^(${TOKEN}):(${TEXT})$`);
const CONTINUATION = new RegExp(`^[ \\t]${TEXT}$`);
const SIZE_LINE = new RegExp(
  `^([0-9A-Fa-f]+)(?:${BWS};${BWS}${TOKEN}(?:${BWS}=${BWS}(?:${TOKEN}|${QUOTED}))?)*$`,
);

/** Ends the reading: bytes are missing, or, with the rule they break, wrong. */
class Stop extends Error {
  readonly rule: number | null;
  readonly classes: readonly string[];
  readonly loose: boolean;

  constructor(rule: number | null, classes: readonly string[], loose = false) {
    super(rule === null ? 'waiting' : `rule ${String(rule)}`);
    this.rule = rule;
    this.classes = classes;
    this.loose = loose;
  }
}

/** The rules of `docs/protocol.md`, by their numbers there. */
const LINE_ENDS = 1;
const FIELDS = 2;
const FOLDS = 3;
const SIZES = 5;
const STATUS_LINES = 6;
const TWO_FRAMINGS = 8;
const CODINGS = 10;
const OLD_CODINGS = 11;
const LENGTHS = 12;
const CHUNKS = 13;
const ENDINGS = 16;

/** What a peer that stops here is reported as. */
interface Place {
  readonly truncated: readonly string[];
  readonly malformed: readonly string[];
  /** Most bytes of the section, and where it began; a chunk's size line stands alone. */
  readonly sectionBytes: number;
  readonly start: number;
}

const LIMIT_ERRORS = ['LineTooLong', 'LimitExceeded'];

class Reader {
  readonly #bytes: Buffer;
  readonly #text: string;
  readonly #closed: boolean;
  readonly #limits: Readonly<Limits>;
  #at = 0;
  #overhead = 0;
  interims: Head[] = [];
  head: Head | null = null;
  body: Buffer[] = [];
  trailers: readonly Field[] = [];
  reusable = false;

  constructor(bytes: Buffer, closed: boolean, limits: Readonly<Limits>) {
    this.#bytes = bytes;
    this.#text = bytes.toString('latin1');
    this.#closed = closed;
    this.#limits = limits;
  }

  get surplus(): Buffer {
    return this.#bytes.subarray(this.#at);
  }

  /** Reads one response, to its end. */
  read(method: string): void {
    let head = this.#readHead();
    while (head.status < 200 && head.status !== 101) {
      // The one too many is not reported any more.
      if (this.interims.length === this.#limits.interimResponses) throw new Stop(SIZES, ['LimitExceeded']);
      this.interims.push(head);
      head = this.#readHead();
    }
    this.#readContent(method, head);
  }

  #readHead(): Head {
    const start = this.#at;
    if (start === this.#text.length) {
      if (!this.#closed) throw new Stop(null, []);
      throw new Stop(ENDINGS, this.interims.length > 0 ? HEAD_ERRORS : ['RemoteDisconnected']);
    }
    const inStatusLine: Place = {
      truncated: STATUS_LINE_ERRORS,
      malformed: STATUS_LINE_ERRORS,
      sectionBytes: this.#limits.headBytes,
      start,
    };
    let line = this.#readLine(inStatusLine);
    // One empty line in front is let pass.
    if (line === '') line = this.#readLine(inStatusLine);
    const match = STATUS_LINE.exec(line);
    if (match === null) throw new Stop(STATUS_LINES, STATUS_LINE_ERRORS);
    const [, minor, status, reason = ''] = match;
    const fields = this.#readFields(HEAD_ERRORS, HEAD_ERRORS, this.#limits.headBytes, start);
    return { version: minor === '0' ? 10 : 11, status: Number(status), reason: strip(reason), fields };
  }

  /** Reads field lines through the blank line. */
  #readFields(
    truncated: readonly string[],
    malformed: readonly string[],
    sectionBytes: number,
    start: number,
  ): Field[] {
    const parts: [name: string, values: string[]][] = [];
    for (let lines = 1; ; lines++) {
      const line = this.#readLine({ truncated, malformed, sectionBytes, start });
      if (line === '') break;
      if (CONTINUATION.test(line)) {
        const folded = parts.at(-1);
        if (folded === undefined) throw new Stop(FOLDS, malformed);
        if (['content-length', 'transfer-encoding', 'connection'].includes(folded[0].toLowerCase())) {
          throw new Stop(FOLDS, malformed);
        }
        folded[1].push(strip(line));
      } else {
        const match = FIELD_LINE.exec(line);
        if (match === null) throw new Stop(FIELDS, malformed);
        const [, name = '', value = ''] = match;
        parts.push([name, [strip(value)]]);
      }
      if (lines > this.#limits.fields) throw new Stop(SIZES, ['LimitExceeded']);
    }
    return parts.map(([name, values]) => [name, values.filter((value) => value !== '').join(' ')]);
  }

  /** A line without its CRLF. */
  #readLine(place: Place): string {
    const { lineBytes } = this.#limits;
    const end = this.#text.indexOf('\r\n', this.#at);
    const lineEnd = end === -1 ? this.#text.length : end + 2;
    const overLine = lineEnd - this.#at > lineBytes;
    const overSection = lineEnd - place.start > place.sectionBytes;
    // What is wrong in the line may stand before the byte that is too many.
    if (overLine || overSection) throw new Stop(SIZES, [...LIMIT_ERRORS, ...place.malformed]);
    if (end === -1) {
      // That it cannot end within the limit any more may be seen a byte or two before it is passed.
      const seenByNow = [...LIMIT_ERRORS, ...place.malformed];
      if (!this.#closed) throw new Stop(null, seenByNow, true);
      const within = this.#at < this.#text.length;
      throw new Stop(ENDINGS, [...place.truncated, ...(within ? seenByNow : [])], within);
    }
    const line = this.#text.slice(this.#at, end);
    if (/[\r\n]/.test(line)) throw new Stop(LINE_ENDS, place.malformed);
    this.#at = end + 2;
    return line;
  }

  /** RFC 9112 §6.3, in its order. */
  #readContent(method: string, head: Head): void {
    const values = (name: string): string[] =>
      head.fields.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value);
    const options = values('connection').flatMap((value) => value.toLowerCase().split(',').map(strip));
    const persistent = !options.includes('close') && (head.version === 11 || options.includes('keep-alive'));
    const { status } = head;
    if (status === 101 || (method === 'CONNECT' && status >= 200 && status <= 299)) {
      this.head = head;
      return;
    }
    const lengths = values('content-length');
    const codings = values('transfer-encoding');
    if (lengths.length > 0 && codings.length > 0) throw new Stop(TWO_FRAMINGS, ['BadHeader']);
    if (lengths.length > 1 || !isLength(lengths[0] ?? '0')) throw new Stop(LENGTHS, ['BadHeader']);
    if (method === 'HEAD' || status === 204 || status === 304) {
      this.head = head;
      this.reusable = persistent;
      return;
    }
    if (codings.length > 0) {
      if (head.version === 10) throw new Stop(OLD_CODINGS, ['BadHeader', 'UnknownTransferEncoding']);
      const members = codings
        .flatMap((value) => value.split(',').map(strip))
        .filter((member) => member !== '');
      if (members.length !== 1 || members[0]?.toLowerCase() !== 'chunked') {
        throw new Stop(CODINGS, ['UnknownTransferEncoding']);
      }
      this.head = head;
      this.#readChunks();
      this.reusable = persistent;
      return;
    }
    if (lengths.length > 0) {
      this.head = head;
      this.#readData(BigInt(lengths[0] ?? ''));
      this.reusable = persistent;
      return;
    }
    this.head = head;
    this.body.push(this.surplus);
    this.#at = this.#bytes.length;
    if (!this.#closed) throw new Stop(null, []);
  }

  #readData(size: bigint): void {
    const rest = this.surplus;
    const whole = BigInt(rest.length) >= size;
    const data = whole ? rest.subarray(0, Number(size)) : rest;
    this.body.push(data);
    this.#at += data.length;
    if (!whole) this.#stopShort();
  }

  #readChunks(): void {
    for (;;) {
      const start = this.#at;
      const line = this.#readLine({
        truncated: ['IncompleteRead'],
        malformed: ['BadChunk'],
        sectionBytes: Infinity,
        start,
      });
      const match = SIZE_LINE.exec(line);
      if (match === null) throw new Stop(CHUNKS, ['BadChunk']);
      const size = BigInt(`0x${match[1] ?? ''}`);
      if (size > BigInt(Number.MAX_SAFE_INTEGER)) throw new Stop(CHUNKS, ['BadChunk']);
      this.#overhead += this.#at - start - 16 - 2 * Number(size);
      if (this.#overhead > this.#limits.chunkOverheadBytes) throw new Stop(SIZES, ['LimitExceeded']);
      if (size === 0n) break;
      this.#readData(size);
      const behind = this.#text.slice(this.#at, this.#at + 2);
      if (behind !== '\r\n') {
        if (behind === '' || behind === '\r') this.#stopShort();
        throw new Stop(CHUNKS, ['BadChunk']);
      }
      this.#at += 2;
    }
    this.trailers = this.#readFields(['IncompleteRead'], ['BadHeader'], this.#limits.trailerBytes, this.#at);
  }

  #stopShort(): never {
    throw this.#closed ? new Stop(ENDINGS, ['IncompleteRead']) : new Stop(null, []);
  }
}

const STATUS_LINE_ERRORS = ['BadStatusLine', 'UnknownProtocol'];
const HEAD_ERRORS = ['BadHeader', 'BadStatusLine', 'RemoteDisconnected'];

/**
 * Reads the response to a request.
 *
 * @param closed - whether the peer closed behind the bytes, in an orderly way
 */
export function readStrictly(
  bytes: Buffer,
  method: string,
  closed: boolean,
  limits: Readonly<Limits>,
): StrictReading {
  const reader = new Reader(bytes, closed, limits);
  let stop: Stop | null = null;
  try {
    reader.read(method);
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    stop = error;
  }
  const surplus = stop === null ? reader.surplus : Buffer.alloc(0);
  return {
    outcome: outcomeOf(stop),
    interims: reader.interims,
    head: reader.head,
    body: Buffer.concat(reader.body),
    trailers: reader.trailers,
    surplus,
    reusable: stop === null && reader.reusable && surplus.length === 0,
    classes: stop?.classes ?? [],
    loose: stop?.loose ?? false,
    rule: stop?.rule ?? null,
  };
}

function outcomeOf(stop: Stop | null): Outcome {
  if (stop === null) return 'complete';
  return stop.rule === null ? 'waiting' : 'rejected';
}

/** `1*DIGIT`, up to what a number holds exactly. */
function isLength(text: string): boolean {
  return /^[0-9]+$/.test(text) && BigInt(text) <= BigInt(Number.MAX_SAFE_INTEGER);
}

/** Without SP and HTAB at the ends. */
function strip(text: string): string {
  let from = 0;
  let to = text.length;
  while (from < to && ' \t'.includes(text.charAt(from))) from++;
  while (to > from && ' \t'.includes(text.charAt(to - 1))) to--;
  return text.slice(from, to);
}
