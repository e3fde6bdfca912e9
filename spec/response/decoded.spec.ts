/**
 * decoded: a response without its content codings, in every way of reading, and strict about how they end.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import * as zlib from 'node:zlib';

import { expect } from 'chai';

import { acceptedCodings } from '../../lib/coding/content-decoder.js';
import { BadEncoding, IncompleteRead, LimitExceeded } from '../../lib/errors.js';
import { decoded } from '../../lib/response/decoded.js';
import type { HTTPResponse } from '../../lib/response/response.js';
import { every, octets, whole } from '../support/cuttings.js';
import { FedResponse } from '../support/fed-response.js';
import type { BodyScript } from '../support/fed-response.js';
import { connectionTo, OK, rawServer } from '../support/raw-server.js';
import { rejection } from '../support/rejection.js';
import { uncaughtErrors } from '../support/uncaught.js';

const TEXT = 'the first line\nthe second\n'.repeat(40);
const BODY = Buffer.from(TEXT);

type Encode = (bytes: Buffer) => Buffer;

const { zstdCompressSync } = zlib as typeof zlib & { zstdCompressSync?: Encode };

const CODINGS: [name: string, encode: Encode][] = [
  ['gzip', (bytes) => zlib.gzipSync(bytes)],
  ['x-gzip', (bytes) => zlib.gzipSync(bytes)],
  ['deflate', (bytes) => zlib.deflateSync(bytes)],
  ['Deflate', (bytes) => zlib.deflateRawSync(bytes)],
  ['br', (bytes) => zlib.brotliCompressSync(bytes)],
];
const HAS_ZSTD = acceptedCodings().includes('zstd');
if (zstdCompressSync !== undefined && HAS_ZSTD) CODINGS.push(['zstd', zstdCompressSync]);

interface Coded {
  source: FedResponse;
  response: HTTPResponse;
}

function coded(coding: string, bytes: Buffer, script: Partial<BodyScript> = {}, options = {}): Coded {
  const fields = ['Content-Type', 'application/json', 'Content-Encoding', coding];
  const source = new FedResponse({ pieces: whole(bytes), fields, ...script });
  return { source, response: decoded(source.response, options) };
}

describe('decoded', () => {
  for (const [coding, encode] of CODINGS) {
    it(`undoes ${coding}, however the bytes come`, async () => {
      const bytes = encode(BODY);
      for (const pieces of [whole(bytes), octets(bytes), every(bytes, 7)]) {
        for (const handover of ['owned', 'lent'] as const) {
          const { source, response } = coded(coding, bytes, { pieces, handover });
          expect(await response.text()).to.equal(TEXT);
          expect(response.isClosed()).to.equal(true);
          expect(response.readableEnded).to.equal(true);
          expect(source.dones, 'the source is let go').to.equal(1);
          expect(source.aborts).to.deep.equal([]);
          expect(await response.readall()).to.have.lengthOf(0);
        }
      }
    });

    it(`takes any cut of ${coding} for an IncompleteRead`, async () => {
      const bytes = encode(Buffer.from('some bytes, some more bytes'));
      for (let cut = 1; cut < bytes.length; cut++) {
        const error = await rejection(coded(coding, bytes.subarray(0, cut)).response.readall());
        expect(error, String(cut)).to.be.instanceOf(IncompleteRead);
      }
    });

    it(`takes bytes behind the end of ${coding} for a BadEncoding, NULs too`, async () => {
      const bytes = encode(BODY);
      for (const tail of ['\0', '\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0', 'x', 'garbage behind the end']) {
        const all = Buffer.concat([bytes, Buffer.from(tail)]);
        for (const pieces of [whole(all), [bytes, Buffer.from(tail)], octets(all)]) {
          const error = await rejection(coded(coding, all, { pieces }).response.readall());
          expect(error, JSON.stringify(tail)).to.be.instanceOf(BadEncoding);
        }
      }
    });
  }

  for (const [coding, encode] of [
    ['gzip', zlib.gzipSync],
    ['deflate', zlib.deflateSync],
  ] as const) {
    for (const text of ['x', 'some bytes, some more bytes', TEXT]) {
      it(`gives an error or the same bytes for any flipped byte of ${coding} (${String(text.length)} bytes)`, async () => {
        const bytes = encode(text);
        for (let at = 0; at < bytes.length; at++) {
          for (const flip of [0x01, 0x80, 0xff]) {
            const flipped = Buffer.from(bytes);
            flipped[at] = (flipped[at] as number) ^ flip;
            const outcome = await coded(coding, flipped)
              .response.text()
              .catch((error: unknown) => error);
            if (typeof outcome === 'string')
              expect(outcome, `${String(at)} ^ ${String(flip)}`).to.equal(text);
            else
              expect(outcome).to.satisfy(
                (e: unknown) => e instanceof BadEncoding || e instanceof IncompleteRead,
              );
          }
        }
      });
    }
  }

  it('takes several gzip members for one body, empty ones too, wherever they are cut', async () => {
    const members = [zlib.gzipSync('one '), zlib.gzipSync(''), zlib.gzipSync('two '), zlib.gzipSync('three')];
    const bytes = Buffer.concat(members);
    for (const pieces of [whole(bytes), octets(bytes), members])
      expect(await coded('gzip', bytes, { pieces }).response.text()).to.equal('one two three');
  });

  if (zstdCompressSync !== undefined && HAS_ZSTD) {
    it('takes several zstd frames for one body, wherever they are cut', async () => {
      const frames = ['one ', 'two ', 'three'].map((text) => zstdCompressSync(Buffer.from(text)));
      const bytes = Buffer.concat(frames);
      for (const pieces of [whole(bytes), octets(bytes), frames])
        expect(await coded('zstd', bytes, { pieces }).response.text()).to.equal('one two three');
    });
  }

  it('reads a gzip head with everything that it may have', async () => {
    const bytes = zlib.gzipSync(BODY);
    const head = Buffer.concat([
      Buffer.from([0x1f, 0x8b, 8, 0x1e, 0, 0, 0, 0, 0, 3]),
      Buffer.from([3, 0]),
      Buffer.from('abc'),
      Buffer.from('name\0comment\0'),
    ]);
    const sum = Buffer.alloc(2);
    sum.writeUInt16LE(zlib.crc32(head) & 0xffff);
    const all = Buffer.concat([head, sum, bytes.subarray(10)]);
    for (const pieces of [whole(all), octets(all)])
      expect(await coded('gzip', all, { pieces }).response.text()).to.equal(TEXT);
    all[14] = 0x21;
    expect(await rejection(coded('gzip', all).response.text())).to.be.instanceOf(BadEncoding);
  });

  it('undoes several codings, the last first, over one field or several', async () => {
    const bytes = zlib.gzipSync(zlib.brotliCompressSync(zlib.deflateSync(BODY)));
    expect(await coded('deflate, identity,, BR , gzip', bytes).response.text()).to.equal(TEXT);
    const fields = ['Content-Encoding', 'deflate', 'X', 'y', 'content-encoding', 'br, gzip'];
    expect(await coded('', bytes, { fields }).response.text()).to.equal(TEXT);
    expect(await rejection(coded('gzip, br, deflate', bytes).response.text())).to.be.instanceOf(BadEncoding);
  });

  it('refuses more codings than allowed, and unknown ones, at once and without touching the body', async () => {
    const six = Array.from({ length: 6 }, () => 'gzip').join(',');
    for (const [coding, options] of [
      [six, {}],
      ['gzip, br', { codings: 1 }],
      ['compress', {}],
      ['gzip, nonsense', {}],
      ['constructor', {}],
    ] as const) {
      expect(() => coded(coding, BODY, {}, options), coding).to.throw(BadEncoding, /^GET \/fed: /);
    }
    expect(coded(six, BODY, {}, { codings: 6 }).response).to.have.property('length', null);
    const source = new FedResponse({ pieces: whole(BODY), fields: ['Content-Encoding', 'zip'] });
    expect(() => decoded(source.response)).to.throw(BadEncoding);
    expect(await source.response.text()).to.equal(TEXT);
  });

  it('refuses what is no response, and options that cannot be', () => {
    const { response } = new FedResponse({ pieces: [] });
    expect(() => decoded({} as HTTPResponse)).to.throw(TypeError, 'HTTPResponse');
    expect(() => decoded(response, { maxBytes: -1 })).to.throw(TypeError);
    expect(() => decoded(response, { codings: NaN })).to.throw(TypeError);
    expect(() => decoded(response, { maxbytes: 1 } as object)).to.throw(TypeError, 'maxBytes');
  });

  it('is the response itself where there is nothing to decode', async () => {
    for (const script of [
      { fields: [] },
      { fields: ['Content-Encoding', 'identity'] },
      { fields: ['Content-Encoding', 'gzip'], status: 204, pieces: [], ahead: 1 },
      { fields: ['Content-Encoding', 'gzip'], method: 'HEAD', pieces: [], ahead: 1 },
      { fields: ['Content-Encoding', 'gzip', 'Content-Length', '0'], pieces: [], ahead: 1 },
    ]) {
      const source = new FedResponse({ pieces: whole(BODY), ...script });
      const response = decoded(source.response);
      expect(response).to.equal(source.response);
      expect(await response.text()).to.equal('pieces' in script ? '' : TEXT);
    }
  });

  it('takes an empty body for one, whatever its coding', async () => {
    const { source, response } = coded('gzip, br', BODY, { pieces: [] });
    expect(await response.readall()).to.have.lengthOf(0);
    expect(source.dones).to.equal(1);
  });

  it('bounds what is decoded, of a body without a coding too', async () => {
    for (const [coding, bytes] of [
      ['gzip', zlib.gzipSync(BODY)],
      ['identity', BODY],
    ] as const) {
      expect(await coded(coding, bytes, {}, { maxBytes: BODY.length }).response.text()).to.equal(TEXT);
      const { response } = coded(coding, bytes, {}, { maxBytes: BODY.length - 1 });
      const error = await rejection<LimitExceeded>(response.text());
      expect(error).to.be.instanceOf(LimitExceeded);
      expect(error).to.include({ limit: 'maxBytes', allowed: BODY.length - 1, url: '/fed' });
    }
  });

  it('shows the head as received, no length, and the trailers at the end', async () => {
    const { source, response } = coded('gzip', zlib.gzipSync(BODY), {
      status: 203,
      trailers: ['X-Sum', '1'],
    });
    const { status, reason, version, method, url, willClose, reused, remoteAddress } = source.response;
    expect(response).to.include({ status, reason, version, method, url, willClose, reused, remoteAddress });
    expect(response).to.have.property('length', null);
    expect(response.headers.get('content-encoding')).to.equal('gzip');
    expect(response.trailers.size).to.equal(0);
    await response.readall();
    expect(response.trailers.get('x-sum')).to.equal('1');
    expect(await response.drain()).to.equal(true);
  });

  const WAYS: Record<string, (response: HTTPResponse) => Promise<string>> = {
    readbytes: async (r) => `${String(await r.readbytes(100))}${String(await r.readbytes())}`,
    readinto: async (r) => {
      const view = Buffer.alloc(BODY.length + 1);
      return String(view.subarray(0, await r.readinto(view)));
    },
    readlines: async (r) => String(Buffer.concat(await r.readlines())),
    lines: async (r) => {
      let text = '';
      for await (const line of r.lines()) text += `${line}\n`;
      return text;
    },
    'peek and for await': async (r) => {
      expect(String(await r.peek(9))).to.equal('the first');
      const pieces: Buffer[] = [];
      for await (const piece of r) pieces.push(piece);
      return String(Buffer.concat(pieces));
    },
    "'data'": async (r) => {
      let text = '';
      r.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      await once(r, 'end');
      return text;
    },
  };
  for (const [name, read] of Object.entries(WAYS)) {
    it(`is read by ${name}`, async () => {
      expect(await read(coded('br', zlib.brotliCompressSync(BODY)).response)).to.equal(TEXT);
    });
  }

  it('asks the source for nothing before it is read', async () => {
    const { source, response } = coded('gzip', zlib.gzipSync(BODY));
    await turn();
    expect(source.resumes).to.equal(0);
    expect(response.readableDidRead).to.equal(false);
  });

  it('shows what was decoded before a cut, then the cut', async () => {
    const big = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7919) & (i >> 3) & 0xff));
    const bytes = zlib.gzipSync(big);
    const cut = new IncompleteRead(Buffer.alloc(0), 10);
    const { response } = coded('gzip', bytes, { pieces: [bytes.subarray(0, bytes.length - 500)], end: cut });
    expect((await response.readbytes(1000)).equals(big.subarray(0, 1000))).to.equal(true);
    const error = await rejection<IncompleteRead>(response.readall());
    expect(error).to.be.instanceOf(IncompleteRead);
    expect(error.expected).to.equal(10);
    expect(error.partial.equals(big.subarray(1000, 1000 + error.partial.length))).to.equal(true);
    expect(error.partial.length).to.be.above(100_000);
  });

  it('is destroyed at once when the first response is, and the other way round', async () => {
    const bytes = zlib.gzipSync(BODY);
    const thrown = await uncaughtErrors(async () => {
      for (const read of [0, 10]) {
        const first = coded('gzip', bytes, { pieces: [bytes.subarray(0, 60)], end: 'nothing' });
        await first.response.readbytes(read);
        const pending = rejection(first.response.readall());
        await turn();
        const reason = new Error('aborted');
        first.source.response.destroy(reason);
        expect(await pending).to.equal(reason);
        expect(first.response.destroyed).to.equal(true);
        const second = coded('gzip', bytes, { end: 'nothing' });
        await second.response.readbytes(read);
        second.response.destroy(reason);
        expect(second.source.response.destroyed).to.equal(true);
        expect(second.source.aborts).to.deep.equal([reason]);
      }
      await turn();
    });
    expect(thrown).to.deep.equal([]);
  });

  it('closes the connection on failure, unless the body had been received whole', async () => {
    const bad = Buffer.concat([Buffer.from('no gzip at all'), Buffer.alloc(50_000)]);
    const unfinished = coded('gzip', bad, { end: 'nothing' });
    const error = await rejection(unfinished.response.text());
    expect(error).to.be.instanceOf(BadEncoding);
    expect(unfinished.source.aborts).to.have.lengthOf(1);
    const received = coded('gzip', bad, { ahead: 1 });
    expect(await rejection(received.response.text())).to.be.instanceOf(BadEncoding);
    expect(received.source.aborts).to.deep.equal([]);
    expect(received.source.dones).to.equal(1);
  });

  it('holds the source back: what is decoded and unread is bounded', async () => {
    const bytes = zlib.gzipSync(randomBytes(3_000_000));
    const { source, response } = coded('gzip', bytes, { pieces: every(bytes, 10_000) });
    await response.readbytes(100_000);
    for (let i = 0; i < 100; i++) await turn();
    const held = source.deliveredBytes;
    expect(held).to.be.below(600_000);
    for (let i = 0; i < 100; i++) await turn();
    expect(source.deliveredBytes).to.equal(held);
    response.destroy();
  });

  it('over a connection leaves it to the next request, or closed', async () => {
    const bytes = zlib.gzipSync(BODY);
    const server = await rawServer((socket, { target }) => {
      if (target === '/ok') {
        socket.write(OK);
        return;
      }
      const body = target === '/bad' ? Buffer.alloc(100_000, 1) : bytes;
      socket.write(
        `HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${String(body.length)}\r\n\r\n`,
      );
      socket.write(target === '/bad' ? body.subarray(0, 99_999) : body);
    });
    const connection = connectionTo(server);
    for (const [target, connections] of [
      ['/', 1],
      ['/', 1],
      ['/bad', 1],
      ['/ok', 2],
    ] as const) {
      await connection.request('GET', target);
      const response = decoded(await connection.getResponse());
      if (target === '/bad') {
        const error = await rejection(response.text());
        expect(error).to.be.instanceOf(BadEncoding);
        expect(error.message).to.match(/^GET \/bad: no gzip/);
        expect(connection.socket).to.equal(null);
      } else {
        expect(await response.text()).to.equal(target === '/ok' ? 'ok' : TEXT);
      }
      expect(server.connections).to.equal(connections);
    }
    connection.close();
  });

  it('takes no more memory than is read: a bomb of 1 GiB, read 10 MiB deep and given up', async function () {
    this.timeout(20_000);
    const engine = zlib.createGzip({ level: 1 });
    const parts: Buffer[] = [];
    engine.on('data', (part: Buffer) => parts.push(part));
    const mebibyte = Buffer.alloc(2 ** 20);
    for (let i = 0; i < 1024; i++) if (!engine.write(mebibyte)) await once(engine, 'drain');
    engine.end();
    await once(engine, 'end');
    const bomb = Buffer.concat(parts);
    const grown: number[] = [];
    // The first rounds also pay for what making the bomb has left behind.
    for (let round = 0; round < 4; round++) {
      const before = process.memoryUsage.rss();
      const { source, response } = coded('gzip', bomb, { pieces: every(bomb, 65_536) });
      let most = 0;
      for (let read = 0; read < 10 * 2 ** 20;) {
        read += (await response.read1()).length;
        most = Math.max(most, process.memoryUsage.rss());
      }
      response.destroy();
      await once(response, 'close');
      expect(source.response.destroyed).to.equal(true);
      grown.push((most - before) / 2 ** 20);
    }
    expect(Math.min(...grown)).to.be.below(16);
  });
});
