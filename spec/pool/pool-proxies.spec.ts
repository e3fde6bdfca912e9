/**
 * Pools behind a proxy: what goes to it, in which form, with which credentials, and that nobody else gets to see those.
 */
import { inspect } from 'node:util';

import { expect } from 'chai';

import { HTTPConnectionPool, TunnelError } from '../../lib/index.js';
import type { PoolOptions } from '../../lib/index.js';
import { endedAfterTest, okWith, TLS } from '../support/pools.js';
import { answer, identity, OK, rawServer, rawTLSServer } from '../support/raw-server.js';
import type { RawServer } from '../support/raw-server.js';
import { fieldOf } from '../support/received-request.js';
import { rejection } from '../support/rejection.js';
import { proxyTo, TRUSTING } from '../support/transports.js';

const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;

function poolOf(origin: string, options: PoolOptions): HTTPConnectionPool {
  return endedAfterTest(new HTTPConnectionPool(origin, { context: TRUSTING, ...options }));
}

const urlOf = (proxy: RawServer, userInfo = '', scheme = 'http'): string =>
  `${scheme}://${userInfo}127.0.0.1:${String(proxy.port)}`;

describe('a pool of an http origin behind a proxy', () => {
  it('asks in absolute form, with the origin’s Host and the proxy’s credentials', async () => {
    const proxy = await rawServer(answer(OK));
    const pool = poolOf('http://origin.test:8080', { proxy: urlOf(proxy, 'us%40er:p%C3%A4ss@') });
    const response = await pool.request('GET', '/path?q');
    expect(response.url).to.equal('/path?q');
    expect(await response.text()).to.equal('ok');
    const { request } = proxy;
    expect(request.line).to.equal('GET http://origin.test:8080/path?q HTTP/1.1');
    expect(fieldOf(request, 'Host')).to.equal('origin.test:8080');
    expect(fieldOf(request, 'Proxy-Authorization')).to.equal(basic('us@er:päss'));
  });

  const TARGETS = [
    ['GET', '', 'http://origin.test/'],
    ['GET', '/?a', 'http://origin.test/?a'],
    ['OPTIONS', '*', 'http://origin.test'],
    ['GET', 'http://other.test/x', 'http://other.test/x'],
  ] as const;
  for (const [method, url, target] of TARGETS) {
    it(`writes ${JSON.stringify(url)} as ${target}`, async () => {
      const proxy = await rawServer(answer(OK));
      await (await poolOf('http://origin.test', { proxy: urlOf(proxy) }).request(method, url)).text();
      expect(proxy.request.target).to.equal(target);
    });
  }

  it('leaves the caller’s Proxy-Authorization', async () => {
    const proxy = await rawServer(answer(OK));
    const pool = poolOf('http://origin.test', { proxy: urlOf(proxy, 'u:p@') });
    await (await pool.request('GET', '/', null, { 'Proxy-Authorization': 'own' })).text();
    expect(fieldOf(proxy.request, 'Proxy-Authorization')).to.equal('own');
  });

  it('uses the connection to the proxy again', async () => {
    const proxy = await rawServer(answer(OK));
    const pool = poolOf('http://origin.test', { proxy: urlOf(proxy) });
    for (let i = 0; i < 3; i++) await (await pool.request('GET', '/')).text();
    expect(proxy.connections).to.equal(1);
  });

  it('speaks TLS with an https proxy, verified as proxyTLS says', async () => {
    const proxy = await rawTLSServer(answer(OK));
    const url = urlOf(proxy, 'u:p@', 'https');
    const pool = poolOf('http://origin.test', { proxy: url, proxyTLS: { context: TRUSTING } });
    await (await pool.request('GET', '/')).text();
    expect(proxy.request.target).to.equal('http://origin.test/');
    const distrusting = poolOf('http://origin.test', { proxy: url });
    expect(await rejection(distrusting.request('GET', '/')))
      .to.have.property('code')
      .that.matches(/CERT|SIGNATURE/);
  });

  it('hides the credentials in every error', async () => {
    const proxy = await rawServer((socket) => socket.destroy());
    const url = urlOf(proxy, 'user:secret@');
    const pool = poolOf('http://origin.test', { proxy: url });
    const error = await rejection(pool.request('GET', '/'));
    expect(inspect(error) + JSON.stringify(error) + inspect(pool)).not.to.match(
      /secret|c2VjcmV0|dXNlcjpzZWNyZXQ/,
    );
    expect(() => poolOf('http://h', { proxy: 'ftp://user:secret@h' }))
      .to.throw()
      .with.property('message')
      .that.does.not.match(/secret/);
  });
});

