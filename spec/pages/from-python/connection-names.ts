/**
 * The names of HTTPConnection and HTTPSConnection in http.client, each shown by what its counterpart does.
 */
import { connect } from 'node:net';
import type { LookupFunction } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { expect } from 'chai';
import {
  CannotSendRequest,
  HTTPConnection,
  HTTPResponse,
  HTTPSConnection,
  InvalidURL,
  LimitExceeded,
  NotConnected,
  TimeoutError,
  TunnelError,
} from '../../../lib/index.js';
import type { ConnectTarget } from '../../../lib/index.js';
import {
  answer,
  authority,
  identity,
  NO_CONTENT,
  OK,
  rawServer,
  rawTLSServer,
} from '../../support/raw-server.js';
import { rejection } from '../../support/rejection.js';
import { connectionTo, printedBy, received, responseOf, withBody } from './exchange.js';
import type { Showings } from './exchange.js';

const DENIED = 'HTTP/1.1 407 Proxy Authentication Required\r\nX-Proxy: p\r\nContent-Length: 0\r\n\r\n';

export const CONNECTION: Showings = {
  HTTPConnection: async () => {
    const { conn, server } = await connectionTo();
    await conn.request('GET', '/a');
    expect(await (await conn.getResponse()).text()).to.equal('ok');
    expect(server.request.line).to.equal('GET /a HTTP/1.1');
  },
  'HTTPConnection(host)': () => {
    expect([new HTTPConnection('h').host, new HTTPConnection('[::1]:8080').host]).to.deep.equal(['h', '::1']);
  },
  'HTTPConnection(port)': () => {
    const ports = [new HTTPConnection('h'), new HTTPConnection('h:8080'), new HTTPConnection('h', 81)];
    expect(ports.map(({ port }) => port)).to.deep.equal([80, 8080, 81]);
    expect(() => new HTTPConnection('h:x')).to.throw(InvalidURL, 'nonnumeric port');
  },
  'HTTPConnection(timeout)': async () => {
    const { conn } = await connectionTo('', { timeout: 200 });
    await conn.request('GET', '/');
    expect(await rejection(conn.getResponse()))
      .to.be.an.instanceOf(TimeoutError)
      .with.property('timer', 'response');
  },
  'HTTPConnection(source_address)': async () => {
    const { conn, server } = await connectionTo(OK, { sourceAddress: ['127.0.0.1', 0] });
    await conn.connect();
    // An address that this machine does not have (RFC 5737).
    const elsewhere = new HTTPConnection('127.0.0.1', server.port, { sourceAddress: '192.0.2.1' });
    expect(await rejection(elsewhere.connect())).to.have.property('code', 'EADDRNOTAVAIL');
  },
  'HTTPConnection(blocksize)': () => {
    expect(new HTTPConnection('h', null, { blocksize: 512 }).blocksize).to.equal(512);
  },
  'HTTPConnection(max_response_headers)': async () => {
    const { conn } = await connectionTo('HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\n\r\n', { limits: { fields: 1 } });
    await conn.request('GET', '/');
    expect(await rejection(conn.getResponse()))
      .to.be.an.instanceOf(LimitExceeded)
      .with.property('allowed', 1);
  },
  'request(method, url)': async () => {
    const { conn, server } = await connectionTo();
    await conn.request('OPTIONS', '*');
    await conn.getResponse();
    expect(server.request.head).to.equal(
      `OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1:${String(server.port)}\r\nAccept-Encoding: identity\r\n\r\n`,
    );
  },
  'request(body)': async () => {
    expect((await received(null)).fields).to.deep.include(['Content-Length', '0']);
    expect((await received('é')).body).to.deep.equal(Buffer.from([0xe9]));
    expect((await received(['a', '', 'bc'])).chunks?.map(String)).to.deep.equal(['a', 'bc']);
  },
  'request(headers)': async () => {
    const { fields } = await received('x', { 'X-One': '1', Host: 'other' });
    expect(fields.slice(-2)).to.deep.equal([
      ['X-One', '1'],
      ['Host', 'other'],
    ]);
  },
  'request(encode_chunked)': async () => {
    const { conn, server } = await connectionTo();
    await conn.request('POST', '/', ['ab'], { 'Transfer-Encoding': 'chunked' }, { encodeChunked: true });
    await conn.getResponse();
    expect(server.request.chunks?.map(String)).to.deep.equal(['ab']);
  },
  'getresponse()': async () => {
    const response = await responseOf(OK);
    expect(response).to.be.an.instanceOf(HTTPResponse).with.property('status', 200);
  },
  'set_debuglevel(level)': async () => {
    const { conn } = await connectionTo(withBody('x', 'A: b'));
    conn.setDebugLevel(1);
    const printed = await printedBy(async () => {
      await conn.request('GET', '/d');
      await conn.getResponse();
    });
    expect(printed.match(/^\w+: /gm)).to.deep.equal(['send: ', 'reply: ', 'header: ', 'header: ']);
    expect(printed).to.include('GET /d HTTP/1.1').and.to.include('header: A: b\n');
  },
  'set_tunnel(host, port, headers)': async () => {
    const proxy = await rawServer((socket, { method }) => {
      socket.write(method === 'CONNECT' ? 'HTTP/1.1 200 OK\r\n\r\n' : OK);
    });
    const conn = new HTTPConnection('127.0.0.1', proxy.port);
    conn.setTunnel('example.org', 8080, { 'X-A': 'b' });
    await conn.request('GET', '/in');
    expect((await conn.getResponse()).status).to.equal(200);
    expect(proxy.requests.map(({ head }) => head.split('\r\n').slice(0, 2))).to.deep.equal([
      ['CONNECT example.org:8080 HTTP/1.1', 'Host: example.org:8080'],
      ['GET /in HTTP/1.1', 'Host: example.org:8080'],
    ]);
    expect(proxy.requests[0]?.fields).to.deep.include(['X-A', 'b']);
  },
  'get_proxy_response_headers()': async () => {
    const { conn } = await connectionTo(DENIED);
    expect(conn.getProxyResponseHeaders()).to.equal(null);
    conn.setTunnel('example.org', 80);
    const error = await rejection(conn.request('GET', '/'));
    expect(error).to.be.an.instanceOf(TunnelError).with.property('status', 407);
    expect(conn.getProxyResponseHeaders()?.get('x-proxy')).to.equal('p');
  },
  'connect()': async () => {
    const { conn, server } = await connectionTo();
    expect(conn.socket).to.equal(null);
    await conn.connect();
    await server.until(({ connections }) => connections === 1);
    expect(conn.socket).not.to.equal(null);
  },
  'close()': async () => {
    const { conn, server } = await connectionTo('');
    await conn.request('GET', '/');
    const pending = rejection(conn.getResponse());
    conn.close();
    expect(await pending).to.be.an.instanceOf(NotConnected);
    await server.peer().closed;
    expect([conn.state, conn.socket]).to.deep.equal(['Idle', null]);
  },
  blocksize: () => {
    expect(new HTTPConnection('h').blocksize).to.equal(65_536);
  },
  'putrequest(method, url, skip_host, skip_accept_encoding)': async () => {
    const { conn, server } = await connectionTo();
    conn.putRequest('GET', '/x', { skipHost: true, skipAcceptEncoding: true });
    expect(() => conn.putRequest('GET', '/y')).to.throw(CannotSendRequest);
    await conn.endHeaders();
    await conn.getResponse();
    expect(server.request.head).to.equal('GET /x HTTP/1.1\r\n\r\n');
  },
  'putheader(header, argument, …)': async () => {
    const { conn, server } = await connectionTo();
    conn.putRequest('GET', '/');
    conn.putHeader('X-A', 'a', 2, Buffer.from('c'));
    await conn.endHeaders();
    await conn.getResponse();
    expect(server.request.fields).to.deep.include(['X-A', 'a, 2, c']);
  },
  'endheaders(message_body, encode_chunked)': async () => {
    const { conn, server } = await connectionTo();
    conn.putRequest('POST', '/');
    conn.putHeader('Transfer-Encoding', 'chunked');
    await conn.endHeaders(['one', 'two'], { encodeChunked: true });
    await conn.getResponse();
    expect(server.request.chunks?.map(String)).to.deep.equal(['one', 'two']);
  },
  'send(data)': async () => {
    const { conn, server } = await connectionTo();
    conn.putRequest('POST', '/');
    conn.putHeader('Content-Length', 4);
    await conn.endHeaders();
    await conn.send('ab');
    await conn.send(Buffer.from('cd'));
    await conn.getResponse();
    expect(String(server.request.body)).to.equal('abcd');
  },
  host: () => {
    expect(new HTTPConnection('h:1').host).to.equal('h');
  },
  port: () => {
    expect(new HTTPConnection('h:1').port).to.equal(1);
  },
  sock: async () => {
    const { conn } = await connectionTo();
    await conn.connect();
    expect(conn.socket?.remoteAddress).to.equal('127.0.0.1');
  },
  timeout: async () => {
    const { conn } = await connectionTo('', { timeout: 60_000 });
    await conn.request('GET', '/', null, {}, { timeout: { response: 20 } });
    expect(await rejection(conn.getResponse())).to.be.an.instanceOf(TimeoutError);
  },
  auto_open: async () => {
    const { conn, server } = await connectionTo();
    expect(conn.autoOpen).to.equal(true);
    conn.autoOpen = false;
    expect(await rejection(conn.request('GET', '/'))).to.be.an.instanceOf(NotConnected);
    expect(server.connections).to.equal(0);
  },
  default_port: () => {
    expect([HTTPConnection.defaultPort, HTTPSConnection.defaultPort]).to.deep.equal([80, 443]);
  },
  debuglevel: async () => {
    const { conn } = await connectionTo();
    expect(conn.debugLevel).to.equal(0);
    conn.setDebugLevel(2);
    expect(conn.debugLevel).to.equal(2);
  },
  response_class: async () => {
    expect(await responseOf(NO_CONTENT)).to.be.an.instanceOf(HTTPResponse);
  },
  '_validate_method, _validate_path, _validate_host': async () => {
    class Prober extends HTTPConnection {
      protected override validateMethod(): void {}
      protected override validateTarget(): void {}
      protected override validateHost(): void {}
    }
    const server = await rawServer(answer(OK));
    const conn = new Prober('127.0.0.1', server.port);
    await conn.request('G(T', '/é');
    await conn.getResponse();
    expect(server.request.line).to.equal('G(T /é HTTP/1.1');
    expect(new Prober('a b').host).to.equal('a b');
  },
  _create_connection: async () => {
    const server = await rawServer(answer(OK));
    const asked: string[] = [];
    for (const options of [
      {
        lookup: ((name, _options, callback) => {
          asked.push(name);
          callback(null, [{ address: '127.0.0.1', family: 4 }]);
        }) satisfies LookupFunction,
      },
      {
        createConnection({ host }: ConnectTarget) {
          asked.push(host);
          return connect(server.port, '127.0.0.1');
        },
      },
    ]) {
      const conn = new HTTPConnection('name.example', server.port, options);
      await conn.request('GET', '/');
      expect((await conn.getResponse()).status).to.equal(200);
      conn.close();
    }
    expect(asked).to.deep.equal(['name.example', 'name.example']);
  },
};

