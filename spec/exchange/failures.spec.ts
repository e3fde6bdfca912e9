/**
 * What a real failure tells: what happened, to which request, in which phase, and how far it got on the wire.
 */

import { open } from 'node:fs/promises';

import { expect } from 'chai';

import { HTTPException } from '../../lib/index.js';
import type {
  ExchangeData,
  HeadersInit,
  HTTPConnection,
  HTTPConnectionOptions,
  HTTPResponse,
  RequestBody,
} from '../../lib/index.js';
import { answer, connectionTo, OK, rawServer } from '../support/raw-server.js';
import type { Script } from '../support/raw-server.js';
import { rejection } from '../support/rejection.js';

interface Failure {
  name: string;
  script: Script;
  /** Settings of the connection. */
  options?: HTTPConnectionOptions;
  method?: string;
  url?: string;
  body?: () => RequestBody;
  headers?: HeadersInit;
  prepare?: (conn: HTTPConnection) => void;
  /** Which exchange on the connection fails. Default: the first. */
  nth?: number;
  error: string;
  code?: string;
  phase: string;
  received: number;
  message?: RegExp;
}

const HEAD = 'HTTP/1.1 200 OK\r\n';
const once =
  (wire: string): Script =>
  (socket) =>
    socket.end(wire, 'latin1');
const cut = `${HEAD}Content-Length: 10\r\n\r\n0123`;

const FAILURES: Failure[] = [
  {
    name: 'no response',
    script: once(''),
    error: 'RemoteDisconnected',
    code: 'ECONNRESET',
    phase: 'response',
    received: 0,
  },
  { name: 'no HTTP', script: answer('SSH-2.0\r\n'), error: 'BadStatusLine', phase: 'response', received: 9 },
  {
    name: 'another version',
    script: answer('HTTP/2.0 200 OK\r\n\r\n'),
    error: 'UnknownProtocol',
    phase: 'response',
    received: 19,
  },
  {
    name: 'a bad field',
    script: answer(`${HEAD}a b: c\r\n\r\n`),
    error: 'BadHeader',
    phase: 'response',
    received: 27,
  },
  {
    name: 'an unknown coding',
    script: answer(`${HEAD}Transfer-Encoding: gzip\r\n\r\n`),
    error: 'UnknownTransferEncoding',
    phase: 'response',
    received: 44,
  },
  {
    name: 'a long line',
    script: answer(`${HEAD}A: bcdefghijklmnopqrstuvwxyz\r\n\r\n`),
    options: { limits: { lineBytes: 20 } },
    error: 'LineTooLong',
    phase: 'response',
    received: 49,
  },
  {
    name: 'many fields',
    script: answer(`${HEAD}A: 1\r\nB: 2\r\n\r\n`),
    options: { limits: { fields: 1 } },
    error: 'LimitExceeded',
    phase: 'response',
    received: 31,
  },
  {
    name: 'a short body',
    script: once(cut),
    error: 'IncompleteRead',
    phase: 'body',
    received: 43,
    message: /6 more expected/,
  },
  {
    name: 'a bad chunk',
    script: answer(`${HEAD}Transfer-Encoding: chunked\r\n\r\nxyz\r\n`),
    error: 'BadChunk',
    phase: 'body',
    received: 52,
  },
  {
    name: 'silence',
    script: () => undefined,
    options: { timeout: { response: 40 } },
    error: 'TimeoutError',
    phase: 'response',
    received: 0,
    message: /response timeout of 40 ms/,
  },
  {
    name: 'a reset',
    script: (socket) => socket.resetAndDestroy(),
    error: 'Error',
    code: 'ECONNRESET',
    phase: 'response',
    received: 0,
  },
  {
    name: 'a reset in the body',
    script: (socket) => {
      socket.write(cut);
      setTimeout(() => socket.resetAndDestroy(), 30);
    },
    error: 'Error',
    code: 'ECONNRESET',
    phase: 'body',
    received: 43,
  },
  {
    name: 'a short source',
    script: () => undefined,
    method: 'PUT',
    url: '/up',
    body: () => ['ab'],
    headers: { 'Content-Length': 5 },
    error: 'ContentLengthMismatch',
    phase: 'send',
    received: 0,
    message: /declares 5 bytes/,
  },
  {
    name: 'no response on a connection used before',
    script: (socket, { target }) => (target === '/' ? socket.write(OK) : socket.end()),
    url: '/again?x=1',
    nth: 2,
    error: 'RemoteDisconnected',
    code: 'ECONNRESET',
    phase: 'response',
    received: 0,
    message: /reused connection/,
  },
  {
    name: 'a proxy that refuses',
    script: answer('HTTP/1.1 407 Auth\r\nProxy-Authenticate: Basic\r\n\r\n'),
    prepare: (conn) => conn.setTunnel('origin.example', 443),
    error: 'TunnelError',
    phase: 'tunnel',
    received: 48,
    message: /407 Auth/,
  },
];

