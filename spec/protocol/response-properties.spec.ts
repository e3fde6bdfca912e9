/**
 * What holds for every response, generated, mutated or from the corpus: it is read as what it was made from, any cut gives the same
 * events, and the library and an independent strict reading of the grammar accept the same bytes with the same meaning.
 */
import { expect } from 'chai';
import fc from 'fast-check';
import { DEFAULT_LIMITS } from '../../lib/limits.js';
import { validResponse } from '../support/arbitrary-response.js';
import { octetsOf, ownCases, sharedCases } from '../support/corpus.js';
import { mutate, mutation } from '../support/mutation.js';
import { anyCut, checkExhibit, inTurn, meaning, mutated, validWires } from '../support/response-laws.js';
import { readStrictly } from '../support/strict-response.js';

/** Fixed, so that a run says something about the code and not about its luck; `spec/hostile/fuzz/run.ts` takes fresh ones. */
const SEED = 9112;

/** Longer wires are the business of the corpus specs. */
const SHORT_WIRE_BYTES = 1024;

const corpusWires = [...ownCases(), ...sharedCases()]
  .map(({ wire }) => Buffer.concat(wire.map(octetsOf)))
  .filter(({ length }) => length > 0 && length <= SHORT_WIRE_BYTES);

describe('reading responses', function () {
  this.timeout(60_000);

  it('gives a valid response the meaning that it was made with', () => {
    fc.assert(meaning, { seed: SEED, numRuns: 3000 });
  });

  it('gives a valid response the same events for any cut, within any limits', () => {
    fc.assert(anyCut, { seed: SEED, numRuns: 2000 });
  });

  it('reads responses that follow each other on a connection as each by itself', () => {
    fc.assert(inTurn, { seed: SEED, numRuns: 2000 });
  });

  it('accepts of mutated responses what a strict reading accepts, and as the same', () => {
    fc.assert(mutated(validWires), { seed: SEED, numRuns: 5000 });
  });

  it('accepts of mutated corpus cases what a strict reading accepts, and as the same', () => {
    fc.assert(mutated(fc.constantFrom(...corpusWires)), { seed: SEED, numRuns: 5000 });
  });

  it('accepts of the corpus itself what a strict reading accepts, and as the same', () => {
    expect(corpusWires.length).to.be.above(400);
    for (const wire of corpusWires) {
      for (const method of ['GET', 'HEAD', 'CONNECT']) {
        for (const closed of [true, false]) {
          checkExhibit({ method, wire, closed, limits: DEFAULT_LIMITS }, [0.2, 0.5, 0.7]);
        }
      }
    }
  });

  it('is not tested with mutations that are all refused, or all accepted', () => {
    const sample = fc.sample(fc.tuple(validResponse, mutation), { seed: SEED, numRuns: 1000 });
    const accepted = sample.filter(([{ method, wire, closed }, change]) => {
      return readStrictly(mutate(wire, change), method, closed, DEFAULT_LIMITS).outcome === 'complete';
    });
    expect(accepted.length).to.be.within(100, 900);
  });
});
