/**
 * Counts what the parser does for some inputs, without a clock: how often each block of `lib/protocol/` ran, by V8's own block counters,
 * and how many bytes the native calls copied or turned into text. Prints a JSON array of {@link Work}.
 *
 * A program of its own, since the counters are switched on for a whole process and would disturb a coverage run.
 */
import { Session } from 'node:inspector/promises';
import type { Profiler } from 'node:inspector';
import { DEFAULT_LIMITS } from '../../lib/limits.js';
import { ResponseParser } from '../../lib/protocol/response-parser.js';

/** What reading `bytes` bytes took. */
export interface Work {
  readonly name: string;
  /** `true`: in pieces of one byte. */
  readonly single: boolean;
  readonly bytes: number;
  readonly steps: number;
  readonly moved: number;
}

const HEAD = 'HTTP/1.1 200 OK\r\n';
const CHUNKED = `${HEAD}Transfer-Encoding: chunked\r\n\r\n`;
const END = 'Content-Length: 0\r\n\r\n';
const MOST = 1 << 24;
/** Out of the way: what is counted here is the work that the limits would bound. */
const LIMITS = {
  ...DEFAULT_LIMITS,
  lineBytes: MOST,
  headBytes: MOST,
  trailerBytes: MOST,
  chunkOverheadBytes: MOST,
  fields: MOST,
  interimResponses: MOST,
};

/** Responses of about so many bytes. */
const WIRES: Readonly<Record<string, (bytes: number) => string>> = {
  'a long status line': (bytes) => `HTTP/1.1 200 ${'a'.repeat(bytes)}\r\n${END}`,
  'a long field value': (bytes) => `${HEAD}X: ${'a'.repeat(bytes)}\r\n${END}`,
  'a long field name': (bytes) => `${HEAD}${'a'.repeat(bytes)}: x\r\n${END}`,
  'blanks around a value': (bytes) => `${HEAD}X:${' '.repeat(bytes / 2)}a${' '.repeat(bytes / 2)}\r\n${END}`,
  'many fields': (bytes) => `${HEAD}${'X: a\r\n'.repeat(bytes / 6)}${END}`,
  'many folded lines': (bytes) => `${HEAD}X: a\r\n${' b\r\n'.repeat(bytes / 4)}${END}`,
  'many Connection fields': (bytes) => `${HEAD}${'Connection: a\r\n'.repeat(bytes / 15)}${END}`,
  'many interim heads': (bytes) => `${'HTTP/1.1 100 Continue\r\n\r\n'.repeat(bytes / 25)}${HEAD}${END}`,
  'a long chunk extension': (bytes) => `${CHUNKED}1;${'a'.repeat(bytes)}\r\nx\r\n0\r\n\r\n`,
  'many chunk extensions': (bytes) => `${CHUNKED}1${';a=b'.repeat(bytes / 4)}\r\nx\r\n0\r\n\r\n`,
  'many small chunks': (bytes) => `${CHUNKED}${'1\r\nx\r\n'.repeat(bytes / 6)}0\r\n\r\n`,
  'many trailers': (bytes) => `${CHUNKED}0\r\n${'X: a\r\n'.repeat(bytes / 6)}\r\n`,
};

const SIZES = [16_384, 32_768];

let moved = 0;

/** Adds what a native method moves to the count; `size` tells how much from its result and its arguments. */
function count(
  name: 'copy' | 'copyWithin' | 'toString' | 'latin1Slice',
  size: (result: unknown, args: readonly unknown[]) => number,
): void {
  const native: unknown = Reflect.get(Buffer.prototype, name);
  if (typeof native !== 'function') throw new TypeError(`buffers have no ${name}`);
  Object.defineProperty(Buffer.prototype, name, {
    value(this: Buffer, ...args: unknown[]): unknown {
      const result: unknown = Reflect.apply(native, this, args);
      moved += size(result, args);
      return result;
    },
  });
}

function read(wire: Buffer, single: boolean): void {
  const ignore = (): void => undefined;
  const handler = { onInterim: ignore, onHead: ignore, onBody: ignore, onEndOfResponse: ignore };
  const parser = new ResponseParser('GET', LIMITS, handler);
  if (single) for (let i = 0; i < wire.length; i++) parser.write(wire.subarray(i, i + 1), 0);
  else parser.write(wire, 0);
  if (!parser.done) throw new Error('the response was not read to its end');
}

/** The counts of all blocks in `lib/protocol/`. */
function stepsIn({ result }: Profiler.TakePreciseCoverageReturnType): number {
  let steps = 0;
  for (const { url, functions } of result) {
    if (!url.includes('/lib/protocol/')) continue;
    for (const { ranges } of functions) for (const { count: times } of ranges) steps += times;
  }
  return steps;
}

async function main(): Promise<void> {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  count('copy', Number);
  count('copyWithin', (_, [, from, to]) => Number(to) - Number(from));
  // Node's toString() may be made of latin1Slice(): then text counts twice, which does no harm.
  for (const name of ['toString', 'latin1Slice'] as const) count(name, (result) => (result as string).length);
  const works: Work[] = [];
  for (const [name, wireOf] of Object.entries(WIRES)) {
    for (const single of [false, true]) {
      for (const size of SIZES) {
        const wire = Buffer.from(wireOf(size));
        await session.post('Profiler.takePreciseCoverage');
        moved = 0;
        read(wire, single);
        const steps = stepsIn(await session.post('Profiler.takePreciseCoverage'));
        works.push({ name, single, bytes: wire.length, steps, moved });
      }
    }
  }
  session.disconnect();
  process.stdout.write(JSON.stringify(works));
}

await main();
