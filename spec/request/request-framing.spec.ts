/**
 * How the body of a request is framed: http.client's decision table, as the contract changes it, row by row over the wire.
 */

import { Readable } from 'node:stream';

import { expect } from 'chai';

import type { HeadersInit, RequestBody, RequestOptions } from '../../lib/index.js';
import { answer, connectionTo, NO_CONTENT, rawServer } from '../support/raw-server.js';
import { rejection } from '../support/rejection.js';

interface Row {
  name: string;
  method?: string;
  body?: () => RequestBody | null;
  headers?: HeadersInit;
  options?: RequestOptions;
  /** The field lines behind Accept-Encoding. */
  fields: string[];
  /** Everything behind the head. */
  wire: string;
}

const LENGTH_0 = ['Content-Length: 0'];
const CHUNKED = ['Transfer-Encoding: chunked'];

async function* later(...pieces: string[]): AsyncGenerator<string> {
  for (const piece of pieces) {
    await new Promise(setImmediate);
    yield piece;
  }
}

const NO_BODY: Row[] = [
  ...['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND'].map((method) => ({
    name: `${method} without a body has no framing field`,
    method,
    fields: [],
    wire: '',
  })),
  ...['PUT', 'POST', 'PATCH', 'patch'].map((method) => ({
    name: `${method} without a body says so`,
    method,
    fields: LENGTH_0,
    wire: '',
  })),
  { name: 'null is no body', method: 'PUT', body: () => null, fields: LENGTH_0, wire: '' },
  { name: 'null is no body for a GET', method: 'GET', body: () => null, fields: [], wire: '' },
  {
    name: "the caller's Content-Length: 0 is enough",
    method: 'POST',
    headers: { 'content-length': 0 },
    fields: ['content-length: 0'],
    wire: '',
  },
];

const EMPTY: [string, () => RequestBody][] = [
  ['string', () => ''],
  ['Buffer', () => Buffer.alloc(0)],
  ['typed array', () => new Float64Array(0)],
  ['ArrayBuffer', () => new ArrayBuffer(0)],
  ['Blob', () => new Blob([])],
];

const AT_HAND: Row[] = [
  ...EMPTY.flatMap(([kind, body]) =>
    ['GET', 'DELETE', 'POST'].map((method) => ({
      name: `an empty ${kind} is a body of 0 bytes for ${method}`,
      method,
      body,
      fields: LENGTH_0,
      wire: '',
    })),
  ),
  ...['GET', 'HEAD', 'DELETE', 'OPTIONS', 'PUT'].map((method) => ({
    name: `a string has a length for ${method}`,
    method,
    body: () => 'hello',
    fields: ['Content-Length: 5'],
    wire: 'hello',
  })),
  {
    name: 'the length of a string is in bytes of its charset',
    body: () => 'h\xe9',
    headers: { 'Content-Type': 'text/plain; charset=utf-8' },
    fields: ['Content-Length: 3', 'Content-Type: text/plain; charset=utf-8'],
    wire: 'h\xc3\xa9',
  },
  {
    name: 'the length of a typed array is in bytes, not elements',
    body: () => new Uint16Array([0x6161, 0x6262, 0x6363]),
    fields: ['Content-Length: 6'],
    wire: 'aabbcc',
  },
  {
    name: 'a part of a buffer is sent as that part',
    body: () => Buffer.from('xhellox').subarray(1, 6),
    fields: ['Content-Length: 5'],
    wire: 'hello',
  },
  {
    name: 'a Blob has a length',
    body: () => new Blob(['ab', 'c']),
    fields: ['Content-Length: 3'],
    wire: 'abc',
  },
  {
    name: 'URLSearchParams have a length and a type',
    body: () => new URLSearchParams({ a: '1 2' }),
    fields: ['Content-Length: 5', 'Content-Type: application/x-www-form-urlencoded;charset=UTF-8'],
    wire: 'a=1+2',
  },
  {
    name: 'empty URLSearchParams have a length and a type',
    body: () => new URLSearchParams(),
    fields: ['Content-Length: 0', 'Content-Type: application/x-www-form-urlencoded;charset=UTF-8'],
    wire: '',
  },
  {
    name: "the caller's Content-Type stands before that of URLSearchParams",
    body: () => new URLSearchParams({ a: '1' }),
    headers: { 'content-type': 'text/x' },
    fields: ['Content-Length: 3', 'content-type: text/x'],
    wire: 'a=1',
  },
  {
    name: 'encodeChunked means nothing without Transfer-Encoding',
    body: () => 'abc',
    options: { encodeChunked: true },
    fields: ['Content-Length: 3'],
    wire: 'abc',
  },
];

