/**
 * Makes dist/ from what tsc left in build/lib/. The implementation is bundled once, as an ES module; `require` is given that same
 * module, which every supported Node can load synchronously. So a class is one class, for `instanceof` and for the type checker,
 * whichever way a program loads the package. No plugin package is needed.
 */
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';

/** Chains tsc's source maps, so that dist/index.mjs.map points at lib/*.ts (rollup ignores input maps by itself). */
const tscMaps = {
  name: 'tsc-maps',
  load(id) {
    if (!id.endsWith('.js')) return null;
    return { code: readFileSync(id, 'utf8'), map: JSON.parse(readFileSync(`${id}.map`, 'utf8')) };
  },
};

/** The entry for `require`. */
const requireEntry = {
  name: 'require-entry',
  writeBundle() {
    writeFileSync('dist/index.cjs', "'use strict';\n\nmodule.exports = require('./index.mjs');\n");
  },
};

/** The declarations, once, as a CommonJS tree: dist/index.d.mts looks into the same files. */
const declarations = {
  name: 'declarations',
  writeBundle() {
    rmSync('dist/types', { recursive: true, force: true });
    cpSync('build/lib', 'dist/types', { recursive: true, filter: (from) => !/\.js(\.map)?$/.test(from) });
    writeFileSync('dist/types/package.json', `${JSON.stringify({ type: 'commonjs' })}\n`);
    writeFileSync('dist/index.d.mts', "export * from './types/index.js';\n");
  },
};

export default {
  input: { index: 'build/lib/index.js' },
  external: (id) => id.startsWith('node:'),
  plugins: [tscMaps, requireEntry, declarations],
  output: {
    dir: 'dist',
    format: 'es',
    sourcemap: true,
    generatedCode: 'es2015',
    entryFileNames: '[name].mjs',
  },
  // A warning in the build is a defect: an unresolved import or a circle would otherwise ship.
  onwarn(warning) {
    throw new Error(warning.message);
  },
};
