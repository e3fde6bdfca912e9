/**
 * The fuzzer: the laws of reading responses over fresh seeds, for as many executions as asked, each seed printed before it is used.
 *
 *     npm run compile && node build/spec/hostile/fuzz/run.js [executions] [seed]
 *
 * Ends with 1 at the first finding, which fast-check shrinks and prints with the seed that repeats it.
 */
import fc from 'fast-check';
import { octetsOf, ownCases, sharedCases } from '../../support/corpus.js';
import { bothRoads } from '../../support/head-laws.js';
import { anyCut, inTurn, meaning, mutated, validWires } from '../../support/response-laws.js';

const EXECUTIONS_A_SEED = 20_000;

const corpusWires = [...ownCases(), ...sharedCases()]
  .map(({ wire }) => Buffer.concat(wire.map(octetsOf)))
  .filter(({ length }) => length > 0 && length <= 4096);

/** Each law with its share of the executions. */
const LAWS: readonly { name: string; share: number; property: fc.IRawProperty<unknown> }[] = [
  { name: 'meaning', share: 0.1, property: meaning },
  { name: 'any cut', share: 0.15, property: anyCut },
  { name: 'one after another', share: 0.1, property: inTurn },
  { name: 'both roads', share: 0.15, property: bothRoads },
  { name: 'mutated responses', share: 0.3, property: mutated(validWires) },
  {
    name: 'mutated corpus',
    share: 0.2,
    property: mutated(fc.constantFrom(...corpusWires)),
  },
];

function main(): void {
  const [executionsText = '100000', seedText] = process.argv.slice(2);
  const executions = Number(executionsText);
  const firstSeed = seedText === undefined ? (Date.now() ^ process.pid) & 0x7fffffff : Number(seedText);
  if (!Number.isSafeInteger(executions) || !Number.isSafeInteger(firstSeed)) {
    throw new TypeError('usage: run.js [executions] [seed], both integers');
  }
  let done = 0;
  for (let seed = firstSeed; done < executions; seed++) {
    const round = Math.min(EXECUTIONS_A_SEED, executions - done);
    console.log(`seed ${String(seed)}: ${String(round)} executions`);
    for (const { name, share, property } of LAWS) {
      const numRuns = Math.max(1, Math.round(round * share));
      const details = fc.check(property, { seed, numRuns });
      if (details instanceof Promise) throw new TypeError('a law that is a promise');
      done += details.numRuns;
      if (!details.failed) continue;
      console.log(`${name}, seed ${String(seed)}: a finding after ${String(done)} executions`);
      console.log(fc.defaultReportMessage(details));
      process.exitCode = 1;
      return;
    }
  }
  console.log(`${String(done)} executions without a finding`);
}

main();
