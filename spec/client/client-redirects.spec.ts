/**
 * Redirects over connections: what the servers on the way see, and what the caller gets. The rules themselves are walked in
 * `redirects.spec.ts`.
 */
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';

import { expect } from 'chai';

import { HTTPClient, RedirectError } from '../../lib/index.js';
import type { ClientOptions, ClientRequestOptions, PoolBody } from '../../lib/index.js';
import { okWith } from '../support/pools.js';
import { rawServer, rawTLSServer } from '../support/raw-server.js';
import type { RawServer, Script } from '../support/raw-server.js';
import { fieldOf } from '../support/received-request.js';
import { rejection } from '../support/rejection.js';
import { TRUSTING } from '../support/transports.js';

const opened = new Set<HTTPClient>();

function clientWith(options?: ClientOptions): HTTPClient {
  const client = new HTTPClient({ context: TRUSTING, redirects: 5, ...options });
  opened.add(client);
  return client;
}

afterEach(() => {
  for (const client of opened) client.destroy();
  opened.clear();
});

const urlOf = (server: RawServer, path = '/', scheme = 'http'): string =>
  `${scheme}://127.0.0.1:${String(server.port)}${path}`;

const redirect = (status: number, location: string, body = ''): string =>
  `HTTP/1.1 ${String(status)} Redirect\r\nLocation: ${location}\r\nContent-Length: ${String(body.length)}\r\n\r\n${body}`;

/** Answers by target; what is not listed is the end. */
function routes(table: Record<string, string | (() => string)>): Script {
  return (socket, { target }) => {
    const reply = table[target] ?? okWith(`end ${target}`);
    socket.write(typeof reply === 'function' ? reply() : reply);
  };
}

