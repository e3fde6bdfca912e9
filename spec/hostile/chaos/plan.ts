/**
 * What one exchange of the chaos test will be, on both sides, decided by seed and number alone: the request, the response, how it is
 * cut up, what breaks and when, how the client reads and what it does meanwhile.
 */
import { patternBytes } from '../../support/body-sources.js';
import { Random } from './random.js';

export type BodyKind = 'none' | 'text' | 'bytes' | 'generator' | 'iterable' | 'stream' | 'web stream';
export type Reader =
  'readall' | 'for await' | 'data' | 'readable' | 'readinto' | 'readline' | 'read1' | 'pipe' | 'encoded';
/** `garble`: a forged TLS record; a reset where there is no TLS that can be garbled. */
export type ServerFault = 'FIN' | 'reset' | 'stall' | 'garble';
/** How a source fails: it throws, yields what is no bytes, answers with what is no result, closes without an end. */
export type SourceFailure = 'throws' | 'nonsense' | 'malformed' | 'closes';
/** What a look-up answers, if it is asked. */
export type LookupLie = 'nothing' | 'an empty name' | 'objects' | 'a name' | 'twice' | 'a throw';
export type ClientAct = 'abort' | 'close' | 'destroy';

export interface ExchangePlan {
  readonly number: number;
  readonly request: {
    readonly kind: BodyKind;
    readonly content: Buffer;
    readonly pieceBytes: number;
    /** The source fails after so many bytes; null for never. */
    readonly failsAt: number | null;
    readonly failure: SourceFailure;
    /** A stream that was paused when it was given. */
    readonly paused: boolean;
    /** The memory of the body is given away behind the call. */
    readonly transferred: boolean;
    readonly declared: boolean;
    readonly expectsContinue: boolean;
    readonly trailers: boolean;
    /** getResponse() is called when request() has settled, not at once. */
    readonly asksLate: boolean;
  };
  readonly response: {
    readonly status: number;
    readonly content: Buffer;
    /** The whole of it: interim heads, head, body. */
    readonly wire: Buffer;
    readonly untilClose: boolean;
    readonly keepsAlive: boolean;
    /** Sent behind the response. */
    readonly garbage: string;
  };
  readonly server: {
    /** Answers when it has the head, or the whole request. */
    readonly answersAtHead: boolean;
    /** Reads nothing behind the head, and closes when it has answered. */
    readonly readsBody: boolean;
    readonly fault: ServerFault | null;
    /** The fault comes behind so many bytes of the wire. */
    readonly faultAt: number;
    /** Closes behind a complete response although it did not say so. */
    readonly closesUnsaid: ServerFault | null;
    readonly cuts: readonly number[];
    readonly delays: readonly number[];
  };
  readonly client: {
    readonly reader: Reader;
    readonly pauses: boolean;
    readonly act: ClientAct | null;
    readonly actAfterMs: number;
    readonly timeoutMs: number;
    readonly lookup: LookupLie | null;
    /** Holds the event loop for so long; longer than the limit of whoever is impatient. */
    readonly holdsMs: number;
  };
}

