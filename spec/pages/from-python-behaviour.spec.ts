/**
 * The rows of behaviour on the page for Python programmers that can be shown by one exchange: what is sent for a call, and what becomes
 * of a response. Each case names the row it belongs to by its beginning; a row that is reworded has to be found again.
 */
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { HTTPConnection } from '../../lib/index.js';
import type { HeadersInit, RequestBody, RequestOptions } from '../../lib/index.js';
import { answer, NO_CONTENT, rawServer } from '../support/raw-server.js';
import { tableRows } from '../support/markdown.js';

const page = readFileSync(new URL('../../../docs/from-python.md', import.meta.url), 'utf8');
const rows = tableRows(page, 'Behaviour').map(([first = '']) => first.replaceAll('`', ''));

type Call = [
  method: string,
  url: string,
  body?: RequestBody | null,
  headers?: HeadersInit,
  options?: RequestOptions,
];

/** `sent`: the request without its Host and Accept-Encoding, or the name of the error that comes before a byte is sent. */
const REQUESTS: readonly { row: string; call: Call; sent: string }[] = [
  {
    row: 'Content-Length from you turns',
    call: ['POST', '/', 'abc', { 'Content-Length': 3 }, { encodeChunked: true }],
    sent: 'POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc',
  },
  {
    row: 'Content-Length from you: not',
    call: ['POST', '/', 'abcd', { 'Content-Length': 3 }],
    sent: 'ContentLengthMismatch',
  },
  {
    row: 'Transfer-Encoding from you',
    call: ['POST', '/', 'a', { 'Transfer-Encoding': 'chunked' }],
    sent: 'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n',
  },
  {
    row: 'Transfer-Encoding from you',
    call: ['POST', '/', '1\r\na\r\n0\r\n\r\n', { 'Transfer-Encoding': 'chunked' }, { encodeChunked: false }],
    sent: 'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n',
  },
  {
    row: 'Transfer-Encoding, encode_chunked, no',
    call: ['POST', '/', null, { 'Transfer-Encoding': 'chunked' }],
    sent: 'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  },
  {
    row: 'Transfer-Encoding without',
    call: ['POST', '/', null, { 'Transfer-Encoding': 'chunked' }, { encodeChunked: false }],
    sent: 'TypeError',
  },
  {
    row: 'both fields',
    call: ['POST', '/', 'a', { 'Transfer-Encoding': 'chunked', 'Content-Length': 1 }],
    sent: 'TypeError',
  },
  { row: 'none, no body', call: ['PATCH', '/'], sent: 'PATCH / HTTP/1.1\r\nContent-Length: 0\r\n\r\n' },
  { row: 'none, no body', call: ['DELETE', '/'], sent: 'DELETE / HTTP/1.1\r\n\r\n' },
  { row: 'none, text or bytes', call: ['GET', '/', ''], sent: 'GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n' },
  {
    row: 'none, anything else',
    call: ['GET', '/', ['ab']],
    sent: 'GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n',
  },
  {
    row: 'text is ISO-8859-1',
    call: ['POST', '/', 'é'],
    sent: 'POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\n\xe9',
  },
  {
    row: 'text is ISO-8859-1',
    call: ['POST', '/', '"é"', { 'Content-Type': 'application/json' }],
    sent: 'POST / HTTP/1.1\r\nContent-Length: 4\r\nContent-Type: application/json\r\n\r\n"\xc3\xa9"',
  },
  {
    row: 'text is ISO-8859-1',
    call: ['POST', '/', '<é/>', { 'Content-Type': 'image/svg+xml' }],
    sent: 'POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Type: image/svg+xml\r\n\r\n<\xc3\xa9/>',
  },
  { row: 'text is ISO-8859-1', call: ['POST', '/', '€'], sent: 'TypeError' },
  {
    row: 'a keyword that is not known',
    call: ['GET', '/', null, {}, { encodeChuncked: true } as object],
    sent: 'TypeError',
  },
  { row: 'timeout for connect', call: ['GET', '/', null, {}, { timeout: 0 }], sent: 'RangeError' },
  {
    row: 'text in an iterable',
    call: ['POST', '/', ['é']],
    sent: 'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n\xe9\r\n0\r\n\r\n',
  },
  {
    row: 'a typed array in an',
    call: ['POST', '/', [new Uint16Array([0x4141]) as unknown as Uint8Array]],
    sent: 'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nAA\r\n0\r\n\r\n',
  },
  {
    row: 'empty pieces',
    call: ['POST', '/', ['', 'a', '']],
    sent: 'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n',
  },
  {
    row: 'chunk sizes in upper',
    call: ['POST', '/', ['0123456789']],
    sent: 'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n',
  },
  { row: 'not iterable', call: ['POST', '/', 5 as unknown as string], sent: 'TypeError' },
  {
    row: 'headers is a mapping',
    call: ['GET', '/', null, { 'X-A': ['1', '2'] }],
    sent: 'GET / HTTP/1.1\r\nX-A: 1\r\nX-A: 2\r\n\r\n',
  },
  { row: 'methods are sent', call: ['get', '/'], sent: 'get / HTTP/1.1\r\n\r\n' },
  { row: 'methods are sent', call: ['GET X', '/'], sent: 'TypeError' },
  { row: "url '' is /", call: ['GET', ''], sent: 'GET / HTTP/1.1\r\n\r\n' },
  { row: "url '' is /", call: ['GET', '//a?b#c'], sent: 'GET //a?b#c HTTP/1.1\r\n\r\n' },
  { row: 'url with a control', call: ['GET', '/a b'], sent: 'InvalidURL' },
  { row: 'url with a control', call: ['GET', '/é'], sent: 'InvalidURL' },
  { row: 'field names', call: ['GET', '/', null, { 'a b': '1' }], sent: 'TypeError' },
  { row: 'values: str, int', call: ['GET', '/', null, { a: 5 }], sent: 'GET / HTTP/1.1\r\na: 5\r\n\r\n' },
  { row: 'values: str, int', call: ['GET', '/', null, { a: true as unknown as string }], sent: 'TypeError' },
  { row: 'values may be folded', call: ['GET', '/', null, { a: 'x\r\n y' }], sent: 'TypeError' },
  { row: 'values may be folded', call: ['GET', '/', null, { a: 'x\0' }], sent: 'TypeError' },
  {
    row: 'blanks around a value',
    call: ['GET', '/', null, { a: ' x\t' }],
    sent: 'GET / HTTP/1.1\r\na: x\r\n\r\n',
  },
];

const HOST_CASES: readonly { row: string; url: string; fields?: HeadersInit; host: string | null }[] = [
  { row: 'an absolute http url', url: 'http://u:p@h.org:81/x', host: 'h.org:81' },
  { row: 'an absolute http url', url: 'HTTPS://h.org:443/x', host: 'h.org' },
  { row: 'Host and Accept-Encoding give', url: '/', fields: { HOST: 'mine' }, host: 'mine' },
];

/** `seen`: status, version, what becomes of the connection and the body; or the name of the error. The server closes behind the wire. */
const RESPONSES: readonly { row: string; wire: string; seen: string; method?: string }[] = [
  { row: 'EOF before any byte', wire: '', seen: 'RemoteDisconnected' },
  { row: 'leading blanks', wire: ' HTTP/1.1 204 x\r\n\r\n', seen: 'BadStatusLine' },
  { row: 'leading blanks', wire: 'HTTP/1.1 0200 x\r\n\r\n', seen: 'BadStatusLine' },
  { row: 'leading blanks', wire: 'HTTP/1.1 200 x', seen: 'BadStatusLine' },
  { row: 'an empty line first', wire: '\r\nHTTP/1.1 204 x\r\n\r\n', seen: '204 11 keep ' },
  { row: 'a missing reason', wire: 'HTTP/1.1 204\r\n\r\n', seen: '204 11 keep ' },
  { row: 'status 100 to 999', wire: 'HTTP/1.1 099 x\r\n\r\n', seen: 'BadStatusLine' },
  { row: 'HTTP/0.9 counts', wire: 'HTTP/0.9 200 x\r\n\r\n', seen: 'UnknownProtocol' },
  { row: 'HTTP/0.9 counts', wire: 'HTTP/1.x 200 x\r\n\r\n', seen: 'BadStatusLine' },
  { row: 'HTTP/0.9 counts', wire: 'HTTP/1.2 204 x\r\n\r\n', seen: '204 11 keep ' },
  {
    row: 'only 100 is skipped',
    wire: 'HTTP/1.1 103 x\r\n\r\nHTTP/1.1 199 y\r\n\r\nHTTP/1.1 204 x\r\n\r\n',
    seen: '204 11 keep ',
  },
  {
    row: 'at most 99 interim',
    wire: `${'HTTP/1.1 102 x\r\n\r\n'.repeat(100)}HTTP/1.1 204 x\r\n\r\n`,
    seen: '204 11 keep ',
  },
  {
    row: 'at most 99 interim',
    wire: `${'HTTP/1.1 102 x\r\n\r\n'.repeat(101)}HTTP/1.1 204 x\r\n\r\n`,
    seen: 'LimitExceeded',
  },
  { row: 'EOF behind a 100', wire: 'HTTP/1.1 100 x\r\n\r\n', seen: 'RemoteDisconnected' },
  { row: 'at most 99 fields', wire: `HTTP/1.1 204 x\r\n${'A: b\r\n'.repeat(100)}\r\n`, seen: '204 11 keep ' },
  {
    row: 'at most 99 fields',
    wire: `HTTP/1.1 204 x\r\n${'A: b\r\n'.repeat(101)}\r\n`,
    seen: 'LimitExceeded',
  },
  { row: 'EOF in the fields: accepted', wire: 'HTTP/1.1 204 x\r\nA: b\r\n', seen: 'BadHeader' },
  { row: 'bare LF ends', wire: 'HTTP/1.1 204 x\r\nA: b\nC: d\r\n\r\n', seen: 'BadHeader' },
  { row: 'bare LF ends', wire: 'HTTP/1.1 204 x\r\nA: b\rC: d\r\n\r\n', seen: 'BadHeader' },
  { row: 'a malformed line', wire: 'HTTP/1.1 204 x\r\nA : b\r\n\r\n', seen: 'BadHeader' },
  { row: 'a malformed line', wire: 'HTTP/1.1 204 x\r\n: b\r\n\r\n', seen: 'BadHeader' },
  { row: 'a malformed line', wire: 'HTTP/1.1 204 x\r\nnothing\r\n\r\n', seen: 'BadHeader' },
  {
    row: 'blanks behind a value',
    wire: 'HTTP/1.1 200 x\r\nTransfer-Encoding: chunked \r\n\r\n1\r\na\r\n0\r\n\r\n',
    seen: '200 11 keep a',
  },
  { row: 'folded values', wire: 'HTTP/1.1 204 x\r\nContent-Length: 1\r\n 0\r\n\r\n', seen: 'BadHeader' },
  { row: 'NUL and other', wire: 'HTTP/1.1 204 x\r\nA: b\0\r\n\r\n', seen: 'BadHeader' },
  {
    row: 'framing is decided by',
    wire: 'HTTP/1.1 204 x\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n',
    seen: '204 11 close ',
  },
  {
    row: 'chunked if the field',
    wire: 'HTTP/1.1 200 x\r\nTransfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n',
    seen: '200 11 keep ',
  },
  {
    row: 'chunked if the field',
    wire: 'HTTP/1.1 200 x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
    seen: 'UnknownTransferEncoding',
  },
  {
    row: 'Transfer-Encoding wins',
    wire: 'HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n',
    seen: 'BadHeader',
  },
  {
    row: 'Transfer-Encoding in HTTP/1.0',
    wire: 'HTTP/1.0 200 x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    seen: 'BadHeader',
  },
  {
    row: 'unusable Content-Length',
    wire: 'HTTP/1.1 200 x\r\nContent-Length: +1\r\n\r\na',
    seen: 'BadHeader',
  },
  {
    row: 'unusable Content-Length',
    wire: 'HTTP/1.1 200 x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na',
    seen: 'BadHeader',
  },
  {
    row: 'HEAD, 1xx, 204',
    wire: 'HTTP/1.1 204 x\r\nTransfer-Encoding: chunked\r\n\r\n',
    seen: '204 11 keep ',
  },
  {
    row: 'HEAD, 1xx, 204',
    wire: 'HTTP/1.1 200 x\r\nContent-Length: 5\r\n\r\n',
    method: 'HEAD',
    seen: '200 11 keep ',
  },
  { row: '205 may', wire: 'HTTP/1.1 205 x\r\nContent-Length: 1\r\n\r\na', seen: '205 11 keep a' },
  { row: 'will_close if', wire: 'HTTP/1.1 204 x\r\nConnection: x-closed\r\n\r\n', seen: '204 11 keep ' },
  {
    row: 'HTTP/1.0 stays',
    wire: 'HTTP/1.0 204 x\r\nProxy-Connection: keep-alive\r\n\r\n',
    seen: '204 10 close ',
  },
  { row: 'HTTP/1.0 stays', wire: 'HTTP/1.0 204 x\r\nConnection: Keep-Alive\r\n\r\n', seen: '204 10 keep ' },
  { row: 'without a length', wire: 'HTTP/1.1 200 x\r\n\r\nabc', seen: '200 11 close abc' },
  {
    row: 'head in lower case',
    wire: 'HTTP/1.1 200 x\r\nContent-Length: 2\r\n\r\nab',
    method: 'head',
    seen: '200 11 keep ab',
  },
  {
    row: 'sizes by int',
    wire: 'HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n+1\r\na\r\n0\r\n\r\n',
    seen: 'BadChunk',
  },
  {
    row: 'an empty or malformed size',
    wire: 'HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n\r\n',
    seen: 'BadChunk',
  },
  {
    row: 'bare LF behind a size',
    wire: 'HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n',
    seen: 'BadChunk',
  },
  {
    row: 'two bytes behind',
    wire: 'HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\naXX0\r\n\r\n',
    seen: 'BadChunk',
  },
  {
    row: 'EOF behind 0',
    wire: 'HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n',
    seen: 'IncompleteRead: a',
  },
  {
    row: 'partial of a chunked',
    wire: 'HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n5\r\nbc',
    seen: 'IncompleteRead: abc',
  },
  {
    row: 'sizes of any',
    wire: 'HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n20000000000000\r\na',
    seen: 'BadChunk',
  },
];

function expectRow(beginning: string): void {
  expect(
    rows.filter((row) => row.startsWith(beginning)),
    `rows that begin with '${beginning}'`,
  ).to.have.length(1);
}

/** The name of an error, with what it has of the body. */
function outcomeOf(error: unknown): string {
  const { name, partial } = error as { name: string; partial?: Buffer };
  return partial === undefined ? name : `${name}: ${String(partial)}`;
}

/** What becomes of the response that is due. */
async function seenBy(
  conn: HTTPConnection,
): Promise<{ status: number; version: number; willClose: boolean; body: string }> {
  const response = await conn.getResponse();
  const { status, version, willClose } = response;
  return { status, version, willClose, body: String(await response.readall()) };
}

describe('the behaviour that the page for Python programmers claims', () => {
  for (const { row, call, sent } of REQUESTS) {
    it(`${row}: ${JSON.stringify(call)} sends ${JSON.stringify(sent)}`, async () => {
      expectRow(row);
      const server = await rawServer(answer(NO_CONTENT));
      const conn = new HTTPConnection('127.0.0.1', server.port);
      const ours = `Host: 127.0.0.1:${String(server.port)}\r\nAccept-Encoding: identity\r\n`;
      let seen: string;
      try {
        await conn.request(...call);
        await conn.getResponse();
        seen = server.peer().text.replace(ours, '');
      } catch (error) {
        seen = outcomeOf(error);
        expect(server.peers.map(({ text }) => text).join('')).to.equal('');
      }
      expect(seen).to.equal(sent);
    });
  }

  for (const { row, url, fields = {}, host } of HOST_CASES) {
    it(`${row}: ${url} has Host ${String(host)}`, async () => {
      expectRow(row);
      const server = await rawServer(answer(NO_CONTENT));
      const conn = new HTTPConnection('127.0.0.1', server.port);
      await conn.request('GET', url, null, fields);
      await conn.getResponse();
      const hosts = server.request.fields.filter(([name]) => name.toLowerCase() === 'host');
      expect(hosts.map(([, value]) => value)).to.deep.equal([host]);
    });
  }

  for (const { row, wire, seen, method = 'GET' } of RESPONSES) {
    it(`${row}: ${JSON.stringify(wire.slice(0, 80))} is ${JSON.stringify(seen)}`, async () => {
      expectRow(row);
      const server = await rawServer((socket) => socket.end(wire, 'latin1'));
      const conn = new HTTPConnection('127.0.0.1', server.port);
      let outcome: string;
      try {
        await conn.request(method, '/');
        const { status, version, willClose, body } = await seenBy(conn);
        outcome = `${String(status)} ${String(version)} ${willClose ? 'close' : 'keep'} ${body}`;
      } catch (error) {
        outcome = outcomeOf(error);
      }
      expect(outcome).to.equal(seen);
    });
  }
});
