/**
 * Where a body ends and whether the connection lives on: a table of heads and what is decided, and the two readers without a coding.
 */
import { expect } from 'chai';

import { LengthReader, UntilCloseReader } from '../../lib/protocol/plain-body.js';
import { decideFraming } from '../../lib/protocol/framing.js';
import type { Framing as WholeFraming } from '../../lib/protocol/framing.js';

/** Without `closes`, which is what the fields say and nothing else: compared for all examples at once. */
type Framing = Omit<WholeFraming, 'closes'>;
import { cuttings } from '../support/cuttings.js';

interface Example {
  name: string;
  method?: string;
  status?: number;
  version?: 10 | 11;
  fields?: string[];
  expect: Framing | string;
}

const none = (keepAlive: boolean): Framing => ({ kind: 'none', length: 0, keepAlive });
const length = (size: number, keepAlive = true): Framing => ({ kind: 'length', length: size, keepAlive });
const chunked = (keepAlive = true): Framing => ({ kind: 'chunked', length: null, keepAlive });
const untilClose: Framing = { kind: 'until close', length: null, keepAlive: false };
const switched: Framing = { kind: 'switch', length: 0, keepAlive: false };

const TABLE: Example[] = [
  { name: 'neither length nor coding', expect: untilClose },
  { name: 'neither, with keep-alive', fields: ['Connection', 'keep-alive'], expect: untilClose },
  { name: 'a length', fields: ['Content-Length', '5'], expect: length(5) },
  { name: 'a length of 0', fields: ['content-length', '0'], expect: length(0) },
  { name: 'a length with leading zeros', fields: ['Content-Length', '0005'], expect: length(5) },
  { name: 'the largest length', fields: ['Content-Length', '9007199254740991'], expect: length(2 ** 53 - 1) },
  { name: 'chunked', fields: ['Transfer-Encoding', 'chunked'], expect: chunked() },
  { name: 'chunked in capitals', fields: ['TRANSFER-ENCODING', 'CHUNKED'], expect: chunked() },
  { name: 'chunked beside empty members', fields: ['Transfer-Encoding', ', chunked ,'], expect: chunked() },
  {
    name: 'chunked and close',
    fields: ['Transfer-Encoding', 'chunked', 'Connection', 'close'],
    expect: chunked(false),
  },

  { name: 'HEAD with a length', method: 'HEAD', fields: ['Content-Length', '5'], expect: none(true) },
  {
    name: 'HEAD with a coding',
    method: 'HEAD',
    fields: ['Transfer-Encoding', 'chunked'],
    expect: none(true),
  },
  { name: 'HEAD without either', method: 'HEAD', expect: none(true) },
  {
    name: 'head, which is another method',
    method: 'head',
    fields: ['Content-Length', '5'],
    expect: length(5),
  },
  { name: '204 with a length', status: 204, fields: ['Content-Length', '5'], expect: none(true) },
  { name: '204 with a coding', status: 204, fields: ['Transfer-Encoding', 'chunked'], expect: none(true) },
  { name: '204 with an unusable length', status: 204, fields: ['Content-Length', 'x'], expect: 'BadHeader' },
  {
    name: 'HEAD with two lengths',
    method: 'HEAD',
    fields: ['Content-Length', '5', 'Content-Length', '5'],
    expect: 'BadHeader',
  },
  {
    name: 'HEAD with length and coding',
    method: 'HEAD',
    fields: ['Content-Length', '5', 'Transfer-Encoding', 'chunked'],
    expect: 'BadHeader',
  },
  {
    name: 'HEAD with an unknown coding',
    method: 'HEAD',
    fields: ['Transfer-Encoding', 'gzip'],
    expect: none(true),
  },
  { name: '304 with a length', status: 304, fields: ['Content-Length', '5'], expect: none(true) },
  { name: '304 and close', status: 304, fields: ['Connection', 'close'], expect: none(false) },
  { name: '205, which may have one', status: 205, fields: ['Content-Length', '5'], expect: length(5) },
  { name: '101', status: 101, expect: switched },
  { name: '200 to CONNECT', method: 'CONNECT', fields: ['Content-Length', '5'], expect: switched },
  {
    name: '299 to CONNECT',
    method: 'CONNECT',
    status: 299,
    fields: ['Transfer-Encoding', 'chunked'],
    expect: switched,
  },
  {
    name: '407 to CONNECT',
    method: 'CONNECT',
    status: 407,
    fields: ['Content-Length', '5'],
    expect: length(5),
  },

  { name: 'close', fields: ['Content-Length', '5', 'Connection', 'close'], expect: length(5, false) },
  {
    name: 'Close among others',
    fields: ['Content-Length', '5', 'Connection', 'x, Close ,y'],
    expect: length(5, false),
  },
  {
    name: 'close in a second field',
    fields: ['Connection', 'keep-alive', 'Content-Length', '5', 'connection', 'close'],
    expect: length(5, false),
  },
  {
    name: 'x-closed, which is another option',
    fields: ['Content-Length', '5', 'Connection', 'x-closed'],
    expect: length(5),
  },
  { name: 'HTTP/1.0', version: 10, fields: ['Content-Length', '5'], expect: length(5, false) },
  {
    name: 'HTTP/1.0 and keep-alive',
    version: 10,
    fields: ['Content-Length', '5', 'Connection', 'Keep-Alive'],
    expect: length(5),
  },
  {
    name: 'HTTP/1.0, keep-alive and close',
    version: 10,
    fields: ['Content-Length', '5', 'Connection', 'keep-alive, close'],
    expect: length(5, false),
  },

  ...[
    '',
    ' ',
    '+5',
    '-5',
    '5.0',
    '0x5',
    '5_0',
    '1e3',
    '５',
    '5, 5',
    '5,',
    '9007199254740992',
    '9'.repeat(400),
  ].map((value): Example => ({
    name: `a length of ${JSON.stringify(value.slice(0, 30))}`,
    fields: ['Content-Length', value],
    expect: 'BadHeader',
  })),
  { name: 'two lengths', fields: ['Content-Length', '5', 'Content-Length', '3'], expect: 'BadHeader' },
  { name: 'two equal lengths', fields: ['Content-Length', '5', 'content-length', '5'], expect: 'BadHeader' },
  {
    name: 'a length beside a coding',
    fields: ['Content-Length', '5', 'Transfer-Encoding', 'chunked'],
    expect: 'BadHeader',
  },
  {
    name: 'a coding in HTTP/1.0',
    version: 10,
    fields: ['Transfer-Encoding', 'chunked'],
    expect: 'BadHeader',
  },
  ...[
    'gzip, chunked',
    'chunked, chunked',
    'chunked, identity',
    'identity',
    'xchunked',
    'chunked;q=1',
    '',
    'chunked\xa0',
    '"chunked"',
  ].map((value): Example => ({
    name: `a coding of ${JSON.stringify(value)}`,
    fields: ['Transfer-Encoding', value],
    expect: 'UnknownTransferEncoding',
  })),
  {
    name: 'chunked in two fields',
    fields: ['Transfer-Encoding', 'chunked', 'Transfer-Encoding', 'chunked'],
    expect: 'UnknownTransferEncoding',
  },
];

