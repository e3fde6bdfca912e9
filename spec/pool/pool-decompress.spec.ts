/**
 * Content codings of a pool's responses: asked for, undone, and let go of.
 */
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';

import { expect } from 'chai';

import { BadEncoding } from '../../lib/index.js';
import { TCP, until } from '../support/pools.js';
import { rawServer } from '../support/raw-server.js';
import type { RawServer } from '../support/raw-server.js';
import { fieldOf } from '../support/received-request.js';
import { rejection } from '../support/rejection.js';

const TEXT = 'what a server says again and again. '.repeat(1000);

function serving(bytes: Buffer | string, coding: string | null): Promise<RawServer> {
  return rawServer((socket) => {
    const field = coding === null ? '' : `Content-Encoding: ${coding}\r\n`;
    socket.write(`HTTP/1.1 200 OK\r\n${field}Content-Length: ${String(bytes.length)}\r\n\r\n`);
    socket.write(bytes);
  });
}

describe('a pool that decompresses', () => {
  const CODINGS: readonly (readonly [coding: string | null, bytes: Buffer | string])[] = [
    ['gzip', gzipSync(TEXT)],
    ['deflate', deflateSync(TEXT)],
    ['br', brotliCompressSync(TEXT)],
    ['deflate, gzip', gzipSync(deflateSync(TEXT))],
    ['identity', TEXT],
    [null, TEXT],
  ];
  for (const [coding, bytes] of CODINGS) {
    it(`undoes ${String(coding)}, and has the connection back when the end was read`, async () => {
      const server = await serving(bytes, coding);
      const pool = TCP.pool(server, { decompress: true });
      for (let i = 0; i < 3; i++) {
        const response = await pool.request('GET', '/');
        expect(await response.text()).to.equal(TEXT);
        expect(response.getHeader('content-encoding')).to.equal(coding);
        await until(() => pool.stats.idle === 1);
      }
      expect(server.connections).to.equal(1);
      expect(fieldOf(server.requests[0] ?? server.request, 'Accept-Encoding')).to.match(/gzip.*br/);
    });
  }

  it('leaves the caller’s Accept-Encoding, and decodes all the same', async () => {
    const server = await serving(gzipSync(TEXT), 'gzip');
    const pool = TCP.pool(server);
    const response = await pool.request(
      'GET',
      '/',
      null,
      { 'accept-encoding': 'gzip;q=1' },
      { decompress: true },
    );
    expect(await response.text()).to.equal(TEXT);
    expect(fieldOf(server.request, 'Accept-Encoding')).to.equal('gzip;q=1');
  });

  it('asks for a range of the thing itself', async () => {
    const server = await serving('x', null);
    const pool = TCP.pool(server, { decompress: true });
    await (await pool.request('GET', '/', null, { Range: 'bytes=0-0' })).text();
    expect(fieldOf(server.request, 'Accept-Encoding')).to.equal('identity');
  });

  it('does not unless it was told to, and a request may say no', async () => {
    const bytes = gzipSync(TEXT);
    const server = await serving(bytes, 'gzip');
    expect(await (await TCP.pool(server).request('GET', '/')).readall()).to.deep.equal(bytes);
    const pool = TCP.pool(server, { decompress: true });
    expect(await (await pool.request('GET', '/', null, {}, { decompress: false })).readall()).to.deep.equal(
      bytes,
    );
    for (const request of server.requests) expect(fieldOf(request, 'Accept-Encoding')).to.equal('identity');
  });

  it('rejects with BadEncoding for a coding that nobody knows, and keeps no connection busy', async () => {
    const pool = TCP.pool(await serving('x', 'pack200'), { decompress: true });
    expect(await rejection(pool.request('GET', '/'))).to.be.instanceOf(BadEncoding);
    expect(pool.stats.busy).to.equal(0);
  });

  it('has no use for bytes that do not decode, and keeps no connection busy', async () => {
    const pool = TCP.pool(await serving('this is no gzip at all', 'gzip'), { decompress: true });
    const response = await pool.request('GET', '/');
    expect(await rejection(response.text())).to.be.instanceOf(BadEncoding);
    await until(() => pool.stats.busy === 0);
  });

  it('closes the connection of a response that is destroyed', async () => {
    const pool = TCP.pool(await serving(gzipSync(TEXT), 'gzip'), { decompress: true });
    (await pool.request('GET', '/')).destroy();
    await until(() => pool.stats.open === 0);
  });
});
