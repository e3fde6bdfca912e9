/**
 * The page about the architecture, held against the code: its tables of files, calls and verdicts are those of lib/, and every file it
 * names is there.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { expect } from 'chai';
import { CALLS, REQUEST_STEPS, RESPONSE_STEPS, verdict } from '../../lib/protocol/exchange-table.js';
import type {
  Call,
  ConnectionState,
  RequestState,
  ResponseState,
} from '../../lib/protocol/exchange-table.js';
import { codeSpans, tableRows } from '../support/markdown.js';

const root = new URL('../../../', import.meta.url);
const page = readFileSync(new URL('docs/architecture.md', root), 'utf8');

const CALL_STATES: readonly ConnectionState[] = ['Idle', 'Request-started', 'Request-sent'];

/** The columns of the table of verdicts: the response, and what else may be so. */
const COLUMNS: readonly { response: ResponseState; keepAlive: boolean[]; surplus: boolean[] }[] = [
  { response: 'awaited', keepAlive: [true, false], surplus: [true, false] },
  { response: 'body', keepAlive: [true, false], surplus: [true, false] },
  { response: 'complete', keepAlive: [true], surplus: [false] },
  { response: 'complete', keepAlive: [false], surplus: [false] },
  { response: 'complete', keepAlive: [true, false], surplus: [true] },
  { response: 'switched', keepAlive: [true, false], surplus: [true, false] },
  { response: 'failed', keepAlive: [true, false], surplus: [false] },
];

/** The members of a union of texts, as a file of lib/ writes it down: types are gone when this runs. */
function membersOf(file: string, union: string): string[] {
  const source = readFileSync(new URL(`lib/${file}`, root), 'utf8');
  const [, members = ''] = new RegExp(`export type ${union} =([^;]*);`).exec(source) ?? [];
  return Array.from(members.matchAll(/'([^']+)'/g), ([, member = '']) => member);
}

/** The first code span of each row. */
const firstSpans = (heading: string): (string | undefined)[] =>
  tableRows(page, heading).map(([first = '']) => codeSpans(first)[0]);

describe('the page about the architecture', () => {
  it('lists every room of lib/ once, and no other', () => {
    const listed = tableRows(page, 'Rooms').flatMap(([rooms = '']) => codeSpans(rooms));
    const rooms = readdirSync(new URL('lib/', root), { withFileTypes: true }).map((entry) =>
      entry.isDirectory() ? `${entry.name}/` : entry.name,
    );
    expect(listed.toSorted()).to.deep.equal(rooms.toSorted());
  });

  it('names no file of lib/ or spec/ that is not there', () => {
    const named = codeSpans(page).filter((span) => /^[\w/-]+\.ts$/.test(span));
    const missing = named.filter(
      (file) => !existsSync(new URL(file, file.startsWith('spec/') ? root : new URL('lib/', root))),
    );
    expect(missing).to.deep.equal([]);
  });

  it('names every reason to close a connection, and no other', () => {
    const reasons = membersOf('protocol/exchange-table.ts', 'CloseReason');
    expect(reasons).to.have.length.above(5);
    expect(firstSpans('What became of the connection')).to.deep.equal(reasons);
    const links = tableRows(page, 'Who may end what').flatMap((cells) => codeSpans(cells.at(-1) ?? ''));
    expect(reasons).to.include.members(links);
  });

  it('names every clock, and no other', () => {
    const clocks = membersOf('exception.ts', 'TimerName');
    expect(clocks).to.have.length.above(4);
    expect(firstSpans('When each clock runs')).to.have.members(clocks);
  });

  it('names calls and members that are there', () => {
    const sources = readdirSync(new URL('lib/', root), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts'))
      .map((path) => readFileSync(new URL(`lib/${path}`, root), 'utf8'))
      .join('\n');
    const missing = codeSpans(page.slice(page.indexOf('## Life of a request'), page.indexOf('## Decisions')))
      .filter((span) => /^#?\w+$/.test(span) && /[a-z]/.test(span))
      .filter((span) => !new RegExp(`${span}\\b`).test(sources));
    expect(missing).to.deep.equal([]);
  });

  it('shows the table of calls as it is', () => {
    const rows = tableRows(page, 'The table of calls');
    const expected = Object.keys(CALLS.Idle).map((call) => [
      `\`${call}\``,
      ...CALL_STATES.map((state) => CALLS[state][call as Call]),
    ]);
    expect(rows).to.deep.equal(expected);
  });

  it('shows every verdict as it is', () => {
    const rows = tableRows(page, 'Two axes and the verdict');
    expect(rows.map(([request]) => request)).to.deep.equal(Object.keys(REQUEST_STEPS));
    expect(new Set(COLUMNS.map(({ response }) => response))).to.deep.equal(
      new Set(Object.keys(RESPONSE_STEPS)),
    );
    for (const [request = '', ...cells] of rows) {
      expect(cells, request).to.have.length(COLUMNS.length);
      for (const [index, { response, keepAlive, surplus }] of COLUMNS.entries()) {
        for (const kept of keepAlive) {
          for (const more of surplus) {
            expect(
              verdict(request as RequestState, response, kept, more ? 'bytes followed the response' : null),
              `${request}, ${response}`,
            ).to.equal(cells[index]);
          }
        }
      }
    }
  });
});
