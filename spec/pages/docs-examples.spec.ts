/**
 * The documentation, run: every TypeScript block of the README, the guide and the pages for those who know other clients is type-checked, runs
 * against servers on loopback, and prints what its `// →` comments say.
 *
 * A block is a program of its own; the blocks of the README are one program together. A block may use the names that `freeVariables`
 * lists, and nothing else that it does not declare.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { startExampleServers } from '../support/example-server.js';
import type { ExampleServers } from '../support/example-server.js';
import { codeBlocks, expectedOutput } from '../support/markdown.js';
import { authority } from '../support/raw-server.js';

interface Example {
  /** Where it stands, for the name of the test. */
  title: string;
  /** The name of the module that it becomes. */
  module: string;
  code: string;
}

const root = new URL('../../../', import.meta.url);
const workshop = fileURLToPath(new URL('./examples/', import.meta.url));

function examplesOf(page: string): Example[] {
  const blocks = codeBlocks(readFileSync(new URL(page, root), 'utf8')).filter(({ language }) =>
    ['ts', 'js'].includes(language),
  );
  const name = page.replaceAll(/[^a-z-]/gi, '-').toLowerCase();
  if (page === 'README.md') {
    return [{ title: page, module: name, code: blocks.map(({ code }) => code).join('') }];
  }
  return blocks.map(({ code, line, heading }) => ({
    title: `${page}:${String(line)} ${heading}`,
    module: `${name}-${String(line)}`,
    code,
  }));
}

const EXAMPLES = [
  'README.md',
  'docs/site/first-page.md',
  'docs/guide.md',
  'docs/from-python.md',
  'docs/coming-from.md',
].flatMap(examplesOf);

/** What an example may use without declaring it. */
function freeVariables(servers: ExampleServers, directory: string): Record<string, string | number> {
  return {
    host: '127.0.0.1',
    port: servers.port,
    tlsPort: servers.tlsPort,
    proxyPort: servers.proxyPort,
    socketPath: socketIn(directory),
    ca: authority(),
    file: join(directory, 'some-file'),
    directory,
  };
}

function socketIn(directory: string): string {
  return process.platform === 'win32'
    ? `\\\\.\\pipe\\examples-${String(process.pid)}`
    : join(directory, 'socket');
}

const COMPILER_OPTIONS = {
  target: 'es2023',
  lib: ['es2023'],
  module: 'nodenext',
  moduleDetection: 'force',
  types: ['node'],
  strict: true,
  noUncheckedIndexedAccess: true,
  exactOptionalPropertyTypes: true,
  skipLibCheck: true,
};

/** Writes the examples as modules, and compiles them all at once. */
function compile(variables: Record<string, string | number>): void {
  rmSync(workshop, { recursive: true, force: true });
  mkdirSync(workshop);
  const declarations = Object.entries(variables)
    .map(([name, value]) => `const ${name}: ${typeof value} = ${JSON.stringify(value)};`)
    .join(' ');
  for (const { module, code } of EXAMPLES) {
    // On the first line of the example, so that the compiler's line numbers are those of the block.
    const program = `${declarations} ${code.replaceAll("from 'millrace'", "from '../../../lib/index.js'")}`;
    writeFileSync(join(workshop, `${module}.ts`), program);
  }
  const settings = { compilerOptions: COMPILER_OPTIONS, include: ['*.ts'] };
  writeFileSync(join(workshop, 'tsconfig.json'), JSON.stringify(settings));
  const compiler = fileURLToPath(new URL('node_modules/typescript/bin/tsc', root));
  try {
    execFileSync(process.execPath, [compiler, '-p', workshop], { encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    throw new Error(`the examples do not compile:\n${(error as { stdout: string }).stdout}`, {
      cause: error,
    });
  }
}

/** Runs a module; resolves with the lines that it printed. */
async function printedBy(module: string): Promise<string[]> {
  const write = process.stdout.write.bind(process.stdout);
  let printed = '';
  process.stdout.write = (text: string | Uint8Array): boolean => {
    printed += typeof text === 'string' ? text : Buffer.from(text).toString();
    return true;
  };
  try {
    await import(new URL(`./examples/${module}.js`, import.meta.url).href);
  } finally {
    process.stdout.write = write;
  }
  return printed.split('\n').slice(0, -1);
}

/** `…` in an expected line stands for anything. */
function matches(line: string | undefined, expected: string): boolean {
  const pattern = expected.split('…').map((text) => text.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`));
  return line !== undefined && new RegExp(`^${pattern.join('.*')}$`).test(line);
}

describe('the examples in the documentation', () => {
  let servers: ExampleServers;
  let directory: string;

  before(async function () {
    this.timeout(60_000);
    directory = mkdtempSync(join(tmpdir(), 'examples-'));
    servers = await startExampleServers(socketIn(directory));
    const variables = freeVariables(servers, directory);
    writeFileSync(String(variables['file']), 'a line of a file\n'.repeat(20_000));
    compile(variables);
  });

  after(async () => {
    await servers.close();
    rmSync(directory, { recursive: true, force: true });
  });

  it('are there', () => {
    expect(EXAMPLES.filter(({ title }) => title.startsWith('docs/guide.md'))).to.have.length.above(20);
    expect(EXAMPLES.filter(({ title }) => title.startsWith('docs/from-python.md'))).to.have.length.above(3);
  });

  for (const { title, module, code } of EXAMPLES) {
    it(`${title}: runs, and prints what it says`, async () => {
      const printed = await printedBy(module);
      const expected = expectedOutput(code);
      const asExpected = expected.map((line, index) =>
        matches(printed[index], line) ? (printed[index] ?? '') : line,
      );
      expect(printed).to.deep.equal(asExpected);
    });
  }
});
