/**
 * Which proxy an origin is reached through: tables of variables, URLs and exceptions, and curl's own answers to the same questions.
 */
import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';

import { expect } from 'chai';

import { InvalidURL } from '../../lib/errors.js';
import { isExcepted, proxyFor } from '../../lib/opening/proxies.js';
import type { Environment } from '../../lib/opening/proxies.js';
import { rawServer } from '../support/raw-server.js';

const run = promisify(execFile);
const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;

describe('a proxy given by URL', () => {
  const TABLE = [
    { url: 'http://proxy:3128', secure: false, host: 'proxy', port: 3128, authorization: null },
    { url: 'http://proxy', secure: false, host: 'proxy', port: 80, authorization: null },
    { url: 'https://proxy', secure: true, host: 'proxy', port: 443, authorization: null },
    { url: 'http://[::1]:3128/', secure: false, host: '::1', port: 3128, authorization: null },
    { url: 'http://u:p@proxy:1', secure: false, host: 'proxy', port: 1, authorization: basic('u:p') },
    { url: 'http://u@proxy:1', secure: false, host: 'proxy', port: 1, authorization: basic('u:') },
    {
      url: 'http://a%40b:%70%3A%25@proxy:1',
      secure: false,
      host: 'proxy',
      port: 1,
      authorization: basic('a@b:p:%'),
    },
    { url: 'http://ü:€@proxy:1', secure: false, host: 'proxy', port: 1, authorization: basic('ü:€') },
    { url: 'http://u:100%@proxy:1', secure: false, host: 'proxy', port: 1, authorization: basic('u:100%') },
  ];
  for (const { url, ...proxy } of TABLE) {
    it(`${url} is ${proxy.host} port ${String(proxy.port)}, whatever no_proxy says`, () => {
      const origin = new URL('http://origin.example');
      expect(proxyFor(url, origin, { no_proxy: '*' })).to.deep.equal(proxy);
      expect(proxyFor(new URL(url), origin, {})).to.deep.equal(proxy);
    });
  }

  for (const url of [
    'proxy:3128',
    'socks5://u:secret@proxy:1080',
    'http://',
    'http://u:secret@',
    'http://u:secret@h:99999',
    '',
  ]) {
    it(`${JSON.stringify(url)} is refused, and no credentials are shown`, () => {
      expect(() => proxyFor(url, new URL('http://h'), {}))
        .to.throw(InvalidURL)
        .with.property('message')
        .that.does.not.match(/secret/);
    });
  }

  it('is nothing but a URL', () => {
    expect(() => proxyFor({} as never, new URL('http://h'))).to.throw(TypeError, /proxy/);
    expect(proxyFor(null, new URL('http://h'), { all_proxy: 'http://x' })).to.equal(null);
  });
});

