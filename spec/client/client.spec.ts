/**
 * A client as its callers see it: one call for any origin.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { inspect } from 'node:util';

import { expect } from 'chai';
import * as sinon from 'sinon';

import {
  closeAll,
  HTTPClient,
  InvalidURL,
  NotConnected,
  request,
  TimeoutError,
  UnknownProtocol,
} from '../../lib/index.js';
import type { ClientOptions } from '../../lib/index.js';
import { okWith, until } from '../support/pools.js';
import { answer, OK, rawServer, rawTLSServer } from '../support/raw-server.js';
import type { RawServer } from '../support/raw-server.js';
import { fieldOf } from '../support/received-request.js';
import { rejection } from '../support/rejection.js';
import { TRUSTING } from '../support/transports.js';

const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;
const urlOf = (server: RawServer, path = '/', userInfo = '', scheme = 'http'): string =>
  `${scheme}://${userInfo}127.0.0.1:${String(server.port)}${path}`;

const opened = new Set<HTTPClient>();

function clientWith(options?: ClientOptions): HTTPClient {
  const client = new HTTPClient({ context: TRUSTING, ...options });
  opened.add(client);
  return client;
}

afterEach(async () => {
  for (const client of opened) client.destroy();
  opened.clear();
  await closeAll();
});

describe('a client', () => {
  it('asks each origin over connections of its own, plain and TLS', async () => {
    const servers = [await rawServer(answer(okWith('one'))), await rawTLSServer(answer(okWith('two')))];
    const client = clientWith();
    const urls = [urlOf(servers[0] as RawServer, '/a?b'), urlOf(servers[1] as RawServer, '/c', '', 'https')];
    for (let round = 0; round < 3; round++) {
      expect(await (await client.request('GET', urls[0] ?? '')).text()).to.equal('one');
      expect(await (await client.request('GET', new URL(urls[1] ?? ''))).text()).to.equal('two');
    }
    expect(servers.map(({ connections }) => connections)).to.deep.equal([1, 1]);
    expect(servers.map(({ requests }) => requests[0]?.target)).to.deep.equal(['/a?b', '/c']);
    expect(client.stats).to.deep.equal({ origins: 2, open: 2, busy: 0, idle: 2, waiting: 0 });
  });

  it('shows the URL that answered, absolute, without user information and fragment', async () => {
    const server = await rawServer(answer(OK));
    const response = await clientWith().request('GET', urlOf(server, '/x#part', 'user:secret@'));
    expect(response.url).to.equal(urlOf(server, '/x'));
    expect(response.geturl()).to.equal(response.url);
    expect(response.redirectedFrom).to.deep.equal([]);
    expect(server.request.target).to.equal('/x');
    expect(inspect(response)).not.to.match(/secret/);
    await response.text();
  });

  it('makes Authorization of user information, unless the caller gives one', async () => {
    const server = await rawServer(answer(OK));
    const client = clientWith();
    await (await client.request('GET', urlOf(server, '/1', 'us%C3%A4r:p%40ss@'))).text();
    await (await client.request('GET', urlOf(server, '/2', 'a:b@'), null, { authorization: 'own' })).text();
    await (await client.request('GET', urlOf(server, '/3'))).text();
    expect(server.requests.map((each) => fieldOf(each, 'Authorization'))).to.deep.equal([
      basic('usär:p@ss'),
      'own',
      null,
    ]);
  });

  it('resolves against baseURL, credentials included', async () => {
    const server = await rawServer(answer(OK));
    const client = clientWith({ baseURL: urlOf(server, '/api/v1/', 'u:p@') });
    for (const url of ['things?x', '/root', '../v2', '']) await (await client.request('GET', url)).text();
    expect(server.requests.map(({ target }) => target)).to.deep.equal([
      '/api/v1/things?x',
      '/root',
      '/api/v2',
      '/api/v1/',
    ]);
    for (const each of server.requests) expect(fieldOf(each, 'Authorization')).to.equal(basic('u:p'));
  });

  it('has default fields, and requests their own in their place', async () => {
    const server = await rawServer(answer(OK));
    const client = clientWith({ headers: { 'User-Agent': 'client', Accept: 'a' } });
    await (await client.request('GET', urlOf(server), null, { accept: 'b' })).text();
    expect(fieldOf(server.request, 'User-Agent')).to.equal('client');
    expect(fieldOf(server.request, 'Accept')).to.equal('b');
  });

  it('says in an error which URL, absolute and without user information', async () => {
    const server = await rawServer((socket) => socket.destroy());
    const error = await rejection<Error & { url: string }>(
      clientWith().request('GET', urlOf(server, '/x', 'user:secret@')),
    );
    expect(error.url).to.equal(urlOf(server, '/x'));
    expect(inspect(error) + JSON.stringify(error)).not.to.match(/secret/);
  });

  const BAD: readonly (readonly [url: unknown, kind: new (...args: never[]) => Error])[] = [
    ['/relative', InvalidURL],
    ['http://u:secret@h:99999', InvalidURL],
    ['ftp://u:secret@h/', UnknownProtocol],
    [null, TypeError],
  ];
  for (const [url, kind] of BAD) {
    it(`refuses ${JSON.stringify(url)} with ${kind.name}`, async () => {
      const error = await rejection(clientWith().request('GET', url as string));
      expect(error).to.be.instanceOf(kind);
      expect(error.message).not.to.match(/secret/);
    });
  }

  const OPTIONS: readonly (readonly [options: object, kind: new (...args: never[]) => Error])[] = [
    [{ baseUrl: 'http://h' }, TypeError],
    [{ baseURL: '/x' }, InvalidURL],
    [{ baseURL: 'ftp://h' }, UnknownProtocol],
    [{ redirects: -1 }, RangeError],
    [{ redirects: true }, TypeError],
    [{ allowDowngrade: 1 }, TypeError],
    [{ maxConnections: 0 }, RangeError],
    [{ context: { key: 'nonsense', cert: 'nonsense' } }, Error],
    [{ proxy: 'nonsense' }, InvalidURL],
    [{ timeout: 0 }, RangeError],
  ];
  for (const [options, kind] of OPTIONS) {
    it(`refuses the option ${JSON.stringify(options)} when it is made`, () => {
      expect(() => new HTTPClient(options)).to.throw(kind);
    });
  }

  it('waits, retries and times out as its pools do', async () => {
    let asked = 0;
    const server = await rawServer((socket) => {
      if (++asked === 1) socket.write('HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n');
      else socket.write(OK);
    });
    const client = clientWith({ retries: { limit: 1, minDelay: 1 } });
    expect((await client.request('GET', urlOf(server))).status).to.equal(200);
    const silent = await rawServer(() => undefined);
    const error = await rejection(client.request('GET', urlOf(silent), null, {}, { timeout: { total: 50 } }));
    expect(error).to.be.instanceOf(TimeoutError).and.include({ timer: 'total' });
  });

  it('lets a pool go when it has had no connection for a minute', async () => {
    const clock = sinon.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    try {
      const server = await rawServer(answer(OK));
      const client = clientWith();
      await (await client.request('GET', urlOf(server))).text();
      expect(client.stats).to.include({ origins: 1, idle: 1 });
      clock.tick(4100);
      expect(client.stats).to.include({ origins: 1, open: 0 });
      clock.tick(30_000);
      await (await client.request('GET', urlOf(server))).text();
      clock.tick(50_000);
      expect(client.stats).to.include({ origins: 1, open: 0 });
      clock.tick(60_000);
      expect(client.stats.origins).to.equal(0);
    } finally {
      clock.restore();
    }
  });

  it('keeps a pool that is in use, and lets one go that never was', async () => {
    const clock = sinon.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    try {
      const server = await rawServer(answer(okWith('hello')));
      const client = clientWith();
      await rejection(client.request('NO METHOD', urlOf(server)));
      await rejection(client.request('NO METHOD', 'http://other.test/'));
      expect(client.stats).to.include({ origins: 2, open: 0 });
      clock.tick(30_000);
      const response = await client.request('GET', urlOf(server));
      clock.tick(31_000);
      expect(client.stats).to.include({ origins: 1, busy: 1 });
      expect(await response.text()).to.equal('hello');
    } finally {
      clock.restore();
    }
  });

  it('takes no more behind close(), which lets everything end', async () => {
    const server = await rawServer((socket) => setTimeout(() => socket.write(OK), 30));
    const client = clientWith({ maxConnections: 1 });
    const calls = [1, 2].map(async () => (await client.request('GET', urlOf(server))).text());
    const closing = client.close();
    expect(await rejection(client.request('GET', urlOf(server)))).to.be.instanceOf(NotConnected);
    expect(await Promise.all(calls)).to.deep.equal(['ok', 'ok']);
    await closing;
    expect(client.stats).to.deep.equal({ origins: 0, open: 0, busy: 0, idle: 0, waiting: 0 });
  });

  it('ends everything by destroy(), with the error that was given', async () => {
    const server = await rawServer(() => undefined);
    const client = clientWith();
    const failed = rejection(client.request('GET', urlOf(server)));
    await until(() => server.requests.length === 1);
    const own = new Error('enough');
    client.destroy(own);
    expect(await failed).to.equal(own);
    expect(client.stats.open).to.equal(0);
  });
});

describe('request()', () => {
  it('keeps connections for the whole program, until closeAll()', async () => {
    const server = await rawServer(answer(okWith('hello')));
    for (let i = 0; i < 3; i++) expect(await (await request('GET', urlOf(server))).text()).to.equal('hello');
    expect(server.connections).to.equal(1);
    await closeAll();
    await Promise.all(server.peers.map((peer) => peer.closed));
    expect(await (await request('POST', urlOf(server), 'ü', { Accept: 'x' })).text()).to.equal('hello');
    expect(server.connections).to.equal(2);
    expect(server.requests.at(-1)?.body.toString()).to.equal('ü');
    await closeAll();
    await closeAll();
  });

  it('keeps no process alive', async () => {
    const server = await rawServer(answer(OK));
    await (await request('GET', urlOf(server))).text();
    await wait(10);
    const handles = process.getActiveResourcesInfo().filter((name) => name === 'Timeout');
    expect(handles.length).to.be.at.most(1);
  });
});
