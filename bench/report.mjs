// Prints what was measured: a line of the table as soon as its row is done, the same table as Markdown, and
// everything with versions and machine as JSON. Decides nothing; see statistics.mjs for the verdicts.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { pinning } from './children.mjs';

const COLUMNS = [
  ['row', 20],
  ['best / median', 24],
  ['measured', 38],
  ['against', 44],
  ['ratio', 12],
  ['target', 7],
  ['wall, s', 13],
  ['verdict', 0],
];

function number(value) {
  if (value >= 1000) return Math.round(value).toLocaleString('en-US');
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

function subject(label, figures) {
  return figures === undefined ? label : `${label} ${number(figures.best)} / ${number(figures.median)}`;
}

function cells(line) {
  const limit = line.atMost ?? line.atLeast;
  const walls = [line.ownWall, line.otherWall].filter((wall) => wall !== undefined);
  return [
    line.row,
    line.figure,
    subject(line.of, line.own),
    line.against === undefined ? '' : subject(line.against, line.other),
    line.ratio === undefined ? '' : `${line.ratio.best.toFixed(2)} / ${line.ratio.median.toFixed(2)}`,
    limit === undefined ? '' : `${line.atMost === undefined ? '≥' : '≤'} ${limit}`,
    walls.map((wall) => wall.toPrecision(2)).join(' : '),
    line.verdict,
  ];
}

export function printHeading() {
  const heading = COLUMNS.map(([name, width]) => name.padEnd(width)).join(' ');
  process.stdout.write(`${heading}\n${'─'.repeat(heading.length + 8)}\n`);
}

export function printLine(line) {
  const text = cells(line).map((cell, i) => cell.padEnd(COLUMNS[i][1]));
  process.stdout.write(`${text.join(' ').trimEnd()}\n`);
}

function version(name) {
  try {
    const file = new URL(`node_modules/${name}/package.json`, import.meta.url);
    return JSON.parse(readFileSync(file, 'utf8')).version;
  } catch {
    return null;
  }
}

/** The first version number that a command prints, or null where it is missing. */
function toolVersion(command, flag) {
  const { stdout } = spawnSync(command, [flag], { encoding: 'latin1' });
  return /\d+\.\d+[.\d]*/.exec(stdout ?? '')?.[0] ?? null;
}

export function surroundings(bench) {
  const [first] = os.cpus();
  const peers = ['undici', 'got', 'axios', 'esbuild'].map((name) => [name, version(name)]);
  return {
    date: new Date().toISOString(),
    mode: bench.quick ? 'quick' : 'full',
    versions: {
      node: process.versions.node,
      openssl: process.versions.openssl,
      ...Object.fromEntries(peers),
      curl: toolVersion('curl', '--version'),
      python: toolVersion('python3', '--version'),
      go: toolVersion('go', 'version'),
    },
    machine: {
      cpu: first?.model.trim() ?? 'unknown',
      cores: os.cpus().length,
      memoryGiB: Math.round(os.totalmem() / 2 ** 30),
      system: `${os.type()} ${os.release()} ${os.arch()}`,
      pinned: pinning ?? 'no: taskset was not found or there is only one core',
    },
  };
}

export function describe({ versions, machine, mode, date }) {
  const pinned =
    typeof machine.pinned === 'string' ? 'not pinned' : 'clients and server pinned to a core each';
  const present = Object.entries(versions).filter(([, number]) => number !== null);
  return (
    `${date.slice(0, 10)}, ${mode} run; ${present.map((pair) => pair.join(' ')).join(', ')}; ` +
    `${machine.cpu}, ${machine.cores} cores, ${machine.system}; ${pinned}`
  );
}

const START = '<!-- bench table: written by `npm run bench -- --markdown docs/performance.md` -->';
const END = '<!-- end of the bench table -->';

function markdown(lines, surrounding) {
  const escape = (text) => text.replaceAll('|', '\\|');
  const table = [
    COLUMNS.map(([name]) => name),
    COLUMNS.map(() => '---'),
    ...lines.map((line) => cells(line).map((cell, i) => (i === 0 ? `\`${cell}\`` : escape(cell)))),
  ];
  return `${describe(surrounding)}.\n\n${table.map((row) => `| ${row.join(' | ')} |`).join('\n')}\n`;
}

/** Writes the table into `file`: between its two markers if it has them, else as its whole content. */
export function writeMarkdown(file, lines, surrounding) {
  const old = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const [from, to] = [old.indexOf(START), old.indexOf(END)];
  const table = `${START}\n\n${markdown(lines, surrounding)}\n${END}`;
  writeFileSync(
    file,
    from < 0 || to < from ? `${table}\n` : old.slice(0, from) + table + old.slice(to + END.length),
  );
}
