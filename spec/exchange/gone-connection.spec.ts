/**
 * Connections that go away behind the exchange's back: a close without an end is the end of no body, an idle connection that is gone or
 * talks out of turn is noticed at once, and what became of an old response touches no newer connection.
 */
import { expect } from 'chai';
import { IncompleteRead } from '../../lib/index.js';
import type { HTTPConnection } from '../../lib/index.js';
import { sleep } from '../support/expiry.js';
import { OK } from '../support/raw-server.js';
import { rejection } from '../support/rejection.js';
import { TCP, TLS, TUNNEL } from '../support/transports.js';

async function until(question: () => boolean): Promise<void> {
  for (let i = 0; i < 200 && !question(); i++) await sleep(5);
}

async function expectNextWorks(connection: HTTPConnection): Promise<void> {
  expect(connection.state).to.equal('Idle');
  await connection.request('GET', '/next');
  expect(await (await connection.getResponse()).text()).to.equal('ok');
}

for (const way of [TCP, TLS, TUNNEL]) {
  describe(`a connection that is gone over ${way.name}`, () => {
    for (const [framing, head] of [
      ['the close', 'HTTP/1.1 200 OK\r\n\r\nhalf'],
      ['a length', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf'],
      ['chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n'],
    ]) {
      it(`by somebody's socket.destroy() makes a body framed by ${String(framing)} IncompleteRead`, async () => {
        const server = await way.serve((socket, { target }) =>
          socket.write(target === '/next' ? OK : String(head)),
        );
        const connection = await way.connect(server);
        await connection.request('GET', '/');
        const response = await connection.getResponse();
        const reading = rejection<IncompleteRead>(response.readall());
        await sleep(15);
        connection.socket?.destroy();
        const error = await reading;
        expect(error).to.be.instanceOf(IncompleteRead);
        expect(error.partial.toString()).to.equal('half');
        await expectNextWorks(connection);
      });
    }

    it('by somebody’s socket.destroy() fails a request whose head is waited for', async () => {
      const server = await way.serve((socket, { target }) => target === '/next' && socket.write(OK));
      const connection = await way.connect(server);
      await connection.request('GET', '/');
      const head = rejection(connection.getResponse());
      connection.socket?.destroy();
      expect(await head).to.have.property('code', 'ECONNRESET');
      await expectNextWorks(connection);
    });

    it('by somebody’s socket.destroy(error) fails with that error', async () => {
      const server = await way.serve((socket, { target }) => target === '/next' && socket.write(OK));
      const connection = await way.connect(server);
      await connection.request('GET', '/');
      const head = rejection(connection.getResponse());
      const error = new Error('mine');
      connection.socket?.destroy(error);
      expect(await head).to.equal(error);
      await expectNextWorks(connection);
    });

    it('while idle, by somebody’s socket.destroy(), is dialled anew', async () => {
      const server = await way.serve((socket) => socket.write(OK));
      const connection = await way.connect(server);
      await connection.request('GET', '/');
      await (await connection.getResponse()).readall();
      connection.socket?.destroy();
      await expectNextWorks(connection);
      expect(server.connections).to.equal(2);
    });

    for (const [what, act] of [
      ['a FIN', (peer: import('node:net').Socket) => peer.end()],
      ['a close', (peer: import('node:net').Socket) => peer.destroy()],
      ['garbage', (peer: import('node:net').Socket) => peer.write('\r\n')],
    ] as const) {
      it(`while idle, by ${what} of the peer, is noticed then`, async () => {
        const server = await way.serve((socket) => socket.write(OK));
        const connection = await way.connect(server);
        await connection.request('GET', '/');
        await (await connection.getResponse()).readall();
        expect(connection.socket).to.not.equal(null);
        act(server.peer(0).socket);
        await until(() => connection.socket === null);
        expect(connection.socket).to.equal(null);
        await expectNextWorks(connection);
      });

      it(`while idle after connect(), by ${what} of the peer, is noticed then`, async () => {
        const server = await way.serve((socket) => socket.write(OK));
        const connection = await way.connect(server);
        await connection.connect();
        await server.until(() => server.connections === 1);
        act(server.peer(0).socket);
        await until(() => connection.socket === null);
        expect(connection.socket).to.equal(null);
        await expectNextWorks(connection);
      });
    }
  });
}

describe('an old response that is complete', () => {
  it('ends no newer connection and no dial when it is destroyed', async () => {
    const server = await TCP.serve((socket) =>
      socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok'),
    );
    const connection = await TCP.connect(server);
    await connection.request('GET', '/');
    const old = await connection.getResponse();
    await sleep(15);
    expect(connection.socket).to.equal(null);
    const connecting = connection.connect();
    old.destroy();
    await connecting;
    expect(connection.socket).to.not.equal(null);
    old.destroy();
    await sleep(5);
    expect(connection.socket).to.not.equal(null);
    await connection.request('GET', '/');
    expect(await (await connection.getResponse()).text()).to.equal('ok');
  });

  it('that was read ends nothing when it is destroyed while the next exchange runs', async () => {
    const server = await TCP.serve((socket) => setTimeout(() => socket.write(OK), 10));
    const connection = await TCP.connect(server);
    await connection.request('GET', '/');
    const old = await connection.getResponse();
    await old.readall();
    await connection.request('GET', '/second');
    old.destroy();
    old.destroy(new Error('late'));
    expect(await (await connection.getResponse()).text()).to.equal('ok');
    expect(server.connections).to.equal(1);
  });

  it('that was received and not read closes its own connection, and the next request works at once', async () => {
    const server = await TCP.serve((socket) => socket.write(OK));
    const connection = await TCP.connect(server);
    await connection.request('GET', '/');
    const old = await connection.getResponse();
    await sleep(10);
    old.destroy();
    await expectNextWorks(connection);
  });
});
