/**
 * Downloads that go on as calls of a client: over each kind of line, through redirects, with the client's own settings.
 */
import { expect } from 'chai';
import {
  closeAll,
  HTTPException,
  ResourceChanged,
  resumable,
  ResumableDownload,
  TimeoutError,
} from '../../lib/index.js';
import type { ClientOptions } from '../../lib/index.js';
import { clientWith, download } from '../support/download.js';
import { sleep } from '../support/expiry.js';
import { ETAG, FileCheck, fileServer, randomCuts, seeded, wholeFile } from '../support/file-server.js';
import type { Cut } from '../support/file-server.js';
import { rawServer, rawTLSServer } from '../support/raw-server.js';
import type { RawServer } from '../support/raw-server.js';
import { fieldOf } from '../support/received-request.js';
import { rejection } from '../support/rejection.js';
import { lineTo, proxyTo, TRUSTING } from '../support/transports.js';

const SIZE = 700_000;
const FILE = wholeFile(SIZE);
const CUTS: Cut[] = [{ at: 100_000, kind: 'end' }];

describe('resumable()', () => {
  afterEach(() => closeAll());

  interface Line {
    readonly name: string;
    readonly serve: typeof rawServer;
    readonly options: (server: RawServer) => ClientOptions | Promise<ClientOptions>;
  }
  const lines: readonly Line[] = [
    { name: 'TCP', serve: rawServer, options: () => ({}) },
    { name: 'TLS', serve: rawTLSServer, options: () => ({ context: TRUSTING }) },
    {
      name: 'TLS in a tunnel',
      serve: rawTLSServer,
      options: async (server) => {
        const proxy = await proxyTo(server);
        return { context: TRUSTING, proxy: `http://127.0.0.1:${String(proxy.port)}` };
      },
    },
    {
      name: 'a stream in memory',
      serve: rawServer,
      options: (server) => ({ createConnection: () => lineTo(server) }),
    },
  ];
  for (const { name, serve, options } of lines)
    it(`brings a file byte for byte over ${name}, whatever cuts it`, async () => {
      const cuts = randomCuts(SIZE, 12, seeded(7));
      for (const cut of cuts) if (cut === cuts[0]) cut.kind = 'end';
      const { server } = await fileServer({ size: SIZE, cuts }, (script) => serve(script));
      const client = clientWith(await options(server));
      const scheme = serve === rawTLSServer ? 'https' : 'http';
      const body = await client.resumable(`${scheme}://127.0.0.1:${String(server.port)}/`, {
        timeout: { body: 100 },
        minDelay: 1,
        maxDelay: 5,
      });
      const check = new FileCheck();
      for await (const piece of body) check.add(piece);
      expect(check.position).to.equal(SIZE);
      expect(body.resumes).to.be.above(3);
    });

  it('is a function of the shared client too', async () => {
    const { url } = await fileServer({ size: SIZE, cuts: CUTS });
    const body = await resumable(new URL(url), { minDelay: 1 });
    expect(body).to.be.instanceOf(ResumableDownload);
    expect((await body.readall()).equals(FILE)).to.equal(true);
    expect(body.url).to.equal(url);
  });

  it('follows a redirect anew for each part, and gives credentials to nobody else', async () => {
    const file = await fileServer({ size: SIZE, cuts: CUTS });
    const front = await rawServer((socket) => {
      socket.write(`HTTP/1.1 302 Found\r\nLocation: ${file.url}\r\nContent-Length: 0\r\n\r\n`);
    });
    const body = await download(`http://user:secret@127.0.0.1:${String(front.port)}/`, { redirects: 2 });
    expect((await body.readall()).equals(FILE)).to.equal(true);
    expect(front.requests.map((request) => fieldOf(request, 'range'))).to.deep.equal([null, 'bytes=100000-']);
    expect(front.requests.map((request) => fieldOf(request, 'authorization')?.slice(0, 5))).to.deep.equal([
      'Basic',
      'Basic',
    ]);
    expect(file.server.requests.map((request) => fieldOf(request, 'range'))).to.deep.equal([
      null,
      'bytes=100000-',
    ]);
    for (const request of file.server.requests) expect(fieldOf(request, 'authorization')).to.equal(null);
    expect(body.url).to.equal(file.url);
  });

  it('has the fields, the base and the time limits of its client', async () => {
    const { url, server } = await fileServer({ size: SIZE, cuts: [...CUTS, { at: 100_000, kind: 'stall' }] });
    const client = clientWith({
      baseURL: url,
      headers: { 'X-Own': '1' },
      timeout: { total: 200 },
      decompress: true,
    });
    const begun = performance.now();
    const body = await client.resumable('/file', { minDelay: 1 });
    const error = await rejection(body.readall().then(({ length }) => length));
    expect(error).to.be.instanceOf(TimeoutError).and.to.include({ timer: 'total', url });
    expect(performance.now() - begun).to.be.within(195, 700);
    for (const request of server.requests) {
      expect(fieldOf(request, 'x-own')).to.equal('1');
      expect(fieldOf(request, 'accept-encoding')).to.equal('identity');
    }
  });

  it('counts each request that brings nothing, whatever the retries of its client', async () => {
    const { url, positions } = await fileServer({
      size: SIZE,
      cuts: CUTS,
      instead: (_, number) => (number > 1 ? 'HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n' : null),
    });
    const client = clientWith({ retries: 5 });
    const body = await client.resumable(url, { attempts: 2, minDelay: 1 });
    await rejection(body.readall().then(({ length }) => length));
    expect(positions).to.deep.equal([0, 100_000, 100_000]);
  });

  it('has its first request retried as any other', async () => {
    const { url, positions } = await fileServer({
      size: SIZE,
      instead: (_, number) => (number === 1 ? 'HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n' : null),
    });
    const body = await download(url, { retries: { limit: 1, minDelay: 1 } });
    expect((await body.readall()).equals(FILE)).to.equal(true);
    expect(positions).to.deep.equal([0, 0]);
  });

  it('is ended by the end of its client, between two requests as well', async () => {
    const mine = new Error('mine');
    for (const cuts of [[{ at: 10, kind: 'stall' as const }], [{ at: 10, kind: 'end' as const }]]) {
      const { url, positions } = await fileServer({ size: SIZE, cuts });
      const client = clientWith();
      const body = await client.resumable(url, { minDelay: 60, maxDelay: 60 });
      await body.readbytes(10);
      const reading = rejection(body.readbytes(1));
      await sleep(20);
      client.destroy(mine);
      const error = await reading;
      if (cuts[0]?.kind === 'stall') expect(error).to.equal(mine);
      else expect(error).to.be.instanceOf(HTTPException).and.to.include({ name: 'NotConnected' });
      expect(positions).to.deep.equal([0]);
    }
  });

  it('goes on in another program with the validator of the first', async () => {
    const { url } = await fileServer({ size: SIZE });
    const first = await download(url);
    const begin = await first.readbytes(123_456);
    const { position, validator } = first;
    first.destroy();
    const second = await download(url, { from: { position, validator: validator ?? '' } });
    expect(Buffer.concat([begin, await second.readall()]).equals(FILE)).to.equal(true);
    const changed = await fileServer({
      size: SIZE,
      instead: () => `HTTP/1.1 200 OK\r\nETag: "two"\r\nContent-Length: 0\r\n\r\n`,
    });
    const error = await rejection(download(changed.url, { from: { position, validator: ETAG } }));
    expect(error)
      .to.be.instanceOf(ResourceChanged)
      .and.to.include({ was: ETAG, now: '"two"', url: changed.url });
  });

  it('refuses unknown options, and what no request could be made with', async () => {
    const client = clientWith();
    expect(await rejection(client.resumable('http://localhost/', { atempts: 1 } as never)))
      .to.be.instanceOf(TypeError)
      .and.to.match(/did you mean 'attempts'/);
    expect(await rejection(client.resumable('/file'))).to.include({ name: 'InvalidURL' });
    expect(await rejection(client.resumable('ftp://localhost/'))).to.include({ name: 'UnknownProtocol' });
    expect(await rejection(client.resumable('http://localhost/', { signal: 3 } as never))).to.be.instanceOf(
      TypeError,
    );
  });
});
