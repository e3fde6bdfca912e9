/**
 * A server that answers while the body is still being sent, and mostly closes without reading it: the response arrives whole, the
 * source is told, and the connection object goes on working. The same over TCP, TLS, and TLS inside a tunnel.
 */
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { HTTPConnection, RequestBody } from '../../lib/index.js';
import { generatorBody, patternBytes, silentBody, streamBody } from '../support/body-sources.js';
import { OK } from '../support/raw-server.js';
import type { Script } from '../support/raw-server.js';
import { rejection } from '../support/rejection.js';
import { TCP, TLS, TUNNEL } from '../support/transports.js';

const MIB = 1_048_576;
const SIZES = [65_536, 262_144, MIB, 4 * MIB, 16 * MIB];
const TRIES_PER_SIZE = 3;

const REFUSAL_BODY = patternBytes(20_000);

function reply(statusLine: string, body: Buffer, ...fields: string[]): Buffer {
  const head = [statusLine, `Content-Length: ${String(body.length)}`, ...fields, '', ''].join('\r\n');
  return Buffer.concat([Buffer.from(head), body]);
}

const REFUSAL = reply('HTTP/1.1 413 Content Too Large', REFUSAL_BODY, 'X-Limit: 1');

/** Answers the head and closes, with everything that follows the head unread; a GET is served. */
const refuse: Script = (socket, request) => {
  if (request.method === 'GET') {
    socket.write(OK);
    return;
  }
  socket.pause();
  socket.end(REFUSAL, () => socket.destroy());
};

interface Prepared {
  body: RequestBody;
  /** Whether the source has been read to its end or told that the rest is not wanted. */
  released: () => boolean;
  after?: () => Promise<void>;
}

async function expectOK(connection: HTTPConnection): Promise<void> {
  await connection.request('GET', '/next');
  const response = await connection.getResponse();
  expect(await response.text()).to.equal('ok');
}

