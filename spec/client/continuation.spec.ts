import { expect } from 'chai';
import {
  CHECKS,
  isInterruption,
  judge,
  rangeOf,
  refusesRanges,
  validatorOf,
} from '../../lib/client/continuation.js';
import type { Answer, Known } from '../../lib/client/continuation.js';
import {
  BadEncoding,
  BadHeader,
  HTTPException,
  HTTPMessage,
  IncompleteRead,
  NotConnected,
  ResourceChanged,
  TimeoutError,
} from '../../lib/index.js';

const DATE = 'Sun, 06 Nov 1994 08:49:37 GMT';
const KNOWN: Known = { position: 10, total: 100, validator: '"a"', etag: '"a"', coding: '' };
const RANGE = 'bytes 10-99/100';

type Fields = readonly (readonly [string, string])[];

function answer(status: number, fields: Fields, length: number | null = null): Answer {
  return { status, reason: 'Reason', headers: new HTTPMessage(fields), length };
}

function outcome(given: Answer, known: Known): string {
  try {
    const judgement = judge(given, known);
    return typeof judgement === 'string' ? judgement : 'used';
  } catch (error) {
    if (error instanceof ResourceChanged) {
      expect(error.position).to.equal(known.position);
      return `ResourceChanged ${String(error.was)} ${String(error.now)}`;
    }
    return (error as Error).name;
  }
}

interface Row {
  readonly section: string;
  readonly name: string;
  readonly status?: number;
  readonly fields: Fields;
  readonly length?: number;
  readonly known?: Partial<Known>;
  readonly outcome: string;
}

const range = (value: string): Fields => [['Content-Range', value]];
const beside = (name: string, value: string): Fields => [
  ['Content-Range', RANGE],
  [name, value],
];

