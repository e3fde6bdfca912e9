/**
 * A body as a Readable: its events and flags, its end, and how far it reads ahead.
 */
import { expect } from 'chai';
import { once } from 'node:events';

import { IncompleteRead } from '../../lib/errors.js';
import type { HTTPResponse } from '../../lib/response/response.js';
import { atRandom, every, inTwo, octets, whole } from '../support/cuttings.js';
import { FedResponse, responseOf } from '../support/fed-response.js';
import { rejection } from '../support/rejection.js';
import { uncaughtErrors } from '../support/uncaught.js';

const TEXT = 'the first line\nthe second\nand the third without an end';
const BODY = Buffer.from(TEXT);

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Names of the events in the order in which they came, 'data' left out. */
function eventsOf(response: HTTPResponse): string[] {
  const events: string[] = [];
  for (const name of ['end', 'error', 'close']) response.on(name, () => events.push(name));
  return events;
}

function collect(response: HTTPResponse): Buffer[] {
  const pieces: Buffer[] = [];
  response.on('data', (piece: Buffer) => pieces.push(piece));
  return pieces;
}

describe('a body as a stream', () => {
  it("gives its pieces as 'data', then 'end', then 'close', each once", async () => {
    for (const ahead of [0, 3, 100]) {
      const response = responseOf({ pieces: every(BODY, 5), ahead });
      const events = eventsOf(response);
      const pieces = collect(response);
      await once(response, 'close');
      expect(pieces.map(String)).to.deep.equal(every(BODY, 5).map(String));
      expect(events).to.deep.equal(['end', 'close']);
      expect(response).to.include({ readableEnded: true, destroyed: true, errored: null, closed: true });
    }
  });

  it("emits 'end' and 'close' once for a direct reader that reached the end, too", async () => {
    const readers: [name: string, read: (response: HTTPResponse) => Promise<unknown>][] = [
      ['readall', (response) => response.readall()],
      ['readbytes', (response) => response.readbytes(BODY.length)],
      ['readbytes beyond', (response) => response.readbytes(1000)],
      ['readinto', (response) => response.readinto(Buffer.alloc(1000))],
      ['readlines', (response) => response.readlines()],
      ['text', (response) => response.text()],
      ['drain', (response) => response.drain()],
      [
        'for await',
        async (response) => {
          for await (const piece of response) expect(piece.length).to.be.above(0);
        },
      ],
      [
        'lines',
        async (response) => {
          for await (const line of response.lines()) expect(line).not.to.equal('');
        },
      ],
    ];
    for (const [name, read] of readers) {
      for (const ahead of [0, 1, 100]) {
        const response = responseOf({ pieces: every(BODY, 7), ahead, trailers: ['X-T', '1'] });
        const events = eventsOf(response);
        await read(response);
        expect(response.trailers.get('x-t'), name).to.equal('1');
        expect(response.isClosed(), name).to.equal(true);
        await turn();
        expect(events, name).to.deep.equal(['end', 'close']);
        expect(response.errored, name).to.equal(null);
        expect(await response.readall(), name).to.have.lengthOf(0);
      }
    }
  });

  it('ends by itself without a body, as soon as somebody listens or reads', async () => {
    const listened = responseOf({ pieces: [], ahead: 1 });
    const events = eventsOf(listened);
    listened.resume();
    await once(listened, 'close');
    expect(events).to.deep.equal(['end', 'close']);
    const read = responseOf({ pieces: [], ahead: 1 });
    expect(await read.readall()).to.have.lengthOf(0);
    await turn();
    expect(read.readableEnded).to.equal(true);
  });

  it("serves 'readable' and read(n), the rest for an n beyond the end", async () => {
    for (const size of [1, 4, 10, 1000]) {
      for (const pieces of [whole(BODY), octets(BODY), atRandom(BODY, 7)]) {
        const response = responseOf({ pieces, ahead: pieces.length >> 1 });
        const read: Buffer[] = [];
        response.on('readable', () => {
          for (let part = response.read(size); part !== null; part = response.read(size)) read.push(part);
        });
        await once(response, 'end');
        expect(read.map(String)).to.deep.equal(every(BODY, size).map(String));
      }
    }
  });

  it('pauses and resumes any number of times', async () => {
    const body = Buffer.alloc(50_000, 0x61);
    const response = responseOf({ pieces: atRandom(body, 3) });
    const pieces = collect(response);
    response.on('data', () => {
      for (let i = 0; i < 5; i++) response.pause().resume();
      response.pause();
      setImmediate(() => response.resume());
    });
    await once(response, 'end');
    expect(Buffer.concat(pieces).equals(body)).to.equal(true);
  });

  it("gives no 'data' while it is paused, and loses none", async () => {
    const response = responseOf({ pieces: octets(BODY), ahead: 10 });
    const pieces = collect(response);
    response.pause();
    await turn();
    expect(pieces).to.deep.equal([]);
    response.resume();
    await once(response, 'end');
    expect(String(Buffer.concat(pieces))).to.equal(TEXT);
  });

  it('gives strings after setEncoding, with characters whole that were cut', async () => {
    const text = 'aé€𝄞z'.repeat(20);
    for (const pieces of [octets(Buffer.from(text)), atRandom(Buffer.from(text), 5)]) {
      const emitting = responseOf({ pieces });
      emitting.setEncoding('utf8');
      let emitted = '';
      emitting.on('data', (piece: string) => (emitted += piece));
      await once(emitting, 'end');
      expect(emitted).to.equal(text);
      const looping = responseOf({ pieces, ahead: 3 });
      looping.setEncoding('utf8');
      let looped = '';
      for await (const piece of looping as AsyncIterable<unknown>) {
        expect(piece).to.be.a('string');
        looped += String(piece);
      }
      expect(looped).to.equal(text);
    }
  });

  it('gives bytes to the readers that promise them, after setEncoding too', async () => {
    for (const ahead of [0, 2, 100]) {
      const response = responseOf({ pieces: every(BODY, 10), ahead });
      response.setEncoding('utf8');
      response.read(0);
      await turn();
      expect(String(await response.readbytes(4))).to.equal(TEXT.slice(0, 4));
      expect(await response.lines().next()).to.deep.equal({ done: false, value: 'first line' });
      expect(response.read(3) ?? 'the').to.equal('the');
    }
  });

  it('takes back what its user unshifts, for every way of reading', async () => {
    const ways: ((response: HTTPResponse) => Promise<unknown>)[] = [
      (response) => response.readbytes(4),
      (response) => response.readline(4),
      (response) => response.peek(4),
      async (response) => (await response[Symbol.asyncIterator]().next()).value,
      async (response) => {
        response.resume();
        const [piece] = (await once(response, 'data')) as [Buffer];
        return piece;
      },
    ];
    for (const read of ways) {
      const response = responseOf({ pieces: whole(BODY), ahead: 1 });
      expect(String(await response.readbytes(4))).to.equal('the ');
      response.unshift(Buffer.from('the '));
      expect(String(await read(response))).to.match(/^the /);
    }
  });
});

