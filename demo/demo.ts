/**
 * `npm run demo`: a real file up and down again, through the public interface of millrace only. This file holds the course of
 * events and the clean-up: whatever happens, no temporary file and no child process stays behind, and a failure is one line on
 * standard error with exit code 1. The transfers themselves are in transfer.ts.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { Readable } from 'node:stream';
import { parseOptions, usage, type Options } from './options.js';
import { startPeer, type Peer } from './peer.js';
import { formatSize, Progress } from './progress.js';
import { connectionTo, download, upload } from './transfer.js';

const KIB = 1024;

/** What is sent: `size` is null where only the end will tell. */
interface Source {
  readonly name: string;
  readonly size: number | null;
  open(): Readable;
}

async function sourceFor(path: string): Promise<Source> {
  if (path === '-') return { name: 'standard input', size: null, open: () => process.stdin };
  const found = await stat(path).catch((cause: unknown) => {
    throw new Error(`cannot read ${path}: ${describe(cause)}`, { cause });
  });
  if (found.isDirectory()) throw new Error(`${path} is a directory`);
  return {
    name: basename(path),
    size: found.isFile() ? found.size : null,
    open: () => createReadStream(path),
  };
}

async function thereAndBack(source: Source, url: URL, directory: string, stop: AbortSignal): Promise<void> {
  progress.line(
    `${source.name}${source.size === null ? '' : `, ${formatSize(source.size)}`}, to ${url.href} and back`,
  );
  const connection = connectionTo(url);
  try {
    const onBytes = (bytes: number): void => progress.update(bytes);
    const way = { url, signal: stop, onBytes };

    progress.start('up  ', source.size);
    const { sent, stored } = await upload(connection, source.open(), way);
    progress.finish(sent.bytes);
    requireSame('what the server stored', sent.sha256, stored ?? sent.sha256);

    progress.start('down', sent.bytes);
    const back = await download(connection, createWriteStream(join(directory, 'back')), way);
    progress.finish(back.bytes);
    requireSame('what came back', sent.sha256, back.sha256);

    const places = stored === null ? 'sent = came back' : 'sent = stored = came back';
    progress.line(`SHA-256 ${sent.sha256} (${places})`);
  } finally {
    connection.close();
  }
}

function requireSame(what: string, expected: string, actual: string): void {
  if (actual !== expected)
    throw new Error(`${what} is not what was sent: SHA-256 ${actual}, sent ${expected}`);
}

async function run(options: Options): Promise<void> {
  const stop = new AbortController();
  // Only once: a second Ctrl-C ends the process the hard way.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => stop.abort(new Error(`stopped by ${signal}`)));
  }
  const source = await sourceFor(options.path);
  const directory = await mkdtemp(join(tmpdir(), 'millrace-demo-'));
  let peer: Peer | null = null;
  let atStart = 0;
  try {
    let url = options.url;
    if (url === null) {
      peer = await startPeer(directory);
      url = peer.url;
    }
    atStart = peakMemory();
    await thereAndBack(source, url, directory, stop.signal);
  } finally {
    await peer?.stop();
    await rm(directory, { recursive: true, force: true });
  }
  progress.line(
    `peak memory ${formatSize(peakMemory())}, ${formatSize(atStart)} of it before the first byte`,
  );
}

/** The most memory this process ever had, in bytes. The demo's server is another process. */
function peakMemory(): number {
  return process.resourceUsage().maxRSS * KIB;
}

/** Several causes behind one failure, say one for each address of a name, are told in one line all the same. */
function describe(error: unknown): string {
  const text =
    error instanceof AggregateError && error.message === '' ? error.errors.map(describe).join('; ') : '';
  return (text || (error instanceof Error ? error.message : String(error))).replaceAll(/\s*\n\s*/g, ' ');
}

const progress = new Progress(process.stdout);
try {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) process.stdout.write(usage);
  else await run(options);
} catch (error) {
  progress.stop();
  process.stderr.write(`demo: ${describe(error)}\n`);
  process.exitCode = 1;
}
