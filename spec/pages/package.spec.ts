/**
 * What the package promises before it is built, in its manifest; its names are in index.spec.ts. What the packed tarball does in a program that
 * installed it is checked by spec/package/tarball.ts, which needs a build and takes longer.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';

const manifest = JSON.parse(
  readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'),
) as Record<string, unknown>;

describe('the package', () => {
  it('installs nothing besides itself', () => {
    for (const kind of ['dependencies', 'peerDependencies', 'optionalDependencies', 'bundleDependencies']) {
      assert.equal(manifest[kind], undefined, kind);
    }
    const scripts = Object.keys(manifest['scripts'] as Record<string, string>);
    assert.deepEqual(
      scripts.filter((name) => /^(pre|post)?install$|^prepare$/.test(name)),
      [],
    );
  });
});

describe('the workflows', () => {
  const folder = new URL('../../../.github/workflows/', import.meta.url);
  const workflows = readdirSync(folder).map((name) => readFileSync(new URL(name, folder), 'utf8'));

  it('run scripts that the package has, and name no registry', () => {
    assert.deepEqual(workflows.length, 2);
    const scripts = Object.keys(manifest['scripts'] as Record<string, string>);
    for (const text of workflows) {
      const named = Array.from(text.matchAll(/\bnpm run ([\w:]+)/g), ([, script = '']) => script);
      assert.notEqual(named.length, 0);
      assert.deepEqual(
        named.filter((script) => !scripts.includes(script)),
        [],
      );
      assert.doesNotMatch(text, /registry|_authToken|NPM_TOKEN/);
    }
  });

  it('run the suite on every release line that is promised', () => {
    assert.ok(workflows.some((text) => text.includes('node: [20, 22, 24, 26]')));
    assert.ok(workflows.some((text) => text.includes('node-version: 20.19.0')));
    assert.equal((manifest['engines'] as Record<string, string>)['node'], '^20.19.0 || >=22.12.0');
  });
});
