/**
 * The chunked coding read from bytes: a table of bodies, each delivered whole, byte by byte, at random cuts, with surplus behind it, and
 * cut short.
 */
import { expect } from 'chai';
import fc from 'fast-check';

import { resolveLimits } from '../../lib/limits.js';
import type { Limits } from '../../lib/limits.js';
import { ChunkedReader, formatChunkSize, formatLastChunk } from '../../lib/protocol/chunked.js';
import { atRandom, cuttings, inTwo } from '../support/cuttings.js';

interface Example {
  name: string;
  wire: string;
  limits?: Partial<Limits>;
  /** The body, or the error's class and more. */
  expect: string | { error: string; [data: string]: unknown };
  trailers?: string[];
  /** What is delivered before the error. */
  before?: string;
}

const many = (count: number, chunk: string): string => chunk.repeat(count);

const TABLE: Example[] = [
  { name: 'an empty body', wire: '0\r\n\r\n', expect: '' },
  { name: 'one chunk', wire: '5\r\nhello\r\n0\r\n\r\n', expect: 'hello' },
  {
    name: 'several chunks',
    wire: '5\r\nhello\r\n6\r\n world\r\n1\r\n!\r\n0\r\n\r\n',
    expect: 'hello world!',
  },
  {
    name: 'sizes in either case, with leading zeros',
    wire: 'A\r\n0123456789\r\n00b\r\n0123456789a\r\n000\r\n\r\n',
    expect: '01234567890123456789a',
  },
  { name: 'data that looks like framing', wire: '7\r\n0\r\n\r\n0\r\r\n0\r\n\r\n', expect: '0\r\n\r\n0\r' },
  {
    name: 'trailers',
    wire: '1\r\na\r\n0\r\nX-A: 1\r\nx-b: 2\r\n\r\n',
    expect: 'a',
    trailers: ['X-A', '1', 'x-b', '2'],
  },
  { name: 'an extension', wire: '1;a\r\na\r\n0;last\r\n\r\n', expect: 'a' },
  { name: 'extensions with values', wire: '1;a=b;c="d";e\r\na\r\n0\r\n\r\n', expect: 'a' },
  { name: 'blanks in extensions', wire: '1 ;\ta = b\t; c ="d" ;e\r\na\r\n0\r\n\r\n', expect: 'a' },
  {
    name: 'a quoted value with all that it may hold',
    wire: '1;a="\\"\\\\;\t \xe9=,{}"\r\na\r\n0\r\n\r\n',
    expect: 'a',
  },
  { name: 'an empty quoted value', wire: '1;a=""\r\na\r\n0\r\n\r\n', expect: 'a' },
  {
    name: 'a size line as long as is allowed',
    wire: '1;345678\r\na\r\n0\r\n\r\n',
    limits: { lineBytes: 10 },
    expect: 'a',
  },
  {
    name: 'as much overhead as is allowed',
    wire: `1;${'x'.repeat(24)}\r\na\r\n0\r\n\r\n`,
    limits: { chunkOverheadBytes: 10 },
    expect: 'a',
  },
  {
    name: 'one-byte chunks without end',
    wire: `${many(3000, '1\r\na\r\n')}0\r\n\r\n`,
    limits: { chunkOverheadBytes: 0 },
    expect: 'a'.repeat(3000),
  },

  ...['', ' ', '+1', '-1', '0x1', '1_0', 'g', '1 1', ' 1', '\t1', '1,', '1\0', '\xb9', ';a', '=', '"1"'].map(
    (size): Example => ({
      name: `a size of ${JSON.stringify(size)}`,
      wire: `${size}\r\na\r\n0\r\n\r\n`,
      expect: { error: 'BadChunk' },
      before: '',
    }),
  ),
  ...[
    ';',
    ';;',
    '; ',
    ';=',
    ';a=',
    ';a==',
    ';a;',
    ';a b',
    ';a=b c',
    ';a="',
    ';a="b',
    ';a="b"c',
    ';a="\\',
    ';a=b"c"',
    ';(',
    ';a=(',
    ';a="\x7f"',
    ';a="\0"',
    ' a',
    ' ',
    ';a\n',
  ].map((extension): Example => ({
    name: `an extension of ${JSON.stringify(extension)}`,
    wire: `1${extension}\r\na\r\n0\r\n\r\n`,
    expect: { error: 'BadChunk' },
    before: '',
  })),
  { name: 'a size beyond what can be counted', wire: '20000000000000\r\n', expect: { error: 'BadChunk' } },
  { name: 'a size of a thousand digits', wire: `${'f'.repeat(1000)}\r\n`, expect: { error: 'BadChunk' } },
  { name: 'a bare LF behind the size', wire: '1\na\r\n0\r\n\r\n', expect: { error: 'BadChunk' } },
  { name: 'a bare CR behind the size', wire: '1\ra\r\n0\r\n\r\n', expect: { error: 'BadChunk' } },
  {
    name: 'a bare LF behind the data',
    wire: '1\r\na\n0\r\n\r\n',
    expect: { error: 'BadChunk' },
    before: 'a',
  },
  { name: 'a bare CR behind the data', wire: '1\r\na\rb', expect: { error: 'BadChunk' }, before: 'a' },
  {
    name: 'data that is longer than its size',
    wire: '1\r\nab\r\n0\r\n\r\n',
    expect: { error: 'BadChunk' },
    before: 'a',
  },
  {
    name: 'an empty line between chunks',
    wire: '1\r\na\r\n\r\n1\r\nb\r\n0\r\n\r\n',
    expect: { error: 'BadChunk' },
    before: 'a',
  },
  {
    name: 'a bad chunk behind good ones',
    wire: '1\r\na\r\n2\r\nbc\r\nx\r\n',
    expect: { error: 'BadChunk' },
    before: 'abc',
  },
  {
    name: 'a malformed trailer',
    wire: '1\r\na\r\n0\r\nnot a field\r\n\r\n',
    expect: { error: 'BadHeader' },
    before: 'a',
  },
  {
    name: 'a size line a byte too long',
    wire: '1;3456789\r\na\r\n',
    limits: { lineBytes: 10 },
    expect: { error: 'LineTooLong', lineType: 'chunk size' },
  },
  {
    name: 'overhead a byte beyond what is allowed',
    wire: `1;${'x'.repeat(25)}\r\na\r\n`,
    limits: { chunkOverheadBytes: 10 },
    expect: { error: 'LimitExceeded', limit: 'chunkOverheadBytes', allowed: 10 },
  },
  {
    name: 'zeros without end',
    wire: '0'.repeat(200),
    limits: { lineBytes: 100 },
    expect: { error: 'LineTooLong', lineType: 'chunk size' },
  },
  {
    name: 'extensions on every small chunk',
    wire: `${many(100, `1;${'x'.repeat(200)}\r\na\r\n`)}0\r\n\r\n`,
    expect: { error: 'LimitExceeded', limit: 'chunkOverheadBytes' },
  },
  {
    name: 'a trailer too many',
    wire: '0\r\na: b\r\nc: d\r\n\r\n',
    limits: { fields: 1 },
    expect: { error: 'LimitExceeded', limit: 'fields' },
  },
  {
    name: 'trailers that are too large',
    wire: '0\r\na: b\r\nc: d\r\n\r\n',
    limits: { trailerBytes: 10 },
    expect: { error: 'LimitExceeded', limit: 'trailerBytes' },
  },
];

