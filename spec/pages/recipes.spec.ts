/**
 * The recipes in docs/examples, run: each as the program that it is, in a thread of its own, against servers on loopback. The library's name
 * is replaced by its path, and nothing else. They run side by side, and each test looks at one of them.
 */
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { expect } from 'chai';
import { HTTPConnection } from '../../lib/index.js';
import { tableRows } from '../support/markdown.js';
import { authority, freePath, identity } from '../support/raw-server.js';
import { BIG, digestOf, startRecipeServers } from '../support/recipe-servers.js';
import type { RecipeServers } from '../support/recipe-servers.js';

const root = new URL('../../../', import.meta.url);
const sources = new URL('docs/examples/', root);

/** A folder where the package is installed, to run the recipes there as they are (`npm run package:check` does so). */
const installed = process.env['RECIPES_IN'];
const workshop =
  installed === undefined ? new URL('./recipes/', import.meta.url) : pathToFileURL(`${installed}/`);
const library = installed === undefined ? '../../../lib/index.js' : 'millrace';

const workers = new Set<Worker>();

/** A recipe that runs. */
class Running {
  readonly worker: Worker;
  readonly ended: Promise<void>;
  printed = '';
  complained = '';
  #failure: Error | null = null;
  #over = false;

  constructor(name: string, args: readonly (string | number)[], env: Record<string, string> = {}) {
    this.worker = new Worker(new URL(name, workshop), {
      argv: args.map(String),
      env: { ...process.env, ...env },
      stdin: true,
      stdout: true,
      stderr: true,
    });
    this.worker.stdout.setEncoding('utf8').on('data', (piece: string) => (this.printed += piece));
    this.worker.stderr.setEncoding('utf8').on('data', (piece: string) => (this.complained += piece));
    this.worker.on('error', (error) => {
      this.#failure = error;
    });
    workers.add(this.worker);
    this.ended = once(this.worker, 'exit').then(() => {
      this.#over = true;
    });
  }

