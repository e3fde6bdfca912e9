/**
 * A dial in which something goes wrong: whatever a lookup gives, throws or does meanwhile, the dial fails and says where it went, and
 * nothing stays open behind it.
 */
import type * as net from 'node:net';
import { expect } from 'chai';
import { HTTPConnection, HTTPSConnection } from '../../lib/index.js';
import { Connector } from '../../lib/opening/connector.js';
import type { DialAttempt } from '../../lib/transport/dial.js';
import { answer, identity, OK, rawServer, rawTLSServer } from '../support/raw-server.js';
import { rejection, unhandledRejections } from '../support/rejection.js';
import { TRUSTING } from '../support/transports.js';

type Answer = (error: unknown, found?: unknown, family?: unknown) => void;

/** A lookup that does anything. */
function looking(act: (done: Answer) => void): net.LookupFunction {
  return (_host, _options, done) => act(done as Answer);
}

interface DialError extends NodeJS.ErrnoException {
  addresses?: DialAttempt[];
}

/** A port on which nothing listens. */
async function closedPort(): Promise<number> {
  const server = await rawServer(answer(OK));
  const { port } = server;
  await server.close();
  return port;
}

describe('a lookup that gives what is no address', () => {
  const TABLE: [name: string, act: (done: Answer) => void][] = [
    ['nothing', (done) => done(null)],
    ['nothing at all', (done) => (done as () => void)()],
    ['an empty text', (done) => done(null, '', 4)],
    ['a name', (done) => done(null, 'localhost', 4)],
    ['an object', (done) => done(null, { address: '127.0.0.1' })],
    ['a list of an object without an address', (done) => done(null, [{}])],
    ['a list of null', (done) => done(null, [null])],
    ['a list of a name', (done) => done(null, [{ address: 'localhost', family: 4 }])],
    ['a list of texts', (done) => done(null, ['127.0.0.1'])],
    ['an address and garbage', (done) => done(null, [{ address: '127.0.0.1', family: 4 }, {}])],
    ['a number', (done) => done(null, 2_130_706_433)],
  ];
  for (const [name, act] of TABLE) {
    it(`dials nothing and fails: ${name}`, async () => {
      const server = await rawServer(answer(OK));
      const connection = new HTTPConnection('name.test', server.port, { lookup: looking(act) });
      const fields = { Authorization: 'secret' };
      const error = await rejection<DialError>(connection.request('GET', '/', null, fields));
      expect(error).to.include({ phase: 'connect', code: 'ERR_INVALID_IP_ADDRESS' });
      expect(error.addresses).to.deep.equal([]);
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(server.connections).to.equal(0);
      expect(connection.state).to.equal('Idle');
    });
  }

  it('is heard once: a second answer is nothing', async () => {
    const server = await rawServer(answer(OK));
    const lookup = looking((done) => {
      done(null, '127.0.0.1', 4);
      done(new Error('no, not that'));
      done(null, '127.0.0.1', 4);
    });
    const connection = new HTTPConnection('name.test', server.port, { lookup });
    await connection.request('GET', '/');
    expect(await (await connection.getResponse()).text()).to.equal('ok');
    expect(server.connections).to.equal(1);
    connection.close();
  });

  it('fails with what it throws, and nothing is uncaught', async () => {
    const own = Object.freeze(new Error('no book to look into'));
    const left = await unhandledRejections(async () => {
      const lookup = looking(() => {
        throw own as Error;
      });
      const connection = new HTTPConnection('name.test', 80, { lookup });
      expect(await rejection(connection.request('GET', '/'))).to.equal(own);
      expect(connection.state).to.equal('Idle');
      connection.close();
    });
    expect(left).to.deep.equal([]);
  });
});

for (const [what, act] of [
  ['closes the connection', (connection: HTTPConnection): void => connection.close()],
  ['aborts the request', (_connection: HTTPConnection, aborter: AbortController): void => aborter.abort()],
] as const) {
  it(`a lookup that ${what} leaves no connection behind`, async () => {
    const server = await rawServer(answer(OK));
    const aborter = new AbortController();
    const connection: HTTPConnection = new HTTPConnection('name.test', server.port, {
      lookup: looking((done) => {
        act(connection, aborter);
        done(null, '127.0.0.1', 4);
      }),
    });
    await rejection(connection.request('GET', '/', null, {}, { signal: aborter.signal }));
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(connection.socket).to.equal(null);
    expect(server.connections).to.equal(0);
  });
}

