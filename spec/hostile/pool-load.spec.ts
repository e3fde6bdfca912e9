/**
 * Pools under load: connections that go stale all the time, thousands who wait, tens of thousands of requests, responses that nobody
 * reads. Nothing is lost, sent twice, or kept.
 */
import { once } from 'node:events';
import * as net from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { expect } from 'chai';

import { HTTPConnectionPool } from '../../lib/index.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

type Reply = (socket: Socket, id: string, method: string) => void;

const servers: net.Server[] = [];
const pools: HTTPConnectionPool[] = [];

/** Calls back with each request that has no body, or a short one by Content-Length. */
async function serve(reply: Reply): Promise<number> {
  const server = net.createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      for (const [, method = '', id = ''] of bytes.toString('latin1').matchAll(/^([A-Z]+) \/(\S*) HTTP/gm))
        reply(socket, id, method);
    });
  });
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

function poolOf(
  port: number,
  options: ConstructorParameters<typeof HTTPConnectionPool>[1],
): HTTPConnectionPool {
  const pool = new HTTPConnectionPool(`http://127.0.0.1:${String(port)}`, options);
  pools.push(pool);
  return pool;
}

const ok = (text: string): string =>
  `HTTP/1.1 200 OK\r\nContent-Length: ${String(text.length)}\r\n\r\n${text}`;

afterEach(async () => {
  for (const pool of pools.splice(0)) pool.destroy();
  for (const server of servers.splice(0)) server.close();
  await wait(0);
});

describe('a pool whose server closes behind each reply', () => {
  const ENDS: readonly (readonly [name: string, end: (socket: Socket) => void])[] = [
    ['at once', (socket) => socket.end()],
    ['a moment later', (socket) => setImmediate(() => socket.end())],
  ];
  for (const [name, end] of ENDS) {
    it(`${name}: of 5,000 requests by 32 callers none is lost, and no POST comes twice`, async function () {
      this.timeout(60_000);
      const seen = new Map<string, number>();
      const port = await serve((socket, id, method) => {
        if (method === 'POST') seen.set(id, (seen.get(id) ?? 0) + 1);
        socket.write(ok(id));
        end(socket);
      });
      const pool = poolOf(port, { maxConnections: 32 });
      let next = 0;
      const lost: string[] = [];
      const caller = async (): Promise<void> => {
        while (next < 5000) {
          const id = String(next++);
          const method = Number(id) % 2 === 0 ? 'GET' : 'POST';
          try {
            const text = await (await pool.request(method, `/${id}`, method === 'POST' ? 'x' : null)).text();
            if (text !== id) lost.push(`${id} got ${text}`);
          } catch (error) {
            lost.push(`${method} ${id}: ${String(error)}`);
          }
        }
      };
      await Promise.all(Array.from({ length: 32 }, caller));
      expect(lost.slice(0, 5)).to.deep.equal([]);
      expect([...seen.values()].filter((times) => times > 1)).to.deep.equal([]);
      expect(seen.size).to.equal(2500);
    });
  }
});

describe('ten thousand requests that wait', () => {
  const WAITING = 10_000;

  it('cost at most 1.5 kB each, start in their order, and leave without a scan', async function () {
    this.timeout(60_000);
    const started: string[] = [];
    const held: Socket[] = [];
    const port = await serve((socket, id) => {
      if (id === 'first') {
        held.push(socket);
        return;
      }
      started.push(id);
      socket.write(ok(id));
    });
    const pool = poolOf(port, { maxConnections: 1 });
    const first = pool.request('GET', '/first').then((response) => response.text());
    const promises: Promise<unknown>[] = Array.from({ length: WAITING });
    const controllers = Array.from({ length: WAITING }, (_, number) =>
      number % 2 === 1 ? new AbortController() : null,
    );
    while (held.length === 0) await wait(1);
    collectGarbage();
    collectGarbage();
    const before = process.memoryUsage().heapUsed;
    for (let number = 0; number < WAITING; number++)
      promises[number] = pool.request('GET', `/${String(number)}`);
    collectGarbage();
    collectGarbage();
    const each = (process.memoryUsage().heapUsed - before) / WAITING;
    expect(pool.stats.waiting).to.equal(WAITING);
    expect(each).to.be.below(1500);
    // As many again, which are all aborted from the middle of the queue.
    const aborted: Promise<unknown>[] = [];
    for (const controller of controllers) {
      if (controller === null) continue;
      const call = pool.request('GET', '/never', null, {}, { signal: controller.signal });
      aborted.push(call.catch(() => undefined));
    }
    const begun = performance.now();
    for (const controller of controllers) controller?.abort();
    expect(performance.now() - begun).to.be.below(1500);
    expect(pool.stats.waiting).to.equal(WAITING);
    held[0]?.write(ok('first'));
    await first;
    for (const promise of promises) await ((await promise) as { text(): Promise<string> }).text();
    await Promise.all(aborted);
    expect(started).to.deep.equal(Array.from({ length: WAITING }, (_, number) => String(number)));
    expect(pool.stats).to.deep.equal({ open: 1, busy: 0, idle: 1, waiting: 0 });
  });
});

