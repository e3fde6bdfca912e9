/**
 * What the package promises before it is built, in its manifest; its names are in index.spec.ts. What the packed tarball does in a program that
 * installed it is checked by spec/package/tarball.ts, which needs a build and takes longer.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

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
