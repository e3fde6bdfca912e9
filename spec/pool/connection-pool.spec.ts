/**
 * A pool as its callers see it: who gets which connection and when, what the counts say, and how it ends.
 */
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';

import { expect } from 'chai';

import {
  HTTPConnectionPool,
  InvalidURL,
  LimitExceeded,
  NotConnected,
  TimeoutError,
  UnknownProtocol,
} from '../../lib/index.js';
import type { HTTPResponse } from '../../lib/index.js';
import { okWith, TCP, TLS, until } from '../support/pools.js';
import { answer, NO_CONTENT, OK, rawServer } from '../support/raw-server.js';
import type { RawServer, Script } from '../support/raw-server.js';
import { rejection } from '../support/rejection.js';

const untyped = (value: unknown): never => value as never;

/** Answers with the number of the connection. */
function withNumbers(server: () => RawServer): Script {
  return (socket, _request, peer) => {
    socket.write(okWith(String(server().peers.indexOf(peer))));
  };
}

for (const way of [TCP, TLS]) {
  describe(`a pool over ${way.name}`, () => {
    it('uses a connection again once its response was read', async () => {
      const server = await way.serve(answer(okWith('hello')));
      const pool = way.pool(server);
      for (let i = 0; i < 5; i++) expect(await (await pool.request('GET', '/')).text()).to.equal('hello');
      expect(server.connections).to.equal(1);
      expect(pool.stats).to.deep.equal({ open: 1, busy: 0, idle: 1, waiting: 0 });
    });

    it('opens as many connections as allowed, and has the rest wait in their order', async () => {
      let running = 0;
      let most = 0;
      const server = await way.serve((socket, request) => {
        most = Math.max(most, ++running);
        setTimeout(() => {
          running--;
          socket.write(okWith(request.line));
        }, 5);
      });
      const pool = way.pool(server, { maxConnections: 3 });
      const order: number[] = [];
      const calls = Array.from({ length: 12 }, async (_, number) => {
        const response = await pool.request('GET', `/${String(number)}`);
        order.push(number);
        expect(await response.text()).to.equal(`GET /${String(number)} HTTP/1.1`);
      });
      expect(pool.stats).to.deep.equal({ open: 3, busy: 0, idle: 0, waiting: 9 });
      await Promise.all(calls);
      expect(most).to.equal(3);
      expect(server.connections).to.equal(3);
      expect(
        server.requests.map(({ line }) => Number(line.slice(5, -9))).toSorted((a, b) => a - b),
      ).to.deep.equal(order.toSorted((a, b) => a - b));
      expect(pool.stats).to.deep.equal({ open: 3, busy: 0, idle: 3, waiting: 0 });
    });

    it('gives the unfinished body of one response no influence on another', async () => {
      const server = await way.serve((socket, request) => {
        if (request.line.startsWith('GET /slow')) {
          socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n');
          socket.write(Buffer.alloc(5_000_000));
        } else {
          socket.write(OK);
        }
      });
      const pool = way.pool(server, { maxConnections: 2 });
      const slow = await pool.request('GET', '/slow');
      for (let i = 0; i < 20; i++) await (await pool.request('GET', '/')).text();
      expect((await slow.readall()).length).to.equal(5_000_000);
      expect(server.connections).to.equal(2);
    });
  });
}

