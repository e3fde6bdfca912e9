/**
 * The names of the module http.client itself, of its messages and of its exceptions, each shown by what its counterpart does.
 */
import { Readable } from 'node:stream';
import { expect } from 'chai';
import {
  BadStatusLine,
  CannotSendHeader,
  CannotSendRequest,
  HTTP_PORT,
  HTTPConnection,
  HTTPException,
  HTTPMessage,
  HTTPS_PORT,
  HTTPStatus,
  ImproperConnectionState,
  IncompleteRead,
  InvalidURL,
  LineTooLong,
  NotConnected,
  parseHeaders,
  RemoteDisconnected,
  ResponseNotReady,
  responses,
  UnimplementedFileMode,
  UnknownProtocol,
  UnknownTransferEncoding,
} from '../../../lib/index.js';
import { open } from 'node:fs/promises';
import { rawServer } from '../../support/raw-server.js';
import { rejection } from '../../support/rejection.js';
import { connectionTo, responseOf, withBody } from './exchange.js';
import type { Showings } from './exchange.js';

export const MODULE: Showings = {
  'parse_headers(fp)': async () => {
    const source = Readable.from([Buffer.from('A: 1\r\na: 2\r\n\r\nbody')], { objectMode: false });
    const message = await parseHeaders(source);
    expect(message.getAll('A')).to.deep.equal(['1', '2']);
    expect(String(source.read())).to.equal('body');
  },
  HTTP_PORT: () => {
    expect(HTTP_PORT).to.equal(80);
  },
  HTTPS_PORT: () => {
    expect(HTTPS_PORT).to.equal(443);
  },
  responses: () => {
    expect(responses[HTTPStatus.NOT_FOUND]).to.equal('Not Found');
    expect(Object.keys(responses)).to.have.length(62);
  },
  'OK, NOT_FOUND, …': () => {
    expect([HTTPStatus.OK, HTTPStatus.NOT_FOUND, HTTPStatus.REQUEST_ENTITY_TOO_LARGE]).to.deep.equal([
      200, 404, 413,
    ]);
  },
  error: async () => {
    const response = await responseOf(
      'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n12345',
    );
    response.destroy();
    expect(await rejection(response.readall())).to.be.an.instanceOf(HTTPException);
  },
};

const message = (): HTTPMessage =>
  new HTTPMessage([
    ['Content-Type', 'Text/HTML; charset=UTF-8'],
    ['Set-Cookie', 'a=1'],
    ['set-cookie', 'b=2'],
    ['Content-Disposition', `attachment; filename*=UTF-8''caf%C3%A9`],
  ]);

export const MESSAGE: Showings = {
  HTTPMessage: () => {
    expect([...message()]).to.have.length(4);
  },
  'get(name)': () => {
    expect([message().get('SET-COOKIE'), message().get('x')]).to.deep.equal(['a=1', null]);
  },
  'get_all(name)': () => {
    expect(message().getAll('set-cookie')).to.deep.equal(['a=1', 'b=2']);
  },
  'name in message': () => {
    expect([message().has('content-type'), message().has('x')]).to.deep.equal([true, false]);
  },
  'len(message)': () => {
    expect(message().size).to.equal(4);
  },
  'keys(), values(), items()': () => {
    expect([...message().keys()].slice(1, 3)).to.deep.equal(['Set-Cookie', 'set-cookie']);
    expect([...message().values()].slice(1, 3)).to.deep.equal(['a=1', 'b=2']);
    expect([...message().entries()][1]).to.deep.equal(['Set-Cookie', 'a=1']);
  },
  'add_header(name, value)': () => {
    const fields = message();
    fields.add('Set-Cookie', 'c=3');
    expect(fields.getAll('set-cookie')).to.deep.equal(['a=1', 'b=2', 'c=3']);
  },
  'replace_header(name, value)': () => {
    const fields = message();
    fields.set('Set-Cookie', 'c=3');
    expect(fields.getAll('set-cookie')).to.deep.equal(['c=3']);
  },
  'del message[name]': () => {
    const fields = message();
    fields.delete('SET-COOKIE');
    expect(fields.size).to.equal(2);
  },
  'get_content_type()': () => {
    expect([message().getContentType(), new HTTPMessage().getContentType()]).to.deep.equal([
      'text/html',
      'text/plain',
    ]);
  },
  'get_content_charset()': () => {
    expect(message().getContentCharset()).to.equal('utf-8');
  },
  'get_param(param)': () => {
    expect(message().getParam('Charset')).to.equal('UTF-8');
  },
  'get_filename()': () => {
    expect(message().getFilename()).to.equal('café');
  },
  'as_string()': () => {
    expect(new HTTPMessage({ A: 1, B: 'x' }).toString()).to.equal('A: 1\r\nB: x\r\n');
  },
};

