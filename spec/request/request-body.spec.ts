/**
 * Every kind of request body, as the server receives it, and every kind that is none.
 */

import { createReadStream } from 'node:fs';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable, Writable } from 'node:stream';

import { expect } from 'chai';

import { HTTPMessage } from '../../lib/index.js';
import type { HeadersInit, RequestBody } from '../../lib/index.js';
import { answer, connectionTo, NO_CONTENT, rawServer } from '../support/raw-server.js';
import type { ReceivedRequest } from '../support/received-request.js';
import { fieldOf } from '../support/received-request.js';
import { patternBytes } from '../support/body-sources.js';
import { rejection } from '../support/rejection.js';

/** Sends a body and gives what the server received. */
async function send(
  body: RequestBody,
  headers?: HeadersInit,
  settings: { blocksize?: number } = {},
): Promise<ReceivedRequest> {
  const server = await rawServer(answer(NO_CONTENT));
  const conn = connectionTo(server, settings);
  await conn.request('PUT', '/', body, headers);
  await conn.getResponse();
  return server.request;
}

const BYTES = Uint8Array.from({ length: 48 }, (_, i) => i * 5);

function webStream(...pieces: unknown[]): ReadableStream {
  return new ReadableStream({
    start(controller) {
      for (const piece of pieces) controller.enqueue(piece);
      controller.close();
    },
  });
}

describe('a body of bytes', () => {
  const whole = BYTES.buffer.slice(0);
  const KINDS: [name: string, body: RequestBody, expected?: Uint8Array][] = [
    ['Buffer', Buffer.from(whole)],
    ['Uint8Array', new Uint8Array(whole)],
    ['Uint8ClampedArray', new Uint8ClampedArray(whole)],
    ['Int8Array', new Int8Array(whole)],
    ['Uint16Array', new Uint16Array(whole)],
    ['Int16Array', new Int16Array(whole)],
    ['Uint32Array', new Uint32Array(whole)],
    ['Float32Array', new Float32Array(whole)],
    ['Float64Array', new Float64Array(whole)],
    ['BigInt64Array', new BigInt64Array(whole)],
    ['BigUint64Array', new BigUint64Array(whole)],
    ['DataView', new DataView(whole)],
    ['ArrayBuffer', whole],
    ['Uint16Array over a part of its buffer', new Uint16Array(whole, 4, 3), BYTES.subarray(4, 10)],
    ['DataView over a part of its buffer', new DataView(whole, 5, 7), BYTES.subarray(5, 12)],
    ['Blob of several parts', new Blob([BYTES.subarray(0, 10), BYTES.subarray(10)])],
    ['slice of a Blob', new Blob([BYTES]).slice(3, 8), BYTES.subarray(3, 8)],
  ];
  for (const [name, body, expected = BYTES] of KINDS) {
    it(`may be a ${name}`, async () => {
      const request = await send(body);
      expect(request.body.equals(expected)).to.equal(true);
      expect(fieldOf(request, 'Content-Length')).to.equal(String(expected.length));
    });
  }

  it('may be larger than any buffer on the way', async () => {
    const large = Buffer.alloc(3_000_000, 'abcdefg');
    expect((await send(large)).body.equals(large)).to.equal(true);
    expect((await send([large])).chunks?.map((chunk) => chunk.length)).to.deep.equal([3_000_000]);
  });
});

