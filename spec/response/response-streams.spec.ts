/**
 * Responses in Node's stream plumbing, over real sockets: pipes, pipelines, web streams, sinks that fail, readers that pause.
 */
import { expect } from 'chai';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { PassThrough, Readable, Transform, Writable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';

import type { HTTPConnection } from '../../lib/connection/connection.js';
import type { HTTPResponse } from '../../lib/response/response.js';
import { connectionTo, OK, rawServer } from '../support/raw-server.js';
import type { RawServer } from '../support/raw-server.js';
import { rejection } from '../support/rejection.js';

const BODY = Buffer.from(Array.from({ length: 200_000 }, (_, i) => (i * 7 + (i >> 8)) & 0xff));
const HEAD = `HTTP/1.1 200 OK\r\nContent-Length: ${String(BODY.length)}\r\n\r\n`;

/** `/ok` answers with a small body, `/chunked` and all others with the large one. */
function bodyServer(): Promise<RawServer> {
  return rawServer((socket, { target }) => {
    if (target === '/ok') {
      socket.write(OK);
    } else if (target === '/chunked') {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
      for (let at = 0; at < BODY.length; at += 30_000) {
        const chunk = BODY.subarray(at, at + 30_000);
        socket.write(`${chunk.length.toString(16)}\r\n`);
        socket.write(chunk);
        socket.write('\r\n');
      }
      socket.write('0\r\nX-Sum: 1\r\n\r\n');
    } else {
      socket.write(HEAD);
      socket.write(BODY);
    }
  });
}

interface Sink extends Writable {
  readonly pieces: Buffer[];
}

function sinkOf(write?: (bytes: Buffer, done: (error?: Error | null) => void) => void): Sink {
  const pieces: Buffer[] = [];
  const sink = new Writable({
    highWaterMark: 1024,
    write(bytes: Buffer, _encoding, done) {
      pieces.push(bytes);
      if (write === undefined) done();
      else write(bytes, done);
    },
  });
  return Object.assign(sink, { pieces });
}

async function get(connection: HTTPConnection, target: string): Promise<HTTPResponse> {
  await connection.request('GET', target);
  return connection.getResponse();
}

async function expectReusable(server: RawServer, connection: HTTPConnection): Promise<void> {
  const response = await get(connection, '/ok');
  expect(await response.text()).to.equal('ok');
  expect(server.connections).to.equal(1);
  connection.close();
}

describe('a response', () => {
  for (const target of ['/length', '/chunked']) {
    it(`goes through pipeline into a slow sink, whole, and its connection is used again: ${target}`, async () => {
      const server = await bodyServer();
      const connection = connectionTo(server);
      const sink = sinkOf((_bytes, done) => setImmediate(done));
      const response = await get(connection, target);
      await pipeline(response, sink);
      expect(Buffer.concat(sink.pieces).equals(BODY)).to.equal(true);
      expect(response.trailers.get('x-sum')).to.equal(target === '/chunked' ? '1' : null);
      await expectReusable(server, connection);
    });

    it(`goes through pipe, behind what was read and peeked before: ${target}`, async () => {
      const server = await bodyServer();
      const connection = connectionTo(server);
      const response = await get(connection, target);
      const head = await response.readbytes(10);
      expect((await response.peek(5)).equals(BODY.subarray(10, 15))).to.equal(true);
      const sink = sinkOf();
      response.pipe(sink);
      await once(sink, 'finish');
      expect(Buffer.concat([head, ...sink.pieces]).equals(BODY)).to.equal(true);
      await expectReusable(server, connection);
    });

    it(`is a web stream by Readable.toWeb: ${target}`, async () => {
      const server = await bodyServer();
      const connection = connectionTo(server);
      const pieces: Buffer[] = [];
      for await (const piece of Readable.toWeb(await get(connection, target)))
        pieces.push(Buffer.from(piece as Uint8Array));
      expect(Buffer.concat(pieces).equals(BODY)).to.equal(true);
      await expectReusable(server, connection);
    });

    it(`survives a storm of pause() and resume(): ${target}`, async () => {
      const server = await bodyServer();
      const connection = connectionTo(server);
      const response = await get(connection, target);
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => {
        pieces.push(piece);
        response.pause();
        response.resume();
        response.pause();
        if (pieces.length % 2 === 0) setImmediate(() => response.resume());
        else queueMicrotask(() => response.resume());
      });
      await once(response, 'end');
      expect(Buffer.concat(pieces).equals(BODY)).to.equal(true);
      await expectReusable(server, connection);
    });

    it(`is read by 'readable' and read(n): ${target}`, async () => {
      const server = await bodyServer();
      for (const size of [1000, 100_000, 300_000]) {
        const connection = connectionTo(server);
        const response = await get(connection, target);
        const pieces: Buffer[] = [];
        response.on('readable', () => {
          for (let piece = response.read(size); piece !== null; piece = response.read(size))
            pieces.push(piece);
        });
        await once(response, 'end');
        expect(Buffer.concat(pieces).equals(BODY), String(size)).to.equal(true);
        expect(pieces.slice(0, -1).every(({ length }) => length === size)).to.equal(true);
        connection.close();
      }
    });
  }

  it('is decoded by setEncoding, in a pipe of strings too', async () => {
    const text = 'é€𝄞\n'.repeat(20_000);
    const server = await rawServer((socket) => {
      const bytes = Buffer.from(text);
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${String(bytes.length)}\r\n\r\n`);
      for (let at = 0; at < bytes.length; at += 9999) socket.write(bytes.subarray(at, at + 9999));
    });
    const connection = connectionTo(server);
    const response = await get(connection, '/');
    response.setEncoding('utf8');
    let decoded = '';
    for await (const piece of response as AsyncIterable<unknown>) decoded += String(piece);
    expect(decoded).to.equal(text);
    connection.close();
  });

  it('is delivered to two sinks at once, at the pace of the slower', async () => {
    const server = await bodyServer();
    const connection = connectionTo(server);
    const response = await get(connection, '/');
    const slow = sinkOf((_bytes, done) => setTimeout(done, 1));
    const fast = sinkOf();
    response.pipe(slow);
    response.pipe(fast);
    await Promise.all([once(slow, 'finish'), once(fast, 'finish')]);
    expect(Buffer.concat(slow.pieces).equals(BODY)).to.equal(true);
    expect(Buffer.concat(fast.pieces).equals(BODY)).to.equal(true);
    connection.close();
  });

  it('gives the rest to a reader after unpipe()', async () => {
    const server = await bodyServer();
    const connection = connectionTo(server);
    const response = await get(connection, '/');
    const piped: Buffer[] = [];
    const sink = new PassThrough();
    sink.on('data', (piece: Buffer) => piped.push(piece));
    response.pipe(sink);
    await once(sink, 'data');
    response.unpipe(sink);
    await new Promise(setImmediate);
    const rest = await response.readall();
    expect(Buffer.concat([...piped, rest]).equals(BODY)).to.equal(true);
    await expectReusable(server, connection);
  });

  it('goes on by readbytes after a pause, each byte once', async () => {
    const server = await bodyServer();
    const connection = connectionTo(server);
    const response = await get(connection, '/');
    const pieces: Buffer[] = [];
    response.on('data', (piece: Buffer) => pieces.push(piece));
    await once(response, 'data');
    response.pause();
    await new Promise((resolve) => setTimeout(resolve, 20));
    const flowed = Buffer.concat(pieces);
    const part = await response.readbytes(5000);
    expect(part.equals(BODY.subarray(flowed.length, flowed.length + 5000))).to.equal(true);
    expect(Buffer.concat(pieces).equals(flowed)).to.equal(true);
    response.resume();
    await once(response, 'end');
    expect(Buffer.concat([...pieces.slice(0, 1), ...pieces.slice(1)]).length).to.equal(BODY.length - 5000);
    await expectReusable(server, connection);
  });

  it('is transformed on its way', async () => {
    const server = await bodyServer();
    const connection = connectionTo(server);
    const invert = new Transform({
      transform(bytes: Buffer, _encoding, done) {
        done(
          null,
          bytes.map((octet) => octet ^ 0xff),
        );
      },
    });
    const sink = sinkOf();
    await pipeline(await get(connection, '/chunked'), invert, sink);
    expect(Buffer.concat(sink.pieces).equals(BODY.map((octet) => octet ^ 0xff))).to.equal(true);
    await expectReusable(server, connection);
  });

  it('is destroyed with its connection when the sink of a pipeline fails', async () => {
    const server = await bodyServer();
    const full = new Error('no space left');
    const connection = connectionTo(server);
    const response = await get(connection, '/');
    let writes = 0;
    const sink = sinkOf((_bytes, done) => done(++writes === 2 ? full : null));
    expect(await rejection(pipeline(response, sink))).to.equal(full);
    expect(response.destroyed).to.equal(true);
    expect(connection.socket).to.equal(null);
    await server.peer().closed;
    expect(await (await get(connection, '/ok')).text()).to.equal('ok');
    connection.close();
  });

  it('is destroyed with its connection when its web stream is cancelled', async () => {
    const server = await bodyServer();
    const connection = connectionTo(server);
    const response = await get(connection, '/');
    const reader = Readable.toWeb(response).getReader();
    await reader.read();
    await reader.cancel(new Error('enough'));
    await server.peer().closed;
    expect(response.destroyed).to.equal(true);
    connection.close();
  });

  it('stays usable when a piped sink fails: the pipe ends, the rest can be read', async () => {
    const server = await bodyServer();
    const connection = connectionTo(server);
    const response = await get(connection, '/');
    const sink = sinkOf((_bytes, done) => done(new Error('no space left')));
    sink.on('error', () => undefined);
    response.pipe(sink);
    await once(sink, 'error');
    const rest = await response.readall();
    const written = Buffer.concat(sink.pieces);
    expect(rest.equals(BODY.subarray(BODY.length - rest.length))).to.equal(true);
    expect(written.equals(BODY.subarray(0, written.length))).to.equal(true);
    await expectReusable(server, connection);
  });

  it('settles stream.finished: at its end, at destroy(), and at an error', async () => {
    const server = await bodyServer();
    const connection = connectionTo(server);
    const read = await get(connection, '/');
    const done = finished(read as Readable);
    await read.drain();
    await done;
    const dropped = await get(connection, '/');
    const premature = rejection(finished(dropped as Readable));
    dropped.destroy();
    expect(await premature).to.include({ code: 'ERR_STREAM_PREMATURE_CLOSE' });
    const failed = await get(connection, '/');
    const reason = new Error('enough');
    const failure = rejection(finished(failed as Readable));
    failed.destroy(reason);
    expect(await failure).to.equal(reason);
    connection.close();
  });

  it('takes its connection with it when it is destroyed unread, and leaves it when it was read', async () => {
    const server = await bodyServer();
    const connection = connectionTo(server);
    const unread = await get(connection, '/ok');
    await unread.peek();
    unread.destroy();
    await server.peer().closed;
    const read = await get(connection, '/ok');
    await read.readall();
    read.destroy();
    expect(await (await get(connection, '/ok')).text()).to.equal('ok');
    expect(server.connections).to.equal(2);
    connection.close();
  });
});

describe('a server that is faster than the reader', () => {
  /** Writes until the socket stops taking bytes; gives how many it took. */
  function flood(socket: Socket): () => number {
    let written = 0;
    const piece = Buffer.alloc(65_536);
    const fill = (): void => {
      while (!socket.destroyed && written < 256 * 2 ** 20) {
        written += piece.length;
        if (!socket.write(piece)) {
          socket.once('drain', fill);
          return;
        }
      }
    };
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${String(2 ** 40)}\r\n\r\n`);
    fill();
    return () => written - socket.writableLength;
  }

  const READERS: [name: string, read: (response: HTTPResponse) => unknown][] = [
    ['is never read', () => undefined],
    ["has a paused 'data' listener", (response) => response.on('data', () => response.pause())],
    ["has a 'readable' listener that does not read", (response) => response.on('readable', () => undefined)],
    ['is iterated and stands in its loop', (response) => response[Symbol.asyncIterator]().next()],
    ['was read by readline', (response) => response.readbytes(100_000)],
    ['is piped into a sink that is stuck', (response) => response.pipe(sinkOf(() => undefined))],
    ['was read by readinto', (response) => response.readinto(Buffer.alloc(300_000))],
  ];
  for (const [name, read] of READERS) {
    it(`is held back while the response ${name}`, async () => {
      let taken = (): number => 0;
      const server = await rawServer((socket) => {
        taken = flood(socket);
      });
      const connection = connectionTo(server);
      const response = await get(connection, '/');
      await read(response);
      let before = -1;
      for (let round = 0; round < 40 && before !== taken(); round++) {
        before = taken();
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
      expect(taken(), 'the server was not held back').to.equal(before);
      const received = connection.socket?.bytesRead ?? 0;
      const readBytes = 2 ** 40 - (response.length ?? 0);
      expect(received - readBytes, 'bytes held in the process').to.be.below(4 * 65_536);
      connection.close();
    });
  }
});
