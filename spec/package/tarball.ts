/**
 * The packed tarball, as a program meets it that installed it: `npm run package:check`, after a build. Apart from the suite,
 * because it packs, unpacks and runs the compiler. It works in a temporary directory and changes nothing in the tree.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const tools = join(root, 'node_modules');

/**
 * Bytes of what a bundle holds, minified and gzipped, that has this in it; for a tool that has to fit somewhere. The last two are where the
 * library stands, not where it wants to be, which is 30,000 and 48,000 (docs/performance.md): they keep it from growing unnoticed.
 */
const SIZES: readonly { name: string; entry: string; mostBytes: number }[] = [
  { name: 'one exception', entry: 'export { InvalidURL } from "millrace";', mostBytes: 3_000 },
  { name: 'the status codes', entry: 'export { HTTPStatus } from "millrace";', mostBytes: 2_000 },
  { name: 'HTTPConnection', entry: 'export { HTTPConnection } from "millrace";', mostBytes: 42_000 },
  { name: 'everything', entry: 'export * from "millrace";', mostBytes: 65_000 },
];

/**
 * What Jest does with a test and all that it requires: each file is a function of its own in a context of its own, found by the condition
 * `require`, without ES modules. `done` is given the result of a request.
 */
const JEST = `
const { createRequire } = require('node:module');
const { readFileSync } = require('node:fs');
const { createServer } = require('node:http');
const vm = require('node:vm');
const own = require;
// Node's globals, but objects, errors and promises of another realm; bytes are shared, as in Jest.
const names = new Set(Object.getOwnPropertyNames(globalThis));
for (const name of vm.runInNewContext('Object.getOwnPropertyNames(globalThis)')) names.delete(name);
const context = vm.createContext({ Uint8Array, ArrayBuffer });
for (const name of names) context[name] = globalThis[name];
const loaded = new Map();
function load(name) {
  if (name.startsWith('node:')) return own(name);
  const file = createRequire(__filename).resolve(name);
  if (!loaded.has(file)) {
    const module = { exports: {} };
    loaded.set(file, module);
    vm.compileFunction(readFileSync(file, 'utf8'), ['module', 'exports', 'require'], { parsingContext: context, filename: file })
      (module, module.exports, load);
  }
  return loaded.get(file).exports;
}
const { HTTPConnection, HTTPException } = load('millrace');
const server = createServer((request, response) => request.pipe(response)).listen(0, '127.0.0.1', async () => {
  const connection = new HTTPConnection('127.0.0.1', server.address().port);
  await connection.request('PUT', '/', Buffer.from('echo'), { 'X-A': ['1'] }, { timeout: 5000 });
  const answer = await (await connection.getResponse()).text();
  server.close();
  server.closeAllConnections();
  const refused = await connection.request('GET', '/').then(() => null, (error) => error);
  console.log(answer, [...loaded.keys()].length, refused.code, refused.method);
  connection.close();
});
`;

/** CommonJS and ES modules side by side: an instance made in one is used in the other, in every direction. */
const consumer = {
  'common.cts': `
import millrace = require('millrace');
export const make = (): millrace.HTTPConnection => new millrace.HTTPConnection('localhost', 1);
export const hostOf = (connection: millrace.HTTPConnection): string => connection.host;
export const thrown: Error = new millrace.InvalidURL('x');
`,
  'module.mts': `
import { HTTPConnection, HTTPException, HTTPS_PORT, type HTTPConnectionOptions } from 'millrace';
import * as common from './common.cjs';
const options: HTTPConnectionOptions = { blocksize: 1024 };
const made: HTTPConnection = common.make();
const host: string = common.hostOf(new HTTPConnection('localhost', HTTPS_PORT, options));
if (!(made instanceof HTTPConnection) || !(common.thrown instanceof HTTPException)) throw new Error('two classes');
console.log(host);
`,
};