describe('a body of text', () => {
  const TABLE: { name: string; text: string; type?: string; bytes: string }[] = [
    { name: 'is ISO-8859-1 without a Content-Type', text: 'caf\xe9\xff\0', bytes: 'caf\xe9\xff\0' },
    { name: 'is ISO-8859-1 when no charset is declared', text: '\xe9', type: 'text/plain', bytes: '\xe9' },
    {
      name: 'is in the declared charset',
      text: '\xe9€',
      type: 'text/plain; charset=UTF-8',
      bytes: '\xc3\xa9\xe2\x82\xac',
    },
    { name: 'may be UTF-16LE', text: '€', type: 'text/plain; charset="utf-16le"', bytes: '\xac\x20' },
    { name: 'may be US-ASCII', text: 'a', type: 'text/plain; charset=us-ascii', bytes: 'a' },
    { name: 'is UTF-8 for JSON', text: '"€"', type: 'application/json', bytes: '"\xe2\x82\xac"' },
    { name: 'is UTF-8 for +json', text: '"€"', type: 'application/ld+json', bytes: '"\xe2\x82\xac"' },
    {
      name: "prefers a declared charset to JSON's",
      text: '"\xe9"',
      type: 'application/json; charset=latin1',
      bytes: '"\xe9"',
    },
  ];
  for (const { name, text, type, bytes } of TABLE) {
    const headers = type === undefined ? {} : { 'content-type': type };
    it(name, async () => {
      const request = await send(text, headers);
      expect(request.body.toString('latin1')).to.equal(bytes);
    });
    it(`${name}, as a piece too`, async () => {
      const request = await send([text], headers);
      expect(request.body.toString('latin1')).to.equal(bytes);
    });
  }

  const REFUSED: { name: string; text: string; type?: string; says: RegExp }[] = [
    { name: 'a character beyond ISO-8859-1', text: 'ab€', says: /"€".*U\+20AC at index 2.*charset=utf-8/ },
    { name: 'half of a pair', text: 'a\ud83d', type: 'application/json', says: /U\+D83D at index 1/ },
    {
      name: 'an umlaut in US-ASCII',
      text: 'ü',
      type: 'text/plain; charset=ascii',
      says: /U\+00FC at index 0/,
    },
    { name: 'another charset', text: 'a', type: 'text/plain; charset=koi8-r', says: /koi8-r/ },
  ];
  for (const { name, text, type, says } of REFUSED) {
    it(`refuses ${name} before a byte is sent`, async () => {
      const server = await rawServer(answer(NO_CONTENT));
      const conn = connectionTo(server);
      const headers = type === undefined ? {} : { 'Content-Type': type };
      const error = await rejection(conn.request('PUT', '/', text, headers));
      expect(error).to.be.instanceOf(TypeError);
      expect(error.message).to.match(says);
      expect([conn.state, server.connections]).to.deep.equal(['Idle', 0]);
    });
  }
});

describe('a form as a body', () => {
  it('is multipart, with its boundary in Content-Type', async () => {
    const form = new FormData();
    form.append('text', 'gr\xfc\xdfe €');
    form.append('file', new Blob([BYTES], { type: 'image/png' }), 'a "b".png');
    const request = await send(form);
    expect(fieldOf(request, 'Content-Length')).to.equal(String(request.body.length));
    const type = fieldOf(request, 'Content-Type') ?? '';
    expect(type).to.match(/^multipart\/form-data; boundary=./);
    // The platform's own parser reads what the server received.
    const parsed = await new Response(request.body, { headers: { 'Content-Type': type } }).formData();
    expect(parsed.get('text')).to.equal('gr\xfc\xdfe €');
    const file = parsed.get('file') as File;
    expect([file.name, file.type]).to.deep.equal(['a "b".png', 'image/png']);
    expect(new Uint8Array(await file.arrayBuffer())).to.deep.equal(BYTES);
  });

  it("keeps the caller's Content-Type", async () => {
    const form = new FormData();
    form.append('a', '1');
    const request = await send(form, { 'content-TYPE': 'multipart/form-data; boundary=mine' });
    expect(fieldOf(request, 'Content-Type')).to.equal('multipart/form-data; boundary=mine');
  });

  it('may be URLSearchParams, whose text is UTF-8 in percent encoding', async () => {
    const request = await send(
      new URLSearchParams([
        ['ä', '€'],
        ['b', '1&2'],
      ]),
    );
    expect(request.body.toString('latin1')).to.equal('%C3%A4=%E2%82%AC&b=1%262');
    expect(fieldOf(request, 'Content-Type')).to.equal('application/x-www-form-urlencoded;charset=UTF-8');
  });
});

