/**
 * Trailers of a request: sent behind the last chunk, named in the head where the names are known, refused where a field may not be one.
 */
import { expect } from 'chai';
import { ChunkedEncoder, HTTPMessage } from '../../lib/index.js';
import type { HeadersInit, RequestOptions } from '../../lib/index.js';
import { answer, NO_CONTENT } from '../support/raw-server.js';
import type { RawServer } from '../support/raw-server.js';
import { fieldOf } from '../support/received-request.js';
import { rejection } from '../support/rejection.js';
import { TCP, TLS } from '../support/transports.js';
import type { Way } from '../support/transports.js';

async function* pieces(): AsyncGenerator<string> {
  yield 'one';
  yield 'two';
}

async function post(
  way: Way,
  trailers: RequestOptions['trailers'],
  headers: HeadersInit = {},
): Promise<RawServer> {
  const server = await way.serve(answer(NO_CONTENT));
  const connection = await way.connect(server);
  await connection.request('POST', '/', pieces(), headers, { trailers });
  expect((await connection.getResponse()).status).to.equal(204);
  return server;
}

describe('request trailers', () => {
  const given: Record<string, HeadersInit> = {
    'an object': { Digest: 'abc', 'X-Count': 2 },
    pairs: [
      ['Digest', 'abc'],
      ['X-Count', 2],
    ],
    'an HTTPMessage': new HTTPMessage({ Digest: 'abc', 'X-Count': '2' }),
  };
  for (const way of [TCP, TLS]) {
    for (const [kind, trailers] of Object.entries(given)) {
      it(`as ${kind} go out over ${way.name} behind the last chunk, and are declared by Trailer`, async () => {
        const { request } = await post(way, trailers);
        expect(request.body.toString()).to.equal('onetwo');
        expect(request.trailers).to.equal('Digest: abc\r\nX-Count: 2\r\n');
        expect(fieldOf(request, 'Trailer')).to.equal('Digest, X-Count');
      });
    }
  }

  it('can come from a function that is called when the body has ended, with a Trailer field of the caller’s', async () => {
    let sentBytes = 0;
    const server = await TCP.serve(answer(NO_CONTENT));
    const connection = await TCP.connect(server);
    async function* counted(): AsyncGenerator<string> {
      for await (const piece of pieces()) {
        sentBytes += piece.length;
        yield piece;
      }
    }
    const trailers = (): HeadersInit => ({ 'X-Bytes': sentBytes });
    await connection.request('POST', '/', counted(), { Trailer: 'X-Bytes' }, { trailers });
    expect(server.requests.length).to.be.at.most(1);
    await connection.getResponse();
    expect(server.request.trailers).to.equal('X-Bytes: 6\r\n');
    expect(fieldOf(server.request, 'Trailer')).to.equal('X-Bytes');
  });

  it('can come late: an async function is waited for before the body ends', async () => {
    const { request } = await post(TCP, async () => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      return { 'X-Late': 'yes' };
    });
    expect(request.trailers).to.equal('X-Late: yes\r\n');
    expect(fieldOf(request, 'Trailer')).to.equal(null);
  });

  it('may repeat a field, which Trailer names once', async () => {
    const { request } = await post(TCP, [
      ['X-Part', 'a'],
      ['X-Part', 'b'],
    ]);
    expect(request.trailers).to.equal('X-Part: a\r\nX-Part: b\r\n');
    expect(fieldOf(request, 'Trailer')).to.equal('X-Part');
  });

  it('may be none: the body ends as without', async () => {
    for (const trailers of [{}, () => ({})]) {
      const { request } = await post(TCP, trailers);
      expect(request.trailers).to.equal('');
      expect(fieldOf(request, 'Trailer')).to.equal(null);
    }
  });

  it('leave the connection reusable', async () => {
    const server = await TCP.serve(answer(NO_CONTENT));
    const connection = await TCP.connect(server);
    for (let i = 0; i < 3; i++) {
      await connection.request('POST', '/', pieces(), {}, { trailers: { 'X-Turn': i } });
      await connection.getResponse();
    }
    expect(server.connections).to.equal(1);
    expect(server.requests.map(({ trailers }) => trailers)).to.deep.equal(
      [0, 1, 2].map((turn) => `X-Turn: ${String(turn)}\r\n`),
    );
  });

  const failure = new Error('no digest today');
  const failing: Record<string, RequestOptions['trailers']> = {
    throws: () => {
      throw failure;
    },
    rejects: () => Promise.reject(failure),
  };
  for (const [how, trailers] of Object.entries(failing)) {
    it(`of a function that ${how} fail the request with that error, and the server sees no end of the body`, async () => {
      const server = await TCP.serve(answer(NO_CONTENT));
      const connection = await TCP.connect(server);
      const sent = connection.request('POST', '/', pieces(), {}, { trailers });
      expect(await rejection(sent)).to.equal(failure);
      await server.peer().closed;
      expect(server.requests).to.have.length(0);
      expect(server.peer().text.endsWith('0\r\n\r\n')).to.equal(false);
      await connection.request('GET', '/');
      expect((await connection.getResponse()).status).to.equal(204);
    });
  }

  const forbidden = [
    'Content-Length',
    'transfer-encoding',
    'Trailer',
    'Host',
    'Connection',
    'TE',
    'Upgrade',
    'Authorization',
    'Cookie',
    'Set-Cookie',
    'Proxy-Authorization',
    'Content-Encoding',
    'CONTENT-TYPE',
    'Content-Range',
    'Expect',
    'Cache-Control',
    'Max-Forwards',
    'If-Match',
    'Range',
  ];
  for (const name of forbidden) {
    it(`may not hold ${name}: refused before a byte is sent, or as a failed source when a function gives it`, async () => {
      const server = await TCP.serve(answer(NO_CONTENT));
      const connection = await TCP.connect(server);
      const refusal = await rejection(
        connection.request('POST', '/', pieces(), {}, { trailers: { [name]: 'x' } }),
      );
      expect(refusal).to.be.instanceOf(TypeError);
      expect(refusal.message).to.include(name);
      expect(server.connections).to.equal(0);
      const trailers = (): HeadersInit => ({ [name]: 'x' });
      expect(await rejection(connection.request('POST', '/', pieces(), {}, { trailers }))).to.be.instanceOf(
        TypeError,
      );
      await server.until(({ peers }) => peers.length === 1);
      await server.peer().closed;
      expect(server.requests).to.have.length(0);
    });
  }

  it('may hold no CR, LF or NUL, and no bad name', async () => {
    const connection = await TCP.connect(await TCP.serve(answer(NO_CONTENT)));
    for (const trailers of [{ 'X-A': 'a\r\nHost: b' }, { 'X-A': 'a\0' }, { 'X A': 'a' }, { '': 'a' }]) {
      const sent = connection.request('POST', '/', pieces(), {}, { trailers });
      expect(await rejection(sent)).to.be.instanceOf(TypeError);
    }
  });

  it('need a chunked body', async () => {
    const connection = await TCP.connect(await TCP.serve(answer(NO_CONTENT)));
    for (const [body, headers] of [
      ['text', {}],
      [null, {}],
      [pieces(), { 'Content-Length': 6 }],
    ] as const) {
      const sent = connection.request('POST', '/', body, headers, { trailers: { 'X-A': '1' } });
      expect(await rejection(sent)).to.be.instanceOf(TypeError);
    }
  });

  it('are made by ChunkedEncoder alone, too', async () => {
    const encoder = new ChunkedEncoder({ trailers: () => Promise.resolve({ 'X-A': '1' }) });
    encoder.end('data');
    const encoded: Buffer[] = [];
    for await (const piece of encoder) encoded.push(piece as Buffer);
    expect(Buffer.concat(encoded).toString()).to.equal('4\r\ndata\r\n0\r\nX-A: 1\r\n\r\n');
  });
});
