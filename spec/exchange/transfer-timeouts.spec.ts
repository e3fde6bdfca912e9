/**
 * The clocks of an exchange over real sockets while bytes go either way: send and body. They stand still for what is not the peer's
 * fault: a silent source, a paused reader, a loop body that takes its time.
 */
import { once } from 'node:events';
import { expect } from 'chai';
import type { HTTPConnection, TimeoutError } from '../../lib/index.js';
import { generatorBody, patternBytes, silentBody } from '../support/body-sources.js';
import { EARLY_MS, expiry, LATE_MS, LIMIT_MS, sleep, started } from '../support/expiry.js';
import { OK } from '../support/raw-server.js';
import type { RawServer } from '../support/raw-server.js';
import { rejection } from '../support/rejection.js';
import { TCP, TLS, TUNNEL } from '../support/transports.js';

/** Reads nothing, so that a sender fills the buffers on the way and stops. */
function stalledServer(): Promise<RawServer> {
  return TCP.serve(() => undefined, { silent: true });
}

describe('timeouts of transfer', () => {
  describe('send', () => {
    for (const way of [TCP, TLS, TUNNEL]) {
      it(`fires over ${way.name} when the server stops reading`, async () => {
        const server = await way.serve(() => undefined, {
          onConnection: (socket) => {
            socket.once('data', () => socket.pause());
          },
        });
        const connection = await way.connect(server);
        const { body, watch } = generatorBody(Infinity, 65_536);
        const { sent } = await started(connection, { send: 150 }, body);
        const error = await rejection<TimeoutError>(sent);
        expect(error).to.include({ name: 'TimeoutError', timer: 'send', phase: 'send' });
        expect(error.bytesSent).to.be.above(65_536);
        expect(watch.cancelled).to.equal(true);
        server.peer().read();
        await server.peer().closed;
      });
    }

    it('fires for one large buffer too, and for its last bytes', async () => {
      for (const size of [64, 6]) {
        const server = await stalledServer();
        const connection = await TCP.connect(server);
        const { sent } = await started(connection, { send: 150 }, patternBytes(size * 1_048_576));
        const outcome = await Promise.race([
          rejection<TimeoutError>(sent),
          connection.getResponse().catch((error: unknown) => error as TimeoutError),
        ]);
        expect(outcome).to.include({ timer: 'send', phase: 'send' });
      }
    });

    it('fires although the source goes on giving a little to a peer that takes nothing', async () => {
      const server = await stalledServer();
      const connection = await TCP.connect(server);
      async function* fillThenDrip(): AsyncGenerator<Buffer> {
        const { socket } = connection;
        // As much as fits, to the point where bytes wait in this process, but not to where the source is held back.
        do {
          yield patternBytes(16_384);
          await new Promise(setImmediate);
        } while (socket?.writableLength === 0);
        for (;;) {
          await sleep(20);
          yield Buffer.from('x');
        }
      }
      const { sent } = await started(connection, { send: 150, total: 3000 }, fillThenDrip());
      expect(await rejection(sent)).to.include({ timer: 'send', phase: 'send' });
    });

    it('does not fire while the peer reads slowly but reads', async () => {
      const server = await TCP.serve(() => undefined, {
        onConnection: (socket) => {
          socket.on('data', () => {
            socket.pause();
            setTimeout(() => socket.resume(), 10);
          });
          socket.write(OK.slice(0, -2));
        },
        atHead: true,
      });
      const connection = await TCP.connect(server);
      // The window reopens in steps of a megabyte or more, so a step has to fit into the limit many times: the machine may be busy.
      const send = 1500;
      const { sent, startedAt } = await started(
        connection,
        { send },
        generatorBody(24 * 1_048_576, 65_536).body,
      );
      await sent;
      expect(performance.now() - startedAt).to.be.above(send);
      connection.close();
    });

    it('stands still while the source is silent, and so does response; total does not', async () => {
      const server = await TCP.serve(() => undefined);
      const connection = await TCP.connect(server);
      const { body, watch } = silentBody(Buffer.from('some'));
      const { sent, startedAt } = await started(connection, { send: 40, response: 40, total: 200 }, body);
      const error = await expiry(sent, startedAt, 200);
      expect(error).to.include({ timer: 'total', phase: 'send' });
      expect(watch.cancelled).to.equal(true);
    });
  });

  describe('body', () => {
    const HEAD = 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n';
    const readers: Record<
      string,
      (response: Awaited<ReturnType<HTTPConnection['getResponse']>>) => Promise<unknown>
    > = {
      'for await': async (response) => {
        for await (const _ of response);
      },
      'for await with an encoding': async (response) => {
        response.setEncoding('latin1');
        for await (const _ of response);
      },
      readall: (response) => response.readall(),
      readinto: (response) => response.readinto(Buffer.alloc(100)),
      readline: (response) => response.readline(),
      "'data'": async (response) => {
        response.resume();
        await once(response, 'end');
      },
      "'readable'": async (response) => {
        response.on('readable', () => {
          while (response.read() !== null);
        });
        await once(response, 'end');
      },
      drain: (response) => response.drain(),
    };
    for (const [name, read] of Object.entries(readers)) {
      it(`fires when no byte comes while ${name} wants one`, async () => {
        const server = await TCP.serve((socket) => socket.write(`${HEAD}some`));
        const connection = await TCP.connect(server, { timeout: { body: LIMIT_MS } });
        await connection.request('GET', '/');
        const response = await connection.getResponse();
        const startedAt = performance.now();
        const error = await expiry(read(response), startedAt, LIMIT_MS - 10);
        expect(error).to.include({ timer: 'body', phase: 'body' });
        await server.peer().closed;
      });
    }

    it('fires over TLS and in a tunnel', async () => {
      for (const way of [TLS, TUNNEL]) {
        const server = await way.serve((socket) => socket.write(`${HEAD}some`));
        const connection = await way.connect(server, { timeout: { body: LIMIT_MS } });
        await connection.request('GET', '/');
        const response = await connection.getResponse();
        expect(await rejection(response.readall())).to.include({ timer: 'body', phase: 'body' });
      }
    });

    it('starts anew with each byte: a slow drip passes it, but not total', async () => {
      const server = await TCP.serve((socket) => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        const drip = setInterval(() => socket.write('x'), 30);
        socket.once('close', () => clearInterval(drip));
      });
      const connection = await TCP.connect(server);
      const { sent, startedAt } = await started(connection, { body: 150, total: 450 });
      await sent;
      const response = await connection.getResponse();
      const error = await expiry(response.readall(), startedAt, 450);
      expect(error).to.include({ timer: 'total', phase: 'body' });
    });

    it('stands still inside a loop body, and starts again when the loop asks', async () => {
      const server = await TCP.serve((socket) => socket.write(`${HEAD}some`));
      const connection = await TCP.connect(server, { timeout: { body: LIMIT_MS } });
      await connection.request('GET', '/');
      const response = await connection.getResponse();
      let leftLoopAt = 0;
      const loop = (async () => {
        for await (const _ of response) {
          await sleep(LIMIT_MS * 2.5);
          leftLoopAt = performance.now();
        }
      })();
      const error = await rejection<TimeoutError>(loop);
      expect(error).to.include({ timer: 'body' });
      expect(performance.now() - leftLoopAt).to.be.within(LIMIT_MS - EARLY_MS, LIMIT_MS + LATE_MS);
    });

    it('stands still inside a loop body with an encoding set, too', async () => {
      const server = await TCP.serve((socket) => {
        socket.write(`${HEAD}some`);
        setTimeout(() => socket.write('x'.repeat(96)), LIMIT_MS * 2);
      });
      const connection = await TCP.connect(server, { timeout: { body: LIMIT_MS } });
      await connection.request('GET', '/');
      const response = await connection.getResponse();
      response.setEncoding('latin1');
      let text = '';
      for await (const piece of response as AsyncIterable<unknown>) {
        text += String(piece);
        if (text.length < 100) await sleep(LIMIT_MS * 2.5);
      }
      expect(text).to.have.length(100);
    });

    it('stands still while the reader is paused, and starts again when it resumes', async () => {
      const server = await TCP.serve((socket) => socket.write(`${HEAD}some`));
      const connection = await TCP.connect(server, { timeout: { body: LIMIT_MS } });
      await connection.request('GET', '/');
      const response = await connection.getResponse();
      let failedAt = 0;
      response.on('error', () => {
        failedAt = performance.now();
      });
      response.once('data', () => response.pause());
      await sleep(LIMIT_MS * 2.5);
      expect(response.destroyed).to.equal(false);
      const resumedAt = performance.now();
      response.resume();
      await new Promise((resolve) => response.once('close', resolve));
      expect(response.errored).to.include({ timer: 'body', phase: 'body' });
      expect(failedAt - resumedAt).to.be.within(LIMIT_MS - EARLY_MS, LIMIT_MS + LATE_MS);
    });

    it('is not armed while nobody reads', async () => {
      const server = await TCP.serve((socket) => socket.write(`${HEAD}some`));
      const connection = await TCP.connect(server, { timeout: { body: 40 } });
      await connection.request('GET', '/');
      const response = await connection.getResponse();
      await sleep(120);
      expect(response.destroyed).to.equal(false);
      expect((await response.read1()).toString()).to.equal('some');
    });
  });
});
