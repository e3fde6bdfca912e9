/**
 * An `AbortSignal` at every point of an exchange: the pending call rejects with the reason, the source and the response are given up,
 * the connection closes, no listener stays on the signal, and the next request works.
 */
import { getEventListeners } from 'node:events';
import { finished } from 'node:stream/promises';
import { expect } from 'chai';
import { HTTPConnection, NotConnected } from '../../lib/index.js';
import type { HTTPResponse, RequestBody } from '../../lib/index.js';
import { generatorBody, silentBody, streamBody } from '../support/body-sources.js';
import { OK, rawServer } from '../support/raw-server.js';
import type { RawServer, Script } from '../support/raw-server.js';
import { rejection, unhandledRejections } from '../support/rejection.js';
import { proxyTo, TCP, TLS, TUNNEL } from '../support/transports.js';

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n';

/** Answers `/whole` and nothing else; `/part` gets the beginning of a response. */
const serve: Script = (socket, { target }) => {
  if (target === '/whole') socket.write(OK);
  if (target === '/part') socket.write(`${HEAD}some`);
};

class Aborter extends AbortController {
  readonly reason = new Error('no longer wanted');

  get listeners(): number {
    return getEventListeners(this.signal, 'abort').length;
  }

  override abort(): void {
    super.abort(this.reason);
  }
}

function fails(): never {
  throw new Error('a member that throws');
}

async function expectUsable(connection: HTTPConnection): Promise<void> {
  expect(connection.state).to.equal('Idle');
  await connection.request('GET', '/whole');
  expect(await (await connection.getResponse()).text()).to.equal('ok');
}

