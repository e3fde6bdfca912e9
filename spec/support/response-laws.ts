/**
 * The laws that reading a response keeps to, each as a fast-check property: the specs run them some thousand times, the fuzzer for as
 * long as it is told.
 */
import fc from 'fast-check';
import type { Limits } from '../../lib/limits.js';
import { DEFAULT_LIMITS } from '../../lib/limits.js';
import { someLimits, validResponse } from './arbitrary-response.js';
import type { ValidResponse } from './arbitrary-response.js';
import { fraction, mutate, mutation } from './mutation.js';
import {
  cutAt,
  differenceFromStrict,
  readInTurn,
  readPieces,
  singleBytes,
  textOf,
} from './parser-reading.js';
import type { Reading } from './strict-response.js';
import { readStrictly } from './strict-response.js';

/** Bytes to read, and as what. */
export interface Exhibit {
  readonly method: string;
  readonly wire: Buffer;
  readonly closed: boolean;
  readonly limits: Readonly<Limits>;
}

const cuts = fc.array(fraction, { maxLength: 6 });
const mutations = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(mutation) },
  { weight: 1, arbitrary: fc.array(mutation, { minLength: 2, maxLength: 4 }) },
);
const methods = fc.constantFrom('GET', 'GET', 'GET', 'POST', 'HEAD', 'CONNECT');

/** A valid response is read as what it was made from. */
export const meaning: fc.IProperty<[ValidResponse]> = fc.property(validResponse, (response) => {
  const { method, wire, closed } = response;
  const reading = readPieces([wire], method, closed, DEFAULT_LIMITS);
  const expected: Reading = { ...response, outcome: 'complete', classes: [] };
  if (textOf(reading) !== textOf(expected)) {
    throw new Error(`read as\n${textOf(reading)}\nmade as\n${textOf(expected)}`);
  }
});

/** A valid response reads the same from any cut, within any limits. */
export const anyCut: fc.IProperty<[ValidResponse, Readonly<Limits>, number[]]> = fc.property(
  validResponse,
  someLimits,
  cuts,
  ({ method, wire, closed }, limits, places) => {
    checkCuts({ method, wire, closed, limits }, places);
  },
);

/** Responses that follow each other on one connection are read as each by itself, whatever was read before. */
export const inTurn: fc.IProperty<[ValidResponse[], Readonly<Limits>, number[]]> = fc.property(
  fc.array(validResponse, { minLength: 2, maxLength: 4 }),
  someLimits,
  cuts,
  (responses, limits, places) => {
    const readings = readInTurn(
      responses.map(({ wire, method }) => ({ method, pieces: cutAt(wire, places) })),
      limits,
    );
    for (const [i, reading] of readings.entries()) {
      const { wire, method } = responses[i] as ValidResponse;
      const alone = textOf(readPieces(cutAt(wire, places), method, false, limits));
      if (textOf(reading) !== alone)
        throw new Error(`behind ${String(i)} others:\n${textOf(reading)}\nalone:\n${alone}`);
    }
  },
);

/** A mutated response reads the same from any cut, and as the strict reading has it. */
export function mutated(
  wires: fc.Arbitrary<Buffer>,
): fc.IProperty<[Buffer, string, boolean, Readonly<Limits>, number[]]> {
  const changed = fc.tuple(wires, mutations).map(([wire, changes]) => changes.reduce(mutate, wire));
  return fc.property(
    changed,
    methods,
    fc.boolean(),
    someLimits,
    cuts,
    (wire, method, closed, limits, places) => {
      checkExhibit({ method, wire, closed, limits }, places);
    },
  );
}

/** Wires of valid responses, for mutation. */
export const validWires: fc.Arbitrary<Buffer> = validResponse.map(({ wire }) => wire);

/** Throws unless the library's reading agrees with the strict one, whatever the cut. */
export function checkExhibit(exhibit: Exhibit, places: readonly number[]): void {
  const { method, wire, closed, limits } = exhibit;
  const reading = checkCuts(exhibit, places);
  const difference = differenceFromStrict(reading, readStrictly(wire, method, closed, limits));
  if (difference !== null)
    throw new Error(`${difference}\nto ${method}: ${JSON.stringify(wire.toString('latin1'))}`);
}

function checkCuts({ method, wire, closed, limits }: Exhibit, places: readonly number[]): Reading {
  const whole = readPieces([wire], method, closed, limits);
  const expected = textOf(whole);
  for (const pieces of [cutAt(wire, places), singleBytes(wire)]) {
    const cut = textOf(readPieces(pieces, method, closed, limits));
    if (cut !== expected) {
      throw new Error(`cut to ${String(pieces.map((piece) => piece.length))}:\n${cut}\nwhole:\n${expected}`);
    }
  }
  return whole;
}
