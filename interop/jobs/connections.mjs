// What happens to the connection between exchanges: kept for hundreds, closed by the server when idle or after a number of
// requests, closed after each as HTTP/1.0 does, cut in mid-body, over a Unix socket, shared through a pool.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { LARGE, MEDIUM, SIZES } from '../fixtures.mjs';
import { assertFile, downloadAll, get } from './reading.mjs';
import { FILE_HANDLE, GENERATOR, putAndGetBack, READ_STREAM } from './uploads.mjs';
import { forTargets } from './targets.mjs';

const MANY = 500;

// How a server tells which connection a request came by: [field, the part of it that must not change].
const WITNESSES = {
  nginx: ['X-Connection', (value) => value.split(' ')[0]],
  haproxy: ['X-Peer-Port', (value) => value],
  caddy: ['X-Peer', (value) => value],
};

async function manyOnOneSocket(context, connection, url, { count = MANY, witness } = {}) {
  const [field, identity] = witness ?? [];
  const sockets = new Set();
  const ports = new Set();
  const seenByServer = new Set();
  for (let number = 0; number < count; number++) {
    const size = number % 50 === 0 ? 65_537 : 1_000;
    const response = await get(connection, url(size));
    sockets.add(connection.socket);
    ports.add(connection.socket?.localPort);
    if (field !== undefined) seenByServer.add(identity(response.getHeader(field)));
    await assertFile(response, context.files.get(size));
  }
  assert.equal(sockets.size, 1, 'sockets used');
  assert.deepEqual([...ports].length, 1, 'local ports used');
  if (field !== undefined) assert.equal(seenByServer.size, 1, `connections in the server's eyes (${field})`);
  return field === undefined
    ? 'same socket, same local port'
    : 'same socket, same local port, and the server agrees';
}

const many = forTargets(['byLength'], ({ server, byLength: url }) => ({
  title: `${MANY} requests go over one socket`,
  run: async (context) =>
    await manyOnOneSocket(context, context.http(context.port(server)), url, { witness: WITNESSES[server] }),
}));

/** Waits until the connection object has noticed that the server closed its socket. */
async function untilClosed(connection, limitMs = 6_000) {
  const started = Date.now();
  while (connection.socket !== null) {
    assert.ok(Date.now() - started < limitMs, `the server closed no idle connection within ${limitMs} ms`);
    await sleep(10);
  }
}

const idle = forTargets(['impatient'], ({ server, impatient: url }) => ({
  title: 'an idle connection that the server closes is noticed, and the same object goes on',
  run: async (context) => {
    const connection = context.http(context.port(server));
    const ports = new Set();
    for (let round = 0; round < 2; round++) {
      const response = await get(connection, url(MEDIUM));
      ports.add(connection.socket?.localPort);
      await assertFile(response, context.files.get(MEDIUM));
      await untilClosed(connection);
      assert.equal(connection.state, 'Idle');
    }
    assert.equal(ports.size, 2, 'sockets used');
  },
}));

const shortLived = {
  server: 'nginx',
  title: 'a server that ends each connection after five requests costs no request',
  run: async (context) => {
    const connection = context.http(context.port('nginx'));
    const serials = new Set();
    for (let number = 1; number <= 23; number++) {
      const response = await get(connection, '/short-lived/1000.bin');
      const [serial, count] = response.getHeader('X-Connection').split(' ');
      serials.add(serial);
      assert.equal(Number(count), ((number - 1) % 5) + 1, 'the request count of the connection');
      assert.equal(response.willClose, count === '5');
      await assertFile(response, context.files.get(1_000));
    }
    return `23 requests over ${serials.size} connections`;
  },
};

const http10 = {
  server: 'python3',
  needs: ['http10'],
  title: 'HTTP/1.0: downloads arrive whole, a connection for each',
  run: async (context) => {
    const connection = context.http(context.port('http10'));
    const ports = new Set();
    const detail = await downloadAll(
      context,
      connection,
      (size) => `/${size}.bin`,
      (response) => {
        assert.equal(response.version, 10);
        assert.equal(response.willClose, true);
      },
    );
    for (let number = 0; number < 3; number++) {
      const response = await get(connection, '/0.bin');
      ports.add(connection.socket?.localPort ?? `gone ${number}`);
      await response.readall();
    }
    assert.equal(ports.size, 3, 'sockets used');
    return detail;
  },
};

