/**
 * The readers of http.client on a body that arrives in every cutting and every way of handing bytes over: what each returns, where it
 * leaves the position, and what it does at the end.
 */
import { expect } from 'chai';

import { atRandom, every, inTwo, octets } from '../support/cuttings.js';
import { expectTheEnd, inEveryDelivery } from '../support/deliveries.js';
import { FedResponse, responseOf } from '../support/fed-response.js';
import { rejection } from '../support/rejection.js';

const TEXT = 'first line\nsecond line\r\n\nfourth, longer than the others\nlast without an end';
const BODY = Buffer.from(TEXT);
const LINES = TEXT.split(/(?<=\n)/);

describe('readall', () => {
  it('gives the whole body, then empty', async () => {
    await inEveryDelivery(BODY, async (response) => {
      expect(String(await response.readall())).to.equal(TEXT);
      await expectTheEnd(response);
    });
  });

  it('gives what is left', async () => {
    await inEveryDelivery(BODY, async (response) => {
      await response.readbytes(6);
      expect(String(await response.readall())).to.equal(TEXT.slice(6));
    });
  });

  it('gives empty for an empty body', async () => {
    await expectTheEnd(responseOf({ pieces: [], ahead: 1 }));
    await expectTheEnd(responseOf({ pieces: [] }));
  });
});

describe('readbytes', () => {
  for (const amt of [1, 3, 10, BODY.length - 1]) {
    it(`gives ${String(amt)} bytes each time, fewer only at the end`, async () => {
      await inEveryDelivery(BODY, async (response) => {
        const expected = every(BODY, amt).map(String);
        for (const part of expected) expect(String(await response.readbytes(amt))).to.equal(part);
        await expectTheEnd(response);
      });
    });
  }

  it('gives all for an amount that is exact, too large, infinite, negative or missing', async () => {
    for (const amt of [BODY.length, BODY.length + 1, 2 ** 40, Infinity, -1, undefined]) {
      await inEveryDelivery(BODY, async (response) => {
        expect(String(await response.readbytes(amt))).to.equal(TEXT);
      });
    }
  });

  it('gives nothing for 0, without waiting', async () => {
    const source = new FedResponse({ pieces: [BODY], end: 'nothing' });
    expect(await source.response.readbytes(0)).to.have.lengthOf(0);
    expect(source.resumes).to.equal(0);
  });
});

describe('readinto', () => {
  it('fills the view, across pieces, and fewer bytes only at the end', async () => {
    for (const size of [1, 4, 7, BODY.length, BODY.length + 5]) {
      await inEveryDelivery(BODY, async (response) => {
        const view = Buffer.alloc(size);
        const read: Buffer[] = [];
        for (let count = await response.readinto(view); count > 0; count = await response.readinto(view)) {
          read.push(Buffer.from(view.subarray(0, count)));
        }
        expect(read.map(String)).to.deep.equal(every(BODY, size).map(String));
        await expectTheEnd(response);
      });
    }
  });

  it('touches no byte of the view behind those it read, and none of its buffer beside the view', async () => {
    await inEveryDelivery(BODY.subarray(0, 10), async (response) => {
      const buffer = Buffer.alloc(30, 0x2e);
      const view = new Uint8Array(buffer.buffer, buffer.byteOffset + 5, 15);
      expect(await response.readinto(view)).to.equal(10);
      expect(String(buffer)).to.equal('.....first line'.slice(0, 15) + '.'.repeat(15));
    });
  });

  const ELEMENTS: [name: string, view: (buffer: ArrayBuffer) => ArrayBufferView][] = [
    ['Int8Array', (buffer) => new Int8Array(buffer)],
    ['Uint8ClampedArray', (buffer) => new Uint8ClampedArray(buffer)],
    ['Int16Array', (buffer) => new Int16Array(buffer)],
    ['Uint16Array', (buffer) => new Uint16Array(buffer)],
    ['Int32Array', (buffer) => new Int32Array(buffer)],
    ['Uint32Array', (buffer) => new Uint32Array(buffer)],
    ['Float32Array', (buffer) => new Float32Array(buffer)],
    ['Float64Array', (buffer) => new Float64Array(buffer)],
    ['BigInt64Array', (buffer) => new BigInt64Array(buffer)],
    ['BigUint64Array', (buffer) => new BigUint64Array(buffer)],
    ['DataView', (buffer) => new DataView(buffer)],
  ];
  for (const [name, make] of ELEMENTS) {
    it(`counts bytes, not elements, of a ${name}`, async () => {
      await inEveryDelivery(BODY, async (response) => {
        const view = make(new ArrayBuffer(16));
        expect(await response.readinto(view)).to.equal(16);
        expect(Buffer.from(view.buffer as ArrayBuffer).toString()).to.equal(TEXT.slice(0, 16));
        expect(String(await response.readall())).to.equal(TEXT.slice(16));
      });
    });
  }

  it('fills a view of shared memory', async () => {
    await inEveryDelivery(BODY, async (response) => {
      const view = new Uint8Array(new SharedArrayBuffer(8));
      expect(await response.readinto(view)).to.equal(8);
      expect(Buffer.from(view).toString()).to.equal(TEXT.slice(0, 8));
    });
  });

  it('gives 0 for a view without bytes, without waiting', async () => {
    const source = new FedResponse({ pieces: [BODY], end: 'nothing' });
    expect(await source.response.readinto(new Uint8Array(0))).to.equal(0);
    expect(source.resumes).to.equal(0);
  });

  it('takes first what has arrived, then what arrives straight into the view', async () => {
    const source = new FedResponse({ pieces: inTwo(BODY, 4), ahead: 1, handover: 'direct' });
    const view = Buffer.alloc(20);
    const reading = source.response.readinto(view);
    expect(source.response.directTarget()?.length).to.equal(16);
    expect(await reading).to.equal(20);
    expect(String(view)).to.equal(TEXT.slice(0, 20));
  });

  it('offers its view only while it waits', async () => {
    const { response } = new FedResponse({ pieces: [BODY] });
    expect(response.directTarget()).to.equal(null);
    const reading = response.readinto(Buffer.alloc(10));
    expect(response.directTarget()?.length).to.equal(10);
    await reading;
    expect(response.directTarget()).to.equal(null);
  });

  it('refuses what is no view', async () => {
    for (const wrong of [undefined, null, 'text', 5, {}, new ArrayBuffer(4)]) {
      const error = await rejection(responseOf({ pieces: [BODY] }).readinto(wrong as Uint8Array));
      expect(error).to.be.instanceOf(TypeError);
    }
  });
});

