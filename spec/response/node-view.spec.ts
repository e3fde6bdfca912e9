/**
 * What Node, and whoever asks it, sees of a response that was read in ways that Node does not know; and what a log shows of one.
 */
import { expect } from 'chai';
import { once } from 'node:events';
import { Readable, Writable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { inspect } from 'node:util';

import { IncompleteRead } from '../../lib/errors.js';
import type { HTTPResponse } from '../../lib/response/response.js';
import { octets, whole } from '../support/cuttings.js';
import { FedResponse, responseOf } from '../support/fed-response.js';
import { rejection } from '../support/rejection.js';
import { uncaughtErrors } from '../support/uncaught.js';

const BODY = Buffer.from('[1,\n2]');
const FIELDS = ['Content-Length', '6'];

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function loop(pieces: AsyncIterable<unknown>): Promise<void> {
  for await (const piece of pieces) expect(piece).to.have.property('length');
}

/** Each reads to the end. */
const WAYS: Record<string, (response: HTTPResponse) => Promise<unknown>> = {
  readall: (response) => response.readall(),
  readbytes: (response) => response.readbytes(6),
  readinto: (response) => response.readinto(Buffer.alloc(6)),
  read1: async (response) => {
    while ((await response.read1()).length > 0);
  },
  readline: async (response) => {
    while ((await response.readline()).length > 0);
  },
  readlines: (response) => response.readlines(),
  text: (response) => response.text(),
  json: (response) => response.json(),
  drain: (response) => response.drain(),
  lines: (response) => loop(response.lines()),
  'for await': (response) => loop(response),
  "'data'": async (response) => {
    response.resume();
    await once(response, 'end');
  },
  pipeline: (response) => pipeline(response, new Writable({ write: (_bytes, _encoding, done) => done() })),
  toArray: (response) => response.toArray(),
};

describe('what Node sees of a response', () => {
  for (const [name, read] of Object.entries(WAYS)) {
    it(`that was read by ${name}: that it was read, and that it has ended`, async () => {
      for (const pieces of [whole(BODY), octets(BODY)]) {
        const response = responseOf({ pieces, fields: FIELDS });
        expect(response.readableDidRead).to.equal(false);
        expect(Readable.isDisturbed(response)).to.equal(false);
        expect(response.readableEnded).to.equal(false);
        await read(response);
        expect(response.readableDidRead).to.equal(true);
        expect(Readable.isDisturbed(response)).to.equal(true);
        expect(response.readableEnded).to.equal(true);
        expect(response.readableAborted).to.equal(false);
      }
    });

    it(`that is destroyed behind the end that ${name} has reached: no error, and all of it was read`, async () => {
      const source = new FedResponse({ pieces: whole(BODY), fields: FIELDS });
      const { response } = source;
      const events: string[] = [];
      for (const event of ['end', 'error', 'close']) response.on(event, () => events.push(event));
      await read(response);
      response.destroy(new Error('too late'));
      expect(response.errored).to.equal(null);
      await turn();
      expect(events).to.deep.equal(['end', 'close']);
      expect(response.readableEnded).to.equal(true);
      expect(source.aborts).to.deep.equal([]);
      expect(source.dones).to.equal(1);
      expect(await response.readall()).to.have.lengthOf(0);
    });
  }

  it('that was peeked at or read in part: that it was read, and has not ended', async () => {
    for (const read of [(r: HTTPResponse) => r.peek(), (r: HTTPResponse) => r.readbytes(2)]) {
      const response = responseOf({ pieces: octets(BODY), fields: FIELDS });
      await read(response);
      expect(Readable.isDisturbed(response)).to.equal(true);
      expect(response.readableEnded).to.equal(false);
    }
  });

  it('lets go of the source before the call that reads the last byte settles', async () => {
    const source = new FedResponse({ pieces: whole(BODY), fields: FIELDS });
    await source.response.readbytes(6);
    expect(source.dones).to.equal(1);
  });
});

describe('a response that is destroyed with an error', () => {
  it('takes effect at once, with bytes unread and nobody reading', async () => {
    for (const ahead of [0, 3]) {
      const { response } = new FedResponse({ pieces: octets(BODY), ahead, end: 'nothing' });
      const ended = rejection(finished(response));
      const closed = once(response, 'close').catch(() => undefined);
      const reason = new Error('aborted');
      response.destroy(reason);
      expect(await ended).to.equal(reason);
      await closed;
      expect(await rejection(response.readall())).to.equal(reason);
    }
  });

  it('settles a pipeline whose sink has stalled', async () => {
    const { response } = new FedResponse({ pieces: octets(BODY), end: 'nothing' });
    const stalled = new Writable({ highWaterMark: 1, write() {} });
    const piped = rejection(pipeline(response, stalled));
    await turn();
    await turn();
    const reason = new Error('aborted');
    response.destroy(reason);
    expect(await piped).to.equal(reason);
    expect(stalled.destroyed).to.equal(true);
  });

  it('rejects every reader that waits with that error', async () => {
    const { response } = new FedResponse({ pieces: octets(BODY), ahead: 1, end: 'nothing' });
    const calls = [
      response.readinto(Buffer.alloc(5)),
      response.readline(),
      response.lines().next(),
      response.text(),
      response[Symbol.asyncIterator]().next(),
      response.drain(),
    ];
    const failures = Promise.all(calls.map((call) => rejection(call)));
    await turn();
    const reason = new Error('aborted');
    response.destroy(reason);
    for (const failure of await failures) expect(failure).to.equal(reason);
  });

  it('ends no process when its only listener leaves before the error is emitted', async () => {
    const thrown = await uncaughtErrors(async () => {
      const { response } = new FedResponse({ pieces: octets(BODY), end: 'nothing' });
      const listen = (): void => undefined;
      response.on('error', listen);
      response.destroy(new Error('aborted'));
      response.removeListener('error', listen);
      await turn();
    });
    expect(thrown).to.deep.equal([]);
  });

  it('still shows what had come when it is the peer who cut the body', async () => {
    const { response } = new FedResponse({
      pieces: octets(BODY),
      end: new IncompleteRead(Buffer.alloc(0), 4),
    });
    expect(String(await response.readbytes(5))).to.equal('[1,\n2');
    const error = await rejection<IncompleteRead>(response.readall());
    expect(String(error.partial)).to.equal(']');
    expect(error.message).to.include('6 bytes had come, 1 of them to this call, 4 more expected');
  });
});

describe('util.inspect of a response', () => {
  it('shows the head and where the body stands, and none of the machinery', async () => {
    const { response } = new FedResponse({ pieces: octets(BODY), fields: FIELDS, ahead: 3 });
    await response.readbytes(1);
    const shown = inspect(response);
    expect(shown).to.match(
      /^HTTPResponse \{\s+status: 200,\s+reason: 'OK',\s+version: 11,\s+method: 'GET',\s+url: '\/fed'/,
    );
    expect(shown)
      .to.include('Content-Length')
      .and.include('1 bytes read, 2 received and unread, 5 to be read');
    expect(shown).not.to.match(/_readableState|_events/);
    expect(inspect({ a: { b: { c: response } } })).to.include('[HTTPResponse]');
    await response.readall();
    expect(inspect(response)).to.include('read to its end, 6 bytes read');
    expect(inspect(responseOf({ pieces: [] }).destroy())).to.include('given up, 0 bytes read');
    expect(inspect(responseOf({ pieces: octets(BODY), ahead: 1 }))).to.include('its end unknown');
  });
});
