/**
 * Memory of the command: what it takes does not follow what it carries, whichever way.
 */
import { closeSync, ftruncateSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';

import { startCommandServer, type CommandServer } from '../support/command-server.js';
import { concurrently, ownDirectory, shell, type Outcome } from '../support/millrace-command.js';

const MIB = 2 ** 20;
const LARGE = 200 * MIB;

/** What a run may take beyond a small one: buffers of both directions, and what the collector has not looked at yet. */
const MOST_MORE = 72 * MIB;

/** Leaves the most that the process ever had, in KiB, in a file. */
const REPORTER = `process.on('exit', () => {
  require('node:fs').writeFileSync(process.env.PEAK_FILE, String(process.resourceUsage().maxRSS));
});`;

describe('the command: memory', () => {
  const directory = ownDirectory();
  let server: CommandServer;
  let small: Promise<number>;

  before(async () => {
    server = await startCommandServer();
    const path = directory.path;
    writeFileSync(join(path, 'reporter.cjs'), REPORTER);
    const descriptor = openSync(join(path, 'large'), 'w');
    ftruncateSync(descriptor, LARGE);
    closeSync(descriptor);
    small = peakOf('small', 'millrace URL/hello').then(({ peak }) => peak);
  });

  after(() => server.close());

  const test = concurrently();

  async function peakOf(name: string, line: string): Promise<{ outcome: Outcome; peak: number }> {
    const file = join(directory.path, `${name}.peak`);
    const outcome = await shell(line.replace('URL', server.origin), {
      cwd: directory.path,
      env: { NODE_OPTIONS: `--require "${join(directory.path, 'reporter.cjs')}"`, PEAK_FILE: file },
    });
    return { outcome, peak: Number(readFileSync(file, 'utf8')) * 1024 };
  }

  const RUNS: readonly (readonly [name: string, line: string, said: RegExp])[] = [
    [
      'a download into a file',
      `millrace -o down "URL/large?bytes=${String(LARGE)}&length" && wc -c < down`,
      /^ *209715200\n$/,
    ],
    ['a download through a pipe', `millrace "URL/large?bytes=${String(LARGE)}" | wc -c`, /^ *209715200\n$/],
    ['an upload of a file', 'millrace -T large URL/count', /^209715200 /],
    ['a form with a file', 'millrace -F file=@large --progress plain URL/count 2>&1', /^2097\d{5} /m],
  ];

  for (const [index, [name, line, said]] of RUNS.entries()) {
    test(`${name} of 200 MiB takes no more than a small one and some buffers`, async () => {
      const { outcome, peak } = await peakOf(String(index), line);
      expect(outcome.text, outcome.stderr).to.match(said);
      expect(peak).to.be.below((await small) + MOST_MORE);
    });
  }
});
