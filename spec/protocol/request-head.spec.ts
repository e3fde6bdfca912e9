/**
 * The head of a request, as the server sees it: its lines, their order and spelling, Host in all its forms, and how it is written.
 */

import type { Socket } from 'node:net';

import { expect } from 'chai';

import { HTTPConnection, HTTPMessage, HTTPSConnection } from '../../lib/index.js';
import type { HeadersInit } from '../../lib/index.js';
import { answer, connectionTo, freePath, NO_CONTENT, OK, rawServer } from '../support/raw-server.js';
import { fieldOf } from '../support/received-request.js';
import { rejection } from '../support/rejection.js';

describe('the Host field', () => {
  const TABLE: { name: string; host: string; port?: number; url?: string; expect: string }[] = [
    { name: 'leaves the default port out', host: 'example.org', expect: 'example.org' },
    {
      name: 'leaves the default port out when it is given',
      host: 'example.org',
      port: 80,
      expect: 'example.org',
    },
    { name: 'has any other port', host: 'example.org', port: 8080, expect: 'example.org:8080' },
    { name: 'has a port that came with the host', host: 'example.org:8080', expect: 'example.org:8080' },
    {
      name: 'has the port of https when the connection is not',
      host: 'example.org',
      port: 443,
      expect: 'example.org:443',
    },
    { name: 'keeps the spelling of a name', host: 'Example.ORG', expect: 'Example.ORG' },
    { name: 'puts an IPv6 address in brackets', host: '::1', expect: '[::1]' },
    {
      name: 'puts an IPv6 address with a port in brackets',
      host: '[2001:db8::1]:81',
      expect: '[2001:db8::1]:81',
    },
    { name: 'leaves a zone id out', host: 'fe80::1%eth0', expect: '[fe80::1]' },
    {
      name: 'has an internationalized name in ASCII form',
      host: 'bücher.example',
      expect: 'xn--bcher-kva.example',
    },
    {
      name: 'is made from an absolute url',
      host: 'proxy.example',
      port: 3128,
      url: 'http://origin.example:8080/a?b',
      expect: 'origin.example:8080',
    },
    {
      name: 'has no user information of an absolute url',
      host: 'proxy.example',
      url: 'http://user:secret@origin.example/',
      expect: 'origin.example',
    },
    {
      name: 'is made from an absolute url in upper case too',
      host: 'proxy.example',
      url: 'HTTP://origin.example/',
      expect: 'origin.example',
    },
    {
      name: 'leaves out the default port of an absolute https url',
      host: 'proxy.example',
      url: 'https://origin.example:443/',
      expect: 'origin.example',
    },
    {
      name: 'has brackets for an IPv6 address in an absolute url',
      host: 'proxy.example',
      url: 'http://[::1]:8080/',
      expect: '[::1]:8080',
    },
    {
      name: 'is not made from a path that holds a url',
      host: 'example.org',
      url: '/?http://x/',
      expect: 'example.org',
    },
    {
      name: 'is not made from a target with two slashes',
      host: 'example.org',
      url: '//evil.example/',
      expect: 'example.org',
    },
  ];
  for (const { name, host, port, url = '/', expect: expected } of TABLE) {
    it(name, async () => {
      const socketPath = freePath();
      const server = await rawServer(answer(NO_CONTENT), { path: socketPath });
      const conn = new HTTPConnection(host, port, { socketPath });
      await conn.request('GET', url);
      await conn.getResponse();
      expect(fieldOf(server.request, 'Host')).to.equal(expected);
      expect(server.request.target).to.equal(url);
    });
  }

  it('names the host behind a tunnel, with a port that is not the default of the connection', async () => {
    const script = (socket: Socket): unknown => socket.write('HTTP/1.1 200 Go\r\n\r\n');
    const server = await rawServer((socket, request) =>
      request.method === 'CONNECT' ? script(socket) : socket.write(NO_CONTENT),
    );
    const conn = connectionTo(server);
    conn.setTunnel('origin.example', 8443);
    await conn.request('GET', '/');
    await conn.getResponse();
    expect(server.requests.map(({ line }) => line)).to.deep.equal([
      'CONNECT origin.example:8443 HTTP/1.1',
      'GET / HTTP/1.1',
    ]);
    expect(server.requests.map((request) => fieldOf(request, 'Host'))).to.deep.equal([
      'origin.example:8443',
      'origin.example:8443',
    ]);
  });

  for (const url of [
    'http://',
    'http:///path',
    'http://h:port/',
    'http://h:99999/',
    'http://a b/',
    'http://ex\\ample/',
  ]) {
    it(`refuses to be made from ${url}`, async () => {
      const server = await rawServer(answer(NO_CONTENT));
      const conn = connectionTo(server);
      expect((await rejection(conn.request('GET', url))).name).to.equal('InvalidURL');
      expect(server.connections).to.equal(0);
    });
  }
});