const STREAMED: Row[] = [
  {
    name: 'an array is sent a chunk an item',
    body: () => ['ab', 'c'],
    fields: CHUNKED,
    wire: '2\r\nab\r\n1\r\nc\r\n0\r\n\r\n',
  },
  {
    name: 'a generator is sent a chunk a piece',
    body: () =>
      (function* () {
        yield 'ab';
        yield Buffer.from('c');
      })(),
    fields: CHUNKED,
    wire: '2\r\nab\r\n1\r\nc\r\n0\r\n\r\n',
  },
  {
    name: 'an async generator is sent a chunk a piece',
    body: () => later('ab', 'c'),
    fields: CHUNKED,
    wire: '2\r\nab\r\n1\r\nc\r\n0\r\n\r\n',
  },
  {
    name: 'a stream is sent a chunk a piece',
    body: () => Readable.from(['ab', 'c']),
    fields: CHUNKED,
    wire: '2\r\nab\r\n1\r\nc\r\n0\r\n\r\n',
  },
  {
    name: 'chunk sizes are hexadecimal',
    body: () => ['x'.repeat(10), 'y'.repeat(255)],
    fields: CHUNKED,
    wire: `a\r\n${'x'.repeat(10)}\r\nff\r\n${'y'.repeat(255)}\r\n0\r\n\r\n`,
  },
  {
    name: 'empty pieces are skipped, as an empty chunk would end the body',
    body: () => ['', 'a', Buffer.alloc(0), 'b', ''],
    fields: CHUNKED,
    wire: '1\r\na\r\n1\r\nb\r\n0\r\n\r\n',
  },
  {
    name: 'a source of nothing is an empty chunked body',
    body: () => [],
    fields: CHUNKED,
    wire: '0\r\n\r\n',
  },
  { name: 'so is one of empty pieces', body: () => ['', ''], fields: CHUNKED, wire: '0\r\n\r\n' },
  { name: 'and an empty stream', body: () => Readable.from([]), fields: CHUNKED, wire: '0\r\n\r\n' },
  { name: 'even for a GET', method: 'GET', body: () => ['a'], fields: CHUNKED, wire: '1\r\na\r\n0\r\n\r\n' },
  {
    name: 'encodeChunked: false cannot take the framing away',
    body: () => ['a'],
    options: { encodeChunked: false },
    fields: CHUNKED,
    wire: '1\r\na\r\n0\r\n\r\n',
  },
  {
    name: 'a piece of a typed array counts its bytes',
    body: () => [new Uint8Array(new Uint16Array([0x6161, 0x6262]).buffer)],
    fields: CHUNKED,
    wire: '4\r\naabb\r\n0\r\n\r\n',
  },
];

