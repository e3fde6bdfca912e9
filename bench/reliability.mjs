// What clients do where the network is unkind: an early answer to an upload that is not read, connections that the server closes
// behind each reply, and limits that have to fire in time. Prints successes out of tries, as Markdown, beside node:http and undici.
//
//   node bench/reliability.mjs [--tries 150] [--library FILE] [--only early|stale|latency|timeouts] [--json FILE]
//
// The servers run in a process of their own: this very file, started with `serve`. Every try has a limit of its own, so that a client
// that hangs is counted and not waited for.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import os from 'node:os';
import { join } from 'node:path';
import { duplexPair, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import tls from 'node:tls';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { makeCertificate } from './servers/certificate.mjs';

const SIZES = [65_536, 262_144, 1_048_576, 4_194_304, 16_777_216];
const REFUSAL_BODY = 'n'.repeat(20_000);
const REFUSAL = `HTTP/1.1 413 Content Too Large\r\nContent-Length: ${REFUSAL_BODY.length}\r\n\r\n${REFUSAL_BODY}`;
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const TRY_MS = 5000;

// The servers.

function refuse(socket) {
  socket.on('error', () => {});
  socket.once('data', () => {
    socket.pause();
    socket.end(REFUSAL, () => socket.destroy());
  });
}

function answering(answer) {
  return (socket) => {
    socket.on('error', () => {});
    socket.on('data', () => answer(socket));
  };
}

const STALLS = {
  '/response': () => {},
  '/body': (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome'),
  '/send': (socket) => socket.pause(),
};

function stall(socket) {
  socket.on('error', () => {});
  socket.once('data', (bytes) => STALLS[bytes.toString('latin1').split(' ')[1]]?.(socket));
}

async function serve() {
  const certificate = makeCertificate();
  const listen = async (server) => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return server.address().port;
  };
  const settings = { noDelay: true };
  const ports = {
    refuse: await listen(net.createServer(settings, refuse)),
    FIN: await listen(
      net.createServer(
        settings,
        answering((socket) => socket.end(OK)),
      ),
    ),
    RST: await listen(
      net.createServer(
        settings,
        answering((socket) => socket.write(OK, () => socket.resetAndDestroy())),
      ),
    ),
    polite: await listen(
      net.createServer(
        settings,
        answering((socket) => socket.write(OK)),
      ),
    ),
    stall: await listen(net.createServer(settings, stall)),
    mute: await listen(net.createServer(settings, (socket) => socket.on('error', () => {}).resume())),
  };
  if (certificate !== null) {
    const server = tls.createServer({ ...settings, ...certificate }, refuse);
    server.on('tlsClientError', () => {});
    ports.refuseTLS = await listen(server);
  }
  process.send({ ports, ca: certificate?.cert ?? null });
  process.once('disconnect', () => process.exit());
}

/** In the place of a port: the server is at the other end of a stream in this process, which only `createConnection` reaches. */
const MEMORY = 'memory';

function refusingStream() {
  const [near, far] = duplexPair();
  refuse(far);
  return near;
}

// The clients: each answers the status and the length of the body.

async function clients(library, ca) {
  const millrace = await import(pathToFileURL(library));
  const undici = await import('undici');
  const connect = (port, secure) => {
    if (port === MEMORY)
      return new millrace.HTTPConnection('memory', 80, { createConnection: refusingStream });
    return secure
      ? new millrace.HTTPSConnection('127.0.0.1', port, { context: { ca } })
      : new millrace.HTTPConnection('127.0.0.1', port);
  };
  return {
    millrace: {
      version: 'this build',
      open(port, secure) {
        const connection = connect(port, secure);
        return {
          async send(method, body, length) {
            const headers = length === null ? {} : { 'Content-Length': length };
            const sent = connection.request(method, '/', body, headers);
            const head = await connection.getResponse();
            const content = await head.readall();
            await sent;
            return { status: head.status, length: content.length };
          },
          close: () => connection.close(),
        };
      },
    },
    'millrace stream': {
      version: 'this build',
      open(port, secure) {
        const connection = connect(port, secure);
        return {
          async send(method, body, length) {
            const headers = length === null ? {} : { 'Content-Length': length };
            const stream = connection.stream(method, '/', headers);
            if (body !== null) Readable.from(Buffer.isBuffer(body) ? [body] : body).pipe(stream);
            let received = 0;
            for await (const piece of stream) received += piece.length;
            return { status: (await stream.response).status, length: received };
          },
          close: () => connection.close(),
        };
      },
    },
    'node:http': {
      version: process.version,
      open(port, secure) {
        const module = secure ? https : http;
        const agent = new module.Agent({ keepAlive: true, maxSockets: 1, ca });
        return {
          send: (method, body, length) =>
            new Promise((resolve, reject) => {
              const headers = length === null ? {} : { 'Content-Length': length };
              const request = module.request({ host: '127.0.0.1', port, method, headers, agent });
              request.once('error', reject);
              request.once('response', (response) => {
                let received = 0;
                response.on('data', (piece) => (received += piece.length));
                response.once('error', reject);
                response.once('end', () => resolve({ status: response.statusCode, length: received }));
              });
              if (body === null || Buffer.isBuffer(body)) request.end(body ?? undefined);
              else pipeline(Readable.from(body), request).catch(reject);
            }),
          close: () => agent.destroy(),
        };
      },
    },
    undici: {
      version: undici.version ?? (await packageVersion('undici')),
      open(port, secure) {
        const client = new undici.Client(`${secure ? 'https' : 'http'}://127.0.0.1:${port}`, {
          pipelining: 1,
          connect: { ca },
        });
        return {
          async send(method, body, length) {
            const headers = length === null ? {} : { 'content-length': String(length) };
            const response = await client.request({ method, path: '/', body, headers });
            const content = await response.body.arrayBuffer();
            return { status: response.statusCode, length: content.byteLength };
          },
          close: () => client.destroy().catch(() => {}),
        };
      },
    },
  };
}

async function packageVersion(name) {
  const { default: data } = await import(`./node_modules/${name}/package.json`, { with: { type: 'json' } });
  return data.version;
}

// The tries.

/** How an action ended: true, false, or `reused` for a failure that names itself safe to send again. */
async function outcome(action) {
  let timer;
  const limit = new Promise((resolve) => {
    timer = setTimeout(resolve, TRY_MS, false);
  });
  const settled = action().then(Boolean, (error) =>
    error.reused === true && error.bytesReceived === 0 ? 'reused' : false,
  );
  try {
    return await Promise.race([settled, limit]);
  } finally {
    clearTimeout(timer);
  }
}

async function* generate(size) {
  for (let left = size; left > 0; left -= 65_536) yield Buffer.alloc(Math.min(left, 65_536));
}

async function earlyGrid(subjects, ports, tries, file) {
  const kinds = {
    'known length': (size) => [Buffer.alloc(size), size],
    generator: (size) => [generate(size), null],
    file: (size) => [createReadStream(file, { end: size - 1 }), size],
  };
  const rows = [];
  for (const [transport, port] of [
    ['TCP', ports.refuse],
    ['TLS', ports.refuseTLS],
    ['a stream in memory', MEMORY],
  ]) {
    if (port === undefined) continue;
    for (const [kind, make] of Object.entries(kinds)) {
      const row = [`413, close without reading; ${kind}; ${transport}`];
      for (const [name, { open }] of Object.entries(subjects)) {
        if (port === MEMORY && !name.startsWith('millrace')) {
          row.push('');
          continue;
        }
        let successes = 0;
        for (let i = 0; i < tries; i++) {
          const client = open(port, transport === 'TLS');
          const [body, length] = make(SIZES[i % SIZES.length]);
          const ended = await outcome(async () => {
            const { status, length: received } = await client.send('POST', body, length);
            return status === 413 && received === REFUSAL_BODY.length;
          });
          if (ended === true) successes++;
          client.close();
          if (typeof body.destroy === 'function') body.destroy();
        }
        row.push(`${successes} of ${tries}`);
      }
      rows.push(row);
    }
  }
  return rows;
}

async function staleGrid(subjects, ports, tries) {
  const rows = [];
  for (const end of ['FIN', 'RST']) {
    const row = [`${end} behind each reply, request after request`];
    for (const { open } of Object.values(subjects)) {
      const client = open(ports[end], false);
      const counts = { true: 0, false: 0, reused: 0 };
      for (let i = 0; i < tries; i++) {
        counts[await outcome(async () => (await client.send('GET', null, null)).status === 200)]++;
      }
      client.close();
      const marked = counts.reused > 0 ? `, ${counts.reused} of the rest say they may be sent again` : '';
      row.push(`${counts.true} of ${tries}${marked}`);
    }
    rows.push(row);
  }
  return rows;
}

/** What looking for a close before each reuse costs: the median of a GET on a kept connection. */
async function latency(subjects, ports) {
  const row = ['median of a GET on a kept connection, µs'];
  for (const { open } of Object.values(subjects)) {
    const client = open(ports.polite, false);
    const samples = [];
    for (let i = 0; i < 4000; i++) {
      const startedAt = performance.now();
      await client.send('GET', null, null);
      if (i >= 1000) samples.push(performance.now() - startedAt);
    }
    client.close();
    row.push((samples.toSorted((a, b) => a - b)[samples.length >> 1] * 1000).toFixed(0));
  }
  return [row];
}

/** How far from its limit each clock of ours fires, in milliseconds: the least and the most. */
async function timeoutTable(library, ports) {
  const { HTTPConnection, HTTPSConnection } = await import(pathToFileURL(library));
  const actions = {
    connect: (ms) => new HTTPSConnection('127.0.0.1', ports.mute, { timeout: { connect: ms } }).connect(),
    response: (ms) => whole('GET', '/response', null, { response: ms }),
    body: (ms) => whole('GET', '/body', null, { body: ms }),
    send: (ms) => whole('POST', '/send', generate(Infinity), { send: ms }),
    total: (ms) => whole('GET', '/body', null, { total: ms }),
  };
  async function whole(method, target, body, timeout) {
    const connection = new HTTPConnection('127.0.0.1', ports.stall, { timeout });
    await connection.connect();
    whole.startedAt = performance.now();
    const sent = connection.request(method, target, body);
    const [response] = await Promise.all([connection.getResponse(), sent]);
    await response.readall();
  }
  const rows = [];
  for (const [timer, action] of Object.entries(actions)) {
    const off = [];
    for (let i = 0; i < 20; i++) {
      const ms = 100 + 10 * i;
      whole.startedAt = performance.now();
      const error = await action(ms).catch((failure) => failure);
      if (error?.timer !== timer) throw new Error(`${timer}: ${String(error)}`);
      off.push(performance.now() - whole.startedAt - ms);
    }
    rows.push([timer, Math.min(...off).toFixed(1), Math.max(...off).toFixed(1)]);
  }
  return rows;
}

function table(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** The grid of early answers as data, for `chart.mjs`; what was not tried is left out. */
async function writeGrid(file, tries, names, rows) {
  const grid = rows
    .filter(([name]) => name.startsWith('413'))
    .map(([name, ...cells]) => ({
      name,
      counts: Object.fromEntries(
        cells.map((cell, i) => [names[i], Number.parseInt(cell)]).filter(([, count]) => count >= 0),
      ),
    }));
  await writeFile(
    file,
    `${JSON.stringify({ date: new Date().toISOString(), node: process.version, tries, grid }, null, 2)}\n`,
  );
}

async function main() {
  const { values } = parseArgs({
    options: {
      tries: { type: 'string', default: '150' },
      library: { type: 'string', default: fileURLToPath(new URL('../dist/index.mjs', import.meta.url)) },
      only: { type: 'string' },
      json: { type: 'string' },
    },
  });
  if (!existsSync(values.library)) throw new Error(`${values.library} is missing: npm run build`);
  const tries = Number(values.tries);
  const wants = (name) => values.only === undefined || values.only === name;
  const server = fork(fileURLToPath(import.meta.url), ['serve']);
  const [{ ports, ca }] = await once(server, 'message');
  const folder = await mkdtemp(join(os.tmpdir(), 'millrace-'));
  try {
    const subjects = await clients(values.library, ca);
    const head = ['', ...Object.entries(subjects).map(([name, { version }]) => `${name} (${version})`)];
    process.stdout.write(
      `${new Date().toISOString().slice(0, 10)}, Node ${process.version}, ${os.platform()} ${os.release()}\n\n`,
    );
    const rows = [];
    if (wants('early')) {
      const file = join(folder, 'body');
      await writeFile(file, Buffer.alloc(SIZES.at(-1)));
      rows.push(...(await earlyGrid(subjects, ports, tries, file)));
    }
    if (wants('stale')) rows.push(...(await staleGrid(subjects, ports, tries)));
    if (wants('latency')) rows.push(...(await latency(subjects, ports)));
    if (values.json !== undefined) await writeGrid(values.json, tries, Object.keys(subjects), rows);
    if (rows.length > 0) process.stdout.write(`${table(head, rows)}\n\n`);
    if (wants('timeouts')) {
      const limits = await timeoutTable(values.library, ports);
      process.stdout.write(`${table(['clock', 'earliest, ms off', 'latest, ms off'], limits)}\n`);
    }
  } finally {
    await rm(folder, { recursive: true });
    server.disconnect();
  }
}

if (process.argv[2] === 'serve') await serve();
else await main();