interface Outcome {
  body: string;
  used: number;
  error: (Error & Record<string, unknown>) | null;
  reader: ChunkedReader;
}

function read(limits: Partial<Limits> | undefined, pieces: readonly Buffer[]): Outcome {
  const reader = new ChunkedReader(resolveLimits(limits));
  const body: Buffer[] = [];
  let used = 0;
  let error: Outcome['error'] = null;
  try {
    for (const piece of pieces) {
      if (reader.done) break;
      used += reader.write(Buffer.from(piece), 0, (bytes) => {
        expect(bytes.length).to.be.above(0);
        body.push(Buffer.from(bytes));
      });
    }
  } catch (thrown) {
    error = thrown as Error & Record<string, unknown>;
  }
  return { body: Buffer.concat(body).toString('latin1'), used, error, reader };
}

describe('ChunkedReader', () => {
  for (const { name, wire: text, limits, expect: expected, trailers = [], before } of TABLE) {
    const wire = Buffer.from(text, 'latin1');

    if (typeof expected !== 'string') {
      it(`refuses ${name}, however it is cut`, () => {
        const { error: className, ...data } = expected;
        for (const [cut, pieces] of cuttings(wire)) {
          const { error, body, reader } = read(limits, pieces);
          expect(error?.name, cut).to.equal(className);
          for (const [key, value] of Object.entries(data))
            expect(error?.[key], `${cut}: ${key}`).to.equal(value);
          if (before !== undefined) expect(body, cut).to.equal(before);
          expect(reader.done).to.equal(false);
          expect(reader.trailers()).to.deep.equal([]);
        }
      });
      continue;
    }

    it(`reads ${name}, however it is cut, and uses no byte behind it`, () => {
      const surplus = Buffer.concat([wire, Buffer.from('0\r\n\r\nHTTP/1.1')]);
      const deliveries = [...cuttings(wire), ...cuttings(surplus)];
      for (let at = 1; at < Math.min(wire.length, 120); at++)
        deliveries.push([`cut at ${String(at)}`, inTwo(surplus, at)]);
      for (const [cut, pieces] of deliveries) {
        const { body, used, error, reader } = read(limits, pieces);
        expect(error, cut).to.equal(null);
        expect(body, cut).to.equal(expected);
        expect(reader.done, cut).to.equal(true);
        expect(reader.trailers(), cut).to.deep.equal(trailers);
        expect(used, cut).to.equal(wire.length);
        reader.end();
      }
    });

    it(`is cut short wherever ${name} is cut, even behind the last chunk`, () => {
      for (let size = 0; size < wire.length; size += wire.length > 500 ? 101 : 1) {
        const { reader, body } = read(limits, [wire.subarray(0, size)]);
        expect(reader.done).to.equal(false);
        expect(expected.startsWith(body)).to.equal(true);
        expect(() => reader.end())
          .to.throw()
          .that.includes({ name: 'IncompleteRead', expected: null });
      }
    });
  }

  it('hands the data of all chunks in one write over as one piece', () => {
    const pieces: string[] = [];
    const reader = new ChunkedReader(resolveLimits(undefined));
    reader.write(Buffer.from('1\r\na\r\n2\r\nbc\r\n3\r\ndef\r\n0\r\n\r\n'), 0, (bytes) => {
      pieces.push(String(bytes));
    });
    expect(pieces).to.deep.equal(['abcdef']);
  });

  it('says how many of the next bytes are data, and goes on behind those that were read elsewhere', () => {
    const reader = new ChunkedReader(resolveLimits(undefined));
    const ignore = (): void => undefined;
    expect(reader.dataAhead).to.equal(0);
    reader.write(Buffer.from('a\r\n012'), 0, ignore);
    expect(reader.dataAhead).to.equal(7);
    reader.skipData(3);
    expect(reader.dataAhead).to.equal(4);
    reader.skipData(4);
    expect(reader.dataAhead).to.equal(0);
    reader.write(Buffer.from('\r\n0\r\n\r\n'), 0, ignore);
    expect(reader.done).to.equal(true);
  });

  it('reads back what the formatters write, for any pieces and any cut', () => {
    const piece = fc.uint8Array({ minLength: 1, maxLength: 40 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 12 }),
        fc.boolean(),
        fc.nat(),
        (pieces, withTrailers, seed) => {
          const trailers = withTrailers ? ['X-Sum', String(seed)] : [];
          const wire = Buffer.concat([
            ...pieces.flatMap((bytes, i) => [Buffer.from(formatChunkSize(bytes.length, i === 0)), bytes]),
            Buffer.from(formatLastChunk(trailers, pieces.length === 0)),
          ]);
          const { body, used, reader, error } = read(undefined, atRandom(wire, seed));
          expect(error).to.equal(null);
          expect(reader.done).to.equal(true);
          expect(used).to.equal(wire.length);
          expect(body).to.equal(Buffer.concat(pieces).toString('latin1'));
          expect(reader.trailers()).to.deep.equal(trailers);
        },
      ),
      { seed: 3, numRuns: 500 },
    );
  });
});
