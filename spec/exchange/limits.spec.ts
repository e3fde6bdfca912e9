/**
 * The six limits, each at its value and one beyond, in every place where it counts; and that no input makes the parser keep or ask for
 * more memory than they allow, however long it goes on.
 */
import { expect } from 'chai';
import sinon from 'sinon';
import { HTTPConnection, LimitExceeded, LineTooLong } from '../../lib/index.js';
import type { Limits } from '../../lib/index.js';
import { DEFAULT_LIMITS } from '../../lib/limits.js';
import { ResponseParser } from '../../lib/protocol/response-parser.js';
import { singleBytes } from '../support/parser-reading.js';
import { answer, rawServer } from '../support/raw-server.js';
import { rejection } from '../support/rejection.js';

const OK_HEAD = 'HTTP/1.1 200 OK\r\n';
const EMPTY = 'Content-Length: 0\r\n\r\n';
const CHUNKED_HEAD = `${OK_HEAD}Transfer-Encoding: chunked\r\n\r\n`;
const EARLY_HINTS = 'HTTP/1.1 103 Early Hints\r\n';

/** Something that is `size` big in the way a limit counts, within an otherwise valid response. */
interface Row {
  name: string;
  limit: keyof Limits;
  wire: (size: number) => string;
  /** Overrides that keep another limit out of the way. */
  others?: Partial<Limits>;
  expect: { error: typeof LineTooLong | typeof LimitExceeded; lineType?: string };
}

/** `text`, filled up with `fill` before its CRLF until the line has so many bytes. */
function lineOf(bytes: number, text: string, fill = 'a'): string {
  return `${text}${fill.repeat(bytes - text.length - 2)}\r\n`;
}

/** Field lines of exactly so many bytes altogether, none longer than 1000. */
function fieldsOf(bytes: number): string {
  const whole = Math.floor(bytes / 1000) - 1;
  return `${lineOf(1000, 'X: ').repeat(whole)}${lineOf(bytes - whole * 1000, 'Y: ')}`;
}

const tooLong = (lineType: string): Row['expect'] => ({ error: LineTooLong, lineType });
const exceeded: Row['expect'] = { error: LimitExceeded };

const ROWS: readonly Row[] = [
  {
    name: 'bytes of a status line',
    limit: 'lineBytes',
    wire: (size) => `${lineOf(size, 'HTTP/1.1 200 ')}${EMPTY}`,
    expect: tooLong('status line'),
  },
  {
    name: 'bytes of a field line',
    limit: 'lineBytes',
    wire: (size) => `${OK_HEAD}${lineOf(size, 'X: ')}${EMPTY}`,
    expect: tooLong('header line'),
  },
  {
    name: 'bytes of a field line that is all name',
    limit: 'lineBytes',
    wire: (size) => `${OK_HEAD}${'a'.repeat(size - 3)}:\r\n${EMPTY}`,
    expect: tooLong('header line'),
  },
  {
    name: 'bytes of a folded line',
    limit: 'lineBytes',
    wire: (size) => `${OK_HEAD}X: a\r\n${lineOf(size, ' ')}${EMPTY}`,
    expect: tooLong('header line'),
  },
  {
    name: 'bytes of a field line of an interim head',
    limit: 'lineBytes',
    wire: (size) => `${EARLY_HINTS}${lineOf(size, 'Link: ')}\r\n${OK_HEAD}${EMPTY}`,
    expect: tooLong('header line'),
  },
  {
    name: 'bytes of a chunk-size line, extension included',
    limit: 'lineBytes',
    wire: (size) => `${CHUNKED_HEAD}${lineOf(size, '1;')}x\r\n0\r\n\r\n`,
    others: { chunkOverheadBytes: 1_000_000 },
    expect: tooLong('chunk size'),
  },
  {
    name: 'bytes of a chunk-size line with leading zeros',
    limit: 'lineBytes',
    wire: (size) => `${CHUNKED_HEAD}${'0'.repeat(size - 3)}1\r\nx\r\n0\r\n\r\n`,
    others: { chunkOverheadBytes: 1_000_000 },
    expect: tooLong('chunk size'),
  },
  {
    name: 'bytes of a trailer line',
    limit: 'lineBytes',
    wire: (size) => `${CHUNKED_HEAD}0\r\n${lineOf(size, 'X: ')}\r\n`,
    others: { trailerBytes: 1_000_000 },
    expect: tooLong('trailer line'),
  },
  {
    name: 'bytes of a head',
    limit: 'headBytes',
    wire: (size) => `${OK_HEAD}${fieldsOf(size - OK_HEAD.length - EMPTY.length)}${EMPTY}`,
    others: { fields: 1000 },
    expect: exceeded,
  },
  {
    name: 'bytes of an interim head',
    limit: 'headBytes',
    wire: (size) => `${EARLY_HINTS}${fieldsOf(size - EARLY_HINTS.length - 2)}\r\n${OK_HEAD}${EMPTY}`,
    others: { fields: 1000 },
    expect: exceeded,
  },
  {
    name: 'bytes of a trailer section',
    limit: 'trailerBytes',
    wire: (size) => `${CHUNKED_HEAD}0\r\n${fieldsOf(size - 2)}\r\n`,
    expect: exceeded,
  },
  {
    name: 'field lines of a head',
    limit: 'fields',
    wire: (size) => `${OK_HEAD}${'X: a\r\n'.repeat(size - 1)}${EMPTY}`,
    expect: exceeded,
  },
  {
    name: 'field lines of a head, folded ones counted',
    limit: 'fields',
    wire: (size) => `${OK_HEAD}X: a\r\n${' b\r\n'.repeat(size - 2)}${EMPTY}`,
    expect: exceeded,
  },
  {
    name: 'field lines of an interim head',
    limit: 'fields',
    wire: (size) => `${EARLY_HINTS}${'X: a\r\n'.repeat(size)}\r\n${OK_HEAD}${EMPTY}`,
    expect: exceeded,
  },
  {
    name: 'field lines of a trailer section',
    limit: 'fields',
    wire: (size) => `${CHUNKED_HEAD}0\r\n${'X: a\r\n'.repeat(size)}\r\n`,
    expect: exceeded,
  },
  {
    name: 'interim responses',
    limit: 'interimResponses',
    wire: (size) => `${`${EARLY_HINTS}\r\n`.repeat(size)}${OK_HEAD}${EMPTY}`,
    expect: exceeded,
  },
  {
    name: 'interim responses of several kinds',
    limit: 'interimResponses',
    wire: (size) =>
      `${'HTTP/1.1 100 Continue\r\n\r\n'.repeat(size - 1)}HTTP/1.1 102 Processing\r\n\r\n${OK_HEAD}${EMPTY}`,
    expect: exceeded,
  },
  {
    // The last chunk's line of 3 has a credit of 16.
    name: 'bytes of one chunk extension beyond the credit',
    limit: 'chunkOverheadBytes',
    wire: (size) => `${CHUNKED_HEAD}${lineOf(size + 18, '1;')}x\r\n0\r\n\r\n`,
    expect: exceeded,
  },
  {
    // Each of the 64 lines has 256 bytes more than its credit of 18.
    name: 'bytes of many short chunk extensions beyond the credit',
    limit: 'chunkOverheadBytes',
    wire: (size) =>
      `${CHUNKED_HEAD}${`${lineOf(274, '1;')}x\r\n`.repeat(63)}${lineOf(size - 63 * 256 + 18, '1;')}x\r\n0\r\n\r\n`,
    expect: exceeded,
  },
];