const ROWS: readonly Row[] = [
  { section: '§15.3.7', name: 'the rest of the file', fields: range(RANGE), length: 90, outcome: 'used' },
  { section: '§15.3.7', name: 'the rest in chunks', fields: range(RANGE), outcome: 'used' },
  {
    section: '§15.3.7',
    name: 'less than the rest',
    fields: range('bytes 10-19/100'),
    length: 10,
    outcome: 'used',
  },
  { section: '§15.3.7.1', name: 'no Content-Range', fields: [], outcome: 'BadHeader' },
  {
    section: '§15.3.7.2',
    name: 'several parts in one body',
    fields: [['Content-Type', 'multipart/byteranges; boundary=x']],
    outcome: 'BadHeader',
  },
  {
    section: '§15.3.7.1',
    name: 'two fields Content-Range',
    fields: [...range(RANGE), ...range(RANGE)],
    outcome: 'BadHeader',
  },
  { section: '§14.4', name: 'an unknown total', fields: range('bytes 10-99/*'), outcome: 'used' },
  { section: '§14.4', name: 'a unit in capitals', fields: range('Bytes 10-99/100'), outcome: 'used' },
  { section: '§14.4', name: 'another unit', fields: range('lines 10-99/100'), outcome: 'BadHeader' },
  {
    section: '§14.4',
    name: 'a range that ends before it begins',
    fields: range('bytes 10-9/100'),
    outcome: 'BadHeader',
  },
  {
    section: '§14.4',
    name: 'a range beyond its total',
    fields: range('bytes 10-100/100'),
    outcome: 'BadHeader',
  },
  {
    section: '§14.4',
    name: 'a range beyond what a number holds',
    fields: range('bytes 10-9007199254740992/*'),
    outcome: 'BadHeader',
  },
  {
    section: '§14.4',
    name: 'digits without end',
    fields: range(`bytes ${'0'.repeat(60_000)}10-99/100`),
    outcome: 'BadHeader',
  },
  { section: '§14.4', name: 'blanks within', fields: range('bytes 10 - 99 / 100'), outcome: 'BadHeader' },
  { section: '§14.4', name: 'a sign', fields: range('bytes +10-99/100'), outcome: 'BadHeader' },
  { section: '§14.4', name: 'a list', fields: range(`${RANGE}, ${RANGE}`), outcome: 'BadHeader' },
  { section: '§14.4', name: 'an unsatisfied range', fields: range('bytes */100'), outcome: 'BadHeader' },
  {
    section: '§14.4',
    name: 'bytes from before the position',
    fields: range('bytes 9-99/100'),
    outcome: 'BadHeader',
  },
  {
    section: '§14.4',
    name: 'bytes from behind the position',
    fields: range('bytes 11-99/100'),
    outcome: 'BadHeader',
  },
  {
    section: '§14.4',
    name: 'another total',
    fields: range('bytes 10-100/101'),
    outcome: 'ResourceChanged 100 101',
  },
  {
    section: '§14.4',
    name: 'a total where none was known',
    fields: range('bytes 10-100/101'),
    known: { total: null },
    outcome: 'used',
  },
  {
    section: '§8.6',
    name: 'a body that is too short for its range',
    fields: range(RANGE),
    length: 89,
    outcome: 'BadHeader',
  },
  {
    section: '§8.6',
    name: 'a body that is too long for its range',
    fields: range(RANGE),
    length: 91,
    outcome: 'BadHeader',
  },
  { section: '§8.8.3', name: 'the same ETag', fields: beside('ETag', '"a"'), outcome: 'used' },
  {
    section: '§8.8.3',
    name: 'another ETag',
    fields: beside('ETag', '"b"'),
    outcome: 'ResourceChanged "a" "b"',
  },
  {
    section: '§8.8.3',
    name: 'a weak form of it',
    fields: beside('ETag', 'W/"a"'),
    outcome: 'ResourceChanged "a" W/"a"',
  },
  {
    section: '§8.8.3',
    name: 'another weak ETag where a date was asked by',
    fields: beside('ETag', 'W/"b"'),
    known: { validator: DATE, etag: 'W/"a"' },
    outcome: 'ResourceChanged W/"a" W/"b"',
  },
  {
    section: '§13.1.5',
    name: 'the same date',
    fields: beside('Last-Modified', DATE),
    known: { validator: DATE, etag: null },
    outcome: 'used',
  },
  {
    section: '§13.1.5',
    name: 'another date',
    fields: beside('Last-Modified', 'Sun, 06 Nov 1994 08:49:38 GMT'),
    known: { validator: DATE, etag: null },
    outcome: `ResourceChanged ${DATE} Sun, 06 Nov 1994 08:49:38 GMT`,
  },
  {
    section: '§13.1.5',
    name: 'another date where an ETag was asked by',
    fields: beside('Last-Modified', 'Sun, 06 Nov 1994 08:49:38 GMT'),
    outcome: 'used',
  },
  {
    section: '§13.1.5',
    name: 'a 200',
    status: 200,
    fields: [['ETag', '"b"']],
    outcome: 'ResourceChanged "a" "b"',
  },
  {
    section: '§13.1.5',
    name: 'a 200 that names nothing',
    status: 200,
    fields: [],
    outcome: 'ResourceChanged "a" null',
  },
  { section: '§8.4', name: 'identity', fields: beside('Content-Encoding', 'identity'), outcome: 'used' },
  {
    section: '§8.4',
    name: 'a content coding',
    fields: beside('Content-Encoding', 'gzip'),
    outcome: 'BadEncoding',
  },
  {
    section: '§8.4',
    name: 'the coding that the file came in',
    fields: beside('Content-Encoding', 'GZIP'),
    known: { coding: 'gzip' },
    outcome: 'used',
  },
  {
    section: '§15.5.17',
    name: 'a 416 at the end',
    status: 416,
    fields: range('bytes */100'),
    known: { position: 100 },
    outcome: 'end',
  },
  {
    section: '§15.5.17',
    name: 'a 416 at an end that was not known',
    status: 416,
    fields: range('bytes */10'),
    known: { total: null },
    outcome: 'end',
  },
  {
    section: '§15.5.17',
    name: 'a 416 at the position, where more was announced',
    status: 416,
    fields: range('bytes */10'),
    outcome: 'ResourceChanged 100 10',
  },
  {
    section: '§15.5.17',
    name: 'a 416 of a file that is shorter now',
    status: 416,
    fields: range('bytes */5'),
    known: { total: null },
    outcome: 'ResourceChanged null 5',
  },
  {
    section: '§15.5.17',
    name: 'a 416 although there is more',
    status: 416,
    fields: range('bytes */100'),
    outcome: 'BadHeader',
  },
  { section: '§15.5.17', name: 'a 416 that does not say', status: 416, fields: [], outcome: 'BadHeader' },
  { section: '§10.2.3', name: 'a 429', status: 429, fields: [], outcome: 'later' },
  { section: '§15.6', name: 'a 500', status: 500, fields: [], outcome: 'later' },
  { section: '§15.6', name: 'a 503', status: 503, fields: [], outcome: 'later' },
  { section: '§15.5.9', name: 'a 408', status: 408, fields: [], outcome: 'later' },
  { section: '§15', name: 'a 404', status: 404, fields: [], outcome: 'BadHeader' },
  { section: '§15', name: 'a 304', status: 304, fields: [], outcome: 'BadHeader' },
  { section: '§15', name: 'a 204', status: 204, fields: [], outcome: 'BadHeader' },
  { section: '§15', name: 'a redirect', status: 302, fields: [['Location', '/']], outcome: 'BadHeader' },
];

