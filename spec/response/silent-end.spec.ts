import { expect } from 'chai';
import { once } from 'node:events';
import { PassThrough, pipeline } from 'node:stream';
import { finished } from 'node:stream/promises';
import { promisify } from 'node:util';
import type { HTTPResponse } from '../../lib/response/response.js';
import { FedResponse } from '../support/fed-response.js';

const BODY = Buffer.from('the quick brown fox');

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Ways of reading that Node does not see. */
const WAYS: Record<string, (response: HTTPResponse) => Promise<unknown>> = {
  readall: (response) => response.readall(),
  readbytes: async (response) => {
    while ((await response.readbytes(5)).length > 0);
  },
  readinto: async (response) => {
    while ((await response.readinto(Buffer.alloc(7))) > 0);
  },
  'for await': async (response) => {
    for await (const piece of response) expect(piece.length).to.be.greaterThan(0);
  },
  drain: (response) => response.drain(),
  'read(0), then readall': async (response) => {
    response.read(0);
    await turn();
    await response.readall();
  },
};

/** How long behind the end somebody looks, or begins to listen. */
const WHEN: Record<string, () => Promise<void>> = {
  'at once': () => Promise.resolve(),
  'a tick later': () => new Promise((resolve) => process.nextTick(resolve)),
  'a turn later': turn,
  'much later': () => new Promise((resolve) => setTimeout(resolve, 5)),
};

async function read(way: string, when: string): Promise<HTTPResponse> {
  const { response } = new FedResponse({ pieces: [BODY.subarray(0, 9), BODY.subarray(9)], ahead: 1 });
  await WAYS[way]?.(response);
  await WHEN[when]?.();
  return response;
}

async function eachCase(look: (response: HTTPResponse, name: string) => Promise<void>): Promise<void> {
  for (const way of Object.keys(WAYS)) {
    for (const when of Object.keys(WHEN)) await look(await read(way, when), `${way}, ${when}`);
  }
}

describe('a body that was read to its end while nobody listened', () => {
  it('looks like any stream that has ended, a turn later', async () => {
    await eachCase(async (response, name) => {
      await turn();
      const { readable, readableEnded, destroyed, closed, errored, readableLength, readableAborted } =
        response;
      const shown = { readable, readableEnded, destroyed, closed, errored, readableLength, readableAborted };
      expect(shown, name).to.deep.equal({
        readable: false,
        readableEnded: true,
        destroyed: true,
        closed: true,
        errored: null,
        readableLength: 0,
        readableAborted: false,
      });
      expect(response.read()).to.equal(null);
    });
  });

  it('settles finished(), pipeline() and a pipe that come late', async () => {
    await eachCase(async (response) => {
      await finished(response);
    });
    await eachCase(async (response) => {
      const target = new PassThrough();
      response.pipe(target);
      target.resume();
      await once(target, 'end');
    });
    await eachCase(async (response, name) => {
      const target = new PassThrough();
      target.resume();
      const error = await promisify(pipeline)(response, target).catch((reason: unknown) => reason);
      // Node says of a stream that is gone by then what it says of any.
      if (error !== undefined) expect(error, name).to.have.property('code', 'ERR_STREAM_PREMATURE_CLOSE');
    });
  });

  it('tells its end and its close once to whoever listens before the tick is over', async () => {
    for (const add of ['on', 'addListener', 'prependListener', 'once', 'prependOnceListener'] as const) {
      const { response } = new FedResponse({ pieces: [BODY], ahead: 1 });
      const seen: string[] = [];
      const all = response.readall().then(() => {
        for (const name of ['end', 'close']) response[add](name, () => seen.push(name));
      });
      await all;
      await turn();
      await turn();
      expect(seen, add).to.deep.equal(['end', 'close']);
    }
  });

  it('tells them to whoever listens later', async () => {
    await eachCase(async (response, name) => {
      const seen: string[] = [];
      response.on('close', () => seen.push('close'));
      response.on('end', () => seen.push('end'));
      await turn();
      await turn();
      expect(seen.length, name).to.be.oneOf([0, 2]);
      if (seen.length > 0) expect(seen, name).to.deep.equal(['end', 'close']);
    });
  });

  it('tells nothing else when it is destroyed then', async () => {
    await eachCase(async (response, name) => {
      const seen: string[] = [];
      response.destroy(new Error('too late'));
      for (const event of ['error', 'data', 'readable']) response.on(event, () => seen.push(event));
      await turn();
      await turn();
      expect(seen, name).to.deep.equal([]);
      expect(response.destroyed, name).to.equal(true);
      expect(response.errored, name).to.equal(null);
    });
  });

  it('tells whoever has listened before, as ever', async () => {
    for (const way of Object.keys(WAYS)) {
      const { response } = new FedResponse({ pieces: [BODY] });
      const seen: string[] = [];
      for (const event of ['end', 'close', 'error']) response.on(event, () => seen.push(event));
      await WAYS[way]?.(response);
      await turn();
      expect(seen, way).to.deep.equal(['end', 'close']);
    }
  });
});
