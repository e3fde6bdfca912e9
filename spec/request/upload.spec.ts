/**
 * Uploads that do not go to plan: sources that fail, give too much or too little, or are faster than the server; and what each side
 * learns of it.
 */

import type { Socket } from 'node:net';
import { PassThrough, Readable } from 'node:stream';

import { expect } from 'chai';

import type { HTTPConnection, HeadersInit, RequestBody, RequestOptions } from '../../lib/index.js';
import { generatorBody, patternBytes, silentBody, streamBody } from '../support/body-sources.js';
import type { Watch } from '../support/body-sources.js';
import { answer, connectionTo, NO_CONTENT, OK, rawServer } from '../support/raw-server.js';
import type { RawServer } from '../support/raw-server.js';
import { rejection } from '../support/rejection.js';

/** The connection serves the next request as if nothing had been. */
async function expectFresh(conn: HTTPConnection, server: RawServer): Promise<void> {
  expect(conn.state).to.equal('Idle');
  expect(conn.socket).to.equal(null);
  await conn.request('GET', '/after');
  expect((await conn.getResponse()).status).to.equal(204);
  expect(server.peer(1).requests[0]?.target).to.equal('/after');
}

describe('a source that fails', () => {
  const cause = new Error('the source broke');
  const SOURCES: { name: string; body: () => RequestBody }[] = [
    {
      name: 'a generator that throws',
      body: () =>
        (function* (): Generator<string> {
          yield 'abc';
          throw cause;
        })(),
    },
    {
      name: 'an async generator that throws',
      body: () =>
        (async function* (): AsyncGenerator<string> {
          yield 'abc';
          await Promise.resolve();
          throw cause;
        })(),
    },
    {
      name: 'an async iterator whose next() throws at once',
      body: () => {
        let calls = 0;
        const next = (): Promise<IteratorResult<string>> => {
          if (calls++ === 0) return Promise.resolve({ done: false, value: 'abc' });
          throw cause;
        };
        return { [Symbol.asyncIterator]: () => ({ next }) };
      },
    },
    {
      name: 'a stream that errors',
      body: () => {
        const stream = new PassThrough();
        stream.write('abc');
        setTimeout(() => stream.destroy(cause), 20);
        return stream;
      },
    },
    {
      name: 'a web stream that errors',
      body: () => {
        let pulls = 0;
        return new ReadableStream(
          {
            pull(controller) {
              if (pulls++ === 0) controller.enqueue('abc');
              else controller.error(cause);
            },
          },
          { highWaterMark: 0 },
        );
      },
    },
  ];
  const FRAMINGS: { framing: string; headers: HeadersInit; sent: string }[] = [
    { framing: 'chunked', headers: {}, sent: '3\r\nabc' },
    { framing: 'with a declared length', headers: { 'Content-Length': 6 }, sent: 'abc' },
  ];
  for (const { name, body } of SOURCES) {
    for (const { framing, headers, sent } of FRAMINGS) {
      it(`rejects with its very error and truncates the body (${name}, ${framing})`, async () => {
        const server = await rawServer(answer(NO_CONTENT));
        const conn = connectionTo(server);
        expect(await rejection(conn.request('PUT', '/', body(), headers))).to.equal(cause);
        await server.until(() => server.connections === 1);
        await server.peer().closed;
        const { text, requests } = server.peer();
        expect(requests, 'a well-formed request').to.deep.equal([]);
        const content = text.slice(text.indexOf('\r\n\r\n') + 4);
        // What was sent before may have been given up with the connection, but nothing else may have been sent.
        expect(sent.startsWith(content) || content.startsWith(sent)).to.equal(true);
        expect(content).not.to.contain('0\r\n\r\n');
        await expectFresh(conn, server);
      });
    }
  }

  it('has what it gave before delivered', async () => {
    const server = await rawServer(answer(NO_CONTENT));
    const conn = connectionTo(server);
    const body = (async function* (): AsyncGenerator<string> {
      yield 'abc';
      await server.until(() => server.peers[0]?.text.endsWith('abc') === true);
      throw cause;
    })();
    expect(await rejection(conn.request('PUT', '/', body))).to.equal(cause);
    await server.peer().closed;
    expect(server.peer().text.endsWith('\r\n\r\n3\r\nabc')).to.equal(true);
  });

  it('rejects getResponse too, with the same error', async () => {
    const server = await rawServer(answer(NO_CONTENT));
    const conn = connectionTo(server);
    const body = (async function* (): AsyncGenerator<string> {
      yield 'abc';
      await server.until(() => server.connections === 1);
      throw cause;
    })();
    const request = conn.request('PUT', '/', body);
    expect(await rejection(conn.getResponse())).to.equal(cause);
    expect(await rejection(request)).to.equal(cause);
  });

  it('fails before the connection is open as well', async () => {
    const server = await rawServer(answer(NO_CONTENT));
    const conn = connectionTo(server);
    const stream = new Readable({ read() {} });
    const request = conn.request('PUT', '/', stream);
    stream.destroy(cause);
    expect(await rejection(request)).to.equal(cause);
    expect(conn.state).to.equal('Idle');
  });

  it('may be a stream that is destroyed without an error', async () => {
    const server = await rawServer(answer(NO_CONTENT));
    const conn = connectionTo(server);
    const stream = new Readable({ read() {} });
    stream.push('abc');
    const request = conn.request('PUT', '/', stream);
    await server.until(() => server.connections === 1);
    stream.destroy();
    expect(await rejection(request)).to.have.property('code', 'ERR_STREAM_PREMATURE_CLOSE');
    await server.peer().closed;
    expect(server.peer().requests).to.deep.equal([]);
    await expectFresh(conn, server);
  });

  it('may be a function that makes trailers', async () => {
    const server = await rawServer(answer(NO_CONTENT));
    const conn = connectionTo(server);
    const trailers = (): never => {
      throw cause;
    };
    expect(await rejection(conn.request('PUT', '/', ['abc'], {}, { trailers }))).to.equal(cause);
    await server.until(() => server.connections === 1);
    await server.peer().closed;
    expect(server.peer().requests).to.deep.equal([]);
    await expectFresh(conn, server);
  });
});