function saysClose(fields: readonly string[]): boolean {
  const options = fields.filter((_, i) => i % 2 === 1 && fields[i - 1]?.toLowerCase() === 'connection');
  return options.some((value) =>
    value
      .toLowerCase()
      .split(/[\t ]*,[\t ]*/)
      .includes('close'),
  );
}

describe('decideFraming', () => {
  for (const { name, method = 'GET', status = 200, version = 11, fields = [], expect: expected } of TABLE) {
    it(`${typeof expected === 'string' ? 'refuses' : 'decides'} ${name}`, () => {
      const decide = (): WholeFraming => decideFraming(method, { version, status, reason: '' }, fields);
      if (typeof expected === 'string') expect(decide).to.throw().that.includes({ name: expected });
      else expect(decide()).to.deep.equal({ ...expected, closes: saysClose(fields) });
    });
  }
});

describe('LengthReader', () => {
  it('emits so many bytes, says where they ended, and leaves the rest', () => {
    const wire = Buffer.from('0123456789surplus');
    for (const [name, pieces] of cuttings(wire)) {
      const reader = new LengthReader(10);
      const body: Buffer[] = [];
      const surplus: Buffer[] = [];
      for (const piece of pieces) {
        expect(reader.dataAhead).to.equal(reader.length);
        const used = reader.write(piece, 0, (bytes) => body.push(Buffer.from(bytes)));
        surplus.push(piece.subarray(used));
      }
      expect(String(Buffer.concat(body)), name).to.equal('0123456789');
      expect(String(Buffer.concat(surplus)), name).to.equal('surplus');
      expect(reader.done).to.equal(true);
      expect(reader.length).to.equal(0);
      reader.end();
    }
  });

  it('reads from an index on, and emits nothing for nothing', () => {
    const reader = new LengthReader(3);
    const body: string[] = [];
    const emit = (bytes: Buffer): void => {
      body.push(String(bytes));
    };
    expect(reader.write(Buffer.from('....ab'), 4, emit)).to.equal(6);
    expect(reader.write(Buffer.from('....'), 4, emit)).to.equal(4);
    expect(reader.write(Buffer.from('cd'), 0, emit)).to.equal(1);
    expect(body).to.deep.equal(['ab', 'c']);
  });

  it('counts bytes that were read elsewhere', () => {
    const reader = new LengthReader(10);
    reader.skipData(4);
    expect(reader.length).to.equal(6);
    expect(reader.done).to.equal(false);
    reader.skipData(6);
    expect(reader.done).to.equal(true);
  });

  it('fails with what is missing when the peer ends first', () => {
    for (let size = 0; size < 10; size++) {
      const reader = new LengthReader(10);
      reader.write(Buffer.alloc(size), 0, () => undefined);
      expect(() => reader.end())
        .to.throw()
        .that.includes({ name: 'IncompleteRead', expected: 10 - size });
    }
  });

  it('is done at once when the length is 0', () => {
    const reader = new LengthReader(0);
    expect(reader.done).to.equal(true);
    expect(reader.write(Buffer.from('x'), 0, () => expect.fail('nothing was due'))).to.equal(0);
  });
});

describe('UntilCloseReader', () => {
  it('emits everything, and is done when the peer ends', () => {
    for (const [, pieces] of cuttings(Buffer.from('0123456789'))) {
      const reader = new UntilCloseReader();
      const body: Buffer[] = [];
      for (const piece of pieces) {
        expect(reader.write(piece, 0, (bytes) => body.push(bytes))).to.equal(piece.length);
      }
      expect(reader.done).to.equal(false);
      expect(reader.length).to.equal(null);
      reader.end();
      expect(reader.done).to.equal(true);
      expect(String(Buffer.concat(body))).to.equal('0123456789');
    }
  });
});