describe('an answer to a continuation', () => {
  for (const row of ROWS) {
    it(`is ${row.outcome}: ${row.name} (RFC 9110 ${row.section})`, () => {
      const given = answer(row.status ?? 206, row.fields, row.length ?? null);
      expect(outcome(given, { ...KNOWN, ...row.known })).to.equal(row.outcome);
    });
  }

  it('is looked at by checks that each name a section and find something of their own', () => {
    const found = new Set<string>();
    for (const row of ROWS) {
      const given = answer(row.status ?? 206, row.fields, row.length ?? null);
      if (given.status !== 206) continue;
      const known = { ...KNOWN, ...row.known };
      const first = CHECKS.find(({ fault }) => fault(given, known) !== null);
      if (first !== undefined) found.add(first.rule);
    }
    expect([...found].toSorted()).to.deep.equal(CHECKS.map(({ rule }) => rule).toSorted());
    for (const { section } of CHECKS) expect(section).to.match(/^§[0-9.]+$/);
  });

  it('has one range, read exactly', () => {
    expect(rangeOf(new HTTPMessage({ 'Content-Range': 'bytes 0-0/1' }))).to.deep.equal({
      first: 0,
      last: 0,
      total: 1,
    });
    expect(rangeOf(new HTTPMessage({ 'Content-Range': 'bytes 5-9/*' }))).to.deep.equal({
      first: 5,
      last: 9,
      total: null,
    });
  });

  it('says in its error what was wrong, and shows the line', () => {
    expect(() => judge(answer(206, range('bytes 9-99/100')), KNOWN))
      .to.throw(BadHeader, /does not begin at byte 10.*bytes 9-99\/100/)
      .with.property('line', 'Content-Range: bytes 9-99/100');
    expect(() => judge(answer(404, []), KNOWN)).to.throw(BadHeader, /another status than 206.*404 Reason/);
    expect(() => judge(answer(206, beside('Content-Encoding', 'br')), KNOWN)).to.throw(BadEncoding, /br/);
  });
});

describe('what a file is known again by', () => {
  const later = (seconds: number): string =>
    new Date(Date.UTC(1994, 10, 6, 8, 49, 37 + seconds)).toUTCString();
  const rows: readonly [name: string, fields: Fields, validator: string | null][] = [
    ['a strong ETag', [['ETag', '"a"']], '"a"'],
    ['an empty one', [['ETag', '""']], '""'],
    ['an ETag without quotes', [['ETag', 'a']], null],
    [
      'two ETags',
      [
        ['ETag', '"a"'],
        ['ETag', '"b"'],
      ],
      null,
    ],
    ['a weak ETag', [['ETag', 'W/"a"']], null],
    ['nothing', [], null],
    [
      'a date a minute before',
      [
        ['Last-Modified', DATE],
        ['Date', later(60)],
      ],
      DATE,
    ],
    [
      'a date less than a minute before',
      [
        ['Last-Modified', DATE],
        ['Date', later(59)],
      ],
      null,
    ],
    ['a date without another', [['Last-Modified', DATE]], null],
    [
      'a date that is none',
      [
        ['Last-Modified', 'yesterday'],
        ['Date', later(60)],
      ],
      null,
    ],
    [
      'a weak ETag and an old date',
      [
        ['ETag', 'W/"a"'],
        ['Last-Modified', DATE],
        ['Date', later(60)],
      ],
      DATE,
    ],
    [
      'a weak ETag and a new date',
      [
        ['ETag', 'W/"a"'],
        ['Last-Modified', DATE],
        ['Date', later(1)],
      ],
      null,
    ],
    [
      'a strong ETag and an old date',
      [
        ['ETag', '"a"'],
        ['Last-Modified', DATE],
        ['Date', later(60)],
      ],
      '"a"',
    ],
  ];
  for (const [name, fields, validator] of rows)
    it(`${name}: ${validator ?? 'nothing'} (RFC 9110 §8.8)`, () => {
      expect(validatorOf(new HTTPMessage(fields))).to.equal(validator);
    });

  it('is of no use with Accept-Ranges: none (RFC 9110 §14.3)', () => {
    expect(refusesRanges(new HTTPMessage({ 'Accept-Ranges': 'None' }))).to.equal(true);
    expect(refusesRanges(new HTTPMessage({ 'Accept-Ranges': 'bytes' }))).to.equal(false);
    expect(refusesRanges(new HTTPMessage())).to.equal(false);
  });
});

describe('a failure that another connection may cure', () => {
  const coded = (code: string, members: object = {}): Error =>
    Object.assign(new Error(code), { code, ...members });
  const rows: readonly [name: string, error: unknown, cured: boolean][] = [
    ['a body that was cut short', new IncompleteRead(Buffer.alloc(0), 5), true],
    ['a reset', coded('ECONNRESET'), true],
    ['a body that stands still', new TimeoutError('body', 'body', 10), true],
    ['an answer that does not come', new TimeoutError('response', 'response', 10), true],
    ['a connection that does not come', new TimeoutError('connect', 'connect', 10), true],
    ['a refused connection', coded('ECONNREFUSED', { phase: 'connect' }), true],
    ['the time for all of it', new TimeoutError('total', 'body', 10), false],
    ['the time for a place in the pool', new TimeoutError('acquire', 'connect', 10), false],
    ['a certificate', coded('CERT_HAS_EXPIRED', { phase: 'connect' }), false],
    ['a malformed answer', new BadHeader('x', 'a bad line'), false],
    ['a closed client', new NotConnected('closed'), false],
    ['something else of ours', new HTTPException('x'), false],
    ["an error of a caller's function", new Error('mine'), false],
    ['a reason that is no error', 'stop', false],
  ];
  for (const [name, error, cured] of rows)
    it(`${name}: ${cured ? 'yes' : 'no'}`, () => {
      expect(isInterruption(error)).to.equal(cured);
    });
});