describe('a piece that cannot be sent', () => {
  const PIECES: { name: string; piece: unknown; says: RegExp }[] = [
    { name: 'a number', piece: 7, says: /yield strings or bytes.*number 7/ },
    { name: 'null', piece: null, says: /yield strings or bytes.*null/ },
    { name: 'undefined', piece: undefined, says: /yield strings or bytes.*undefined/ },
    { name: 'a plain object', piece: {}, says: /yield strings or bytes.*Object/ },
    { name: 'an array of bytes', piece: [1, 2], says: /yield strings or bytes.*Array/ },
    { name: 'a character beyond ISO-8859-1', piece: 'a€', says: /U\+20AC at index 1/ },
  ];
  for (const { name, piece, says } of PIECES) {
    it(`ends the upload as if the source had failed: ${name}`, async () => {
      const server = await rawServer(answer(NO_CONTENT));
      const conn = connectionTo(server);
      let returned = false;
      const body = (function* (): Generator {
        try {
          yield 'abc';
          yield piece;
          yield 'never';
        } finally {
          returned = true;
        }
      })();
      const error = await rejection(conn.request('PUT', '/', body as RequestBody));
      expect(error).to.be.instanceOf(TypeError);
      expect(error.message).to.match(says);
      expect(returned).to.equal(true);
      await server.until(() => server.connections === 1);
      await server.peer().closed;
      expect(server.peer().requests).to.deep.equal([]);
      expect(server.peer().text).not.to.contain('never');
      await expectFresh(conn, server);
    });
  }

  it('destroys a stream in object mode', async () => {
    const server = await rawServer(answer(NO_CONTENT));
    const conn = connectionTo(server);
    const stream = Readable.from(['abc', 7, 'never']);
    expect(await rejection(conn.request('PUT', '/', stream))).to.be.instanceOf(TypeError);
    expect(stream.destroyed).to.equal(true);
  });
});

