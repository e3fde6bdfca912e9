/**
 * `send()`: bytes as they are, bound to the exchange and the connection that they were meant for.
 */
import { expect } from 'chai';
import { getEventListeners } from 'node:events';
import { ContentLengthMismatch, NotConnected } from '../../lib/errors.js';
import { answer, connectionTo, OK, rawServer } from '../support/raw-server.js';
import { rejection } from '../support/rejection.js';

const EARLY = 'HTTP/1.1 413 Too\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno';

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

async function* endless(pulled: { times: number; ended: boolean }): AsyncGenerator<string> {
  try {
    for (;;) {
      pulled.times++;
      yield 'piece';
      await pause(2);
    }
  } finally {
    pulled.ended = true;
  }
}

describe('send()', () => {
  it('in Idle has its answer given to no request', async () => {
    const server = await rawServer((socket) => {
      setTimeout(() => socket.write(OK), 20);
    });
    const conn = connectionTo(server);
    await conn.send('GET /raw HTTP/1.1\r\nHost: x\r\n\r\n');
    await conn.request('GET', '/mine');
    await (await conn.getResponse()).readall();
    expect(server.connections).to.equal(2);
    conn.close();
  });

  it('drops what an early answer has made pointless, and dials for none of it', async () => {
    const server = await rawServer((socket) => socket.end(EARLY), { atHead: true });
    const conn = connectionTo(server);
    conn.putRequest('POST', '/');
    conn.putHeader('Content-Length', 40);
    await conn.endHeaders();
    await pause(30);
    await conn.send('GET /evil HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(server.connections).to.equal(1);
    const response = await conn.getResponse();
    expect([response.status, await response.text()]).to.deep.equal([413, 'no']);
    conn.close();
  });

  it('ends with close(), and its source is told', async () => {
    const server = await rawServer(() => undefined);
    const conn = connectionTo(server);
    conn.putRequest('POST', '/');
    conn.putHeader('Transfer-Encoding', 'chunked');
    await conn.endHeaders();
    const pulled = { times: 0, ended: false };
    const sending = rejection(conn.send(endless(pulled)));
    await pause(20);
    conn.close();
    expect(await sending).to.be.instanceOf(NotConnected);
    const { times } = pulled;
    await pause(20);
    expect(pulled.times - times).to.be.at.most(1);
    expect(pulled.ended).to.equal(true);
    expect(server.connections).to.equal(1);
  });

  it('that waited for a body does not go on behind close()', async () => {
    const server = await rawServer(() => undefined);
    const conn = connectionTo(server);
    const pulled = { times: 0, ended: false };
    const sent = rejection(conn.request('POST', '/', endless(pulled)));
    await pause(20);
    const waiting = rejection(conn.send('leftover'));
    await pause(5);
    conn.close();
    expect(await sent).to.be.instanceOf(NotConnected);
    expect(await waiting).to.be.instanceOf(NotConnected);
    expect(conn.socket).to.equal(null);
    expect(server.connections).to.equal(1);
  });

  it('fails the exchange when its source breaks the promise of the head', async () => {
    const server = await rawServer(answer(OK));
    const conn = connectionTo(server);
    conn.putRequest('POST', '/up');
    conn.putHeader('Content-Length', 4);
    await conn.endHeaders();
    const error = await rejection(conn.send(['abc', 'def']));
    expect(error).to.be.instanceOf(ContentLengthMismatch);
    expect(error).to.include({ method: 'POST', url: '/up' });
    expect([conn.state, conn.socket]).to.deep.equal(['Idle', null]);
    await conn.request('GET', '/');
    expect((await conn.getResponse()).status).to.equal(200);
    conn.close();
  });

  it('encodes text in the charset that the head declares', async () => {
    const server = await rawServer(answer(OK));
    const conn = connectionTo(server);
    conn.putRequest('POST', '/');
    conn.putHeader('Content-Type', 'text/plain; charset=utf-8');
    conn.putHeader('Content-Length', 3);
    await conn.endHeaders();
    await conn.send('€');
    await (await conn.getResponse()).readall();
    expect(server.peer(0).requests[0]?.body.toString('utf8')).to.equal('€');
    conn.close();
  });

  it('of a wrong kind is refused before anything is dialled', async () => {
    const server = await rawServer(() => undefined);
    const conn = connectionTo(server);
    expect(await rejection(conn.send(5 as never))).to.be.instanceOf(TypeError);
    expect(conn.socket).to.equal(null);
    expect(server.connections).to.equal(0);
  });
});

describe('a request with unusual ends', () => {
  it('sends bytes whatever charset is declared, and text only in one that is known', async () => {
    const server = await rawServer(answer(OK));
    const conn = connectionTo(server);
    const headers = { 'Content-Type': 'text/plain; charset=shift_jis' };
    await conn.request('POST', '/', Buffer.from([0x82, 0xa0]), headers);
    await (await conn.getResponse()).readall();
    expect(await rejection(conn.request('POST', '/', 'text', headers))).to.be.instanceOf(TypeError);
    conn.close();
  });

  for (const how of ['close()', 'the signal']) {
    it(`does not wait for a file's first block once ${how} has ended it`, async () => {
      const server = await rawServer(() => undefined);
      const conn = connectionTo(server);
      const stuck = { fd: 0, createReadStream: () => null, read: () => new Promise(() => undefined) };
      const controller = new AbortController();
      const { signal } = controller;
      const sent = rejection(conn.request('POST', '/', stuck as never, {}, { signal }));
      const head = rejection(conn.getResponse());
      const reason = new Error('enough');
      if (how === 'close()') conn.close();
      else controller.abort(reason);
      for (const error of [await sent, await head]) {
        if (how === 'close()') expect(error).to.be.instanceOf(NotConnected);
        else expect(error).to.equal(reason);
      }
      expect([conn.state, server.connections]).to.deep.equal(['Idle', 0]);
      expect(getEventListeners(signal, 'abort')).to.have.lengthOf(0);
    });
  }

  it('fails a body that was cut by an abort without a reason', async () => {
    const server = await rawServer((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc');
    });
    const conn = connectionTo(server);
    const controller = new AbortController();
    await conn.request('GET', '/', null, {}, { signal: controller.signal });
    const response = await conn.getResponse();
    const reading = rejection(response.readall());
    controller.abort(null);
    expect(await reading).to.be.instanceOf(Error);
  });

  it('is failed by an async onInformational that rejects', async () => {
    const server = await rawServer((socket) => {
      socket.write('HTTP/1.1 103 Early Hints\r\n\r\n');
      setTimeout(() => socket.write(OK), 30);
    });
    const reason = new Error('no');
    const conn = connectionTo(server);
    await conn.request('GET', '/', null, {}, { onInformational: () => Promise.reject(reason) as never });
    expect(await rejection(conn.getResponse())).to.equal(reason);
  });

  it('fails when its trailers function rejects with nothing', async () => {
    const server = await rawServer(() => undefined);
    const conn = connectionTo(server);
    const nothing: unknown = undefined;
    const trailers = (): Promise<never> => Promise.reject(nothing);
    expect(await rejection(conn.request('POST', '/', ['a'], {}, { trailers }))).to.be.instanceOf(Error);
    expect(conn.socket).to.equal(null);
  });
});
