/**
 * `fromResponse`: a web `Response` read in the ways of this library.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { fromResponse, toResponse } from '../../lib/index.js';
import { rejection } from '../support/rejection.js';

/** A stream that counts what is asked of it. */
function counted(give: (controller: ReadableStreamDefaultController, number: number) => void): {
  stream: ReadableStream;
  asked: number;
  reasons: unknown[];
} {
  const seen = { asked: 0, reasons: [] as unknown[], stream: new ReadableStream() };
  seen.stream = new ReadableStream(
    {
      pull: (controller) => give(controller, ++seen.asked),
      cancel: (reason) => {
        seen.reasons.push(reason);
      },
    },
    { highWaterMark: 0 },
  );
  return seen;
}

describe('fromResponse', () => {
  it('gives status, reason, fields and every way of reading', async () => {
    const headers: [string, string][] = [
      ['Content-Type', 'text/plain'],
      ['Set-Cookie', 'a=1'],
      ['Set-Cookie', 'b=2'],
    ];
    const response = fromResponse(
      new Response('one\ntwo\nthree', { status: 418, statusText: 'Teapot', headers }),
    );
    expect([response.status, response.reason, response.version]).to.deep.equal([418, 'Teapot', 11]);
    expect(response.headers.getAll('set-cookie')).to.deep.equal(['a=1', 'b=2']);
    expect([response.length, response.chunked, response.fileno()]).to.deep.equal([null, false, -1]);
    expect((await response.readline()).toString()).to.equal('one\n');
    const lines: string[] = [];
    for await (const line of response.lines()) lines.push(line);
    expect(lines).to.deep.equal(['two', 'three']);
    expect(response.readableEnded).to.equal(true);
  });

  it('is empty for a Response without a body', async () => {
    const response = fromResponse(new Response(null, { status: 204 }));
    expect([response.length, response.isClosed()]).to.deep.equal([0, true]);
    expect(await response.readall()).to.have.length(0);
  });

  it('asks the stream only while its reader wants more', async () => {
    const source = counted((controller) => controller.enqueue(new Uint8Array(16_384)));
    const response = fromResponse(new Response(source.stream));
    await new Promise(setImmediate);
    expect(source.asked).to.equal(0);
    await response.readbytes(10);
    await new Promise(setImmediate);
    expect(source.asked).to.be.within(1, 8);
    response.destroy();
  });

  it('cancels the stream when it is destroyed, with the error', async () => {
    const source = counted((controller) => controller.enqueue(new Uint8Array(10)));
    const response = fromResponse(new Response(source.stream));
    await response.readbytes(1);
    const reason = new Error('enough');
    response.destroy(reason);
    await new Promise(setImmediate);
    expect(source.reasons).to.deep.equal([reason]);
  });

  it('fails as the stream fails, behind what came before', async () => {
    const failure = new Error('the line broke');
    const source = counted((controller, number) => {
      if (number === 1) controller.enqueue(Buffer.from('abc'));
      else controller.error(failure);
    });
    const response = fromResponse(new Response(source.stream));
    expect((await response.readbytes(3)).toString()).to.equal('abc');
    expect(await rejection(response.readbytes(1))).to.equal(failure);
  });

  it('refuses pieces that are no bytes, and cancels their stream', async () => {
    const source = counted((controller) => controller.enqueue('text'));
    const response = fromResponse(new Response(source.stream));
    expect(await rejection(response.readall())).to.be.instanceOf(TypeError);
    await new Promise(setImmediate);
    expect(source.reasons).to.have.length(1);
  });

  it('refuses what is no Response, or one whose body is taken', async () => {
    const used = new Response('x');
    await used.text();
    const locked = new Response('x');
    locked.body?.getReader();
    for (const wrong of [used, locked, Response.error(), {} as Response, null as unknown as Response])
      expect(() => fromResponse(wrong)).to.throw(TypeError);
  });

  it('brings back what toResponse gave away', async () => {
    const there = toResponse(fromResponse(new Response('there and back')));
    expect(await fromResponse(there).text()).to.equal('there and back');
  });

  it('tells the truth about a body that fetch has decoded', async () => {
    const server = createServer((_request, answer) => {
      const body = gzipSync('plain');
      answer.writeHead(200, { 'Content-Encoding': 'gzip', 'Content-Length': body.length }).end(body);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/`;
      const response = fromResponse(await fetch(url));
      expect([response.getHeader('content-encoding'), response.getHeader('content-length')]).to.deep.equal([
        null,
        null,
      ]);
      expect(response.url).to.equal(url);
      expect(await response.text()).to.equal('plain');
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });
});
