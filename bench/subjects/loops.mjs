// What every subject's workloads share: the budget of requests that several connections work off together, the
// measured latencies of one, and the bodies that are uploaded. Knows no client.
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BodyCheck, patternBytes } from '../body-check.mjs';

/** Runs `loop(client, budget)` for all clients at once; each takes from `budget.left` until nothing is left. */
export async function inLoops(clients, count, loop) {
  const budget = { left: count };
  await Promise.all(clients.map((client) => loop(client, budget)));
}

/** Does `one()` count times, one after the other: the median and 99th percentile in microseconds. */
export async function latencies(one, count) {
  const times = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const start = performance.now();
    await one();
    times[i] = (performance.now() - start) * 1000;
  }
  times.sort();
  return { p50: times[count >> 1], p99: times[Math.floor(count * 0.99)] };
}

/** The same of many loops at once, over all of their units. */
export async function loopLatencies(clients, one, count) {
  const times = new Float64Array(count);
  let next = 0;
  await Promise.all(
    clients.map(async (client) => {
      for (let i = next++; i < count; i = next++) {
        const start = performance.now();
        await one(client);
        times[i] = (performance.now() - start) * 1000;
      }
    }),
  );
  times.sort();
  return { p50: times[count >> 1], p99: times[Math.floor(count * 0.99)] };
}

/** A check for each loop of a shared pool. */
export function bodyChecks({ connections, bytes, period }) {
  return Array.from({ length: connections }, () => new BodyCheck(bytes, period));
}

/** URLs of many origins that are all one server's, by `lookUpLocal`. */
export function hostURLs({ hosts, port }) {
  return Array.from({ length: hosts }, (_, number) => `http://host-${number}.test:${port}/`);
}

/** A look-up that knows one address, so that no resolver is measured. */
export function lookUpLocal(_name, options, done) {
  if (options.all) done(null, [{ address: '127.0.0.1', family: 4 }]);
  else done(null, '127.0.0.1', 4);
}

const pieces = new Map();

function pieceOf(size) {
  if (!pieces.has(size)) pieces.set(size, patternBytes(size));
  return pieces.get(size);
}

/** `bytes` bytes in pieces of `pieceBytes`, the same Buffer every time: the source costs next to nothing. */
export async function* generated(bytes, pieceBytes) {
  const piece = pieceOf(pieceBytes);
  let left = bytes;
  for (; left >= pieceBytes; left -= pieceBytes) yield piece;
  if (left > 0) yield piece.subarray(0, left);
}

/** The counting server's answer to an upload must be the number of bytes sent. */
export function checkCount(text, bytes) {
  if (Number(text) !== bytes) throw new Error(`the server counted ${text} body bytes instead of ${bytes}`);
}

export function checkSize(written, bytes) {
  if (written !== bytes) throw new Error(`${written} body bytes were written instead of ${bytes}`);
}

/** A file of `bytes` bytes in the page cache: `{ open, remove }`. */
export function uploadFile(bytes) {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
  const path = join(folder, 'upload');
  const piece = pieceOf(1 << 20);
  for (let at = 0; at < bytes; at += piece.length) {
    writeFileSync(path, piece.subarray(0, Math.min(piece.length, bytes - at)), { flag: 'a' });
  }
  return {
    path,
    open: () => createReadStream(path),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** The body that `options` asks for: a file's stream or an async generator. */
export function bodySource(options) {
  if (!options.file) return () => generated(options.bytes, options.pieceBytes);
  const file = uploadFile(options.bytes);
  process.on('exit', file.remove);
  return file.open;
}