describe('read1', () => {
  it('gives what has arrived, in order, empty only at the end', async () => {
    await inEveryDelivery(BODY, async (response) => {
      const read: Buffer[] = [];
      for (let part = await response.read1(); part.length > 0; part = await response.read1()) read.push(part);
      expect(String(Buffer.concat(read))).to.equal(TEXT);
      await expectTheEnd(response);
    });
  });

  it('gives at most the amount asked for', async () => {
    await inEveryDelivery(BODY, async (response) => {
      const read: Buffer[] = [];
      for (let part = await response.read1(4); part.length > 0; part = await response.read1(4)) {
        expect(part.length).to.be.at.most(4);
        read.push(part);
      }
      expect(String(Buffer.concat(read))).to.equal(TEXT);
    });
  });

  it('does not wait for more than has arrived', async () => {
    const source = new FedResponse({ pieces: inTwo(BODY, 4), end: 'nothing', ahead: 1 });
    expect(String(await source.response.read1(100))).to.equal(TEXT.slice(0, 4));
    expect(source.resumes).to.equal(0);
  });

  it('gives nothing for 0, without waiting', async () => {
    const source = new FedResponse({ pieces: [BODY], end: 'nothing' });
    expect(await source.response.read1(0)).to.have.lengthOf(0);
    expect(source.resumes).to.equal(0);
  });
});

describe('peek', () => {
  it('shows bytes that stay, and never one beyond the body', async () => {
    await inEveryDelivery(BODY, async (response) => {
      const shown = await response.peek();
      expect(shown.length).to.be.within(1, BODY.length);
      expect(String(shown)).to.equal(TEXT.slice(0, shown.length));
      expect(response.length).to.equal(null);
      expect(String(await response.readall())).to.equal(TEXT);
    });
  });

  it('shows at most the amount asked for, again and again the same', async () => {
    await inEveryDelivery(BODY, async (response) => {
      const shown = await response.peek(3);
      expect(shown.length).to.be.within(1, 3);
      expect(TEXT.startsWith(String(shown))).to.equal(true);
      expect(String(await response.peek(1))).to.equal(TEXT[0]);
      expect(String(await response.readbytes(4))).to.equal(TEXT.slice(0, 4));
    });
  });

  it('gives nothing for 0, without waiting', async () => {
    const source = new FedResponse({ pieces: [BODY], end: 'nothing' });
    expect(await source.response.peek(0)).to.have.lengthOf(0);
    expect(source.resumes).to.equal(0);
  });
});

