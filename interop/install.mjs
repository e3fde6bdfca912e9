// Puts the real servers on the machine: Debian packages through apt-get, only as root and only what is missing.
// It answers for each server with undefined (there) or the reason why it is not, in words fit for a skip line.
// It never starts a daemon: where the machine has no policy against it, one is put up for the installation
// and taken down after it. It never removes or upgrades a package.
import { spawn } from 'node:child_process';
import { accessSync, constants, existsSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';

const POLICY = '/usr/sbin/policy-rc.d';
const APT_OPTIONS = ['-o', 'DPkg::Lock::Timeout=60', '-o', 'Acquire::Retries=1'];
const INSTALL_LIMIT_MS = 300_000;

// Daemons live in sbin folders, which an ordinary user's PATH does not name.
const FOLDERS = ['/usr/sbin', '/usr/bin', '/sbin', '/bin', ...(process.env.PATH ?? '').split(delimiter)];

/** The absolute path of a program, or undefined. Debian's own folders come first: another user must be able to run it. */
export function findProgram(name) {
  const candidates = isAbsolute(name)
    ? [name]
    : FOLDERS.filter(isAbsolute).map((folder) => join(folder, name));
  return candidates.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function lacking(server) {
  const program = server.programs.find((name) => findProgram(name) === undefined);
  return program ?? server.files?.find((path) => !existsSync(path));
}

function run(command, args) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      timeout: INSTALL_LIMIT_MS,
    });
    let output = '';
    const gather = (piece) => (output = (output + piece).slice(-16_384));
    child.stdout.on('data', gather);
    child.stderr.on('data', gather);
    child.on('error', (error) => resolve({ ok: false, output: error.message }));
    child.on('close', (code) => resolve({ ok: code === 0, output }));
  });
}

const complaint = (output) =>
  output.split('\n').findLast((line) => line.startsWith('E: ') || line.startsWith('dpkg: ')) ??
  output.trim().split('\n').at(-1) ??
  'no message';

function forbidDaemons() {
  if (existsSync(POLICY)) return () => {};
  writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  return () => rmSync(POLICY, { force: true });
}

const aptInstall = (packages) =>
  run('apt-get', ['install', '--yes', '--no-install-recommends', ...APT_OPTIONS, ...packages]);

/**
 * Looks which of `servers` ({ name, packages, programs, files? }) are there and installs what is missing.
 * Resolves with a Map from name to undefined or the reason for a skip line.
 */
export async function provide(servers, { allowed, report }) {
  const missing = servers.filter((server) => lacking(server) !== undefined);
  const reasons = new Map(servers.map((server) => [server.name, undefined]));
  if (missing.length === 0) return reasons;

  const obstacle = !allowed
    ? 'and --no-install was given'
    : process.getuid?.() !== 0
      ? 'and only root can install it'
      : findProgram('apt-get') === undefined
        ? 'and there is no apt-get to install it'
        : undefined;
  if (obstacle !== undefined) {
    for (const server of missing) reasons.set(server.name, `${lacking(server)} is missing, ${obstacle}`);
    return reasons;
  }

  const packages = [...new Set(missing.flatMap((server) => server.packages))];
  report(`installing ${packages.join(' ')}`);
  const allowDaemons = forbidDaemons();
  try {
    await run('apt-get', ['update', ...APT_OPTIONS]);
    const all = await aptInstall(packages);
    // One package that cannot be had must not cost the others: the second try goes server by server.
    for (const server of all.ok ? [] : missing) {
      const one = await aptInstall(server.packages);
      if (!one.ok) reasons.set(server.name, `package not installable: ${complaint(one.output)}`);
    }
  } finally {
    allowDaemons();
  }
  for (const server of missing) {
    const still = lacking(server);
    if (still !== undefined && reasons.get(server.name) === undefined) {
      reasons.set(server.name, `package not installable: it does not bring ${still}`);
    }
  }
  return reasons;
}
