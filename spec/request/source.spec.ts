/**
 * Sources that are paused, ended, of the old style, malformed, endless, or that use their memory again: each is sent rightly or fails,
 * and none hangs.
 */
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, get } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable, Stream } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { expect } from 'chai';

import type { RequestBody } from '../../lib/index.js';
import { planBody } from '../../lib/request/body.js';
import type { BodyPlan } from '../../lib/request/body.js';
import { Upload } from '../../lib/request/upload.js';
import { patternBytes } from '../support/body-sources.js';
import { answer, connectionTo, NO_CONTENT, OK, rawServer } from '../support/raw-server.js';
import type { RawServer } from '../support/raw-server.js';
import type { ReceivedRequest } from '../support/received-request.js';
import { fieldOf } from '../support/received-request.js';
import { rejection } from '../support/rejection.js';

type Options = Parameters<ReturnType<typeof connectionTo>['request']>[4];

async function put(
  server: RawServer,
  body: unknown,
  headers?: Record<string, string>,
  options?: Options,
): Promise<ReceivedRequest> {
  const connection = connectionTo(server, { timeout: 5000 });
  await connection.request('PUT', '/', body as RequestBody, headers, options);
  await connection.getResponse();
  connection.close();
  return server.request;
}

/** The request fails with the error that is given, and the server sees no whole request. */
async function refused(body: unknown, headers?: Record<string, string>): Promise<Error> {
  const server = await rawServer(answer(NO_CONTENT));
  const connection = connectionTo(server, { timeout: 5000 });
  const error = await rejection(connection.request('PUT', '/', body as RequestBody, headers));
  if (server.connections > 0) await server.peer().closed;
  expect(server.requests).to.deep.equal([]);
  expect(connection.state).to.equal('Idle');
  return error;
}

/** A stream as they were before Node 0.10: it begins on resume(), has no read(), and perhaps no destroy(). */
class OldStream extends Stream {
  readable = true;
  #pieces: unknown[];
  constructor(...pieces: unknown[]) {
    super();
    this.#pieces = pieces;
  }
  resume(): void {
    const pieces = this.#pieces;
    this.#pieces = [];
    setImmediate(() => {
      for (const piece of pieces) this.emit('data', piece);
      this.readable = false;
      this.emit('end');
      this.emit('close');
    });
  }
}

describe('a stream that is given as a body', () => {
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-spec-'));
    await writeFile(join(folder, 'file'), 'content');
  });

  after(() => rm(folder, { recursive: true }));

  it('may be paused', async () => {
    const server = await rawServer(answer(NO_CONTENT));
    const stream = createReadStream(join(folder, 'file'));
    stream.pause();
    expect((await put(server, stream)).body.toString()).to.equal('content');
  });

  it('may be of the old style, without pause(), read() and destroy()', async () => {
    const server = await rawServer(answer(NO_CONTENT));
    expect((await put(server, new OldStream('ab', Buffer.from('cd')))).body.toString()).to.equal('abcd');
    expect(await refused(new OldStream('ab', 5))).to.be.instanceOf(TypeError);
  });

  it("may be what npm's form-data is: a stream with the tag of a FormData", async () => {
    const server = await rawServer(answer(NO_CONTENT));
    const form = Object.assign(new OldStream('--x\r\n', '--x--\r\n'), { [Symbol.toStringTag]: 'FormData' });
    const request = await put(server, form);
    expect(request.body.toString()).to.equal('--x\r\n--x--\r\n');
    expect(fieldOf(request, 'Content-Type')).to.equal(null);
  });

  it('is sent although somebody listens to readable', async () => {
    const server = await rawServer(answer(NO_CONTENT));
    const stream = new PassThrough();
    stream.on('readable', () => undefined);
    stream.write('ab');
    setTimeout(() => stream.end('cd'), 10);
    expect((await put(server, stream)).body.toString()).to.equal('abcd');
  });

  it('ends where it stands when it was read to its end while the connection was opened', async () => {
    const server = await rawServer(answer(NO_CONTENT));
    const stream = Readable.from([Buffer.from('ab')]);
    const sent = put(server, stream);
    for await (const piece of stream) void piece;
    expect((await sent).body.length).to.equal(0);
  });

  it('fails when it was destroyed while the connection was opened', async () => {
    const server = await rawServer(answer(NO_CONTENT));
    const stream = new Readable({ read() {} });
    const sent = connectionTo(server).request('PUT', '/', stream);
    stream.destroy();
    expect(await rejection(sent)).to.have.property('code', 'ERR_STREAM_PREMATURE_CLOSE');
  });

  it('fails when it is closed before its end', async () => {
    const stream = new Readable({ read() {} });
    stream.push('ab');
    setTimeout(() => stream.destroy(), 20);
    expect(await refused(stream)).to.have.property('code', 'ERR_STREAM_PREMATURE_CLOSE');
  });

  it('that has failed rejects with its very error, which is left as it is', async () => {
    const cause = Object.freeze(new Error('broken'));
    const stream = new Readable({ read() {} });
    stream.on('error', () => undefined);
    stream.destroy(cause);
    await new Promise((resolve) => stream.on('close', resolve));
    expect(await refused(stream)).to.equal(cause);
  });

  it('keeps no listener of ours behind its end, but one for errors', async () => {
    const server = await rawServer(answer(NO_CONTENT));
    const stream = Readable.from([Buffer.from('ab')]);
    await put(server, stream);
    expect([stream.listenerCount('data'), stream.listenerCount('end')]).to.deep.equal([0, 0]);
  });
});