describe('readline', () => {
  it('reads through LF, keeps the line end, and gives the rest when there is none', async () => {
    await inEveryDelivery(BODY, async (response) => {
      for (const line of LINES) expect(String(await response.readline())).to.equal(line);
      await expectTheEnd(response);
    });
  });

  for (const limit of [1, 5, 10, 11, 12, 1000]) {
    it(`reads at most ${String(limit)} bytes of a line, and goes on there`, async () => {
      const expected = LINES.flatMap((line) => every(Buffer.from(line), limit).map(String));
      await inEveryDelivery(BODY, async (response) => {
        for (const part of expected) expect(String(await response.readline(limit))).to.equal(part);
        await expectTheEnd(response);
      });
    });
  }

  it('gives nothing for a limit of 0, without waiting', async () => {
    const source = new FedResponse({ pieces: [BODY], end: 'nothing' });
    expect(await source.response.readline(0)).to.have.lengthOf(0);
    expect(source.resumes).to.equal(0);
  });

  it('does not wait behind a line that is complete, nor behind its limit', async () => {
    const source = new FedResponse({ pieces: [Buffer.from('a\nbcd')], end: 'nothing', ahead: 1 });
    expect(String(await source.response.readline())).to.equal('a\n');
    expect(String(await source.response.readline(3))).to.equal('bcd');
    expect(source.resumes).to.equal(0);
  });

  it('reads a line of a mebibyte that comes in small pieces', async () => {
    const line = Buffer.alloc(2 ** 20, 0x78);
    line[line.length - 1] = 0x0a;
    const pieces = every(line, 4096);
    const source = new FedResponse({ pieces, ahead: pieces.length });
    expect((await source.response.readline()).equals(line)).to.equal(true);
  });
});

describe('readlines', () => {
  it('gives every line that is left', async () => {
    await inEveryDelivery(BODY, async (response) => {
      expect((await response.readlines()).map(String)).to.deep.equal(LINES);
      await expectTheEnd(response);
    });
  });

  const HINTS: [hint: number, lines: number][] = [
    [-1, 5],
    [0, 5],
    [1, 1],
    [11, 1],
    [12, 2],
    [24, 2],
    [25, 3],
    [1000, 5],
  ];
  for (const [hint, count] of HINTS) {
    it(`gives ${String(count)} lines for a hint of ${String(hint)} bytes, and leaves the rest`, async () => {
      await inEveryDelivery(BODY, async (response) => {
        expect((await response.readlines(hint)).map(String)).to.deep.equal(LINES.slice(0, count));
        expect(String(await response.readall())).to.equal(LINES.slice(count).join(''));
      });
    });
  }

  it('gives lines that follow each other, however many calls are made at once', async () => {
    await inEveryDelivery(BODY, async (response) => {
      const [first, second] = await Promise.all([response.readlines(12), response.readlines()]);
      expect(first.map(String)).to.deep.equal(LINES.slice(0, 2));
      expect(second.map(String)).to.deep.equal(LINES.slice(2));
    });
  });
});

describe('amounts', () => {
  it('that are no whole number are refused, and nothing is read', async () => {
    for (const wrong of [NaN, 1.5, '3', null, {}] as unknown as number[]) {
      const source = new FedResponse({ pieces: [BODY], ahead: 1 });
      const { response } = source;
      for (const call of [
        response.readbytes(wrong),
        response.read1(wrong),
        response.peek(wrong),
        response.readline(wrong),
        response.readlines(wrong),
      ]) {
        expect(await rejection(call)).to.be.instanceOf(TypeError);
      }
      expect(String(await response.readall())).to.equal(TEXT);
    }
  });
});

describe('calls that are made at once', () => {
  it('are served one behind the other, in the order of the calls', async () => {
    await inEveryDelivery(BODY, async (response) => {
      const view = Buffer.alloc(4);
      const [line, peeked, three, filled, second, rest] = await Promise.all([
        response.readline(),
        response.peek(1),
        response.readbytes(3),
        response.readinto(view),
        response.readline(),
        response.readall(),
      ]);
      expect(String(line)).to.equal(LINES[0]);
      expect(String(peeked)).to.equal('s');
      expect(String(three)).to.equal('sec');
      expect(filled).to.equal(4);
      expect(String(view)).to.equal('ond ');
      expect(String(second)).to.equal('line\r\n');
      expect(String(rest)).to.equal(LINES.slice(2).join(''));
    });
  });

  it('of a hundred readers give every byte once', async () => {
    const body = Buffer.from(Array.from({ length: 1000 }, (_, i) => i & 0xff));
    for (const seed of [1, 2, 3]) {
      const response = responseOf({ pieces: atRandom(body, seed) });
      const parts = await Promise.all(Array.from({ length: 101 }, () => response.readbytes(10)));
      expect(Buffer.concat(parts).equals(body)).to.equal(true);
      expect(parts[100]).to.have.lengthOf(0);
    }
  });

  it('of an iterator give the pieces in order', async () => {
    const iterator = responseOf({ pieces: octets(Buffer.from('abc')) })[Symbol.asyncIterator]();
    const results = await Promise.all([iterator.next(), iterator.next(), iterator.next(), iterator.next()]);
    expect(results.map(({ done, value }) => (done === true ? null : String(value)))).to.deep.equal([
      'a',
      'b',
      'c',
      null,
    ]);
  });
});
