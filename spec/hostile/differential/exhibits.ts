/**
 * What the differential run shows to every client: the corpora, mutations of their shorter cases, and seeded random responses, half of
 * them mutated. The peer closes behind each.
 */
import fc from 'fast-check';
import { validResponse } from '../../support/arbitrary-response.js';
import { octetsOf, ownCases, sharedCases } from '../../support/corpus.js';
import { mutate, mutation } from '../../support/mutation.js';

/** A response on the wire. */
export interface Exhibit {
  /** Where it comes from, for the report. */
  readonly name: string;
  readonly method: string;
  readonly wire: Buffer;
}

const MUTANTS_A_CASE = 10;
const SHORT_WIRE_BYTES = 4096;
const BATCH = 5000;

/** In batches, so that none of the clients holds more than one. */
export function* exhibits(count: number, seed: number): Generator<Exhibit[]> {
  const cases = [...ownCases(), ...sharedCases()].map(({ id, method = 'GET', wire }) => ({
    name: id,
    method,
    wire: Buffer.concat(wire.map(octetsOf)),
  }));
  yield cases;
  const short = cases.filter(({ wire }) => wire.length > 0 && wire.length <= SHORT_WIRE_BYTES);
  const changes = fc.sample(mutation, { seed, numRuns: short.length * MUTANTS_A_CASE });
  yield short.flatMap(({ name, method, wire }, i) =>
    changes.slice(i * MUTANTS_A_CASE, (i + 1) * MUTANTS_A_CASE).map((change) => ({
      name: `${name}, ${change.kind} at ${change.place.toFixed(3)}`,
      method,
      wire: mutate(wire, change),
    })),
  );
  const random = fc.tuple(validResponse, fc.option(mutation));
  for (let done = 0; done < count; done += BATCH) {
    const samples = fc.sample(random, { seed: seed + 1 + done, numRuns: Math.min(BATCH, count - done) });
    yield samples.map(([{ method, wire }, change], i) => ({
      name: `random ${String(done + i)}${change === null ? '' : `, ${change.kind}`}`,
      method,
      wire: change === null ? wire : mutate(wire, change),
    }));
  }
}