const DECLARED: Row[] = [
  {
    name: "a caller's Content-Length is enough for a string",
    body: () => 'abc',
    headers: { 'Content-Length': 3 },
    fields: ['Content-Length: 3'],
    wire: 'abc',
  },
  {
    name: 'a source with a declared length is sent without chunks',
    body: () => later('ab', '', 'c'),
    headers: { 'CONTENT-LENGTH': '3' },
    fields: ['CONTENT-LENGTH: 3'],
    wire: 'abc',
  },
  {
    name: 'so is a stream',
    body: () => Readable.from(['ab', 'c']),
    headers: { 'Content-Length': '0003' },
    fields: ['Content-Length: 0003'],
    wire: 'abc',
  },
  {
    name: 'encodeChunked does not override a declared length',
    body: () => ['ab', 'c'],
    headers: { 'Content-Length': '3' },
    options: { encodeChunked: true },
    fields: ['Content-Length: 3'],
    wire: 'abc',
  },
  {
    name: 'a source of nothing may be declared',
    body: () => [],
    headers: { 'Content-Length': 0 },
    fields: ['Content-Length: 0'],
    wire: '',
  },
  {
    name: "encodeChunked: false leaves the body as it is under a caller's Transfer-Encoding: it is chunked already",
    body: () => '3\r\nabc\r\n0\r\n\r\n',
    headers: { 'transfer-encoding': 'chunked' },
    options: { encodeChunked: false },
    fields: ['transfer-encoding: chunked'],
    wire: '3\r\nabc\r\n0\r\n\r\n',
  },
  {
    name: 'the pieces of a source too',
    body: () => later('3\r\nabc\r\n', '0\r\n\r\n'),
    headers: { 'Transfer-Encoding': 'gzip, chunked' },
    options: { encodeChunked: false },
    fields: ['Transfer-Encoding: gzip, chunked'],
    wire: '3\r\nabc\r\n0\r\n\r\n',
  },
  {
    name: "a caller's Transfer-Encoding is honoured by chunking a body that looks as if it had been",
    body: () => '0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n',
    headers: { 'transfer-encoding': 'chunked' },
    fields: ['transfer-encoding: chunked'],
    wire: '1f\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n\r\n0\r\n\r\n',
  },
  {
    name: "a caller's Transfer-Encoding chunks a source",
    body: () => later('ab', 'c'),
    headers: { 'Transfer-Encoding': 'chunked' },
    fields: CHUNKED,
    wire: '2\r\nab\r\n1\r\nc\r\n0\r\n\r\n',
  },
  {
    name: "a caller's Transfer-Encoding without a body still has its end",
    headers: { 'Transfer-Encoding': 'chunked' },
    fields: CHUNKED,
    wire: '0\r\n\r\n',
  },
  {
    name: 'with encodeChunked the body is chunked under it',
    body: () => 'abc',
    headers: { 'Transfer-Encoding': 'chunked' },
    options: { encodeChunked: true },
    fields: CHUNKED,
    wire: '3\r\nabc\r\n0\r\n\r\n',
  },
  {
    name: 'with encodeChunked a source is chunked under it',
    body: () => ['ab', 'c'],
    headers: { 'Transfer-Encoding': 'gzip, chunked' },
    options: { encodeChunked: true },
    fields: ['Transfer-Encoding: gzip, chunked'],
    wire: '2\r\nab\r\n1\r\nc\r\n0\r\n\r\n',
  },
  {
    name: 'with encodeChunked no body still has its end',
    headers: { 'Transfer-Encoding': 'chunked' },
    options: { encodeChunked: true },
    fields: CHUNKED,
    wire: '0\r\n\r\n',
  },
];

const TRAILERS: Row[] = [
  {
    name: 'trailers follow the last chunk and are announced',
    body: () => ['ab'],
    options: { trailers: { 'X-Sum': '1', 'X-More': ['a', 'b'] } },
    fields: [...CHUNKED, 'Trailer: X-Sum, X-More'],
    wire: '2\r\nab\r\n0\r\nX-Sum: 1\r\nX-More: a\r\nX-More: b\r\n\r\n',
  },
  {
    name: 'a function makes trailers when the body has ended',
    body: () => ['ab'],
    options: { trailers: () => [['X-Late', 'yes']] },
    fields: CHUNKED,
    wire: '2\r\nab\r\n0\r\nX-Late: yes\r\n\r\n',
  },
  {
    name: 'the function may be asynchronous',
    body: () => later('ab'),
    options: { trailers: () => Promise.resolve({ 'X-Late': 1 }) },
    headers: { Trailer: 'X-Late' },
    fields: [...CHUNKED, 'Trailer: X-Late'],
    wire: '2\r\nab\r\n0\r\nX-Late: 1\r\n\r\n',
  },
  {
    name: 'no trailers are no trailers',
    body: () => [],
    options: { trailers: {} },
    fields: CHUNKED,
    wire: '0\r\n\r\n',
  },
];

const GROUPS: [string, Row[]][] = [
  ['no body', NO_BODY],
  ['a body at hand', AT_HAND],
  ['a body in pieces', STREAMED],
  ["the caller's own framing", DECLARED],
  ['trailers', TRAILERS],
];