describe('a source and its declared length', () => {
  const TABLE: { name: string; pieces: string[]; declared: number; sent: number; wire: string }[] = [
    { name: 'fewer bytes', pieces: ['ab', 'c'], declared: 5, sent: 3, wire: 'abc' },
    { name: 'none', pieces: [], declared: 5, sent: 0, wire: '' },
    { name: 'a piece too many', pieces: ['ab', 'c', 'd'], declared: 3, sent: 3, wire: 'abc' },
    { name: 'a piece that goes beyond it', pieces: ['ab', 'cdef'], declared: 3, sent: 2, wire: 'ab' },
    { name: 'bytes where none were declared', pieces: ['a'], declared: 0, sent: 0, wire: '' },
  ];
  for (const { name, pieces, declared, sent, wire } of TABLE) {
    for (const kind of ['an iterable', 'an async iterable', 'a stream'] as const) {
      it(`fails for ${name}, with nothing surplus on the wire (${kind})`, async () => {
        // No answer: one that came early would end the upload before it goes wrong.
        const server = await rawServer((socket, request) => {
          if (request.target === '/after') socket.write(NO_CONTENT);
        });
        const conn = connectionTo(server);
        const slow = (async function* (): AsyncGenerator<string> {
          for (const piece of pieces) {
            yield piece;
            await new Promise(setImmediate);
          }
        })();
        const body = kind === 'an iterable' ? pieces : kind === 'a stream' ? Readable.from(pieces) : slow;
        const error = await rejection(conn.request('PUT', '/', body, { 'Content-Length': declared }));
        expect(error).to.include({ name: 'ContentLengthMismatch', declared, sent, method: 'PUT', url: '/' });
        await server.until(() => server.connections === 1);
        await server.peer().closed;
        const { text } = server.peer();
        const content = text.slice(text.indexOf('\r\n\r\n') + 4);
        expect(wire.startsWith(content), `on the wire: ${content}`).to.equal(true);
        await expectFresh(conn, server);
      });
    }
  }

  it('counts pieces of many sizes exactly', async () => {
    const server = await rawServer(answer(NO_CONTENT));
    const conn = connectionTo(server);
    const { body } = generatorBody(300_001, 7_777);
    await conn.request('PUT', '/', body, { 'Content-Length': 300_001 });
    await conn.getResponse();
    expect(server.request.body.equals(patternBytes(300_001))).to.equal(true);
  });
});

