/**
 * Opening a connection: the addresses of a name race each other (RFC 8305), a failure names them all, a refusal of one is not the end,
 * and whatever the user asked for (source address, lookup, Unix socket, resumed TLS session) is what happens.
 */
import type { LookupAddress } from 'node:dns';
import * as net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import sinon from 'sinon';
import { HTTPConnection, HTTPSConnection } from '../../lib/index.js';
import { authority, OK, answer, rawServer, rawTLSServer } from '../support/raw-server.js';
import { rejection } from '../support/rejection.js';

const ATTEMPT_DELAY_MS = 250;

/** A lookup that answers with these addresses. */
function finding(...addresses: string[]): net.LookupFunction {
  return (_host, _options, done) => {
    const found: LookupAddress[] = addresses.map((address) => ({ address, family: net.isIP(address) }));
    setImmediate(() => done(null, found));
  };
}

/** A port on which nothing listens. */
async function closedPort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function get(connection: HTTPConnection): Promise<string> {
  await connection.request('GET', '/');
  return (await connection.getResponse()).text();
}

/** Has attempts at the address hang for ever, as at a host that drops what is sent to it. Returns their sockets. */
function blackhole(...addresses: string[]): net.Socket[] {
  const hanging: net.Socket[] = [];
  const stub = sinon.stub(net.Socket.prototype, 'connect');
  stub.callsFake(function (this: net.Socket, ...args: unknown[]) {
    const first: unknown = Array.isArray(args[0]) ? (args[0] as unknown[])[0] : args[0];
    const { host } = first as { host?: string };
    if (host !== undefined && addresses.includes(host)) {
      hanging.push(this);
      return this;
    }
    return Reflect.apply(stub.wrappedMethod, this, args) as net.Socket;
  });
  return hanging;
}

