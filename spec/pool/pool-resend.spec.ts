/**
 * The automatic resend over connections: what the server sees, counted there. The table itself is walked in `resend.spec.ts`.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';

import { expect } from 'chai';

import type { Attempt, HTTPConnectionPool, PoolBody } from '../../lib/index.js';
import { okWith, TCP, TLS, until } from '../support/pools.js';
import type { PoolWay } from '../support/pools.js';
import { OK } from '../support/raw-server.js';
import type { Peer, RawServer, Script } from '../support/raw-server.js';
import { rejection } from '../support/rejection.js';

type End = (peer: Peer) => void;

const FIN: End = (peer) => peer.socket.end();
const RESET: End = (peer) => peer.socket.resetAndDestroy();

/** Answers the first request of each connection, and ends the connection on the second as soon as its head is there. */
function answersOnce(end: End): Script {
  return (socket, _request, peer) => {
    if (peer.requests.length === 1) socket.write(OK);
    else end(peer);
  };
}

interface Trial {
  server: RawServer;
  pool: HTTPConnectionPool;
}

/** A pool with one idle connection that has served a request. */
async function withUsedConnection(way: PoolWay, script: Script): Promise<Trial> {
  const server = await way.serve(script);
  const pool = way.pool(server, { maxConnections: 2 });
  await (await pool.request('GET', '/first')).text();
  return { server, pool };
}

const seen = (server: RawServer): number =>
  server.requests.filter(({ target }) => target === '/second').length;

for (const way of [TCP, TLS]) {
  describe(`a connection over ${way.name} that dies under its second request`, () => {
    for (const [name, end] of [
      ['by a FIN', FIN],
      ['by a reset', RESET],
    ] as const) {
      for (const method of ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']) {
        it(`${name}: ${method} is sent again, once, on a new connection`, async () => {
          const { server, pool } = await withUsedConnection(way, answersOnce(end));
          const response = await pool.request(method, '/second');
          expect(response.status).to.equal(200);
          expect(seen(server)).to.equal(2);
          expect(server.connections).to.equal(2);
        });
      }

      for (const method of ['POST', 'PATCH']) {
        it(`${name}: ${method} is not, as it may have been processed`, async () => {
          const { server, pool } = await withUsedConnection(way, answersOnce(end));
          const error = await rejection<NodeJS.ErrnoException & { reused: boolean }>(
            pool.request(method, '/second', 'x'),
          );
          expect(error).to.include({ code: 'ECONNRESET', method, url: '/second', reused: true });
          expect(seen(server)).to.equal(1);
          expect(pool.stats).to.deep.equal({ open: 0, busy: 0, idle: 0, waiting: 0 });
        });
      }
    }
  });
}

