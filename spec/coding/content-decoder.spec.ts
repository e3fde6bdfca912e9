/**
 * Which content codings are known, and the decoder over plain pieces: what it asks for, and what it lets go of.
 */
import { execFileSync } from 'node:child_process';
import * as zlib from 'node:zlib';

import { expect } from 'chai';

import { acceptedCodings, contentCodings, decodeContent } from '../../lib/coding/content-decoder.js';
import { BadEncoding, IncompleteRead } from '../../lib/errors.js';
import { rejection } from '../support/rejection.js';

/** Node 22 has it, and takes a body that was cut for a whole one. */
const HAS_ZSTD = 'createZstdDecompress' in zlib && Number(process.versions.node.split('.')[0]) > 22;

/** Pieces that remember how many were asked for, and whether they were told to end. */
function piecesOf(...pieces: Buffer[]): {
  source: AsyncGenerator<Buffer>;
  asked: () => number;
  over: () => boolean;
} {
  let asked = 0;
  let over = false;
  async function* give(): AsyncGenerator<Buffer> {
    try {
      for (const piece of pieces) {
        asked++;
        yield piece;
        await Promise.resolve();
      }
    } finally {
      over = true;
    }
  }
  return { source: give(), asked: () => asked, over: () => over };
}

async function all(pieces: AsyncIterator<Buffer>): Promise<string> {
  const parts: Buffer[] = [];
  for (let next = await pieces.next(); next.done !== true; next = await pieces.next()) parts.push(next.value);
  return String(Buffer.concat(parts));
}

describe('content codings', () => {
  const LISTS: [value: string | null, codings: string[]][] = [
    [null, []],
    ['', []],
    ['identity', []],
    ['gzip', ['gzip']],
    [' GZIP ,\tX-Gzip,, identity, br', ['gzip', 'x-gzip', 'br']],
  ];
  for (const [value, codings] of LISTS) {
    it(`of ${JSON.stringify(value)} are ${JSON.stringify(codings)}`, () => {
      expect(contentCodings(value, 5)).to.deep.equal(codings);
    });
  }

  for (const value of ['compress', 'gzip;q=1', 'gzip br', 'toString', '__proto__', 'gzip, x', '"gzip"']) {
    it(`refuse ${value}`, () => {
      expect(() => contentCodings(value, 5)).to.throw(BadEncoding, 'cannot be decoded');
    });
  }

  it('are refused when there are more than allowed', () => {
    expect(() => contentCodings('gzip,gzip,gzip', 2)).to.throw(BadEncoding, '3 content codings, of which 2');
    expect(contentCodings('gzip,gzip,gzip', 3)).to.have.lengthOf(3);
  });

  it('are asked for as far as this Node decodes them', () => {
    expect(acceptedCodings()).to.equal(HAS_ZSTD ? 'gzip, deflate, br, zstd' : 'gzip, deflate, br');
    if (!HAS_ZSTD) expect(() => contentCodings('zstd', 5)).to.throw(BadEncoding);
  });

  it('load no zlib before the first of them is met', () => {
    const lib = new URL('../../lib/index.js', import.meta.url).href;
    const code = `await import(${JSON.stringify(lib)}); process.stdout.write(process.moduleLoadList.join())`;
    const loaded = execFileSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' });
    expect(loaded).to.include('NativeModule stream');
    expect(loaded).not.to.include('NativeModule zlib');
  });
});

describe('the content decoder', () => {
  it('asks for nothing before its first piece is asked for', async () => {
    const { source, asked } = piecesOf(zlib.gzipSync('text'));
    const pieces = decodeContent(source, ['gzip']);
    await new Promise(setImmediate);
    expect(asked()).to.equal(0);
    expect(await all(pieces)).to.equal('text');
  });

  it('tells the source to end when it is left, and when it fails', async () => {
    const left = piecesOf(zlib.gzipSync(Buffer.alloc(500_000)), Buffer.from('more'));
    const pieces = decodeContent(left.source, ['gzip']);
    await pieces.next();
    await pieces.return(undefined);
    expect(left.over()).to.equal(true);
    const failed = piecesOf(Buffer.from('no gzip'), Buffer.from('more'));
    expect(await rejection(all(decodeContent(failed.source, ['gzip'])))).to.be.instanceOf(BadEncoding);
    expect(failed.over()).to.equal(true);
  });

  it('takes an empty body for one, but no empty coding within another', async () => {
    expect(await all(decodeContent(piecesOf().source, ['gzip', 'br']))).to.equal('');
    expect(await all(decodeContent(piecesOf(Buffer.alloc(0)).source, ['gzip']))).to.equal('');
    const empty = piecesOf(zlib.brotliCompressSync(''));
    expect(await rejection(all(decodeContent(empty.source, ['gzip', 'br'])))).to.be.instanceOf(
      IncompleteRead,
    );
  });

  it('gives small pieces, whatever the ratio', async () => {
    const pieces = decodeContent(piecesOf(zlib.gzipSync(Buffer.alloc(1_000_000))).source, ['gzip']);
    let total = 0;
    for (let next = await pieces.next(); next.done !== true; next = await pieces.next()) {
      expect(next.value.length).to.be.within(1, 2 * 65_536);
      total += next.value.length;
    }
    expect(total).to.equal(1_000_000);
  });

  it('keeps the cause of what does not decode', async () => {
    const bytes = zlib.deflateSync('some text');
    bytes[bytes.length - 1] = (bytes[bytes.length - 1] as number) ^ 1;
    const error = await rejection(all(decodeContent(piecesOf(bytes).source, ['deflate'])));
    expect(error).to.be.instanceOf(BadEncoding);
    expect(error.cause).to.have.property('code', 'Z_DATA_ERROR');
  });
});