describe("the environment's proxies", () => {
  const TABLE: { name: string; env: Environment; http: string | null; https: string | null }[] = [
    { name: 'none', env: {}, http: null, https: null },
    { name: 'one of http', env: { http_proxy: 'http://a:1' }, http: 'a:1', https: null },
    { name: 'one of https', env: { https_proxy: 'http://b:2' }, http: null, https: 'b:2' },
    { name: 'one of both', env: { all_proxy: 'http://c:3' }, http: 'c:3', https: 'c:3' },
    {
      name: 'its own before that of all',
      env: { http_proxy: 'http://a:1', all_proxy: 'http://c:3' },
      http: 'a:1',
      https: 'c:3',
    },
    {
      name: 'lower case before upper case',
      env: {
        https_proxy: 'http://a:1',
        HTTPS_PROXY: 'http://b:2',
        all_proxy: 'http://c:3',
        ALL_PROXY: 'http://d:4',
      },
      http: 'c:3',
      https: 'a:1',
    },
    {
      name: 'upper case',
      env: { HTTP_PROXY: 'http://a:1', HTTPS_PROXY: 'http://b:2' },
      http: 'a:1',
      https: 'b:2',
    },
    {
      name: 'upper case in a CGI script, where HTTP_PROXY is a field of the request',
      env: { HTTP_PROXY: 'http://a:1', HTTPS_PROXY: 'http://b:2', REQUEST_METHOD: 'GET' },
      http: null,
      https: 'b:2',
    },
    {
      name: 'lower case in a CGI script',
      env: { http_proxy: 'http://a:1', REQUEST_METHOD: 'GET' },
      http: 'a:1',
      https: null,
    },
    {
      name: 'an empty one, which is none',
      env: { http_proxy: '', HTTP_PROXY: 'http://a:1', https_proxy: '' },
      http: 'a:1',
      https: null,
    },
    { name: 'one without a scheme', env: { http_proxy: 'a:1' }, http: 'a:1', https: null },
    { name: "one without a port: curl's", env: { http_proxy: 'http://a' }, http: 'a:1080', https: null },
    { name: 'one with port 80', env: { http_proxy: 'http://a:80/' }, http: 'a:80', https: null },
    { name: 'a secure one without a port', env: { http_proxy: 'https://a' }, http: 'a:443', https: null },
    {
      name: 'exceptions',
      env: { all_proxy: 'http://a:1', no_proxy: 'origin.example' },
      http: null,
      https: null,
    },
    {
      name: 'exceptions in upper case',
      env: { all_proxy: 'http://a:1', NO_PROXY: 'example' },
      http: null,
      https: null,
    },
    {
      name: 'lower case exceptions before upper case',
      env: { all_proxy: 'http://a:1', no_proxy: 'other', NO_PROXY: '*' },
      http: 'a:1',
      https: 'a:1',
    },
  ];
  for (const { name, env, http, https } of TABLE) {
    it(name, () => {
      const shown = (scheme: string): string | null => {
        const proxy = proxyFor('env', new URL(`${scheme}://origin.example`), env);
        return proxy === null ? null : `${proxy.host}:${String(proxy.port)}`;
      };
      expect([shown('http'), shown('https')]).to.deep.equal([http, https]);
    });
  }

  it('are refused by the name of the variable, never by its text', () => {
    expect(() => proxyFor('env', new URL('http://h'), { http_proxy: 'socks5://u:secret@p' }))
      .to.throw(InvalidURL, /http_proxy/)
      .with.property('message')
      .that.does.not.match(/secret/);
  });
});