describe('the tarball', () => {
  let directory: string;
  let tarball: string;

  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'millrace-package-'));
    // No scripts: what is checked is the build that is there.
    const packed = execFileSync(
      'npm',
      ['pack', '--json', '--ignore-scripts', '--pack-destination', directory],
      { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
    );
    tarball = join(directory, /"filename": "([^"]+)"/.exec(packed)?.[1] ?? '');
    mkdirSync(join(directory, 'node_modules'));
    execFileSync('tar', ['-xzf', tarball, '-C', join(directory, 'node_modules')]);
    execFileSync('mv', [join(directory, 'node_modules/package'), join(directory, 'node_modules/millrace')]);
    symlinkSync(join(tools, '@types'), join(directory, 'node_modules/@types'));
    writeFileSync(join(directory, 'package.json'), '{}');
    for (const [name, text] of Object.entries(consumer)) writeFileSync(join(directory, name), text);
  });

  after(() => rmSync(directory, { recursive: true, force: true }));

  function run(command: string, ...args: string[]): string {
    const { status, stdout, stderr } = spawnSync(command, args, { cwd: directory, encoding: 'utf8' });
    assert.equal(status, 0, `${args.join(' ')}\n${stdout}${stderr}`);
    return stdout;
  }

  function bin(name: string): string {
    return join(tools, '.bin', name);
  }

  it('passes publint', () => {
    run(bin('publint'), 'run', tarball, '--strict');
  });

  it('gives every resolver of TypeScript the right declarations', () => {
    run(bin('attw'), tarball);
  });

  it('holds the build, the licence and nothing of the source tree', () => {
    const names = run('tar', '-tzf', tarball)
      .trim()
      .split('\n')
      .map((name) => name.replace(/^package\//, ''))
      .filter((name) => !/^dist\/(types|modules)\/([a-z0-9-]+\/)*[a-z0-9-]+\.(d\.ts|mjs)$/.test(name))
      .filter((name) => name !== 'dist/cli.mjs');
    assert.deepEqual(
      names.filter((name) => name !== 'README.md').toSorted(),
      [
        'LICENSE',
        'dist/index.cjs',
        'dist/index.cjs.map',
        'dist/index.d.mts',
        'dist/index.mjs',
        'dist/types/package.json',
        'package.json',
      ].toSorted(),
    );
  });

  it('gives the same value for every name to require() and to import', () => {
    const script = `
const assert = require('node:assert/strict');
const required = require('millrace');
import('millrace').then((imported) => {
  assert.deepEqual(Object.keys(imported).sort(), Object.keys(required).sort());
  for (const name of Object.keys(required)) assert.equal(imported[name], required[name], name);
  console.log(typeof required.HTTPConnection);
});`;
    assert.equal(run(process.execPath, '-e', script), 'function\n');
  });

  it('is loaded once in Node, whichever way it is asked for, and only what every request needs', () => {
    const script = `
const { HTTPConnection } = await import('millrace');
const { createRequire } = await import('node:module');
const required = createRequire(import.meta.url)('millrace');
const files = Object.keys(createRequire(import.meta.url).cache).map((file) => file.replace(/.*millrace\\//, ''));
const late = ['tls', 'zlib', 'http', 'https', 'crypto', 'worker_threads'].filter((name) => process.moduleLoadList.includes('NativeModule ' + name));
console.log(required.HTTPConnection === HTTPConnection, files.join(), late.join());`;
    writeFileSync(join(directory, 'loaded.mjs'), script);
    assert.equal(run(process.execPath, 'loaded.mjs'), 'true dist/index.cjs \n');
  });

  it('runs where each file is a function in a context of its own, as Jest has it', () => {
    writeFileSync(join(directory, 'jest.cjs'), JEST);
    assert.equal(run(process.execPath, 'jest.cjs'), 'echo 1 ECONNREFUSED GET\n');
  });

  it('is one class in a bundle that both requires and imports it', () => {
    writeFileSync(
      join(directory, 'both.cjs'),
      "const { make } = require('./required.cjs');\nimport('./imported.mjs').then(({ isOne }) => console.log(isOne(make())));\n",
    );
    writeFileSync(
      join(directory, 'required.cjs'),
      "const { HTTPConnection } = require('millrace');\nexports.make = () => new HTTPConnection('h');\n",
    );
    writeFileSync(
      join(directory, 'imported.mjs'),
      "import { HTTPConnection } from 'millrace';\nexport const isOne = (made) => made instanceof HTTPConnection;\n",
    );
    run(
      bin('esbuild'),
      'both.cjs',
      '--bundle',
      '--platform=node',
      '--outfile=both-bundled.cjs',
      '--log-level=error',
    );
    assert.equal(run(process.execPath, 'both-bundled.cjs'), 'true\n');
  });

  for (const { name, entry, mostBytes } of SIZES) {
    it(`takes at most ${String(mostBytes)} bytes in a bundle, minified and gzipped: ${name}`, () => {
      writeFileSync(join(directory, 'entry.mjs'), entry);
      const flagsOfBundle = ['--bundle', '--minify', '--format=esm', '--platform=node', '--log-level=error'];
      const bytes = gzipSync(run(bin('esbuild'), 'entry.mjs', ...flagsOfBundle), { level: 9 }).length;
      assert.ok(bytes <= mostBytes, `${String(bytes)} bytes`);
      assert.ok(bytes > 100, 'an empty bundle');
    });
  }

  it('brings the command, over the same code', () => {
    const command = join(directory, 'node_modules/millrace/dist/cli.mjs');
    assert.match(run(process.execPath, command, '--version'), /^millrace \d/);
    assert.match(readFileSync(command, 'utf8'), /^#!\/usr\/bin\/env node\n/);
    assert.ok(!/class HTTPException/.test(readFileSync(command, 'utf8')), 'a second copy of the library');
    const manifest = JSON.parse(
      readFileSync(join(directory, 'node_modules/millrace/package.json'), 'utf8'),
    ) as {
      bin: Record<string, string>;
    };
    assert.deepEqual(manifest.bin, { millrace: 'dist/cli.mjs' });
  });

  for (const [module, resolution] of [
    ['node16', 'node16'],
    ['nodenext', 'nodenext'],
  ] as const) {
    it(`type-checks in a program of both module systems, with module ${module}`, () => {
      run(bin('tsc'), ...flags(module, resolution), '--noEmit', 'common.cts', 'module.mts');
    });
  }

  it('type-checks for a bundler', () => {
    writeFileSync(join(directory, 'bundled.ts'), "export { HTTPConnection, type Limits } from 'millrace';\n");
    run(bin('tsc'), ...flags('esnext', 'bundler'), '--noEmit', 'bundled.ts');
  });

  it('is one class in a program of both module systems', () => {
    run(bin('tsc'), ...flags('nodenext', 'nodenext'), 'common.cts', 'module.mts');
    assert.equal(run(process.execPath, 'module.mjs'), 'localhost\n');
  });

  it('maps its stack traces to the TypeScript sources, which are inside the map', () => {
    const map = JSON.parse(
      readFileSync(join(directory, 'node_modules/millrace/dist/index.cjs.map'), 'utf8'),
    ) as {
      sources: string[];
      sourcesContent: (string | null)[];
    };
    assert.ok(map.sources.length > 0);
    for (const [index, source] of map.sources.entries()) {
      assert.match(source, /^\.\.\/lib\/.*\.ts$/);
      assert.ok((map.sourcesContent[index] ?? '').length > 0, source);
    }
  });

  it('is what the recipes run on, copied into a fresh directory beside the packages that they name', () => {
    for (const name of readdirSync(tools).filter((entry) => !/^[@.]|^millrace$/.test(entry)))
      symlinkSync(join(tools, name), join(directory, 'node_modules', name));
    symlinkSync(join(tools, '@opentelemetry'), join(directory, 'node_modules/@opentelemetry'));
    const spec = join(root, 'build/spec/pages/recipes.spec.js');
    const env = { ...process.env, RECIPES_IN: join(directory, 'recipes') };
    const { status, stdout } = spawnSync(
      bin('mocha'),
      ['--no-config', '--timeout', '30000', '--exit', spec],
      {
        cwd: directory,
        encoding: 'utf8',
        env,
      },
    );
    assert.equal(status, 0, stdout);
  });

  function flags(module: string, resolution: string): string[] {
    return [
      '--strict',
      '--target',
      'es2022',
      '--module',
      module,
      '--moduleResolution',
      resolution,
      '--types',
      'node',
    ];
  }
});
