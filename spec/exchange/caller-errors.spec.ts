/**
 * Errors and abort reasons of the caller: given as they are, never written to, whatever they are made of; and callers' functions that
 * throw fail their own exchange and nothing else.
 */
import { getEventListeners } from 'node:events';
import { Readable } from 'node:stream';
import { expect } from 'chai';
import { HTTPException } from '../../lib/index.js';
import type { HTTPConnection, RequestOptions } from '../../lib/index.js';
import { OK } from '../support/raw-server.js';
import type { RawServer } from '../support/raw-server.js';
import { rejection, unhandledRejections } from '../support/rejection.js';
import { uncaughtErrors } from '../support/uncaught.js';
import { TCP, TLS, TUNNEL } from '../support/transports.js';

function refuse(): never {
  throw new Error('nobody may touch this');
}

class Touchy extends Error {
  override get message(): string {
    return refuse();
  }
  override get name(): string {
    return refuse();
  }
  override get stack(): string {
    return refuse();
  }
  get code(): string {
    return refuse();
  }
  get method(): string {
    return refuse();
  }
}

class ReadOnly extends Error {
  get method(): string {
    return 'mine';
  }
  get url(): string {
    return 'mine';
  }
}

/** What a caller may throw or abort with. Made anew for each use. */
const KINDS: Record<string, () => unknown> = {
  'a frozen error': () => Object.freeze(new Error('frozen')),
  'an error with read-only members': () => new ReadOnly('read-only'),
  'an error whose getters throw': () => new Touchy(),
  'a proxy that throws at every touch': () =>
    new Proxy(
      {},
      {
        get: refuse,
        set: refuse,
        has: refuse,
        getPrototypeOf: refuse,
        ownKeys: refuse,
        defineProperty: refuse,
        getOwnPropertyDescriptor: refuse,
        isExtensible: refuse,
      },
    ),
  'a revoked proxy': () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  },
  'an error of Node with a code': () =>
    Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', syscall: 'read' }),
  'an object without a prototype': () => Object.create(null) as unknown,
  'a string': () => 'just a word',
  'a number': () => 7,
  'a symbol': () => Symbol('reason'),
  null: () => null,
  false: () => false,
};

/** What is on it, without calling anything of it. */
function members(value: unknown): string {
  try {
    return JSON.stringify(Object.getOwnPropertyDescriptors(value as object), (_key, each: unknown) =>
      typeof each === 'function' ? 'a function' : each,
    );
  } catch {
    return 'untouchable';
  }
}

async function outcome(promise: Promise<unknown>): Promise<{ error: unknown } | null> {
  try {
    await promise;
    return null;
  } catch (error) {
    return { error };
  }
}

/** Compared without a matcher that would print, and touch, it. */
function expectSame(actual: { error: unknown } | null, expected: unknown): void {
  expect(actual !== null && Object.is(actual.error, expected)).to.equal(true);
}

/** The same, or the cause of one of ours: Node's streams take a falsy error for none, and read the `stack` of every other. */
function expectShown(actual: { error: unknown } | null, expected: unknown): void {
  if (actual !== null && Object.is(actual.error, expected)) return;
  expect(actual?.error instanceof HTTPException).to.equal(true);
  expectSame({ error: (actual?.error as Error | undefined)?.cause }, expected);
}

async function expectNextWorks(connection: HTTPConnection): Promise<void> {
  expect(connection.state).to.equal('Idle');
  await connection.request('GET', '/next');
  expect(await (await connection.getResponse()).text()).to.equal('ok');
}