const LARGEST_BODY = 400_000;
const PATIENT_MS = 20_000;
const IMPATIENT_MS = 60;
const GARBAGE = ['\r\n', 'x', 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged'];

const FAILURES: Partial<Record<BodyKind, readonly SourceFailure[]>> & {
  generator: readonly SourceFailure[];
} = {
  generator: ['throws', 'nonsense'],
  iterable: ['throws', 'nonsense', 'malformed'],
  stream: ['throws', 'nonsense', 'closes'],
};

/** The plan of that number under that seed. */
export function planExchange(seed: number, number: number): ExchangePlan {
  const random = new Random(Math.imul(seed, 2_654_435_761) ^ Math.imul(number + 1, 40_503));
  const kind = random.pick<BodyKind>([
    'none',
    'none',
    'text',
    'bytes',
    'generator',
    'iterable',
    'stream',
    'web stream',
  ]);
  const streamed = kind !== 'none' && kind !== 'text' && kind !== 'bytes';
  const content = kind === 'none' ? Buffer.alloc(0) : patternBytes(random.size(LARGEST_BODY), number);
  const readsBody = !(kind !== 'none' && random.percent(12));
  const answersAtHead = !readsBody || random.percent(25);
  const response = planResponse(random, number, readsBody);
  const fault = random.percent(20) ? random.pick<ServerFault>(['FIN', 'reset', 'stall', 'garble']) : null;
  const act = random.percent(14) ? random.pick<ClientAct>(['abort', 'close', 'destroy']) : null;
  return {
    number,
    request: {
      kind,
      content,
      pieceBytes: random.pick([1 + (content.length >> 7), 1000, 16_384, 70_000, 1 + content.length]),
      failsAt: streamed && random.percent(10) ? random.integer(0, content.length) : null,
      failure: random.pick(FAILURES[kind] ?? FAILURES.generator),
      paused: random.percent(30),
      transferred: kind === 'bytes' && random.percent(10),
      declared: streamed && random.percent(30),
      expectsContinue: kind !== 'none' && random.percent(8),
      trailers: random.percent(20),
      asksLate: random.percent(30),
    },
    response,
    server: {
      answersAtHead,
      readsBody,
      fault,
      // A stall behind the last byte would be none for this exchange.
      faultAt: random.integer(0, response.wire.length - (fault === 'stall' ? 1 : 0)),
      closesUnsaid: random.percent(10) ? random.pick<ServerFault>(['FIN', 'reset']) : null,
      cuts: Array.from({ length: random.integer(0, 6) }, () => random.fraction()),
      delays: Array.from({ length: 8 }, () => random.pick([-1, -1, -1, 0, 0, 1, 4])),
    },
    client: {
      reader: random.pick<Reader>([
        'readall',
        'for await',
        'data',
        'readable',
        'readinto',
        'readline',
        'read1',
        'pipe',
        'encoded',
      ]),
      pauses: random.percent(30),
      act,
      actAfterMs: random.pick([0, 0, 1, 3, 10]),
      timeoutMs: fault === 'stall' ? IMPATIENT_MS : PATIENT_MS,
      lookup: random.percent(6)
        ? random.pick<LookupLie>(['nothing', 'an empty name', 'objects', 'a name', 'twice', 'a throw'])
        : null,
      // Seldom: it holds all the others too.
      holdsMs: random.fraction() < 0.004 ? IMPATIENT_MS + 10 : 0,
    },
  };
}

function planResponse(random: Random, number: number, small: boolean): ExchangePlan['response'] {
  const status = random.pick([200, 200, 200, 201, 204, 304, 400, 413, 500]);
  const bodiless = status === 204 || status === 304;
  // A server that closes with bytes unread takes back what the client has not received yet; 16 KiB it has.
  const largest = small ? LARGEST_BODY : 16_000;
  const content = bodiless ? Buffer.alloc(0) : patternBytes(random.size(largest), number * 7);
  const framing = bodiless ? 'none' : random.pick(['length', 'length', 'chunked', 'chunked', 'close']);
  const says = framing === 'close' || random.percent(10) ? 'close' : null;
  const fields = [`X-Number: ${String(number)}`];
  if (says !== null && framing !== 'close') fields.push('Connection: close');
  if (framing === 'length') fields.push(`Content-Length: ${String(content.length)}`);
  if (framing === 'chunked') fields.push('Transfer-Encoding: chunked');
  const interim = 'HTTP/1.1 103 Early Hints\r\nX-Hint: 1\r\n\r\n'.repeat(random.pick([0, 0, 0, 1, 3]));
  const head = `${interim}HTTP/1.1 ${String(status)} Reason\r\n${fields.join('\r\n')}\r\n\r\n`;
  const body = framing === 'chunked' ? encodeChunks(content, random) : content;
  return {
    status,
    content,
    wire: Buffer.concat([Buffer.from(head), body]),
    untilClose: framing === 'close',
    keepsAlive: says === null,
    // Behind a body that only the end of the connection ends, there is no behind.
    garbage: framing !== 'close' && random.percent(8) ? random.pick(GARBAGE) : '',
  };
}

function encodeChunks(content: Buffer, random: Random): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0; at < content.length;) {
    const size = Math.min(content.length - at, random.integer(1, 1 + content.length));
    pieces.push(
      Buffer.from(`${size.toString(16)}${random.pick(['', ';x=1'])}\r\n`),
      content.subarray(at, at + size),
    );
    pieces.push(Buffer.from('\r\n'));
    at += size;
  }
  pieces.push(Buffer.from(random.pick(['0\r\n\r\n', '0\r\nX-Trailer: 1\r\n\r\n'])));
  return Buffer.concat(pieces);
}
