// An example that measures itself: bodies downloaded and hashed (SHA-256) by 1, 2, 4 … worker threads of one
// process. Connections cannot cross threads, so each worker opens its own; what is handed out is work, not sockets.
// The server runs in another process and takes part of the machine: on N cores expect less than N times the speed.
//   node bench/workers.mjs [--workers N] [--bodies N] [--library FILE]
import { createHash } from 'node:crypto';
import os from 'node:os';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

const BODY_BYTES = 64 * 2 ** 20;

/** In a worker: takes the next body from the shared counter until none is left. */
async function downloadBodies({ library, port, counter }) {
  const { HTTPConnection } = await import(pathToFileURL(library).href);
  const connection = new HTTPConnection('127.0.0.1', port);
  const digests = new Set();
  let received = 0;
  while (Atomics.sub(counter, 0, 1) > 0) {
    await connection.request('GET', `/length/${BODY_BYTES}`);
    const response = await connection.getResponse();
    const hash = createHash('sha256');
    for await (const piece of response) {
      hash.update(piece);
      received += piece.length;
    }
    digests.add(hash.digest('hex'));
  }
  connection.close();
  return { received, digests };
}

function inWorker(task) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: task });
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

async function measure(workers, bodies, task) {
  const counter = new Int32Array(new SharedArrayBuffer(4)).fill(bodies);
  const cpu = process.cpuUsage();
  const start = performance.now();
  const done = await Promise.all(Array.from({ length: workers }, () => inWorker({ ...task, counter })));
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const received = done.reduce((sum, one) => sum + one.received, 0);
  const digests = new Set(done.flatMap((one) => [...one.digests]));
  if (received !== bodies * BODY_BYTES || digests.size !== 1)
    throw new Error('the bodies did not arrive whole');
  process.stdout.write(
    `${workers} worker${workers === 1 ? ' ' : 's'}  ${(received / 2 ** 20 / seconds).toFixed(0).padStart(6)} MiB/s` +
      `  CPU ${((user + system) / 1e6).toFixed(2)} s in ${seconds.toFixed(2)} s\n`,
  );
}

async function main() {
  const { values: flags } = parseArgs({
    options: {
      workers: { type: 'string', default: String(Math.max(2, os.availableParallelism() / 2)) },
      bodies: { type: 'string', default: '48' },
      library: { type: 'string', default: new URL('../dist/index.mjs', import.meta.url).pathname },
    },
  });
  const { startServer } = await import('./children.mjs');
  const server = await startServer('anywhere');
  process.stdout.write(
    `Node ${process.versions.node}, ${os.availableParallelism()} cores, the server on the same\n`,
  );
  const task = { library: flags.library, port: server.port };
  for (let workers = 1; workers <= Number(flags.workers); workers *= 2) {
    await measure(workers, Number(flags.bodies), task);
  }
  await server.child.stop();
}

if (isMainThread) await main();
else parentPort.postMessage(await downloadBodies(workerData));
