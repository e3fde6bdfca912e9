// Shows where the time of one row goes: runs a subject of it under V8's CPU profiler, after warming up, and prints
// the functions with the most self time, and the same per file. `--out FILE` keeps the profile for a viewer.
//   node bench/profile.mjs ROW [--subject LABEL] [--top N] [--units N] [--out FILE] [--library FILE]
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { startServer } from './children.mjs';
import { startSubjects } from './rounds.mjs';
import { rows } from './rows/index.mjs';

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    subject: { type: 'string' },
    top: { type: 'string', default: '30' },
    units: { type: 'string' },
    out: { type: 'string' },
    library: { type: 'string', default: new URL('../dist/index.mjs', import.meta.url).pathname },
  },
});

const row = rows.find(({ name }) => name === positionals[0]);
const subject = row?.subjects?.find(({ label }) =>
  flags.subject === undefined ? label.startsWith('millrace') : label === flags.subject,
);
if (subject === undefined || row.measure !== undefined || subject.command !== undefined) {
  const names = rows.filter(({ measure }) => measure === undefined).map(({ name }) => name);
  process.stderr.write(`usage: profile.mjs ROW [--subject LABEL]; rows: ${names.join(', ')}\n`);
  process.exit(2);
}

/** Self time in microseconds by `key(callFrame)`, longest first, waiting left out. */
function selfTimes({ nodes, samples, timeDeltas }, key) {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const times = new Map();
  samples.forEach((id, i) => {
    const frame = frames.get(id);
    if (frame.functionName === '(idle)') return;
    const name = key(frame);
    times.set(name, (times.get(name) ?? 0) + timeDeltas[i]);
  });
  return [...times].sort((a, b) => b[1] - a[1]);
}

const fileOf = ({ url }) =>
  url.replace(/^.*\/(?=node_modules|dist|build|bench)|^file:\/\//, '') || '(native)';
const functionOf = (frame) => {
  const place = frame.url === '' ? '' : `  ${fileOf(frame)}:${frame.lineNumber + 1}`;
  return (frame.functionName || '(anonymous)') + place;
};

function print(title, times, count, busy) {
  process.stdout.write(`\n${title}\n`);
  for (const [name, time] of times.slice(0, count)) {
    const share = ((time / busy) * 100).toFixed(1).padStart(6);
    process.stdout.write(`${share} %  ${(time / 1000).toFixed(1).padStart(8)} ms  ${name}\n`);
  }
}

const server = await startServer();
const bench = { quick: false, library: resolve(flags.library), server };
const { started, figures } = await startSubjects({ ...row, subjects: [subject] }, bench);
if (started.length === 0) {
  process.stderr.write(`${subject.label}: ${figures[subject.label].skipped}\n`);
  process.exit(1);
}
const [{ child }] = started;
const share = subject.share ?? 1;
const units = Math.round(Number(flags.units ?? row.full.units * share));
await child.call({ run: Math.max(1, Math.round(row.full.warmUp * share)) });
const { profile, cpu, wall } = await child.call({ profile: units });
await child.stop();
await server.child.stop();

if (flags.out !== undefined) writeFileSync(flags.out, JSON.stringify(profile));
const byFunction = selfTimes(profile, functionOf);
const byFile = selfTimes(profile, fileOf);
const busy = byFunction.reduce((sum, [, time]) => sum + time, 0);
process.stdout.write(
  `${row.name}, ${subject.label}: ${units} units, CPU ${(cpu / 1000).toFixed(0)} ms, ` +
    `wall ${(wall / 1000).toFixed(0)} ms (profiled, hence slower); shares are of ${(busy / 1000).toFixed(0)} ms busy\n`,
);
print('self time by function', byFunction, Number(flags.top), busy);
print('self time by file', byFile, 12, busy);
