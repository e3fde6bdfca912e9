/**
 * `ChunkedEncoder` as a stream of its own: what comes out for what is written, and that it never ends a body that was cut short.
 */

import { once } from 'node:events';
import { PassThrough, Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import { expect } from 'chai';
import fc from 'fast-check';

import { ChunkedDecoder, ChunkedEncoder } from '../../lib/index.js';
import type { ChunkedEncoderOptions } from '../../lib/index.js';
import { rejection } from '../support/rejection.js';

/** Everything that comes out of an encoder, by piece. */
async function encode(pieces: Iterable<Buffer | string>, options?: ChunkedEncoderOptions): Promise<Buffer[]> {
  const encoder = new ChunkedEncoder(options);
  const out: Buffer[] = [];
  encoder.on('data', (bytes: Buffer) => out.push(bytes));
  for (const piece of pieces) encoder.write(piece);
  encoder.end();
  await once(encoder, 'end');
  return out;
}

describe('ChunkedEncoder', () => {
  const TABLE: {
    name: string;
    pieces: (Buffer | string)[];
    options?: ChunkedEncoderOptions;
    expect: string;
  }[] = [
    { name: 'ends a body of nothing', pieces: [], expect: '0\r\n\r\n' },
    {
      name: 'makes a chunk of each piece',
      pieces: ['abc', 'de'],
      expect: '3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n',
    },
    { name: 'skips empty pieces', pieces: ['', 'a', Buffer.alloc(0), ''], expect: '1\r\na\r\n0\r\n\r\n' },
    {
      name: 'writes sizes in hexadecimal',
      pieces: ['x'.repeat(26)],
      expect: `1a\r\n${'x'.repeat(26)}\r\n0\r\n\r\n`,
    },
    {
      name: 'writes trailers behind the last chunk',
      pieces: ['a'],
      options: { trailers: { 'X-A': '1', 'X-B': ['2', '3'] } },
      expect: '1\r\na\r\n0\r\nX-A: 1\r\nX-B: 2\r\nX-B: 3\r\n\r\n',
    },
    {
      name: 'asks a function for trailers',
      pieces: ['a'],
      options: { trailers: () => ({ 'X-A': 1 }) },
      expect: '1\r\na\r\n0\r\nX-A: 1\r\n\r\n',
    },
    {
      name: 'waits for trailers',
      pieces: [],
      options: { trailers: () => Promise.resolve([['X-A', '\xe9']] as const) },
      expect: '0\r\nX-A: \xe9\r\n\r\n',
    },
    {
      name: 'takes no trailers for an answer',
      pieces: [],
      options: { trailers: () => [] },
      expect: '0\r\n\r\n',
    },
    {
      name: 'copes with a blocksize smaller than its pieces',
      pieces: ['abc', 'de'],
      options: { blocksize: 1 },
      expect: '3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n',
    },
  ];
  for (const { name, pieces, options, expect: expected } of TABLE) {
    it(name, async () => {
      expect(Buffer.concat(await encode(pieces, options)).toString('latin1')).to.equal(expected);
    });
  }

  it('calls the function for trailers when the body has ended, not before', async () => {
    let called = false;
    const encoder = new ChunkedEncoder({
      trailers: () => {
        called = true;
        return {};
      },
    });
    encoder.resume();
    encoder.write('a');
    await new Promise(setImmediate);
    expect(called).to.equal(false);
    encoder.end();
    await once(encoder, 'end');
    expect(called).to.equal(true);
  });

  it('hands small pieces of one tick on together', async () => {
    const out = await encode(Array.from({ length: 100 }, () => 'abcd'));
    expect(out.length).to.be.below(4);
  });

  it('stages a small piece past the stream, and refuses to while earlier ones wait', async () => {
    const encoder = new ChunkedEncoder();
    const piece = Buffer.from('abc');
    expect(encoder.stage(piece)).to.equal(true);
    piece.fill('x');
    while (encoder.writableLength === 0) encoder.write(Buffer.alloc(50_000, 'y'));
    expect(encoder.stage(piece)).to.equal(false);
    encoder.end(piece);
    const wire = Buffer.concat(await encoder.toArray()).toString('latin1');
    expect(wire).to.match(/^3\r\nabc\r\nc350\r\ny+\r\n/);
    expect(wire).to.match(/y\r\n3\r\nxxx\r\n0\r\n\r\n$/);
    expect(encoder.stage(piece)).to.equal(false);
  });

  it('hands a large piece on as it is, without a copy', async () => {
    const large = Buffer.alloc(100_000, 'x');
    const out = await encode(['a', large, 'b']);
    expect(out.some((bytes) => bytes.buffer === large.buffer && bytes.length === large.length)).to.equal(
      true,
    );
    expect(Buffer.concat(out).toString()).to.equal(
      `1\r\na\r\n186a0\r\n${'x'.repeat(100_000)}\r\n1\r\nb\r\n0\r\n\r\n`,
    );
  });

  it('never touches what it has handed on', async () => {
    const encoder = new ChunkedEncoder();
    const out: Buffer[] = [];
    const copies: Buffer[] = [];
    encoder.on('data', (bytes: Buffer) => {
      out.push(bytes);
      copies.push(Buffer.from(bytes));
    });
    for (let i = 0; i < 500; i++) {
      encoder.write(Buffer.alloc(300, i));
      if (i % 7 === 0) await new Promise(setImmediate);
    }
    encoder.end();
    await once(encoder, 'end');
    expect(Buffer.concat(out).equals(Buffer.concat(copies))).to.equal(true);
  });

  it('shows a small piece in the same turn of the event loop', async () => {
    const encoder = new ChunkedEncoder();
    encoder.write('abc');
    await new Promise(setImmediate);
    expect(String(encoder.read())).to.equal('3\r\nabc');
  });

  it('writes no end when it is destroyed', async () => {
    const encoder = new ChunkedEncoder();
    const out: Buffer[] = [];
    encoder.on('data', (bytes: Buffer) => out.push(bytes));
    encoder.write('abc');
    await new Promise(setImmediate);
    encoder.write('def');
    encoder.destroy();
    await once(encoder, 'close');
    expect(Buffer.concat(out).toString()).to.equal('3\r\nabc');
  });

  it('writes no end in a pipeline whose source fails', async () => {
    const cause = new Error('broken');
    const out = new PassThrough();
    const source = Readable.from(
      (async function* (): AsyncGenerator<string> {
        yield 'abc';
        await new Promise(setImmediate);
        throw cause;
      })(),
    );
    const seen: Buffer[] = [];
    out.on('data', (bytes: Buffer) => seen.push(bytes));
    expect(await rejection(pipeline(source, new ChunkedEncoder(), out))).to.equal(cause);
    expect(Buffer.concat(seen).toString()).not.to.contain('0\r\n');
  });

  const FAILING: {
    name: string;
    trailers: () => never | Promise<never> | Record<string, string>;
    says: RegExp;
  }[] = [
    {
      name: 'throws',
      trailers: () => {
        throw new Error('no sum');
      },
      says: /no sum/,
    },
    { name: 'rejects', trailers: () => Promise.reject(new Error('no sum')), says: /no sum/ },
    {
      name: 'gives a field that frames',
      trailers: () => ({ 'Content-Length': '3' }),
      says: /Content-Length/,
    },
    {
      name: 'gives a field that breaks its line',
      trailers: () => ({ A: 'b\r\nc: d' }),
      says: /U\+000D at index 1/,
    },
  ];
  for (const { name, trailers, says } of FAILING) {
    it(`fails without an end when the function for trailers ${name}`, async () => {
      const encoder = new ChunkedEncoder({ trailers });
      const out: Buffer[] = [];
      encoder.on('data', (bytes: Buffer) => out.push(bytes));
      encoder.end('abc');
      const [error] = (await once(encoder, 'error')) as [Error];
      expect(error.message).to.match(says);
      expect(Buffer.concat(out).toString()).not.to.contain('0\r\n');
    });
  }

  const FORBIDDEN = [
    'Transfer-Encoding',
    'content-length',
    'HOST',
    'Authorization',
    'Trailer',
    'TE',
    'Set-Cookie',
    'Content-Encoding',
    'Content-Type',
    'Content-Range',
    'Connection',
    'Expect',
    'Cache-Control',
  ];
  for (const name of FORBIDDEN) {
    it(`refuses ${name} as a trailer at once`, () => {
      expect(() => new ChunkedEncoder({ trailers: { [name]: '1' } })).to.throw(TypeError, name);
    });
  }

  it('holds its writer back while nobody reads', () => {
    const encoder = new ChunkedEncoder({ blocksize: 16_384 });
    let written = 0;
    while (written < 1_000_000 && encoder.write(Buffer.alloc(4096))) written += 4096;
    expect(written).to.be.below(100_000);
  });

  it('keeps up with a slow reader in a pipeline', async () => {
    const slow = new Writable({
      highWaterMark: 1000,
      write(bytes: Buffer, _encoding, done) {
        received.push(bytes);
        setImmediate(done);
      },
    });
    const received: Buffer[] = [];
    const pieces = Array.from({ length: 200 }, (_, i) => Buffer.alloc(i * 10, i));
    await pipeline(Readable.from(pieces), new ChunkedEncoder(), slow);
    const decoder = new ChunkedDecoder();
    decoder.end(Buffer.concat(received));
    const decoded: Buffer[] = [];
    for await (const bytes of decoder) decoded.push(bytes as Buffer);
    expect(Buffer.concat(decoded).equals(Buffer.concat(pieces))).to.equal(true);
  });

  it('is undone by ChunkedDecoder, whatever the pieces', async () => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.constantFrom(8191, 8192, 8193, 65_536, 70_000).map((length) => new Uint8Array(length).fill(length)),
    );
    const trailer = fc.tuple(fc.stringMatching(/^X-[A-Za-z0-9]{1,8}$/), fc.stringMatching(/^[!-~]{0,10}$/));
    await fc.assert(
      fc.asyncProperty(
        fc.array(piece, { maxLength: 8 }),
        fc.array(trailer, { maxLength: 3 }),
        async (pieces, trailers) => {
          const encoded = await encode(
            pieces.map((bytes) => Buffer.from(bytes)),
            { trailers },
          );
          const decoder = new ChunkedDecoder();
          const decoded: Buffer[] = [];
          decoder.on('data', (bytes: Buffer) => decoded.push(bytes));
          for (const bytes of encoded) decoder.write(bytes);
          decoder.end();
          await once(decoder, 'end');
          expect(Buffer.concat(decoded).equals(Buffer.concat(pieces))).to.equal(true);
          expect([...decoder.trailers]).to.deep.equal(trailers);
        },
      ),
      { numRuns: 100 },
    );
  });
});