describe('the end of the body', () => {
  it('is told to the source when it was read, not before, in every way of reading', async () => {
    const ways: ((response: HTTPResponse) => Promise<unknown>)[] = [
      (response) => response.readall(),
      (response) => response.drain(),
      (response) => restOf(response, 'for await'),
      (response) => restOf(response, 'data'),
      (response) => restOf(response, 'readable'),
    ];
    for (const read of ways) {
      for (const ahead of [0, 2, 100]) {
        for (const prefetched of [false, true]) {
          const source = new FedResponse({ pieces: every(BODY, 9), ahead });
          if (prefetched) source.response.read(0);
          await turn();
          await turn();
          expect(source.dones).to.equal(0);
          await read(source.response);
          await turn();
          expect(source.dones, `${String(read)}, ${String(ahead)} ahead`).to.be.at.least(1);
        }
      }
    }
  });

  it('is not shown while bytes wait to be read: not by trailers, isClosed or dispose', async () => {
    const response = responseOf({ pieces: whole(BODY), ahead: 1, trailers: ['X-T', '1'] });
    response.on('readable', () => undefined);
    await turn();
    expect(response.readableLength).to.equal(BODY.length);
    expect(response.trailers.size).to.equal(0);
    expect(response.isClosed()).to.equal(false);
    expect(String(response.read(10))).to.equal(TEXT.slice(0, 10));
    expect(response.trailers.size).to.equal(0);
    expect(response.isClosed()).to.equal(false);
    await response[Symbol.asyncDispose]();
    expect(response.destroyed).to.equal(true);
    expect(await rejection(response.readall())).to.be.instanceOf(IncompleteRead);
  });

  it("is not met by a reader that takes back what 'readable' has buffered", async () => {
    for (const rest of ['readall', 'data', 'for await', 'readable'] as const) {
      const response = responseOf({ pieces: whole(BODY), ahead: 1, trailers: ['X-T', '1'] });
      const events = eventsOf(response);
      const nothing = (): void => undefined;
      response.on('readable', nothing);
      await turn();
      response.off('readable', nothing);
      expect(String(await response.readbytes(4))).to.equal('the ');
      await turn();
      expect(events).to.deep.equal([]);
      expect(response.trailers.size).to.equal(0);
      expect(await restOf(response, rest)).to.equal(TEXT.slice(4));
      await turn();
      expect(events).to.deep.equal(['end', 'close']);
      expect(response.trailers.size).to.equal(1);
    }
  });
});

async function restOf(
  response: HTTPResponse,
  way: 'readall' | 'data' | 'for await' | 'readable',
): Promise<string> {
  const pieces: Buffer[] = [];
  switch (way) {
    case 'readall':
      return String(await response.readall());
    case 'for await':
      for await (const piece of response) pieces.push(piece);
      break;
    case 'data':
      response.on('data', (piece: Buffer) => pieces.push(piece)).resume();
      await once(response, 'end');
      break;
    case 'readable':
      response.on('readable', () => {
        for (let piece = response.read(); piece !== null; piece = response.read()) pieces.push(piece);
      });
      await once(response, 'end');
  }
  return String(Buffer.concat(pieces));
}

describe('a listener that throws', () => {
  it("in 'data' is seen as an uncaught exception, and the response is destroyed", async () => {
    const bug = new Error('bug in a listener');
    for (const ahead of [0, 1]) {
      const source = new FedResponse({ pieces: inTwo(BODY, 5), ahead });
      const thrown = await uncaughtErrors(() => {
        source.response.on('data', () => {
          throw bug;
        });
      });
      expect(thrown[0]).to.equal(bug);
    }
  });
});

describe('reading ahead', () => {
  it('stops at a bound when nobody reads, or the reader has paused', async () => {
    for (const read of [
      (): void => undefined,
      (response: HTTPResponse): void => {
        response.on('data', () => response.pause());
      },
      (response: HTTPResponse): void => {
        response.on('readable', () => undefined);
      },
    ]) {
      const source = new FedResponse({ pieces: every(Buffer.alloc(4 * 2 ** 20), 16_384) });
      read(source.response);
      for (let i = 0; i < 300; i++) await turn();
      expect(source.deliveredBytes).to.be.at.most(3 * 65_536);
      source.response.destroy();
    }
  });
});
