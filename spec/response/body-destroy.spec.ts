/**
 * Giving a body up: destroy(), leaving a loop early, the end of an `await using` block. Whoever reads then is told, and the source too.
 */
import { expect } from 'chai';
import { once } from 'node:events';

import { IncompleteRead } from '../../lib/errors.js';
import type { HTTPResponse } from '../../lib/response/response.js';
import { every, octets, whole } from '../support/cuttings.js';
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

describe('destroy', () => {
  it("inside a 'data' listener is the last that the listener hears", async () => {
    for (const ahead of [0, 100]) {
      const source = new FedResponse({ pieces: octets(BODY), ahead });
      const { response } = source;
      let count = 0;
      const events = eventsOf(response);
      response.on('data', () => {
        count++;
        if (count === 3) response.destroy();
      });
      await once(response, 'close');
      await turn();
      expect(count).to.equal(3);
      expect(events).to.deep.equal(['close']);
    }
  });

  it('tells the source once, with the error it was given', async () => {
    const plain = new FedResponse({ pieces: octets(BODY), ahead: 2 });
    plain.response.destroy().destroy();
    await turn();
    expect(plain.aborts).to.deep.equal([null]);
    const reason = new Error('enough');
    const failing = new FedResponse({ pieces: octets(BODY) });
    failing.response.destroy(reason);
    await turn();
    expect(failing.aborts).to.deep.equal([reason]);
  });

  it('makes every way of reading reject, and hangs none', async () => {
    const reason = new Error('enough');
    for (const error of [undefined, reason]) {
      for (const complete of [true, false]) {
        const { response } = new FedResponse({
          pieces: whole(BODY),
          ahead: 1,
          end: complete ? 'end' : 'nothing',
        });
        response.destroy(error);
        const calls = [
          response.readall(),
          response.readbytes(3),
          response.readinto(Buffer.alloc(3)),
          response.read1(),
          response.peek(),
          response.readline(),
          response.readlines(),
          response.lines().next(),
          response.text(),
          response.json(),
          response.drain(),
          response[Symbol.asyncIterator]().next(),
        ];
        for (const call of calls) {
          const failure = await rejection(call);
          if (error === undefined) expect(failure).to.be.instanceOf(IncompleteRead);
          else expect(failure).to.equal(reason);
        }
        expect(response.read()).to.equal(null);
      }
    }
  });

  it('rejects the call that waits, and those behind it', async () => {
    const { response } = new FedResponse({ pieces: [], end: 'nothing' });
    const calls = [
      response.readline(),
      response.readinto(Buffer.alloc(5)),
      response[Symbol.asyncIterator]().next(),
      response.readall(),
    ];
    const failures = Promise.all(calls.map((call) => rejection(call)));
    await turn();
    response.destroy();
    for (const failure of await failures) expect(failure).to.be.instanceOf(IncompleteRead);
  });

  it('rejects a loop that waits', async () => {
    const { response } = new FedResponse({ pieces: [], end: 'nothing' });
    const next = response[Symbol.asyncIterator]().next();
    const failure = rejection(next);
    response.destroy();
    expect(await failure).to.be.instanceOf(IncompleteRead);
  });

  it('behind the end changes nothing', async () => {
    const response = responseOf({ pieces: whole(BODY) });
    await response.readall();
    response.destroy();
    await turn();
    expect(await response.readall()).to.have.lengthOf(0);
    expect(response.errored).to.equal(null);
  });

  it("with an error reaches an 'error' listener, and without one harms nobody", async () => {
    const heard = responseOf({ pieces: [], end: 'nothing' });
    const events = eventsOf(heard);
    heard.destroy(new Error('enough'));
    await turn();
    expect(events).to.deep.equal(['error', 'close']);
    const thrown = await uncaughtErrors(() => {
      responseOf({ pieces: [], end: 'nothing' }).destroy(new Error('enough'));
    });
    expect(thrown).to.deep.equal([]);
  });
});

describe('for await', () => {
  it('gives the pieces as they came, and destroys nothing at the end', async () => {
    const source = new FedResponse({ pieces: every(BODY, 9), ahead: 3 });
    const pieces: string[] = [];
    for await (const piece of source.response) pieces.push(String(piece));
    expect(pieces).to.deep.equal(every(BODY, 9).map(String));
    expect(source.aborts).to.deep.equal([]);
    expect(source.response.isClosed()).to.equal(true);
  });

  it('destroys the response when it is left by break, return or throw', async () => {
    const leave: ((response: HTTPResponse) => Promise<unknown>)[] = [
      async (response) => {
        for await (const piece of response) if (piece.length > 0) break;
      },
      async (response) => {
        for await (const piece of response) return piece;
        return null;
      },
      async (response) => {
        for await (const piece of response) throw new Error(String(piece));
      },
    ];
    for (const how of leave) {
      const source = new FedResponse({ pieces: octets(BODY) });
      await how(source.response).catch(() => undefined);
      expect(source.response.destroyed).to.equal(true);
      expect(source.aborts).to.deep.equal([null]);
      expect(await rejection(source.response.readall())).to.be.instanceOf(IncompleteRead);
    }
  });

  it('is over once it was left, however often it is asked', async () => {
    const iterator = responseOf({ pieces: octets(BODY) })[Symbol.asyncIterator]();
    await iterator.next();
    expect(await iterator.return?.()).to.deep.equal({ done: true, value: undefined });
    expect(await iterator.next()).to.deep.equal({ done: true, value: undefined });
    expect(await iterator.next()).to.deep.equal({ done: true, value: undefined });
  });

  it('asks for nothing while the loop body runs', async () => {
    const source = new FedResponse({ pieces: octets(BODY), end: 'nothing' });
    const iterator = source.response[Symbol.asyncIterator]();
    await iterator.next();
    const asked = source.resumes;
    await turn();
    await turn();
    expect(source.resumes).to.equal(asked);
    expect(source.response.waiting).to.equal(false);
  });
});

describe('await using', () => {
  it('destroys what is unread, and leaves alone what was read', async () => {
    const unread = new FedResponse({ pieces: octets(BODY) });
    {
      await using response = unread.response;
      await response.readbytes(3);
    }
    expect(unread.aborts).to.deep.equal([null]);
    const read = new FedResponse({ pieces: octets(BODY) });
    {
      await using response = read.response;
      await response.readall();
    }
    await turn();
    expect(read.aborts).to.deep.equal([]);
    expect(read.response.errored).to.equal(null);
    expect(read.response.readableEnded).to.equal(true);
  });
});
