// Starts the processes of the bench and talks to them: one line of JSON on standard input is a call, one line on
// standard output its answer, whatever language the child is written in. Servers are pinned to the first allowed
// core and clients to the second where taskset exists. Ends every child that it started, also when a row fails.
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

/** No call takes longer than this unless its child hangs. */
const CALL_MS = 60_000;

const running = new Set();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

function allowedCores() {
  try {
    const [, list] = /Cpus_allowed_list:\s*(\S+)/.exec(readFileSync('/proc/self/status', 'latin1'));
    return list.split(',').flatMap((range) => {
      const [from, to = from] = range.split('-').map(Number);
      return Array.from({ length: to - from + 1 }, (_, i) => from + i);
    });
  } catch {
    return [];
  }
}

const cores = allowedCores();

/** `{ server, client }`: the cores in use, or null where processes cannot be pinned. */
export const pinning =
  cores.length >= 2 && spawnSync('taskset', ['-c', String(cores[0]), 'true']).status === 0
    ? { server: cores[0], client: cores[1] }
    : null;

/** The command line that runs `command` on the core of `role` ('server', 'client'; any other name: on any core). */
export function pinned(role, command) {
  const core = pinning?.[role];
  return core === undefined ? command : ['taskset', '-c', String(core), ...command];
}

/** Thrown by a subject that cannot run here (a tool is missing, the library is not built): its cells are skipped. */
export class Unavailable extends Error {}

export class Child {
  constructor(role, command, name) {
    const [file, ...args] = pinned(role, command);
    this.name = name;
    this.waiting = [];
    this.stderr = '';
    this.process = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    running.add(this.process);
    this.exited = new Promise((resolve) => this.process.once('close', resolve));
    void this.exited.then((code) => this.#gone(`ended with code ${code}`));
    this.process.once('error', (error) => this.#gone(error.message));
    this.process.stdin.on('error', () => {});
    this.process.stderr.setEncoding('utf8').on('data', (text) => {
      this.stderr = (this.stderr + text).slice(-4000);
    });
    createInterface({ input: this.process.stdout }).on('line', (line) => this.#answer(line));
  }

  #answer(line) {
    const { resolve, reject } = this.waiting.shift();
    const answer = JSON.parse(line);
    if (answer.unavailable !== undefined) reject(new Unavailable(answer.unavailable));
    else if (answer.error !== undefined) reject(new Error(`${this.name}: ${answer.error}`));
    else resolve(answer);
  }

  #gone(why) {
    running.delete(this.process);
    this.dead = `${this.name} ${why}\n${this.stderr}`;
    for (const { reject } of this.waiting.splice(0)) reject(new Error(this.dead));
  }

  /** The next line the child prints. */
  next() {
    if (this.dead !== undefined) return Promise.reject(new Error(this.dead));
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }

  async call(message) {
    const answer = this.next();
    this.process.stdin.write(`${JSON.stringify(message)}\n`);
    const timer = setTimeout(() => this.#hang(), CALL_MS);
    try {
      return await answer;
    } finally {
      clearTimeout(timer);
    }
  }

  /** The process may be in an endless loop, so it cannot be asked to leave. */
  #hang() {
    this.process.kill('SIGKILL');
    this.#gone(`gave no answer for ${CALL_MS / 1000} s`);
  }

  /** Moves a running child, with all its threads, to the core of `role`. */
  pin(role) {
    if (pinning !== null) spawnSync('taskset', ['-acp', String(pinning[role]), String(this.process.pid)]);
  }

  async stop() {
    this.process.stdin.end();
    const timer = setTimeout(() => this.process.kill('SIGKILL'), 2000);
    await this.exited;
    clearTimeout(timer);
  }
}

const script = (path) => new URL(path, import.meta.url).pathname;

/** Resolves with the server child and what it said: `{ child, port, tlsPort, ca }`. */
export async function startServer(role = 'server') {
  const child = new Child(role, [process.execPath, script('servers/main.mjs')], 'bench server');
  return { child, ...(await child.next()) };
}

/**
 * Resolves with a client process for one subject, ready for the calls of client.mjs and pinned. Ours start
 * anywhere, so that several start at once on several cores; a foreign runtime may size itself by its cores.
 */
export async function startClient(subject, options) {
  const child =
    subject.command === undefined
      ? new Child('anywhere', clientCommand(subject, options), subject.label)
      : new Child('client', subject.command(options), subject.label);
  try {
    await child.next();
  } catch (error) {
    await child.stop();
    throw error;
  }
  child.pin('client');
  return child;
}

function clientCommand({ label, module, workload }, options) {
  const task = JSON.stringify({ label, module, workload, options });
  return [process.execPath, '--expose-gc', script('client.mjs'), task];
}
