/**
 * What an abort, `total` and `close()` do to a response: it is destroyed at once, read or not, so that whatever waits for it settles. What
 * a peer cuts short shows its bytes first.
 */
import { finished, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { once } from 'node:events';
import { expect } from 'chai';
import { IncompleteRead, NotConnected, TimeoutError } from '../../lib/index.js';
import type { HTTPConnection, HTTPResponse } from '../../lib/index.js';
import { sleep } from '../support/expiry.js';
import { connectionTo, rawServer } from '../support/raw-server.js';
import { rejection, unhandledRejections } from '../support/rejection.js';
import { uncaughtErrors } from '../support/uncaught.js';
import { TCP, TLS, TUNNEL } from '../support/transports.js';
import type { Way } from '../support/transports.js';

const HALF = 'HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n' + 'x'.repeat(40_000);
const REASON = new Error('the caller has had enough');

interface Running {
  connection: HTTPConnection;
  response: HTTPResponse;
  aborter: AbortController;
}

const ENDS: Record<
  string,
  { total?: number; end: (running: Running) => unknown; expected: (error: unknown) => boolean }
> = {
  'an abort': {
    end: ({ aborter }) => {
      aborter.abort(REASON);
    },
    expected: (error) => error === REASON,
  },
  total: { total: 80, end: () => undefined, expected: (error) => error instanceof TimeoutError },
  'close()': {
    end: ({ connection }) => {
      connection.close();
    },
    expected: (error) => error instanceof IncompleteRead,
  },
};

async function begin(way: Way, total?: number): Promise<Running> {
  const server = await way.serve((socket) => socket.write(HALF));
  const connection = await way.connect(server);
  // Before any clock runs: a busy machine may need long for it.
  await connection.connect();
  const aborter = new AbortController();
  const timeout = total === undefined ? {} : { total };
  await connection.request('GET', '/', null, {}, { signal: aborter.signal, timeout });
  return { connection, aborter, response: await connection.getResponse() };
}

for (const way of [TCP, TLS, TUNNEL]) {
  for (const [name, { total, end, expected }] of Object.entries(ENDS)) {
    describe(`${name} over ${way.name}`, () => {
      it('closes a response that nobody reads and nobody listens to', async () => {
        const stray = await uncaughtErrors(async () => {
          const running = await begin(way, total);
          await sleep(10);
          const closed = new Promise((resolve) => running.response.once('close', resolve));
          end(running);
          await closed;
          expect(running.response.destroyed).to.equal(true);
          expect(running.connection.state).to.equal('Idle');
          expect(running.connection.socket).to.equal(null);
        });
        expect(stray).to.deep.equal([]);
      });

      it('settles stream.finished() of a response that nobody reads', async () => {
        const running = await begin(way, total);
        const settled = new Promise<unknown>((resolve) => {
          finished(running.response, resolve);
        });
        end(running);
        expect(expected(await settled)).to.equal(true);
      });

      it('settles a pipeline into a sink that takes nothing more', async () => {
        const running = await begin(way, total);
        const sink = new Writable({ highWaterMark: 1000, write() {} });
        const piping = rejection<unknown>(pipeline(running.response, sink));
        await sleep(10);
        end(running);
        expect(expected(await piping)).to.equal(true);
        expect(sink.destroyed).to.equal(true);
      });

      it('settles a reader that waits, though bytes lie unread behind it', async () => {
        const running = await begin(way, total);
        await running.response.readbytes(1000);
        const reading = rejection<unknown>(running.response.readbytes(900_000));
        await sleep(10);
        end(running);
        expect(expected(await reading)).to.equal(true);
      });

      it('settles a paused reader', async () => {
        const running = await begin(way, total);
        const errors: unknown[] = [];
        running.response.on('data', () => running.response.pause());
        running.response.on('error', (error) => errors.push(error));
        await once(running.response, 'data');
        const closed = new Promise((resolve) => running.response.once('close', resolve));
        end(running);
        await closed;
        expect(errors.map(expected)).to.deep.equal([true]);
      });

      it('is seen by the next way of reading', async () => {
        const running = await begin(way, total);
        const closed = new Promise((resolve) => running.response.once('close', resolve));
        end(running);
        await closed;
        expect(expected(await rejection<unknown>(running.response.readall()))).to.equal(true);
      });
    });
  }

  describe(`a body that the peer cuts short over ${way.name}`, () => {
    it('shows the bytes that came before it fails', async () => {
      const server = await way.serve((socket) => {
        socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf');
      });
      const connection = await way.connect(server);
      await connection.request('GET', '/');
      const response = await connection.getResponse();
      await sleep(20);
      expect((await response.readbytes(4)).toString()).to.equal('half');
      expect(await rejection(response.readall())).to.be.instanceOf(IncompleteRead);
    });
  });
}

describe('close()', () => {
  it('rejects request() and getResponse() that are pending, and nothing is left unhandled', async () => {
    const server = await TCP.serve(() => undefined, { silent: true });
    const connection = await TCP.connect(server);
    const left = await unhandledRejections(async () => {
      const sent = rejection(connection.request('POST', '/', new Uint8Array(50_000_000)));
      const head = rejection(connection.getResponse());
      await sleep(20);
      connection.close();
      expect(await sent).to.be.instanceOf(NotConnected);
      expect(await head).to.be.instanceOf(NotConnected);
    });
    expect(left).to.deep.equal([]);
  });

  it('forgets what was put and not sent', async () => {
    const server = await TCP.serve((socket) => socket.write('HTTP/1.1 204 No\r\n\r\n'));
    const connection = await TCP.connect(server);
    connection.putRequest('GET', '/put');
    connection.putHeader('X-Old', '1');
    connection.close();
    expect(connection.state).to.equal('Idle');
    await connection.request('GET', '/new');
    await connection.getResponse();
    expect(server.request.target).to.equal('/new');
    expect(server.peer(0).text).to.not.include('X-Old');
  });
});

describe('close() under a call that has gathered a part of the body', () => {
  const readers: Record<string, (response: HTTPResponse) => Promise<unknown>> = {
    readall: (response) => response.readall(),
    readbytes: (response) => response.readbytes(8),
    readinto: (response) => response.readinto(Buffer.alloc(8)),
    readline: (response) => response.readline(),
    text: (response) => response.text(),
  };
  for (const [name, read] of Object.entries(readers)) {
    it(`gives ${name} an IncompleteRead with that part, and what had not come`, async () => {
      const server = await rawServer((socket) => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc');
      });
      const conn = connectionTo(server);
      await conn.request('GET', '/');
      const failed = rejection<IncompleteRead>(read(await conn.getResponse()));
      await new Promise((resolve) => setTimeout(resolve, 20));
      conn.close();
      const error = await failed;
      expect(error).to.be.instanceOf(IncompleteRead);
      expect([String(error.partial), error.expected]).to.deep.equal(['abc', 7]);
    });
  }
});