describe('limits', function () {
  this.timeout(30_000);

  for (const { name, limit, wire, others, expect: expected } of ROWS) {
    const allowed = DEFAULT_LIMITS[limit];
    const limits = { ...DEFAULT_LIMITS, ...others };
    const deliveries: readonly [how: string, pieces: (bytes: Buffer) => Buffer[]][] = [
      ['at once', (bytes) => [bytes]],
      ['octet by octet', singleBytes],
    ];
    for (const [how, pieces] of deliveries) {
      it(`lets ${String(allowed)} ${name} pass, ${how}, and one more fail`, () => {
        expect(failureOf(pieces(Buffer.from(wire(allowed), 'latin1')), limits)).to.equal(null);
        const error = failureOf(pieces(Buffer.from(wire(allowed + 1), 'latin1')), limits);
        expect(error).to.be.instanceOf(expected.error);
        if (error instanceof LimitExceeded) expect(error).to.include({ limit, allowed });
        if (error instanceof LineTooLong) expect(error.lineType).to.equal(expected.lineType);
      });
    }
  }

  it('lets one-byte chunks pass for ever', () => {
    const parser = chunkedParser();
    const chunks = Buffer.from('1\r\nx\r\n'.repeat(10_000));
    const requested = bytesRequestedBy(() => {
      for (let i = 0; i < 100; i++) parser.write(Buffer.from(chunks), 0);
    });
    expect(parser.done).to.equal(false);
    expect(requested).to.equal(0);
  });

  it('refuses one-byte chunks with long extensions', () => {
    const { error, taken } = feed(chunkedParser(), Buffer.from(`1;${'a'.repeat(100)}\r\nx\r\n`));
    expect(error).to.include({ name: 'LimitExceeded', limit: 'chunkOverheadBytes' });
    expect(taken).to.be.below(32_768);
  });

  it('lets extensions pass that are shorter than the data they frame', () => {
    const parser = chunkedParser();
    const chunk = `3e8;${'a'.repeat(1000)}\r\n${'x'.repeat(1000)}\r\n`;
    for (let i = 0; i < 1000; i++) parser.write(Buffer.from(chunk), 0);
    expect(parser.done).to.equal(false);
  });

  const endless: readonly { name: string; start: string; piece: string; most: number }[] = [
    { name: 'a status line', start: 'HTTP/1.1 200 ', piece: 'a', most: 65_536 },
    { name: 'what is no status line', start: '', piece: 'a', most: 5 },
    { name: 'a field line', start: `${OK_HEAD}X: `, piece: 'a', most: 65_536 + 17 },
    { name: 'a field name', start: OK_HEAD, piece: 'a', most: 65_536 + 17 },
    { name: 'fields', start: OK_HEAD, piece: 'X: a\r\n', most: 17 + 101 * 6 },
    { name: 'a folded field', start: `${OK_HEAD}X: a\r\n`, piece: ' a\r\n', most: 17 + 101 * 6 },
    { name: 'empty lines', start: '', piece: '\r\n', most: 4 },
    { name: 'interim heads', start: '', piece: 'HTTP/1.1 100 Continue\r\n\r\n', most: 101 * 25 },
    { name: 'fields of an interim head', start: EARLY_HINTS, piece: 'X: a\r\n', most: 26 + 101 * 6 },
    { name: 'digits of a chunk size', start: CHUNKED_HEAD, piece: '0', most: 65_536 + 47 },
    { name: 'a chunk extension', start: `${CHUNKED_HEAD}1;`, piece: 'a', most: 65_536 + 47 },
    { name: 'a quoted chunk extension', start: `${CHUNKED_HEAD}1;a="`, piece: 'a', most: 65_536 + 47 },
    { name: 'a trailer line', start: `${CHUNKED_HEAD}0\r\nX: `, piece: 'a', most: 65_536 + 50 },
    { name: 'trailers', start: `${CHUNKED_HEAD}0\r\n`, piece: 'X: a\r\n', most: 50 + 101 * 6 },
  ];
  for (const { name, start, piece, most } of endless) {
    it(`ends ${name} without end after at most ${String(most)} bytes`, () => {
      for (const size of [1, 1000]) {
        const parser = newParser();
        parser.write(Buffer.from(start), 0);
        let result: ReturnType<typeof feed> | undefined;
        const requested = bytesRequestedBy(() => {
          result = feed(parser, Buffer.from(piece.repeat(Math.ceil(size / piece.length))));
        });
        expect(result?.error).to.be.an('error');
        const pieceBytes = Math.ceil(size / piece.length) * piece.length;
        expect((result?.taken ?? 0) + start.length).to.be.at.most(most + pieceBytes);
        // Room grows by doubling, so that all rooms together are at most four times the last one's need.
        expect(requested).to.be.at.most(4 * (most + pieceBytes) + 2048);
      }
    });
  }

  it('asks for no memory because of what a head announces', () => {
    for (const framing of [
      'Content-Length: 9007199254740991\r\n\r\n',
      'Transfer-Encoding: chunked\r\n\r\n1fffffffffffff\r\n',
    ]) {
      const parser = newParser();
      const head = Buffer.from(`${OK_HEAD}${framing}`);
      expect(bytesRequestedBy(() => parser.write(head, 0))).to.equal(0);
      expect(parser.done).to.equal(false);
    }
  });

  it('can be set for a connection, one by one', async () => {
    const server = await rawServer(answer(`${OK_HEAD}X: 1\r\n${EMPTY}`));
    const strict = new HTTPConnection('127.0.0.1', server.port, { limits: { fields: 1 } });
    await strict.request('GET', '/');
    const error = await rejection<LimitExceeded>(strict.getResponse());
    expect(error).to.include({ name: 'LimitExceeded', limit: 'fields', allowed: 1 });
    const enough = new HTTPConnection('127.0.0.1', server.port, { limits: { fields: 2 } });
    await enough.request('GET', '/');
    expect((await enough.getResponse()).status).to.equal(200);
    enough.close();
  });
});