describe('the error of a dial', () => {
  it('names every address that was tried, with its port, code and time', async () => {
    const port = await closedPort();
    const list = ['127.0.0.1', '127.0.0.2', '127.0.0.3'].map((address) => ({ address, family: 4 }));
    const connection = new HTTPConnection('name.test', port, { lookup: looking((done) => done(null, list)) });
    const error = await rejection<DialError>(connection.request('GET', '/'));
    expect(error.code).to.equal('ECONNREFUSED');
    expect(error.addresses?.map(({ address }) => address)).to.deep.equal(list.map(({ address }) => address));
    for (const { port: tried, code, ms } of error.addresses ?? []) {
      expect({ tried, code }).to.deep.equal({ tried: port, code: 'ECONNREFUSED' });
      expect(ms).to.be.within(0, 1000);
    }
    for (const { address } of list) expect(error.message).to.include(`${address}:${String(port)}`);
  });

  it('names the one address, of an address too', async () => {
    const port = await closedPort();
    const error = await rejection<DialError>(new HTTPConnection('127.0.0.1', port).connect());
    expect(error.addresses).to.have.length(1);
    expect(error.addresses?.[0]).to.include({ address: '127.0.0.1', port, code: 'ECONNREFUSED' });
    expect(error.message).to.include('127.0.0.1');
  });

  it('names where TLS has failed', async () => {
    const server = await rawTLSServer(answer(OK), { tls: identity('self-signed') });
    const connection = new HTTPSConnection('127.0.0.1', server.port, { context: TRUSTING });
    const error = await rejection<DialError>(connection.connect());
    expect(error.code).to.equal('DEPTH_ZERO_SELF_SIGNED_CERT');
    expect(error.addresses).to.have.length(1);
    expect(error.addresses?.[0]).to.include({ address: '127.0.0.1', code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
    expect(error.message).to.include(`127.0.0.1:${String(server.port)}`);
  });

  it('has no address where the name has none, or the path of a socket', async () => {
    const none = new HTTPConnection('name.test', 80, { lookup: looking((done) => done(null, [])) });
    expect((await rejection<DialError>(none.connect())).addresses).to.deep.equal([]);
    const path = new HTTPConnection('name.test', 80, { socketPath: '/nowhere/at.sock' });
    const error = await rejection<DialError>(path.connect());
    expect(error.addresses?.[0]).to.include({ address: '/nowhere/at.sock', port: 0, code: 'ENOENT' });
  });

  it('is known while it is under way: the code is null then', async () => {
    const server = await rawServer(answer(OK));
    const dial = {
      host: '127.0.0.1',
      port: server.port,
      tls: { servername: 'silent.test' },
    };
    const connector = new Connector(
      { dial, createConnection: null, tunnel: null, innerTLS: null },
      () => undefined,
    );
    expect(connector.attempts).to.deep.equal([]);
    await new Promise((resolve) => setTimeout(resolve, 40));
    const [attempt] = connector.attempts;
    expect(attempt).to.include({ address: '127.0.0.1', port: server.port, code: null });
    expect(attempt?.ms).to.be.above(15);
    connector.cancel();
  });

  it('is on the connect time-out as well', async () => {
    const server = await rawServer(() => undefined);
    const options = { context: TRUSTING, timeout: { connect: 80 } };
    for (const open of [
      (connection: HTTPConnection) => connection.connect(),
      (connection: HTTPConnection) => connection.request('GET', '/'),
    ]) {
      const connection = new HTTPSConnection('127.0.0.1', server.port, options);
      const error = await rejection<DialError>(open(connection));
      expect(error).to.include({ name: 'TimeoutError', timer: 'connect' });
      expect(error.addresses).to.have.length(1);
      expect(error.addresses?.[0]).to.include({ address: '127.0.0.1', port: server.port, code: null });
      expect(error.message).to.include(`127.0.0.1:${String(server.port)}`);
    }
  });
});
