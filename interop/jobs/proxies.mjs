// Forward proxies: absolute-form requests, CONNECT with and without credentials, TLS inside the tunnel, and what
// happens when the proxy says no. The origin behind them is nginx.
import assert from 'node:assert/strict';
import { MEDIUM } from '../fixtures.mjs';
import { CREDENTIALS } from '../world.mjs';
import { assertFile, downloadAll, get } from './reading.mjs';
import { FILE_HANDLE, GENERATOR, putAndGetBack, refusedUpload } from './uploads.mjs';

const CHALLENGE = [407, 'Proxy-Authenticate'];

// Each proxy listens twice: open to all, and guarded by Basic authentication. Two habits of tinyproxy: it closes after
// each HTTP/1.1 reply without saying so, and wrong credentials are a 401 to it.
const PROXIES = [
  { server: 'squid', open: ['squid', 'proxy'], guarded: ['squid', 'guarded'] },
  {
    server: 'tinyproxy',
    open: ['tinyproxy', 'proxy'],
    guarded: ['tinyproxy-guarded', 'guarded'],
    closesSilently: true,
    denial: [401, 'WWW-Authenticate'],
  },
  { server: 'apache2', open: ['apache2', 'proxy'], guarded: ['apache2', 'guarded'] },
];

const basic = ({ user, password }) => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
const RIGHT = { 'Proxy-Authorization': basic(CREDENTIALS) };
const WRONG = { 'Proxy-Authorization': basic({ ...CREDENTIALS, password: 'chaff' }) };

const origin = (context) => `http://127.0.0.1:${context.port('nginx')}`;

function tunnel(context, [process, name], headers) {
  const connection = context.https(context.port(process, name));
  connection.setTunnel('localhost', context.port('nginx', 'tls'), headers);
  return connection;
}

/** One job for each proxy: `make` gets { server, open, guarded }; all need that proxy and nginx. */
const forProxies = (make) =>
  PROXIES.map((proxy) => ({
    server: proxy.server,
    needs: ['nginx', proxy.open[0], proxy.guarded[0]],
    ...make(proxy),
  }));

/** The same connection object, dialling anew for each request. */
const closingFirst = (connection) => ({
  request: async (...args) => {
    connection.close();
    await connection.request(...args);
  },
  getResponse: async () => await connection.getResponse(),
});

const absoluteForm = forProxies(({ open, closesSilently }) => ({
  title: 'absolute-form requests: downloads by length and chunked, and an upload that comes back',
  run: async (context) => {
    const kept = context.http(context.port(...open));
    const connection = closesSilently ? closingFirst(kept) : kept;
    const byLength = await downloadAll(context, connection, (size) => `${origin(context)}/files/${size}.bin`);
    await downloadAll(context, connection, (size) => `${origin(context)}/chunked/${size}.bin`);
    for (const source of [GENERATOR, FILE_HANDLE]) {
      await putAndGetBack(context, connection, `${origin(context)}/dav/proxied.bin`, source);
    }
    return `twice ${byLength}`;
  },
}));

const tunnels = forProxies(({ open }) => ({
  title: 'CONNECT: TLS inside the tunnel, downloads, uploads and 100 requests through one tunnel',
  run: async (context) => {
    const connection = tunnel(context, open);
    const ports = new Set();
    const detail = await downloadAll(context, connection, (size) => `/chunked/${size}.bin`);
    for (let number = 0; number < 100; number++) {
      const response = await get(connection, '/files/1000.bin');
      ports.add(response.getHeader('X-Connection').split(' ')[0]);
      await assertFile(response, context.files.get(1_000));
    }
    assert.equal(ports.size, 1, "connections in the server's eyes");
    assert.notEqual(connection.getProxyResponseHeaders(), null);
    for (const source of [GENERATOR, FILE_HANDLE]) {
      await putAndGetBack(context, connection, '/dav/tunnelled.bin', source);
    }
    return detail;
  },
}));

const plainTunnels = forProxies(({ open }) => ({
  title: 'CONNECT: plain HTTP inside the tunnel',
  run: async (context) => {
    const connection = context.http(context.port(...open));
    connection.setTunnel('127.0.0.1', context.port('nginx'));
    return await downloadAll(context, connection, (size) => `/files/${size}.bin`);
  },
}));

const refusedInside = forProxies(({ open }) => ({
  title: '413 in mid-upload inside the tunnel arrives with its body, and the next request works',
  run: async (context) => {
    const connection = tunnel(context, open);
    const expected = { url: '/small/tunnel', status: 413, complaint: /413 Request Entity Too Large/ };
    for (let round = 0; round < 6; round++) {
      await refusedUpload(context, connection, {
        ...expected,
        declared: round % 2 === 1,
        next: '/files/1000.bin',
      });
    }
    return '6 uploads';
  },
}));

const isDenial = (status, field) => (error) => {
  assert.equal(error.code, 'ERR_TUNNEL_ERROR', String(error));
  assert.equal(error.status, status);
  assert.match(error.headers.get(field), /^Basic realm="/);
  return true;
};

const guarded = forProxies((proxy) => ({
  title:
    'CONNECT without credentials, or with wrong ones, is TunnelError with 407 and the challenge; with the right ones it opens',
  run: async (context) => {
    for (const [headers, denial] of [
      [undefined, CHALLENGE],
      [WRONG, proxy.denial ?? CHALLENGE],
    ]) {
      const connection = tunnel(context, proxy.guarded, headers);
      // Twice: a refused tunnel leaves the object as it was.
      for (let round = 0; round < 2; round++) {
        await assert.rejects(get(connection, '/files/1000.bin'), isDenial(...denial));
        assert.ok(connection.socket === null, 'no socket is left');
      }
    }
    const connection = tunnel(context, proxy.guarded, RIGHT);
    await assertFile(await get(connection, `/files/${MEDIUM}.bin`), context.files.get(MEDIUM));
  },
}));

const guardedAbsoluteForm = forProxies((proxy) => ({
  title: 'absolute-form without credentials is a 407 like any response; with them it is the file',
  run: async (context) => {
    const connection = context.http(context.port(...proxy.guarded));
    const denied = await get(connection, `${origin(context)}/files/1000.bin`);
    assert.equal(denied.status, 407);
    assert.match(denied.getHeader('Proxy-Authenticate'), /^Basic realm="/);
    assert.match(await denied.text(), /<html/i);
    const response = await get(connection, `${origin(context)}/files/${MEDIUM}.bin`, RIGHT);
    assert.equal(response.status, 200);
    await assertFile(response, context.files.get(MEDIUM));
  },
}));

const unreachable = forProxies(({ open }) => ({
  title: 'a tunnel to a port where nobody listens is TunnelError with the status of the proxy',
  run: async (context) => {
    const connection = context.http(context.port(...open));
    connection.setTunnel('127.0.0.1', context.world.deadPort);
    await assert.rejects(get(connection, '/'), (error) => {
      assert.equal(error.code, 'ERR_TUNNEL_ERROR', String(error));
      assert.ok(error.status >= 500, `status ${error.status}`);
      return true;
    });
  },
}));

const wrongName = forProxies(({ open }) => ({
  title: 'a wrong name is refused inside a tunnel too',
  run: async (context) => {
    const connection = context.https(context.port(...open));
    connection.setTunnel('localhost', context.port('nginx', 'wrongName'));
    await assert.rejects(get(connection, '/files/1000.bin'), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
  },
}));

export const proxies = [
  ...[absoluteForm, tunnels, plainTunnels, refusedInside, guarded].flat(),
  ...[guardedAbsoluteForm, unreachable, wrongName].flat(),
];
