/**
 * How a connection is opened: when, once for all who wait, from and to which address, and what a failure leaves behind.
 */

import * as net from 'node:net';

import { expect } from 'chai';

import { HTTPConnection } from '../../lib/index.js';
import type { HTTPResponse } from '../../lib/index.js';
import { answer, connectionTo, freePath, OK, rawServer } from '../support/raw-server.js';
import { fieldOf } from '../support/received-request.js';
import { rejection } from '../support/rejection.js';

async function get(conn: HTTPConnection, url = '/'): Promise<HTTPResponse> {
  await conn.request('GET', url);
  const response = await conn.getResponse();
  await response.readall();
  return response;
}

describe('opening a connection', () => {
  it('connect() opens it, a request then uses it, and a second connect() does nothing', async () => {
    const server = await rawServer(answer(OK));
    const conn = connectionTo(server);
    await conn.connect();
    await conn.connect();
    expect(conn.socket).to.be.instanceOf(net.Socket);
    expect(conn.socket?.remotePort).to.equal(server.port);
    await get(conn);
    expect(server.connections).to.equal(1);
  });

  it('is done once for all who wait for it', async () => {
    const server = await rawServer(answer(OK));
    const conn = connectionTo(server);
    const opened = [conn.connect(), conn.connect()];
    const response = get(conn);
    await Promise.all([...opened, response, conn.connect()]);
    expect(server.connections).to.equal(1);
  });

  it('is done by send() in Idle, once for several', async () => {
    const server = await rawServer(() => undefined);
    const conn = connectionTo(server);
    await Promise.all([conn.send('ab'), conn.send('cd')]);
    await server.until(() => server.peers[0]?.text.length === 4);
    expect([conn.state, server.connections, server.peer().text]).to.deep.equal(['Idle', 1, 'abcd']);
  });

  it('has small writes go out at once (TCP_NODELAY)', async () => {
    const server = await rawServer(answer(OK));
    const conn = connectionTo(server);
    await conn.connect();
    // Node shows the setting nowhere else.
    const socket = conn.socket as net.Socket & Record<symbol, unknown>;
    const flag = Object.getOwnPropertySymbols(socket).find(
      ({ description }) => description === 'kSetNoDelay',
    );
    expect(flag === undefined ? undefined : socket[flag]).to.equal(true);
  });

  // Where the loopback interface has more than one address.
  const OTHER = process.platform === 'darwin' ? '127.0.0.1' : '127.0.0.2';

  it('may be from a given address', async () => {
    const server = await rawServer(answer(OK));
    await get(connectionTo(server, { sourceAddress: OTHER }));
    expect(server.peer().socket.remoteAddress).to.equal(OTHER);
  });

  it('may be from a given address and port', async () => {
    const server = await rawServer(answer(OK));
    const free = await rawServer(() => undefined, { host: OTHER });
    const { port } = free;
    await free.close();
    await get(connectionTo(server, { sourceAddress: [OTHER, port] }));
    const { remoteAddress, remotePort } = server.peer().socket;
    expect([remoteAddress, remotePort]).to.deep.equal([OTHER, port]);
  });

  it('rejects for an address to dial from that is none', async () => {
    const server = await rawServer(answer(OK));
    const conn = connectionTo(server, { sourceAddress: 'nowhere' });
    const error = await rejection(conn.request('GET', '/'));
    expect(error.message).to.contain('nowhere');
    expect(conn.state).to.equal('Idle');
  });

  it('may be to a Unix domain socket, while host names the Host field', async () => {
    const socketPath = freePath();
    const server = await rawServer(answer(OK), { path: socketPath });
    const conn = new HTTPConnection('daemon.example', 8080, { socketPath });
    await get(conn);
    expect(fieldOf(server.request, 'Host')).to.equal('daemon.example:8080');
  });

  it('rejects with the error of the socket where there is no such path', async () => {
    const conn = new HTTPConnection('h', 80, { socketPath: freePath() });
    const error = await rejection(conn.request('GET', '/x'));
    expect(error).to.include({ code: 'ENOENT', method: 'GET', url: '/x', phase: 'connect' });
    expect(conn.state).to.equal('Idle');
  });

  it('asks the given lookup for every address of the name', async () => {
    const server = await rawServer(answer(OK));
    const asked: unknown[] = [];
    const conn = new HTTPConnection('service.example', server.port, {
      lookup: (host, options, done) => {
        asked.push(host, options.all);
        setImmediate(done, null, [{ address: '127.0.0.1', family: 4 }]);
      },
    });
    await get(conn);
    expect(asked).to.deep.equal(['service.example', true]);
  });

  it('takes a single address from a lookup of the older form', async () => {
    const server = await rawServer(answer(OK));
    const lookup: net.LookupFunction = (_host, _options, done) => done(null, '127.0.0.1', 4);
    await get(new HTTPConnection('service.example', server.port, { lookup }));
    expect(server.connections).to.equal(1);
  });

  it('asks a lookup for the ASCII form of a name, and for no address', async () => {
    const server = await rawServer(answer(OK));
    const asked: string[] = [];
    const lookup: net.LookupFunction = (host, _options, done) => {
      asked.push(host);
      done(null, [{ address: '127.0.0.1', family: 4 }]);
    };
    await get(new HTTPConnection('b\xfccher.example', server.port, { lookup }));
    await get(new HTTPConnection('127.0.0.1', server.port, { lookup }));
    expect(asked).to.deep.equal(['xn--bcher-kva.example']);
  });

  const FAILING: { name: string; lookup: net.LookupFunction; code: string }[] = [
    {
      name: 'fails',
      lookup: (_host, _options, done) =>
        done(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' }), ''),
      code: 'ENOTFOUND',
    },
    { name: 'finds nothing', lookup: (_host, _options, done) => done(null, []), code: 'ENOTFOUND' },
  ];
  for (const { name, lookup, code } of FAILING) {
    it(`rejects when a lookup ${name}, and the next request asks again`, async () => {
      const conn = new HTTPConnection('service.example', 80, { lookup });
      for (let i = 0; i < 2; i++)
        expect(await rejection(conn.request('GET', '/'))).to.include({ code, phase: 'connect' });
      expect(conn.state).to.equal('Idle');
    });
  }

  it('goes on to the next address when one refuses', async () => {
    const server = await rawServer(answer(OK));
    const lookup: net.LookupFunction = (_host, _options, done) =>
      done(null, [
        { address: '::1', family: 6 },
        { address: '127.0.0.1', family: 4 },
      ]);
    const response = await get(new HTTPConnection('service.example', server.port, { lookup }));
    expect(response.status).to.equal(200);
  });

  it('reports a refused connection with the code of the socket, and the next request just works', async () => {
    const server = await rawServer(answer(OK));
    const conn = connectionTo(server);
    const { port } = server;
    await server.close();
    for (const attempt of [() => conn.connect(), () => conn.request('GET', '/')])
      expect(await rejection(attempt())).to.include({ code: 'ECONNREFUSED', phase: 'connect', bytesSent: 0 });
    expect([conn.state, conn.socket]).to.deep.equal(['Idle', null]);
    const later = net.createServer((socket) => socket.end(OK)).listen(port, '127.0.0.1');
    await new Promise((resolve) => later.once('listening', resolve));
    try {
      expect((await get(conn)).status).to.equal(200);
    } finally {
      later.close();
    }
  });

  it('is not done by itself when autoOpen is false', async () => {
    const server = await rawServer(answer(OK));
    const conn = connectionTo(server);
    conn.autoOpen = false;
    for (const attempt of [() => conn.request('GET', '/'), () => conn.send('x')])
      expect((await rejection(attempt())).name).to.equal('NotConnected');
    expect([conn.state, server.connections]).to.deep.equal(['Idle', 0]);
    await conn.connect();
    expect((await get(conn)).status).to.equal(200);
  });

  it('has no timeout, and the default one of the class when it has', async () => {
    class Hasty extends HTTPConnection {
      static override defaultTimeout = 30;
    }
    const server = await rawServer(() => undefined);
    const conn = new Hasty('127.0.0.1', server.port);
    await conn.request('GET', '/');
    expect(await rejection(conn.getResponse())).to.include({ name: 'TimeoutError', timer: 'response' });
    const patient = new Hasty('127.0.0.1', server.port, { timeout: null });
    await patient.request('GET', '/');
    const answered = rejection(patient.getResponse());
    await new Promise((resolve) => setTimeout(resolve, 60));
    patient.close();
    expect((await answered).name).to.equal('NotConnected');
  });
});
