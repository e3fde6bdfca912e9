/**
 * The packed tarball, as a program meets it that installed it: `npm run package:check`, after a build. Apart from the suite,
 * because it packs, unpacks and runs the compiler. It works in a temporary directory and changes nothing in the tree.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const tools = join(root, 'node_modules');

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
      .filter((name) => !/^dist\/types\/([a-z0-9-]+\/)*[a-z0-9-]+\.d\.ts$/.test(name));
    assert.deepEqual(
      names.filter((name) => name !== 'README.md').toSorted(),
      [
        'LICENSE',
        'dist/index.cjs',
        'dist/index.d.mts',
        'dist/index.mjs',
        'dist/index.mjs.map',
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
      readFileSync(join(directory, 'node_modules/millrace/dist/index.mjs.map'), 'utf8'),
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
