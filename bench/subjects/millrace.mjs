// How the bench calls millrace: the published bundle, one connection per client, a new connection never needed.
import { subscribe } from 'node:diagnostics_channel';
import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { pathToFileURL } from 'node:url';
import { BodyCheck } from '../body-check.mjs';
import {
  bodyChecks,
  bodySource,
  checkCount,
  checkSize,
  hostURLs,
  inLoops,
  latencies,
  lookUpLocal,
  loopLatencies,
  uploadFile,
} from './loops.mjs';

async function library(options) {
  try {
    return await import(pathToFileURL(options.library).href);
  } catch (cause) {
    if (cause.code !== 'ERR_MODULE_NOT_FOUND') throw cause;
    throw Object.assign(new Error('not built'), { unavailable: true });
  }
}

async function connector(options) {
  const { HTTPConnection, HTTPSConnection } = await library(options);
  if (options.tunnel) {
    return () => {
      const connection = new HTTPSConnection('127.0.0.1', options.plainPort, { context: { ca: options.ca } });
      connection.setTunnel('127.0.0.1', options.port);
      return connection;
    };
  }
  if (!options.ca) return () => new HTTPConnection('127.0.0.1', options.port);
  return () => new HTTPSConnection('127.0.0.1', options.port, { context: { ca: options.ca } });
}

async function getOnce(client, path) {
  const { connection, check } = client;
  await connection.request('GET', path);
  const response = await connection.getResponse();
  for await (const piece of response) check.piece(piece);
  check.end();
}

async function getLoop(client, budget) {
  const { connection, check } = client;
  while (budget.left-- > 0) {
    await connection.request('GET', '/');
    const response = await connection.getResponse();
    for await (const piece of response) check.piece(piece);
    check.end();
  }
}

async function clients(options, count) {
  const connect = await connector(options);
  return Array.from({ length: count }, () => ({
    connection: connect(),
    check: new BodyCheck(options.bytes, options.period),
  }));
}

export async function get(options) {
  const all = await clients(options, options.connections);
  return { run: (count) => inLoops(all, count, getLoop) };
}

export async function latency(options) {
  const [client] = await clients(options, 1);
  return { run: (count) => latencies(() => getOnce(client, '/'), count) };
}

export async function download(options) {
  const [client] = await clients(options, 1);
  return {
    async run(count) {
      for (let i = 0; i < count; i++) await getOnce(client, options.path);
    },
  };
}

export async function downloadInto(options) {
  const [{ connection, check }] = await clients(options, 1);
  const view = new Uint8Array(options.viewBytes);
  return {
    async run(count) {
      for (let i = 0; i < count; i++) {
        await connection.request('GET', options.path);
        const response = await connection.getResponse();
        for (let size; (size = await response.readinto(view)) > 0;) check.piece(view, size);
        check.end();
      }
    },
  };
}

export async function downloadSave(options) {
  const [{ connection }] = await clients(options, 1);
  return {
    async run(count) {
      for (let i = 0; i < count; i++) {
        await connection.request('GET', options.path);
        const response = await connection.getResponse();
        checkSize(await response.save(options.file), options.bytes);
      }
    },
  };
}

export async function upload(options) {
  const [{ connection }] = await clients(options, 1);
  const source = bodySource(options);
  return {
    async run(count) {
      for (let i = 0; i < count; i++) {
        await connection.request('PUT', '/sink', source());
        const response = await connection.getResponse();
        checkCount(await response.text(), options.bytes);
      }
    },
  };
}

/** A file by its handle, with the length declared, as curl -T does it. */
export async function uploadHandle(options) {
  const [{ connection }] = await clients(options, 1);
  const file = uploadFile(options.bytes);
  process.on('exit', file.remove);
  return {
    async run(count) {
      for (let i = 0; i < count; i++) {
        const handle = await open(file.path);
        await connection.request('PUT', '/sink', handle, { 'Content-Length': options.bytes });
        const response = await connection.getResponse();
        checkCount(await response.text(), options.bytes);
        await handle.close();
      }
    },
  };
}

/** The same source as `upload`, through `pipeline` and the stream of a request. */
export async function uploadStream(options) {
  const [{ connection }] = await clients(options, 1);
  const source = bodySource(options);
  return {
    async run(count) {
      for (let i = 0; i < count; i++) {
        let text = '';
        await pipeline(source(), connection.stream('PUT', '/sink'), async (body) => {
          for await (const piece of body) text += piece.toString('latin1');
        });
        checkCount(text, options.bytes);
      }
    },
  };
}

/** `get` while somebody watches every request. */
export function watched(options) {
  for (const what of ['start', 'sent', 'headers', 'end', 'error']) {
    subscribe(`millrace:request:${what}`, () => {});
  }
  return get(options);
}

export async function pool(options) {
  const { HTTPConnectionPool } = await library(options);
  if (HTTPConnectionPool === undefined) {
    throw Object.assign(new Error('not built'), { unavailable: true });
  }
  const shared = new HTTPConnectionPool(`http://127.0.0.1:${options.port}`, {
    maxConnections: options.connections,
  });
  const checks = Array.from(
    { length: options.connections },
    () => new BodyCheck(options.bytes, options.period),
  );
  return {
    run: (count) =>
      inLoops(checks, count, async (check, budget) => {
        while (budget.left-- > 0) {
          const response = await shared.request('GET', '/');
          for await (const piece of response) check.piece(piece);
          check.end();
        }
      }),
  };
}

/** How long each of many loops on one pool waits for its bodies. */
export async function poolLatency(options) {
  const { HTTPConnectionPool } = await library(options);
  const shared = new HTTPConnectionPool(`http://127.0.0.1:${options.port}`, {
    maxConnections: options.connections,
  });
  const checks = bodyChecks(options);
  return {
    run: (count) =>
      loopLatencies(
        checks,
        async (check) => {
          for await (const piece of await shared.request('GET', '/')) check.piece(piece);
          check.end();
        },
        count,
      ),
  };
}

/** One client for many origins: names that all lead to the one server. */
export async function hosts(options) {
  const { HTTPClient } = await library(options);
  const client = new HTTPClient({ lookup: lookUpLocal });
  const urls = hostURLs(options);
  const checks = bodyChecks(options);
  let next = 0;
  return {
    run: (count) =>
      inLoops(checks, count, async (check, budget) => {
        while (budget.left-- > 0) {
          const response = await client.request('GET', urls[next++ % urls.length]);
          for await (const piece of response) check.piece(piece);
          check.end();
        }
      }),
  };
}

/** Each unit opens one more connection, does one exchange on it and leaves it idle. */
export async function idle(options) {
  const connect = await connector(options);
  const kept = [];
  return {
    async run(count) {
      for (let i = 0; i < count; i++) {
        const client = { connection: connect(), check: new BodyCheck(options.bytes, options.period) };
        kept.push(client);
        await getOnce(client, '/');
      }
    },
  };
}
