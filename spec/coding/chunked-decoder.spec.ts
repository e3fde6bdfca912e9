/**
 * ChunkedDecoder as a stream: in pipelines, with backpressure, with trailers, and failing as responses fail.
 */
import { expect } from 'chai';
import { once } from 'node:events';
import { Readable, Transform, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import { ChunkedDecoder } from '../../lib/coding/chunked-decoder.js';
import { ChunkedEncoder } from '../../lib/coding/chunked-encoder.js';
import { HTTPMessage } from '../../lib/fields/message.js';
import { cuttings, every, octets } from '../support/cuttings.js';
import { rejection } from '../support/rejection.js';

const WIRE = Buffer.from('5\r\nhello\r\n1;x\r\n \r\n5\r\nworld\r\n0\r\nX-Sum: 1\r\nx-sum: 2\r\n\r\n');

async function decode(
  pieces: readonly Buffer[],
  decoder: ChunkedDecoder = new ChunkedDecoder(),
): Promise<string> {
  const body: Buffer[] = [];
  await pipeline(Readable.from(pieces), decoder, async (source: AsyncIterable<Buffer>) => {
    for await (const bytes of source) body.push(bytes);
  });
  return Buffer.concat(body).toString('latin1');
}

describe('ChunkedDecoder', () => {
  it('is a Transform', () => {
    expect(new ChunkedDecoder()).to.be.instanceOf(Transform);
  });

  it('decodes, however its input is cut', async () => {
    for (const [name, pieces] of cuttings(WIRE)) expect(await decode(pieces), name).to.equal('hello world');
  });

  it('decodes an empty body', async () => {
    expect(await decode([Buffer.from('0\r\n\r\n')])).to.equal('');
  });

  it('has its trailers when it has ended, and none before', async () => {
    for (const [, pieces] of cuttings(WIRE)) {
      const decoder = new ChunkedDecoder();
      expect(decoder.trailers).to.be.instanceOf(HTTPMessage);
      expect(decoder.trailers.size).to.equal(0);
      await decode(pieces, decoder);
      expect([...decoder.trailers]).to.deep.equal([
        ['X-Sum', '1'],
        ['x-sum', '2'],
      ]);
    }
  });

  it('leaves its input as it is, and gives bytes of its own', async () => {
    const input = Buffer.from(WIRE);
    const decoder = new ChunkedDecoder();
    const body: Buffer[] = [];
    decoder.on('data', (bytes: Buffer) => body.push(bytes));
    decoder.end(input);
    await once(decoder, 'end');
    expect(input.equals(WIRE)).to.equal(true);
    input.fill(0);
    expect(String(Buffer.concat(body))).to.equal('hello world');
  });

  it('takes strings and typed arrays as any Transform does', async () => {
    const decoder = new ChunkedDecoder();
    decoder.setEncoding('utf8');
    let text = '';
    decoder.on('data', (part: string) => (text += part));
    decoder.write('2\r\n\xe9\r\n0', 'utf8');
    decoder.write(new Uint8Array(Buffer.from('\r\n\r\n')));
    decoder.end();
    await once(decoder, 'end');
    expect(text).to.equal('é');
  });

  const FAILURES: [name: string, wire: string, error: string][] = [
    ['no input', '', 'IncompleteRead'],
    ['an end within a size', '5', 'IncompleteRead'],
    ['an end within data', '5\r\nhel', 'IncompleteRead'],
    ['an end before the last chunk', '5\r\nhello\r\n', 'IncompleteRead'],
    ['an end before the blank line', '5\r\nhello\r\n0\r\n', 'IncompleteRead'],
    ['an end within trailers', '0\r\nX: 1\r\n', 'IncompleteRead'],
    ['a malformed size', '5x\r\nhello\r\n0\r\n\r\n', 'BadChunk'],
    ['a missing CRLF', '5\r\nhelloxx0\r\n\r\n', 'BadChunk'],
    ['bytes behind the body', '0\r\n\r\n0', 'BadChunk'],
    ['a second body', '0\r\n\r\n0\r\n\r\n', 'BadChunk'],
    ['a malformed trailer', '0\r\nX 1\r\n\r\n', 'BadHeader'],
    ['a line that is too long', `${'0'.repeat(70_000)}\r\n`, 'LineTooLong'],
  ];
  for (const [name, wire, error] of FAILURES) {
    it(`fails with ${error} for ${name}, however it is cut`, async () => {
      const bytes = Buffer.from(wire, 'latin1');
      for (const [cut, pieces] of bytes.length > 1000
        ? [['', every(bytes, 5000)] as const]
        : cuttings(bytes)) {
        const decoder = new ChunkedDecoder();
        expect((await rejection(decode(pieces, decoder))).name, cut).to.equal(error);
        expect(decoder.destroyed).to.equal(true);
      }
    });
  }

  it('delivers what came before a failure', async () => {
    const decoder = new ChunkedDecoder();
    let text = '';
    decoder.on('data', (bytes: Buffer) => (text += String(bytes)));
    for (const piece of octets(Buffer.from('5\r\nhello\r\n3\r\nabcx'))) decoder.write(piece);
    await rejection(once(decoder, 'end'));
    expect(text).to.equal('helloabc');
  });

  it('keeps to limits of its own', async () => {
    const limits = { lineBytes: 8, fields: 1, trailerBytes: 20, chunkOverheadBytes: 0 };
    const table: [wire: string, error: string][] = [
      ['1;345678\r\n', 'LineTooLong'],
      ['0\r\na: b\r\nc: d\r\n\r\n', 'LimitExceeded'],
    ];
    for (const [wire, error] of table) {
      const failure = await rejection(decode([Buffer.from(wire)], new ChunkedDecoder({ limits })));
      expect(failure.name).to.equal(error);
    }
  });

  it('refuses options that are none, and names that are not known', () => {
    expect(() => new ChunkedDecoder(null as unknown as object)).to.throw(
      TypeError,
      'options must be an object, got null',
    );
    expect(() => new ChunkedDecoder({ limit: {} } as object)).to.throw(TypeError, "did you mean 'limits'?");
  });

  it('refuses limits that are none', () => {
    for (const limits of [
      { lineBytes: -1 },
      { lineBytes: 1.5 },
      { lineBytes: NaN },
      { lines: 1 },
      { fields: '1' },
    ]) {
      expect(() => new ChunkedDecoder({ limits: limits as object })).to.throw(TypeError);
    }
  });

  it('undoes ChunkedEncoder', async () => {
    const body = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 31) & 0xff));
    for (const size of [7, 1000, 100_000]) {
      const decoder = new ChunkedDecoder();
      const decoded: Buffer[] = [];
      await pipeline(
        Readable.from(every(body, size)),
        new ChunkedEncoder({ trailers: { 'X-Sum': '1' } }),
        decoder,
        async (source: AsyncIterable<Buffer>) => {
          for await (const bytes of source) decoded.push(bytes);
        },
      );
      expect(Buffer.concat(decoded).equals(body)).to.equal(true);
      expect(decoder.trailers.get('x-sum')).to.equal('1');
    }
  });

  it('takes no more input than its reader takes output', async () => {
    const chunk = Buffer.concat([Buffer.from('4000\r\n'), Buffer.alloc(0x4000), Buffer.from('\r\n')]);
    let pulled = 0;
    const source = new Readable({
      read() {
        pulled += chunk.length;
        this.push(chunk);
      },
    });
    const stuck = new Writable({ write: () => undefined });
    source.pipe(new ChunkedDecoder()).pipe(stuck);
    for (let i = 0; i < 100; i++) await new Promise(setImmediate);
    expect(pulled).to.be.below(512 * 1024);
    source.destroy();
  });
});