describe('a message that is given as a body', () => {
  async function incoming(body: string): Promise<IncomingMessage> {
    const server = createServer((_request, response) => response.end(body)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const request = get({ host: '127.0.0.1', port, agent: false });
    const [message] = (await once(request, 'response')) as [IncomingMessage];
    server.close();
    return message;
  }

  it('of node:http sends its body', async () => {
    const server = await rawServer(answer(NO_CONTENT));
    expect((await put(server, await incoming('content'))).body.toString()).to.equal('content');
  });

  it('of node:http sends nothing when it was read to its end', async () => {
    const server = await rawServer(answer(NO_CONTENT));
    const message = await incoming('content');
    for await (const piece of message) void piece;
    expect((await put(server, message)).body.length).to.equal(0);
  });

  for (const [name, read, left] of [
    ['sends its body', () => undefined, 'ok'],
    ['sends what is left of it', (response: Readable) => response.read(1), 'k'],
    [
      'sends nothing when it was read to its end',
      (response: { readall(): unknown }) => response.readall(),
      '',
    ],
    [
      'sends nothing when a loop has read it',
      async (response: Readable) => {
        for await (const piece of response) void piece;
      },
      '',
    ],
  ] as const) {
    it(`of this library ${name}`, async () => {
      const origin = await rawServer(answer(OK));
      const connection = connectionTo(origin);
      await connection.request('GET', '/');
      const response = await connection.getResponse();
      if (left === 'k') await once(response, 'readable');
      await (read as (response: unknown) => unknown)(response);
      const server = await rawServer(answer(NO_CONTENT));
      expect((await put(server, response)).body.toString()).to.equal(left);
    });
  }
});

describe('an iterator that is given as a body', () => {
  const RESULTS: [name: string, result: unknown][] = [
    ['undefined', undefined],
    ['null', null],
    ['a number', 5],
    ['a promise of undefined', Promise.resolve(undefined)],
    [
      'an object whose then throws',
      {
        // oxlint-disable-next-line unicorn/no-thenable -- it is what is tested
        get then() {
          throw new TypeError('then');
        },
      },
    ],
    [
      'an object whose done throws',
      {
        get done() {
          throw new TypeError('done');
        },
      },
    ],
    [
      'an object whose value throws',
      {
        done: false,
        get value() {
          throw new TypeError('value');
        },
      },
    ],
    [
      'a thenable that throws',
      {
        // oxlint-disable-next-line unicorn/no-thenable -- it is what is tested
        then() {
          throw new TypeError('called');
        },
      },
    ],
  ];
  for (const [name, result] of RESULTS) {
    it(`fails the request when its next() gives ${name}`, async () => {
      let returned = 0;
      const pieces = { next: () => result, return: () => returned++ };
      const error = await refused({ [Symbol.asyncIterator]: () => pieces });
      expect(error).to.be.instanceOf(TypeError);
      expect(returned).to.equal(1);
    });
  }

  it('is refused before dialling when it has no next()', async () => {
    for (const iterator of [undefined, {}, 'x']) {
      const server = await rawServer(answer(NO_CONTENT));
      const connection = connectionTo(server);
      const body = { [Symbol.iterator]: () => iterator } as unknown as Iterable<string>;
      expect((await rejection(connection.request('PUT', '/', body))).message).to.match(/next\(\)/);
      expect(server.connections).to.equal(0);
    }
  });

  it('may throw from return(): what ended the upload is what is heard of', async () => {
    const pieces = {
      next: () => ({ done: false, value: 5 }),
      return() {
        throw new Error('return');
      },
    };
    expect((await refused({ [Symbol.iterator]: () => pieces })).message).to.match(/number 5/);
  });

  for (const size of [200, 8192, 10_000, 70_000]) {
    for (const headers of [undefined, { 'Content-Length': String(size * 40) }]) {
      it(`may fill one buffer of ${String(size)} bytes again for each piece, ${headers ? 'with a length' : 'in chunks'}`, async () => {
        const server = await rawServer(answer(NO_CONTENT));
        const buffer = Buffer.alloc(size);
        const pieces = (function* (): Generator<Buffer> {
          for (let i = 1; i <= 40; i++) yield buffer.fill(i);
          buffer.fill(0xff);
        })();
        const { body } = await put(server, pieces, headers);
        const expected = Buffer.concat(Array.from({ length: 40 }, (_, i) => Buffer.alloc(size, i + 1)));
        expect(body.equals(expected)).to.equal(true);
      });
    }
  }

  for (const [name, piece] of [
    ['empty', ''],
    ['one-byte', 'x'],
  ] as const) {
    for (const kind of ['synchronous', 'asynchronous'] as const) {
      it(`lets timers and aborts have their turn though it has ${name} pieces for ever (${kind})`, async () => {
        const server = await rawServer(() => undefined, { atHead: true });
        const connection = connectionTo(server);
        const controller = new AbortController();
        const reason = Object.freeze(new Error('enough'));
        setTimeout(() => controller.abort(reason), 60);
        const body =
          kind === 'synchronous'
            ? (function* (): Generator<string> {
                for (;;) yield piece;
              })()
            : // oxlint-disable-next-line typescript/require-await -- always ready, which is the point
              (async function* (): AsyncGenerator<string> {
                for (;;) yield piece;
              })();
        const sent = connection.request('PUT', '/', body, {}, { signal: controller.signal });
        expect(await rejection(sent)).to.equal(reason);
      });
    }
  }
});

describe('memory that is taken away from a body', () => {
  function takeAway(bytes: Uint8Array): void {
    structuredClone(bytes.buffer, { transfer: [bytes.buffer as ArrayBuffer] });
  }

  for (const size of [5, 3_000_000]) {
    for (const headers of [undefined, { 'Transfer-Encoding': 'chunked' }]) {
      it(`of ${String(size)} bytes while the connection is opened fails it (${headers ? 'chunks' : 'length'})`, async () => {
        const server = await rawServer(answer(NO_CONTENT));
        const connection = connectionTo(server);
        const bytes = new Uint8Array(patternBytes(size));
        const sent = connection.request('PUT', '/', bytes, headers);
        takeAway(bytes);
        expect((await rejection(sent)).name).to.equal('ContentLengthMismatch');
        await connection.request('GET', '/next');
        await connection.getResponse();
        expect(server.requests.map(({ target }) => target)).to.deep.equal(['/next']);
      });
    }
  }

  it('while most of it waits for the socket fails it, and is never made up from the next request', async () => {
    const server = await rawServer(answer(NO_CONTENT), { silent: true });
    const connection = connectionTo(server);
    const bytes = new Uint8Array(patternBytes(30_000_000));
    const sent = connection.request('PUT', '/', bytes);
    await server.until(() => server.connections === 1);
    await new Promise((resolve) => setTimeout(resolve, 30));
    takeAway(bytes);
    server.peer().read();
    expect((await rejection(sent)).name).to.equal('ContentLengthMismatch');
    expect(server.requests).to.deep.equal([]);
  });

  it('before a source gives it fails the request', async () => {
    const piece = new Uint8Array(3_000_000);
    takeAway(piece);
    expect(await refused([piece], { 'Content-Length': '3000000' })).to.be.instanceOf(Error);
  });
});

describe('an upload that has ended', () => {
  it('holds nothing of its body', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const uploads: Upload[] = [];
    const held: WeakRef<object>[] = [];
    const begin = (body: BodyPlan): void => {
      const target = { write: (_bytes: Uint8Array, taken?: () => void): boolean => (taken?.(), true) };
      const options = { target, encoder: null, declared: null, onFinish() {}, onFailure() {} };
      const upload = new Upload(body, options);
      held.push(new WeakRef(body), new WeakRef(body.source ?? body));
      upload.start();
      uploads.push(upload);
    };
    const settings = { blocksize: 65_536, defaultCharset: 'utf-8' } as const;
    for (const body of [['a', Buffer.alloc(100_000)], Readable.from(['a']), Buffer.alloc(100_000)]) {
      begin(planBody(body as RequestBody, null, settings) as BodyPlan);
    }
    for (let i = 0; i < 5; i++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      collect();
    }
    expect(uploads).to.have.length(3);
    expect(held.map((each) => each.deref() === undefined)).to.deep.equal(held.map(() => true));
  });
});
