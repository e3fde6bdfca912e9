/**
 * A connection as it is made, when it is used again, when it is let go, and what becomes of what was pending.
 */

import * as net from 'node:net';

import { expect } from 'chai';

import { HTTPConnection, HTTPSConnection } from '../../lib/index.js';
import type { HTTPResponse } from '../../lib/index.js';
import { answer, connectionTo, NO_CONTENT, OK, rawServer } from '../support/raw-server.js';
import { rejection } from '../support/rejection.js';

async function get(conn: HTTPConnection, url = '/'): Promise<HTTPResponse> {
  await conn.request('GET', url);
  const response = await conn.getResponse();
  await response.readall();
  return response;
}

/** Waits for what the event loop has still to deliver. */
async function until(question: () => boolean): Promise<void> {
  while (!question()) await new Promise((resolve) => setTimeout(resolve, 2));
}
describe('a new connection', () => {
  it('has the settings it was made with, and has dialled nothing', async () => {
    const server = await rawServer(answer(OK));
    const conn = new HTTPConnection(`127.0.0.1:${String(server.port)}`, null, { blocksize: 1000 });
    expect(conn).to.include({
      host: '127.0.0.1',
      port: server.port,
      blocksize: 1000,
      state: 'Idle',
      socket: null,
    });
    await new Promise(setImmediate);
    expect(server.connections).to.equal(0);
  });

  const TABLE: { name: string; make: () => HTTPConnection; expect: Partial<HTTPConnection> }[] = [
    {
      name: 'a name',
      make: () => new HTTPConnection('example.org'),
      expect: { host: 'example.org', port: 80 },
    },
    { name: 'a name and a port', make: () => new HTTPConnection('example.org', 81), expect: { port: 81 } },
    {
      name: 'a port in the text',
      make: () => new HTTPConnection('[::1]:82'),
      expect: { host: '::1', port: 82 },
    },
    { name: 'a bare IPv6 address', make: () => new HTTPConnection('::1'), expect: { host: '::1', port: 80 } },
    { name: 'null for the port', make: () => new HTTPConnection('h:83', null), expect: { port: 83 } },
    { name: 'TLS', make: () => new HTTPSConnection('example.org'), expect: { port: 443 } },
    {
      name: 'no options',
      make: () => new HTTPConnection('h'),
      expect: { blocksize: 65_536, debugLevel: 0, autoOpen: true },
    },
  ];
  for (const { name, make, expect: expected } of TABLE) {
    it(`understands ${name}`, () => {
      expect(make()).to.include(expected);
    });
  }
});
describe('an open connection', () => {
  const KEPT: [name: string, wire: string][] = [
    ['a length', OK],
    ['chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'],
    ['no body', NO_CONTENT],
    ['HTTP/1.0 and keep-alive', 'HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nok'],
  ];
  for (const [name, wire] of KEPT) {
    it(`is used again after a response with ${name}`, async () => {
      const server = await rawServer(answer(wire));
      const conn = connectionTo(server);
      for (let i = 0; i < 3; i++) await get(conn, `/${String(i)}`);
      expect(server.requests.map(({ target }) => target)).to.deep.equal(['/0', '/1', '/2']);
      expect(server.connections).to.equal(1);
    });
  }

  const CLOSED: [name: string, wire: string][] = [
    ['Connection: close', 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok'],
    ['close among other options', 'HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 2\r\n\r\nok'],
    ['HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok'],
    ['surplus bytes', `${OK}\r\n`],
  ];
  for (const [name, wire] of CLOSED) {
    it(`is let go after a response with ${name}, and the next request dials again`, async () => {
      const server = await rawServer(answer(wire));
      const conn = connectionTo(server);
      await conn.request('GET', '/');
      const response = await conn.getResponse();
      // Not when it has been read: when it has been received.
      await until(() => conn.socket === null);
      expect(String(await response.readall())).to.equal('ok');
      await get(conn);
      expect(server.connections).to.equal(2);
    });
  }

  it('is let go when the caller asked for it', async () => {
    const server = await rawServer(answer(OK));
    const conn = connectionTo(server);
    await conn.request('GET', '/', null, { connection: 'x, Close' });
    await (await conn.getResponse()).readall();
    expect(conn.socket).to.equal(null);
    await get(conn);
    expect(server.connections).to.equal(2);
  });

  for (const [name, wire] of [
    ['a CRLF', '\r\n'],
    ['a whole response', OK],
    ['one byte', 'x'],
  ] as const) {
    it(`is closed by ${name} that answers nothing`, async () => {
      const server = await rawServer(answer(OK));
      const conn = connectionTo(server);
      await get(conn);
      server.peer().socket.write(wire);
      await until(() => conn.socket === null);
      expect((await get(conn)).status).to.equal(200);
      expect(server.connections).to.equal(2);
    });

    it(`is not used for a request behind ${name} that is still in the kernel`, async () => {
      let second = false;
      const server = await rawServer((socket) => {
        socket.write(OK);
        if (!second) {
          second = true;
          setImmediate(() => socket.write(wire));
        }
      });
      const conn = connectionTo(server);
      await get(conn);
      // The event loop stands still while the bytes arrive.
      await until(() => second);
      await new Promise(setImmediate);
      const response = await get(conn, '/second');
      expect(response.status).to.equal(200);
      expect(server.connections).to.equal(2);
    });
  }

  it('is seen closing by its peer while it is idle, not by the next request', async () => {
    const server = await rawServer(answer(OK));
    const conn = connectionTo(server);
    await get(conn);
    server.peer().socket.end();
    await until(() => conn.socket === null);
    expect((await get(conn)).status).to.equal(200);
    expect(server.connections).to.equal(2);
  });

  for (const [name, end] of [
    ['closed', (socket: net.Socket) => socket.end()],
    ['reset', (socket: net.Socket) => socket.resetAndDestroy()],
  ] as const) {
    it(`is not used when the peer ${name} it a moment before the request`, async () => {
      const server = await rawServer(answer(OK));
      const conn = connectionTo(server);
      for (let i = 0; i < 10; i++) {
        await get(conn);
        end(server.peer(i).socket);
        expect((await get(conn)).status).to.equal(200);
        expect(server.connections).to.equal(i + 2);
        await get(conn);
      }
    });
  }
});
describe('close()', () => {
  it('rejects the request that waits for a connection', async () => {
    const lookup: net.LookupFunction = () => undefined;
    const conn = new HTTPConnection('service.example', 80, { lookup });
    const sent = rejection(conn.request('GET', '/'));
    const response = rejection(conn.getResponse());
    conn.close();
    expect((await sent).name).to.equal('NotConnected');
    expect(await response).to.equal(await sent);
    expect(conn.state).to.equal('Idle');
  });

  it('rejects connect()', async () => {
    const conn = new HTTPConnection('service.example', 80, { lookup: () => undefined });
    const opened = rejection(conn.connect());
    conn.close();
    expect((await opened).name).to.equal('NotConnected');
  });

  it('rejects getResponse', async () => {
    const server = await rawServer(() => undefined);
    const conn = connectionTo(server);
    await conn.request('GET', '/');
    const response = rejection(conn.getResponse());
    conn.close();
    expect(await response).to.include({ name: 'NotConnected', method: 'GET', url: '/' });
    await server.until(() => server.connections === 1);
    await server.peer().closed;
  });

  it('destroys a response whose body is unfinished with IncompleteRead', async () => {
    const server = await rawServer(answer('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123'));
    const conn = connectionTo(server);
    await conn.request('GET', '/');
    const response = await conn.getResponse();
    expect(String(await response.readbytes(2))).to.equal('01');
    const rest = rejection(response.readall());
    conn.close();
    expect(await rest).to.include({ name: 'IncompleteRead' });
    expect([conn.state, conn.socket]).to.deep.equal(['Idle', null]);
  });

  it('leaves a response alone whose body was received', async () => {
    const server = await rawServer(answer(OK));
    const conn = connectionTo(server);
    await conn.request('GET', '/');
    const response = await conn.getResponse();
    await response.peek();
    conn.close();
    expect(String(await response.readall())).to.equal('ok');
  });

  it('forgets what was put, and its fields are in no later request', async () => {
    const server = await rawServer(answer(OK));
    const conn = connectionTo(server);
    conn.putRequest('PUT', '/stale');
    conn.putHeader('X-Stale', '1');
    conn.close();
    await get(conn, '/fresh');
    expect(server.peer().text).not.to.match(/stale/i);
  });

  it('may be called any number of times, in any state, from inside a listener', async () => {
    const server = await rawServer(answer('HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n0123'));
    const conn = connectionTo(server);
    conn.close();
    conn.close();
    await conn.request('GET', '/');
    const response = await conn.getResponse();
    const failed = new Promise<Error>((resolve) => response.once('error', resolve));
    response.once('data', () => {
      conn.close();
      conn.close();
    });
    expect((await failed).name).to.equal('IncompleteRead');
    expect(conn.state).to.equal('Idle');
  });

  it('is what disposal does, both ways', async () => {
    const server = await rawServer(answer(OK));
    for (const way of [Symbol.dispose, Symbol.asyncDispose] as const) {
      const conn = connectionTo(server);
      await get(conn);
      expect(conn.socket).not.to.equal(null);
      await conn[way]();
      expect([conn.state, conn.socket]).to.deep.equal(['Idle', null]);
    }
  });
});
describe('a tunnel set on a connection', () => {
  it('is refused once it is open or being opened, and taken after close()', async () => {
    const server = await rawServer(answer(OK));
    const conn = connectionTo(server);
    const opened = conn.connect();
    expect(() => conn.setTunnel('h'))
      .to.throw()
      .with.property('name', 'ImproperConnectionState');
    await opened;
    expect(() => conn.setTunnel('h'))
      .to.throw()
      .with.property('name', 'ImproperConnectionState');
    conn.close();
    conn.setTunnel('h');
  });

  it('has no answer of a proxy to show before one came', () => {
    const conn = new HTTPConnection('h');
    expect(conn.getProxyResponseHeaders()).to.equal(null);
    conn.setTunnel('origin.example');
    expect(conn.getProxyResponseHeaders()).to.equal(null);
  });
});