describe('a pool of an https origin behind a proxy', () => {
  it('opens a tunnel for each connection, with the proxy’s credentials', async () => {
    const server = await rawTLSServer(answer(okWith('inside')));
    const proxy = await proxyTo(server);
    const pool = poolOf('https://localhost', { proxy: urlOf(proxy, 'user:pass@'), maxConnections: 2 });
    const texts = await Promise.all([1, 2, 3, 4].map(async () => (await pool.request('GET', '/x')).text()));
    expect(texts).to.deep.equal(['inside', 'inside', 'inside', 'inside']);
    expect(proxy.connections).to.equal(2);
    const [connect] = proxy.peer().requests;
    expect(connect?.line).to.equal('CONNECT localhost:443 HTTP/1.1');
    expect(connect === undefined ? null : fieldOf(connect, 'Proxy-Authorization')).to.equal(
      basic('user:pass'),
    );
    for (const request of server.requests) {
      expect(request.target).to.equal('/x');
      expect(fieldOf(request, 'Host')).to.equal('localhost');
      expect(fieldOf(request, 'Proxy-Authorization')).to.equal(null);
    }
  });

  it('opens it through TLS with an https proxy', async () => {
    const server = await rawTLSServer(answer(okWith('inside')));
    const proxy = await proxyTo(server, { tls: identity('server') });
    const pool = poolOf('https://localhost', {
      proxy: urlOf(proxy, '', 'https'),
      proxyTLS: { context: TRUSTING },
    });
    expect(await (await pool.request('GET', '/')).text()).to.equal('inside');
  });

  it('gives a refusal as TunnelError, tried again when its status says so', async () => {
    let refusals = 0;
    const proxy = await rawServer((socket) => {
      refusals++;
      socket.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n');
    });
    const pool = poolOf('https://localhost', { proxy: urlOf(proxy) });
    const error = await rejection(pool.request('GET', '/', null, {}, { retries: { limit: 2, minDelay: 1 } }));
    expect(error).to.be.instanceOf(TunnelError);
    expect(refusals).to.equal(3);
  });
});

describe("a pool with the proxy 'env'", () => {
  const KEPT = [
    'http_proxy',
    'https_proxy',
    'all_proxy',
    'no_proxy',
    'HTTP_PROXY',
    'HTTPS_PROXY',
    'ALL_PROXY',
    'NO_PROXY',
  ];
  let before: Record<string, string | undefined>;

  beforeEach(() => {
    before = Object.fromEntries(KEPT.map((name) => [name, process.env[name]]));
    for (const name of KEPT) Reflect.deleteProperty(process.env, name);
  });

  afterEach(() => {
    for (const name of KEPT) {
      if (before[name] === undefined) Reflect.deleteProperty(process.env, name);
      else process.env[name] = before[name];
    }
  });

  it('reads it when it is made, and not again', async () => {
    const proxy = await rawServer(answer(okWith('proxied')));
    const direct = await rawServer(answer(okWith('direct')));
    const origin = `http://127.0.0.1:${String(direct.port)}`;
    process.env['http_proxy'] = urlOf(proxy);
    const through = poolOf(origin, { proxy: 'env' });
    process.env['no_proxy'] = '127.0.0.1';
    const straight = poolOf(origin, { proxy: 'env' });
    expect(await (await through.request('GET', '/')).text()).to.equal('proxied');
    expect(await (await straight.request('GET', '/')).text()).to.equal('direct');
    expect(await (await poolOf(origin, { proxy: urlOf(proxy) }).request('GET', '/')).text()).to.equal(
      'proxied',
    );
  });

  it('is not the default', async () => {
    process.env['all_proxy'] = 'http://127.0.0.1:1';
    const server = await rawTLSServer(answer(OK));
    expect(await (await TLS.pool(server).request('GET', '/')).text()).to.equal('ok');
  });
});