const http11 = {
  server: 'python3',
  needs: ['http11'],
  title: 'HTTP/1.1: downloads arrive whole over one socket, and If-Modified-Since gives 304',
  run: async (context) => {
    const connection = context.http(context.port('http11'));
    const ports = new Set();
    const detail = await downloadAll(
      context,
      connection,
      (size) => `/${size}.bin`,
      (response) => {
        assert.equal(response.version, 11);
        ports.add(connection.socket?.localPort);
      },
    );
    const first = await get(connection, '/1000.bin');
    await first.readall();
    const unchanged = await get(connection, '/1000.bin', {
      'If-Modified-Since': first.getHeader('Last-Modified'),
    });
    assert.equal(unchanged.status, 304);
    await assertFile(await get(connection, '/1000.bin'), context.files.get(1_000));
    // A complete reply may leave the object without a socket only if it dialled again, which would show as a second port.
    ports.delete(undefined);
    assert.equal(ports.size, 1, 'sockets used');
    return detail;
  },
};

const old = [
  ['nginx', (response) => assert.equal(response.version, 11)],
  ['caddy', (response) => assert.equal(response.version, 11)],
  // haproxy passes the version on and still keeps the connection.
  ['haproxy', (response) => assert.equal(response.version, 10)],
].map(([server, check]) => ({
  server,
  needs: [server, 'http10'],
  title: 'an HTTP/1.0 server behind a reverse proxy: downloads arrive whole',
  run: async (context) =>
    await downloadAll(context, context.http(context.port(server)), (size) => `/old/${size}.bin`, check),
}));

const untilClose = [
  ['python3', 'stream', '', 10],
  ['nginx', 'nginx', '/stream', 11],
  ['haproxy', 'haproxy', '/stream', 10],
  ['caddy', 'caddy', '/stream', 11],
].map(([server, process, prefix, version]) => ({
  server,
  needs: [process, 'stream'],
  title: 'a body without any length ends where the server ends it',
  run: async (context) => {
    const connection = context.http(context.port(process));
    for (const size of [0, 1, 100_000, 3_000_001]) {
      const response = await get(connection, `${prefix}/until-close?size=${size}`);
      assert.equal(response.version, version);
      // The length is known when the end has come, and for a small body that may be at once.
      assert.ok([null, size].includes(response.length), `length ${response.length}`);
      const body = await response.readall();
      assert.ok(body.equals(Buffer.alloc(size, 'u')), `${size} bytes`);
    }
  },
}));

const cut = {
  server: 'python3',
  needs: ['stream'],
  title: 'a body cut short is IncompleteRead with what had come, and the next request works',
  run: async (context) => {
    const connection = context.http(context.port('stream'));
    for (const [url, partial, expected] of [
      ['/cut-length', 600, 400],
      ['/cut-chunks', 604],
    ]) {
      const response = await get(connection, url);
      const error = await response.readall().then(
        () => assert.fail(`${url} ended as if it were whole`),
        (reason) => reason,
      );
      assert.equal(error.code, 'ERR_INCOMPLETE_READ', String(error));
      assert.equal(error.partial.length, partial);
      if (expected !== undefined) assert.equal(error.expected, expected);
      const next = await get(connection, '/until-close?size=10');
      assert.equal((await next.readall()).length, 10);
    }
  },
};

const unix = {
  server: 'nginx',
  title: 'over a Unix socket: downloads, uploads and many requests on one connection',
  run: async (context) => {
    const connection = context.http(80, { socketPath: context.socketPath('nginx') });
    const detail = await downloadAll(context, connection, (size) => `/chunked/${size}.bin`);
    for (const source of [GENERATOR, READ_STREAM, FILE_HANDLE]) {
      await putAndGetBack(context, connection, '/dav/unix.bin', source);
    }
    const serials = new Set();
    for (let number = 0; number < 100; number++) {
      const response = await get(connection, '/files/1000.bin');
      serials.add(response.getHeader('X-Connection').split(' ')[0]);
      await assertFile(response, context.files.get(1_000));
    }
    assert.equal(serials.size, 1, "connections in the server's eyes");
    return detail;
  },
};

const abandoned = {
  server: 'nginx',
  title: 'a download that is broken off or aborted closes its socket, and the next request works',
  run: async (context) => {
    const connection = context.http(context.port('nginx'));
    const next = async () =>
      await assertFile(await get(connection, '/files/1000.bin'), context.files.get(1_000));

    const left = await get(connection, `/slow/${LARGE}.bin`);
    for await (const piece of left) {
      assert.ok(piece.length > 0);
      break;
    }
    assert.ok(left.destroyed);
    await next();

    const controller = new AbortController();
    const reason = new Error('enough');
    await connection.request('GET', `/slow/${LARGE}.bin`, null, {}, { signal: controller.signal });
    const aborted = await connection.getResponse();
    await aborted.readbytes(1_000);
    setTimeout(() => controller.abort(reason), 50);
    await assert.rejects(aborted.readall(), (error) => error === reason || error.cause === reason);
    await next();
  },
};

export const connections = [
  ...[many, idle, shortLived, http10, http11, old, untilClose, cut].flat(),
  ...[unix, abandoned].flat(),
];
