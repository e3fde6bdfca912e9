/**
 * Runs the built command, or curl, as its user does: a child process with its output, its end and its files. Cases that are started
 * together run side by side, a few at a time, and each test awaits its own.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const ENTRY = fileURLToPath(new URL('../../lib/cli/main.js', import.meta.url));
let bundle: string | null = null;

/**
 * The command in one file, as it is published: the built files bundled, once for a run of the suite. Loading them one by one costs each
 * child 45 ms, and there are hundreds of them.
 */
export function commandFile(): string {
  // Coverage is of the files themselves.
  if (process.env['NODE_V8_COVERAGE'] !== undefined) return ENTRY;
  if (bundle === null) {
    bundle = fileURLToPath(new URL('../../command/millrace.mjs', import.meta.url));
    const rollup = fileURLToPath(new URL('../../../node_modules/rollup/dist/bin/rollup', import.meta.url));
    execFileSync(process.execPath, [rollup, ENTRY, '--file', bundle, '--silent']);
  }
  return bundle;
}

/** How a run ended. */
export interface Outcome {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: Buffer;
  /** Standard output as text. */
  readonly text: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** Standard input; without it, standard input is empty. */
  readonly input?: string | Uint8Array;
  readonly cwd?: string;
  /** Variables beside those of the suite, which has no proxy. */
  readonly env?: Readonly<Record<string, string>>;
  /** Called with the child as soon as it runs. */
  readonly onChild?: (child: ChildProcess) => void;
}

/** The environment of the suite without what would change a run: proxies and the wishes of a terminal. */
export function plainEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/(?:_proxy|^no_color|^force_color)$/i.test(name)),
  );
}

/** Runs the command. */
export function millrace(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  return sideBySide(() => run(process.execPath, [commandFile(), ...args], options));
}

/** Runs curl, which is quiet but for its failures. */
export function curl(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  return sideBySide(() => run('curl', ['-sS', ...args], options));
}

/** Runs a line in a shell in which `millrace` is the built command. */
export function shell(line: string, options: RunOptions = {}): Promise<Outcome> {
  const prelude = `millrace() { "${process.execPath}" "${commandFile()}" "$@"; }`;
  // Bash takes the socket on its standard input for a login from afar, and would read the user's settings.
  return sideBySide(() => run('bash', ['--norc', '-c', `${prelude}\n${line}`], options));
}

/** Whether curl is here to be compared with. */
export const CURL: boolean = spawnSync('curl', ['--version']).status === 0;

/** A directory of its own for each test of the suite that calls this, removed at the end. */
export function ownDirectory(): { readonly path: string } {
  const directory = { path: '' };
  before(() => {
    directory.path = mkdtempSync(join(tmpdir(), 'millrace-command-'));
  });
  after(() => rmSync(directory.path, { recursive: true, force: true }));
  return directory;
}

/** A test that begins with all the others of its suite: what it waits for is other processes. */
export type ConcurrentTest = (name: string, body: () => Promise<void>) => void;

/** Tests that run side by side. To be called behind the suite's own `before`: all of them begin then. */
export function concurrently(): ConcurrentTest {
  const bodies: (() => Promise<void>)[] = [];
  const results: Promise<void>[] = [];
  before(() => {
    for (const body of bodies) {
      const result = body();
      // It is looked at when its turn comes.
      result.catch(() => undefined);
      results.push(result);
    }
  });
  return (name, body) => {
    const index = bodies.push(body) - 1;
    it(name, () => results[index]).timeout(30_000);
  };
}

const MOST = 6;
let running = 0;
const waiting: (() => void)[] = [];

/** Starts what is given as soon as fewer than a few others run. */
export async function sideBySide<Value>(start: () => Promise<Value>): Promise<Value> {
  if (running >= MOST) await new Promise<void>((resolve) => waiting.push(resolve));
  running++;
  try {
    return await start();
  } finally {
    running--;
    waiting.shift()?.();
  }
}

async function run(command: string, args: readonly string[], options: RunOptions): Promise<Outcome> {
  const child = spawn(command, [...args], {
    cwd: options.cwd,
    env: { ...plainEnvironment(), ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  options.onChild?.(child);
  // A child that has seen enough may end before it reads its input.
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  const [stdout, stderr, [status, signal]] = await Promise.all([
    buffer(child.stdout),
    buffer(child.stderr),
    once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>,
  ]);
  return { status, signal, stdout, text: stdout.toString('latin1'), stderr: stderr.toString() };
}