describe('a body in pieces', () => {
  const asyncIterable: AsyncIterable<string> = {
    async *[Symbol.asyncIterator]() {
      yield 'ab';
      await Promise.resolve();
      yield 'cd';
    },
  };
  const bareIterator = {
    [Symbol.iterator]() {
      const pieces = ['ab', 'cd'];
      return { next: () => ({ done: pieces.length === 0, value: pieces.shift() ?? '' }) };
    },
  } as Iterable<string>;
  const KINDS: [name: string, body: () => RequestBody][] = [
    ['an array of strings', () => ['ab', 'cd']],
    ['an array of mixed pieces', () => ['ab', new Uint8Array([0x63, 0x64])]],
    ['a Set', () => new Set(['ab', 'cd'])],
    ['an iterator without return()', () => bareIterator],
    ['an async iterable', () => asyncIterable],
    ['a stream in object mode', () => Readable.from(['ab', Buffer.from('cd')])],
    [
      'a stream of strings',
      () => Readable.from([Buffer.from('ab'), Buffer.from('cd')]).setEncoding('latin1'),
    ],
    ['a web stream of bytes', () => webStream(Buffer.from('ab'), new Uint8Array([0x63, 0x64]))],
    ['a web stream of strings', () => webStream('ab', 'cd')],
  ];
  for (const [name, body] of KINDS) {
    it(`may be ${name}`, async () => {
      const request = await send(body());
      expect(request.chunks?.map(String)).to.deep.equal(['ab', 'cd']);
      expect(fieldOf(request, 'Transfer-Encoding')).to.equal('chunked');
    });
  }

  it('may be a stream in byte mode', async () => {
    const stream = new PassThrough();
    const sent = send(stream);
    stream.write('ab');
    await new Promise((resolve) => setTimeout(resolve, 5));
    stream.end('cd');
    expect((await sent).body.toString()).to.equal('abcd');
  });

  it('may be a byte stream of the web', async () => {
    const stream = new ReadableStream({
      type: 'bytes',
      start(controller) {
        controller.enqueue(new Uint8Array([0x61, 0x62]));
        controller.close();
      },
    });
    expect((await send(stream)).body.toString()).to.equal('ab');
  });

  it('has each view among its pieces sent in bytes', async () => {
    const views = [new Uint16Array([0x6161]), new DataView(Uint8Array.from([0x62, 0x63]).buffer)];
    const request = await send(views as unknown as Iterable<Uint8Array>);
    expect(request.chunks?.map(String)).to.deep.equal(['aa', 'bc']);
  });

  it('has the pieces of a stream in step with its encoding', async () => {
    const stream = Readable.from([Buffer.from('€').subarray(0, 1), Buffer.from('€').subarray(1)]);
    stream.setEncoding('utf8');
    const request = await send(stream, { 'Content-Type': 'text/plain; charset=utf-8' });
    expect(request.body.toString('utf8')).to.equal('€');
  });
});

