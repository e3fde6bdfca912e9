/**
 * The time of reading long lines, whole and in small pieces: what `spec/protocol/linear-time.spec.ts` counts, here with a clock.
 *
 *     npm run compile && node bench/parser.mjs
 *
 * CPU of this process, the median of several rounds, for one response whose one long line is delivered in pieces of a size. The first
 * column is the bare parser; the second hands each piece over as a buffer of its own, through one event each, as a socket would.
 */
import { EventEmitter } from 'node:events';
import { DEFAULT_LIMITS } from '../build/lib/limits.js';
import { ResponseParser } from '../build/lib/protocol/response-parser.js';

const LINES = [65_536, 131_072, 262_144];
const PIECES = [Infinity, 1448, 16, 1];
const ROUNDS = 15;

const limits = { ...DEFAULT_LIMITS, lineBytes: 1 << 20, headBytes: 1 << 20, chunkOverheadBytes: 1 << 20 };
const handler = { onInterim() {}, onHead() {}, onBody() {}, onEndOfResponse() {} };

const WIRES = {
  'a field line': (bytes) => `HTTP/1.1 200 OK\r\nX: ${'a'.repeat(bytes - 5)}\r\nContent-Length: 0\r\n\r\n`,
  'a chunk extension': (bytes) =>
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;${'a'.repeat(bytes - 4)}\r\nx\r\n0\r\n\r\n`,
};

function cut(wire, size) {
  const pieces = [];
  for (let at = 0; at < wire.length; at += size)
    pieces.push(wire.subarray(at, Math.min(wire.length, at + size)));
  return pieces;
}

function bare(pieces) {
  const parser = new ResponseParser('GET', limits, handler);
  for (const piece of pieces) parser.write(piece, 0);
  if (!parser.done) throw new Error('not read to its end');
}

function throughEvents(pieces) {
  const parser = new ResponseParser('GET', limits, handler);
  const socket = new EventEmitter();
  socket.on('data', (bytes) => parser.write(bytes, 0));
  for (const piece of pieces) socket.emit('data', Buffer.from(piece));
  if (!parser.done) throw new Error('not read to its end');
}

/** Milliseconds of user CPU, of which short runs are repeated until they can be measured. */
function measure(read, pieces) {
  const repeats = Math.max(1, Math.round(4000 / pieces.length));
  const times = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.cpuUsage();
    for (let i = 0; i < repeats; i++) read(pieces);
    times.push(process.cpuUsage(before).user / 1000 / repeats);
  }
  return times.sort((a, b) => a - b)[ROUNDS >> 1];
}

for (const [name, wireOf] of Object.entries(WIRES)) {
  console.log(`\n${name}: ms, and times the same line at once`);
  for (const bytes of LINES) {
    const wire = Buffer.from(wireOf(bytes));
    const base = [];
    for (const size of PIECES) {
      const pieces = cut(wire, size);
      const cells = [bare, throughEvents].map((read, column) => {
        const ms = measure(read, pieces);
        base[column] ??= ms;
        return `${ms.toFixed(3).padStart(9)} ${(ms / base[column]).toFixed(1).padStart(6)}×`;
      });
      const label = size === Infinity ? 'at once' : `pieces of ${size}`;
      console.log(`${String(bytes / 1024).padStart(4)} KiB  ${label.padEnd(15)} ${cells.join('   ')}`);
    }
  }
}
