/**
 * Between two requests on one connection: what has arrived is seen before the next request is written, bytes that answer no request
 * close the connection, and a connection that dies under a request says that it was a reused one.
 */
import type { Socket } from 'node:net';
import { expect } from 'chai';
import type { HTTPConnection } from '../../lib/index.js';
import { generatorBody } from '../support/body-sources.js';
import { OK, answer } from '../support/raw-server.js';
import type { Peer, RawServer } from '../support/raw-server.js';
import { rejection } from '../support/rejection.js';
import { TCP, TLS, TUNNEL } from '../support/transports.js';

const FORGED = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged';

async function get(connection: HTTPConnection, target = '/'): Promise<string> {
  await connection.request('GET', target);
  return (await connection.getResponse()).text();
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Keeps the event loop from turning. What the peer sends meanwhile stays in the kernel. */
function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

describe('keep-alive', () => {
  for (const way of [TCP, TLS, TUNNEL]) {
    it(`over ${way.name} uses one connection for request after request, with and without bodies`, async () => {
      const server = await way.serve(answer(OK));
      const connection = await way.connect(server);
      for (let i = 0; i < 10; i++) {
        expect(await get(connection)).to.equal('ok');
        await connection.request('POST', '/', generatorBody(100_000).body);
        expect(await (await connection.getResponse()).text()).to.equal('ok');
      }
      expect(server.connections).to.equal(1);
    });

    const endings: Record<string, (socket: Socket) => void> = {
      'a FIN': (socket) => socket.end(),
      'a close': (socket) => socket.destroy(),
      'a reset': (socket) => socket.resetAndDestroy(),
    };
    for (const [name, end] of Object.entries(endings)) {
      // A TLSSocket has no reset of its own: Node refuses to send one there.
      if (way !== TCP && name === 'a reset') continue;
      it(`over ${way.name} sees ${name} behind each reply before the next request goes out, 60 of 60`, async () => {
        const server = await way.serve((socket) => {
          socket.write(OK, () => end(socket));
        });
        const connection = await way.connect(server);
        for (let i = 0; i < 60; i++) {
          expect(await get(connection)).to.equal('ok');
          // The server is in this process: it closes as its own callbacks run, so the close is on its way only now.
          await server.peer(i).closed;
        }
        expect(server.connections).to.equal(60);
      });
    }
  }

  it('notices the close of an idle connection when it comes, not with the next request', async () => {
    const server = await TCP.serve((socket) => {
      socket.write(OK);
      setTimeout(() => socket.end(), 20);
    });
    const connection = await TCP.connect(server);
    await get(connection);
    expect(connection.socket).not.to.equal(null);
    await server.peer().closed;
    expect(connection.socket).to.equal(null);
  });

  const strays: Record<string, string> = { 'a forged response': FORGED, 'a CRLF': '\r\n', 'one byte': 'H' };
  for (const way of [TCP, TLS]) {
    for (const [name, stray] of Object.entries(strays)) {
      it(`over ${way.name} closes an idle connection on ${name}`, async () => {
        const server = await way.serve((socket, request, peer) => {
          socket.write(OK);
          if (peer.requests.length === 1 && server.connections === 1)
            setTimeout(() => socket.write(stray), 10);
          void request;
        });
        const connection = await way.connect(server);
        await get(connection);
        await server.peer().closed;
        expect(connection.socket).to.equal(null);
        expect(await get(connection)).to.equal('ok');
        expect(server.connections).to.equal(2);
      });

      it(`over ${way.name} never reads ${name} that is glued behind a reply as an answer`, async () => {
        const server = await way.serve((socket) =>
          socket.write(OK + (server.connections === 1 ? stray : '')),
        );
        const connection = await way.connect(server);
        for (let i = 0; i < 3; i++) expect(await get(connection)).to.equal('ok');
        expect(server.connections).to.equal(2);
      });

      it(`over ${way.name} sees ${name} that arrived while the event loop was blocked before the next request`, async () => {
        for (let i = 0; i < 10; i++) {
          const server = await way.serve((socket) => socket.write(OK));
          const connection = await way.connect(server);
          await get(connection);
          await strayWhileBlocked(server, server.peer(), stray);
          expect(await get(connection)).to.equal('ok');
          expect(server.connections).to.equal(2);
        }
      });
    }
  }

  it('asks on a new connection at once from inside the last response, whatever is glued behind it', async () => {
    const server = await TCP.serve((socket) => socket.write(OK + (server.connections === 1 ? FORGED : '')));
    const connection = await TCP.connect(server);
    await connection.request('GET', '/');
    const response = await connection.getResponse();
    const second = new Promise<string>((resolve, reject) => {
      response.once('data', () => {
        void get(connection).then(resolve, reject);
      });
    });
    expect(await second).to.equal('ok');
    expect(server.connections).to.equal(2);
  });

  for (const way of [TCP, TLS]) {
    it(`over ${way.name} says reused: true when a reused connection dies with nothing received`, async () => {
      const server = await way.serve((socket, { target }) => {
        if (target === '/') socket.write(OK);
        else socket.destroy();
      });
      const connection = await way.connect(server);
      await get(connection);
      await connection.request('GET', '/dies');
      const error = await rejection(connection.getResponse());
      expect(error).to.include({ code: 'ECONNRESET', reused: true, bytesReceived: 0, url: '/dies' });
      expect(error.message).to.include('reused connection');
      await connection.request('GET', '/dies');
      expect(await rejection(connection.getResponse())).to.include({ code: 'ECONNRESET', reused: false });
    });
  }

  it('is not kept for a body that was sent only in part, a destroyed response, or Connection: close', async () => {
    const big = `HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n${'x'.repeat(50_000)}`;
    const server = await TCP.serve((socket, { target }) => {
      if (target === '/big') socket.write(big);
      else if (target === '/close')
        socket.write('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok');
      else socket.write(OK);
    });
    const connection = await TCP.connect(server);
    await connection.request('GET', '/big');
    (await connection.getResponse()).destroy();
    await server.peer(0).closed;
    expect(await get(connection, '/close')).to.equal('ok');
    await server.peer(1).closed;
    await connection.request('GET', '/', null, { Connection: 'close' });
    expect(await (await connection.getResponse()).text()).to.equal('ok');
    await server.peer(2).closed;
    expect(await get(connection)).to.equal('ok');
    expect(server.connections).to.equal(4);
  });

  it('goes on after a response without a body, read or not', async () => {
    const server = await TCP.serve(answer('HTTP/1.1 204 No Content\r\n\r\n'));
    const connection = await TCP.connect(server);
    for (let i = 0; i < 3; i++) {
      await connection.request('GET', '/');
      await connection.getResponse();
    }
    expect(server.connections).to.equal(1);
  });

  it('resumes reading for the next response when the last was paused at its end', async () => {
    const body = 'x'.repeat(300_000);
    const server = await TCP.serve(answer(`HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n${body}`));
    const connection = await TCP.connect(server);
    for (let i = 0; i < 5; i++) {
      await connection.request('GET', '/');
      const response = await connection.getResponse();
      await turn();
      response.pause();
      await turn();
      expect(await response.text()).to.equal(body);
    }
    expect(server.connections).to.equal(1);
  });
});

/** Has the peer write while this process cannot read: a timer's callback writes, then nothing turns until the next request. */
async function strayWhileBlocked(server: RawServer, peer: Peer, stray: string): Promise<void> {
  await new Promise<void>((resolve) => {
    setTimeout(() => {
      peer.socket.write(stray);
      block(5);
      resolve();
    }, 1);
  });
  expect(server.connections).to.equal(1);
}
