/**
 * The names of HTTPResponse in http.client, each shown by what its counterpart does.
 */
import { once } from 'node:events';
import { expect } from 'chai';
import { HTTPResponse, IncompleteRead } from '../../../lib/index.js';
import { NO_CONTENT } from '../../support/raw-server.js';
import { rejection } from '../../support/rejection.js';
import { connectionTo, printedBy, responseOf, withBody } from './exchange.js';
import type { Showings } from './exchange.js';

const LINES = withBody('one\ntwo\nthree', 'Content-Type: text/plain');
const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n';
const FIELDS = withBody('', 'A: 1', 'Set-Cookie: x', 'set-cookie: y', 'Empty:');
const UNFINISHED = 'HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\npart';

export const RESPONSE: Showings = {
  'HTTPResponse(sock, debuglevel, method, url)': async () => {
    const response = await responseOf(NO_CONTENT, 'DELETE');
    expect(response).to.be.an.instanceOf(HTTPResponse);
    expect([response.debugLevel, response.method, response.url]).to.deep.equal([0, 'DELETE', '/path']);
  },
  'read(amt)': async () => {
    const response = await responseOf(CHUNKED);
    expect(String(await response.readbytes(4))).to.equal('onet');
    expect(String(await response.readall())).to.equal('wo');
    expect(await response.readbytes(4)).to.have.length(0);
  },
  'readinto(b)': async () => {
    const response = await responseOf(CHUNKED);
    const buffer = Buffer.alloc(4, '-');
    expect(await response.readinto(buffer)).to.equal(4);
    expect(await response.readinto(buffer)).to.equal(2);
    expect(String(buffer)).to.equal('woet');
    expect(await response.readinto(buffer)).to.equal(0);
  },
  'getheader(name, default)': async () => {
    const response = await responseOf(FIELDS);
    expect(['SET-COOKIE', 'empty', 'x'].map((name) => response.getHeader(name))).to.deep.equal([
      'x, y',
      '',
      null,
    ]);
    expect([
      response.getHeader('x', ['p', 'q']),
      response.getHeader('x', 5),
      response.getHeader('empty', 'd'),
    ]).to.deep.equal(['p, q', 5, '']);
  },
  'getheaders()': async () => {
    const response = await responseOf(FIELDS);
    expect(response.getHeaders().slice(1, 4)).to.deep.equal([
      ['A', '1'],
      ['Set-Cookie', 'x'],
      ['set-cookie', 'y'],
    ]);
  },
  'fileno()': async () => {
    const response = await responseOf(UNFINISHED);
    if (process.platform !== 'win32') expect(response.fileno()).to.be.above(2);
    response.destroy();
    expect(response.fileno()).to.equal(-1);
  },
  msg: async () => {
    const response = await responseOf(FIELDS);
    expect(response.msg).to.equal(response.headers);
  },
  headers: async () => {
    expect((await responseOf(FIELDS)).headers.get('a')).to.equal('1');
  },
  version: async () => {
    expect((await responseOf('HTTP/1.0 204 No Content\r\n\r\n')).version).to.equal(10);
    expect((await responseOf(NO_CONTENT)).version).to.equal(11);
  },
  url: async () => {
    expect((await responseOf(NO_CONTENT)).url).to.equal('/path');
  },
  status: async () => {
    expect((await responseOf('HTTP/1.1 599 Odd\r\nContent-Length: 0\r\n\r\n')).status).to.equal(599);
  },
  reason: async () => {
    expect((await responseOf('HTTP/1.1 200 Fine so far\r\nContent-Length: 0\r\n\r\n')).reason).to.equal(
      'Fine so far',
    );
  },
  debuglevel: async () => {
    const { conn } = await connectionTo(NO_CONTENT);
    conn.setDebugLevel(3);
    const printed = await printedBy(async () => {
      await conn.request('GET', '/');
      expect((await conn.getResponse()).debugLevel).to.equal(3);
    });
    expect(printed).to.include('reply: ');
  },
  closed: async () => {
    const response = await responseOf(LINES);
    expect(response.closed).to.equal(false);
    response.destroy();
    await new Promise((resolve) => response.once('close', resolve));
    expect(response.closed).to.equal(true);
  },
  'with response:': async () => {
    const response = await responseOf(UNFINISHED);
    await response[Symbol.asyncDispose]();
    expect(response.destroyed).to.equal(true);
  },
  'for line in response': async () => {
    const lines: string[] = [];
    for await (const line of (await responseOf(LINES)).lines()) lines.push(line);
    expect(lines).to.deep.equal(['one', 'two', 'three']);
  },
  'read1(n)': async () => {
    const response = await responseOf(UNFINISHED);
    expect(String(await response.read1(3))).to.equal('par');
    expect(String(await response.read1())).to.equal('t');
  },
  'peek(n)': async () => {
    const response = await responseOf(`${withBody('ab')}surplus`);
    expect(String(await response.peek(9))).to.equal('ab');
    expect(String(await response.readall())).to.equal('ab');
  },
  'readline(limit)': async () => {
    const response = await responseOf(LINES);
    expect(String(await response.readline())).to.equal('one\n');
    expect(String(await response.readline(2))).to.equal('tw');
  },
  'readlines(hint)': async () => {
    const response = await responseOf(LINES);
    expect((await response.readlines(5)).map(String)).to.deep.equal(['one\n', 'two\n']);
    expect((await response.readlines()).map(String)).to.deep.equal(['three']);
  },
  'readable()': async () => {
    const response = await responseOf(LINES);
    expect(response.readable).to.equal(true);
    await response.readall();
    const ended = once(response, 'end');
    response.resume();
    await ended;
    expect(response.readable).to.equal(false);
  },
  'isclosed()': async () => {
    const response = await responseOf(CHUNKED);
    expect(response.isClosed()).to.equal(false);
    await response.readall();
    expect(response.isClosed()).to.equal(true);
  },
  'close()': async () => {
    const { conn, server } = await connectionTo(UNFINISHED);
    await conn.request('GET', '/');
    const response = await conn.getResponse();
    response.destroy();
    await server.peer().closed;
    expect(await rejection(response.read1())).to.be.an.instanceOf(IncompleteRead);
    expect(conn.socket).to.equal(null);
  },
  length: async () => {
    const response = await responseOf(LINES);
    const before = response.length;
    await response.readbytes(3);
    expect([before, response.length]).to.deep.equal([13, 10]);
  },
  chunked: async () => {
    expect([(await responseOf(CHUNKED)).chunked, (await responseOf(LINES)).chunked]).to.deep.equal([
      true,
      false,
    ]);
  },
  will_close: async () => {
    expect((await responseOf(LINES)).willClose).to.equal(false);
    expect((await responseOf(withBody('', 'Connection: x, Close'))).willClose).to.equal(true);
  },
  'info()': async () => {
    const response = await responseOf(FIELDS);
    expect(response.info()).to.equal(response.headers);
  },
  'geturl()': async () => {
    expect((await responseOf(NO_CONTENT)).geturl()).to.equal('/path');
  },
  code: async () => {
    const response = await responseOf(NO_CONTENT);
    expect(response.status).to.equal(response.getcode());
  },
  'getcode()': async () => {
    expect((await responseOf(NO_CONTENT)).getcode()).to.equal(204);
  },
};
