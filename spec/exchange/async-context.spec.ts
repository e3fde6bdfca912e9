/**
 * AsyncLocalStorage: whatever a request causes to be called sees the store of the call that made the request, also on a connection that
 * another request has opened.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import * as dns from 'node:dns';
import { Readable } from 'node:stream';
import { expect } from 'chai';
import type { HTTPConnection } from '../../lib/index.js';
import { sleep } from '../support/expiry.js';
import { OK } from '../support/raw-server.js';
import { TCP, TLS, TUNNEL } from '../support/transports.js';

const storage = new AsyncLocalStorage<string>();

/** Notes the store at each call. */
class Notes {
  readonly seen: Record<string, (string | undefined)[]> = {};

  note(what: string): void {
    (this.seen[what] ??= []).push(storage.getStore());
  }

  /** All that was noted has this store; tells what was noted. */
  expectAll(store: string, ...names: string[]): void {
    for (const [what, stores] of Object.entries(this.seen)) {
      expect(new Set(stores), what).to.deep.equal(new Set([store]));
    }
    expect(Object.keys(this.seen).toSorted()).to.deep.equal(names.toSorted());
  }
}

function exchange(connection: HTTPConnection, notes: Notes): Promise<void> {
  async function* source(): AsyncGenerator<string> {
    notes.note('source');
    yield 'one';
    await sleep(5);
    notes.note('source');
    yield 'two';
    notes.note('source');
  }
  const options = {
    onInformational: () => notes.note('onInformational'),
    trailers: () => {
      notes.note('trailers');
      return {};
    },
  };
  const sent = connection.request('POST', '/', source(), {}, options);
  return new Promise((resolve, reject) => {
    sent.then(() => notes.note('request()'), reject);
    connection.getResponse().then((response) => {
      notes.note('getResponse()');
      response.on('data', () => notes.note('data'));
      response.on('end', () => notes.note('end'));
      response.on('close', () => {
        notes.note('close');
        resolve();
      });
    }, reject);
  });
}

for (const way of [TCP, TLS, TUNNEL]) {
  describe(`the async context over ${way.name}`, () => {
    it('is each request’s own, on one kept connection', async () => {
      const server = await way.serve((socket) => {
        socket.write('HTTP/1.1 103 Early Hints\r\n\r\n');
        setTimeout(() => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nok'), 5);
        setTimeout(() => socket.write('ok'), 10);
      });
      const connection = await storage.run('the one who made it', () => way.connect(server));
      for (const store of ['first', 'second', 'third']) {
        const notes = new Notes();
        await storage.run(store, () => exchange(connection, notes));
        notes.expectAll(
          store,
          'source',
          'onInformational',
          'trailers',
          'request()',
          'getResponse()',
          'data',
          'end',
          'close',
        );
      }
      expect(server.requests).to.have.length(3);
    });
  });
}

describe('the async context', () => {
  it('is each request’s own where kept connections are used at the same moment', async () => {
    const server = await TCP.serve((socket) => socket.write(OK));
    const connections = await Promise.all([TCP.connect(server), TCP.connect(server)]);
    for (let i = 0; i < 3; i++) {
      const seen = new Set<string | undefined>();
      await Promise.all(
        connections.map((connection, at) =>
          storage.run(String(at), async () => {
            const source = (function* () {
              seen.add(storage.getStore());
              yield 'x';
            })();
            await connection.request('POST', '/', source, {});
            await (await connection.getResponse()).readall();
          }),
        ),
      );
      expect(seen).to.deep.equal(new Set(['0', '1']));
    }
    for (const connection of connections) connection.close();
  });

  it('is the request’s own in lookup', async () => {
    const server = await TCP.serve((socket) => socket.write(OK));
    const seen: unknown[] = [];
    const { HTTPConnection: Connection } = await import('../../lib/index.js');
    const connection = new Connection('localhost', server.port, {
      lookup: (host, options, callback) => {
        seen.push(storage.getStore());
        dns.lookup(host, options, callback);
      },
    });
    await storage.run('dials', () => connection.request('GET', '/'));
    await (await connection.getResponse()).readall();
    connection.close();
    expect(new Set(seen)).to.deep.equal(new Set(['dials']));
  });

  it('is the request’s own in a stream that is its body, and in what send() brings', async () => {
    const server = await TCP.serve((socket) => socket.write(OK));
    const connection = await TCP.connect(server);
    for (const store of ['first', 'second']) {
      const notes = new Notes();
      let left = 3;
      await storage.run(store, async () => {
        connection.putRequest('POST', '/');
        connection.putHeader('Content-Length', 400_000);
        await connection.endHeaders();
        const body = new Readable({
          read() {
            notes.note('read');
            this.push(left-- > 0 ? Buffer.alloc(100_000) : null);
          },
        });
        await connection.send(body);
        async function* rest(): AsyncGenerator<Buffer> {
          notes.note('source');
          yield Buffer.alloc(50_000);
          await sleep(2);
          notes.note('source');
          yield Buffer.alloc(50_000);
        }
        await connection.send(rest());
        const response = await connection.getResponse();
        await response.readall();
        notes.note('readall');
      });
      notes.expectAll(store, 'read', 'source', 'readall');
    }
  });

  it('is the request’s own when it fails: in the listeners of the response', async () => {
    const server = await TCP.serve((socket, { target }) => {
      if (target === '/kept') {
        socket.write(OK);
        return;
      }
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nok');
      setTimeout(() => socket.end(), 10);
    });
    const connection = await TCP.connect(server);
    await storage.run('first', async () => {
      await connection.request('GET', '/kept');
      await (await connection.getResponse()).readall();
    });
    const notes = new Notes();
    await storage.run('second', async () => {
      await connection.request('GET', '/cut');
      const response = await connection.getResponse();
      await new Promise<void>((resolve) => {
        response.on('data', () => notes.note('data'));
        response.on('error', () => notes.note('error'));
        response.on('close', () => {
          notes.note('close');
          resolve();
        });
      });
    });
    notes.expectAll('second', 'data', 'error', 'close');
  });
});
