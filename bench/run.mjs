// The bench: measures all rows, or the ones asked for, and prints a table of ratios beside their targets.
//   node bench/run.mjs [--quick] [--rounds N] [--row NAME]… [--list] [--json FILE] [--markdown FILE] [--library FILE]
// --rounds takes fewer rounds of each row, --markdown puts the table between the markers of FILE, if it has them; --library measures another build.
// Exit code 0 when everything that could be measured was measured, also if a target is missed; 1 when a row broke.
import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    row: { type: 'string', multiple: true, default: [] },
    list: { type: 'boolean', default: false },
    rounds: { type: 'string', default: 'Infinity' },
    json: { type: 'string' },
    markdown: { type: 'string' },
    library: { type: 'string', default: new URL('../dist/index.mjs', import.meta.url).pathname },
  },
});

const path = (relative) => new URL(relative, import.meta.url).pathname;

function npm(...args) {
  process.stderr.write(`npm ${args.join(' ')}\n`);
  return spawnSync('npm', args, { stdio: ['ignore', 'ignore', 'inherit'] }).status === 0;
}

if (!existsSync(path('node_modules/undici')) && !npm('ci', '--prefix', path('.'))) process.exit(1);
if (!flags.list && !existsSync(flags.library) && existsSync(path('../package.json'))) {
  npm('run', 'build', '--prefix', path('..'));
}

const { rows } = await import('./rows/index.mjs');
if (flags.list) {
  for (const { name, title } of rows) process.stdout.write(`${name.padEnd(24)}${title}\n`);
  process.exit(0);
}
const unknown = flags.row.filter((name) => !rows.some((row) => row.name === name));
if (unknown.length > 0) {
  process.stderr.write(`no such row: ${unknown.join(', ')} (--list names them)\n`);
  process.exit(2);
}

const { startServer } = await import('./children.mjs');
const { measureRounds } = await import('./rounds.mjs');
const { compare } = await import('./statistics.mjs');
const { describe, printHeading, printLine, surroundings, writeMarkdown } = await import('./report.mjs');

const started = performance.now();
const bench = {
  quick: flags.quick,
  rounds: Number(flags.rounds),
  library: resolve(flags.library),
  server: await startServer(),
};
const surrounding = surroundings(bench);
const results = [];
const lines = [];
let broken = 0;

process.stdout.write(`${describe(surrounding)}\n\n`);
printHeading();
for (const row of rows) {
  if (flags.row.length > 0 && !flags.row.includes(row.name)) continue;
  const rowStarted = performance.now();
  try {
    const figures = await (row.measure ?? measureRounds)(row, bench);
    const compared = compare(row, figures);
    compared.forEach(printLine);
    lines.push(...compared);
    results.push({
      row: row.name,
      title: row.title,
      seconds: (performance.now() - rowStarted) / 1000,
      figures,
    });
  } catch (error) {
    broken++;
    process.stdout.write(`${row.name.padEnd(21)} broke: ${error.message}\n`);
  }
}
await bench.server.child.stop();

const seconds = (performance.now() - started) / 1000;
const count = (verdict) => lines.filter((line) => line.verdict.startsWith(verdict)).length;
process.stdout.write(
  `\n${count('met')} targets met, ${count('missed')} missed, ${count('skipped')} skipped, ${broken} rows broke; ` +
    `${seconds.toFixed(0)} s\n`,
);
if (flags.json !== undefined) {
  writeFileSync(flags.json, `${JSON.stringify({ ...surrounding, seconds, lines, results }, null, 2)}\n`);
}
if (flags.markdown !== undefined) writeMarkdown(flags.markdown, lines, surrounding);
process.exit(broken > 0 ? 1 : 0);
