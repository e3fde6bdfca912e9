/**
 * `toResponse`: what a program written against `fetch` finds in a response of ours.
 */
import { once } from 'node:events';
import { expect } from 'chai';
import { HTTPConnection, toResponse } from '../../lib/index.js';
import { FedResponse, responseOf } from '../support/fed-response.js';
import { rejection } from '../support/rejection.js';
import { answer, connectionTo, rawServer } from '../support/raw-server.js';

const pieces = (...texts: string[]): Buffer[] => texts.map((text) => Buffer.from(text));

describe('toResponse', () => {
  it('gives status, reason, fields and body', async () => {
    const fields = ['Content-Type', 'application/json', 'Set-Cookie', 'a=1', 'Set-Cookie', 'b=2'];
    const response = toResponse(responseOf({ pieces: pieces('{"a"', ':1}'), status: 201, fields }));
    expect(response).to.be.instanceOf(Response);
    expect([response.status, response.ok, response.statusText]).to.deep.equal([201, true, 'OK']);
    expect(response.headers.getSetCookie()).to.deep.equal(['a=1', 'b=2']);
    expect(await response.json()).to.deep.equal({ a: 1 });
  });

  it('has a URL where that is known', () => {
    expect(toResponse(responseOf({ pieces: [] })).url).to.equal('');
    const { response } = new FedResponse({ pieces: [] });
    Object.defineProperty(response, 'url', { value: 'http://example.org/a' });
    expect(toResponse(response).url).to.equal('http://example.org/a');
  });

  for (const status of [204, 205, 304]) {
    it(`has no body for a ${String(status)}`, () => {
      expect(toResponse(responseOf({ pieces: [], status })).body).to.equal(null);
    });
  }

  it('has no body for HEAD', () => {
    expect(toResponse(responseOf({ pieces: [], method: 'HEAD' })).body).to.equal(null);
  });

  it('drops what a 205 brings against the rules, and the connection is used again', async () => {
    const server = await rawServer(answer('HTTP/1.1 205 Reset Content\r\nContent-Length: 3\r\n\r\nabc'));
    const connection = connectionTo(server);
    for (let i = 0; i < 2; i++) {
      await connection.request('POST', '/');
      const response = await connection.getResponse();
      expect(toResponse(response).body).to.equal(null);
      if (!response.closed) await once(response, 'close');
    }
    expect(server.connections).to.equal(1);
    connection.close();
  });

  it('refuses a status that a Response cannot have, and leaves the response as it was', async () => {
    const response = responseOf({ pieces: pieces('body'), status: 700 });
    expect(() => toResponse(response)).to.throw(RangeError);
    expect(await response.text()).to.equal('body');
  });

  it('takes nothing before it is asked, and then no more than it is asked for', async () => {
    const fed = new FedResponse({ pieces: pieces('a', 'b', 'c') });
    const reader = (toResponse(fed.response).body as ReadableStream<Uint8Array>).getReader();
    await new Promise(setImmediate);
    expect(fed.resumes).to.equal(0);
    expect((await reader.read()).value).to.deep.equal(new Uint8Array([0x61]));
    await reader.cancel();
  });

  it('stops a sender that is faster than its reader', async () => {
    let written = 0;
    const server = await rawServer(async (socket) => {
      socket.write('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n');
      const block = Buffer.alloc(65_536);
      while (written < 64 * 1024 * 1024 && !socket.destroyed) {
        written += block.length;
        if (!socket.write(block)) await once(socket, 'drain');
      }
    });
    const connection = connectionTo(server);
    await connection.request('GET', '/');
    const response = toResponse(await connection.getResponse());
    const reader = (response.body as ReadableStream).getReader();
    await reader.read();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(written).to.be.below(32 * 1024 * 1024);
    await reader.cancel();
  });

  it('fills the memory of a reader that brings its own', async () => {
    const response = toResponse(responseOf({ pieces: pieces('abcdef', 'gh') }));
    const reader = (response.body as ReadableStream<Uint8Array>).getReader({ mode: 'byob' });
    const texts: string[] = [];
    for (let view = new Uint8Array(4); ;) {
      const { done, value } = await reader.read(view);
      if (done) break;
      texts.push(Buffer.from(value).toString());
      view = new Uint8Array(value.buffer);
    }
    expect(texts.join('')).to.equal('abcdefgh');
    expect(texts.every((text) => text.length <= 4)).to.equal(true);
  });

  it('gives memory of its own, so that a reader may transfer or change it', async () => {
    const fed = new FedResponse({ pieces: pieces('abcdef'), ahead: 1 });
    await fed.response.peek(3);
    const reader = (toResponse(fed.response).body as ReadableStream<Uint8Array>).getReader();
    const { value } = await reader.read();
    expect(value?.constructor).to.equal(Uint8Array);
    expect(value?.buffer.byteLength).to.equal(6);
  });

  it('destroys the response when it is cancelled, with the reason if that is an error', async () => {
    const one = new FedResponse({ pieces: pieces('a'), end: 'nothing' });
    await toResponse(one.response).body?.cancel();
    const reason = new Error('enough');
    const other = new FedResponse({ pieces: pieces('a'), end: 'nothing' });
    await toResponse(other.response).body?.cancel(reason);
    expect([one.aborts, other.aborts]).to.deep.equal([[null], [reason]]);
    expect(one.response.destroyed).to.equal(true);
  });

  it('fails when the body is cut short', async () => {
    const cut = new Error('cut short');
    const response = toResponse(responseOf({ pieces: pieces('abc'), end: cut }));
    expect(await rejection(response.text())).to.equal(cut);
  });

  it('fails when the response is destroyed, with its reason, also for a reader that waits for nothing', async () => {
    const { response } = new FedResponse({ pieces: pieces('a', 'b'), end: 'nothing' });
    const reader = (toResponse(response).body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    const reason = new Error('stopped');
    response.destroy(reason);
    expect(await rejection(reader.closed)).to.equal(reason);
    expect(await rejection(reader.read())).to.equal(reason);
  });

  it('fails with IncompleteRead when the response is destroyed without a reason', async () => {
    const { response } = new FedResponse({ pieces: pieces('a'), end: 'nothing' });
    const text = toResponse(response).text();
    response.destroy();
    expect(await rejection(text)).to.have.property('name', 'IncompleteRead');
  });

  it('can be cloned', async () => {
    const response = toResponse(responseOf({ pieces: pieces('ab', 'cd') }));
    const copy = response.clone();
    expect(await Promise.all([response.text(), copy.text()])).to.deep.equal(['abcd', 'abcd']);
  });

  it('lets go of the connection behind the last byte', async () => {
    const server = await rawServer(answer('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'));
    const connection = new HTTPConnection('127.0.0.1', server.port);
    for (let i = 0; i < 2; i++) {
      await connection.request('GET', '/');
      expect(await toResponse(await connection.getResponse()).text()).to.equal('ok');
    }
    expect(server.connections).to.equal(1);
    connection.close();
  });
});
