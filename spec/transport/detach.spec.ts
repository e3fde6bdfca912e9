/**
 * `detach()`: after a 101, or a 2xx to CONNECT, the connection's bytes are the caller's, those behind the head first, with
 * backpressure both ways and an orderly end in each direction.
 */
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { expect } from 'chai';
import { CannotSendRequest, HTTPConnection, ImproperConnectionState } from '../../lib/index.js';
import { generatorBody, patternBytes } from '../support/body-sources.js';
import { OK } from '../support/raw-server.js';
import type { RawServer } from '../support/raw-server.js';
import { rejection } from '../support/rejection.js';
import { DUPLEX, TCP, TLS, TLS_OVER_DUPLEX, TUNNEL } from '../support/transports.js';

const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: raw\r\nConnection: Upgrade\r\n\r\n';
const UPGRADE = { Connection: 'Upgrade', Upgrade: 'raw' };
const MIB = 1_048_576;

async function upgrade(connection: HTTPConnection, method = 'GET', target = '/'): Promise<Duplex> {
  await connection.request(method, target, null, UPGRADE);
  const response = await connection.getResponse();
  expect(response.status).to.be.oneOf([101, 200]);
  expect(await response.readall()).to.have.length(0);
  return connection.detach();
}

async function readAll(stream: Duplex): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of stream) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

