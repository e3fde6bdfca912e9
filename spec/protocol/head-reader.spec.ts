/**
 * The line-based parts of a message, read from bytes: a table of sections, each delivered whole, byte by byte, at random cuts, with
 * surplus behind it, and cut short.
 */
import { expect } from 'chai';

import { DEFAULT_LIMITS, resolveLimits } from '../../lib/limits.js';
import type { Limits } from '../../lib/limits.js';
import { HeadReader } from '../../lib/protocol/head-reader.js';
import type { SectionKind } from '../../lib/protocol/head-reader.js';
import { cuttings, inTwo } from '../support/cuttings.js';

interface Example {
  name: string;
  wire: string;
  kind?: SectionKind;
  limits?: Partial<Limits>;
  /** Fields, `[name, value, …]`, or the error's class and more. */
  expect: string[] | { error: string; [data: string]: unknown };
}

const STATUS = 'HTTP/1.1 200 OK\r\n';
const fieldsOf = (count: number): string =>
  Array.from({ length: count }, (_, i) => `X-${String(i)}: v\r\n`).join('');

const FIELDS: Example[] = [
  { name: 'no field', wire: '\r\n', expect: [] },
  { name: 'one field', wire: 'Name: value\r\n\r\n', expect: ['Name', 'value'] },
  {
    name: 'fields in order and spelling',
    wire: 'b: 1\r\nA: 2\r\nB: 3\r\n\r\n',
    expect: ['b', '1', 'A', '2', 'B', '3'],
  },
  { name: 'no blank behind the colon', wire: 'a:b\r\n\r\n', expect: ['a', 'b'] },
  { name: 'blanks around a value', wire: 'a: \t b c\t \r\n\r\n', expect: ['a', 'b c'] },
  { name: 'an empty value', wire: 'a:\r\nb: \r\n\r\n', expect: ['a', '', 'b', ''] },
  { name: 'colons in a value', wire: 'a:b:c\r\n\r\n', expect: ['a', 'b:c'] },
  { name: 'obs-text in a value', wire: 'a: \xe9\xff\r\n\r\n', expect: ['a', '\xe9\xff'] },
  { name: 'NBSP, which is no blank', wire: 'a: \xa0b\xa0\r\n\r\n', expect: ['a', '\xa0b\xa0'] },
  {
    name: 'every tchar in a name',
    wire: "!#$%&'*+-.^_`|~09azAZ: v\r\n\r\n",
    expect: ["!#$%&'*+-.^_`|~09azAZ", 'v'],
  },
  { name: 'a folded field', wire: 'a: b\r\n  c\r\n\td\r\nE: f\r\n\r\n', expect: ['a', 'b c d', 'E', 'f'] },
  { name: 'a fold of blanks only', wire: 'a: b\r\n \r\nc: d\r\n\r\n', expect: ['a', 'b', 'c', 'd'] },
  { name: 'a fold of an empty value', wire: 'a:\r\n b\r\n\r\n', expect: ['a', 'b'] },
  {
    name: 'as many fields as are allowed',
    wire: `${fieldsOf(100)}\r\n`,
    expect: Array.from({ length: 100 }, (_, i) => [`X-${String(i)}`, 'v']).flat(),
  },
  {
    name: 'a line as long as is allowed',
    wire: 'a: 345678\r\n\r\n',
    limits: { lineBytes: 11 },
    expect: ['a', '345678'],
  },
  {
    name: 'a section as large as is allowed',
    wire: 'a: b\r\n\r\n',
    limits: { headBytes: 8 },
    expect: ['a', 'b'],
  },

  { name: 'a line without colon', wire: 'name\r\n\r\n', expect: { error: 'BadHeader', line: 'name\r' } },
  { name: 'an empty name', wire: ': value\r\n\r\n', expect: { error: 'BadHeader', line: ':' } },
  { name: 'a blank before the colon', wire: 'a : b\r\n\r\n', expect: { error: 'BadHeader', line: 'a ' } },
  { name: 'a name that is no token', wire: 'a(b: c\r\n\r\n', expect: { error: 'BadHeader' } },
  { name: 'obs-text in a name', wire: 'caf\xe9: c\r\n\r\n', expect: { error: 'BadHeader' } },
  { name: 'a bare LF at the end of a line', wire: 'a: b\n\r\n', expect: { error: 'BadHeader' } },
  { name: 'a bare LF as blank line', wire: 'a: b\r\n\n', expect: { error: 'BadHeader' } },
  { name: 'a bare CR in a value', wire: 'a: b\rc\r\n\r\n', expect: { error: 'BadHeader' } },
  { name: 'a bare CR as blank line', wire: 'a: b\r\n\rc', expect: { error: 'BadHeader' } },
  { name: 'NUL in a value', wire: 'a: b\0c\r\n\r\n', expect: { error: 'BadHeader' } },
  { name: 'DEL in a value', wire: 'a: b\x7fc\r\n\r\n', expect: { error: 'BadHeader' } },
  { name: 'a fold before the first field', wire: ' a: b\r\n\r\n', expect: { error: 'BadHeader' } },
  {
    name: 'a folded Content-Length',
    wire: 'Content-Length: 1\r\n 0\r\n\r\n',
    expect: { error: 'BadHeader' },
  },
  {
    name: 'a folded Transfer-Encoding',
    wire: 'transfer-encoding:\r\n chunked\r\n\r\n',
    expect: { error: 'BadHeader' },
  },
  {
    name: 'a Connection folded twice',
    wire: 'Connection: a\r\n b\r\n c\r\n\r\n',
    expect: { error: 'BadHeader' },
  },
  {
    name: 'a field too many',
    wire: `${fieldsOf(101)}\r\n`,
    expect: { error: 'LimitExceeded', limit: 'fields', allowed: 100 },
  },
  {
    name: 'a fold that is a line too many',
    wire: 'a: b\r\n c\r\n d\r\n\r\n',
    limits: { fields: 2 },
    expect: { error: 'LimitExceeded', limit: 'fields', allowed: 2 },
  },
  {
    name: 'a value a byte too long',
    wire: 'a: 3456789\r\n\r\n',
    limits: { lineBytes: 11 },
    expect: { error: 'LineTooLong', lineType: 'header line' },
  },
  {
    name: 'a name that is too long',
    wire: 'abcdefghijkl: m\r\n\r\n',
    limits: { lineBytes: 11 },
    expect: { error: 'LineTooLong', lineType: 'header line' },
  },
  {
    name: 'a section a byte too large',
    wire: 'a: bc\r\n\r\n',
    limits: { headBytes: 8 },
    expect: { error: 'LimitExceeded', limit: 'headBytes', allowed: 8 },
  },
];