describe('the head of a request', () => {
  const FIXED = ['Host: 127.0.0.1:PORT', 'Accept-Encoding: identity'];
  const TABLE: {
    name: string;
    method?: string;
    url?: string;
    body?: string;
    headers?: HeadersInit;
    lines: string[];
  }[] = [
    { name: 'has three lines for a GET', lines: ['GET / HTTP/1.1', ...FIXED] },
    { name: "has '/' for an empty target", url: '', lines: ['GET / HTTP/1.1', ...FIXED] },
    {
      name: 'has the target as it is',
      url: '/a%20b;c?d=e#f',
      lines: ['GET /a%20b;c?d=e#f HTTP/1.1', ...FIXED],
    },
    {
      name: 'has the asterisk form as it is',
      method: 'OPTIONS',
      url: '*',
      lines: ['OPTIONS * HTTP/1.1', ...FIXED],
    },
    { name: 'has the method in its spelling', method: 'geT', lines: ['geT / HTTP/1.1', ...FIXED] },
    {
      name: 'has a method that is any token',
      method: "M-S!#$%&'*+.^_`|~9",
      lines: ["M-S!#$%&'*+.^_`|~9 / HTTP/1.1", ...FIXED],
    },
    {
      name: "has the framing field before the caller's fields, which keep their order and spelling",
      method: 'POST',
      body: 'x',
      headers: [
        ['x-b', '2'],
        ['X-A', '1'],
        ['x-B', '3'],
      ],
      lines: ['POST / HTTP/1.1', ...FIXED, 'Content-Length: 1', 'x-b: 2', 'X-A: 1', 'x-B: 3'],
    },
    {
      name: "gives way to the caller's Host, where it stands",
      headers: { 'X-A': '1', hOST: 'other.example' },
      lines: ['GET / HTTP/1.1', 'Accept-Encoding: identity', 'X-A: 1', 'hOST: other.example'],
    },
    {
      name: "gives way to the caller's Accept-Encoding, where it stands",
      headers: { 'X-A': '1', 'accept-encoding': 'gzip' },
      lines: ['GET / HTTP/1.1', 'Host: 127.0.0.1:PORT', 'X-A: 1', 'accept-encoding: gzip'],
    },
    {
      name: 'has one line for each value of an array',
      headers: { Cookie: ['a=1', 'b=2'] },
      lines: ['GET / HTTP/1.1', ...FIXED, 'Cookie: a=1', 'Cookie: b=2'],
    },
    {
      name: 'takes numbers as values',
      headers: { 'X-N': 42 },
      lines: ['GET / HTTP/1.1', ...FIXED, 'X-N: 42'],
    },
    { name: 'takes an empty value', headers: { 'X-E': '' }, lines: ['GET / HTTP/1.1', ...FIXED, 'X-E: '] },
    {
      name: 'has values in ISO-8859-1',
      headers: { 'X-L': 'caf\xe9 \xff' },
      lines: ['GET / HTTP/1.1', ...FIXED, 'X-L: caf\xe9 \xff'],
    },
    {
      name: 'takes a Map',
      headers: new Map([['X-M', '1']]),
      lines: ['GET / HTTP/1.1', ...FIXED, 'X-M: 1'],
    },
    {
      name: 'takes an HTTPMessage',
      headers: new HTTPMessage([
        ['X-A', '1'],
        ['x-a', '2'],
      ]),
      lines: ['GET / HTTP/1.1', ...FIXED, 'X-A: 1', 'x-a: 2'],
    },
    {
      name: "takes the platform's Headers",
      headers: new Headers({ 'X-P': '1' }),
      lines: ['GET / HTTP/1.1', ...FIXED, 'x-p: 1'],
    },
  ];
  for (const { name, method = 'GET', url = '/', body, headers, lines } of TABLE) {
    it(name, async () => {
      const server = await rawServer(answer(NO_CONTENT));
      const conn = connectionTo(server);
      await conn.request(method, url, body, headers);
      await conn.getResponse();
      const expected = lines.map((line) => `${line.replace('PORT', String(server.port))}\r\n`);
      expect(server.request.head).to.equal(`${expected.join('')}\r\n`);
    });
  }

  it('has the default port of its own class left out', async () => {
    const conn = new HTTPSConnection('example.org');
    expect([conn.host, conn.port]).to.deep.equal(['example.org', 443]);
    class Custom extends HTTPConnection {
      static override readonly defaultPort: number = 8000;
    }
    const socketPath = freePath();
    const server = await rawServer(answer(NO_CONTENT), { path: socketPath });
    const custom = new Custom('example.org', null, { socketPath });
    await custom.request('GET', '/');
    await custom.getResponse();
    expect(fieldOf(server.request, 'Host')).to.equal('example.org');
  });
});