for (const way of [TCP, TLS, TUNNEL]) {
  describe(`over ${way.name}`, () => {
    let server: RawServer;
    let connection: HTTPConnection;

    beforeEach(async () => {
      server = await way.serve((socket, { target }) => {
        if (target === '/mute') return;
        if (target === '/half') socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf');
        else socket.write(`HTTP/1.1 103 Early Hints\r\n\r\n${OK}`);
      });
      connection = await way.connect(server);
    });

    for (const [name, make] of Object.entries(KINDS)) {
      describe(name, () => {
        it('as the reason of an abort while a head is waited for, and while a body is read', async () => {
          const stray = await uncaughtErrors(async () => {
            for (const url of ['/mute', '/half']) {
              const aborter = new AbortController();
              const reason = make();
              const before = members(reason);
              await connection.request('GET', url, null, {}, { signal: aborter.signal });
              const reading = outcome(connection.getResponse().then((response) => response.readall()));
              await new Promise((resolve) => setTimeout(resolve, 10));
              aborter.abort(reason);
              const told = await reading;
              if (url === '/mute') expectSame(told, reason);
              else expectShown(told, reason);
              expect(members(reason)).to.equal(before);
            }
          });
          expect(stray).to.have.length(0);
          await expectNextWorks(connection);
        });

        it('thrown by a source, an iterator, a stream', async () => {
          const stray = await uncaughtErrors(async () => {
            const thrown = make();
            const before = members(thrown);
            async function* generator(): AsyncGenerator<string> {
              yield 'a';
              await Promise.resolve();
              throw thrown;
            }
            expectSame(await outcome(connection.request('POST', '/', generator())), thrown);
            const iterable: Iterable<string> = {
              [Symbol.iterator]: () => ({
                next: () => {
                  throw thrown;
                },
              }),
            };
            expectSame(await outcome(connection.request('POST', '/', iterable)), thrown);
            if (name === 'a frozen error' || name === 'an error with read-only members') {
              const stream = new Readable({ read() {} });
              const sent = outcome(connection.request('POST', '/', stream));
              stream.destroy(thrown as Error);
              expectSame(await sent, thrown);
            }
            expect(members(thrown)).to.equal(before);
          });
          expect(stray).to.have.length(0);
          await expectNextWorks(connection);
        });

        it('thrown by onInformational, and by an async one', async () => {
          const stray = await uncaughtErrors(async () => {
            for (const how of ['throws', 'rejects']) {
              const thrown = make();
              const options: RequestOptions = {
                onInformational: () => {
                  if (how === 'throws') throw thrown;
                  return Promise.reject(thrown) as never;
                },
              };
              await connection.request('GET', '/', null, {}, options);
              const told = await outcome(connection.getResponse().then((response) => response.readall()));
              // One that rejects may be late: the head came with it.
              if (how === 'throws') expectSame(told, thrown);
              connection.close();
            }
          });
          expect(stray).to.have.length(0);
          await expectNextWorks(connection);
        });

        it('thrown by trailers', async () => {
          const stray = await uncaughtErrors(async () => {
            const thrown = make();
            const trailers = (): never => {
              throw thrown;
            };
            const told = await outcome(connection.request('POST', '/', ['a'], {}, { trailers }));
            expectShown(told, thrown);
          });
          expect(stray).to.have.length(0);
          await expectNextWorks(connection);
        });
      });
    }
  });
}

describe('a reason shared by several requests', () => {
  it('is given to each as it is, and says nothing of any of them', async () => {
    const server = await TCP.serve(() => undefined);
    const connections = await Promise.all([1, 2, 3, 4].map(() => TCP.connect(server)));
    const aborter = new AbortController();
    const { signal } = aborter;
    const left = await unhandledRejections(async () => {
      const waiting = connections.map(async (connection, i) => {
        await connection.request('GET', `/${String(i)}`, null, {}, { signal });
        return rejection(connection.getResponse());
      });
      await server.until(() => server.requests.length === 4);
      aborter.abort();
      for (const error of await Promise.all(waiting)) {
        expect(error).to.equal(signal.reason);
        expect(error).to.not.have.property('url');
        expect(error).to.not.have.property('method');
        expect(error.message).to.equal('This operation was aborted');
      }
    });
    expect(left).to.deep.equal([]);
    expect(getEventListeners(signal, 'abort')).to.have.length(0);
  });

  it('is not described either when it is one of ours', async () => {
    const server = await TCP.serve(() => undefined);
    const connection = await TCP.connect(server);
    const other = await TCP.connect(server);
    other.close();
    await other.request('GET', '/theirs');
    const head = rejection(other.getResponse());
    other.close();
    const reason = await head;
    const { message } = reason;
    const aborter = new AbortController();
    await connection.request('GET', '/mine', null, {}, { signal: aborter.signal });
    const waiting = rejection(connection.getResponse());
    aborter.abort(reason);
    expect(await waiting).to.equal(reason);
    expect([reason.message, (reason as { url?: string }).url]).to.deep.equal([message, '/theirs']);
  });
});

describe('a throwing onInformational', () => {
  it('fails its exchange and leaves others on other connections alone', async () => {
    const server = await TCP.serve((socket) => {
      socket.write('HTTP/1.1 103 Early Hints\r\n\r\n');
      setTimeout(() => socket.write(OK), 10);
    });
    const throwing = await TCP.connect(server, {
      onInformational: () => {
        throw new Error('mine');
      },
    });
    const quiet = await TCP.connect(server);
    const stray = await uncaughtErrors(async () => {
      await Promise.all([throwing.request('GET', '/'), quiet.request('GET', '/')]);
      const [first, second] = await Promise.all([
        rejection(throwing.getResponse()),
        quiet.getResponse().then((response) => response.text()),
      ]);
      expect(first.message).to.equal('mine');
      expect(second).to.equal('ok');
    });
    expect(stray).to.deep.equal([]);
  });
});