const TRAILERS: Example[] = [
  { name: 'trailers', kind: 'trailers', wire: 'X-Sum: 1\r\n\r\n', expect: ['X-Sum', '1'] },
  {
    name: 'a trailer line that is too long',
    kind: 'trailers',
    wire: 'a: 3456789\r\n\r\n',
    limits: { lineBytes: 11 },
    expect: { error: 'LineTooLong', lineType: 'trailer line' },
  },
  {
    name: 'trailers that are too large',
    kind: 'trailers',
    wire: 'a: bc\r\n\r\n',
    limits: { trailerBytes: 8 },
    expect: { error: 'LimitExceeded', limit: 'trailerBytes', allowed: 8 },
  },
  {
    name: 'trailers beyond what a head may have',
    kind: 'trailers',
    wire: 'a: bc\r\n\r\n',
    limits: { headBytes: 4 },
    expect: ['a', 'bc'],
  },
  { name: 'a malformed trailer', kind: 'trailers', wire: 'a\r\n\r\n', expect: { error: 'BadHeader' } },
];

const HEADS: Example[] = [
  { name: 'a head without fields', kind: 'response head', wire: `${STATUS}\r\n`, expect: [] },
  { name: 'a head', kind: 'response head', wire: `${STATUS}A: b\r\n\r\n`, expect: ['A', 'b'] },
  {
    name: 'an empty line before the status line',
    kind: 'response head',
    wire: `\r\n${STATUS}\r\n`,
    expect: [],
  },
  {
    name: 'two empty lines before the status line',
    kind: 'response head',
    wire: `\r\n\r\n${STATUS}\r\n`,
    expect: { error: 'BadStatusLine' },
  },
  {
    name: 'a bare LF before the status line',
    kind: 'response head',
    wire: `\n${STATUS}\r\n`,
    expect: { error: 'BadStatusLine' },
  },
  {
    name: 'a blank before the status line',
    kind: 'response head',
    wire: ` ${STATUS}\r\n`,
    expect: { error: 'BadStatusLine' },
  },
  {
    name: 'another protocol',
    kind: 'response head',
    wire: 'SSH-2.0-OpenSSH',
    expect: { error: 'BadStatusLine' },
  },
  {
    name: 'a control character in the reason',
    kind: 'response head',
    wire: 'HTTP/1.1 200 O\x01K\r\n\r\n',
    expect: { error: 'BadStatusLine' },
  },
  {
    name: 'a bare LF behind the status line',
    kind: 'response head',
    wire: 'HTTP/1.1 200 OK\n\r\n',
    expect: { error: 'BadStatusLine' },
  },
  {
    name: 'a fold behind the status line',
    kind: 'response head',
    wire: `${STATUS} a: b\r\n\r\n`,
    expect: { error: 'BadHeader' },
  },
  {
    name: 'another version',
    kind: 'response head',
    wire: 'HTTP/2.0 200 OK\r\n\r\n',
    expect: { error: 'UnknownProtocol', version: 'HTTP/2.0' },
  },
  {
    name: 'a status line that is too long',
    kind: 'response head',
    wire: `${STATUS}\r\n`,
    limits: { lineBytes: 16 },
    expect: { error: 'LineTooLong', lineType: 'status line' },
  },
  {
    name: 'a head that is too large',
    kind: 'response head',
    wire: `${STATUS}a: b\r\n\r\n`,
    limits: { headBytes: 24 },
    expect: { error: 'LimitExceeded', limit: 'headBytes' },
  },
];