describe('a client that follows redirects', () => {
  it('gives the last response, its URL and those before it, over one connection', async () => {
    const server = await rawServer(
      routes({ '/a': redirect(301, '/b', 'moved'), '/b': redirect(302, 'c?d#e') }),
    );
    const client = clientWith();
    const response = await client.request('GET', urlOf(server, '/a'));
    expect(await response.text()).to.equal('end /c?d');
    expect(response.url).to.equal(urlOf(server, '/c?d'));
    expect(response.redirectedFrom).to.deep.equal([urlOf(server, '/a'), urlOf(server, '/b')]);
    expect(server.connections).to.equal(1);
    expect(client.stats).to.include({ open: 1, busy: 0 });
  });

  it('names them also on a response that is decoded, and on a download that can go on', async () => {
    const coded = gzipSync('decoded');
    const fields = `Content-Encoding: gzip\r\nContent-Length: ${String(coded.length)}`;
    const server = await rawServer((socket, { target }) => {
      if (target === '/a') socket.write(redirect(302, '/b'));
      else socket.write(Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\n${fields}\r\n\r\n`), coded]));
    });
    const client = clientWith({ decompress: true });
    const response = await client.request('GET', urlOf(server, '/a'));
    expect(await response.text()).to.equal('decoded');
    expect(response.redirectedFrom).to.deep.equal([urlOf(server, '/a')]);
    const files = await rawServer(
      routes({ '/a': redirect(302, '/b'), '/b': okWith('file', 'ETag: "1"\r\n') }),
    );
    const download = await client.resumable(urlOf(files, '/a'));
    expect(await download.text()).to.equal('file');
    expect(download.redirectedFrom).to.deep.equal([urlOf(files, '/a')]);
  });

  it('does not unless it was told to', async () => {
    const server = await rawServer(routes({ '/a': redirect(302, '/b') }));
    const client = clientWith({ redirects: 0 });
    expect((await client.request('GET', urlOf(server, '/a'))).status).to.equal(302);
    const response = await client.request('GET', urlOf(server, '/a'), null, {}, { redirects: 1 });
    expect(response.status).to.equal(200);
    await response.text();
  });

  it('gives a redirect without Location as it is', async () => {
    const server = await rawServer(routes({ '/a': 'HTTP/1.1 302 X\r\nContent-Length: 4\r\n\r\nbody' }));
    const response = await clientWith().request('GET', urlOf(server, '/a'));
    expect(response.status).to.equal(302);
    expect(await response.text()).to.equal('body');
  });

  for (const status of [301, 302, 303, 307, 308]) {
    for (const [name, make] of [
      ['text', (): PoolBody => 'body'],
      ['a factory of streams', (): PoolBody => () => Readable.from(['bo', 'dy'])],
      ['a Blob', (): PoolBody => new Blob(['body'])],
    ] as const) {
      const keeps = status >= 307;
      it(`${String(status)} to POST with ${name}: ${keeps ? 'sends it again' : 'goes on as GET without it'}`, async () => {
        const server = await rawServer(routes({ '/a': redirect(status, '/b') }));
        const fields = { 'Content-Type': 'text/x', 'Content-Language': 'de', Accept: 'y' };
        await (await clientWith().request('POST', urlOf(server, '/a'), make(), fields)).text();
        const [first, second] = server.requests;
        expect(first?.body.toString()).to.equal('body');
        expect(second?.method).to.equal(keeps ? 'POST' : 'GET');
        expect(second?.body.toString()).to.equal(keeps ? 'body' : '');
        const names = second?.fields.map(([key]) => key.toLowerCase()) ?? [];
        expect(names).to.include('accept');
        expect(names.includes('content-type')).to.equal(keeps);
        expect(names.includes('content-language')).to.equal(keeps);
        if (!keeps)
          expect(
            names.filter((key) => key.startsWith('content-') || key === 'transfer-encoding'),
          ).to.deep.equal([]);
      });
    }
  }

  it('leaves trailers and framing behind with the body', async () => {
    const server = await rawServer(routes({ '/a': redirect(303, '/b') }));
    const options: ClientRequestOptions = { trailers: { 'X-Sum': '1' } };
    await (
      await clientWith().request('POST', urlOf(server, '/a'), () => ['x'], { Trailer: 'X-Sum' }, options)
    ).text();
    expect(server.requests[1]?.head).not.to.match(/trailer|transfer-encoding/i);
  });

  it('carries credentials to the same origin only, and not back', async () => {
    const other: RawServer = await rawServer((socket) => socket.write(redirect(302, urlOf(server, '/back'))));
    const server: RawServer = await rawServer((socket, { target }) => {
      if (target === '/a') socket.write(redirect(302, '/b'));
      else if (target === '/b') socket.write(redirect(302, urlOf(other)));
      else socket.write(okWith('end'));
    });
    const client = clientWith({ headers: { Cookie: 'default', 'X-Other': 'kept' } });
    const url = new URL(urlOf(server, '/a'));
    url.username = 'user';
    await (await client.request('GET', url, null, { 'Proxy-Authorization': 'p', Host: 'virtual' })).text();
    const secrets = ['Authorization', 'Cookie', 'Proxy-Authorization'];
    const [a, b, back] = server.requests;
    if (a === undefined || b === undefined || back === undefined) throw new Error('three requests');
    for (const name of secrets) {
      expect(fieldOf(a, name), name).to.be.a('string');
      expect(fieldOf(b, name), name).to.equal(fieldOf(a, name));
      expect(fieldOf(other.request, name), name).to.equal(null);
      expect(fieldOf(back, name), name).to.equal(null);
    }
    expect(fieldOf(b, 'Host')).to.equal('virtual');
    expect(fieldOf(other.request, 'Host')).to.equal(`127.0.0.1:${String(other.port)}`);
    expect(fieldOf(other.request, 'X-Other')).to.equal('kept');
  });

  it('takes no user information from a Location', async () => {
    const server: RawServer = await rawServer((socket, { target }) => {
      if (target === '/a')
        socket.write(redirect(302, `http://evil:secret@127.0.0.1:${String(server.port)}/b`));
      else socket.write(okWith('end'));
    });
    const response = await clientWith().request('GET', urlOf(server, '/a'));
    await response.text();
    expect(response.url).to.equal(urlOf(server, '/b'));
    expect(server.requests[1]?.head).not.to.match(/authorization/i);
  });

  it('goes up to https, and down from it only where that is allowed', async () => {
    const plain: RawServer = await rawServer((socket, { target }) => {
      socket.write(target === '/up' ? redirect(302, urlOf(secure, '/', 'https')) : okWith('plain'));
    });
    const secure: RawServer = await rawTLSServer((socket, { target }) => {
      socket.write(target === '/down' ? redirect(302, urlOf(plain)) : okWith('secure'));
    });
    const client = clientWith();
    expect(await (await client.request('GET', urlOf(plain, '/up'))).text()).to.equal('secure');
    expect(await rejection(client.request('GET', urlOf(secure, '/down', 'https')))).to.be.instanceOf(
      RedirectError,
    );
    const allowed = { allowDowngrade: true };
    expect(
      await (await client.request('GET', urlOf(secure, '/down', 'https'), null, {}, allowed)).text(),
    ).to.equal('plain');
  });

  const REFUSED: readonly (readonly [name: string, reply: string, says: RegExp, body?: () => PoolBody])[] = [
    ['a circle', redirect(302, '/a', 'body'), /circle/],
    [
      'several Locations',
      'HTTP/1.1 302 X\r\nLocation: /b\r\nLocation: /c\r\nContent-Length: 0\r\n\r\n',
      /several/,
    ],
    ['another scheme', redirect(302, 'ftp://u:secret@h/'), /ftp:/],
    ['no URL', redirect(302, 'http://u:secret@h:99999/'), /no URL/],
    ['a body that cannot be sent again', redirect(307, '/b'), /sent again/, () => Readable.from(['x'])],
    [
      'a body without an end',
      `HTTP/1.1 302 X\r\nLocation: ftp://h/\r\nContent-Length: 1000000\r\n\r\nx`,
      /ftp:/,
    ],
  ];
  for (const [name, reply, says, body] of REFUSED) {
    it(`refuses ${name} with RedirectError, and leaves no connection busy`, async () => {
      const server = await rawServer(routes({ '/a': reply }));
      const client = clientWith();
      const error = await rejection<RedirectError>(
        client.request('PUT', urlOf(server, '/a'), body?.() ?? null),
      );
      expect(error).to.be.instanceOf(RedirectError);
      expect(error.message)
        .to.match(says)
        .and.not.match(/secret/);
      expect(error).to.include({ method: 'PUT', url: urlOf(server, '/a') });
      expect(error.message.startsWith(`PUT ${urlOf(server, '/a')}: `)).to.equal(true);
      expect(error.urls).to.deep.equal([urlOf(server, '/a')]);
      expect(error.status).to.be.within(300, 308);
      expect(client.stats.busy).to.equal(0);
    });
  }

  it('gives up when as many as allowed were followed', async () => {
    let at = 0;
    const server = await rawServer((socket) => socket.write(redirect(302, `/${String(++at)}`)));
    const error = await rejection<RedirectError>(
      clientWith({ redirects: 3 }).request('GET', urlOf(server, '/0')),
    );
    expect(error.urls).to.have.length(4);
    expect(error.location).to.equal('/4');
    expect(server.requests).to.have.length(4);
  });

  it('says where a later failure came from', async () => {
    const server = await rawServer((socket, { target }) => {
      if (target === '/a') socket.write(redirect(302, '/b'));
      else socket.destroy();
    });
    const error = await rejection<Error & { url: string }>(clientWith().request('POST', urlOf(server, '/a')));
    expect(error.url).to.equal(urlOf(server, '/b'));
  });

  it('runs one `total` over all of them', async () => {
    let at = 0;
    const server = await rawServer((socket) => {
      setTimeout(() => socket.write(redirect(302, `/${String(++at)}`)), 40);
    });
    const begun = performance.now();
    const options = { timeout: { total: 150 }, redirects: 100 };
    const error = await rejection(clientWith().request('GET', urlOf(server, '/0'), null, {}, options));
    expect(error).to.include({ timer: 'total' });
    expect(performance.now() - begun).to.be.within(140, 400);
  });

  it("ends by `total` also while a redirect's body is drained, and asks no further", async () => {
    const silent = 'HTTP/1.1 302 X\r\nLocation: /b\r\nContent-Length: 9\r\n\r\n';
    const server = await rawServer(routes({ '/a': silent }));
    const begun = performance.now();
    const options = { timeout: { total: 100 } };
    const error = await rejection(clientWith().request('GET', urlOf(server, '/a'), null, {}, options));
    expect(error).to.include({ timer: 'total' });
    expect(performance.now() - begun).to.be.within(90, 500);
    expect(server.requests).to.have.length(1);
  });

  it('ends with an abort wherever it is', async () => {
    let at = 0;
    const server = await rawServer((socket) => {
      setTimeout(() => socket.write(redirect(302, `/${String(++at)}`)), 10);
    });
    const reason = new Error('stop');
    const controller = new AbortController();
    setTimeout(() => controller.abort(reason), 60);
    const options = { signal: controller.signal, redirects: 100 };
    expect(await rejection(clientWith().request('GET', urlOf(server, '/0'), null, {}, options))).to.equal(
      reason,
    );
  });
});