describe('a request put together by hand', () => {
  it('has what putRequest, putHeader and endHeaders were given', async () => {
    const server = await rawServer(answer(OK));
    const conn = connectionTo(server);
    conn.putRequest('POST', '/x');
    conn.putHeader('X-Several', 'a', 'b', 3);
    conn.putHeader('X-Bytes', Buffer.from([0x63, 0xe9]));
    conn.putHeader('content-length', 4);
    await conn.endHeaders('body');
    await (await conn.getResponse()).readall();
    expect(server.request.head).to.equal(
      `POST /x HTTP/1.1\r\nHost: 127.0.0.1:${String(server.port)}\r\nAccept-Encoding: identity\r\n` +
        'X-Several: a, b, 3\r\nX-Bytes: c\xe9\r\ncontent-length: 4\r\n\r\n',
    );
    expect(server.request.body.toString()).to.equal('body');
  });

  it('is framed by endHeaders as request would', async () => {
    const server = await rawServer(answer(NO_CONTENT));
    const conn = connectionTo(server);
    conn.putRequest('POST', '/');
    await conn.endHeaders(['ab', 'c']);
    await conn.getResponse();
    expect(fieldOf(server.request, 'Transfer-Encoding')).to.equal('chunked');
    expect(server.request.chunks?.map(String)).to.deep.equal(['ab', 'c']);
  });

  const SKIPS: {
    name: string;
    options: { skipHost?: boolean; skipAcceptEncoding?: boolean };
    lines: string[];
  }[] = [
    {
      name: 'skipHost leaves Host to the caller',
      options: { skipHost: true },
      lines: ['Accept-Encoding: identity'],
    },
    { name: 'skipAcceptEncoding leaves that out', options: { skipAcceptEncoding: true }, lines: ['Host: h'] },
    { name: 'both leave the head empty', options: { skipHost: true, skipAcceptEncoding: true }, lines: [] },
  ];
  for (const { name, options, lines } of SKIPS) {
    it(name, async () => {
      const socketPath = freePath();
      const server = await rawServer(answer(NO_CONTENT), { path: socketPath });
      const conn = new HTTPConnection('h', null, { socketPath });
      conn.putRequest('GET', '/', options);
      await conn.endHeaders();
      await conn.getResponse();
      expect(server.request.head).to.equal(['GET / HTTP/1.1', ...lines, '', ''].join('\r\n'));
    });
  }

  it('may have its body follow with send, in pieces', async () => {
    const server = await rawServer(answer(OK));
    const conn = connectionTo(server);
    conn.putRequest('PUT', '/');
    conn.putHeader('Content-Length', 6);
    await conn.endHeaders();
    await conn.send('abc');
    await conn.send([Buffer.from('d'), 'ef']);
    await (await conn.getResponse()).readall();
    expect(server.request.body.toString()).to.equal('abcdef');
    await conn.request('GET', '/');
    await (await conn.getResponse()).readall();
    expect(server.connections).to.equal(1);
  });

  it('has nothing surplus sent behind what its head declares', async () => {
    const server = await rawServer(answer(OK));
    const conn = connectionTo(server);
    conn.putRequest('PUT', '/');
    conn.putHeader('Content-Length', 3);
    await conn.endHeaders();
    const error = await rejection(conn.send('abcd'));
    expect(error.name).to.equal('ContentLengthMismatch');
    await conn.send('abc');
    await (await conn.getResponse()).readall();
    expect(server.request.body.toString()).to.equal('abc');
    expect(server.peer().received.length).to.equal(server.request.size);
  });

  it('may be chunked by the caller himself', async () => {
    const server = await rawServer(answer(OK));
    const conn = connectionTo(server);
    conn.putRequest('PUT', '/');
    conn.putHeader('Transfer-Encoding', 'chunked');
    await conn.endHeaders();
    await conn.send('3\r\nabc\r\n');
    await conn.send('0\r\n\r\n');
    await (await conn.getResponse()).readall();
    expect(server.request.body.toString()).to.equal('abc');
  });
});

