/**
 * The architecture, read off the import lines of lib/: imports run one way, and who may know what.
 */

import { readdirSync, readFileSync } from 'node:fs';

import { expect } from 'chai';

const LIB = new URL('../../lib/', import.meta.url);

/** From the bottom to the top: a file imports from its own layer and the ones below. A folder stands for what is in it. */
const LAYERS: readonly (readonly string[])[] = [
  ['errors', 'limits', 'status', 'protocol/grammar'],
  ['parameters', 'message', 'informational', 'charset', 'host'],
  ['protocol/', 'transport/'],
  [
    'body-buffer',
    'body-iterator',
    'body-queue',
    'body-readers',
    'body-readers',
    'body-stream',
    'chunked-decoder',
    'chunked-encoder',
    'clock',
    'debug-output',
    'detached-stream',
    'interruptible',
    'parse-headers',
    'raw-send',
    'request-body',
    'response',
    'take-buffered',
    'trailers',
    'upload',
  ],
  [
    'connect-plan',
    'connection-options',
    'connector',
    'endpoint',
    'exchange',
    'exchange-owner',
    'exchange-owner',
    'link',
    'link-keeper',
    'request-plan',
    'sending',
    'tunnel',
  ],
  ['connection'],
  ['https-connection'],
  ['index'],
];

/** Who may dial, listen and encrypt. */
const KNOWS_SOCKETS = ['transport/', 'connector', 'connect-plan', 'connection-options', 'https-connection'];

const MOST_LINES = 380;

interface Import {
  /** Relative to lib/ without its extension, or the specifier of a module. */
  readonly from: string;
  /** Whether it is gone after compilation. */
  readonly typeOnly: boolean;
  readonly names: string;
}

interface SourceFile {
  readonly name: string;
  readonly lines: number;
  readonly imports: readonly Import[];
}

const IMPORT = /^(?:import|export)\s+(type\s+)?([^'"]*?)\s*from\s+'([^']+)';/gm;

const FILES: readonly SourceFile[] = readdirSync(LIB, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => path.replaceAll('\\', '/'))
  .toSorted()
  .map((path) => {
    const text = readFileSync(new URL(path, LIB), 'utf8');
    const imports = Array.from(text.matchAll(IMPORT), ([, type, names = '', specifier = '']): Import => {
      const from = specifier.startsWith('.')
        ? new URL(specifier, new URL(path, LIB)).href.slice(LIB.href.length).replace(/\.js$/, '')
        : specifier;
      return { from, typeOnly: type !== undefined, names };
    });
    const lines = text.split('\n').filter((line) => line.trim() !== '').length;
    return { name: path.replace(/\.ts$/, ''), lines, imports };
  });

function isAmong(name: string, places: readonly string[]): boolean {
  return places.some((place) => (place.endsWith('/') ? name.startsWith(place) : name === place));
}

/** The layer that names the file itself counts before one that names its folder. */
function layerOf(name: string): number {
  const own = LAYERS.findIndex((layer) => layer.includes(name));
  return own === -1 ? LAYERS.findIndex((layer) => isAmong(name, layer)) : own;
}

describe('the layers of lib/', () => {
  it('are read from every file and find every import', () => {
    const names = FILES.map(({ name }) => name);
    expect(names).to.include.members(['index', 'connection', 'protocol/chunked', 'transport/transport']);
    const imports = FILES.flatMap((file) => file.imports);
    const statements = FILES.map(({ name }) => readFileSync(new URL(`${name}.ts`, LIB), 'utf8')).join('\n');
    expect(imports.length).to.equal(statements.match(/ from '[^']+';$/gm)?.length);
  });

  for (const { name, imports } of FILES) {
    it(`${name} has its layer and imports nothing from above it`, () => {
      expect(layerOf(name), `the layer of ${name}`).to.be.at.least(0);
      for (const { from } of imports) {
        if (from.startsWith('node:')) continue;
        expect(layerOf(from), `${name} → ${from}`).to.be.within(0, layerOf(name));
      }
    });
  }

  it('name no file that is not there', () => {
    const places = LAYERS.flat();
    const idle = places.filter((place) => !FILES.some(({ name }) => isAmong(name, [place])));
    expect(idle).to.deep.equal([]);
  });

  it('have no circle', () => {
    const importsOf = new Map(FILES.map(({ name, imports }) => [name, imports.map(({ from }) => from)]));
    const done = new Set<string>();
    const visit = (name: string, path: readonly string[]): void => {
      expect(path, `a circle through ${name}`).not.to.include(name);
      if (done.has(name)) return;
      for (const next of importsOf.get(name) ?? []) visit(next, [...path, name]);
      done.add(name);
    };
    for (const { name } of FILES) visit(name, []);
  });

  it('depend on Node alone', () => {
    const foreign = FILES.flatMap(({ imports }) => imports)
      .map(({ from }) => from)
      .filter((from) => !from.startsWith('node:') && layerOf(from) === -1);
    expect(foreign).to.deep.equal([]);
  });
});

describe('lib/protocol', () => {
  const protocol = FILES.filter(({ name }) => name.startsWith('protocol/'));

  for (const { name, imports } of protocol) {
    it(`${name} does no I/O: it imports only its neighbours, errors and limits`, () => {
      const other = imports
        .map(({ from }) => from)
        .filter((from) => !isAmong(from, ['protocol/', 'errors', 'limits']));
      expect(other).to.deep.equal([]);
    });

    it(`${name} has no promise, timer or event`, () => {
      const text = readFileSync(new URL(`${name}.ts`, LIB), 'utf8').replace(/\/\*[^]*?\*\/|\/\/.*/g, '');
      expect(text).not.to.match(
        /\b(?:async|await|Promise|set(?:Timeout|Immediate)|process|queueMicrotask)\b/,
      );
    });
  }
});

describe('lib/transport', () => {
  it('knows nothing of HTTP: it imports itself and Node', () => {
    const other = FILES.filter(({ name }) => name.startsWith('transport/'))
      .flatMap(({ imports }) => imports)
      .filter(({ from }) => !isAmong(from, ['transport/', 'node:net', 'node:tls', 'node:dns']));
    expect(other).to.deep.equal([]);
  });

  for (const { name, imports } of FILES.filter((file) => !isAmong(file.name, KNOWS_SOCKETS))) {
    it(`shields ${name} from sockets`, () => {
      const sockets = imports.filter(
        ({ from, typeOnly, names }) =>
          /^node:(?:net|tls|dns|http|https|http2|dgram)\b/.test(from) &&
          !typeOnly &&
          // Questions about text, which open nothing.
          !/^\{\s*isIP(?:v4|v6)?\s*\}$/.test(names),
      );
      expect(sockets).to.deep.equal([]);
    });
  }
});

describe('the files of lib/', () => {
  for (const { name, lines } of FILES) {
    it(`${name} has at most ${String(MOST_LINES)} lines of code and comment`, () => {
      expect(lines).to.be.at.most(MOST_LINES);
    });
  }

  it('open with a comment that says what they own', () => {
    for (const { name } of FILES) {
      expect(readFileSync(new URL(`${name}.ts`, LIB), 'utf8'), name).to.match(/^\/\*\*\s(?: \* )?\S/);
    }
  });

  it('are named for what they hold', () => {
    const vague = FILES.filter(({ name }) => /(?:^|[/-])(?:utils?|helpers?|common|types|misc)$/.test(name));
    expect(vague).to.deep.equal([]);
  });
});