describe('a response that is dropped unread', () => {
  for (const [name, size] of [
    ['small', 5],
    ['large', 5_000_000],
  ] as const) {
    it(`gives its connection up when the garbage collector has found it: a ${name} one`, async function () {
      this.timeout(20_000);
      const port = await serve((socket) => {
        socket.write(ok('x'.repeat(size)));
      });
      const pool = poolOf(port, { maxConnections: 4 });
      const drop = async (): Promise<void> => {
        await Promise.all([1, 2, 3, 4].map(async () => void (await pool.request('GET', '/'))));
      };
      await drop();
      expect(pool.stats.busy).to.equal(4);
      for (let turn = 0; turn < 200 && pool.stats.busy > 0; turn++) {
        await wait(10);
        collectGarbage();
      }
      expect(pool.stats).to.deep.equal({ open: 0, busy: 0, idle: 0, waiting: 0 });
      expect(await (await pool.request('GET', '/')).readall()).to.have.length(size);
    });
  }

  it('is not taken for one that is being read, however slowly', async function () {
    this.timeout(20_000);
    const port = await serve((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello');
      setTimeout(() => socket.write('world'), 200);
    });
    const pool = poolOf(port, {});
    const text = (await pool.request('GET', '/')).text();
    const ended = new Promise<number>((resolve) => {
      void pool.request('GET', '/').then((response) => {
        let length = 0;
        response.on('data', (bytes: Buffer) => (length += bytes.length)).on('end', () => resolve(length));
      });
    });
    for (let turn = 0; turn < 15; turn++) {
      await wait(10);
      collectGarbage();
    }
    expect(await text).to.equal('helloworld');
    expect(await ended).to.equal(10);
  });
});

describe('twenty thousand requests, two thousand of them aborted or broken', () => {
  it('leave heap and sockets as they were', async function () {
    this.timeout(120_000);
    const port = await serve((socket, id) => {
      const number = Number(id);
      if (number % 20 === 7) socket.destroy();
      else if (number % 20 !== 13) socket.write(ok('x'.repeat(500)));
    });
    const pool = poolOf(port, { maxConnections: 32, timeout: { response: 5000 } });
    const run = async (count: number): Promise<void> => {
      let next = 0;
      const caller = async (): Promise<void> => {
        while (next < count) {
          const number = next++;
          const aborter = new AbortController();
          if (number % 20 === 13) setTimeout(() => aborter.abort(), 1);
          const call = pool.request('GET', `/${String(number)}`, null, {}, { signal: aborter.signal });
          await call.then((response) => response.readall()).catch(() => undefined);
        }
      };
      await Promise.all(Array.from({ length: 64 }, caller));
    };
    await run(2000);
    await wait(50);
    collectGarbage();
    const before = process.memoryUsage().heapUsed;
    await run(20_000);
    await wait(50);
    collectGarbage();
    collectGarbage();
    expect(process.memoryUsage().heapUsed - before).to.be.below(2_000_000);
    const { open, busy, waiting } = pool.stats;
    expect({ busy, waiting }).to.deep.equal({ busy: 0, waiting: 0 });
    expect(open).to.be.at.most(32);
    pool.destroy();
    await wait(50);
    expect(await new Promise((resolve) => servers[0]?.getConnections((_, count) => resolve(count)))).to.equal(
      0,
    );
  });
});