describe('a failure', () => {
  for (const row of FAILURES) {
    const {
      name,
      script,
      options,
      method = 'GET',
      url = '/some/path',
      body,
      headers,
      prepare,
      nth = 1,
    } = row;
    it(`says what happened, to which request, and how far it got: ${name}`, async () => {
      const server = await rawServer(script);
      const conn = connectionTo(server, options);
      prepare?.(conn);
      for (let i = 1; i < nth; i++) {
        await conn.request('GET', '/');
        await (await conn.getResponse()).readall();
      }
      const before = server.peers[0]?.received.length ?? 0;
      const attempt = async (): Promise<HTTPResponse> => {
        await conn.request(method, url, body?.(), headers);
        const response = await conn.getResponse();
        await response.readall();
        return response;
      };
      const error = await rejection<Error & ExchangeData & { code?: string }>(attempt());
      expect(error.name).to.equal(row.error);
      if (row.code !== undefined) expect(error.code).to.equal(row.code);
      const { phase, bytesReceived, reused } = error;
      expect([error.method, error.url, phase, bytesReceived]).to.deep.equal([
        method,
        url,
        row.phase,
        row.received,
      ]);
      await server.peer().closed;
      const sent = server.peer().received.length - before;
      // What a connection that fails in mid-upload had in hand may not have left.
      if (row.phase === 'send') expect(error.bytesSent).to.be.at.least(sent);
      else expect(error.bytesSent).to.equal(sent);
      if (row.phase !== 'tunnel') expect(reused).to.equal(nth > 1);
      if (error instanceof HTTPException) {
        expect(error.message).to.contain(`${method} ${url}`);
        expect(error.message).to.match(/\d+ bytes sent, \d+ received/);
      }
      expect(error.message).to.match(row.message ?? /./);
    });
  }

  it('found before anything is sent names the request too', async () => {
    const conn = connectionTo(await rawServer(answer(OK)));
    const short = await rejection(conn.request('PUT', '/up', 'abc', { 'Content-Length': 5 }));
    expect(short).to.include({ name: 'ContentLengthMismatch', method: 'PUT', url: '/up', bytesSent: 0 });
    expect(short.message).to.contain('PUT /up').and.to.contain('ended after 3');
    const closedFile = await open(new URL(import.meta.url));
    await closedFile.close();
    const unreadable = await rejection(conn.request('PUT', '/file', closedFile));
    expect(unreadable).to.include({
      name: 'UnimplementedFileMode',
      method: 'PUT',
      url: '/file',
      bytesSent: 0,
    });
    expect(unreadable.message).to.contain('PUT /file');
    conn.autoOpen = false;
    const closed = await rejection(conn.request('GET', '/x'));
    expect(closed).to.include({ name: 'NotConnected', method: 'GET', url: '/x', phase: 'connect' });
    expect(closed.message).to.contain('GET /x');
  });

  it('by a reset in the body is the error of the socket, behind the bytes that came', async () => {
    const server = await rawServer((socket) => {
      socket.write(cut);
      setTimeout(() => socket.resetAndDestroy(), 30);
    });
    const conn = connectionTo(server);
    await conn.request('GET', '/');
    const response = await conn.getResponse();
    expect(String(await response.readbytes(2))).to.equal('01');
    const error = await rejection(response.readall());
    expect(error).to.include({ code: 'ECONNRESET', method: 'GET', url: '/', phase: 'body' });
  });

  it('has plain data only, so that it can be cloned and kept', async () => {
    const server = await rawServer(once(cut));
    const conn = connectionTo(server);
    await conn.request('GET', '/');
    const error = await rejection(conn.getResponse().then((response) => response.readall()));
    for (const value of Object.values(error)) {
      const plain = value === null || typeof value !== 'object' || value instanceof Uint8Array;
      expect(plain, String(value)).to.equal(true);
    }
    expect(structuredClone(error)).to.be.instanceOf(Error);
  });

  it('of a socket keeps the text of Node', async () => {
    const server = await rawServer(answer(OK));
    const conn = connectionTo(server);
    await server.close();
    const error = await rejection(conn.request('GET', '/x'));
    expect(error).to.include({
      name: 'Error',
      code: 'ECONNREFUSED',
      syscall: 'connect',
      method: 'GET',
      url: '/x',
      phase: 'connect',
    });
    expect(error.message).to.match(/^connect ECONNREFUSED 127\.0\.0\.1:\d+$/);
  });
});
