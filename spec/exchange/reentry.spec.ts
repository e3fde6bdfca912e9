/**
 * Calls from inside the library's own callbacks: `close()`, `destroy()` and the next request from a listener, an iterator, a stream's
 * `read`, that is, from inside the parser or the upload.
 */
import { expect } from 'chai';
import { Readable } from 'node:stream';

import type { HTTPConnection } from '../../lib/connection/connection.js';
import { IncompleteRead, NotConnected } from '../../lib/errors.js';
import type { HTTPResponse } from '../../lib/response/response.js';
import { connectionTo, OK, rawServer } from '../support/raw-server.js';
import type { RawServer } from '../support/raw-server.js';
import { rejection, unhandledRejections } from '../support/rejection.js';
import { uncaughtErrors } from '../support/uncaught.js';

const CHUNKS = Array.from({ length: 20 }, (_, i) => `3\r\n${String(i).padStart(3, '0')}\r\n`).join('');
/* Everything in one write, so that the parser has more to say when a listener runs. */
const CHUNKED = `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKS}0\r\nX-T: 1\r\n\r\n`;
const INTERIM = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n';
const LARGE = Buffer.alloc(300_000, 0x61);

function server(): Promise<RawServer> {
  return rawServer((socket, { target }) => {
    if (target === '/chunked') socket.write(CHUNKED);
    else if (target === '/interim') socket.write(INTERIM + INTERIM + OK);
    else if (target === '/half') socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234');
    else if (target === '/large') {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${String(LARGE.length)}\r\n\r\n`);
      socket.write(LARGE);
    } else socket.write(OK);
  });
}

async function get(connection: HTTPConnection, target: string): Promise<HTTPResponse> {
  await connection.request('GET', target);
  return connection.getResponse();
}

const turns = async (): Promise<void> => {
  for (let i = 0; i < 4; i++) await new Promise(setImmediate);
};

/** Runs the action; fails on anything that was thrown or rejected beside it. */
async function quietly(action: () => Promise<void>): Promise<void> {
  let rejected: unknown[] = [];
  const thrown = await uncaughtErrors(async () => {
    rejected = await unhandledRejections(action);
  });
  expect(thrown).to.deep.equal([]);
  expect(rejected).to.deep.equal([]);
}

describe("inside a 'data' listener", () => {
  const ACTIONS: [name: string, act: (connection: HTTPConnection, response: HTTPResponse) => unknown][] = [
    ['close()', (connection) => connection.close()],
    ['destroy()', (_connection, response) => response.destroy()],
    ['destroy(error)', (_connection, response) => response.destroy(new Error('enough'))],
    [
      'close() and the next request',
      (connection) => {
        connection.close();
        return connection.request('GET', '/ok');
      },
    ],
    [
      'destroy() and the next request',
      (connection, response) => {
        response.destroy();
        return connection.request('GET', '/ok');
      },
    ],
  ];
  for (const target of ['/chunked', '/large', '/half']) {
    for (const [name, act] of ACTIONS) {
      it(`${name} is the last that is heard of ${target}, and the connection works on`, async () => {
        await quietly(async () => {
          const peer = await server();
          const connection = connectionTo(peer);
          const response = await get(connection, target);
          let pieces = 0;
          const ends: string[] = [];
          let acted: unknown = null;
          response.on('end', () => ends.push(target));
          await new Promise<void>((resolve) => {
            response.on('data', () => {
              pieces++;
              if (pieces > 1) return;
              acted = act(connection, response);
              resolve();
            });
          });
          await acted;
          await turns();
          expect(pieces).to.equal(1);
          // The one that came in one piece had been read to its end when the listener heard of it.
          if (target !== '/chunked') expect(ends).to.deep.equal([]);
          const next =
            acted instanceof Promise ? await connection.getResponse() : await get(connection, '/ok');
          expect(await next.text()).to.equal('ok');
          connection.close();
        });
      });
    }
  }
});

describe("inside an 'end' listener", () => {
  it('the next request goes out on the same connection', async () => {
    await quietly(async () => {
      const peer = await server();
      const connection = connectionTo(peer);
      for (const target of ['/chunked', '/large', '/ok']) {
        const response = await get(connection, target);
        const next = new Promise<HTTPResponse>((resolve, reject) => {
          response.on('end', () => {
            get(connection, '/ok').then(resolve, reject);
          });
        });
        response.resume();
        expect(await (await next).text()).to.equal('ok');
      }
      expect(peer.connections).to.equal(1);
      connection.close();
    });
  });

  it('close() and destroy() change nothing about what was read', async () => {
    await quietly(async () => {
      const peer = await server();
      for (const act of ['close', 'destroy'] as const) {
        const connection = connectionTo(peer);
        const response = await get(connection, '/large');
        let size = 0;
        response.on('data', (piece: Buffer) => (size += piece.length));
        await new Promise<void>((resolve) => {
          response.on('end', () => {
            if (act === 'close') connection.close();
            else response.destroy();
            resolve();
          });
        });
        expect(size).to.equal(LARGE.length);
        expect(response.errored).to.equal(null);
        expect(await (await get(connection, '/ok')).text()).to.equal('ok');
        connection.close();
      }
    });
  });
});

describe('inside the loop over a response', () => {
  it('close() ends the loop with IncompleteRead', async () => {
    await quietly(async () => {
      const peer = await server();
      const connection = connectionTo(peer);
      const response = await get(connection, '/half');
      const error = await rejection<IncompleteRead>(
        (async () => {
          for await (const piece of response) if (piece.length > 0) connection.close();
        })(),
      );
      expect(error).to.be.instanceOf(IncompleteRead);
      expect(error.expected).to.equal(5);
      expect(await (await get(connection, '/ok')).text()).to.equal('ok');
      connection.close();
    });
  });

  it('the next request goes out as soon as the end was read', async () => {
    const peer = await server();
    const connection = connectionTo(peer);
    for (let i = 0; i < 5; i++) {
      let size = 0;
      for await (const piece of await get(connection, '/chunked')) size += piece.length;
      expect(size).to.equal(60);
    }
    expect(peer.connections).to.equal(1);
    connection.close();
  });
});

describe('inside onInformational', () => {
  it('close() rejects what waits with NotConnected, and the connection works on', async () => {
    await quietly(async () => {
      const peer = await server();
      const connection = connectionTo(peer);
      let reports = 0;
      await connection.request(
        'GET',
        '/interim',
        null,
        {},
        {
          onInformational: () => {
            reports++;
            connection.close();
          },
        },
      );
      expect(await rejection(connection.getResponse())).to.be.instanceOf(Error);
      await turns();
      expect(reports).to.equal(1);
      expect(await (await get(connection, '/ok')).text()).to.equal('ok');
      connection.close();
    });
  });

  it('close() rejects a getResponse() that waits with NotConnected', async () => {
    await quietly(async () => {
      const peer = await server();
      const connection = connectionTo(peer, { onInformational: () => connection.close() });
      const sent = connection.request('GET', '/interim');
      expect(await rejection(connection.getResponse())).to.be.instanceOf(NotConnected);
      await sent.catch(() => undefined);
    });
  });

  it('close() and the next request give that request its own response', async () => {
    await quietly(async () => {
      const peer = await server();
      let next: Promise<void> | null = null;
      const connection = connectionTo(peer, {
        onInformational: () => {
          connection.close();
          next = connection.request('GET', '/ok');
        },
      });
      const sent = connection.request('GET', '/interim');
      expect(await rejection(connection.getResponse())).to.be.instanceOf(NotConnected);
      await sent.catch(() => undefined);
      await (next as Promise<void> | null);
      expect(await (await connection.getResponse()).text()).to.equal('ok');
      connection.close();
    });
  });

  it('a throw fails the exchange with that error, and nothing else', async () => {
    await quietly(async () => {
      const peer = await server();
      const bug = new Error('bug in a callback');
      const connection = connectionTo(peer);
      const sent = connection.request(
        'GET',
        '/interim',
        null,
        {},
        {
          onInformational: () => {
            throw bug;
          },
        },
      );
      expect(await rejection(connection.getResponse())).to.equal(bug);
      await sent.catch(() => undefined);
      expect(await (await get(connection, '/ok')).text()).to.equal('ok');
      connection.close();
    });
  });
});

describe('inside the source of a request body', () => {
  it("close() in an iterator's next() rejects the request, and tells the iterator", async () => {
    await quietly(async () => {
      const peer = await server();
      const connection = connectionTo(peer);
      let returned = 0;
      let asked = 0;
      const source: AsyncIterable<string> = {
        [Symbol.asyncIterator]: () => ({
          next: () => {
            if (++asked === 2) connection.close();
            return Promise.resolve({ done: false, value: 'piece' });
          },
          return: () => {
            returned++;
            return Promise.resolve({ done: true, value: undefined });
          },
        }),
      };
      expect(await rejection(connection.request('PUT', '/', source))).to.be.instanceOf(NotConnected);
      await turns();
      expect(returned).to.equal(1);
      expect(asked).to.equal(2);
      expect(await (await get(connection, '/ok')).text()).to.equal('ok');
      connection.close();
    });
  });

  it('close() in a generator rejects the request, and its finally runs', async () => {
    await quietly(async () => {
      const peer = await server();
      const connection = connectionTo(peer);
      let finished = false;
      const source = function* (): Generator<string> {
        try {
          yield 'one';
          connection.close();
          yield 'two';
          yield 'three';
        } finally {
          finished = true;
        }
      };
      expect(await rejection(connection.request('PUT', '/', source()))).to.be.instanceOf(NotConnected);
      await turns();
      expect(finished).to.equal(true);
      expect(await (await get(connection, '/ok')).text()).to.equal('ok');
      connection.close();
    });
  });

  it("close() in a stream's read() rejects the request, and destroys the stream", async () => {
    await quietly(async () => {
      const peer = await server();
      const connection = connectionTo(peer);
      let asked = 0;
      const source = new Readable({
        read() {
          if (++asked === 2) connection.close();
          this.push('piece');
        },
      });
      expect(await rejection(connection.request('PUT', '/', source))).to.be.instanceOf(NotConnected);
      await turns();
      expect(source.destroyed).to.equal(true);
      expect(await (await get(connection, '/ok')).text()).to.equal('ok');
      connection.close();
    });
  });

  it('the next request in a source is refused, and the exchange that runs goes on', async () => {
    await quietly(async () => {
      const peer = await server();
      const connection = connectionTo(peer);
      let refused: Error | null = null;
      const source = async function* (): AsyncGenerator<string> {
        yield 'one';
        refused = await rejection(connection.request('GET', '/other'));
        yield 'two';
      };
      await connection.request('PUT', '/', source());
      expect(refused).to.include({ name: 'CannotSendRequest' });
      expect(await (await connection.getResponse()).text()).to.equal('ok');
      expect(String(peer.request.body)).to.equal('onetwo');
      connection.close();
    });
  });
});

describe('inside a promise of the response', () => {
  it('destroy() right behind getResponse() hangs nothing, and the next request works', async () => {
    await quietly(async () => {
      const peer = await server();
      const connection = connectionTo(peer);
      for (const target of ['/chunked', '/large', '/half', '/ok']) {
        (await get(connection, target)).destroy();
      }
      expect(await (await get(connection, '/ok')).text()).to.equal('ok');
      connection.close();
    });
  });

  it('destroy() while a reader waits rejects that reader', async () => {
    const peer = await server();
    const connection = connectionTo(peer);
    const response = await get(connection, '/half');
    const reading = rejection(response.readall());
    await turns();
    response.destroy();
    expect(await reading).to.be.instanceOf(IncompleteRead);
    connection.close();
  });
});
