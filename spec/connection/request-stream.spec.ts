/**
 * A request as a Duplex: what is written is the body, what is read is the response's; whatever ends one side ends the exchange.
 */
import { getEventListeners, once } from 'node:events';
import { PassThrough, Readable, Writable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { expect } from 'chai';
import { CannotSendRequest, ContentLengthMismatch, InvalidURL, TimeoutError } from '../../lib/index.js';
import type { HTTPConnection, HTTPResponse, RequestStream } from '../../lib/index.js';
import { generatorBody } from '../support/body-sources.js';
import { answer, connectionTo, OK, rawServer } from '../support/raw-server.js';
import type { Script } from '../support/raw-server.js';
import { rejection, unhandledRejections } from '../support/rejection.js';
import { TCP, TLS, TUNNEL } from '../support/transports.js';

const LARGE = Buffer.alloc(3_000_000, 'millrace ');

/** Answers with the body that came. */
const echo: Script = (socket, { body }) => {
  socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${String(body.length)}\r\n\r\n`);
  socket.write(body);
};

const REFUSAL = Buffer.alloc(200_000, 'too large ');

/** Answers at the head, and reads no further. */
const refuse: Script = (socket) => {
  socket.write(
    `HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: ${String(REFUSAL.length)}\r\n\r\n`,
  );
  socket.end(REFUSAL);
};

class Collector extends Writable {
  readonly pieces: Buffer[] = [];
  readonly #delayMs: number;

  constructor(delayMs = 0) {
    super({ highWaterMark: 1000 });
    this.#delayMs = delayMs;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.pieces);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.pieces.push(chunk);
    if (this.#delayMs === 0) done();
    else setTimeout(done, this.#delayMs);
  }

  override _final(done: () => void): void {
    setTimeout(done, 5);
  }
}

async function expectUsable(conn: HTTPConnection): Promise<void> {
  expect(conn.state).to.equal('Idle');
  await conn.request('PUT', '/', 'again');
  expect(await (await conn.getResponse()).text()).to.equal('again');
}

for (const way of [TCP, TLS, TUNNEL]) {
  describe(`a request as a stream over ${way.name}`, () => {
    it('stands in a pipeline between a source and a sink', async () => {
      const server = await way.serve(echo);
      const conn = await way.connect(server);
      const sink = new Collector();
      const stream = conn.stream('PUT', '/file');
      await pipeline(Readable.from(cut(LARGE, 50_000)), createGzip(), stream, createGunzip(), sink);
      expect(sink.bytes.equals(LARGE)).to.equal(true);
      expect(server.requests[0]?.fields).to.deep.include(['Transfer-Encoding', 'chunked']);
      expect((await stream.response).status).to.equal(200);
      await expectUsable(conn);
      expect(server.connections).to.equal(1);
    });

    it('gives the sink the whole response of a server that refused the upload', async () => {
      const server = await way.serve(refuse, { atHead: true });
      const conn = await way.connect(server);
      const sink = new Collector(1);
      const { body, watch } = generatorBody(Infinity);
      const source = Readable.from(body);
      const ended = pipeline(source, conn.stream('PUT', '/'), sink).then(
        () => null,
        (error: unknown) => error as NodeJS.ErrnoException,
      );
      const error = await ended;
      expect(sink.bytes.equals(REFUSAL)).to.equal(true);
      if (error !== null) expect(error.code).to.equal('ERR_STREAM_PREMATURE_CLOSE');
      expect(source.destroyed).to.equal(true);
      expect(watch.cancelled).to.equal(true);
    });

    it('settles a pipeline whose source had given all when the server refused', async () => {
      const server = await way.serve(refuse, { atHead: true });
      for (let i = 0; i < 20; i++) {
        const conn = await way.connect(server);
        const sink = new Collector();
        const source = new PassThrough();
        const stream = conn.stream('PUT', '/');
        const ended = pipeline(source, stream, sink).catch((error: unknown) => error);
        await stream.response;
        source.end('all that there is');
        await ended;
        expect(sink.bytes.equals(REFUSAL)).to.equal(true);
      }
    });

    it('lets one who writes by hand go on behind a refusal, and sends none of it', async () => {
      const server = await way.serve(refuse, { atHead: true });
      const conn = await way.connect(server);
      const stream = conn.stream('PUT', '/');
      for (let i = 0; i < 100; i++) if (!stream.write(Buffer.alloc(100_000))) await once(stream, 'drain');
      stream.end();
      const { status } = await stream.response;
      expect(status).to.equal(413);
      expect(Buffer.concat(await stream.toArray()).equals(REFUSAL)).to.equal(true);
    });

    it('ends the body short, never well-formed, when the source of a pipeline fails', async () => {
      const server = await way.serve(echo);
      const conn = await way.connect(server);
      const reason = new Error('the source broke');
      // eslint-disable-next-line func-style
      async function* broken(): AsyncGenerator<Buffer> {
        yield Buffer.from('some');
        await server.until(({ peers }) => peers[0]?.text.includes('some') === true);
        throw reason;
      }
      const stream = conn.stream('PUT', '/');
      expect(await rejection(pipeline(broken, stream, new Collector()))).to.equal(reason);
      expect(await rejection(stream.response)).to.equal(reason);
      await server.peer().closed;
      expect(server.peer().text.endsWith('0\r\n\r\n')).to.equal(false);
      await expectUsable(conn);
    });

    it('ends the exchange when the sink fails', async () => {
      const server = await way.serve((socket) => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n');
        socket.write(Buffer.alloc(200_000));
      });
      const conn = await way.connect(server);
      const reason = new Error('the sink broke');
      const sink = new Writable({
        write: (_chunk, _encoding, done) => {
          done(reason);
        },
      });
      expect(await rejection(pipeline(conn.stream('GET', '/'), sink))).to.equal(reason);
      await server.peer().closed;
      expect(conn.state).to.equal('Idle');
    });

    it('is ended by a signal, by destroy(), and by the clocks of the exchange', async () => {
      const server = await way.serve(() => undefined);
      const conn = await way.connect(server);
      const controller = new AbortController();
      const reason = new Error('enough');
      const aborted = conn.stream('POST', '/', {}, { signal: controller.signal });
      aborted.write('some');
      await server.until(({ peers }) => peers[0]?.text.includes('some') === true);
      controller.abort(reason);
      expect(await rejection(finished(aborted))).to.equal(reason);
      expect(await rejection(aborted.response)).to.equal(reason);
      expect(getEventListeners(controller.signal, 'abort')).to.have.length(0);
      await server.peer(0).closed;

      const destroyed = conn.stream('POST', '/');
      destroyed.destroy();
      expect(await rejection(destroyed.response)).to.have.property('name', 'AbortError');

      const late = conn.stream('GET', '/', {}, { timeout: { response: 40 } });
      expect(await rejection(late.toArray())).to.be.instanceOf(TimeoutError);
    });
  });
}

describe('a request as a stream', () => {
  it('has no writable side for GET and HEAD, and reads as any Readable', async () => {
    const server = await rawServer(answer(OK));
    const conn = connectionTo(server);
    const stream = conn.stream('GET', '/');
    expect(stream.writable).to.equal(false);
    const seen: HTTPResponse[] = [];
    stream.on('response', (response: HTTPResponse) => seen.push(response));
    let text = '';
    for await (const piece of stream) text += String(piece);
    expect(text).to.equal('ok');
    expect(seen).to.deep.equal([await stream.response]);
    expect(stream.destroyed).to.equal(true);
    const head = conn.stream('HEAD', '/');
    expect(await head.toArray()).to.deep.equal([]);
    conn.close();
  });

  it('is held to a Content-Length', async () => {
    const server = await rawServer(echo);
    const conn = connectionTo(server);
    const right = conn.stream('PUT', '/', { 'Content-Length': 4 });
    right.write('ab');
    right.end('cd');
    expect(String(Buffer.concat(await right.toArray()))).to.equal('abcd');
    for (const text of ['abc', 'abcde']) {
      const wrong = conn.stream('PUT', '/', { 'Content-Length': 4 });
      wrong.on('error', () => undefined).end(text);
      expect(await rejection(wrong.response), text).to.be.instanceOf(ContentLengthMismatch);
    }
    await expectUsable(conn);
    conn.close();
  });

  it('encodes text as a body, and by an encoding that is named', async () => {
    const server = await rawServer(echo);
    const conn = connectionTo(server);
    const latin = conn.stream('PUT', '/');
    latin.end('é');
    expect(Buffer.concat(await latin.toArray())).to.deep.equal(Buffer.from([0xe9]));
    const utf8 = conn.stream('PUT', '/', { 'Content-Type': 'text/plain; charset=utf-8' });
    utf8.write('00ff', 'hex');
    utf8.end('é');
    expect(Buffer.concat(await utf8.toArray())).to.deep.equal(Buffer.from([0x00, 0xff, 0xc3, 0xa9]));
    const unfit = conn.stream('PUT', '/');
    unfit.on('error', () => undefined).end('€');
    expect(await rejection(unfit.response)).to.be.instanceOf(TypeError);
    conn.close();
  });

  it('refuses what is wrong at once', async () => {
    const server = await rawServer(answer(OK));
    const conn = connectionTo(server);
    expect(() => conn.stream('G T', '/')).to.throw(TypeError);
    expect(() => conn.stream('GET', '/a b')).to.throw(InvalidURL);
    expect(() => conn.stream('GET', '/', { 'X-A': 'a\r\nb' })).to.throw(TypeError);
    expect(() => conn.stream('GET', '/', {}, { signal: {} as AbortSignal })).to.throw(TypeError);
    const running = conn.stream('PUT', '/');
    expect(() => conn.stream('GET', '/')).to.throw(CannotSendRequest);
    running.end();
    await running.toArray();
    conn.close();
  });

  it('holds back a fast writer and a fast server', async () => {
    const server = await rawServer(
      (socket) => {
        socket.pause();
      },
      { atHead: true },
    );
    const conn = connectionTo(server);
    const stream = conn.stream('PUT', '/');
    let written = 0;
    const source = new Readable({
      highWaterMark: 65_536,
      read() {
        written += 65_536;
        this.push(Buffer.alloc(65_536));
      },
    });
    source.pipe(stream);
    stream.on('error', () => undefined);
    // The kernel's buffers fill up first; then nothing more is asked for.
    let before = -1;
    while (written !== before) {
      before = written;
      await new Promise((resolve) => setTimeout(resolve, 150));
    }
    expect(written).to.be.below(40_000_000);
    source.unpipe(stream);
    stream.destroy();

    const flood = await rawServer((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n');
      socket.write(Buffer.alloc(50_000_000));
    });
    const other = connectionTo(flood);
    const reading = other.stream('GET', '/');
    await once(reading, 'readable');
    await new Promise((resolve) => setTimeout(resolve, 100));
    const response = await reading.response;
    expect(reading.readableLength + response.readableLength).to.be.below(500_000);
    reading.on('error', () => undefined).destroy();
  });

  it('leaves the response to a caller who reads that instead', async () => {
    const server = await rawServer(echo);
    const conn = connectionTo(server);
    const stream = conn.stream('PUT', '/');
    stream.end('body');
    expect(await (await stream.response).text()).to.equal('body');
    await expectUsable(conn);
    conn.close();
  });

  it('whose failure nobody asks for ends no process by its promise', async () => {
    const unhandled = await unhandledRejections(async () => {
      const server = await rawServer((socket) => socket.destroy());
      const stream: RequestStream = connectionTo(server).stream('GET', '/');
      await rejection(finished(stream.resume()));
    });
    expect(unhandled).to.deep.equal([]);
  });

  it('is destroyed by a response that is cut short, behind the bytes that came', async () => {
    const server = await rawServer((socket) => {
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc');
    });
    const conn = connectionTo(server);
    const stream = conn.stream('GET', '/');
    const through = new PassThrough();
    const ended = rejection(pipeline(stream, through));
    const [piece] = (await once(through, 'data')) as [Buffer];
    expect(String(piece)).to.equal('abc');
    expect(await ended).to.have.property('code', 'ERR_INCOMPLETE_READ');
  });
});

function* cut(bytes: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
