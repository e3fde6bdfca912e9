/**
 * Sources that fail, stand still or are pulled away while `send()` reads them: every call settles with the source's own error, nothing is
 * thrown outside of a call, and the connection is Idle behind it.
 */
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { expect } from 'chai';
import { NotConnected, TimeoutError } from '../../lib/index.js';
import type { HTTPConnection, RequestOptions } from '../../lib/index.js';
import { patternBytes, silentBody } from '../support/body-sources.js';
import { sleep } from '../support/expiry.js';
import { OK } from '../support/raw-server.js';
import type { RawServer } from '../support/raw-server.js';
import { rejection, unhandledRejections } from '../support/rejection.js';
import { uncaughtErrors } from '../support/uncaught.js';
import { TCP, TLS, TUNNEL } from '../support/transports.js';

const MISSING = '/nowhere/at/all/missing.bin';

/** A FileHandle whose first block never comes, as that of a FIFO nobody writes to. */
function stuckFile(): { handle: never; asked: () => number } {
  let asked = 0;
  const handle = {
    fd: 1000,
    createReadStream: () => null,
    read: () => {
      asked++;
      return new Promise(() => undefined);
    },
  };
  return { handle: handle as never, asked: () => asked };
}

function destroyedSoon(): Readable {
  const stream = new Readable({ read() {} });
  stream.push('part');
  setTimeout(() => stream.destroy(), 15);
  return stream;
}

function failingSoon(error: Error, first = 'part'): Readable {
  const stream = new Readable({ read() {} });
  if (first !== '') stream.push(first);
  setTimeout(() => stream.destroy(error), 15);
  return stream;
}

/** A request whose body `send()` is to bring. */
async function begun(connection: HTTPConnection, bytes: number, options?: RequestOptions): Promise<void> {
  connection.putRequest('POST', '/up');
  connection.putHeader('Content-Length', bytes);
  await connection.endHeaders(null, options);
}

async function expectNextWorks(connection: HTTPConnection): Promise<void> {
  expect(connection.state).to.equal('Idle');
  await connection.request('GET', '/next');
  expect(await (await connection.getResponse()).text()).to.equal('ok');
}

for (const way of [TCP, TLS, TUNNEL]) {
  describe(`send() over ${way.name} of a source that fails`, () => {
    let server: RawServer;
    let connection: HTTPConnection;

    beforeEach(async () => {
      server = await way.serve((socket) => socket.write(OK));
      connection = await way.connect(server);
    });

    it('rejects for a file that is not there, with nothing uncaught, and the rest can still be sent', async () => {
      await begun(connection, 2);
      const stray = await uncaughtErrors(async () => {
        const error = await rejection<NodeJS.ErrnoException>(connection.send(createReadStream(MISSING)));
        expect(error.code).to.equal('ENOENT');
      });
      expect(stray).to.deep.equal([]);
      // Nothing of it was on the wire: the promise of the head can still be kept.
      await connection.send('hi');
      expect(await (await connection.getResponse()).text()).to.equal('ok');
      expect(server.requests[0]?.body.toString()).to.equal('hi');
    });

    it('rejects for a stream that is closed before its end, and the exchange has failed', async () => {
      await begun(connection, 100);
      const head = rejection(connection.getResponse());
      const error = await rejection<NodeJS.ErrnoException>(connection.send(destroyedSoon()));
      expect(error.code).to.equal('ERR_STREAM_PREMATURE_CLOSE');
      expect(await head).to.equal(error);
      await expectNextWorks(connection);
    });

    it('rejects with the error of a stream that fails in mid-exchange, and nothing is uncaught', async () => {
      const failure = new Error('the disk is gone');
      await begun(connection, 100);
      const stray = await uncaughtErrors(async () => {
        expect(await rejection(connection.send(failingSoon(failure)))).to.equal(failure);
      });
      expect(stray).to.deep.equal([]);
      expect(connection.socket).to.equal(null);
      await expectNextWorks(connection);
    });

    it('rejects with what a generator throws, as it was thrown', async () => {
      const failure = Object.freeze({ not: 'an error' });
      async function* source(): AsyncGenerator<string> {
        yield 'part';
        await sleep(5);
        // oxlint-disable-next-line typescript/only-throw-error -- a caller may throw anything
        throw failure;
      }
      await begun(connection, 100);
      expect(await rejection<unknown>(connection.send(source()))).to.equal(failure);
      await expectNextWorks(connection);
    });

    it('is not held by a stream that fails while it waits behind another, nor is that other', async () => {
      const failure = new Error('gone while it waited');
      await begun(connection, 5);
      async function* slow(): AsyncGenerator<string> {
        yield 'he';
        await sleep(40);
        yield 'llo';
      }
      const stray = await uncaughtErrors(async () => {
        const first = connection.send(slow());
        const second = rejection(connection.send(failingSoon(failure, '')));
        expect(await second).to.equal(failure);
        await first;
      });
      expect(stray).to.deep.equal([]);
      expect(await (await connection.getResponse()).text()).to.equal('ok');
      expect(server.requests[0]?.body.toString()).to.equal('hello');
    });
  });
}

