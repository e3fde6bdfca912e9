/**
 * All ways of reading a body, mixed in any order over any cutting: one position, every byte once, the end and a failure behind the
 * last byte.
 */
import { expect } from 'chai';
import fc from 'fast-check';

import { IncompleteRead } from '../../lib/errors.js';
import type { HTTPResponse } from '../../lib/response/response.js';
import { atRandom, octets } from '../support/cuttings.js';
import { responseOf } from '../support/fed-response.js';
import type { BodyScript } from '../support/fed-response.js';
import { rejection } from '../support/rejection.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** One step of a mixed reading. `take` gets the bytes that the step has read. */
interface Step {
  name: string;
  run(response: HTTPResponse, take: (bytes: Buffer) => void, taken: () => Buffer): Promise<void>;
}

const amount = fc.nat({ max: 20 });

const step: fc.Arbitrary<Step> = fc.oneof(
  amount.map((n): Step => ({
    name: `readbytes(${String(n)})`,
    run: async (response, take) => take(await response.readbytes(n)),
  })),
  amount.map((n): Step => ({
    name: `readinto(${String(n)})`,
    run: async (response, take) => {
      const view = Buffer.alloc(n);
      take(view.subarray(0, await response.readinto(view)));
    },
  })),
  amount.map((n): Step => ({
    name: `read1(${String(n)})`,
    run: async (response, take) => take(await response.read1(n)),
  })),
  fc.constant<Step>({ name: 'read1()', run: async (response, take) => take(await response.read1()) }),
  amount.map((n): Step => ({
    name: `peek(${String(n)})`,
    run: async (response, _take, taken) => {
      const shown = await response.peek(n);
      const at = taken().length;
      expect(BODY_OF_STEPS.subarray(at, at + shown.length).equals(shown)).to.equal(true);
    },
  })),
  amount.map((n): Step => ({
    name: `readline(${String(n)})`,
    run: async (response, take) => take(await response.readline(n)),
  })),
  amount.map((n): Step => ({
    name: `readlines(${String(n + 1)})`,
    run: async (response, take) => take(Buffer.concat(await response.readlines(n + 1))),
  })),
  fc.constant<Step>({
    name: 'lines().next()',
    run: async (response, take, taken) => {
      const { value } = (await response.lines().next()) as { value: string | undefined };
      if (value === undefined) return;
      const behind = BODY_OF_STEPS[taken().length + value.length];
      take(Buffer.from(behind === 0x0a ? `${value}\n` : value));
    },
  }),
  fc.constant<Step>({
    name: 'iterator.next()',
    run: async (response, take) => {
      const { value } = await response[Symbol.asyncIterator]().next();
      if (value !== undefined) take(value as Buffer);
    },
  }),
  amount.map((n): Step => ({
    name: `read(${String(n)})`,
    run: async (response, take) => {
      const bytes = response.read(n);
      if (bytes !== null) take(bytes);
      await turn();
    },
  })),
  fc.constant<Step>({
    name: 'read()',
    run: async (response, take) => {
      const bytes = response.read();
      if (bytes !== null) take(bytes);
      await turn();
    },
  }),
  amount.map((n): Step => ({
    name: `${String(n)} × 'data'`,
    run: async (response, take) => {
      let count = 0;
      const listener = (piece: Buffer): void => {
        take(piece);
        if (++count > n) response.pause();
      };
      response.on('data', listener).resume();
      for (let i = 0; i < 4; i++) await turn();
      response.off('data', listener).pause();
    },
  })),
  fc.constant<Step>({
    name: "a paused 'data' listener",
    run: async (response, take) => {
      response.pause();
      response.on('data', take);
      await turn();
      response.pause().off('data', take);
    },
  }),
  fc.constant<Step>({
    name: "'readable'",
    run: async (response) => {
      const nothing = (): void => undefined;
      response.on('readable', nothing);
      await turn();
      response.off('readable', nothing);
      await turn();
    },
  }),
);

const BODY_OF_STEPS = Buffer.from(
  'ab\ncdefg\n\nhijklmnopqrstuvwxyz\n0123456789\nABCDEFGHIJKLMNOPQRSTUVWXYZ\n!#$%&',
);

const delivery = fc.record({
  cut: fc.integer({ min: 0, max: 50 }),
  ahead: fc.nat({ max: 80 }),
  handover: fc.constantFrom('owned' as const, 'lent' as const, 'direct' as const),
  steps: fc.array(step, { maxLength: 12 }),
});

function scripted(
  { cut, ahead, handover }: { cut: number; ahead: number; handover: 'owned' | 'lent' | 'direct' },
  end: BodyScript['end'],
): HTTPResponse {
  const pieces = cut === 0 ? octets(BODY_OF_STEPS) : atRandom(BODY_OF_STEPS, cut);
  return responseOf({
    pieces,
    ahead: Math.min(ahead, pieces.length),
    handover,
    ...(end === undefined ? {} : { end }),
  });
}

const describeRun = (value: { steps: readonly Step[] }): string =>
  JSON.stringify({ ...value, steps: value.steps.map(({ name }) => name) });

describe('all ways of reading, mixed', function () {
  this.timeout(60_000);

  it('share one position: every byte comes once and in order, then only the end', async () => {
    await fc.assert(
      fc.asyncProperty(delivery, async (run) => {
        const response = scripted(run, 'end');
        let taken = Buffer.alloc(0);
        const take = (bytes: Buffer): void => {
          taken = Buffer.concat([taken, bytes]);
        };
        for (const part of run.steps) await part.run(response, take, () => taken);
        take(await response.readall());
        expect(String(taken), describeRun(run)).to.equal(String(BODY_OF_STEPS));
        expect(await response.readall()).to.have.lengthOf(0);
        await turn();
        expect(response.readableEnded, describeRun(run)).to.equal(true);
        expect(response.errored).to.equal(null);
      }),
      { seed: 5, numRuns: 1200 },
    );
  });

  it('lose nothing that came before a failure: what was read and what the error holds make up all of it', async () => {
    await fc.assert(
      fc.asyncProperty(delivery, async (run) => {
        const response = scripted(run, new IncompleteRead(Buffer.alloc(0), 7));
        let taken = Buffer.alloc(0);
        const take = (bytes: Buffer): void => {
          taken = Buffer.concat([taken, bytes]);
        };
        const all: Step[] = [
          ...run.steps,
          { name: 'readall()', run: async () => take(await response.readall()) },
        ];
        let failure: IncompleteRead | null = null;
        for (const part of all) {
          try {
            await part.run(response, take, () => taken);
          } catch (error) {
            failure = error as IncompleteRead;
            break;
          }
        }
        expect(failure, describeRun(run)).to.be.instanceOf(IncompleteRead);
        expect(failure?.expected).to.equal(7);
        expect(String(taken) + String(failure?.partial), describeRun(run)).to.equal(String(BODY_OF_STEPS));
        expect(await rejection(response.readall())).to.be.instanceOf(IncompleteRead);
      }),
      { seed: 6, numRuns: 800 },
    );
  });
});
