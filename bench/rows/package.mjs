// The rows of what the package costs before it does anything: loading it, and its size when bundled.
import { build } from 'esbuild';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { Child } from '../children.mjs';

/** Milliseconds that a fresh process needs to load `specifier`, as an ES module would or as CommonJS would. */
async function loadTime({ specifier, by }) {
  const load = by === 'require' ? 'require(process.argv[1])' : 'await import(process.argv[1])';
  const program = `const start = performance.now(); ${load};
    process.stdout.write(JSON.stringify({ took: performance.now() - start }) + '\\n');`;
  const type = by === 'require' ? 'commonjs' : 'module';
  const command = [process.execPath, `--input-type=${type}`, '-e', program, specifier];
  const child = new Child('client', command, `${by} ${specifier}`);
  const { took } = await child.next();
  await child.stop();
  return took;
}

async function measureImports(row, bench) {
  const { rounds } = bench.quick ? row.quick : row.full;
  const figures = {};
  const floors = { import: 0, require: 0 };
  const subjects = [
    { label: 'node:net', specifier: 'node:net', by: 'import' },
    { label: 'node:net, require', specifier: 'node:net', by: 'require' },
    { label: 'millrace', specifier: pathToFileURL(bench.library).href, by: 'import' },
    { label: 'millrace, require', specifier: bench.library.replace(/\.mjs$/, '.cjs'), by: 'require' },
    { label: 'undici', specifier: import.meta.resolve('undici'), by: 'import' },
    { label: 'got', specifier: import.meta.resolve('got'), by: 'import' },
    { label: 'axios', specifier: import.meta.resolve('axios'), by: 'import' },
  ];
  const missing = ({ label, by }) =>
    label.startsWith('millrace') &&
    !existsSync(by === 'import' ? bench.library : bench.library.replace(/\.mjs$/, '.cjs'));
  for (const subject of subjects) {
    figures[subject.label] = missing(subject) ? { skipped: 'not built' } : { samples: [] };
  }
  const present = subjects.filter(({ label }) => figures[label].samples);
  for (const subject of present) await loadTime(subject); // into the page cache
  for (let round = 0; round < rounds; round++) {
    for (const subject of present) {
      const took = await loadTime(subject);
      const isFloor = subject.specifier === 'node:net';
      if (isFloor) floors[subject.by] = took;
      figures[subject.label].samples.push(isFloor ? took : took - floors[subject.by]);
    }
  }
  return figures;
}

async function bundled(library, contents) {
  const result = await build({
    stdin: { contents, resolveDir: dirname(library) },
    bundle: true,
    minify: true,
    write: false,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'error',
  });
  return gzipSync(result.outputFiles[0].contents, { level: 9 }).length / 1000;
}

async function measureSize(_, { library }) {
  if (!existsSync(library))
    return { core: { skipped: 'not built' }, 'whole package': { skipped: 'not built' } };
  // What bundlers take by the package's `module` condition; the file for Node only names what the CommonJS file holds.
  const modules = join(dirname(library), 'modules/index.mjs');
  const path = JSON.stringify(existsSync(modules) ? modules : library);
  const core = await bundled(library, `export { HTTPConnection } from ${path};`);
  const whole = await bundled(library, `export * from ${path};`);
  return { core: { samples: [core] }, 'whole package': { samples: [whole] } };
}

export const packageRows = [
  {
    name: 'import-cost',
    title: 'importing the package, over importing node:net alone',
    figure: 'ms over node:net',
    better: 'less',
    full: { rounds: 25 },
    quick: { rounds: 3 },
    comparisons: [
      { atMost: 8 },
      { of: 'millrace, require', atMost: 8 },
      { of: 'undici' },
      { of: 'got' },
      { of: 'axios' },
    ],
    measure: measureImports,
  },
  {
    name: 'size',
    title: 'minified and gzipped: `HTTPConnection` alone, and everything exported',
    figure: 'kB gzipped',
    better: 'less',
    comparisons: [
      { of: 'core', atMost: 30 },
      { of: 'whole package', atMost: 48 },
    ],
    measure: measureSize,
  },
];