for (const [group, rows] of GROUPS) {
  describe(`the framing of a request: ${group}`, () => {
    for (const { name, method = 'PUT', body, headers, options, fields, wire } of rows) {
      it(name, async () => {
        const server = await rawServer(answer(NO_CONTENT));
        const conn = connectionTo(server);
        await conn.request(method, '/', body?.(), headers, options);
        expect((await conn.getResponse()).status).to.equal(204);
        const { head, size } = server.request;
        expect(head.split('\r\n').slice(3, -2)).to.deep.equal(fields);
        expect(server.peer().text.slice(head.length)).to.equal(wire);
        expect(size).to.equal(server.peer().received.length);
        // What was framed leaves the connection in step.
        await conn.request('GET', '/again');
        expect((await conn.getResponse()).status).to.equal(204);
        expect(server.requests[1]?.target).to.equal('/again');
        expect(server.connections).to.equal(1);
      });
    }
  });
}

describe('framing that cannot be', () => {
  const REFUSED: {
    name: string;
    body?: RequestBody;
    headers: HeadersInit;
    options?: RequestOptions;
    message: RegExp;
  }[] = [
    {
      name: 'Content-Length together with Transfer-Encoding',
      body: 'abc',
      headers: { 'Content-Length': '3', 'Transfer-Encoding': 'chunked' },
      message: /Content-Length.*Transfer-Encoding/,
    },
    {
      name: 'both in other spellings, without a body',
      headers: { 'transfer-encoding': 'chunked', 'CONTENT-length': '0' },
      message: /Content-Length.*Transfer-Encoding/,
    },
    {
      name: 'Content-Length twice',
      body: 'abc',
      headers: [
        ['Content-Length', '3'],
        ['content-length', '3'],
      ],
      message: /Content-Length/,
    },
    ...['+3', '3, 3', '0x3', '', '3.0', '1e0', '-3', '٣', '99999999999999999999'].map((value) => ({
      name: `Content-Length: ${value}`,
      body: 'abc',
      headers: { 'Content-Length': value },
      message: value === '٣' ? /U\+0663/ : /Content-Length/,
    })),
    {
      name: 'Transfer-Encoding without anything that would end the body',
      headers: { 'Transfer-Encoding': 'chunked' },
      options: { encodeChunked: false },
      message: /Transfer-Encoding/,
    },
    { name: 'Host twice', headers: { Host: ['a', 'b'] }, message: /Host/ },
    {
      name: 'trailers behind a body that is not chunked',
      body: 'abc',
      headers: {},
      options: { trailers: { A: '1' } },
      message: /trailers.*chunked/,
    },
    {
      name: 'trailers without a body',
      headers: {},
      options: { trailers: { A: '1' } },
      message: /trailers.*chunked/,
    },
  ];
  for (const { name, body, headers, options, message } of REFUSED) {
    it(`is refused: ${name}`, async () => {
      const server = await rawServer(answer(NO_CONTENT));
      const conn = connectionTo(server);
      const error = await rejection(conn.request('POST', '/', body, headers, options));
      expect(error).to.be.instanceOf(TypeError);
      expect(error.message).to.match(message);
      expect([conn.state, server.connections]).to.deep.equal(['Idle', 0]);
      await conn.request('GET', '/');
      expect((await conn.getResponse()).status).to.equal(204);
    });
  }

  const MISMATCHES: { name: string; body?: RequestBody; declared: number }[] = [
    { name: 'a string that is longer', body: 'abcd', declared: 3 },
    { name: 'bytes that are shorter', body: Buffer.from('ab'), declared: 3 },
    { name: 'a Blob that is longer', body: new Blob(['abcd']), declared: 3 },
    { name: 'no body', declared: 3 },
  ];
  for (const { name, body, declared } of MISMATCHES) {
    it(`is found before a byte is sent when the body is at hand: ${name}`, async () => {
      const server = await rawServer(answer(NO_CONTENT));
      const conn = connectionTo(server);
      const error = await rejection(conn.request('POST', '/', body, { 'Content-Length': declared }));
      expect(error).to.include({ name: 'ContentLengthMismatch', declared, sent: 0 });
      expect([conn.state, server.connections]).to.deep.equal(['Idle', 0]);
    });
  }
});
