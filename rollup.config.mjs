/**
 * Makes dist/ from what tsc left in build/lib/. The implementation is bundled once, as CommonJS; the ES module entry and
 * its declarations are generated lists of re-exports over it. So a class is one class, for `instanceof` and for the type
 * checker, whichever way a program loads the package. No plugin package is needed.
 */
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';

/** Chains tsc's source maps, so that dist/index.cjs.map points at lib/*.ts (rollup ignores input maps by itself). */
const tscMaps = {
  name: 'tsc-maps',
  load(id) {
    if (!id.endsWith('.js')) return null;
    return { code: readFileSync(id, 'utf8'), map: JSON.parse(readFileSync(`${id}.map`, 'utf8')) };
  },
};

/** The entry for `import`: every name the bundle exports, as a static list, for bundlers and for cjs-module-lexer. */
const moduleEntry = {
  name: 'module-entry',
  writeBundle(options, bundle) {
    const names = Object.values(bundle)
      .flatMap((file) => (file.type === 'chunk' && file.isEntry ? file.exports : []))
      .toSorted((a, b) => (a < b ? -1 : 1));
    if (names.length === 0) throw new Error('the bundle exports nothing');
    const list = names.map((name) => `  ${name},\n`).join('');
    writeFileSync('dist/index.mjs', `export {\n${list}} from './index.cjs';\n`);
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
  plugins: [tscMaps, moduleEntry, declarations],
  output: {
    dir: 'dist',
    format: 'cjs',
    exports: 'named',
    sourcemap: true,
    generatedCode: 'es2015',
    entryFileNames: '[name].cjs',
  },
  // A warning in the build is a defect: an unresolved import or a circle would otherwise ship.
  onwarn(warning) {
    throw new Error(warning.message);
  },
};