function newParser(limits: Readonly<Limits> = DEFAULT_LIMITS): ResponseParser {
  const ignore = (): void => undefined;
  const handler = { onInterim: ignore, onHead: ignore, onBody: ignore, onEndOfResponse: ignore };
  return new ResponseParser('GET', limits, handler);
}

function chunkedParser(): ResponseParser {
  const parser = newParser();
  parser.write(Buffer.from(CHUNKED_HEAD), 0);
  return parser;
}

/** What reading a whole response fails with; null when it is read to its end. */
function failureOf(pieces: readonly Buffer[], limits: Readonly<Limits>): unknown {
  const parser = newParser(limits);
  try {
    for (const piece of pieces) parser.write(Buffer.from(piece), 0);
  } catch (error) {
    return error;
  }
  return parser.done ? null : 'the response is not complete';
}

/** Writes the same piece until the parser refuses it, a MiB at most. */
function feed(parser: ResponseParser, piece: Buffer): { error: unknown; taken: number } {
  const bytes = Buffer.from(piece);
  let taken = 0;
  while (taken < 1_048_576) {
    piece.copy(bytes);
    taken += piece.length;
    try {
      parser.write(bytes, 0);
    } catch (error) {
      return { error, taken };
    }
  }
  return { error: null, taken };
}

/** The bytes of all buffers that are asked for by size meanwhile. */
function bytesRequestedBy(action: () => unknown): number {
  const spies = (['alloc', 'allocUnsafe', 'allocUnsafeSlow'] as const).map((name) => sinon.spy(Buffer, name));
  try {
    action();
    return spies.flatMap((spy) => spy.args).reduce((sum, [size]) => sum + size, 0);
  } finally {
    for (const spy of spies) spy.restore();
  }
}
