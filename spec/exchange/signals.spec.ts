/**
 * What an exchange leaves on a signal and takes of the options it was given: nothing, however often the same objects are used again.
 */
import { getEventListeners } from 'node:events';
import { expect } from 'chai';
import { HTTPConnectionPool } from '../../lib/index.js';
import type { RequestOptions } from '../../lib/index.js';
import { generatorBody } from '../support/body-sources.js';
import { OK } from '../support/raw-server.js';
import { rejection } from '../support/rejection.js';
import { TCP, TLS, TUNNEL } from '../support/transports.js';

for (const way of [TCP, TLS, TUNNEL]) {
  describe(`a signal over ${way.name}`, () => {
    it(`has no listener left after ${way === TCP ? '1,000' : '100'} requests that used it`, async () => {
      const server = await way.serve((socket) => socket.write(OK));
      const connection = await way.connect(server);
      const { signal } = new AbortController();
      const count = way === TCP ? 1000 : 100;
      for (let i = 0; i < count; i++) {
        await connection.request(
          'POST',
          '/',
          i % 3 === 0 ? generatorBody(10, 5).body : 'body',
          {},
          { signal },
        );
        await (await connection.getResponse()).readall();
        expect(getEventListeners(signal, 'abort')).to.have.length(0);
      }
    });

    it('is left alone by an exchange that is over, and by one that never began', async () => {
      const server = await way.serve((socket) => socket.write(OK));
      const connection = await way.connect(server);
      const aborter = new AbortController();
      const { signal } = aborter;
      await connection.request('GET', '/', null, {}, { signal });
      const response = await connection.getResponse();
      await rejection(connection.request('GET', '/refused bad', null, {}, { signal }));
      await response.readall();
      const { socket } = connection;
      aborter.abort();
      await new Promise((resolve) => setTimeout(resolve, 10));
      expect(connection.socket).to.equal(socket);
      await rejection(connection.request('GET', '/', null, {}, { signal }));
      expect(getEventListeners(signal, 'abort')).to.have.length(0);
    });
  });
}

describe('a signal that many share', () => {
  it('has one listener, whoever waits and for what, and tells each of them', async () => {
    const server = await TCP.serve(() => undefined);
    const pool = new HTTPConnectionPool(`http://127.0.0.1:${String(server.port)}`, { maxConnections: 5 });
    const aborter = new AbortController();
    const { signal } = aborter;
    const reason = new Error('all of them');
    const failed = Array.from({ length: 20 }, () =>
      rejection(pool.request('GET', '/', null, {}, { signal })),
    );
    const stream = pool.stream('PUT', '/', {}, { signal });
    stream.on('error', () => undefined);
    await server.until(({ requests }) => requests.length === 5);
    expect(getEventListeners(signal, 'abort')).to.have.length(1);
    aborter.abort(reason);
    for (const error of await Promise.all([...failed, rejection(stream.response)]))
      expect(error).to.equal(reason);
    expect(getEventListeners(signal, 'abort')).to.have.length(0);
    expect(pool.stats).to.deep.equal({ open: 0, busy: 0, idle: 0, waiting: 0 });
  });
});

describe('an options object that is used again', () => {
  it('with another signal holds none of the first', async () => {
    const server = await TCP.serve((socket) => setTimeout(() => socket.write(OK), 5));
    const connection = await TCP.connect(server);
    const first = new AbortController();
    const second = new AbortController();
    const options: RequestOptions = { signal: first.signal };
    await connection.request('GET', '/', null, {}, options);
    options.signal = second.signal;
    await (await connection.getResponse()).readall();
    expect(getEventListeners(first.signal, 'abort')).to.have.length(0);
    expect(getEventListeners(second.signal, 'abort')).to.have.length(0);
    await connection.request('GET', '/', null, {}, options);
    const head = rejection(connection.getResponse());
    first.abort();
    const reason = new Error('the second');
    second.abort(reason);
    expect(await head).to.equal(reason);
    expect(getEventListeners(second.signal, 'abort')).to.have.length(0);
  });

  it('keeps none of what it was changed to after the call', async () => {
    const server = await TCP.serve((socket) => {
      socket.write('HTTP/1.1 103 Early Hints\r\n\r\n');
      setTimeout(() => socket.write(OK), 30);
    });
    const connection = await TCP.connect(server);
    const told: string[] = [];
    const options: RequestOptions = { timeout: 5000, onInformational: () => told.push('first') };
    await connection.request('GET', '/', null, {}, options);
    options.timeout = 1;
    options.onInformational = () => told.push('second');
    expect(await (await connection.getResponse()).text()).to.equal('ok');
    expect(told).to.deep.equal(['first']);
  });

  it('keeps its trailers as they were when the body is sent', async () => {
    const server = await TCP.serve((socket) => socket.write(OK));
    const connection = await TCP.connect(server);
    const options: RequestOptions = { trailers: { 'X-Sum': '1' } };
    const sent = connection.request('POST', '/', ['a'], {}, options);
    delete options.trailers;
    await sent;
    await (await connection.getResponse()).readall();
    expect(server.peer(0).text).to.match(/X-Sum: 1\r\n\r\n$/);
  });
});