describe('an AbortSignal', () => {
  it('that is aborted already fails the request before anything is dialled', async () => {
    const server = await TCP.serve(serve);
    const connection = await TCP.connect(server);
    const aborter = new Aborter();
    aborter.abort();
    const { body, watch } = streamBody(100);
    const sent = connection.request('POST', '/', body, {}, { signal: aborter.signal });
    expect(await rejection(sent)).to.equal(aborter.reason);
    expect(watch.cancelled).to.equal(true);
    expect(server.connections).to.equal(0);
    await expectUsable(connection);
  });

  it('ends a lookup that does not answer', async () => {
    const connection = new HTTPConnection('slow.test', 80, { lookup: () => {} });
    const aborter = new Aborter();
    const { body, watch } = generatorBody(100);
    const sent = connection.request('POST', '/', body, {}, { signal: aborter.signal });
    const head = connection.getResponse();
    setImmediate(() => aborter.abort());
    expect(await rejection(sent)).to.equal(aborter.reason);
    expect(await rejection(head)).to.equal(aborter.reason);
    // Never begun, so its own code never ran; the generator is finished all the same.
    expect(watch.given).to.equal(0);
    expect(await body.next()).to.deep.equal({ done: true, value: undefined });
    expect(aborter.listeners).to.equal(0);
    expect(connection.state).to.equal('Idle');
  });

  it('in the same tick as the request leaves nothing behind', async () => {
    const server = await TCP.serve(serve);
    const connection = await TCP.connect(server);
    const aborter = new Aborter();
    const sent = connection.request('GET', '/', null, {}, { signal: aborter.signal });
    aborter.abort();
    expect(await rejection(sent)).to.equal(aborter.reason);
    await expectUsable(connection);
  });

  it('ends a TLS handshake, a CONNECT, and a handshake inside the tunnel', async () => {
    const silent = await TCP.serve(() => undefined);
    const half = await rawServer((socket) => socket.write('HTTP/1.1 200 OK\r\n\r\n'), { atHead: true });
    const attempts: [HTTPConnection, RawServer][] = [
      [await TLS.connect(silent), silent],
      [await TLS.connect(half), half],
    ];
    const proxied = await TCP.connect(silent);
    proxied.setTunnel('example.test', 80);
    attempts.push([proxied, silent]);
    attempts[1]?.[0].setTunnel('localhost', 443);
    for (const [connection, server] of attempts) {
      const before = server.connections;
      const aborter = new Aborter();
      const sent = connection.request('GET', '/', null, {}, { signal: aborter.signal });
      await server.until(({ peers }) => (peers[before]?.received.length ?? 0) > 0);
      if (server === half)
        await server.until(({ peers }) => (peers[before]?.text ?? '').includes('\x16\x03'));
      aborter.abort();
      expect(await rejection(sent)).to.equal(aborter.reason);
      await server.peer(before).closed;
      expect(aborter.listeners).to.equal(0);
      expect(connection.state).to.equal('Idle');
    }
  });

  for (const way of [TCP, TLS, TUNNEL]) {
    describe(`over ${way.name}`, () => {
      let server: RawServer;
      let connection: HTTPConnection;
      let aborter: Aborter;
      const send = (target: string, body: RequestBody | null = null): Promise<void> =>
        connection.request('POST', target, body, {}, { signal: aborter.signal });

      beforeEach(async () => {
        server = await way.serve(serve);
        connection = await way.connect(server);
        aborter = new Aborter();
      });

      it('ends an upload whose source is silent', async () => {
        const { body, watch } = silentBody(Buffer.from('some'));
        const sent = send('/', body);
        await server.until(({ peers }) => peers[0]?.text.endsWith('some') === true);
        aborter.abort();
        expect(await rejection(sent)).to.equal(aborter.reason);
        expect(watch.cancelled).to.equal(true);
        expect(aborter.listeners).to.equal(0);
        await server.peer().closed;
        expect(server.peer().text.endsWith('some')).to.equal(true);
        await expectUsable(connection);
      });

      it('ends an upload that runs at full speed', async () => {
        const { body, watch } = generatorBody(Infinity);
        const sent = send('/', body);
        const head = connection.getResponse();
        setTimeout(() => aborter.abort(), 20);
        expect(await rejection(sent)).to.equal(aborter.reason);
        expect(await rejection(head)).to.equal(aborter.reason);
        expect(watch.cancelled).to.equal(true);
        await expectUsable(connection);
      });

      it('ends the wait for the head', async () => {
        await send('/');
        const head = connection.getResponse();
        await server.until(({ requests }) => requests.length === 1);
        aborter.abort();
        expect(await rejection(head)).to.equal(aborter.reason);
        expect(aborter.listeners).to.equal(0);
        await server.peer().closed;
        await expectUsable(connection);
      });

      it('before getResponse() is what getResponse() rejects with', async () => {
        await send('/');
        aborter.abort();
        expect(await rejection(connection.getResponse())).to.equal(aborter.reason);
        await expectUsable(connection);
      });

      const readers: Record<string, (response: HTTPResponse) => Promise<unknown>> = {
        'for await': async (response) => {
          for await (const _ of response);
        },
        readall: (response) => response.readall(),
        readinto: (response) => response.readinto(Buffer.alloc(50)),
        "'data'": (response) =>
          new Promise((resolve, reject) => {
            response
              .on('data', () => undefined)
              .once('end', resolve)
              .once('error', reject);
          }),
      };
      for (const [name, read] of Object.entries(readers)) {
        it(`ends the body under ${name}`, async () => {
          await send('/part');
          const response = await connection.getResponse();
          const reading = read(response);
          setTimeout(() => aborter.abort(), 10);
          expect(await rejection(reading)).to.equal(aborter.reason);
          expect(response.destroyed).to.equal(true);
          expect(aborter.listeners).to.equal(0);
          await server.peer().closed;
          await expectUsable(connection);
        });
      }

      it('destroys a response that has come whole and was not read, and closes the connection', async () => {
        await send('/whole');
        const response = await connection.getResponse();
        await new Promise((resolve) => setTimeout(resolve, 10));
        const over = rejection(finished(response));
        aborter.abort();
        expect(await over).to.equal(aborter.reason);
        expect(await rejection(response.text())).to.equal(aborter.reason);
        expect(aborter.listeners).to.equal(0);
        await server.peer().closed;
        await expectUsable(connection);
      });

      it('changes nothing once the response was read to its end', async () => {
        await send('/whole');
        const response = await connection.getResponse();
        expect(await response.text()).to.equal('ok');
        expect(aborter.listeners).to.equal(0);
        aborter.abort();
        expect(response.errored).to.equal(null);
        await expectUsable(connection);
        expect(server.connections).to.equal(1);
      });

      it('takes its listener off however the exchange ends: failed, destroyed, closed', async () => {
        await send('/part');
        (await connection.getResponse()).destroy();
        expect(aborter.listeners).to.equal(0);
        await send('/part');
        await connection.getResponse();
        connection.close();
        expect(aborter.listeners).to.equal(0);
        await send('/part');
        const response = await connection.getResponse();
        server.peer(2).socket.destroy();
        await rejection(response.readall());
        expect(aborter.listeners).to.equal(0);
      });
    });
  }

  it('between two requests, while the reused connection is looked at, sends nothing', async () => {
    const server = await TCP.serve(serve);
    const connection = await TCP.connect(server);
    await expectUsable(connection);
    const aborter = new Aborter();
    const sent = connection.request('GET', '/second', null, {}, { signal: aborter.signal });
    aborter.abort();
    expect(await rejection(sent)).to.equal(aborter.reason);
    await server.peer().closed;
    expect(server.peer().text).not.to.include('/second');
    await expectUsable(connection);
  });

  it('fails a response that nobody reads without an uncaught error', async () => {
    const server = await TCP.serve(serve);
    const connection = await TCP.connect(server);
    const aborter = new Aborter();
    await connection.request('GET', '/part', null, {}, { signal: aborter.signal });
    const unhandled = await unhandledRejections(async () => {
      await connection.getResponse();
      aborter.abort();
      await server.peer().closed;
    });
    expect(unhandled).to.deep.equal([]);
    await expectUsable(connection);
  });

  it('takes its listener off behind a 101, by detach() as by close()', async () => {
    const server = await TCP.serve(
      (socket) => {
        socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n');
      },
      { atHead: true },
    );
    const connection = await TCP.connect(server);
    for (const end of [() => connection.detach().destroy(), () => connection.close()]) {
      const aborter = new Aborter();
      await connection.request('GET', '/', null, {}, { signal: aborter.signal });
      await connection.getResponse();
      end();
      expect(aborter.listeners).to.equal(0);
    }
  });

  it('passes on any reason, and an AbortError when none was given', async () => {
    const server = await TCP.serve(serve);
    const connection = await TCP.connect(server);
    const controller = new AbortController();
    await connection.request('GET', '/', null, {}, { signal: controller.signal });
    const head = connection.getResponse();
    controller.abort();
    expect(await rejection(head)).to.have.property('name', 'AbortError');
    const named = new AbortController();
    await connection.request('GET', '/', null, {}, { signal: named.signal });
    const second = connection.getResponse();
    named.abort('just a word');
    expect(await rejection<unknown>(second)).to.equal('just a word');
    const inBody = new AbortController();
    await connection.request('GET', '/part', null, {}, { signal: inBody.signal });
    const response = await connection.getResponse();
    const reading = response.readall();
    inBody.abort('just a word');
    expect(await rejection<unknown>(reading)).to.equal('just a word');
  });

  it('can be shared by connections', async () => {
    const server = await TCP.serve(serve);
    const aborter = new Aborter();
    const connections = await Promise.all(Array.from({ length: 10 }, () => TCP.connect(server)));
    const heads = connections.map(async (connection) => {
      await connection.request('GET', '/', null, {}, { signal: aborter.signal });
      return rejection(connection.getResponse());
    });
    await server.until(({ requests }) => requests.length === 10);
    aborter.abort();
    for (const error of await Promise.all(heads)) expect(error).to.equal(aborter.reason);
    expect(aborter.listeners).to.equal(0);
  });

  it("is never written to, whatever its reason is: not even an exception of this library's", async () => {
    const server = await TCP.serve(serve);
    const throwing = new Proxy(new Error('a proxy'), {
      get: (_, name) => (name === 'then' ? undefined : fails()),
      set: fails,
      getPrototypeOf: fails,
      defineProperty: fails,
    });
    const reasons: unknown[] = [new NotConnected('mine'), Object.freeze(new Error('frozen')), throwing];
    for (const reason of reasons) {
      const aborter = new AbortController();
      const told = await Promise.all(
        ['/', '/2'].map(async (url) => {
          const connection = await TCP.connect(server);
          await connection.request('GET', url, null, {}, { signal: aborter.signal });
          const head = rejection(connection.getResponse());
          setImmediate(() => {
            aborter.abort(reason);
          });
          return head;
        }),
      );
      for (const error of told) expect(error === reason).to.equal(true);
    }
    expect((reasons[0] as NotConnected).message).to.equal('mine');
    for (const reason of reasons.slice(0, 2)) expect(reason).not.to.have.property('method');
  });

  it('ends the tunnel with the connection', async () => {
    const server = await TLS.serve(serve);
    const proxy = await proxyTo(server);
    const connection = await TLS.connect(proxy);
    connection.setTunnel('localhost', 443);
    const aborter = new Aborter();
    await connection.request('GET', '/', null, {}, { signal: aborter.signal });
    await server.until(({ requests }) => requests.length === 1);
    aborter.abort();
    expect(await rejection(connection.getResponse())).to.equal(aborter.reason);
    await proxy.peer().closed;
  });
});