describe('the first write of a request', () => {
  const head = (port: number, fields: string): string =>
    `POST / HTTP/1.1\r\nHost: 127.0.0.1:${String(port)}\r\nAccept-Encoding: identity\r\n${fields}\r\n\r\n`;

  /** The writes that the socket is asked for: what goes to the kernel in one call. */
  function watchWrites(socket: Socket): string[] {
    const writes: string[] = [];
    type Entry = { chunk: Buffer | string; encoding: BufferEncoding };
    type Done = (error?: Error | null) => void;
    const stream = socket as Socket & {
      _write(chunk: Buffer | string, encoding: BufferEncoding, done: Done): void;
      _writev(entries: Entry[], done: Done): void;
    };
    const text = (chunk: Buffer | string): string =>
      typeof chunk === 'string' ? chunk : chunk.toString('latin1');
    const write = stream._write.bind(stream);
    const writev = stream._writev.bind(stream);
    stream._write = (chunk, encoding, done) => {
      writes.push(text(chunk));
      write(chunk, encoding, done);
    };
    stream._writev = (entries, done) => {
      writes.push(entries.map(({ chunk }) => text(chunk)).join(''));
      writev(entries, done);
    };
    return writes;
  }

  const TABLE: {
    name: string;
    body: () => string | Buffer | Iterable<string> | AsyncIterable<string>;
    fields: string;
    content: string;
  }[] = [
    { name: 'a string', body: () => 'hello', fields: 'Content-Length: 5', content: 'hello' },
    { name: 'bytes', body: () => Buffer.from('hello'), fields: 'Content-Length: 5', content: 'hello' },
    {
      name: 'the pieces that an iterable has at hand',
      body: () => ['ab', 'c'],
      fields: 'Transfer-Encoding: chunked',
      content: '2\r\nab\r\n1\r\nc\r\n0\r\n\r\n',
    },
    {
      name: 'the first piece of a generator',
      body: async function* () {
        yield 'ab';
        await new Promise((resolve) => setTimeout(resolve, 20));
      },
      fields: 'Transfer-Encoding: chunked',
      content: '2\r\nab',
    },
  ];
  for (const { name, body, fields, content } of TABLE) {
    it(`has ${name} beside the head`, async () => {
      const server = await rawServer(answer(NO_CONTENT));
      const conn = connectionTo(server);
      await conn.connect();
      const writes = watchWrites(conn.socket as Socket);
      await conn.request('POST', '/', body());
      await conn.getResponse();
      expect(writes[0]?.slice(0, head(server.port, fields).length + content.length)).to.equal(
        head(server.port, fields) + content,
      );
    });
  }

  it('is the only one for a head without a body', async () => {
    const server = await rawServer(answer(NO_CONTENT));
    const conn = connectionTo(server);
    await conn.connect();
    const writes = watchWrites(conn.socket as Socket);
    await conn.request('GET', '/');
    await conn.getResponse();
    expect(writes).to.deep.equal([server.peer().text]);
  });
});
