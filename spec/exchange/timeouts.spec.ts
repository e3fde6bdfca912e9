/**
 * The clocks of an exchange over real sockets, before and around the body: connect, response, total. The right one, in the right phase,
 * never early. How exact they are is for the bench.
 */
import { expect } from 'chai';
import { HTTPConnection, TimeoutError } from '../../lib/index.js';
import { generatorBody } from '../support/body-sources.js';
import { EARLY_MS, expiry, LATE_MS, LIMIT_MS, sleep, started } from '../support/expiry.js';
import { NO_CONTENT, OK, rawServer } from '../support/raw-server.js';
import { rejection } from '../support/rejection.js';
import { TCP, TLS } from '../support/transports.js';

describe('timeouts', () => {
  describe('connect', () => {
    it('counts a lookup that does not answer', async () => {
      const connection = new HTTPConnection('slow.test', 80, {
        timeout: { connect: LIMIT_MS },
        lookup: () => {},
      });
      const startedAt = performance.now();
      const error = await expiry(connection.request('GET', '/'), startedAt);
      expect(error).to.include({ timer: 'connect', phase: 'connect', method: 'GET', url: '/', bytesSent: 0 });
      expect(connection.state).to.equal('Idle');
    });

    it('counts a TLS handshake that the peer does not answer, and closes that socket', async () => {
      const server = await TCP.serve(() => undefined);
      const connection = await TLS.connect(server, { timeout: { connect: LIMIT_MS } });
      const startedAt = performance.now();
      const error = await expiry(connection.request('GET', '/'), startedAt);
      expect(error).to.include({ timer: 'connect', phase: 'connect' });
      await server.peer().closed;
    });

    it('counts a proxy that does not answer, in phase tunnel', async () => {
      const proxy = await rawServer(() => undefined);
      const connection = new HTTPConnection('127.0.0.1', proxy.port, { timeout: { connect: LIMIT_MS } });
      connection.setTunnel('example.test', 80);
      const startedAt = performance.now();
      const error = await expiry(connection.request('GET', '/'), startedAt);
      expect(error).to.include({ timer: 'connect', phase: 'tunnel' });
      await proxy.peer().closed;
    });

    it('counts TLS inside the tunnel, in phase connect again', async () => {
      const proxy = await rawServer(
        (socket, { method }) => {
          if (method === 'CONNECT') socket.write('HTTP/1.1 200 OK\r\n\r\n');
        },
        { atHead: true },
      );
      const connection = await TLS.connect(proxy, { timeout: { connect: LIMIT_MS } });
      connection.setTunnel('example.test', 443);
      const startedAt = performance.now();
      const error = await expiry(connection.request('GET', '/'), startedAt);
      expect(error).to.include({ timer: 'connect', phase: 'connect' });
      await proxy.peer().closed;
    });

    it('counts for connect() as well, with the proxy’s phase', async () => {
      const proxy = await rawServer(() => undefined);
      const connection = new HTTPConnection('127.0.0.1', proxy.port, { timeout: { connect: LIMIT_MS } });
      connection.setTunnel('example.test', 80);
      const startedAt = performance.now();
      const error = await expiry(connection.connect(), startedAt);
      expect(error).to.include({ timer: 'connect', phase: 'tunnel' });
    });

    it('ends with the connection: a slow response is not its business', async () => {
      const server = await TCP.serve((socket) => setTimeout(() => socket.write(OK), 300));
      const connection = await TCP.connect(server, { timeout: { connect: 200 } });
      await connection.request('GET', '/');
      expect((await connection.getResponse()).status).to.equal(200);
    });
  });

  describe('response', () => {
    for (const way of [TCP, TLS]) {
      it(`fires over ${way.name} when no head comes`, async () => {
        const server = await way.serve(() => undefined);
        const connection = await way.connect(server);
        const { sent, startedAt } = await started(connection, { response: LIMIT_MS });
        await sent;
        const error = await expiry(connection.getResponse(), startedAt);
        expect(error).to.include({ timer: 'response', phase: 'response', bytesReceived: 0 });
        await server.peer().closed;
      });
    }

    it('starts with the last byte of the body, not with the first', async () => {
      const server = await TCP.serve((socket) => setTimeout(() => socket.write(OK), 60));
      const connection = await TCP.connect(server);
      async function* slow(): AsyncGenerator<string> {
        for (let i = 0; i < 5; i++) {
          yield 'piece';
          await sleep(60);
        }
      }
      const { sent } = await started(connection, { response: 200 }, slow());
      await sent;
      expect((await connection.getResponse()).status).to.equal(200);
    });

    it('fires behind an upload that was sent whole', async () => {
      const server = await TCP.serve(() => undefined);
      const connection = await TCP.connect(server);
      const { sent } = await started(connection, { response: LIMIT_MS }, generatorBody(300_000).body);
      await sent;
      const startedAt = performance.now();
      const error = await rejection<TimeoutError>(connection.getResponse());
      expect(performance.now() - startedAt).to.be.below(LIMIT_MS + LATE_MS);
      expect(error).to.include({ timer: 'response', phase: 'response' });
    });

    it('is not reset by interim responses or by half a head', async () => {
      const server = await TCP.serve((socket) => {
        socket.write('HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nConte');
        const drip = setInterval(() => socket.write('n'), 30);
        socket.once('close', () => clearInterval(drip));
      });
      const connection = await TCP.connect(server);
      const { sent, startedAt } = await started(connection, { response: LIMIT_MS });
      await sent;
      const error = await expiry(connection.getResponse(), startedAt);
      expect(error).to.include({ timer: 'response', phase: 'response' });
      expect(error.bytesReceived).to.be.above(40);
    });

    it('fires on a reused connection, with the limits of that request', async () => {
      const server = await TCP.serve((socket, { target }) => {
        if (target === '/fast') socket.write(NO_CONTENT);
      });
      const connection = await TCP.connect(server, { timeout: 60_000 });
      await connection.request('GET', '/fast');
      await connection.getResponse();
      const startedAt = performance.now();
      await connection.request('GET', '/slow', null, {}, { timeout: LIMIT_MS });
      const error = await expiry(connection.getResponse(), startedAt);
      expect(error).to.include({ timer: 'response', reused: true });
    });
  });

  describe('total', () => {
    it('fires while a reader is paused', async () => {
      const server = await TCP.serve((socket) =>
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome'),
      );
      const connection = await TCP.connect(server);
      const { sent, startedAt } = await started(connection, { total: LIMIT_MS });
      await sent;
      const response = await connection.getResponse();
      await server.peer().closed;
      expect(performance.now() - startedAt).to.be.at.least(LIMIT_MS - EARLY_MS);
      expect(await rejection(response.readall())).to.include({ timer: 'total', phase: 'body' });
    });

    it('fires while dialling, with what the exchange was doing', async () => {
      const proxy = await rawServer(() => undefined);
      const connection = new HTTPConnection('127.0.0.1', proxy.port);
      connection.setTunnel('example.test', 80);
      const startedAt = performance.now();
      const sent = connection.request('GET', '/', null, {}, { timeout: { total: LIMIT_MS } });
      const error = await expiry(sent, startedAt);
      expect(error).to.include({ timer: 'total', phase: 'tunnel' });
      await proxy.peer().closed;
    });

    it('ends with the last body byte received, not with the last read', async () => {
      const server = await TCP.serve((socket) => socket.write(OK));
      const connection = await TCP.connect(server);
      const { sent } = await started(connection, { total: 60 });
      await sent;
      const response = await connection.getResponse();
      await sleep(120);
      expect(await response.text()).to.equal('ok');
    });
  });

  it('as a number set all clocks but total', async () => {
    const server = await TCP.serve((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      const drip = setInterval(() => socket.write('x'), 40);
      socket.once('close', () => clearInterval(drip));
    });
    const connection = await TCP.connect(server, { timeout: 250 });
    await connection.request('GET', '/');
    const response = await connection.getResponse();
    const startedAt = performance.now();
    for await (const _ of response) if (performance.now() - startedAt > 400) break;
    expect(response.errored).to.equal(null);
  });

  it('leave the connection object usable', async () => {
    const server = await TCP.serve((socket, { target }) => {
      if (target === '/fast') socket.write(OK);
    });
    const connection = await TCP.connect(server, { timeout: 150 });
    await connection.request('GET', '/slow');
    expect(await rejection(connection.getResponse())).to.be.instanceOf(TimeoutError);
    await connection.request('GET', '/fast');
    expect(await (await connection.getResponse()).text()).to.equal('ok');
    expect(server.connections).to.equal(2);
  });
});