/** `curl`: whether curl answers the same; it knows no ports, no brackets and no block of all addresses, and not every version compares IPv6 by value. */
const EXCEPTIONS: { rules: string; origin: string; excepted: boolean; curl: boolean }[] = [
  { rules: '*', origin: 'http://any.example', excepted: true, curl: true },
  { rules: '*,other.example', origin: 'http://any.example', excepted: false, curl: true },
  { rules: 'example.com', origin: 'http://example.com', excepted: true, curl: true },
  { rules: 'example.com', origin: 'http://EXAMPLE.com', excepted: true, curl: true },
  { rules: 'EXAMPLE.com', origin: 'http://example.com', excepted: true, curl: true },
  { rules: 'example.com', origin: 'http://www.example.com', excepted: true, curl: true },
  { rules: 'example.com', origin: 'http://a.b.example.com', excepted: true, curl: true },
  { rules: 'example.com', origin: 'http://notexample.com', excepted: false, curl: true },
  { rules: 'example.com', origin: 'http://example.com.evil.test', excepted: false, curl: true },
  { rules: 'www.example.com', origin: 'http://example.com', excepted: false, curl: true },
  { rules: '.example.com', origin: 'http://example.com', excepted: true, curl: true },
  { rules: '.example.com', origin: 'http://www.example.com', excepted: true, curl: true },
  { rules: '.example.com', origin: 'http://notexample.com', excepted: false, curl: true },
  { rules: 'example.com.', origin: 'http://example.com', excepted: true, curl: true },
  { rules: 'example.com', origin: 'http://example.com.', excepted: true, curl: true },
  { rules: '.', origin: 'http://example.com', excepted: false, curl: true },
  { rules: 'a.test, example.com', origin: 'http://example.com', excepted: true, curl: true },
  { rules: 'a.test,,example.com', origin: 'http://example.com', excepted: true, curl: true },
  { rules: 'a.test example.com', origin: 'http://example.com', excepted: true, curl: true },
  { rules: ' example.com ', origin: 'http://example.com', excepted: true, curl: true },
  { rules: 'localhost', origin: 'http://127.0.0.1', excepted: false, curl: true },
  { rules: '127.0.0.1', origin: 'http://127.0.0.1', excepted: true, curl: true },
  { rules: '127.0.0.1', origin: 'http://127.0.0.2', excepted: false, curl: true },
  { rules: '0.0.1', origin: 'http://127.0.0.1', excepted: false, curl: true },
  { rules: '10.0.0.0/8', origin: 'http://10.1.2.3', excepted: true, curl: true },
  { rules: '10.0.0.0/8', origin: 'http://11.1.2.3', excepted: false, curl: true },
  { rules: '192.168.1.128/25', origin: 'http://192.168.1.200', excepted: true, curl: true },
  { rules: '192.168.1.128/25', origin: 'http://192.168.1.100', excepted: false, curl: true },
  { rules: '10.0.0.1/32', origin: 'http://10.0.0.1', excepted: true, curl: true },
  { rules: '10.0.0.1/33', origin: 'http://10.0.0.1', excepted: false, curl: true },
  { rules: '0.0.0.0/0', origin: 'http://10.0.0.1', excepted: true, curl: false },
  { rules: '10.0.0.0/x', origin: 'http://10.0.0.1', excepted: false, curl: true },
  { rules: '10.0.0.0/8', origin: 'http://10.example', excepted: false, curl: true },
  { rules: '::1', origin: 'http://[::1]', excepted: true, curl: true },
  { rules: '0:0:0:0:0:0:0:1', origin: 'http://[::1]', excepted: true, curl: false },
  { rules: '[::1]', origin: 'http://[::1]', excepted: true, curl: false },
  { rules: 'fe80::/10', origin: 'http://[fe80::1]', excepted: true, curl: false },
  { rules: 'fd00::/8', origin: 'http://[fd12::1]', excepted: true, curl: false },
  { rules: 'fd00::/8', origin: 'http://[2001:db8::1]', excepted: false, curl: true },
  { rules: 'example.com:8080', origin: 'http://example.com:8080', excepted: true, curl: false },
  { rules: 'example.com:8080', origin: 'http://example.com', excepted: false, curl: true },
  { rules: 'example.com:80', origin: 'http://example.com', excepted: true, curl: false },
  { rules: 'example.com:443', origin: 'https://example.com', excepted: true, curl: false },
  { rules: '.example.com:8080', origin: 'http://a.example.com:8080', excepted: true, curl: false },
  { rules: '127.0.0.1:8080', origin: 'http://127.0.0.1:8080', excepted: true, curl: false },
  { rules: '127.0.0.1:8080', origin: 'http://127.0.0.1:8081', excepted: false, curl: true },
  { rules: '[::1]:8080', origin: 'http://[::1]:8080', excepted: true, curl: false },
  { rules: '[::1]:8080', origin: 'http://[::1]:8081', excepted: false, curl: true },
];

describe('no_proxy', () => {
  for (const { rules, origin, excepted } of EXCEPTIONS) {
    it(`${JSON.stringify(rules)} ${excepted ? 'excepts' : 'does not except'} ${origin}`, () => {
      expect(isExcepted(rules, new URL(origin))).to.equal(excepted);
    });
  }

  it('is read as the installed curl reads it', async function () {
    if (spawnSync('curl', ['--version']).error !== undefined) this.skip();
    this.timeout(60_000);
    const proxy = await rawServer((socket) => {
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\nproxied');
    });
    // Bound to loopback, curl reaches nobody but the proxy: only what went there gets an answer.
    const answers = EXCEPTIONS.filter(({ curl, origin }) => curl && origin.startsWith('http:')).map(
      async ({ rules, origin, excepted }) => {
        const args = ['-s', '-m', '20', '--interface', '127.0.0.1', origin];
        const env = { http_proxy: `http://127.0.0.1:${String(proxy.port)}`, no_proxy: rules };
        const { stdout } = await run('curl', args, { env }).catch(() => ({ stdout: '' }));
        return { rules, origin, expected: excepted, curl: stdout !== 'proxied' };
      },
    );
    const wrong = (await Promise.all(answers)).filter(({ expected, curl }) => expected !== curl);
    expect(wrong).to.deep.equal([]);
  });
});
