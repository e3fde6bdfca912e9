// The subjects that are not written in JavaScript: the command line of each, or why it cannot run here. They speak
// the line protocol of client.mjs; the Go program is compiled into the temporary folder, once per run of the bench.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Unavailable } from '../children.mjs';

const path = (name) => new URL(name, import.meta.url).pathname;
const runs = (command, ...args) => spawnSync(command, args, { stdio: 'ignore' }).status === 0;

export const python = {
  label: 'CPython http.client',
  command(options) {
    const found = ['python3', 'python'].find((name) => runs(name, '-c', 'import http.client'));
    if (found === undefined) throw new Unavailable('python3 was not found');
    return [found, path('python.py'), JSON.stringify(options)];
  },
};

let goProgram;

function compileGo() {
  if (!runs('go', 'version')) throw new Unavailable('go was not found');
  const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const program = join(folder, 'client');
  if (!runs('go', 'build', '-o', program, path('go/main.go'))) throw new Error('go/main.go does not compile');
  return program;
}

export const go = {
  label: 'Go net/http',
  command(options) {
    goProgram ??= compileGo();
    return [goProgram, JSON.stringify(options)];
  },
};
