/**
 * The tables of the documentation that name specs, held against `spec/`: each file is there, and each title that is quoted stands in it.
 *
 * A cell in a column `spec` or `specs` is a list, divided by semicolons, of a file without its ending in backticks (`corpus/…` for a
 * group of the corpus), and perhaps a colon and words of a title.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { expect } from 'chai';
import { DEFAULT_LIMITS } from '../../lib/limits.js';
import { codeSpans, tableRows } from '../support/markdown.js';

const root = new URL('../../../', import.meta.url);

/** The pages whose tables say what proves them; the others may name specs, and then have to be right too. */
const PROVEN = ['protocol.md', 'security.md', 'conformance.md', 'reliability.md'];

const pages = new Set([
  ...PROVEN,
  ...readdirSync(new URL('docs/', root)).filter((name) => name.endsWith('.md')),
]);

/** The cells of all columns that name specs. */
function specCells(markdown: string): string[] {
  const found: string[] = [];
  let column = -1;
  const lines = markdown.split('\n');
  for (const [i, line] of lines.entries()) {
    const row = line.startsWith('|') ? line.split(/(?<!\\)\|/).map((cell) => cell.trim()) : [];
    const begins = row.length > 0 && !(lines[i - 1] ?? '').startsWith('|');
    if (row.length === 0) column = -1;
    else if (begins) column = row.findIndex((cell) => /^specs?$/i.test(cell));
    else if (column !== -1 && !/^:?-+:?$/.test(row[column] ?? '')) found.push(row[column] ?? '');
  }
  return found;
}

/** Every spec by its name, wherever its room is. */
const SPECS = new Map(
  readdirSync(new URL('spec/', root), { recursive: true, encoding: 'utf8' })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => path.endsWith('.spec.ts'))
    .map((path) => [path.slice(path.lastIndexOf('/') + 1, -'.spec.ts'.length), `spec/${path}`]),
);

/** The file that an entry names. */
function fileOf(name: string): URL {
  return new URL(
    name.startsWith('corpus/') ? `spec/${name}.json` : (SPECS.get(name) ?? `spec/${name}`),
    root,
  );
}

describe('the tables of the documentation', () => {
  for (const page of pages) {
    const cells = specCells(readFileSync(new URL(`docs/${page}`, root), 'utf8'));
    if (cells.length === 0 && !PROVEN.includes(page)) continue;

    it(`${page}: names specs that exist, and titles that stand in them`, () => {
      expect(cells.length).to.be.above(0);
      for (const cell of cells) {
        for (const entry of cell.split(/; |, (?=`)/)) {
          const [name] = codeSpans(entry);
          if (name === undefined) throw new Error(`no spec is named in ${JSON.stringify(entry)}`);
          expect(existsSync(fileOf(name)), `spec ${name}`).to.equal(true);
          const title = entry.slice(entry.indexOf('`', entry.indexOf('`') + 1) + 1).replace(/^: /, '');
          if (title === '') continue;
          expect(readFileSync(fileOf(name), 'utf8'), `a title in ${name}`).to.include(title);
        }
      }
    });
  }

  it('protocol.md: has a row for each of the 18 rules, and for each limit with its default', () => {
    const page = readFileSync(new URL('docs/protocol.md', root), 'utf8');
    const sections = ['Lines and fields', 'The status line', 'Framing', 'The end, and the connection'];
    const rules = sections.flatMap((section) => tableRows(page, section)).map(([rule]) => Number(rule));
    expect([...new Set(rules)]).to.deep.equal(Array.from({ length: 18 }, (_, i) => i + 1));
    const limits = tableRows(page, 'Limits').map(([name = '', value]) => [codeSpans(name)[0], Number(value)]);
    expect(Object.fromEntries(limits)).to.deep.equal(DEFAULT_LIMITS);
  });
});
