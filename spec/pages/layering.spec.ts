/**
 * The architecture, read off the import lines of lib/: imports run one way, and who may know what.
 */

import { readdirSync, readFileSync } from 'node:fs';

import { expect } from 'chai';

const LIB = new URL('../../../lib/', import.meta.url);

/**
 * The rooms of lib/, from the ground up. A file imports from its own room and from rooms on lower floors; rooms on one floor do not
 * know each other. `ground` and `roof` are the files that lie in no folder.
 */
const FLOORS: readonly (readonly string[])[] = [
  ['ground'],
  ['protocol', 'transport'],
  ['fields'],
  ['coding', 'opening'],
  ['request', 'response'],
  ['exchange'],
  ['connection'],
  ['pool'],
  ['client'],
  ['web'],
  ['roof'],
  ['cli'],
];

const ROOF = ['index'];

/** Who may dial, listen and encrypt. */
const KNOWS_SOCKETS = ['transport/', 'opening/', 'connection/https-connection'];

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

function roomOf(name: string): string {
  const slash = name.indexOf('/');
  if (slash !== -1) return name.slice(0, slash);
  return ROOF.includes(name) ? 'roof' : 'ground';
}

const floorOf = (name: string): number => FLOORS.findIndex((floor) => floor.includes(roomOf(name)));

describe('the rooms of lib/', () => {
  it('are read from every file and find every import', () => {
    const names = FILES.map(({ name }) => name);
    expect(names).to.include.members([
      'index',
      'connection/connection',
      'protocol/chunked',
      'transport/transport',
    ]);
    const imports = FILES.flatMap((file) => file.imports);
    const statements = FILES.map(({ name }) => readFileSync(new URL(`${name}.ts`, LIB), 'utf8')).join('\n');
    expect(imports.length).to.equal(statements.match(/ from '[^']+';$/gm)?.length);
  });

  for (const { name, imports } of FILES) {
    it(`${name} stands on a floor and imports only from its room and the floors below`, () => {
      expect(floorOf(name), `the floor of ${name}`).to.be.at.least(0);
      for (const { from } of imports) {
        if (from.startsWith('node:') || roomOf(from) === roomOf(name)) continue;
        expect(floorOf(from), `${name} → ${from}`).to.be.within(0, floorOf(name) - 1);
      }
    });
  }

  it('are all there', () => {
    const idle = FLOORS.flat().filter((room) => !FILES.some(({ name }) => roomOf(name) === room));
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
      .filter((from) => !from.startsWith('node:') && !FILES.some(({ name }) => name === from));
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
  it('knows nothing of HTTP: it imports itself, the ground and Node', () => {
    const other = FILES.filter(({ name }) => name.startsWith('transport/'))
      .flatMap(({ imports }) => imports)
      .filter(
        ({ from }) =>
          !isAmong(from, [
            'transport/',
            'node:net',
            'node:tls',
            'node:dns',
            'node:stream',
            'errors',
            'exception',
            'options',
          ]),
      );
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

describe('lib/cli', () => {
  it('stands on the public interface only', () => {
    const other = FILES.filter(({ name }) => name.startsWith('cli/'))
      .flatMap(({ imports }) => imports)
      .filter(({ from }) => !from.startsWith('node:') && !isAmong(from, ['cli/', 'index']));
    expect(other).to.deep.equal([]);
  });
});

describe('the files of lib/', () => {
  for (const { name, lines } of FILES) {
    it(`${name} has at most ${String(MOST_LINES)} lines of code and comment`, () => {
      expect(lines).to.be.at.most(MOST_LINES);
    });
  }

  it('open with a comment that says what they own', () => {
    for (const { name } of FILES) {
      expect(readFileSync(new URL(`${name}.ts`, LIB), 'utf8'), name).to.match(
        /^(?:#!.*\n)?\/\*\*\s(?: \* )?\S/,
      );
    }
  });

  it('are named for what they hold', () => {
    const vague = FILES.filter(({ name }) => /(?:^|[/-])(?:utils?|helpers?|common|types|misc)$/.test(name));
    expect(vague).to.deep.equal([]);
  });
});