describe('a server that does not read', () => {
  // What the kernel takes on loopback before it says no is beyond the client: the queues of two sockets.
  const KERNEL_BYTES = 100_000_000;
  const OWN_BYTES = 4 * 65_536;
  const PIECE = 65_536;
  const KINDS: { name: string; make: () => { body: RequestBody; watch: Watch }; headers?: HeadersInit }[] = [
    { name: 'an async generator', make: () => generatorBody(200_000_000, PIECE) },
    { name: 'a stream', make: () => streamBody(200_000_000, PIECE) },
    { name: 'small pieces', make: () => generatorBody(200_000_000, 1000) },
    {
      name: 'a declared length',
      make: () => generatorBody(200_000_000, PIECE),
      headers: { 'Content-Length': 200_000_000 },
    },
    {
      name: 'a synchronous generator',
      make: () => {
        const watch: Watch = { given: 0, exhausted: false, cancelled: false };
        const piece = Buffer.alloc(PIECE);
        const body = (function* (): Generator<Buffer> {
          try {
            for (;;) {
              watch.given += PIECE;
              yield piece;
            }
          } finally {
            watch.cancelled = true;
          }
        })();
        return { body, watch };
      },
    },
  ];
  for (const { name, make, headers } of KINDS) {
    it(`holds the source back: ${name}`, async () => {
      const server = await rawServer(answer(OK), { silent: true });
      const conn = connectionTo(server);
      const { body, watch } = make();
      const request = conn.request('PUT', '/', body, headers);
      const { given, taken } = await standstill(conn, watch);
      // Between the source and the socket's own queue only a few blocks wait.
      expect(given - taken, 'bytes pulled that the socket has not taken').to.be.below(OWN_BYTES);
      expect(given).to.be.below(KERNEL_BYTES);
      conn.close();
      expect((await rejection(request)).name).to.equal('NotConnected');
      await new Promise(setImmediate);
      expect(watch.cancelled).to.equal(true);
    });
  }

  it('gets everything in order once it reads', async () => {
    const server = await rawServer(answer(NO_CONTENT), { silent: true });
    const conn = connectionTo(server);
    const { body, watch } = generatorBody(20_000_000, PIECE);
    const request = conn.request('PUT', '/', body);
    await standstill(conn, watch);
    expect(watch.exhausted).to.equal(false);
    server.peer().read();
    await request;
    expect((await conn.getResponse()).status).to.equal(204);
    expect(server.request.body.equals(patternBytes(20_000_000))).to.equal(true);
  });

  /** Waits until the source has not been asked for a while. */
  async function standstill(conn: HTTPConnection, watch: Watch): Promise<{ given: number; taken: number }> {
    for (let last = -1; last !== watch.given || last === 0;) {
      last = watch.given;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const { bytesWritten, writableLength } = conn.socket as Socket;
    return { given: watch.given, taken: bytesWritten - writableLength };
  }
});

describe('what ends an upload early', () => {
  const WAYS: {
    name: string;
    end: (conn: HTTPConnection, abort: AbortController, server: RawServer) => void;
  }[] = [
    { name: 'close()', end: (conn) => conn.close() },
    { name: 'an abort', end: (_, abort) => abort.abort(new Error('enough')) },
    { name: 'a reset by the peer', end: (_conn, _abort, server) => server.peer().socket.resetAndDestroy() },
  ];
  for (const { name, end } of WAYS) {
    it(`has an iterator told by return(): ${name}`, async () => {
      const server = await rawServer(answer(NO_CONTENT));
      const conn = connectionTo(server);
      const abort = new AbortController();
      const { body, watch } = silentBody(Buffer.from('abc'));
      const request = conn.request('PUT', '/', body, {}, { signal: abort.signal });
      await server.until(() => server.peers[0]?.text.endsWith('abc') === true);
      end(conn, abort, server);
      await rejection(request);
      expect(watch.cancelled).to.equal(true);
      expect(conn.state).to.equal('Idle');
    });

    it(`has a stream destroyed: ${name}`, async () => {
      const server = await rawServer(answer(NO_CONTENT));
      const conn = connectionTo(server);
      const abort = new AbortController();
      const stream = new PassThrough();
      stream.write('abc');
      const request = conn.request('PUT', '/', stream, {}, { signal: abort.signal });
      await server.until(() => server.peers[0]?.text.endsWith('abc') === true);
      end(conn, abort, server);
      await rejection(request);
      expect(stream.destroyed).to.equal(true);
    });
  }

  it('has a web stream cancelled', async () => {
    const server = await rawServer(answer(NO_CONTENT));
    const conn = connectionTo(server);
    let cancelled = false;
    const stream = new ReadableStream({
      start(controller) {
        controller.enqueue('abc');
      },
      cancel() {
        cancelled = true;
      },
    });
    const request = conn.request('PUT', '/', stream);
    await server.until(() => server.peers[0]?.text.endsWith('abc') === true);
    conn.close();
    await rejection(request);
    expect(cancelled).to.equal(true);
  });

  it('is not hindered by a return() that throws', async () => {
    const server = await rawServer(answer(NO_CONTENT));
    const conn = connectionTo(server);
    const iterator = {
      next: () => new Promise<IteratorResult<string>>(() => undefined),
      return: (): never => {
        throw new Error('no');
      },
    };
    const request = conn.request('PUT', '/', { [Symbol.asyncIterator]: () => iterator });
    await server.until(() => server.connections === 1);
    conn.close();
    expect((await rejection(request)).name).to.equal('NotConnected');
  });

  it('leaves a source alone that was read to its end', async () => {
    const server = await rawServer(answer(NO_CONTENT));
    const conn = connectionTo(server);
    const { body, watch } = generatorBody(100, 10);
    await conn.request('PUT', '/', body);
    await conn.getResponse();
    expect(watch).to.include({ exhausted: true, cancelled: false });
  });

  const REFUSED: { name: string; options: RequestOptions; headers: HeadersInit }[] = [
    { name: 'a bad field', options: {}, headers: { 'a b': '1' } },
    { name: 'bad trailers', options: { trailers: { Host: 'x' } }, headers: {} },
  ];
  for (const { name, options, headers } of REFUSED) {
    it(`leaves a stream unread when the request is refused for ${name}`, async () => {
      const server = await rawServer(answer(NO_CONTENT));
      const conn = connectionTo(server);
      const { body, watch } = streamBody(100, 10);
      expect(await rejection(conn.request('PUT', '/', body, headers, options))).to.be.instanceOf(TypeError);
      expect(watch.given).to.equal(0);
      expect(body.destroyed).to.equal(false);
      await conn.request('PUT', '/', body);
      expect((await conn.getResponse()).status).to.equal(204);
      expect(server.request.body.length).to.equal(100);
    });
  }
});