/** What `getResponse` fails with when the server answers with these bytes and then closes. */
async function failureOf(wire: string): Promise<unknown> {
  const server = await rawServer((socket) => socket.end(wire, 'latin1'));
  const conn = new HTTPConnection('127.0.0.1', server.port);
  await conn.request('GET', '/');
  return rejection(conn.getResponse());
}

export const EXCEPTIONS: Showings = {
  HTTPException: async () => {
    const error = (await failureOf('')) as HTTPException;
    expect(error).to.be.an.instanceOf(HTTPException).and.an.instanceOf(Error);
    expect([error.method, error.url, error.phase]).to.deep.equal(['GET', '/', 'response']);
  },
  NotConnected: async () => {
    const { conn } = await connectionTo();
    conn.autoOpen = false;
    expect(await rejection(conn.request('GET', '/'))).to.be.an.instanceOf(NotConnected);
  },
  InvalidURL: () => {
    for (const host of ['h:port', 'h:99999', 'a b'])
      expect(() => new HTTPConnection(host)).to.throw(InvalidURL);
  },
  UnknownProtocol: async () => {
    const error = await failureOf('HTTP/2.0 200 OK\r\n\r\n');
    expect(error).to.be.an.instanceOf(UnknownProtocol).with.property('version', 'HTTP/2.0');
  },
  UnknownTransferEncoding: async () => {
    const error = await failureOf('HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n');
    expect(error).to.be.an.instanceOf(UnknownTransferEncoding);
  },
  UnimplementedFileMode: async () => {
    const { conn, server } = await connectionTo();
    const unreadable = await open(process.platform === 'win32' ? 'NUL' : '/dev/null', 'w');
    try {
      expect(await rejection(conn.request('PUT', '/', unreadable))).to.be.an.instanceOf(
        UnimplementedFileMode,
      );
      expect(server.connections).to.equal(0);
    } finally {
      await unreadable.close();
    }
  },
  IncompleteRead: async () => {
    const server = await rawServer((socket) => socket.end(withBody('1234567890').slice(0, -3), 'latin1'));
    const conn = new HTTPConnection('127.0.0.1', server.port);
    await conn.request('GET', '/');
    const error = await rejection((await conn.getResponse()).readall());
    expect(error).to.be.an.instanceOf(IncompleteRead).with.property('expected', 3);
    expect(String((error as IncompleteRead).partial)).to.equal('1234567');
    expect(error.message).to.include('(7 bytes read, 3 more expected)');
  },
  ImproperConnectionState: async () => {
    const { conn } = await connectionTo();
    await conn.connect();
    expect(() => conn.setTunnel('h', 1)).to.throw(ImproperConnectionState);
    for (const child of [CannotSendRequest, CannotSendHeader, ResponseNotReady]) {
      expect(child.prototype).to.be.an.instanceOf(ImproperConnectionState);
    }
  },
  CannotSendRequest: async () => {
    const { conn } = await connectionTo();
    conn.putRequest('GET', '/');
    expect(() => conn.putRequest('GET', '/')).to.throw(CannotSendRequest, 'Request-started');
    expect(await rejection(conn.request('GET', '/'))).to.be.an.instanceOf(CannotSendRequest);
  },
  CannotSendHeader: async () => {
    const { conn } = await connectionTo();
    expect(() => conn.putHeader('A', 'b')).to.throw(CannotSendHeader);
    expect(await rejection(conn.endHeaders())).to.be.an.instanceOf(CannotSendHeader);
  },
  ResponseNotReady: async () => {
    const { conn } = await connectionTo();
    const error = await rejection(conn.getResponse());
    expect(error).to.be.an.instanceOf(ResponseNotReady);
    expect(error.message).to.include('Idle');
  },
  BadStatusLine: async () => {
    const error = await failureOf('hello\r\n\r\n');
    expect(error).to.be.an.instanceOf(BadStatusLine).with.property('line').that.includes('hello');
  },
  LineTooLong: async () => {
    const error = (await failureOf(`HTTP/1.1 200 OK\r\nA: ${'x'.repeat(65_536)}\r\n\r\n`)) as LineTooLong;
    expect(error).to.be.an.instanceOf(LineTooLong).with.property('lineType', 'header line');
    expect(error.message).to.include('got more than 65536 bytes when reading');
  },
  RemoteDisconnected: async () => {
    const error = await failureOf('');
    expect(error).to.be.an.instanceOf(RemoteDisconnected).and.an.instanceOf(BadStatusLine);
    expect(error).to.include({ code: 'ECONNRESET', line: '' });
  },
};