  /** Everything it printed, once it has ended by itself. */
  async output(): Promise<string> {
    await this.ended;
    if (this.#failure !== null) throw this.#failure;
    return this.printed;
  }

  /** Resolves as soon as it has printed that. */
  async until(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.printed);
      if (match !== null) return match;
      if (this.#failure !== null) throw this.#failure;
      if (this.#over) throw new Error(`it ended without ${String(pattern)}: ${this.complained}`);
      await sleep(5);
    }
  }
}

describe('the recipes', () => {
  const directory = mkdtempSync(join(tmpdir(), 'recipes-'));
  const file = join(directory, 'file.bin');
  const bytes = Buffer.alloc(500_000, 'content of a file ');
  const socket = freePath();
  let servers: RecipeServers;
  const started = new Map<string, Promise<unknown>>();

  const run = (name: string, ...args: (string | number)[]): Promise<string> =>
    new Running(name, args).output();

  /** What each recipe is run with, and what it has to do. */
  const CASES: Record<string, () => Promise<unknown>> = {
    'upload-progress.mjs': async () => {
      const recipe = new Running('upload-progress.mjs', [`${servers.url}/upload`, file]);
      expect(await recipe.output()).to.equal('\n200 got 500000 bytes\n');
      expect(recipe.complained).to.match(/^\r\d+ %.*\r100 %$/s);
      expect(servers.seen.uploads.get('/upload')?.[0]?.framing).to.equal('500000');
    },

    'reverse-proxy.mjs': async () => {
      const recipe = new Running('reverse-proxy.mjs', [servers.url, 0]);
      const port = Number((await recipe.until(/listening on (\d+)/))[1]);
      const conn = new HTTPConnection('127.0.0.1', port);

      await conn.request('PUT', '/echo', bytes);
      expect(digestOf(await (await conn.getResponse()).readall())).to.equal(digestOf(bytes));

      await conn.request('GET', '/fields', null, { Connection: 'X-Hop', 'X-Hop': 'one', 'X-Kept': 'two' });
      const answer = await conn.getResponse();
      expect([answer.getHeader('x-kept'), await answer.text()]).to.deep.equal(['yes', 'fields']);
      expect(servers.seen.fields.find((fields) => fields['x-kept'] === 'two')).not.to.have.property('x-hop');

      // The origin refuses while the upload runs: the client gets the refusal.
      async function* endless(): AsyncGenerator<Buffer> {
        for (;;) {
          yield Buffer.alloc(16_384);
          await sleep(1);
        }
      }
      const upload = new HTTPConnection('127.0.0.1', port);
      const sent = upload.request('PUT', '/limit', endless());
      const refused = await upload.getResponse();
      expect([refused.status, await refused.text()]).to.deep.equal([413, 'too large']);
      await sent;
      upload.close();

      // A client that had sent it all already goes on with its connection.
      for (let i = 0; i < 10; i++) {
        await conn.request('PUT', '/limit', Buffer.alloc(2_000_000));
        expect(await (await conn.getResponse()).text()).to.equal('too large');
        await conn.request('GET', '/fields');
        expect(await (await conn.getResponse()).text()).to.equal('fields');
      }

      // A client that does not read stops the origin, and one that goes away ends its request.
      await conn.request('GET', '/flood');
      const flood = await conn.getResponse();
      await flood.readbytes(1000);
      await sleep(200);
      expect(servers.seen.flooded).to.be.below(64 * 1024 * 1024);
      expect(servers.seen.floodStopped).to.equal(false);
      flood.destroy();
      while (!servers.seen.floodStopped) await sleep(5);
    },

    's3-multipart.mjs': async () => {
      const recipe = new Running('s3-multipart.mjs', [`${servers.url}/bucket/key`, 200_000]);
      recipe.worker.stdin?.end(bytes);
      expect(await recipe.output()).to.equal('3 parts\n');
      expect(servers.seen.parts).to.deep.equal([200_000, 200_000, 100_000]);
      expect(servers.seen.completed).to.match(/<PartNumber>3<\/PartNumber><ETag>"part-3"<\/ETag>/);
    },

    'server-sent-events.mjs': async () => {
      expect(await run('server-sent-events.mjs', `${servers.url}/events`)).to.equal(
        'message: eins\nmessage: zwei\nnews: drei\n',
      );
    },

    'ndjson-follow.mjs': async () => {
      expect(await run('ndjson-follow.mjs', `${servers.url}/changes`)).to.equal('1 ü1\n2 ü2\n3 ü3\n4 ü4\n');
    },

    'docker-exec.mjs': async () => {
      const recipe = new Running('docker-exec.mjs', ['box', 'sh'], { DOCKER_SOCKET: socket });
      recipe.worker.stdin?.write('say it\n');
      await recipe.until(/SAY IT/);
      recipe.worker.stdin?.end();
      expect(await recipe.output()).to.equal('$ SAY IT\n');
    },

    'websocket.mjs': async () => {
      expect(await run('websocket.mjs', '127.0.0.1', servers.webSocketPort, '/chat')).to.equal(
        'received: welcome\nreceived: you said hello\n',
      );
    },

    'mutual-tls.mjs': async () => {
      const { key, cert } = identity('client');
      const files = { 'authority.pem': authority(), 'client.pem': cert, 'client.key.pem': key };
      for (const [name, content] of Object.entries(files)) writeFileSync(join(directory, name), content);
      const paths = Object.keys(files).map((name) => join(directory, name));
      expect(await run('mutual-tls.mjs', servers.tlsURL, ...paths)).to.match(/^200 hello client/);
    },

    'cancel.mjs': async () => {
      expect(await run('cancel.mjs', `${servers.url}/slow`, 50)).to.match(/^given up: .*timeout/);
    },

    'checksum-trailer.mjs': async () => {
      expect(await run('checksum-trailer.mjs', `${servers.url}/store`, file)).to.equal(
        '200, both checksums are right\n',
      );
    },

    'socks-proxy.mjs': async () => {
      const url = new URL('/home', servers.url.replace('127.0.0.1', 'site.test'));
      const proxy = `127.0.0.1:${String(servers.socksPort)}`;
      expect(await run('socks-proxy.mjs', proxy, url.href)).to.equal('200 cookie: none\n');
      expect(servers.seen.destinations).to.deep.equal([url.host]);
    },

    'in-process.mjs': async () => {
      expect(await run('in-process.mjs')).to.equal('200 GET /path\n');
    },

    'retry-factory.mjs': async () => {
      expect(await run('retry-factory.mjs', `${servers.url}/flaky`, file)).to.equal(
        'attempt 1: 503\ndone: 200 taken\n',
      );
      expect(servers.seen.uploads.get('/flaky')?.at(-1)?.digest).to.equal(digestOf(bytes));
    },

    'many-downloads.mjs': async () => {
      const names = ['1', '2', '3', '4', '5', 'missing'];
      const urls = names.map((name) => `${servers.url}/files/${name}`);
      const lines = (await run('many-downloads.mjs', 2, directory, ...urls)).trim().split('\n');
      const expected = urls.map((url) =>
        url.endsWith('g') ? `failed ${url}: 404 Not Found` : `saved ${url}`,
      );
      expect(lines.toSorted()).to.deep.equal(expected.toSorted());
      expect(readFileSync(join(directory, '5'), 'utf8')).to.equal('/files/5'.repeat(1000));
      expect(servers.seen.mostAtOnce).to.equal(2);
    },

    'cookies.mjs': async () => {
      expect(await run('cookies.mjs', `${servers.url}/login`)).to.equal(
        `${servers.url}/home cookie: session=42\n`,
      );
    },

    'resumable-download.mjs': async () => {
      const to = join(directory, 'big');
      expect(await run('resumable-download.mjs', `${servers.url}/big`, to)).to.equal(
        `${String(BIG.length)} bytes, gone on with 2 times\n`,
      );
      expect(digestOf(readFileSync(to))).to.equal(digestOf(BIG));
    },

    'opentelemetry.mjs': async () => {
      const spans = JSON.parse(await run('try-opentelemetry.mjs', servers.url)) as Span[];
      const { host, port } = new URL(servers.url);
      expect(spans.map(({ name, kind }) => [name, kind])).to.deep.equal([
        ['GET', 2],
        ['GET', 2],
        ['HTTP', 2],
        ['GET', 2],
      ]);
      const [ok, missing, purge, cut] = spans;
      expect(ok?.attributes).to.deep.equal({
        'http.request.method': 'GET',
        'http.response.status_code': 200,
        'network.peer.address': '127.0.0.1',
        'network.protocol.version': '1.1',
        'server.address': '127.0.0.1',
        'server.port': Number(port),
        'url.full': `http://${host}/fields`,
      });
      expect([ok?.status.code, ok?.hasParent]).to.deep.equal([0, true]);
      expect(servers.seen.fields.map(({ traceparent }) => traceparent)).to.include(ok?.traceparent);
      expect([missing?.attributes['error.type'], missing?.status.code]).to.deep.equal(['404', 2]);
      expect(purge?.attributes).to.include({
        'http.request.method': '_OTHER',
        'http.request.method_original': 'PURGE',
      });
      expect([cut?.attributes['error.type'], cut?.status.code]).to.deep.equal(['ERR_INCOMPLETE_READ', 2]);
    },

    'prometheus.mjs': async () => {
      const metrics = await run('try-prometheus.mjs', servers.url);
      for (const line of [
        'http_client_request_duration_seconds_count{method="GET",status="200"} 1',
        'http_client_request_duration_seconds_count{method="PUT",status="503"} 1',
        'http_client_request_duration_seconds_count{method="PUT",status="200"} 1',
        'http_client_failures_total{method="GET",code="ERR_INCOMPLETE_READ"} 1',
        'http_client_retries_total 1',
        'http_client_connections 0',
      ])
        expect(metrics.split('\n')).to.include(line);
      expect(metrics).to.match(/http_client_bytes_total\{direction="received"\} [1-9]/);
    },
  };

  before(async () => {
    rmSync(workshop, { recursive: true, force: true });
    mkdirSync(workshop);
    for (const name of readdirSync(sources)) {
      const code = readFileSync(new URL(name, sources), 'utf8');
      writeFileSync(new URL(name, workshop), code.replaceAll("from 'millrace'", `from '${library}'`));
    }
    for (const [name, code] of Object.entries(PROGRAMS))
      writeFileSync(new URL(name, workshop), code.replaceAll("from 'millrace'", `from '${library}'`));
    writeFileSync(file, bytes);
    servers = await startRecipeServers(socket);
    for (const [name, start] of Object.entries(CASES)) {
      const result = start();
      result.catch(() => undefined);
      started.set(name, result);
    }
  });

  after(async () => {
    // Those that go on by themselves, and those whose test has failed.
    await Promise.all(Array.from(workers, (worker) => worker.terminate()));
    await servers.close();
    rmSync(directory, { recursive: true, force: true });
  });

  for (const name of readdirSync(sources)) {
    it(`${name} does what it says`, async () => {
      expect(Object.keys(CASES)).to.include(name);
      await started.get(name);
    });
  }

  it('are all on their page, with the packages that they need', () => {
    const rows = tableRows(readFileSync(new URL('docs/recipes.md', root), 'utf8'), 'Recipes');
    const listed = rows.map(([, link = '']) => /\]\(examples\/([^)]+)\)/.exec(link)?.[1] ?? '');
    expect(listed.toSorted()).to.deep.equal(readdirSync(sources).toSorted());
    for (const [index, name] of listed.entries()) {
      const code = readFileSync(new URL(name, sources), 'utf8');
      const packages = Array.from(code.matchAll(/from '((?!node:|millrace)[^']+)'/g), (match) => match[1]);
      for (const used of packages) expect(rows[index]?.[2], name).to.include(`\`${used ?? ''}\``);
    }
  });
});