interface Outcome {
  fields: string[] | null;
  status: number | null;
  used: number;
  error: (Error & Record<string, unknown>) | null;
  reader: HeadReader;
}

function read({ kind = 'fields', limits }: Example, pieces: readonly Buffer[]): Outcome {
  const reader = new HeadReader(kind, resolveLimits(limits));
  let used = 0;
  try {
    for (const piece of pieces) {
      if (reader.done) break;
      used += reader.write(piece, 0);
    }
  } catch (error) {
    return { fields: null, status: null, used, error: error as Error & Record<string, unknown>, reader };
  }
  const status = kind === 'response head' && reader.done ? reader.statusLine.status : null;
  return { fields: reader.done ? reader.fields() : null, status, used, error: null, reader };
}

function check(example: Example, { fields, used, error }: Outcome, name: string, length: number): void {
  if (Array.isArray(example.expect)) {
    expect(error, name).to.equal(null);
    expect(fields, name).to.deep.equal(example.expect);
    expect(used, name).to.equal(length);
    return;
  }
  const { error: className, ...data } = example.expect;
  expect(error?.name, name).to.equal(className);
  for (const [key, value] of Object.entries(data)) expect(error?.[key], `${name}: ${key}`).to.equal(value);
}

describe('HeadReader', () => {
  for (const example of [...FIELDS, ...TRAILERS, ...HEADS]) {
    const wire = Buffer.from(example.wire, 'latin1');
    const accepted = Array.isArray(example.expect);

    it(`${accepted ? 'reads' : 'refuses'} ${example.name}, however it is cut`, () => {
      for (const [name, pieces] of cuttings(wire)) check(example, read(example, pieces), name, wire.length);
    });

    if (!accepted) continue;

    it(`uses no byte behind ${example.name}`, () => {
      const surplus = Buffer.concat([wire, Buffer.from('\r\nA: b\r\n\r\n')]);
      check(example, read(example, [surplus]), 'in one piece', wire.length);
      for (let at = 1; at < Math.min(wire.length, 200); at++) {
        check(example, read(example, inTwo(surplus, at)), `cut at ${String(at)}`, wire.length);
      }
    });

    it(`is not done while a byte of ${example.name} is missing, and says what was cut`, () => {
      for (let size = 1; size < wire.length; size += wire.length > 300 ? 37 : 1) {
        const { reader, error } = read(example, [wire.subarray(0, size)]);
        expect(error).to.equal(null);
        expect(reader.done).to.equal(false);
        expect(reader.started).to.equal(true);
        const cut = reader.truncated();
        const statusEnds = example.wire.indexOf('\r\n', example.wire.startsWith('\r\n') ? 2 : 0) + 2;
        const inStatus = example.kind === 'response head' && size < statusEnds;
        expect(cut.name, String(size)).to.equal(inStatus ? 'BadStatusLine' : 'BadHeader');
        expect(example.wire.slice(0, size).endsWith(cut.line), cut.line).to.equal(true);
      }
    });
  }

  it('reads from an index on', () => {
    const reader = new HeadReader('fields', DEFAULT_LIMITS);
    expect(reader.write(Buffer.from('....a: b\r\n\r\n....'), 4)).to.equal(12);
    expect(reader.fields()).to.deep.equal(['a', 'b']);
  });

  it('keeps what it needs, so that the bytes may be used for something else', () => {
    const reader = new HeadReader('fields', DEFAULT_LIMITS);
    for (const part of ['a: fi', 'rst\r\nb', ': second\r\n\r\n']) {
      const bytes = Buffer.from(part);
      reader.write(bytes, 0);
      bytes.fill(0);
    }
    expect(reader.fields()).to.deep.equal(['a', 'first', 'b', 'second']);
  });

  it('can be used again after a reset', () => {
    const reader = new HeadReader('response head', DEFAULT_LIMITS);
    for (const status of [200, 404]) {
      for (const [, pieces] of cuttings(
        Buffer.from(`\r\nHTTP/1.1 ${String(status)} OK\r\nA: ${String(status)}\r\n\r\n`),
      )) {
        for (const piece of pieces) reader.write(piece, 0);
        expect(reader.done).to.equal(true);
        expect(reader.statusLine.status).to.equal(status);
        expect(reader.fields()).to.deep.equal(['A', String(status)]);
        reader.reset();
        expect(reader.done).to.equal(false);
        expect(reader.started).to.equal(false);
      }
    }
  });

  it('judges the first byte of a status line before the line is complete', () => {
    for (const start of ['X', 'HX', 'HTTPS', 'http/', '\n', '\rX', '\0', '220 ']) {
      const reader = new HeadReader('response head', DEFAULT_LIMITS);
      expect(() => reader.write(Buffer.from(start), 0), JSON.stringify(start))
        .to.throw()
        .that.includes({ name: 'BadStatusLine' });
    }
    for (const start of ['H', 'HTTP', 'HTTP/', '\r', '\r\n', '\r\nHT']) {
      const reader = new HeadReader('response head', DEFAULT_LIMITS);
      expect(reader.write(Buffer.from(start), 0), JSON.stringify(start)).to.equal(start.length);
    }
  });

  it('stops at its limits long before the end of a section that has none', () => {
    const TABLE: [wire: (i: number) => string, error: string][] = [
      [(): string => 'x'.repeat(1000), 'LineTooLong'],
      [(i): string => (i === 0 ? 'a: ' : 'x'.repeat(1000)), 'LineTooLong'],
      [(i): string => `X-${String(i)}: v\r\n`, 'LimitExceeded'],
      [(i): string => (i === 0 ? 'a: b\r\n' : ' \r\n'), 'LimitExceeded'],
    ];
    for (const [wire, name] of TABLE) {
      const reader = new HeadReader('fields', DEFAULT_LIMITS);
      let error: Error | null = null;
      for (let i = 0; i < 1000 && error === null; i++) {
        try {
          reader.write(Buffer.from(wire(i)), 0);
        } catch (thrown) {
          error = thrown as Error;
        }
      }
      expect(error?.name).to.equal(name);
    }
  });
});
