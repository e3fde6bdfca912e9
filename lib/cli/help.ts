/**
 * The text of `--help` and the version, made of the table of options. Prints nothing.
 */
import { createRequire } from 'node:module';
import { OPTION_GROUPS, type Option } from './option-table.js';

/** Where the second column begins. */
const COLUMN = 28;

/** Whoever is to make a command of what --help shows begins with these. */
const EXAMPLES: readonly string[] = [
  'millrace http://localhost:8080/file',
  'millrace -O http://localhost:8080/file',
  'millrace -C -o copy http://localhost:8080/file',
  'millrace -T copy http://localhost:8080/upload/',
  'millrace -d name=wheel -d size=7 http://localhost:8080/items',
  'millrace DELETE http://localhost:8080/items/7',
  'producer | millrace -T - http://localhost:8080/stream | consumer',
];

const STATUSES: readonly string[] = [
  '0 done, 1 usage, 2 no connection, 3 broken protocol or body cut short,',
  '4 status of 400 or more, 5 time ran out, 6 a local file, 130 interrupted',
];

/** What `millrace --help` prints. */
export function helpText(): string {
  const groups = OPTION_GROUPS.flatMap(({ title, options }) => ['', `${title}:`, ...options.map(lineOf)]);
  return `${[
    'Usage: millrace [METHOD] URL [options]',
    '',
    'Sends an HTTP request and writes the body of the response to standard output,',
    'both as streams. Everything else goes to standard error.',
    ...groups,
    '',
    'Exit status:',
    ...STATUSES.map((line) => `  ${line}`),
    '',
    'Examples:',
    ...EXAMPLES.map((line) => `  ${line}`),
  ].join('\n')}\n`;
}

/** `'  -o, --output FILE          body to …'` */
function lineOf({ name, short, takes, does }: Option): string {
  const left = `  ${short === undefined ? '    ' : `-${short}, `}--${name}${takes === undefined ? '' : ` ${takes}`}`;
  return left.padEnd(COLUMN) + does;
}

/** The version of the package that this file is part of. */
export function version(): string {
  // The package by its own name: built or bundled, the manifest is somewhere else.
  const manifest = createRequire(import.meta.url)('millrace/package.json') as { version: string };
  return manifest.version;
}
