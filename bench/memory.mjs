// Shows that memory does not follow the size of a body: uploads 1 GiB to a sink that pauses, and downloads 1 GiB
// with a reader that pauses, each in a fresh process, and prints the peak resident size above that of a process
// that has imported the client and done one small exchange. Exit code 1 when millrace passes the limit.
//   node bench/memory.mjs [--peers] [--library FILE]      --peers: undici and node:http too, for comparison
import { createReadStream, existsSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { createGzip } from 'node:zlib';
import { BodyCheck, patternBytes } from './body-check.mjs';
import { Child, startServer } from './children.mjs';

const GIB = 2 ** 30;
const MIB = 2 ** 20;
const LIMIT = 48 * MIB;
const PAUSE_MS = 250;
const EVERY = 32 * MIB;
const PIECE = patternBytes(65_536);

/** Fresh memory for each piece: a client that takes more than it sends cannot hide it. */
async function* pieces(bytes) {
  for (let sent = 0; sent < bytes; sent += PIECE.length) yield Buffer.from(PIECE);
}

async function readSlowly(body, bytes) {
  const check = new BodyCheck(bytes);
  let pauseAt = EVERY;
  for await (const piece of body) {
    check.piece(piece);
    if (check.received < pauseAt) continue;
    pauseAt += EVERY;
    await sleep(PAUSE_MS);
  }
  check.end();
}

async function readCount(body, bytes) {
  let text = '';
  for await (const piece of body) text += piece.toString('latin1');
  if (Number(text) !== bytes) throw new Error(`the server counted ${text} bytes instead of ${bytes}`);
}

/** Each client: `(port) → send(method, path, body) → the response body`. */
const clients = {
  async millrace(port, library) {
    const { HTTPConnection } = await import(pathToFileURL(library).href);
    const connection = new HTTPConnection('127.0.0.1', port);
    return async (method, path, body) => {
      await connection.request(method, path, body);
      return connection.getResponse();
    };
  },
  async undici(port) {
    const { Client } = await import('undici');
    const client = new Client(`http://127.0.0.1:${port}`, { pipelining: 1 });
    return async (method, path, body) => (await client.request({ method, path, body })).body;
  },
  async 'node:http'(port) {
    const { Readable } = await import('node:stream');
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    return (method, path, body) =>
      new Promise((resolve, reject) => {
        const request = http.request({ host: '127.0.0.1', port, agent, method, path }, resolve);
        request.on('error', reject);
        if (body) Readable.from(body, { objectMode: false }).pipe(request);
        else request.end();
      });
  },
};

/** A file through gzip into the stream of a request, its reply into a sink: four streams that hold one another back. */
async function throughPipeline({ port, library }, path, slow) {
  const { HTTPConnection } = await import(pathToFileURL(library).href);
  const connection = new HTTPConnection('127.0.0.1', port);
  const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return async (bytes, query) => {
    const file = join(folder, String(bytes));
    if (!existsSync(file)) truncateSync(openFile(file), bytes);
    let received = 0;
    let pauseAt = EVERY;
    await pipeline(
      createReadStream(file),
      // Not compressed, so that a GiB goes over the wire.
      createGzip({ level: 0 }),
      connection.stream('PUT', path + query),
      async (body) => {
        for await (const piece of body) {
          received += piece.length;
          if (!slow || received < pauseAt) continue;
          pauseAt += EVERY;
          await sleep(PAUSE_MS);
        }
      },
    );
    if (slow && received < bytes) throw new Error(`${received} bytes came back of ${bytes}`);
  };
}

function openFile(file) {
  writeFileSync(file, '');
  return file;
}

async function exchangeOf(task) {
  const { client, direction, port, library } = task;
  if (direction === 'pipeline, slow server') return throughPipeline(task, '/sink', false);
  if (direction === 'pipeline, slow sink') {
    const exchange = await throughPipeline(task, '/echo', true);
    return (bytes) => exchange(bytes, '');
  }
  const send = await clients[client](port, library);
  return async (bytes, query) => {
    if (direction === 'upload') await readCount(await send('PUT', `/sink${query}`, pieces(bytes)), bytes);
    else await readSlowly(await send('GET', `/length/${bytes}`), bytes);
  };
}

async function measure(task) {
  const exchange = await exchangeOf(task);
  await exchange(4 * MIB, '');
  globalThis.gc();
  const base = process.memoryUsage.rss();
  const start = performance.now();
  await exchange(GIB, `?slow=${PAUSE_MS}&every=${EVERY}`);
  const peak = process.resourceUsage().maxRSS * 1024;
  return { base, peak, seconds: (performance.now() - start) / 1000 };
}

async function compare({ peers, library }) {
  const server = await startServer();
  let failed = false;
  const mib = (bytes) => (bytes / MIB).toFixed(1).padStart(6);
  for (const client of peers ? Object.keys(clients) : ['millrace']) {
    const pipelines = client === 'millrace' ? ['pipeline, slow server', 'pipeline, slow sink'] : [];
    for (const direction of ['upload', 'download', ...pipelines]) {
      const task = JSON.stringify({ client, direction, port: server.port, library });
      const command = [process.execPath, '--expose-gc', new URL(import.meta.url).pathname, '--task', task];
      const child = new Child('client', command, client);
      const { base, peak, seconds } = await child.next();
      await child.stop();
      const tooMuch = client === 'millrace' && peak - base > LIMIT;
      failed ||= tooMuch;
      process.stdout.write(
        `${client.padEnd(10)} ${direction.padEnd(22)} 1 GiB, slow other side: peak ${mib(peak - base)} MiB above ` +
          `the base of ${mib(base)} MiB${tooMuch ? `: over the limit of ${LIMIT / MIB} MiB` : ''} ` +
          `(${seconds.toFixed(1)} s)\n`,
      );
    }
  }
  await server.child.stop();
  return failed ? 1 : 0;
}

const { values: flags } = parseArgs({
  options: {
    peers: { type: 'boolean', default: false },
    library: { type: 'string', default: new URL('../dist/index.mjs', import.meta.url).pathname },
    task: { type: 'string' },
  },
});

if (flags.task === undefined) process.exit(await compare(flags));
process.stdout.write(`${JSON.stringify(await measure(JSON.parse(flags.task)))}\n`, () => process.exit(0));
