/**
 * parseHeaders: fields from bytes, from an iterable and from a stream, which is left at the first byte behind them.
 */
import { expect } from 'chai';
import { PassThrough, Readable } from 'node:stream';

import { HTTPMessage } from '../../lib/fields/message.js';
import { parseHeaders } from '../../lib/fields/parse-headers.js';
import { cuttings, octets } from '../support/cuttings.js';
import { rejection } from '../support/rejection.js';

const FIELDS = 'Content-Type: text/plain\r\nX-A: 1\r\nx-a: \xe9\r\n\r\n';
const REST = 'the body\r\n\r\nA: b\r\n\r\n';
const PAIRS = [
  ['Content-Type', 'text/plain'],
  ['X-A', '1'],
  ['x-a', '\xe9'],
];
const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

/** A byte stream of the pieces, each pushed when it is asked for. */
function streamOf(pieces: readonly Buffer[], delayed: boolean): Readable {
  let next = 0;
  return new Readable({
    read() {
      const push = (): void => {
        this.push(pieces[next++] ?? null);
      };
      if (delayed) setImmediate(push);
      else push();
    },
  });
}

async function restOf(source: AsyncIterable<unknown>): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of source) pieces.push(Buffer.from(piece as Uint8Array));
  return Buffer.concat(pieces).toString('latin1');
}

