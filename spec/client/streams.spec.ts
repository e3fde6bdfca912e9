/**
 * A request as a stream of a pool, of a client, and of the program's shared client: the same Duplex, on a connection that is given back.
 */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { expect } from 'chai';
import {
  closeAll,
  HTTPClient,
  HTTPConnectionPool,
  InvalidURL,
  RedirectError,
  stream,
} from '../../lib/index.js';
import type { RequestStream } from '../../lib/index.js';
import { rawServer } from '../support/raw-server.js';
import type { RawServer, Script } from '../support/raw-server.js';
import { rejection } from '../support/rejection.js';

const echo: Script = (socket, { body, target }) => {
  if (target === '/see') socket.write('HTTP/1.1 303 See\r\nLocation: /\r\nContent-Length: 0\r\n\r\n');
  else if (target === '/moved')
    socket.write('HTTP/1.1 308 Moved\r\nLocation: /\r\nContent-Length: 0\r\n\r\n');
  else
    socket.write(
      `HTTP/1.1 200 OK\r\nContent-Length: ${String(body.length)}\r\n\r\n${body.toString('latin1')}`,
    );
};

interface Way {
  stream: (method: string, target: string, signal?: AbortSignal) => RequestStream;
  /** Connections that a request has. */
  busy: () => number | null;
  close: () => Promise<void>;
}

const ways: Record<string, (server: RawServer) => Way> = {
  'a pool': ({ port }) => {
    const pool = new HTTPConnectionPool(`http://127.0.0.1:${String(port)}`);
    return {
      stream: (method, target, signal) => pool.stream(method, target, {}, { signal }),
      busy: () => pool.stats.busy,
      close: () => pool.close(),
    };
  },
  'a client': ({ port }) => {
    const client = new HTTPClient({ baseURL: `http://127.0.0.1:${String(port)}` });
    return {
      stream: (method, target, signal) => client.stream(method, target, {}, { signal }),
      busy: () => client.stats.busy,
      close: () => client.close(),
    };
  },
  'the shared client': ({ port }) => ({
    stream: (method, target, signal) =>
      stream(method, `http://127.0.0.1:${String(port)}${target}`, {}, { signal }),
    busy: () => null,
    close: closeAll,
  }),
};

for (const [name, make] of Object.entries(ways)) {
  describe(`a request as a stream of ${name}`, () => {
    let server: RawServer;
    let way: Way;

    beforeEach(async () => {
      server = await rawServer(echo);
      way = make(server);
    });

    afterEach(() => way.close());

    it('stands in a pipeline, and gives its connection back', async () => {
      for (let i = 0; i < 3; i++) {
        const upload = way.stream('PUT', '/');
        const pieces: Buffer[] = [];
        await pipeline(Readable.from(['some ', 'text ', String(i)]), upload, async (source) => {
          for await (const piece of source) pieces.push(piece as Buffer);
        });
        expect(String(Buffer.concat(pieces))).to.equal(`some text ${String(i)}`);
      }
      expect(server.connections).to.equal(1);
      if (way.busy() !== null) expect(way.busy()).to.equal(0);
    });

    it('reads a GET, and refuses what is wrong at once', async () => {
      expect(await way.stream('GET', '/').toArray()).to.deep.equal([]);
      expect(() => way.stream('G T', '/')).to.throw(TypeError);
      expect(() => way.stream('GET', '/', {} as AbortSignal)).to.throw(TypeError);
      expect(server.connections).to.equal(1);
    });

    it('is ended by its signal, before it has a connection and behind that', async () => {
      const reason = new Error('enough');
      const aborted = way.stream('PUT', '/', AbortSignal.abort(reason));
      expect(await rejection(aborted.on('error', () => undefined).response)).to.equal(reason);
      const controller = new AbortController();
      const running = way.stream('PUT', '/', controller.signal).on('error', () => undefined);
      running.write('some');
      await server.until(({ peers }) => peers[0]?.text.includes('some') === true);
      controller.abort(reason);
      expect(await rejection(running.response)).to.equal(reason);
      await server.peer().closed;
    });
  });
}

describe('a request as a stream of a client that follows redirects', () => {
  it('goes on without its body where the method becomes GET, and no further where it is kept', async () => {
    const server = await rawServer(echo);
    const client = new HTTPClient({ baseURL: `http://127.0.0.1:${String(server.port)}`, redirects: 3 });
    const seen = client.stream('POST', '/see');
    seen.end('body');
    expect(await seen.toArray()).to.deep.equal([]);
    expect((await seen.response).redirectedFrom).to.have.length(1);
    const moved = client.stream('POST', '/moved').on('error', () => undefined);
    moved.end('body');
    expect(await rejection(moved.response)).to.be.instanceOf(RedirectError);
    expect(() => client.stream('GET', 'http://')).to.throw(InvalidURL);
    await client.close();
  });
});