describe('an early final response', function () {
  this.timeout(30_000);

  let folder: string;
  let file: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-'));
    file = join(folder, 'body');
    await writeFile(file, patternBytes(16 * MIB));
  });

  after(async () => {
    await rm(folder, { recursive: true });
  });

  const kinds: Record<string, (size: number) => Promise<Prepared> | Prepared> = {
    'bytes of known length': (size) => ({ body: patternBytes(size), released: () => true }),
    'a generator': (size) => {
      const { body, watch } = generatorBody(size);
      return { body, released: () => watch.exhausted || watch.cancelled };
    },
    'a Readable': (size) => {
      const { body, watch } = streamBody(size);
      return { body, released: () => watch.exhausted || watch.cancelled };
    },
    'a file stream': (size) => {
      const body = createReadStream(file, { end: size - 1 });
      return { body, released: () => body.destroyed };
    },
    'a FileHandle': async () => {
      const body: FileHandle = await open(file);
      return { body, released: () => body.fd !== -1, after: () => body.close() };
    },
  };

  for (const way of [TCP, TLS, TUNNEL]) {
    for (const [kind, prepare] of Object.entries(kinds)) {
      it(`arrives whole over ${way.name} while ${kind} of any size is sent to a server that closes unread`, async () => {
        const server = await way.serve(refuse, { atHead: true });
        for (const size of SIZES) {
          const tries = Array.from({ length: TRIES_PER_SIZE }, async () => {
            const connection = await way.connect(server);
            const { body, released, after } = await prepare(size);
            const sent = connection.request('POST', '/upload', body);
            const response = await connection.getResponse();
            expect(response.status).to.equal(413);
            expect(response.headers.get('X-Limit')).to.equal('1');
            const content = await response.readall();
            expect(content.equals(REFUSAL_BODY)).to.equal(true);
            await sent;
            expect(released()).to.equal(true);
            await after?.();
            await expectOK(connection);
            connection.close();
          });
          await Promise.all(tries);
        }
      });
    }

    it(`resolves request() over ${way.name} and cancels a source that would never have ended`, async () => {
      const server = await way.serve(refuse, { atHead: true });
      const connection = await way.connect(server);
      const { body, watch } = silentBody(Buffer.from('first piece'));
      await connection.request('POST', '/', body);
      expect(watch.cancelled).to.equal(true);
      const response = await connection.getResponse();
      expect(await response.readall()).to.have.length(REFUSAL_BODY.length);
      await expectOK(connection);
    });

    it(`over ${way.name} stops the upload on a 401 of a server that keeps the connection, which is not used again`, async () => {
      const server = await way.serve(
        (socket, request) => {
          socket.write(
            request.method === 'GET' ? OK : reply('HTTP/1.1 401 Unauthorized', Buffer.from('who?')),
          );
        },
        { atHead: true },
      );
      const connection = await way.connect(server);
      const { body, watch } = generatorBody(Infinity);
      await connection.request('POST', '/', body);
      expect(watch.cancelled).to.equal(true);
      const response = await connection.getResponse();
      expect(await response.text()).to.equal('who?');
      await expectOK(connection);
      expect(server.connections).to.equal(2);
    });

    it(`over ${way.name} delivers a 200 of a server that resets before it has read the body`, async () => {
      const answer = reply('HTTP/1.1 200 OK', REFUSAL_BODY);
      const server = await way.serve(
        (socket, request) => {
          if (request.method === 'GET') socket.write(OK);
          else {
            socket.pause();
            socket.write(answer, () => socket.destroy());
          }
        },
        { atHead: true },
      );
      for (let i = 0; i < 10; i++) {
        const connection = await way.connect(server);
        const { body, watch } = generatorBody(16 * MIB);
        const sent = connection.request('POST', '/', body);
        const response = await connection.getResponse();
        expect((await response.readall()).equals(REFUSAL_BODY)).to.equal(true);
        await sent;
        expect(watch.cancelled).to.equal(true);
        await expectOK(connection);
        connection.close();
      }
    });

    it(`over ${way.name} reports the broken connection when no response comes`, async () => {
      const server = await way.serve(
        (socket) => {
          socket.pause();
          setImmediate(() => socket.destroy());
        },
        { atHead: true },
      );
      const connection = await way.connect(server);
      const { body, watch } = generatorBody(16 * MIB);
      const error = await rejection<NodeJS.ErrnoException & { phase?: string }>(
        Promise.all([connection.request('POST', '/lost', body), connection.getResponse()]),
      );
      expect(error.code).to.be.oneOf(['EPIPE', 'ECONNRESET']);
      expect(error).to.include({ method: 'POST', url: '/lost', reused: false });
      expect(watch.cancelled).to.equal(true);
      expect(connection.state).to.equal('Idle');
    });
  }

  it('is delivered to a reader that pauses in the middle of it', async () => {
    const server = await TCP.serve(refuse, { atHead: true });
    const connection = await TCP.connect(server);
    await connection.request('POST', '/', generatorBody(8 * MIB).body);
    const response = await connection.getResponse();
    const pieces: Buffer[] = [];
    response.on('data', (piece: Buffer) => {
      pieces.push(piece);
      response.pause();
      setTimeout(() => response.resume(), 2);
    });
    await once(response, 'end');
    expect(Buffer.concat(pieces).equals(REFUSAL_BODY)).to.equal(true);
  });

  for (const size of [20_000, 300_000]) {
    it(`resolves request() when sending breaks behind the head of a success of ${String(size)} bytes that nobody reads yet`, async () => {
      const content = patternBytes(size);
      const server = await TCP.serve(
        (socket) => {
          socket.pause();
          socket.write(reply('HTTP/1.1 200 OK', content));
          setTimeout(() => socket.destroy(), 50);
        },
        { atHead: true },
      );
      const connection = await TCP.connect(server);
      const { body, watch } = generatorBody(Infinity);
      await connection.request('POST', '/', body);
      expect(watch.cancelled).to.equal(true);
      const response = await connection.getResponse();
      expect(response.status).to.equal(200);
      // The reset takes back what the client had no room for yet.
      if (size < 65_536) expect((await response.readall()).equals(content)).to.equal(true);
      else response.destroy();
    });
  }

  it('that lasts until the connection ends is whole, although the server closes with the upload unread', async () => {
    const server = await TCP.serve(
      (socket) => {
        socket.pause();
        socket.end('HTTP/1.1 400 Bad Request\r\n\r\nno more of this', () => socket.destroy());
      },
      { atHead: true },
    );
    for (let i = 0; i < 30; i++) {
      const connection = await TCP.connect(server);
      const sent = connection.request('POST', '/', generatorBody(4 * MIB, 65_536).body);
      const response = await connection.getResponse();
      expect(await response.text()).to.equal('no more of this');
      await sent;
      connection.close();
    }
  });

  it('with Connection: close stops the upload whatever its status', async () => {
    const server = await TCP.serve(
      (socket) => {
        socket.write(reply('HTTP/1.1 200 OK', Buffer.from('enough'), 'Connection: close'));
      },
      { atHead: true },
    );
    const connection = await TCP.connect(server);
    const { body, watch } = generatorBody(Infinity);
    await connection.request('PUT', '/', body);
    expect(watch.cancelled).to.equal(true);
    const response = await connection.getResponse();
    expect(await response.text()).to.equal('enough');
    expect(response.willClose).to.equal(true);
  });

  it('lets the connection go as soon as it was received, not when it has been read', async () => {
    const server = await TCP.serve(
      (socket) => {
        socket.write(reply('HTTP/1.1 403 Forbidden', Buffer.from('no')));
      },
      { atHead: true },
    );
    const connection = await TCP.connect(server);
    await connection.request('POST', '/', generatorBody(Infinity).body);
    await connection.getResponse();
    await server.peer().closed;
  });

  it('never ends the chunked body well-formed', async () => {
    const server = await TCP.serve(
      (socket) => {
        socket.write(reply('HTTP/1.1 500 Internal Server Error', Buffer.from('no')));
      },
      { atHead: true },
    );
    const connection = await TCP.connect(server);
    await connection.request('POST', '/', silentBody(Buffer.from('part')).body);
    await server.peer().closed;
    expect(server.peer().text).to.match(/\r\n\r\n4\r\npart$/);
  });
});
