/**
 * Makes dist/ from what tsc left in build/lib/:
 *
 * - `index.cjs` holds the code, and `index.mjs` is its names as an ES module. So a class is one class, for `instanceof` and for the
 *   type checker, in every mix of `require` and `import`, and a program that only knows `require` (Jest as it comes) is served too.
 * - `modules/` is the same code as ES modules, for bundlers, which leave out the files that a program does not use. Only they know the
 *   condition `module`, and they use it for `require` as well, so there is one copy in a bundle too.
 * - `cli.mjs` is the command, on top of `index.mjs`.
 *
 * No plugin package is needed.
 */
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const ENTRY = fileURLToPath(new URL('build/lib/index.js', import.meta.url));
const COMMAND = 'build/lib/cli/main.js';

/** Chains tsc's source maps, so that those in dist/ point at lib/*.ts (rollup ignores input maps by itself). */
const tscMaps = {
  name: 'tsc-maps',
  load(id) {
    if (!id.endsWith('.js')) return null;
    return { code: readFileSync(id, 'utf8'), map: JSON.parse(readFileSync(`${id}.map`, 'utf8')) };
  },
};

/** The ES module over the CommonJS one. Not by `import`: Node would search all of the code for names, which takes 25 ms. */
const wrapper = {
  name: 'wrapper',
  writeBundle(_options, bundle) {
    const names = bundle['index.cjs'].exports.toSorted();
    writeFileSync(
      'dist/index.mjs',
      "import { createRequire } from 'node:module';\n\n" +
        `export const {\n${names.map((name) => `  ${name},\n`).join('')}} = createRequire(import.meta.url)('./index.cjs');\n`,
    );
  },
};

/** The declarations, once, as a CommonJS tree: dist/index.d.mts looks into the same files. */
const declarations = {
  name: 'declarations',
  writeBundle() {
    rmSync('dist/types', { recursive: true, force: true });
    cpSync('build/lib', 'dist/types', {
      recursive: true,
      filter: (from) => !/\.js(\.map)?$/.test(from) && !/[\\/]cli([\\/]|$)/.test(from),
    });
    writeFileSync('dist/types/package.json', `${JSON.stringify({ type: 'commonjs' })}\n`);
    writeFileSync('dist/index.d.mts', "export * from './types/index.js';\n");
  },
};

const shared = {
  plugins: [tscMaps],
  // A warning in the build is a defect: an unresolved import or a circle would otherwise ship.
  onwarn(warning) {
    throw new Error(warning.message);
  },
};

const output = { generatedCode: 'es2015', externalLiveBindings: false };

const library = {
  ...shared,
  input: ENTRY,
  external: /^node:/,
  output: [
    {
      ...output,
      file: 'dist/index.cjs',
      format: 'cjs',
      exports: 'named',
      interop: 'esModule',
      sourcemap: true,
      plugins: [wrapper],
    },
    {
      ...output,
      dir: 'dist/modules',
      format: 'es',
      preserveModules: true,
      preserveModulesRoot: 'build/lib',
      entryFileNames: '[name].mjs',
      plugins: [declarations],
    },
  ],
};

const command = {
  ...shared,
  input: COMMAND,
  external: (id) => id.startsWith('node:') || id === ENTRY,
  output: { ...output, file: 'dist/cli.mjs', format: 'es', paths: { [ENTRY]: './index.mjs' } },
};

export default existsSync(COMMAND) ? [library, command] : [library];