describe('a file as a body', () => {
  let folder: string;
  let file: string;
  let handle: FileHandle | undefined;
  const content = Buffer.alloc(10_000, 'abcdefghij');

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-spec-'));
    file = join(folder, 'file');
    await writeFile(file, content);
  });

  after(() => rm(folder, { recursive: true }));

  afterEach(async () => {
    await handle?.close();
    handle = undefined;
  });

  it('is read in pieces of blocksize at least, a chunk each, and stays open', async () => {
    const large = patternBytes(1_500_000);
    await writeFile(join(folder, 'large'), large);
    for (const blocksize of [4096, 600_000]) {
      handle = await open(join(folder, 'large'));
      const request = await send(handle, undefined, { blocksize });
      const sizes = request.chunks?.map((chunk) => chunk.length) ?? [];
      expect(Math.min(...sizes.slice(0, -1))).to.be.at.least(blocksize);
      expect(sizes.length).to.be.at.most(large.length / 131_072 + 1);
      expect(request.body.equals(large)).to.equal(true);
      expect((await handle.stat()).size).to.equal(large.length);
      await handle.close();
    }
    handle = undefined;
  });

  it('is read from where it stands', async () => {
    handle = await open(file);
    await handle.read(Buffer.alloc(9_995), 0, 9_995);
    expect((await send(handle)).body.toString()).to.equal('fghij');
    expect((await send(handle)).body.length).to.equal(0);
  });

  it('may be sent with its length', async () => {
    handle = await open(file);
    const request = await send(handle, { 'Content-Length': content.length }, { blocksize: 3000 });
    expect(request.chunks).to.equal(null);
    expect(request.body.equals(content)).to.equal(true);
  });

  for (const [name, flags] of [
    ['for writing', 'a'],
    ['and closed', 'r'],
  ] as const) {
    it(`that was opened ${name} is UnimplementedFileMode before a byte is sent`, async () => {
      const server = await rawServer(answer(NO_CONTENT));
      const conn = connectionTo(server);
      handle = await open(file, flags);
      if (flags === 'r') await handle.close();
      const error = await rejection<Error & { cause: unknown }>(conn.request('PUT', '/', handle));
      expect(error.name).to.equal('UnimplementedFileMode');
      expect(error.cause).to.be.instanceOf(Error);
      expect([conn.state, server.connections]).to.deep.equal(['Idle', 0]);
      await conn.request('GET', '/');
      expect((await conn.getResponse()).status).to.equal(204);
    });
  }

  it('that is a folder is UnimplementedFileMode', async () => {
    handle = await open(folder);
    const server = await rawServer(answer(NO_CONTENT));
    const conn = connectionTo(server);
    expect((await rejection(conn.request('PUT', '/', handle))).name).to.equal('UnimplementedFileMode');
    expect(server.connections).to.equal(0);
  });

  it('may be a read stream', async () => {
    const stream = createReadStream(file, { start: 5, end: 9_994, highWaterMark: 4096 });
    const request = await send(stream);
    expect(request.body.equals(content.subarray(5, 9_995))).to.equal(true);
    expect(request.chunks?.length).to.equal(3);
  });

  it('that does not exist rejects with the error of the file', async () => {
    const server = await rawServer(answer(NO_CONTENT));
    const conn = connectionTo(server);
    const error = await rejection(conn.request('PUT', '/', createReadStream(join(folder, 'missing'))));
    expect(error).to.have.property('code', 'ENOENT');
    expect(conn.state).to.equal('Idle');
    await conn.request('GET', '/');
    expect((await conn.getResponse()).status).to.equal(204);
  });
});