describe('detach()', () => {
  for (const way of [TCP, TLS, TUNNEL]) {
    it(`over ${way.name} gives the bytes glued to the 101 first, then those that follow, then the end`, async () => {
      const server = await way.serve(
        (socket) => {
          socket.write(`${SWITCH}surplus,`);
          setTimeout(() => socket.end('later'), 20);
        },
        { atHead: true },
      );
      const connection = await way.connect(server);
      const stream = await upgrade(connection);
      expect((await readAll(stream)).toString()).to.equal('surplus,later');
      stream.end();
      await server.peer().closed;
    });

    it(`over ${way.name} carries megabytes both ways at once, as fast as each side reads`, async () => {
      const size = 6 * MIB;
      const server = await way.serve(
        (socket) => {
          socket.removeAllListeners('data');
          socket.write(SWITCH);
          socket.pipe(socket);
        },
        { atHead: true },
      );
      const connection = await way.connect(server);
      const stream = await upgrade(connection);
      const [echoed] = await Promise.all([
        readAll(stream),
        pipeline(Readable.from(generatorBody(size, 50_000).body), stream, { end: true }).catch(
          () => undefined,
        ),
      ]);
      expect(echoed.equals(patternBytes(size))).to.equal(true);
    });

    it(`over ${way.name} reads no further than it is read: the peer is held back`, async () => {
      const server = await way.serve(
        (socket) => {
          socket.write(SWITCH);
          for (let i = 0; i < 64; i++) socket.write(patternBytes(MIB));
        },
        { atHead: true },
      );
      const connection = await way.connect(server);
      const stream = await upgrade(connection);
      await new Promise((resolve) => setTimeout(resolve, 200));
      expect(stream.readableLength).to.be.below(MIB);
      expect(server.peer().socket.writableLength).to.be.above(32 * MIB);
      stream.destroy();
      await server.peer().closed;
    });

    it(`over ${way.name} makes a writer wait while the peer does not read`, async () => {
      const server = await way.serve(
        (socket) => {
          socket.pause();
          socket.write(SWITCH);
        },
        { atHead: true },
      );
      const connection = await way.connect(server);
      const stream = await upgrade(connection);
      let written = 0;
      const piece = patternBytes(65_536);
      while (written < 64 * MIB && stream.write(piece)) written += piece.length;
      while (written < 64 * MIB) {
        const drained = await Promise.race([
          once(stream, 'drain').then(() => true),
          new Promise<false>((resolve) => setTimeout(resolve, 150, false)),
        ]);
        if (!drained) break;
        do written += piece.length;
        while (written < 64 * MIB && stream.write(piece));
      }
      expect(written).to.be.below(64 * MIB);
      server.peer().read();
      await once(stream, 'drain');
      stream.destroy();
    });
  }

  it('leaves the connection Idle and without a socket; the next request dials', async () => {
    const server = await TCP.serve((socket, { target }) => socket.write(target === '/' ? SWITCH : OK), {
      atHead: true,
    });
    const connection = await TCP.connect(server);
    const stream = await upgrade(connection);
    expect(connection.state).to.equal('Idle');
    expect(connection.socket).to.equal(null);
    await connection.request('GET', '/next');
    expect(await (await connection.getResponse()).text()).to.equal('ok');
    expect(server.connections).to.equal(2);
    stream.end('still open');
    await server.until(({ peers }) => peers[0]?.text.endsWith('still open') === true);
    stream.destroy();
  });

  it('refuses requests between the 101 and detach() or close()', async () => {
    const server = await TCP.serve((socket, { target }) => socket.write(target === '/' ? SWITCH : OK), {
      atHead: true,
    });
    const connection = await TCP.connect(server);
    await connection.request('GET', '/', null, UPGRADE);
    await connection.getResponse();
    const refusal = await rejection(connection.request('GET', '/'));
    expect(refusal).to.be.instanceOf(CannotSendRequest);
    expect(refusal.message).to.include('detach()');
    connection.close();
    await server.peer().closed;
    await connection.request('GET', '/next');
    expect((await connection.getResponse()).status).to.equal(200);
  });

  it('works behind a CONNECT of the caller’s own, whatever the 2xx, and its fields say', async () => {
    const server = await TCP.serve(
      (socket) => {
        socket.write('HTTP/1.1 202 Fine\r\nContent-Length: 100\r\n\r\nbanner');
      },
      { atHead: true },
    );
    const connection = await TCP.connect(server);
    await connection.request('CONNECT', 'example.test:22');
    const response = await connection.getResponse();
    expect(response.status).to.equal(202);
    const stream = connection.detach();
    expect(String((await once(stream, 'data'))[0])).to.equal('banner');
    stream.write('hello');
    await server.until(({ peers }) => peers[0]?.text.endsWith('hello') === true);
    stream.destroy();
  });

  it('is refused before a response, behind any other, behind a refused CONNECT, and a second time', async () => {
    const server = await TCP.serve((socket, { method, target }) => {
      if (method === 'CONNECT') socket.write('HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n');
      else socket.write(target === '/raw' ? SWITCH : OK);
    });
    const connection = await TCP.connect(server);
    expect(() => connection.detach()).to.throw(ImproperConnectionState);
    await connection.request('GET', '/');
    expect(() => connection.detach()).to.throw(ImproperConnectionState);
    await (await connection.getResponse()).readall();
    expect(() => connection.detach()).to.throw(ImproperConnectionState);
    await connection.request('CONNECT', 'example.test:1');
    expect((await connection.getResponse()).status).to.equal(403);
    expect(() => connection.detach()).to.throw(ImproperConnectionState);
    const stream = await upgrade(connection, 'GET', '/raw');
    expect(() => connection.detach()).to.throw(ImproperConnectionState);
    stream.destroy();
  });

  it('can be called late: what came meanwhile, the end included, is not lost', async () => {
    const server = await TCP.serve(
      (socket) => {
        socket.write(`${SWITCH}one,`);
        setTimeout(() => socket.end('two'), 10);
      },
      { atHead: true },
    );
    const connection = await TCP.connect(server);
    await connection.request('GET', '/', null, UPGRADE);
    await connection.getResponse();
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect((await readAll(connection.detach())).toString()).to.equal('one,two');
  });

  it('ends each direction by itself: the peer’s end leaves the writing side open', async () => {
    const server = await halfOpenServer();
    const connection = await TCP.connect(server);
    const stream = await upgrade(connection);
    expect((await readAllKeepingOpen(stream)).toString()).to.equal('bye');
    const closed = once(stream, 'close');
    stream.end('and to you');
    await server.until(({ peers }) => peers[0]?.text.endsWith('and to you') === true);
    await closed;
  });

  it('fails the stream with the socket’s error when the peer resets', async () => {
    const server = await TCP.serve(
      (socket) => {
        socket.write(SWITCH);
        setTimeout(() => socket.resetAndDestroy(), 20);
      },
      { atHead: true },
    );
    const connection = await TCP.connect(server);
    const stream = await upgrade(connection);
    expect(await rejection(readAll(stream))).to.have.property('code', 'ECONNRESET');
  });

  for (const way of [TCP, TLS, TUNNEL, DUPLEX, TLS_OVER_DUPLEX]) {
    it(`over ${way.name} reports bytes that cannot arrive: a pipeline into a peer that has gone rejects`, async () => {
      const server = await way.serve(
        (socket) => {
          socket.pause();
          socket.write(SWITCH);
          setTimeout(() => socket.destroy(), 30);
        },
        { atHead: true },
      );
      const connection = await way.connect(server);
      const stream = await upgrade(connection);
      const error = await rejection<NodeJS.ErrnoException>(
        pipeline(Readable.from(generatorBody(Infinity, 50_000).body), stream),
      );
      expect(error.code).to.be.oneOf(['EPIPE', 'ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE']);
      expect(stream.destroyed).to.equal(true);
    });

    it(`over ${way.name} reports a single write behind the peer's close`, async () => {
      const server = await way.serve(
        (socket) => {
          socket.write(SWITCH, () => socket.destroy());
        },
        { atHead: true },
      );
      const connection = await way.connect(server);
      const stream = await upgrade(connection);
      const closed = new Promise<Error | undefined>((resolve) => {
        let failure: Error | undefined;
        stream.on('error', (error) => {
          failure = error;
        });
        stream.once('close', () => resolve(failure));
      });
      stream.resume();
      // TCP's reset comes behind the first write, which the kernel takes.
      const writing = setInterval(() => stream.write('anyone there?'), 10);
      const late = setTimeout(() => stream.destroy(), 2000);
      const failure = await closed;
      clearInterval(writing);
      clearTimeout(late);
      if (way !== DUPLEX && way !== TLS_OVER_DUPLEX) expect(failure).to.be.instanceOf(Error);
    });
  }

  it('takes the signal and the clocks off: neither ends the detached stream', async () => {
    const server = await TCP.serve(
      (socket) => {
        socket.write(SWITCH);
      },
      { atHead: true },
    );
    const connection = await TCP.connect(server);
    const controller = new AbortController();
    await connection.request('GET', '/', null, UPGRADE, {
      signal: controller.signal,
      timeout: { response: 40, body: 40, total: 40 },
    });
    await connection.getResponse();
    const stream = connection.detach();
    controller.abort();
    await new Promise((resolve) => setTimeout(resolve, 80));
    expect(stream.destroyed).to.equal(false);
    stream.destroy();
  });

  it('cancels the body of a request that was answered with 101', async () => {
    const server = await TCP.serve(
      (socket) => {
        socket.write(SWITCH);
      },
      { atHead: true },
    );
    const connection = await TCP.connect(server);
    const { body, watch } = generatorBody(Infinity);
    await connection.request('POST', '/', body, UPGRADE);
    expect((await connection.getResponse()).status).to.equal(101);
    expect(watch.cancelled).to.equal(true);
    connection.detach().destroy();
  });
});

/** Says goodbye and ends its side, but goes on reading. */
function halfOpenServer(): Promise<RawServer> {
  return TCP.serve(
    (socket) => {
      socket.allowHalfOpen = true;
      socket.end(`${SWITCH}bye`);
    },
    { atHead: true },
  );
}

async function readAllKeepingOpen(stream: Duplex): Promise<Buffer> {
  const pieces: Buffer[] = [];
  stream.on('data', (piece: Buffer) => pieces.push(piece));
  await once(stream, 'end');
  return Buffer.concat(pieces);
}