interface Span {
  name: string;
  kind: number;
  attributes: Record<string, unknown>;
  status: { code: number };
  hasParent: boolean;
  traceparent: string;
}

/** Programs that use the recipes that are modules: not in this process, where subscribers would stay. */
const PROGRAMS = {
  'try-opentelemetry.mjs': `
import { AsyncLocalStorage } from 'node:async_hooks';
import { context, propagation, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { HTTPClient, HTTPConnection } from 'millrace';
import { traceRequests } from './opentelemetry.mjs';
const storage = new AsyncLocalStorage();
context.setGlobalContextManager({
  active: () => storage.getStore() ?? ROOT_CONTEXT,
  with: (active, run, self, ...args) => storage.run(active, () => run.apply(self, args)),
  bind: (active, target) => target,
  enable() { return this; },
  disable() { return this; },
});
propagation.setGlobalPropagator(new W3CTraceContextPropagator());
const exporter = new InMemorySpanExporter();
const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
const tracer = provider.getTracer('spec');
traceRequests(tracer);
const [url] = process.argv.slice(2);
const client = new HTTPClient({ maxConnections: 1 });
const get = async (path, method = 'GET') => {
  try {
    await (await client.request(method, url + path)).readall();
  } catch {}
};
// Behind a wait, on a connection that others use as well: the caller's context all the same.
const parent = tracer.startSpan('parent');
await context.with(trace.setSpan(ROOT_CONTEXT, parent), () => get('/fields'));
await get('/missing');
await get('/missing', 'PURGE');
const { hostname, port } = new URL(url);
const conn = new HTTPConnection(hostname, Number(port));
await conn.request('GET', '/cut');
await (await conn.getResponse()).readall().catch(() => undefined);
await client.close();
console.log(JSON.stringify(exporter.getFinishedSpans().map((span) => {
  const { traceId, spanId } = span.spanContext();
  const { name, kind, attributes, status } = span;
  const hasParent = span.parentSpanContext?.spanId === parent.spanContext().spanId;
  return { name, kind, attributes, status, hasParent, traceparent: '00-' + traceId + '-' + spanId + '-01' };
})));
`,
  'try-prometheus.mjs': `
import { setTimeout as sleep } from 'node:timers/promises';
import { Registry } from 'prom-client';
import { HTTPClient } from 'millrace';
import { measureRequests } from './prometheus.mjs';
const registry = new Registry();
measureRequests([registry]);
const [url] = process.argv.slice(2);
const client = new HTTPClient();
await (await client.request('GET', url + '/home')).text();
await (await client.request('PUT', url + '/flaky-metrics', 'x', {}, { retries: 1 })).text();
await (await client.request('GET', url + '/cut')).text().catch(() => undefined);
await client.close();
await sleep(20);
console.log(await registry.metrics());
`,
};