describe('dialling', () => {
  afterEach(() => {
    sinon.restore();
  });

  it('tries the next address at once when one refuses', async () => {
    const server = await rawServer(answer(OK), { host: '127.0.0.3' });
    const connection = new HTTPConnection('many.test', server.port, {
      lookup: finding('127.0.0.1', '127.0.0.2', '::1', '127.0.0.3'),
    });
    const startedAt = performance.now();
    expect(await get(connection)).to.equal('ok');
    expect(performance.now() - startedAt).to.be.below(ATTEMPT_DELAY_MS);
    expect(connection.socket?.remoteAddress).to.equal('127.0.0.3');
    connection.close();
  });

  it('starts the next address after 250 ms beside one that is slow, and ends the loser when one wins', async () => {
    const server = await rawServer(answer(OK));
    const hanging = blackhole('127.0.0.9');
    const connection = new HTTPConnection('many.test', server.port, {
      lookup: finding('127.0.0.9', '127.0.0.1'),
    });
    const startedAt = performance.now();
    expect(await get(connection)).to.equal('ok');
    expect(performance.now() - startedAt).to.be.within(ATTEMPT_DELAY_MS - 2, 10 * ATTEMPT_DELAY_MS);
    expect(hanging).to.have.length(1);
    expect(hanging[0]?.destroyed).to.equal(true);
    connection.close();
  });

  it('does not give up a slow address for the next: it wins when the others fail', async () => {
    const server = await rawServer(answer(OK));
    const port = server.port;
    const hanging = blackhole('127.0.0.1');
    const connection = new HTTPConnection('many.test', port, { lookup: finding('127.0.0.1', '127.0.0.2') });
    const reading = get(connection);
    await new Promise((resolve) => setTimeout(resolve, ATTEMPT_DELAY_MS + 100));
    sinon.restore();
    // 127.0.0.2 has refused by now; the first address answers at last.
    hanging[0]?.connect({ host: '127.0.0.1', port });
    expect(await reading).to.equal('ok');
    connection.close();
  });

  it('takes the families in turn', async () => {
    const connect = sinon.spy(net.Socket.prototype, 'connect');
    const port = await closedPort();
    const connection = new HTTPConnection('many.test', port, {
      lookup: finding('127.0.0.1', '127.0.0.2', '127.0.0.3', '::1'),
    });
    await rejection(connection.connect());
    const tried = connect.getCalls().map((call) => {
      const [first] = call.args as unknown[];
      return ((Array.isArray(first) ? first[0] : first) as { host: string }).host;
    });
    expect(tried).to.deep.equal(['127.0.0.1', '::1', '127.0.0.2', '127.0.0.3']);
  });

  it('lists each address with its code and time when all fail', async () => {
    const port = await closedPort();
    const connection = new HTTPConnection('many.test', port, {
      lookup: finding('127.0.0.1', '127.0.0.2', '::1'),
    });
    const error = await rejection<AggregateError & NodeJS.ErrnoException>(
      connection.request('GET', '/there'),
    );
    expect(error.code).to.equal('ECONNREFUSED');
    expect(error).to.include({ method: 'GET', url: '/there', phase: 'connect', bytesSent: 0, reused: false });
    expect(error.errors).to.have.length(3);
    for (const address of ['127.0.0.1', '127.0.0.2', '::1']) {
      expect(error.message).to.match(new RegExp(`${address}:${String(port)} E[A-Z]+ after \\d+ ms`));
    }
  });

  it('keeps the error of a single address as Node made it', async () => {
    const port = await closedPort();
    const error = await rejection(new HTTPConnection('127.0.0.1', port).request('GET', '/'));
    expect(error).to.include({
      code: 'ECONNREFUSED',
      syscall: 'connect',
      address: '127.0.0.1',
      port,
      phase: 'connect',
    });
  });

  const failingLookups: Record<string, net.LookupFunction> = {
    'fails later': (host, _options, done) => setImmediate(() => done(notFound(host), [])),
    'fails at once': (host, _options, done) => done(notFound(host), []),
    'finds nothing, at once': (_host, _options, done) => done(null, []),
    throws: (host) => {
      throw notFound(host);
    },
  };
  for (const [name, lookup] of Object.entries(failingLookups)) {
    it(`reports a lookup that ${name}, and leaves the connection Idle`, async () => {
      const connection = new HTTPConnection('nowhere.test', 80, { lookup });
      for (let i = 0; i < 2; i++) {
        const sent = connection.request('GET', '/');
        expect(await rejection(sent)).to.include({ code: 'ENOTFOUND', phase: 'connect', method: 'GET' });
        expect(connection.state).to.equal('Idle');
        expect(await rejection(connection.connect())).to.have.property('code', 'ENOTFOUND');
      }
    });
  }

  it('takes a lookup that answers at once, and one that answers with a single address', async () => {
    const server = await rawServer(answer(OK));
    const lookups: net.LookupFunction[] = [
      (_host, _options, done) => done(null, [{ address: '127.0.0.1', family: 4 }]),
      (_host, _options, done) => done(null, '127.0.0.1', 4),
    ];
    for (const lookup of lookups) {
      const connection = new HTTPConnection('one.test', server.port, { lookup });
      expect(await get(connection)).to.equal('ok');
      connection.close();
    }
  });

  it('over TLS asks the given lookup only, and verifies the name, not the address', async () => {
    const server = await rawTLSServer(answer(OK));
    const asked: string[] = [];
    const lookup: net.LookupFunction = (host, options, done) => {
      asked.push(host);
      finding('127.0.0.1')(host, options, done);
    };
    const context = { ca: authority() };
    const right = new HTTPSConnection('localhost', server.port, { lookup, context });
    expect(await get(right)).to.equal('ok');
    right.close();
    const wrong = new HTTPSConnection('elsewhere.test', server.port, { lookup, context });
    expect(await rejection(wrong.connect())).to.have.property('code', 'ERR_TLS_CERT_ALTNAME_INVALID');
    expect(asked).to.deep.equal(['localhost', 'elsewhere.test']);
  });

  it('counts a failed TLS handshake as the answer: no other address is tried', async () => {
    const server = await rawServer((socket) => socket.destroy(), {
      onConnection: (socket) => socket.once('data', () => socket.destroy()),
    });
    const connection = new HTTPSConnection('many.test', server.port, {
      lookup: finding('127.0.0.1', '127.0.0.1'),
    });
    const error = await rejection(connection.connect());
    expect(error).to.include({ code: 'ECONNRESET', phase: 'connect' });
    expect(server.connections).to.equal(1);
  });

  it('resumes the TLS session on reconnecting', async () => {
    const server = await rawTLSServer(answer(OK));
    const connection = new HTTPSConnection('127.0.0.1', server.port, { context: { ca: authority() } });
    const reused: unknown[] = [];
    for (let i = 0; i < 2; i++) {
      expect(await get(connection)).to.equal('ok');
      reused.push((connection.socket as unknown as { isSessionReused(): boolean }).isSessionReused());
      // Tickets arrive behind the handshake (TLS 1.3).
      await new Promise((resolve) => setTimeout(resolve, 20));
      connection.close();
    }
    expect(reused).to.deep.equal([false, true]);
  });

  it('dials from the source address', async () => {
    const server = await rawServer(answer(OK));
    for (const [i, sourceAddress] of ['127.0.0.7', ['127.0.0.8', 0] as const].entries()) {
      const connection = new HTTPConnection('127.0.0.1', server.port, { sourceAddress });
      expect(await get(connection)).to.equal('ok');
      expect(server.peer(i).socket.remoteAddress).to.equal(`127.0.0.${String(7 + i)}`);
      connection.close();
    }
    const impossible = new HTTPConnection('127.0.0.1', server.port, { sourceAddress: 'not an address' });
    expect(await rejection(impossible.request('GET', '/'))).to.have.property('phase', 'connect');
    expect(impossible.state).to.equal('Idle');
  });

  it('turns off Nagle’s algorithm, over TLS too: a piece of a body does not wait for an ACK of the last', async () => {
    const noDelay = sinon.spy(net.Socket.prototype, 'setNoDelay');
    const server = await rawTLSServer(answer(OK));
    const connection = new HTTPSConnection('127.0.0.1', server.port, { context: { ca: authority() } });
    await connection.connect();
    expect(noDelay.calledOn(connection.socket)).to.equal(true);
    expect(noDelay.alwaysCalledWith(true)).to.equal(true);
    connection.close();
  });

  it('dials a Unix domain socket, with Host from the constructor', async () => {
    const path = join(tmpdir(), `millrace-${String(process.pid)}.sock`);
    const server = await rawServer(answer(OK), { path });
    const connection = new HTTPConnection('service.test', 81, { socketPath: path });
    expect(await get(connection)).to.equal('ok');
    expect(server.request.head).to.include('\r\nHost: service.test:81\r\n');
    connection.close();
    await server.close();
    const error = await rejection(connection.request('GET', '/'));
    expect(error).to.include({ code: 'ENOENT', phase: 'connect' });
  });

  it('is shared by connect() and a request that does not wait for it', async () => {
    const server = await rawServer(answer(OK));
    const connection = new HTTPConnection('127.0.0.1', server.port);
    const opening = connection.connect();
    expect(await get(connection)).to.equal('ok');
    await opening;
    expect(server.connections).to.equal(1);
    connection.close();
    const failing = new HTTPConnection('127.0.0.1', await closedPort());
    const both = [rejection(failing.connect()), rejection(failing.request('GET', '/'))];
    for (const error of await Promise.all(both)) expect(error).to.have.property('code', 'ECONNREFUSED');
  });

  it('that is aborted or closed settles everyone who waits for it', async () => {
    const connection = new HTTPConnection('slow.test', 80, { lookup: () => {} });
    const aborter = new AbortController();
    const reason = new Error('enough');
    const opening = rejection(connection.connect());
    const sent = rejection(connection.request('GET', '/', null, {}, { signal: aborter.signal }));
    aborter.abort(reason);
    expect(await sent).to.equal(reason);
    expect(await opening).to.have.property('code', 'ERR_NOT_CONNECTED');
    const waiting = [rejection(connection.connect()), rejection(connection.request('GET', '/'))];
    connection.close();
    for (const error of await Promise.all(waiting))
      expect(error).to.have.property('code', 'ERR_NOT_CONNECTED');
    expect(connection.state).to.equal('Idle');
  });

  it('that loses to close() leaves no connection behind', async () => {
    const server = await rawServer(answer(OK));
    const connection = new HTTPConnection('127.0.0.1', server.port);
    const sent = rejection(connection.request('GET', '/'));
    await new Promise<void>((resolve) => {
      process.nextTick(() => {
        connection.close();
        resolve();
      });
    });
    expect(await sent).to.have.property('code', 'ERR_NOT_CONNECTED');
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(server.requests).to.have.length(0);
    for (const peer of server.peers) await peer.closed;
  });
});

function notFound(host: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), { code: 'ENOTFOUND' });
}
