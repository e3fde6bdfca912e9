/**
 * Request and response side by side: a server that answers with success while the upload runs, and goes on reading. With bodies larger
 * than every buffer on the way it never deadlocks, as long as the response is read.
 */
import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import { expect } from 'chai';
import { CannotSendRequest } from '../../lib/index.js';
import { generatorBody, patternBytes, silentBody, streamBody } from '../support/body-sources.js';
import { OK } from '../support/raw-server.js';
import type { Peer, Script } from '../support/raw-server.js';
import { rejection } from '../support/rejection.js';
import { TCP, TLS, TUNNEL } from '../support/transports.js';

const MIB = 1_048_576;
const SIZE = 8 * MIB;

/** Sends the bytes behind the head straight back, as a body of the same length; then serves plain requests. */
function echo(length: number): Script {
  return (socket, request, peer) => {
    if (request.method === 'GET') {
      socket.write(OK);
      return;
    }
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${String(length)}\r\n\r\n`);
    let left = length;
    const back = (bytes: Buffer): void => {
      left -= bytes.length;
      // The server is as slow as its client: it reads no further than it can answer.
      if (!socket.write(bytes)) socket.pause();
      if (left === 0) socket.off('data', back).on('data', (next: Buffer) => serveGet(socket, next, peer));
    };
    const early = peer.received.subarray(request.size);
    if (early.length > 0) back(early);
    socket.on('data', back).on('drain', () => socket.resume());
  };
}

function serveGet(socket: Socket, bytes: Buffer, _peer: Peer): void {
  if (bytes.toString('latin1').startsWith('GET ')) socket.write(OK);
}

describe('full duplex', function () {
  this.timeout(30_000);

  for (const way of [TCP, TLS, TUNNEL]) {
    it(`over ${way.name} echoes a body larger than all buffers, without loss, and keeps the connection`, async () => {
      const server = await way.serve(echo(SIZE), { atHead: true });
      const connection = await way.connect(server);
      const { body, watch } = generatorBody(SIZE, 40_000);
      const sent = connection.request('POST', '/', body, { 'Content-Length': SIZE });
      const response = await connection.getResponse();
      const digest = createHash('sha1');
      for await (const piece of response) digest.update(piece);
      await sent;
      expect(watch.exhausted).to.equal(true);
      expect(digest.digest('hex')).to.equal(createHash('sha1').update(patternBytes(SIZE)).digest('hex'));
      await connection.request('GET', '/');
      expect(await (await connection.getResponse()).text()).to.equal('ok');
      expect(server.connections).to.equal(1);
    });

    it(`over ${way.name} holds the source back while the response is not read, and goes on when it is`, async () => {
      const server = await way.serve(echo(40 * MIB), { atHead: true });
      const connection = await way.connect(server);
      const { body, watch } = streamBody(40 * MIB, 65_536);
      const sent = connection.request('POST', '/', body, { 'Content-Length': 40 * MIB });
      const response = await connection.getResponse();
      for (let before = -1; before !== watch.given;) {
        before = watch.given;
        await new Promise((resolve) => setTimeout(resolve, 40));
      }
      expect(watch.given).to.be.below(32 * MIB);
      let received = 0;
      for await (const piece of response) received += piece.length;
      await sent;
      expect(received).to.equal(40 * MIB);
    });
  }

  it('goes on sending beside a 200 that is complete before the upload, and keeps the connection', async () => {
    const server = await TCP.serve(
      (socket, request, peer) => {
        if (request.method === 'GET') return;
        socket.write(OK);
        socket.on('data', () => {
          if (peer.text.endsWith('0\r\n\r\nGET /next HTTP/1.1\r\nHost: 127.0.0.1')) return;
          if (peer.text.includes('GET /next')) socket.write(OK);
        });
      },
      { atHead: true },
    );
    const connection = await TCP.connect(server);
    const gate: { open?: () => void } = {};
    const opened = new Promise<void>((resolve) => {
      gate.open = resolve;
    });
    let sentAll = false;
    async function* slow(): AsyncGenerator<string> {
      yield 'one';
      await opened;
      yield 'two';
    }
    const sent = connection.request('POST', '/', slow()).then(() => {
      sentAll = true;
    });
    const response = await connection.getResponse();
    expect(await response.text()).to.equal('ok');
    expect(sentAll).to.equal(false);
    const refusal = await rejection(connection.request('GET', '/too-early'));
    expect(refusal).to.be.instanceOf(CannotSendRequest);
    expect(refusal.message).to.include('POST /');
    gate.open?.();
    await sent;
    await server.until(({ peers }) => peers[0]?.text.endsWith('3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n') === true);
    await connection.request('GET', '/next');
    expect(await (await connection.getResponse()).text()).to.equal('ok');
    expect(server.connections).to.equal(1);
  });

  it('ends the upload when the response is destroyed: request() resolves and the source is cancelled', async () => {
    const server = await TCP.serve(
      (socket) => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nsome');
      },
      { atHead: true },
    );
    const connection = await TCP.connect(server);
    const { body, watch } = silentBody(Buffer.from('piece'));
    const sent = connection.request('POST', '/', body);
    const response = await connection.getResponse();
    response.destroy();
    await sent;
    expect(watch.cancelled).to.equal(true);
    expect(connection.state).to.equal('Idle');
    await server.peer().closed;
  });

  it('resolves request() when the peer closes right behind a complete response', async () => {
    for (const way of [TCP, TLS]) {
      const server = await way.serve(
        (socket) => {
          socket.end(OK);
        },
        { atHead: true },
      );
      for (let i = 0; i < 20; i++) {
        const connection = await way.connect(server);
        const { body } = generatorBody(300_000, 30_000);
        const [, response] = await Promise.all([
          connection.request('POST', '/', body),
          connection.getResponse(),
        ]);
        expect(await response.text()).to.equal('ok');
        connection.close();
      }
    }
  });

  it('resolves request() when the peer closes behind a complete response and the source is silent', async () => {
    const server = await TCP.serve(
      (socket) => {
        socket.end(OK);
      },
      { atHead: true },
    );
    const connection = await TCP.connect(server);
    const { body, watch } = silentBody(Buffer.from('piece'));
    const sent = connection.request('POST', '/', body);
    expect(await (await connection.getResponse()).text()).to.equal('ok');
    await sent;
    expect(watch.cancelled).to.equal(true);
  });
});
