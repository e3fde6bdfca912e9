/**
 * The differential run: the same bytes through millrace's parser, node:http's client, and CPython's http.client where there is a python3.
 *
 *     npm run differential -- [--count N] [--seed S] [--markdown FILE]
 *
 * Prints how often each explained disagreement came, and every disagreement that nothing explains; those fail the run. With
 * `--markdown` the table replaces the one in that file.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { DEFAULT_LIMITS } from '../../../lib/limits.js';
import { readStrictly } from '../../support/strict-response.js';
import { exhibits } from './exhibits.js';
import type { Exhibit } from './exhibits.js';
import { EXPLANATIONS } from './explanations.js';
import type { Disagreement, Explanation } from './explanations.js';
import { NodeClient } from './node-client.js';
import { differencesOf, ownOutcome } from './outcome.js';
import type { Client, ClientOutcome } from './outcome.js';
import { PythonClient } from './python-client.js';

const SHOWN = 20;
const SHOWN_CHARACTERS = 500;

/** How one client compared. */
interface Comparison {
  readonly client: Client;
  shown: number;
  agreed: number;
  unexplained: number;
  readonly explained: Map<Explanation, number>;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      count: { type: 'string', default: '100000' },
      seed: { type: 'string', default: '1' },
      markdown: { type: 'string' },
    },
  });
  const count = Number(values.count);
  const seed = Number(values.seed);
  if (!Number.isSafeInteger(count) || !Number.isSafeInteger(seed)) {
    throw new TypeError('--count and --seed take integers');
  }
  const python = await PythonClient.start();
  if (python === null) console.log('http.client: skipped, there is no python3');
  const clients: Client[] = [new NodeClient(), ...(python === null ? [] : [python])];
  const comparisons = clients.map((client): Comparison => ({
    client,
    shown: 0,
    agreed: 0,
    unexplained: 0,
    explained: new Map(),
  }));
  for (const batch of exhibits(count, seed)) {
    const ours = batch.map(ownOutcome);
    for (const comparison of comparisons) {
      const theirs = await comparison.client.read(batch);
      for (const [i, exhibit] of batch.entries()) compare(comparison, exhibit, ours[i], theirs[i]);
    }
  }
  for (const client of clients) client.close();
  const table = tableOf(comparisons, count, seed);
  console.log(table);
  if (values.markdown !== undefined) replaceTable(values.markdown, table);
  const unexplained = comparisons.reduce((sum, comparison) => sum + comparison.unexplained, 0);
  console.log(`${String(unexplained)} disagreements without an explanation`);
  if (unexplained > 0) process.exitCode = 1;
}

function compare(
  comparison: Comparison,
  exhibit: Exhibit,
  ours: ClientOutcome | undefined,
  theirs: ClientOutcome | null | undefined,
): void {
  if (ours === undefined || theirs === null || theirs === undefined) return;
  comparison.shown++;
  const parts = differencesOf(ours, theirs);
  if (parts.length === 0) {
    comparison.agreed++;
    return;
  }
  const strict = readStrictly(exhibit.wire, exhibit.method, true, DEFAULT_LIMITS);
  const disagreement: Disagreement = { exhibit, text: exhibit.wire.toString('latin1'), ours, theirs, strict };
  const holding = EXPLANATIONS.filter(
    (row) =>
      comparison.client.name.startsWith(row.client) &&
      row.parts.some((part) => parts.includes(part)) &&
      row.holds(disagreement),
  );
  const [first] = holding;
  if (first !== undefined && parts.every((part) => holding.some((row) => row.parts.includes(part)))) {
    comparison.explained.set(first, (comparison.explained.get(first) ?? 0) + 1);
    return;
  }
  if (comparison.unexplained++ < SHOWN) show(comparison.client, parts, disagreement);
}

function show(
  { name }: Client,
  parts: readonly string[],
  { exhibit, text, ours, theirs, strict }: Disagreement,
): void {
  const cut = (value: unknown): string => JSON.stringify(value).slice(0, SHOWN_CHARACTERS);
  console.log(`unexplained: ${name}, ${parts.join(', ')}: ${exhibit.name}`);
  console.log(`  ${exhibit.method} ${cut(text)}`);
  console.log(`  millrace ${cut(ours)}${strict.rule === null ? '' : `, rule ${String(strict.rule)}`}`);
  console.log(`  ${name} ${cut(theirs)}`);
}

function tableOf(comparisons: readonly Comparison[], count: number, seed: number): string {
  const lines = [
    `The corpora, mutations of them, and ${String(count)} random responses (seed ${String(seed)}).`,
    '',
    '| Client | Disagreement | Rule | Responses |',
    '| --- | --- | --- | --- |',
  ];
  for (const { client, shown, agreed, explained } of comparisons) {
    lines.push(`| ${client.name} | none | | ${String(agreed)} of ${String(shown)} |`);
    for (const row of EXPLANATIONS) {
      const times = explained.get(row);
      if (times === undefined) continue;
      lines.push(`| ${client.name} | ${kindOf(row)}: ${row.what} | ${String(row.rule)} | ${String(times)} |`);
    }
  }
  return lines.join('\n');
}

function kindOf({ parts }: Explanation): string {
  if (parts[0] === 'only they accept') return 'accepts what we refuse';
  return parts[0] === 'only we accept' ? 'refuses what we accept' : 'reads otherwise';
}

const BEGIN = '<!-- differential: begin -->';
const END = '<!-- differential: end -->';

/** Puts the table where the last one was. */
function replaceTable(file: string, table: string): void {
  const text = readFileSync(file, 'utf8');
  const [before, after] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (before === -1 || after < before) throw new Error(`${file} has no place for the table`);
  writeFileSync(file, `${text.slice(0, before + BEGIN.length)}\n\n${table}\n\n${text.slice(after)}`);
}

await main();