describe('a foreign stream whose on() throws', () => {
  const mine = new Error('mine');
  const foreign = (): never =>
    ({
      pipe() {},
      readable: true,
      on() {
        throw mine;
      },
      destroy() {},
    }) as never;

  it('is refused by request(), and no clock outlives it', async () => {
    const server = await TCP.serve((socket) => socket.write(OK));
    const connection = await TCP.connect(server);
    const stray = await uncaughtErrors(async () => {
      expect(
        await rejection(connection.request('POST', '/', foreign(), {}, { timeout: { total: 30 } })),
      ).to.equal(mine);
      await sleep(60);
    });
    expect(stray).to.deep.equal([]);
    await expectNextWorks(connection);
  });

  it('is refused by send(), and the rest can still be sent', async () => {
    const server = await TCP.serve((socket) => socket.write(OK));
    const connection = await TCP.connect(server);
    await begun(connection, 2);
    expect(await rejection(connection.send(foreign()))).to.equal(mine);
    await connection.send('hi');
    expect(await (await connection.getResponse()).text()).to.equal('ok');
  });
});

describe('send() of a source that never answers', () => {
  let server: RawServer;
  let connection: HTTPConnection;

  beforeEach(async () => {
    server = await TCP.serve((socket) => socket.write(OK));
    connection = await TCP.connect(server);
  });

  for (const kind of ['a file', 'an iterator', 'a stream'] as const) {
    const make = (): never => {
      if (kind === 'a file') return stuckFile().handle;
      if (kind === 'an iterator') return silentBody().body as never;
      return new Readable({ read() {} }) as never;
    };

    it(`${kind}: close() ends it, and getResponse() beside it`, async () => {
      await begun(connection, 10);
      const left = await unhandledRejections(async () => {
        const sending = rejection(connection.send(make()));
        const head = rejection(connection.getResponse());
        await sleep(10);
        connection.close();
        expect(await sending).to.be.instanceOf(NotConnected);
        expect(await head).to.be.instanceOf(NotConnected);
      });
      expect(left).to.deep.equal([]);
      await expectNextWorks(connection);
    });

    it(`${kind}: the signal ends it with its reason`, async () => {
      const aborter = new AbortController();
      await begun(connection, 10, { signal: aborter.signal });
      const reason = new Error('enough');
      const left = await unhandledRejections(async () => {
        const sending = rejection(connection.send(make()));
        await sleep(10);
        aborter.abort(reason);
        expect(await sending).to.equal(reason);
      });
      expect(left).to.deep.equal([]);
      await expectNextWorks(connection);
    });

    it(`${kind}: total ends it`, async () => {
      await begun(connection, 10, { timeout: { total: 60 } });
      const left = await unhandledRejections(async () => {
        const error = await rejection<TimeoutError>(connection.send(make()));
        expect(error).to.be.instanceOf(TimeoutError);
        expect(error.timer).to.equal('total');
      });
      expect(left).to.deep.equal([]);
      await expectNextWorks(connection);
    });

    it(`${kind}: a promise nobody holds is no unhandled rejection once getResponse() was asked`, async () => {
      await begun(connection, 10);
      const left = await unhandledRejections(async () => {
        const head = rejection(connection.getResponse());
        connection.send(make()).catch(() => undefined);
        await sleep(5);
        connection.close();
        await head;
      });
      expect(left).to.deep.equal([]);
    });

    it(`${kind}: an early refusal ends the wait`, async () => {
      const refusing = await TCP.serve(
        (socket) =>
          setTimeout(
            () => socket.end('HTTP/1.1 413 Too\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno'),
            20,
          ),
        { atHead: true },
      );
      const other = await TCP.connect(refusing);
      await begun(other, 10);
      const sending = other.send(make());
      const response = await other.getResponse();
      await sending;
      expect([response.status, await response.text()]).to.deep.equal([413, 'no']);
    });

    it(`${kind}: another request is refused or ends it, and nothing hangs`, async () => {
      await begun(connection, 10);
      const sending = rejection(connection.send(make()));
      await sleep(5);
      const refused = await rejection(connection.request('GET', '/next'));
      expect(refused).to.have.property('code', 'ERR_CANNOT_SEND_REQUEST');
      connection.close();
      expect(await sending).to.be.instanceOf(NotConnected);
      await expectNextWorks(connection);
    });

    it(`${kind}: in Idle, close() ends it`, async () => {
      const sending = rejection(connection.send(make()));
      await sleep(10);
      expect(connection.state).to.equal('Idle');
      connection.close();
      expect(await sending).to.be.instanceOf(NotConnected);
      await expectNextWorks(connection);
    });
  }

  it('a peer that stops reading is found by the send clock', async () => {
    const silent = await TCP.serve(() => undefined, { silent: true });
    const other = await TCP.connect(silent);
    await begun(other, 64_000_000, { timeout: { send: 80 } });
    const error = await rejection<TimeoutError>(other.send(patternBytes(64_000_000)));
    expect([error.timer, error.phase]).to.deep.equal(['send', 'send']);
    expect(other.state).to.equal('Idle');
  });

  it('a peer that stops reading is found by the send clock under a stream, too', async () => {
    const silent = await TCP.serve(() => undefined, { silent: true });
    const other = await TCP.connect(silent);
    await begun(other, 64_000_000, { timeout: { send: 80 } });
    const source = Readable.from(
      Array.from({ length: 640 }, () => patternBytes(100_000)),
      { objectMode: false },
    );
    const error = await rejection<TimeoutError>(other.send(source));
    expect([error.timer, error.phase]).to.deep.equal(['send', 'send']);
    expect(source.destroyed).to.equal(true);
  });

  it('a silent source stops the send clock', async () => {
    await begun(connection, 4, { timeout: { send: 30, response: 2000 } });
    async function* slow(): AsyncGenerator<string> {
      yield 'ab';
      await sleep(120);
      yield 'cd';
    }
    await connection.send(slow());
    expect(await (await connection.getResponse()).text()).to.equal('ok');
  });

  it('the response clock does not run while send() owes, and runs from its last byte on', async () => {
    const mute = await TCP.serve(() => undefined);
    const other = await TCP.connect(mute);
    await begun(other, 4, { timeout: { response: 60 } });
    const head = rejection<TimeoutError>(other.getResponse());
    let settled = false;
    void head.then(() => (settled = true));
    await sleep(120);
    expect(settled).to.equal(false);
    await other.send('ab');
    await sleep(90);
    expect(settled).to.equal(false);
    const lastAt = performance.now();
    await other.send('cd');
    const error = await head;
    expect(error.timer).to.equal('response');
    expect(performance.now() - lastAt).to.be.within(55, 500);
  });
});
