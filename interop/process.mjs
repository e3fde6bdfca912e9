// Starts, watches and stops the server processes of one run. Every process started here leads its own process group
// and is stopped through that group's id, workers included, and by nothing else: never by name.
// A server counts as up when each of its addresses accepts a connection; one that exits early is reported with its log.
// What a server says goes to a log file in the run's folder, never to the terminal.
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const START_LIMIT_MS = 10_000;
const STOP_LIMIT_MS = 4_000;
// The system hands out ports from 32768 up to outgoing connections: a server there may find its port taken.
const LOWEST_PORT = 18_000;
const HIGHEST_PORT = 32_000;

const running = new Set();
const handedOut = new Set();

function isFree(port) {
  return new Promise((resolve) => {
    const probe = net.createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => probe.close(() => resolve(true)));
  });
}

/** A loopback port that nobody listens on, handed out once in this run. */
export async function freePort() {
  for (let tries = 0; tries < 500; tries++) {
    const port = LOWEST_PORT + Math.floor(Math.random() * (HIGHEST_PORT - LOWEST_PORT));
    if (handedOut.has(port)) continue;
    handedOut.add(port);
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port between ${LOWEST_PORT} and ${HIGHEST_PORT}`);
}

function accepts(address) {
  return new Promise((resolve) => {
    const socket = net.connect(address);
    const settle = (outcome) => {
      socket.destroy();
      resolve(outcome);
    };
    socket.setTimeout(1_000, () => settle(false));
    socket.once('connect', () => settle(true));
    socket.once('error', () => settle(false));
  });
}

function lastWords(logFile) {
  const lines = readFileSync(logFile, 'utf8').trim().split('\n').slice(-3).join(' | ');
  return lines === '' ? 'it said nothing' : lines;
}

/**
 * Starts one server and resolves once all `addresses` (arguments of net.connect) accept connections.
 * `owner` is { uid, gid } when it shall not run as the caller.
 */
export async function startProcess({ name, command, args, env, cwd, logFile, addresses, owner }) {
  const log = openSync(logFile, 'a');
  const child = spawn(command, args, { cwd, env, detached: true, stdio: ['ignore', log, log], ...owner });
  closeSync(log);
  const entry = { name, pid: child.pid, ended: undefined, over: undefined };
  entry.over = new Promise((resolve) => {
    const note = (words) => {
      entry.ended ??= words;
      resolve();
    };
    child.once('error', (error) => note(error.message));
    child.once('exit', (code, signal) => note(`ended with ${signal ?? `status ${code}`}`));
  });
  if (child.pid !== undefined) running.add(entry);

  const deadline = Date.now() + START_LIMIT_MS;
  const waiting = [...addresses];
  while (waiting.length > 0) {
    if (entry.ended !== undefined) {
      await stopProcess(entry);
      throw new Error(`${name} ${entry.ended} while starting: ${lastWords(logFile)}`);
    }
    if (await accepts(waiting[0])) waiting.shift();
    else if (Date.now() > deadline) {
      await stopProcess(entry);
      throw new Error(`${name} did not listen within ${START_LIMIT_MS} ms: ${lastWords(logFile)}`);
    } else await Promise.race([sleep(25), entry.over]);
  }
  return entry;
}

// Signal 0 asks whether anyone of the group is left; a group that is gone answers ESRCH.
function signalGroup(entry, signal) {
  try {
    process.kill(-entry.pid, signal);
    return true;
  } catch {
    return false;
  }
}

/** Ends a server and its workers: asked to first, killed when it does not listen. */
export async function stopProcess(entry) {
  if (!running.has(entry)) return;
  signalGroup(entry, 'SIGTERM');
  const deadline = Date.now() + STOP_LIMIT_MS;
  while (signalGroup(entry, 0) && Date.now() < deadline) await sleep(20);
  signalGroup(entry, 'SIGKILL');
  running.delete(entry);
}

export async function stopAll() {
  await Promise.all([...running].map(stopProcess));
}

/** The last resort when the run itself is about to end: no waiting, so it may be called from an 'exit' listener. */
export function killAll() {
  for (const entry of running) signalGroup(entry, 'SIGKILL');
  running.clear();
}
