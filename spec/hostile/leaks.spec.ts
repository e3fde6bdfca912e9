/**
 * After ten thousand exchanges, a thousand of them aborted or broken, nothing is left of them: no socket, timer, listener, or memory.
 */
import { EventEmitter, once } from 'node:events';
import { getEventListeners } from 'node:events';
import * as net from 'node:net';
import type { AddressInfo } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import { HTTPConnection } from '../../lib/index.js';
import { unhandledRejections } from '../support/rejection.js';

const EXCHANGES = 10_000;
const WORKERS = 40;
/** Each of these ends one exchange in a hundred. */
const TROUBLES = [
  'abort while dialling',
  'abort before the head',
  'abort in the body',
  'destroy',
  'close',
  'drop',
  'reset before the head',
  'FIN in the body',
  'timeout',
  'source fails',
] as const;
type Trouble = (typeof TROUBLES)[number];

const BODY = 'x'.repeat(2000);
const HEAD = `HTTP/1.1 200 OK\r\nContent-Length: ${String(BODY.length)}\r\n\r\n`;

/** Answers by target, keeping nothing of what it was asked. */
function startServer(): net.Server {
  return net.createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      const text = bytes.toString('latin1');
      if (!text.startsWith('GET ') && !text.endsWith('0\r\n\r\n')) return;
      if (text.includes('/reset')) socket.resetAndDestroy();
      else if (text.includes('/part')) socket.write(HEAD + BODY.slice(1000));
      else if (text.includes('/cut')) socket.end(HEAD + BODY.slice(1000));
      else if (!text.includes('/silent')) socket.write(HEAD + BODY);
    });
  });
}

async function* failingSource(): AsyncGenerator<string> {
  yield await Promise.resolve('some');
  throw new Error('the source failed');
}

async function* goodSource(): AsyncGenerator<string> {
  yield await Promise.resolve('some');
  yield 'more';
}

async function runGood(connection: HTTPConnection, i: number, signal: AbortSignal): Promise<void> {
  const body = i % 5 === 0 ? goodSource() : null;
  await connection.request(body === null ? 'GET' : 'POST', '/', body, {}, { signal, timeout: 20_000 });
  const response = await connection.getResponse();
  if (i % 3 === 0) for await (const _ of response);
  else expect(await response.readall()).to.have.length(BODY.length);
}

async function runTrouble(connection: HTTPConnection, trouble: Trouble, shared: AbortSignal): Promise<void> {
  const aborter = new AbortController();
  const { signal } = aborter;
  const target = { 'reset before the head': '/reset', 'FIN in the body': '/cut', timeout: '/silent' }[
    trouble as string
  ];
  if (trouble === 'abort while dialling') {
    connection.close();
    const sent = connection.request('GET', '/silent', null, {}, { signal });
    setImmediate(() => aborter.abort());
    await sent;
    await connection.getResponse();
  } else if (trouble === 'abort before the head') {
    await connection.request('GET', '/silent', null, {}, { signal });
    setImmediate(() => aborter.abort());
    await connection.getResponse();
  } else if (trouble === 'timeout') {
    await connection.request('GET', '/silent', null, {}, { signal: shared, timeout: 5 });
    await connection.getResponse();
  } else if (trouble === 'source fails') {
    await connection.request('POST', '/', failingSource(), {}, { signal: shared });
  } else {
    await connection.request('GET', target ?? '/part', null, {}, { signal, timeout: 20_000 });
    const response = await connection.getResponse();
    if (trouble === 'abort in the body') setImmediate(() => aborter.abort());
    else if (trouble === 'destroy') response.destroy();
    else if (trouble === 'close' || trouble === 'drop') connection.close();
    if (trouble !== 'drop') await response.readall();
  }
}

function countResources(kind: string): number {
  return process.getActiveResourcesInfo().filter((name) => name === kind).length;
}

function usedHeap(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}

describe('leaks', () => {
  it('none after 10,000 exchanges, 1,000 of them aborted or broken', async function () {
    this.timeout(60_000);
    const server = startServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const shared = new AbortController();
    // Forty connections share it on purpose; Node would warn of eleven.
    EventEmitter.setMaxListeners(WORKERS + 1, shared.signal);
    let failures = 0;
    const run = async (exchanges: number): Promise<void> => {
      let next = 0;
      const worker = async (): Promise<void> => {
        const connection = new HTTPConnection('127.0.0.1', port);
        while (next < exchanges) {
          const i = next++;
          if (i % 10 !== 9) {
            await runGood(connection, i, shared.signal);
            continue;
          }
          const trouble = TROUBLES[Math.floor(i / 10) % TROUBLES.length] as Trouble;
          try {
            await runTrouble(connection, trouble, shared.signal);
          } catch {
            failures++;
          }
        }
        connection.close();
      };
      await Promise.all(Array.from({ length: WORKERS }, worker));
      await new Promise((resolve) => setTimeout(resolve, 30));
    };
    await run(1000);
    failures = 0;
    const base = {
      heap: usedHeap(),
      sockets: countResources('TCPSocketWrap'),
      timers: countResources('Timeout'),
    };
    const unhandled = await unhandledRejections(() => run(EXCHANGES));
    expect(failures).to.equal(900);
    expect(unhandled).to.deep.equal([]);
    expect(countResources('TCPSocketWrap')).to.equal(base.sockets);
    expect(countResources('Timeout')).to.equal(base.timers);
    expect(getEventListeners(shared.signal, 'abort')).to.have.length(0);
    expect(usedHeap() - base.heap).to.be.below(1_000_000);
    await new Promise((resolve) => server.close(resolve));
  });

  it('no socket and no timer after a dial that failed, was aborted, or lost its race', async () => {
    // Not at once: mocha starts its own timer at the first await.
    await new Promise(setImmediate);
    const base = { sockets: countResources('TCPSocketWrap'), timers: countResources('Timeout') };
    const lookup: net.LookupFunction = (_host, _options, done) => {
      done(null, [
        { address: '127.0.0.1', family: 4 },
        { address: '127.0.0.2', family: 4 },
      ]);
    };
    for (let i = 0; i < 20; i++) {
      const connection = new HTTPConnection('many.test', 1, {
        lookup,
        timeout: { connect: 60_000, total: 60_000 },
      });
      const aborter = new AbortController();
      const sent = connection.request('GET', '/', null, {}, { signal: aborter.signal });
      if (i % 2 === 0) aborter.abort();
      await sent.catch(() => undefined);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(countResources('TCPSocketWrap')).to.equal(base.sockets);
    expect(countResources('Timeout')).to.equal(base.timers);
  });
});