describe('the automatic resend', () => {
  const BODIES: readonly (readonly [name: string, body: () => PoolBody, sent: string])[] = [
    ['text', () => 'body', 'body'],
    ['bytes', () => Buffer.from('body'), 'body'],
    ['a Blob', () => new Blob(['bo', 'dy']), 'body'],
    ['URLSearchParams', () => new URLSearchParams({ a: 'b' }), 'a=b'],
    ['a factory of text', () => () => 'body', 'body'],
    ['a factory of promised streams', () => async () => Readable.from(['bo', 'dy']), 'body'],
    [
      'a factory of generators',
      () => () =>
        (function* () {
          yield 'body';
        })(),
      'body',
    ],
  ];
  for (const [name, body, sent] of BODIES) {
    it(`has ${name} whole both times`, async () => {
      const bodies: string[] = [];
      const { server, pool } = await withUsedConnection(TCP, (socket, request, peer) => {
        if (request.target === '/second') bodies.push(request.body.toString());
        answersOnce(FIN)(socket, request, peer);
      });
      expect((await pool.request('PUT', '/second', body())).status).to.equal(200);
      expect(bodies).to.deep.equal([sent, sent]);
      expect(seen(server)).to.equal(2);
    });
  }

  it('has a form whole both times', async () => {
    const bodies: string[] = [];
    const { pool } = await withUsedConnection(TCP, (socket, request, peer) => {
      if (request.target === '/second') bodies.push(request.body.toString());
      answersOnce(FIN)(socket, request, peer);
    });
    const form = new FormData();
    form.set('name', 'value');
    expect((await pool.request('PUT', '/second', form)).status).to.equal(200);
    expect(bodies).to.have.length(2);
    for (const body of bodies) expect(body).to.match(/name="name"\r\n\r\nvalue\r\n/);
  });

  const SOURCES: readonly (readonly [name: string, body: () => PoolBody])[] = [
    ['a stream', () => Readable.from(['bo', 'dy'])],
    [
      'a generator',
      () =>
        (function* () {
          yield 'body';
        })(),
    ],
    [
      'an async generator',
      () =>
        (async function* () {
          yield 'body';
        })(),
    ],
  ];
  for (const [name, body] of SOURCES) {
    it(`does not repeat ${name} that has given something`, async () => {
      const { server, pool } = await withUsedConnection(TCP, answersOnce(FIN));
      const error = await rejection<NodeJS.ErrnoException>(pool.request('PUT', '/second', body()));
      expect(error.code).to.equal('ECONNRESET');
      expect(seen(server)).to.equal(1);
    });
  }

  it('takes a source that nothing was taken from: asked for, its first piece goes to the second connection', async () => {
    for (const kind of ['generator', 'stream']) {
      let give = (): void => undefined;
      const ready = new Promise<void>((resolve) => {
        give = resolve;
      });
      const pieces = async function* (): AsyncGenerator<string> {
        await ready;
        yield 'bo';
        yield 'dy';
      };
      const server = await TCP.serve(
        (socket, request, peer) => {
          if (request.target === '/first') socket.write(OK);
          else if (server.connections === 1) peer.socket.destroy();
        },
        {
          onConnection: (socket, peer) => {
            socket.on('data', () => {
              if (peer.text.includes('PUT /second')) {
                if (server.connections === 1) {
                  socket.destroy();
                  // Once the client has seen the end.
                  setTimeout(give, 50);
                } else if (peer.text.endsWith('0\r\n\r\n')) {
                  socket.write(OK);
                }
              }
            });
          },
        },
      );
      const pool = TCP.pool(server);
      await (await pool.request('GET', '/first')).text();
      const body = kind === 'stream' ? Readable.from(pieces()) : pieces();
      expect((await pool.request('PUT', '/second', body)).status, kind).to.equal(200);
      expect(server.peer(1).text).to.match(/2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n$/);
    }
  });

  it('is made on a new connection, though others are idle', async () => {
    const server = await TCP.serve(answersOnce(FIN));
    const pool = TCP.pool(server, { maxConnections: 2 });
    await Promise.all([1, 2].map(async () => (await pool.request('GET', '/first')).text()));
    expect(pool.stats.idle).to.equal(2);
    expect((await pool.request('GET', '/second')).status).to.equal(200);
    expect(seen(server)).to.equal(2);
    expect(server.connections).to.equal(3);
  });

  it('is made once: what dies on the new connection too is the error', async () => {
    const server = await TCP.serve((socket, request) => {
      if (request.target === '/first') socket.write(OK);
      else socket.end();
    });
    const pool = TCP.pool(server);
    await (await pool.request('GET', '/first')).text();
    const error = await rejection<NodeJS.ErrnoException>(pool.request('GET', '/second'));
    expect(error.code).to.equal('ECONNRESET');
    expect(seen(server)).to.equal(2);
  });

  it('is no attempt, and asks no onRetry', async () => {
    const told: Attempt[] = [];
    const server = await TCP.serve((socket, request, peer) => {
      if (request.target === '/first') socket.write(OK);
      else if (peer.requests.length > 1) socket.end();
      else socket.write('HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n');
    });
    const pool = TCP.pool(server, {
      retries: { limit: 1, minDelay: 1, onRetry: (attempt) => void told.push(attempt) },
    });
    await (await pool.request('GET', '/first')).text();
    expect((await pool.request('GET', '/second')).status).to.equal(503);
    expect(told.map(({ number, status }) => [number, status])).to.deep.equal([[1, 503]]);
  });

  it('does not follow on the first byte of an answer', async () => {
    for (const bytes of ['H', 'HTTP/1.1 103 Early Hints\r\n\r\n']) {
      const server = await TCP.serve((socket, _request, peer) => {
        if (peer.requests.length === 1) socket.write(OK);
        else socket.end(bytes);
      });
      const pool = TCP.pool(server);
      await (await pool.request('GET', '/first')).text();
      await rejection(pool.request('GET', '/second'));
      expect(seen(server), JSON.stringify(bytes)).to.equal(1);
    }
  });

  it('does not follow on a timeout', async () => {
    const server = await TCP.serve((socket, _request, peer) => {
      if (peer.requests.length === 1) socket.write(OK);
    });
    const pool = TCP.pool(server, { timeout: { response: 50 } });
    await (await pool.request('GET', '/first')).text();
    expect(await rejection(pool.request('GET', '/second'))).to.include({ timer: 'response' });
    expect(seen(server)).to.equal(1);
  });

  it('is not needed where the close had come before the request: a POST goes to a new connection', async () => {
    const server = await TCP.serve((socket, request) => {
      if (request.target === '/first') socket.end(OK);
      else socket.write(OK);
    });
    const pool = TCP.pool(server);
    for (let round = 0; round < 20; round++) {
      await (await pool.request('GET', '/first')).text();
      expect((await pool.request('POST', '/second', 'x')).status).to.equal(200);
    }
    expect(seen(server)).to.equal(20);
  });

  it('leaves a file that was read to its owner: the error', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'pool-'));
    writeFileSync(join(directory, 'file'), 'body');
    const file = await open(join(directory, 'file'));
    const { server, pool } = await withUsedConnection(TCP, answersOnce(FIN));
    await rejection(pool.request('PUT', '/second', file));
    expect(seen(server)).to.equal(1);
    await file.close();
    rmSync(directory, { recursive: true });
  });
});

