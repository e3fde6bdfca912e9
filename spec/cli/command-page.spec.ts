/**
 * The page about the command and the text of `--help`, run: every example prints what the page says, and every option stands in one.
 */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { expect } from 'chai';

import { helpText } from '../../lib/cli/help.js';
import { OPTIONS } from '../../lib/cli/option-table.js';
import { startCommandServer, type CommandServer } from '../support/command-server.js';
import { codeBlocks } from '../support/markdown.js';
import { ownDirectory, shell, type Outcome } from '../support/millrace-command.js';
import { freePath } from '../support/raw-server.js';

const root = new URL('../../../', import.meta.url);
const page = readFileSync(new URL('docs/command.md', root), 'utf8');

interface Step {
  readonly command: string;
  readonly output: readonly string[];
}

/** The commands of a block, each with what it prints. */
function stepsOf(code: string): Step[] {
  const steps: { command: string; output: string[] }[] = [];
  for (const line of code.trimEnd().split('\n')) {
    if (line.startsWith('$ ')) steps.push({ command: line.slice(2), output: [] });
    else steps.at(-1)?.output.push(line);
  }
  return steps;
}

const BLOCKS = codeBlocks(page)
  .filter(({ language }) => language === 'sh')
  .map(({ code, line, heading }) => ({
    title: `docs/command.md:${String(line)} ${heading}`,
    steps: stepsOf(code),
  }));

/** What the help shows as examples. */
const EXAMPLES = (helpText().split('Examples:\n')[1] ?? '').trim().split(/\n\s*/);

/** `…` in an expected line stands for anything. */
function isLike(line: string, expected: string): boolean {
  const pattern = expected.split('…').map((text) => text.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`));
  return new RegExp(`^${pattern.join('.*')}$`).test(line);
}

describe('the page about the command', () => {
  const directory = ownDirectory();
  const socket = freePath();
  let server: CommandServer;
  let outcomes: Promise<Outcome>[];
  let examples: Promise<Outcome>[];
  /** What stands for what on the page. */
  let places: [string, string][];

  before(async () => {
    server = await startCommandServer(socket);
    const [securePort = '', proxyPort = ''] = [server.secure, server.proxy].map(
      (url) => url.split(':')[2] ?? '',
    );
    places = [
      ['localhost:8080', `localhost:${String(server.port)}`],
      ['port 8080', `port ${String(server.port)}`],
      ['localhost:8443', `localhost:${securePort}`],
      ['localhost:3128', `localhost:${proxyPort}`],
      ['server.sock', socket],
    ];
    outcomes = BLOCKS.map(({ steps }, index) => {
      const script = steps.map(({ command }) => `{ ${command}\n} 2>&1; printf '\\0'`).join('\n');
      return shell(inPlace(script), { cwd: workshop(`block-${String(index)}`) });
    });
    examples = EXAMPLES.map((line, index) => {
      const script = `producer() { echo water; }\nconsumer() { cat; }\n${line}`;
      return shell(inPlace(script), { cwd: workshop(`example-${String(index)}`) });
    });
  });

  after(() => server.close());

  /** A directory with the files that the page names. */
  function workshop(name: string): string {
    const path = join(directory.path, name);
    mkdirSync(path);
    writeFileSync(join(path, 'letter.txt'), 'dear server\n');
    const keys = fileURLToPath(new URL('spec/support/tls/', root));
    copyFileSync(join(keys, 'authority.pem'), join(path, 'authority.pem'));
    copyFileSync(join(keys, 'server.pem'), join(path, 'client.pem'));
    copyFileSync(join(keys, 'server.key.pem'), join(path, 'client.key.pem'));
    if (name.startsWith('example')) writeFileSync(join(path, 'copy'), 'a file\n');
    return path;
  }

  const inPlace = (text: string): string =>
    places.reduce((now, [from, to]) => now.replaceAll(from, to), text);
  const onPage = (text: string): string => places.reduce((now, [to, from]) => now.replaceAll(from, to), text);

  for (const [index, { title, steps }] of BLOCKS.entries()) {
    it(`${title}: prints what it says`, async function () {
      this.timeout(30_000);
      const { stdout } = (await outcomes[index]) ?? { stdout: Buffer.alloc(0) };
      const printed = onPage(stdout.toString()).split('\0').slice(0, -1);
      for (const [number, { command, output }] of steps.entries()) {
        const lines = (printed[number] ?? '').split(/\r?\n/).slice(0, -1);
        const asExpected = output.map((line, at) => (isLike(lines[at] ?? '', line) ? lines[at] : line));
        expect(lines, command).to.deep.equal(asExpected);
      }
    });
  }

  for (const option of OPTIONS) {
    const shown = option.short === undefined ? `--${option.name}` : `-${option.short}`;
    it(`shows ${shown} in an example, and names --${option.name}`, () => {
      const commands = BLOCKS.flatMap(({ steps }) => steps.map(({ command }) => ` ${command} `));
      const used = [shown, `--${option.name}`].some((name) =>
        commands.some((command) => command.includes(` ${name} `)),
      );
      expect(used).to.equal(true);
      expect(page).to.include(`--${option.name}`);
    });
  }

  for (const [index, line] of EXAMPLES.entries()) {
    it(`--help: ${line}`, async function () {
      this.timeout(30_000);
      const outcome = await examples[index];
      expect(outcome?.status, outcome?.stderr).to.equal(0);
      expect(outcome?.stderr).to.equal('');
    });
  }

  it('--help fits on a terminal, names every option', () => {
    const lines = helpText().split('\n');
    for (const line of lines) expect(line.length, line).to.be.at.most(80);
    for (const { name } of OPTIONS) expect(helpText()).to.include(`--${name}`);
  });
});