/** The response's status over TLS, or the error. */
async function secureStatus(options: ConstructorParameters<typeof HTTPSConnection>[2]): Promise<unknown> {
  const server = await rawTLSServer(answer(OK));
  const conn = new HTTPSConnection('localhost', server.port, options);
  try {
    await conn.request('GET', '/');
    return (await conn.getResponse()).status;
  } catch (error) {
    return (error as { code?: string }).code;
  } finally {
    conn.close();
  }
}

export const SECURE_CONNECTION: Showings = {
  HTTPSConnection: async () => {
    expect(await secureStatus({})).to.equal('UNABLE_TO_VERIFY_LEAF_SIGNATURE');
    expect(new HTTPSConnection('h').port).to.equal(443);
  },
  'HTTPSConnection(context)': async () => {
    expect(await secureStatus({ context: { ca: authority() } })).to.equal(200);
  },
  'HTTPSConnection(key_file, cert_file)': async () => {
    const shown: unknown[] = [];
    const server = await rawTLSServer(
      (socket) => {
        shown.push((socket as TLSSocket).getPeerCertificate().raw.toString('base64'));
        socket.write(OK);
      },
      { tls: { requestCert: true, rejectUnauthorized: false } },
    );
    const mine = identity('self-signed');
    const conn = new HTTPSConnection('localhost', server.port, { context: { ca: authority(), ...mine } });
    await conn.request('GET', '/');
    expect((await conn.getResponse()).status).to.equal(200);
    expect(shown).to.deep.equal([mine.cert.replaceAll(/-----[^-]+-----|\n/g, '')]);
  },
  'HTTPSConnection(check_hostname)': async () => {
    const context = { ca: authority() };
    expect(await secureStatus({ context, servername: 'wrong.example' })).to.equal(
      'ERR_TLS_CERT_ALTNAME_INVALID',
    );
    const checkServerIdentity = (): undefined => undefined;
    expect(await secureStatus({ context, servername: 'wrong.example', checkServerIdentity })).to.equal(200);
    expect(await secureStatus({ rejectUnauthorized: false })).to.equal(200);
  },
};