describe('parseHeaders', () => {
  it('reads bytes', async () => {
    const message = await parseHeaders(bytes(FIELDS + REST));
    expect(message).to.be.instanceOf(HTTPMessage);
    expect([...message]).to.deep.equal(PAIRS);
    expect([...(await parseHeaders(new Uint8Array(bytes('A: b\r\n\r\n'))))]).to.deep.equal([['A', 'b']]);
    expect((await parseHeaders(bytes('\r\n'))).size).to.equal(0);
  });

  it('reads a part of a larger buffer', async () => {
    const buffer = new Uint8Array(bytes(`xxxx${FIELDS}`)).buffer;
    expect([...(await parseHeaders(new Uint8Array(buffer, 4)))]).to.deep.equal(PAIRS);
  });

  for (const delayed of [false, true]) {
    it(`leaves a stream that ${delayed ? 'is slow' : 'has all at hand'} at the first byte behind the blank line`, async () => {
      for (const [name, pieces] of cuttings(bytes(FIELDS + REST))) {
        const source = streamOf(pieces, delayed);
        expect([...(await parseHeaders(source))], name).to.deep.equal(PAIRS);
        expect(await restOf(source), name).to.equal(REST);
      }
    });

    it(`leaves a stream that ${delayed ? 'is slow' : 'has all at hand'} and ends with the blank line at its end`, async () => {
      for (const [name, pieces] of cuttings(bytes(FIELDS))) {
        const source = streamOf(pieces, delayed);
        expect([...(await parseHeaders(source))], name).to.deep.equal(PAIRS);
        expect(await restOf(source), name).to.equal('');
      }
    });
  }

  it('leaves a stream usable for another reader of fields', async () => {
    const source = streamOf([bytes(`A: 1\r\n\r\nB: 2\r\n\r\n\r\n${REST}`)], true);
    expect([...(await parseHeaders(source))]).to.deep.equal([['A', '1']]);
    expect([...(await parseHeaders(source))]).to.deep.equal([['B', '2']]);
    expect([...(await parseHeaders(source))]).to.deep.equal([]);
    expect(await restOf(source)).to.equal(REST);
  });

  it('leaves no listener on a stream', async () => {
    const names = ['readable', 'end', 'error', 'close', 'data'];
    const source = new PassThrough();
    const before = names.map((name) => source.listenerCount(name));
    source.end(bytes(FIELDS + REST));
    await parseHeaders(source);
    expect(names.map((name) => source.listenerCount(name))).to.deep.equal(before);
    const failing = new PassThrough();
    failing.end('no field\r\n\r\n');
    await rejection(parseHeaders(failing));
    expect(names.map((name) => failing.listenerCount(name))).to.deep.equal(before);
  });

  it('reads a stream with an encoding', async () => {
    const source = streamOf([bytes('A: b\r\n\r\nrest')], false).setEncoding('latin1');
    expect([...(await parseHeaders(source))]).to.deep.equal([['A', 'b']]);
    let rest = '';
    for await (const part of source) rest += String(part);
    expect(rest).to.equal('rest');
  });

  it('reads an iterable no further than the piece with the blank line, and does not close it', async () => {
    for (const [name, pieces] of cuttings(bytes(FIELDS))) {
      let pulled = 0;
      let closed = false;
      const source = async function* (): AsyncGenerator<Uint8Array> {
        try {
          for (const piece of pieces) {
            pulled++;
            yield piece;
          }
          pulled++;
          yield bytes(REST);
        } finally {
          closed = true;
        }
      };
      const iterator = source();
      expect([...(await parseHeaders(iterator))], name).to.deep.equal(PAIRS);
      expect(pulled, name).to.equal(pieces.length);
      expect(closed, name).to.equal(false);
      expect(String((await iterator.next()).value)).to.equal(REST);
    }
  });

  const FAILURES: [name: string, wire: string, error: string][] = [
    ['an end before the blank line', 'A: b\r\n', 'BadHeader'],
    ['an end within a line', 'A: b', 'BadHeader'],
    ['nothing', '', 'BadHeader'],
    ['a line that is no field', 'A b\r\n\r\n', 'BadHeader'],
    ['a bare LF', 'A: b\n\r\n', 'BadHeader'],
    ['too many fields', `${'A: b\r\n'.repeat(101)}\r\n`, 'LimitExceeded'],
    ['a line that is too long', `A: ${'b'.repeat(70_000)}\r\n\r\n`, 'LineTooLong'],
  ];
  for (const [name, wire, error] of FAILURES) {
    it(`fails with ${error} for ${name}, from every source`, async () => {
      const piece = bytes(wire);
      const iterable = async function* (): AsyncGenerator<Uint8Array> {
        yield piece;
      };
      expect((await rejection(parseHeaders(piece))).name).to.equal(error);
      expect((await rejection(parseHeaders(iterable()))).name).to.equal(error);
      expect((await rejection(parseHeaders(streamOf([piece], true)))).name).to.equal(error);
      if (wire.length < 100) {
        expect((await rejection(parseHeaders(streamOf(octets(piece), false)))).name).to.equal(error);
      }
    });
  }

  it('keeps to limits of its own', async () => {
    const failure = rejection(parseHeaders(bytes('A: b\r\nC: d\r\n\r\n'), { fields: 1 }));
    expect(await failure).to.include({ name: 'LimitExceeded', limit: 'fields', allowed: 1 });
    expect(await rejection(parseHeaders(bytes('\r\n'), { fields: -1 }))).to.be.instanceOf(TypeError);
  });

  it('passes on the error of a stream, and takes one that was closed for cut off', async () => {
    const reason = new Error('the disk is gone');
    const failing = new PassThrough();
    const failure = rejection(parseHeaders(failing));
    failing.write('A: b\r\n');
    setImmediate(() => failing.destroy(reason));
    expect(await failure).to.equal(reason);
    const closed = new PassThrough();
    const cut = rejection(parseHeaders(closed));
    setImmediate(() => closed.destroy());
    expect(await cut).to.include({ name: 'BadHeader' });
  });

  it('rejects for a stream that has ended or was destroyed before, and hangs on none', async () => {
    const ended = streamOf([], false);
    await restOf(ended);
    expect(await rejection(parseHeaders(ended))).to.include({ name: 'BadHeader' });
    const destroyed = new PassThrough().destroy();
    await new Promise(setImmediate);
    expect(await rejection(parseHeaders(destroyed))).to.include({ name: 'BadHeader' });
    const errored = new PassThrough().on('error', () => undefined);
    errored.destroy(new Error('the disk is gone'));
    await new Promise(setImmediate);
    expect((await rejection(parseHeaders(errored))).message).to.equal('the disk is gone');
  });

  it('refuses a source of another kind, and pieces that are no bytes', async () => {
    for (const wrong of [undefined, null, 'A: b\r\n\r\n', 5, {}, [bytes(FIELDS)]]) {
      expect(await rejection(parseHeaders(wrong as Uint8Array))).to.be.instanceOf(TypeError);
    }
    const texts = async function* (): AsyncGenerator {
      yield 'A: b\r\n\r\n';
    };
    expect(await rejection(parseHeaders(texts() as AsyncGenerator<Uint8Array>))).to.be.instanceOf(TypeError);
    const objects = async function* (): AsyncGenerator {
      await new Promise(setImmediate);
      yield { a: 1 };
    };
    for (const source of [Readable.from([{ a: 1 }]), Readable.from(objects())]) {
      expect(await rejection(parseHeaders(source))).to.be.instanceOf(TypeError);
    }
  });
});

describe('parseHeaders on a generator whose fields are malformed', () => {
  it('tells it that nothing more is wanted', async () => {
    let ended = false;
    async function* source(): AsyncGenerator<Buffer> {
      try {
        yield await Promise.resolve(Buffer.from('A 1\r\n\r\n'));
        yield Buffer.from('more');
      } finally {
        ended = true;
      }
    }
    expect(await rejection(parseHeaders(source()))).to.have.property('name', 'BadHeader');
    expect(ended).to.equal(true);
  });
});
