/**
 * An exchange interrupted after each single turn of the event loop, and each single microtask, from its start to beyond its end: by an
 * abort, by close(), by destroying the response, by the server. Whatever the moment, all promises settle and the connection goes on.
 */
import { getEventListeners } from 'node:events';
import type { Socket } from 'node:net';
import { expect } from 'chai';
import type { HTTPConnection, HTTPResponse } from '../../lib/index.js';
import { patternBytes } from '../support/body-sources.js';
import { OK } from '../support/raw-server.js';
import type { RawServer } from '../support/raw-server.js';
import { unhandledRejections } from '../support/rejection.js';
import { TCP, TLS, TUNNEL } from '../support/transports.js';
import type { Way } from '../support/transports.js';

const TURNS = 30;
const MICROTASKS = 60;
const BODY = patternBytes(3000);

/** Answers whole requests, in two writes a turn apart. */
function startServer(way: Way): Promise<RawServer> {
  return way.serve((socket, { target }) => {
    if (target === '/next') {
      socket.write(OK);
      return;
    }
    socket.write(
      `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: ${String(BODY.length)}\r\n\r\n`,
    );
    setImmediate(() => socket.write(BODY));
  });
}

async function* source(watch: { open: number }): AsyncGenerator<Buffer> {
  watch.open++;
  try {
    for (let i = 0; i < 4; i++) {
      yield patternBytes(500, i);
      if (i % 2 === 0) await new Promise(setImmediate);
    }
  } finally {
    watch.open--;
  }
}

async function afterTurns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise(setImmediate);
}

async function afterMicrotasks(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await Promise.resolve();
}

interface Running {
  connection: HTTPConnection;
  aborter: AbortController;
  response: HTTPResponse | null;
  /** The server's ends of the connections made for this exchange. */
  sockets: () => Socket[];
}

const interruptions: Record<string, (running: Running) => void> = {
  abort: ({ aborter }) => aborter.abort(new Error('aborted')),
  'close()': ({ connection }) => connection.close(),
  'destroy()': ({ response }) => response?.destroy(),
  'a FIN of the server': ({ sockets }) => sockets().forEach((socket) => socket.end()),
  'a close of the server': ({ sockets }) => sockets().forEach((socket) => socket.destroy()),
};

const EXPECTED = new Set([
  'ERR_NOT_CONNECTED',
  'ERR_INCOMPLETE_READ',
  'ECONNRESET',
  'EPIPE',
  'ERR_BAD_HEADER',
  'ERR_BAD_STATUS_LINE',
]);

/** Runs an exchange that is interrupted when `moment` has passed; tells the errors that its user saw. */
async function interrupted(
  server: RawServer,
  connection: HTTPConnection,
  interrupt: (running: Running) => void,
  moment: () => Promise<void>,
): Promise<void> {
  const before = server.connections;
  const aborter = new AbortController();
  const watch = { open: 0 };
  const reused = connection.socket !== null;
  const running: Running = {
    connection,
    aborter,
    response: null,
    sockets: () => server.peers.slice(reused ? before - 1 : before).map(({ socket }) => socket),
  };
  const sent = connection.request('POST', '/', source(watch), {}, { signal: aborter.signal });
  const read = connection.getResponse().then((response) => {
    running.response = response;
    return response.readall();
  });
  const acting = moment().then(() => interrupt(running));
  const errors: unknown[] = [];
  const outcomes = await Promise.allSettled([sent, read]);
  await acting;
  for (const outcome of outcomes) if (outcome.status === 'rejected') errors.push(outcome.reason);
  const [, body] = outcomes;
  if (body.status === 'fulfilled') expect(body.value.equals(BODY)).to.equal(true);
  for (const error of errors) {
    if (error === aborter.signal.reason) continue;
    expect(error)
      .to.have.property('code')
      .that.satisfies((code: string) => EXPECTED.has(code));
  }
  expect(getEventListeners(aborter.signal, 'abort')).to.have.length(0);
  await afterTurns(3);
  expect(watch.open).to.equal(0);
}

async function expectUsable(connection: HTTPConnection): Promise<void> {
  expect(connection.state).to.equal('Idle');
  // The end that the server just sent may be under way to a connection that looks free.
  for (let attempt = 0; ; attempt++) {
    try {
      await connection.request('GET', '/next');
      const response = await connection.getResponse();
      expect(await response.text()).to.equal('ok');
      return;
    } catch (error) {
      if (attempt > 0 || (error as { reused?: boolean }).reused !== true) throw error;
    }
  }
}

describe('an exchange interrupted at any moment', function () {
  this.timeout(20_000);

  for (const way of [TCP, TLS, TUNNEL]) {
    for (const [name, interrupt] of Object.entries(interruptions)) {
      it(`over ${way.name} by ${name} settles, and the connection goes on`, async () => {
        const server = await startServer(way);
        const fresh = await way.connect(server);
        const kept = await way.connect(server);
        const unhandled = await unhandledRejections(async () => {
          for (let turns = 0; turns <= TURNS; turns++) {
            await interrupted(server, fresh, interrupt, () => afterTurns(turns));
            await expectUsable(fresh);
            fresh.close();
            await expectUsable(kept);
            await interrupted(server, kept, interrupt, () => afterTurns(turns));
          }
          for (let tasks = 0; tasks <= MICROTASKS; tasks += 3) {
            await expectUsable(kept);
            await interrupted(server, kept, interrupt, () => afterMicrotasks(tasks));
          }
        });
        expect(unhandled).to.deep.equal([]);
        await expectUsable(kept);
      });
    }
  }
});