describe('what is no body', () => {
  class Invoice {
    total = 5;
  }
  const KINDS: { name: string; body: unknown; got: RegExp }[] = [
    { name: 'a number', body: 42, got: /got number 42$/ },
    { name: 'NaN', body: Number.NaN, got: /got number NaN$/ },
    { name: 'a boolean', body: false, got: /got boolean false$/ },
    { name: 'a bigint', body: 1n, got: /got bigint 1$/ },
    { name: 'a symbol', body: Symbol('s'), got: /got symbol Symbol\(s\)$/ },
    { name: 'a function', body: () => 'x', got: /got function/ },
    { name: 'a generator function that was not called', body: function* () {}, got: /got function/ },
    { name: 'a plain object', body: { a: 1 }, got: /got an object of type Object$/ },
    { name: 'an object without a prototype', body: Object.create(null), got: /got an object/ },
    { name: 'an instance of a class', body: new Invoice(), got: /got an object of type Invoice$/ },
    { name: 'a Promise', body: Promise.resolve('x'), got: /got an object of type Promise$/ },
    { name: 'a Date', body: new Date(0), got: /got an object of type Date$/ },
    { name: 'an Error', body: new Error('e'), got: /got an object of type Error$/ },
    {
      name: 'a stream that can only be written',
      body: new Writable(),
      got: /got an object of type Writable$/,
    },
    {
      name: 'fields as an HTTPMessage',
      body: new HTTPMessage({ A: 'b' }),
      got: /fields are the argument behind the body.*got an object/,
    },
    {
      name: 'fields as Headers',
      body: new Headers({ A: 'b' }),
      got: /fields are the argument behind the body.*got an object/,
    },
    {
      name: 'fields as a Map',
      body: new Map([['A', 'b']]),
      got: /fields are the argument behind the body.*got an object/,
    },
    {
      name: 'fields as pairs',
      body: [['A', 'b']],
      got: /fields are the argument behind the body.*got an object/,
    },
    {
      name: 'fields as an object',
      body: { Accept: '*' },
      got: /fields are the argument behind the body.*Object$/,
    },
    { name: 'options', body: { timeout: 5 }, got: /options are the argument behind the fields.*Object$/ },
    {
      name: 'what is only tagged as a FormData',
      body: { [Symbol.toStringTag]: 'FormData' },
      got: /got an object/,
    },
    {
      name: 'what is only tagged as a Blob',
      body: { [Symbol.toStringTag]: 'Blob', size: '1\r\nX: y', stream: () => webStream('a') },
      got: /got an object/,
    },
    { name: 'a WritableStream', body: new WritableStream(), got: /got an object of type WritableStream$/ },
  ];
  for (const { name, body, got } of KINDS) {
    it(`${name} is a TypeError that says what it is and what is accepted, before dialling`, async () => {
      const server = await rawServer(answer(NO_CONTENT));
      const conn = connectionTo(server);
      const error = await rejection(conn.request('PUT', '/', body as RequestBody));
      expect(error).to.be.instanceOf(TypeError);
      expect(error.message).to.match(got);
      for (const kind of [
        'string',
        'Buffer',
        'Blob',
        'FormData',
        'FileHandle',
        'stream.Readable',
        'ReadableStream',
        'iterable',
      ])
        expect(error.message).to.contain(kind);
      expect([conn.state, server.connections]).to.deep.equal(['Idle', 0]);
    });
  }

  const ended = async (): Promise<Readable> => {
    const stream = Readable.from(['x']);
    for await (const piece of stream) void piece;
    return stream;
  };
  const SPENT: { name: string; body: () => RequestBody | Promise<Readable>; says: RegExp }[] = [
    { name: 'a stream that was read to its end', body: ended, says: /stream.*end/ },
    {
      name: 'a stream that was destroyed',
      body: () => Readable.from(['x']).destroy(),
      says: /stream.*destroyed/,
    },
    {
      name: 'a ReadableStream that somebody else reads',
      body: () => {
        const stream = webStream('x');
        stream.getReader();
        return stream;
      },
      says: /ReadableStream.*locked/,
    },
  ];
  for (const { name, body, says } of SPENT) {
    it(`${name} is a TypeError before dialling`, async () => {
      const server = await rawServer(answer(NO_CONTENT));
      const conn = connectionTo(server);
      const error = await rejection(conn.request('PUT', '/', await body()));
      expect(error).to.be.instanceOf(TypeError);
      expect(error.message).to.match(says);
      expect([conn.state, server.connections]).to.deep.equal(['Idle', 0]);
    });
  }

  it('a stream that has failed already rejects with its own error', async () => {
    const server = await rawServer(answer(NO_CONTENT));
    const conn = connectionTo(server);
    const cause = new Error('the disk is gone');
    const stream = new PassThrough();
    stream.on('error', () => undefined);
    stream.destroy(cause);
    await new Promise(setImmediate);
    expect(await rejection(conn.request('PUT', '/', stream))).to.equal(cause);
    expect([conn.state, server.connections]).to.deep.equal(['Idle', 0]);
  });
});