describe('a factory of bodies', () => {
  const BAD: readonly (readonly [name: string, body: () => unknown, says: RegExp])[] = [
    ['nothing', () => undefined, /returned undefined/],
    ['null', async () => null, /returned null/],
    ['a number', () => 42, /a body must be/],
    ['a promise of a number', async () => 42, /a body must be/],
  ];
  for (const [name, body, says] of BAD) {
    it(`that makes ${name} fails the request, and the connection is not lost`, async () => {
      const { server, pool } = await withUsedConnection(TCP, (socket) => socket.write(OK));
      const error = await rejection(pool.request('PUT', '/', body as never));
      expect(error).to.be.instanceOf(TypeError);
      expect(error.message).to.match(says);
      expect(pool.stats).to.deep.equal({ open: 1, busy: 0, idle: 1, waiting: 0 });
      expect((await pool.request('GET', '/')).status).to.equal(200);
      expect(server.connections).to.equal(1);
    });
  }

  it('that throws or rejects gives its own error', async () => {
    const own = new Error('no body today');
    const { pool } = await withUsedConnection(TCP, (socket) => socket.write(OK));
    expect(
      await rejection(
        pool.request('PUT', '/', () => {
          throw own;
        }),
      ),
    ).to.equal(own);
    expect(await rejection(pool.request('PUT', '/', () => Promise.reject(own)))).to.equal(own);
    expect(pool.stats.idle).to.equal(1);
  });

  it('that gives a spent stream or generator again fails, and sends nothing of it', async () => {
    const generator = (function* () {
      yield 'body';
    })();
    const stream = Readable.from(['body']);
    for (const again of [generator, stream]) {
      const { server, pool } = await withUsedConnection(TCP, answersOnce(FIN));
      expect(await rejection(pool.request('PUT', '/second', () => again))).to.be.instanceOf(TypeError);
      expect(seen(server)).to.equal(1);
    }
  });

  it('may give the same list or bytes again', async () => {
    for (const again of [['bo', 'dy'], Buffer.from('body')]) {
      const { server, pool } = await withUsedConnection(TCP, answersOnce(FIN));
      expect((await pool.request('PUT', '/second', () => again)).status).to.equal(200);
      expect(server.peer(1).requests[0]?.body.toString()).to.equal('body');
    }
  });

  it('that answers after an abort disturbs nobody who has the connection by then, and its stream is told', async () => {
    const { server, pool } = await withUsedConnection(TCP, (socket, { target }) => {
      if (target === '/slow') setTimeout(() => socket.write(okWith('slow')), 50);
      else socket.write(okWith('fast'));
    });
    const controller = new AbortController();
    let answer: (body: Readable) => void = () => undefined;
    const factory = (): Promise<Readable> => new Promise((resolve) => (answer = resolve));
    const aborted = rejection(pool.request('PUT', '/', factory, {}, { signal: controller.signal }));
    controller.abort(new Error('no longer'));
    await aborted;
    const slow = pool.request('GET', '/slow');
    const late = Readable.from(['late']);
    answer(late);
    await until(() => late.destroyed);
    expect(pool.stats).to.include({ open: 1, busy: 1, idle: 0 });
    const next = pool.request('GET', '/next');
    expect(await (await slow).text()).to.equal('slow');
    await (await next).text();
    expect(server.requests.map(({ target }) => target)).to.not.include('/');
  });

  it('may take longer than the server keeps the connection: it gets another, which is counted', async () => {
    const { server, pool } = await withUsedConnection(TCP, (socket) => socket.write(okWith('done')));
    const response = pool.request('PUT', '/', async () => {
      server.peer(0).socket.end();
      await server.peer(0).closed;
      await wait(20);
      return 'body';
    });
    expect(await (await response).text()).to.equal('done');
    expect(server.connections).to.equal(2);
    expect(pool.stats).to.deep.equal({ open: 1, busy: 0, idle: 1, waiting: 0 });
  });

  it('that never answers ends with an abort, with `total`, and with destroy()', async () => {
    const never = (): Promise<string> => new Promise(() => undefined);
    const { pool } = await withUsedConnection(TCP, (socket) => socket.write(OK));
    const controller = new AbortController();
    const aborted = rejection(pool.request('PUT', '/', never, {}, { signal: controller.signal }));
    const late = rejection(pool.request('PUT', '/', never, {}, { timeout: { total: 40 } }));
    const reason = new Error('enough');
    controller.abort(reason);
    expect(await aborted).to.equal(reason);
    expect(await late).to.include({ timer: 'total' });
    const destroyed = rejection(pool.request('PUT', '/', never));
    pool.destroy(reason);
    expect(await destroyed).to.equal(reason);
    expect(pool.stats).to.deep.equal({ open: 0, busy: 0, idle: 0, waiting: 0 });
  });
});