describe('a connection of a pool', () => {
  const READERS: readonly (readonly [name: string, read: (response: HTTPResponse) => Promise<unknown>])[] = [
    ['readall', (response) => response.readall()],
    ['text', (response) => response.text()],
    ['readbytes of all', (response) => response.readbytes(5)],
    [
      'readinto to the end',
      async (response) => {
        await response.readinto(Buffer.alloc(5));
      },
    ],
    ['drain', (response) => response.drain()],
    [
      'a loop',
      async (response) => {
        for await (const piece of response) void piece;
      },
    ],
    [
      'lines',
      async (response) => {
        for await (const line of response.lines()) void line;
      },
    ],
    ["'end' of a flowing stream", (response) => once(response.resume(), 'end')],
    [
      'destroy',
      async (response) => {
        response.destroy();
      },
    ],
    [
      'leaving a loop',
      async (response) => {
        for await (const piece of response) {
          void piece;
          break;
        }
      },
    ],
  ];
  for (const [name, read] of READERS) {
    it(`is back before the promise of ${name} resolves`, async () => {
      const server = await rawServer(answer(okWith('hello')));
      const pool = TCP.pool(server);
      const response = await pool.request('GET', '/');
      expect(pool.stats.busy, 'while it is unread').to.equal(1);
      await read(response);
      expect(pool.stats.busy).to.equal(0);
    });
  }

  for (const [name, reply, method] of [
    ['204', NO_CONTENT, 'GET'],
    ['304', 'HTTP/1.1 304 Not Modified\r\n\r\n', 'GET'],
    ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', 'HEAD'],
    ['an empty body', okWith(''), 'GET'],
  ] as const) {
    it(`is free as soon as a response without a body is there: ${name}`, async () => {
      const pool = TCP.pool(await rawServer(answer(reply)));
      await pool.request(method, '/');
      expect(pool.stats).to.deep.equal({ open: 1, busy: 0, idle: 1, waiting: 0 });
    });
  }

  it('is let go when the last byte of a response was received behind which the server closes, not when it is read', async () => {
    const server = await rawServer((socket) => {
      socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello');
    });
    const pool = TCP.pool(server, { maxConnections: 1 });
    const first = await pool.request('GET', '/');
    const second = await pool.request('GET', '/');
    expect(await second.text()).to.equal('hello');
    expect(await first.text()).to.equal('hello');
    expect(pool.stats.open).to.equal(0);
  });

  it('that was used last is taken first', async () => {
    const server: RawServer = await rawServer(withNumbers(() => server));
    const pool = TCP.pool(server);
    await pool.connect(3);
    const [first, second] = [await pool.request('GET', '/'), await pool.request('GET', '/')];
    await first.text();
    const last = await second.text();
    for (let i = 0; i < 3; i++) expect(await (await pool.request('GET', '/')).text()).to.equal(last);
  });

  it('that its peer closes while idle is forgotten at once', async () => {
    const server = await rawServer(answer(OK));
    const pool = TCP.pool(server);
    await (await pool.request('GET', '/')).text();
    server.peer().socket.end();
    await until(() => pool.stats.open === 0);
    expect(await (await pool.request('GET', '/')).text()).to.equal('ok');
  });

  it('on which bytes come while idle is not used again', async () => {
    const server = await rawServer(answer(OK));
    const pool = TCP.pool(server);
    await (await pool.request('GET', '/')).text();
    server.peer().socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil');
    expect(await (await pool.request('GET', '/')).text()).to.equal('ok');
    expect(server.connections).to.equal(2);
  });

  it('is closed when it has been idle for idleTimeout, and a busy one is not', async () => {
    const server = await rawServer((socket, request) => {
      if (request.line.includes('/never')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel');
      else socket.write(OK);
    });
    const pool = TCP.pool(server, { idleTimeout: 60 });
    await pool.connect(3);
    await pool.request('GET', '/never');
    expect(pool.stats).to.deep.equal({ open: 3, busy: 1, idle: 2, waiting: 0 });
    await wait(30);
    await (await pool.request('GET', '/')).text();
    await until(() => pool.stats.idle === 0);
    expect(pool.stats).to.deep.equal({ open: 1, busy: 1, idle: 0, waiting: 0 });
  });

  it('is closed earlier where the server says so: Keep-Alive: timeout=2 is one second', async () => {
    const pool = TCP.pool(await rawServer(answer(okWith('x', 'Keep-Alive: timeout=2, max=100\r\n'))));
    await (await pool.request('GET', '/')).text();
    await wait(700);
    expect(pool.stats.idle).to.equal(1);
    await until(() => pool.stats.open === 0);
  });

  it('is not kept idle with Keep-Alive: timeout=1, but goes to who waits', async () => {
    const server = await rawServer(answer(okWith('x', 'Keep-Alive: timeout=1\r\n')));
    const pool = TCP.pool(server, { maxConnections: 1 });
    const [one, two] = await Promise.all([
      pool.request('GET', '/').then((response) => response.text()),
      pool.request('GET', '/').then((response) => response.text()),
    ]);
    expect([one, two]).to.deep.equal(['x', 'x']);
    expect(server.connections).to.equal(1);
    expect(pool.stats.open).to.equal(0);
  });

  it('takes no new request when it is older than maxAge', async () => {
    const server = await rawServer(answer(OK));
    const pool = TCP.pool(server, { maxAge: 50 });
    await (await pool.request('GET', '/')).text();
    await (await pool.request('GET', '/')).text();
    expect(server.connections).to.equal(1);
    await wait(70);
    await (await pool.request('GET', '/')).text();
    expect(server.connections).to.equal(2);
  });

  it('takes as many requests as maxRequests says', async () => {
    const server = await rawServer(answer(OK));
    const pool = TCP.pool(server, { maxRequests: 2, maxConnections: 1 });
    for (let i = 0; i < 6; i++) await (await pool.request('GET', '/')).text();
    expect(server.connections).to.equal(3);
  });
});

describe('who waits for a connection of a pool', () => {
  it('goes in the order of the calls, and leaves at once when aborted', async () => {
    const started: string[] = [];
    const server = await rawServer((socket, request) => {
      started.push(request.line.split(' ')[1] ?? '');
      setTimeout(() => socket.write(OK), 5);
    });
    const pool = TCP.pool(server, { maxConnections: 1 });
    const controllers = Array.from({ length: 6 }, () => new AbortController());
    const calls = controllers.map(({ signal }, number) =>
      pool.request('GET', `/${String(number)}`, null, {}, { signal }).then((response) => response.text()),
    );
    const reason = new Error('no longer wanted');
    const left = rejection(calls[3] as Promise<string>);
    controllers[3]?.abort(reason);
    expect(pool.stats.waiting).to.equal(4);
    expect(await left).to.equal(reason);
    await Promise.all(calls.filter((_, number) => number !== 3));
    expect(started).to.deep.equal(['/0', '/1', '/2', '/4', '/5']);
  });

  it('is told after acquireTimeout what keeps every connection', async () => {
    const server = await rawServer((socket, request) => {
      if (request.line.includes('/unread')) socket.write(okWith('hello'));
    });
    const pool = TCP.pool(server, { maxConnections: 2, acquireTimeout: 60 });
    await pool.request('GET', '/unread?1');
    const silent = rejection(pool.request('PUT', '/silent', 'x'));
    const begun = performance.now();
    const error = await rejection<TimeoutError>(pool.request('GET', '/third'));
    expect(performance.now() - begun).to.be.within(50, 500);
    expect(error).to.be.instanceOf(TimeoutError);
    expect(error).to.include({
      timer: 'acquire',
      phase: 'connect',
      method: 'GET',
      url: '/third',
      bytesSent: 0,
    });
    expect(error.message)
      .to.match(/GET \/unread\?1 \(\d+ ms, 5 unread bytes\)/)
      .and.match(/PUT \/silent \(\d+ ms, 0 unread bytes, no response yet\)/)
      .and.match(new RegExp(pool.origin));
    expect(pool.stats.waiting).to.equal(0);
    pool.destroy();
    expect(await silent).to.be.instanceOf(NotConnected);
  });

  it('may say how long it waits', async () => {
    const pool = TCP.pool(await rawServer(() => undefined), { maxConnections: 1, acquireTimeout: 10_000 });
    void pool.request('GET', '/').catch(() => undefined);
    const error = await rejection<TimeoutError>(pool.request('GET', '/', null, {}, { acquireTimeout: 30 }));
    expect(error.timer).to.equal('acquire');
  });

  it('waits within `total`', async () => {
    const pool = TCP.pool(await rawServer(() => undefined), { maxConnections: 1 });
    void pool.request('GET', '/').catch(() => undefined);
    const begun = performance.now();
    const error = await rejection<TimeoutError>(
      pool.request('GET', '/', null, {}, { timeout: { total: 60 } }),
    );
    expect(error).to.include({ timer: 'total', url: '/' });
    expect(performance.now() - begun).to.be.within(50, 500);
  });

  it('has the time it waited counted in `total` when it runs', async () => {
    const server = await rawServer((socket, request) => {
      if (request.line.includes('/first')) setTimeout(() => socket.write(OK), 100);
    });
    const pool = TCP.pool(server, { maxConnections: 1 });
    const first = pool.request('GET', '/first').then((response) => response.text());
    const begun = performance.now();
    const error = await rejection<TimeoutError>(
      pool.request('GET', '/', null, {}, { timeout: { total: 200 } }),
    );
    expect(error).to.include({ timer: 'total', phase: 'response' });
    expect(error.message).to.match(/200 ms/);
    // Not 200 ms from when it got its connection.
    expect(performance.now() - begun).to.be.within(190, 290);
    await first;
  });

  it('is refused at once where maxWaiting already wait', async () => {
    const pool = TCP.pool(await rawServer(() => undefined), { maxConnections: 1, maxWaiting: 2 });
    const others = [1, 2, 3].map(() => rejection(pool.request('GET', '/')));
    const error = await rejection<LimitExceeded>(pool.request('GET', '/fourth'));
    expect(error).to.be.instanceOf(LimitExceeded);
    expect(error).to.include({ limit: 'maxWaiting', allowed: 2, url: '/fourth' });
    pool.destroy();
    await Promise.all(others);
  });

  it('tries anew where the dial of another failed, which is rejected alone', async () => {
    const server = await rawServer(answer(OK));
    let dials = 0;
    const named = new HTTPConnectionPool(`http://somewhere.test:${String(server.port)}`, {
      maxConnections: 1,
      lookup: ((
        _name: string,
        _options: unknown,
        done: (error: Error | null, addresses?: unknown) => void,
      ) => {
        if (++dials === 1) done(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' }));
        else done(null, [{ address: '127.0.0.1', family: 4 }]);
      }) as never,
    });
    const [first, second] = await Promise.allSettled([
      named.request('GET', '/1'),
      named.request('GET', '/2'),
    ]);
    expect(first.status).to.equal('rejected');
    expect(second.status).to.equal('fulfilled');
    named.destroy();
  });
});

describe('connect() of a pool', () => {
  it('opens ahead, as many as fit', async () => {
    const server = await rawServer(answer(OK));
    const pool = TCP.pool(server, { maxConnections: 3 });
    const connecting = pool.connect(10);
    expect(pool.stats).to.deep.equal({ open: 3, busy: 0, idle: 0, waiting: 0 });
    await connecting;
    expect(pool.stats).to.deep.equal({ open: 3, busy: 0, idle: 3, waiting: 0 });
    await Promise.all([1, 2, 3].map(async () => (await pool.request('GET', '/')).text()));
    expect(server.connections).to.equal(3);
  });

  it('rejects with the failure, and the pool goes on', async () => {
    const server = await rawServer(answer(OK));
    const { port } = server;
    await server.close();
    const pool = new HTTPConnectionPool(`http://127.0.0.1:${String(port)}`);
    const error = await rejection<NodeJS.ErrnoException & { phase?: string }>(pool.connect());
    expect(error).to.include({ code: 'ECONNREFUSED', phase: 'connect' });
    expect(pool.stats).to.deep.equal({ open: 0, busy: 0, idle: 0, waiting: 0 });
  });

  it('gives what it opened to who waits', async () => {
    const pool = TCP.pool(await rawServer(answer(OK)), { maxConnections: 1 });
    const connecting = pool.connect();
    const response = pool.request('GET', '/');
    expect(pool.stats.waiting).to.equal(1);
    await connecting;
    expect(await (await response).text()).to.equal('ok');
  });
});

describe('the end of a pool', () => {
  it('by close() lets run what runs and waits, and takes no more', async () => {
    const server = await rawServer((socket) => setTimeout(() => socket.write(OK), 10));
    const pool = TCP.pool(server, { maxConnections: 1 });
    const calls = [1, 2, 3].map(async () => (await pool.request('GET', '/')).text());
    let closed = false;
    const closing = pool.close().then(() => {
      closed = true;
    });
    const refused = await rejection(pool.request('GET', '/late'));
    expect(refused).to.be.instanceOf(NotConnected);
    expect(closed).to.equal(false);
    expect(await Promise.all(calls)).to.deep.equal(['ok', 'ok', 'ok']);
    const begun = performance.now();
    await closing;
    expect(performance.now() - begun, 'no idle connection is waited for').to.be.below(1000);
    expect(pool.stats).to.deep.equal({ open: 0, busy: 0, idle: 0, waiting: 0 });
    await pool.close();
  });

  it('by close() waits for a response to be read', async () => {
    const pool = TCP.pool(await rawServer(answer(okWith('hello'))));
    const response = await pool.request('GET', '/');
    const closing = pool.close();
    await wait(20);
    expect(pool.stats.busy).to.equal(1);
    expect(await response.text()).to.equal('hello');
    await closing;
  });

  for (const [name, given] of [
    ['NotConnected', undefined],
    ['the error that was given', new RangeError('enough')],
  ] as const) {
    it(`by destroy() ends everything at once with ${name}`, async () => {
      const server = await rawServer((socket, request) => {
        if (request.line.includes('/body')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhel');
        if (request.line.includes('/whole')) socket.write(okWith('hello'));
      });
      const pool = TCP.pool(server, { maxConnections: 3 });
      const whole = await pool.request('GET', '/whole');
      const body = await pool.request('GET', '/body');
      const reading = rejection(body.readall());
      const failures = ['/silent', '/waiting'].map((url) => rejection(pool.request('GET', url)));
      expect(pool.stats).to.include({ open: 3, waiting: 1 });
      pool.destroy(given);
      expect(pool.stats).to.deep.equal({ open: 0, busy: 0, idle: 0, waiting: 0 });
      for (const error of [
        ...(await Promise.all(failures)),
        await reading,
        await rejection(whole.readall()),
      ]) {
        if (given === undefined) expect(error).to.be.instanceOf(NotConnected);
        else expect(error).to.equal(given);
      }
      expect(await rejection(pool.request('GET', '/'))).to.be.instanceOf(NotConnected);
      await Promise.all(server.peers.map((peer) => peer.closed));
    });
  }

  it('is waited for by `await using`', async () => {
    const pool = TCP.pool(await rawServer(answer(OK)));
    await (await pool.request('GET', '/')).text();
    await pool[Symbol.asyncDispose]();
    expect(pool.stats.open).to.equal(0);
  });
});

describe('the requests of a pool', () => {
  it('have its default fields, and their own in their place', async () => {
    const server = await rawServer(answer(OK));
    const pool = TCP.pool(server, { headers: { 'X-One': '1', 'X-Two': ['a', 'b'], 'User-Agent': 'pool' } });
    await (await pool.request('GET', '/', null, { 'x-two': 'own', Accept: '*/*' })).text();
    const { head } = server.request;
    expect(head)
      .to.match(/\r\nX-One: 1\r\n/)
      .and.match(/\r\nUser-Agent: pool\r\n/);
    expect(head)
      .to.match(/\r\nx-two: own\r\n/)
      .and.not.match(/X-Two/);
  });

  it('are written in UTF-8 unless they declare something else', async () => {
    const server = await rawServer(answer(OK));
    const pool = TCP.pool(server);
    await (await pool.request('POST', '/', 'ü€')).text();
    expect(server.request.body.toString()).to.equal('ü€');
  });

  it('show their URL without user information', async () => {
    const pool = TCP.pool(await rawServer(() => undefined), { maxConnections: 1, acquireTimeout: 20 });
    void pool.request('GET', 'http://u:secret@h/').catch(() => undefined);
    const error = await rejection(pool.request('GET', 'http://u:secret@h/2'));
    expect(error.message)
      .to.match(/http:\/\/h\//)
      .and.not.match(/secret/);
    expect(JSON.stringify(error)).not.to.match(/secret/);
  });

  it('are given their interim responses, by their own function or the pool’s', async () => {
    const server = await rawServer(answer(`HTTP/1.1 103 Early Hints\r\n\r\n${OK}`));
    const seen: string[] = [];
    const pool = TCP.pool(server, { onInformational: ({ status }) => seen.push(`pool ${String(status)}`) });
    await (await pool.request('GET', '/')).text();
    const onInformational = ({ status }: { status: number }): unknown => seen.push(`own ${String(status)}`);
    await (await pool.request('GET', '/', null, {}, { onInformational })).text();
    expect(seen).to.deep.equal(['pool 103', 'own 103']);
  });

  it('end with their own abort, which is given as it is', async () => {
    const pool = TCP.pool(await rawServer(() => undefined));
    const controller = new AbortController();
    const failed = rejection(pool.request('GET', '/', null, {}, { signal: controller.signal }));
    const reason = Object.freeze(new Error('stop'));
    setTimeout(() => controller.abort(reason), 20);
    expect(await failed).to.equal(reason);
    expect(pool.stats.open).to.equal(0);
    expect(await rejection(pool.request('GET', '/', null, {}, { signal: controller.signal }))).to.equal(
      reason,
    );
  });
});

describe('what is not for a pool', () => {
  for (const [name, reply, method] of [
    ['a 101', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nbytes', 'GET'],
    ['a 2xx to CONNECT', 'HTTP/1.1 200 OK\r\n\r\nbytes', 'CONNECT'],
  ] as const) {
    it(`ends with its head: ${name}, whose connection is closed`, async () => {
      const server = await rawServer(answer(reply));
      const pool = TCP.pool(server);
      const response = await pool.request(method, '/', null, { Upgrade: 'x', Connection: 'Upgrade' });
      expect(response.status).to.be.oneOf([101, 200]);
      expect(pool.stats).to.deep.equal({ open: 0, busy: 0, idle: 0, waiting: 0 });
      expect(await response.readall()).to.have.length(0);
      await server.peer().closed;
      await pool.close();
    });
  }

  it('a stream that fails while its request waits rejects that request, and nothing else', async () => {
    const pool = TCP.pool(await rawServer(() => undefined), { maxConnections: 1 });
    void pool.request('GET', '/').catch(() => undefined);
    const own = new Error('no more');
    const source = new Readable({ read: () => undefined });
    const failed = rejection(pool.request('PUT', '/waiting', source));
    expect(pool.stats.waiting).to.equal(1);
    source.destroy(own);
    expect(await failed).to.equal(own);
    expect(pool.stats.waiting).to.equal(0);
  });

  for (const [name, end] of [
    ['aborted', (_pool: HTTPConnectionPool, abort: () => void) => abort()],
    ['destroyed', (pool: HTTPConnectionPool) => pool.destroy()],
  ] as const) {
    it(`a source is told when its request was ${name} before it was sent`, async () => {
      const pool = TCP.pool(await rawServer(() => undefined), { maxConnections: 1 });
      void pool.request('GET', '/').catch(() => undefined);
      const source = new Readable({ read: () => undefined });
      const controller = new AbortController();
      const failed = rejection(pool.request('PUT', '/', source, {}, { signal: controller.signal }));
      end(pool, () => controller.abort());
      await failed;
      expect(source.destroyed).to.equal(true);
    });
  }
});

describe('what a pool refuses', () => {
  const ORIGINS: readonly (readonly [origin: unknown, kind: new (...args: never[]) => Error])[] = [
    ['http://h/path', InvalidURL],
    ['http://h/?q', InvalidURL],
    ['http://h?', InvalidURL],
    ['http://h/#f', InvalidURL],
    ['http://u:secret@h', InvalidURL],
    ['http://@h', InvalidURL],
    ['h:80', UnknownProtocol],
    ['ftp://h', UnknownProtocol],
    ['/', InvalidURL],
    ['', InvalidURL],
    ['http://', InvalidURL],
    ['http://h:99999', InvalidURL],
    [undefined, TypeError],
    [42, TypeError],
  ];
  for (const [origin, kind] of ORIGINS) {
    it(`the origin ${JSON.stringify(origin)}, with ${kind.name}`, () => {
      expect(() => new HTTPConnectionPool(untyped(origin)))
        .to.throw(kind)
        .with.property('message')
        .that.does.not.match(/secret/);
    });
  }

  for (const [origin, name] of [
    ['http://h', 'http://h'],
    ['http://h/', 'http://h'],
    ['HTTP://H:80', 'http://h'],
    ['https://[::1]:443', 'https://[::1]'],
    [new URL('https://h:444/'), 'https://h:444'],
  ] as const) {
    it(`not the origin ${String(origin)}, which is ${name}`, () => {
      expect(new HTTPConnectionPool(origin).origin).to.equal(name);
    });
  }

  const OPTIONS: readonly (readonly [option: object, kind: new (...args: never[]) => Error, says: RegExp])[] =
    [
      [{ maxConnection: 1 }, TypeError, /maxConnection.*maxConnections/],
      [{ maxConnections: 0 }, RangeError, /maxConnections/],
      [{ maxConnections: 1.5 }, TypeError, /maxConnections/],
      [{ maxConnections: '1' }, TypeError, /maxConnections/],
      [{ maxWaiting: -1 }, RangeError, /maxWaiting/],
      [{ acquireTimeout: 0 }, RangeError, /acquireTimeout/],
      [{ idleTimeout: 0 }, RangeError, /idleTimeout/],
      [{ idleTimeout: 'x' }, TypeError, /idleTimeout/],
      [{ maxAge: -1 }, RangeError, /maxAge/],
      [{ maxRequests: 0 }, RangeError, /maxRequests/],
      [{ retries: -1 }, TypeError, /retries/],
      [{ decompress: 1 }, TypeError, /decompress/],
      [{ headers: { 'a b': 'c' } }, TypeError, /field name/],
      [{ proxy: 'nonsense' }, InvalidURL, /proxy/],
      [{ timeout: 0 }, RangeError, /timeout/],
    ];
  for (const [option, kind, says] of OPTIONS) {
    it(`the option ${JSON.stringify(option)}, with ${kind.name}`, () => {
      expect(() => new HTTPConnectionPool('http://h', option)).to.throw(kind, says);
    });
  }

  it('not options that are undefined', () => {
    const options = { maxConnections: undefined, retries: undefined, proxy: undefined, headers: undefined };
    expect(new HTTPConnectionPool('http://h', options).origin).to.equal('http://h');
  });

  const REQUESTS: readonly (readonly [
    name: string,
    args: unknown[],
    kind: new (...args: never[]) => Error,
  ])[] = [
    ['a method that is no token', ['GE T', '/'], TypeError],
    ['a target with a space', ['GET', '/a b'], InvalidURL],
    ['a target that is no text', ['GET', {}], TypeError],
    ['a field that may not be sent', ['GET', '/', null, { a: 'b\r\nc' }], TypeError],
    ['a body of another kind', ['POST', '/', 42], TypeError],
    ['an option that is none', ['GET', '/', null, {}, { timeuot: 1 }], TypeError],
    ['retries that are none', ['GET', '/', null, {}, { retries: 'x' }], TypeError],
    ['a signal that is none', ['GET', '/', null, {}, { signal: {} }], TypeError],
  ];
  for (const [name, args, kind] of REQUESTS) {
    it(`${name}, with ${kind.name}, before anything is opened`, async () => {
      const server = await rawServer(answer(OK));
      const pool = TCP.pool(server);
      const error = await rejection(
        (pool.request as (...all: unknown[]) => Promise<unknown>).apply(pool, args),
      );
      expect(error).to.be.instanceOf(kind);
      expect(pool.stats).to.deep.equal({ open: 0, busy: 0, idle: 0, waiting: 0 });
      expect(server.connections).to.equal(0);
    });
  }
});
