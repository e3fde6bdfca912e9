/**
 * What a transport says when it breaks: an error is never an end, a close is never an end, and a wait always ends.
 */
import { once } from 'node:events';
import * as net from 'node:net';
import { getDefaultHighWaterMark, setDefaultHighWaterMark } from 'node:stream';
import { expect } from 'chai';
import { HTTPConnection, HTTPSConnection } from '../../lib/index.js';
import { Transport } from '../../lib/transport/transport.js';
import type { TransportHandler } from '../../lib/transport/transport.js';
import { generatorBody, patternBytes } from '../support/body-sources.js';
import { duplexPair } from '../support/duplex-pair.js';
import { FORGED_RECORD, relayTo } from '../support/garbling-relay.js';
import type { Relay } from '../support/garbling-relay.js';
import { answer, authority, identity, OK, rawServer, rawTLSServer } from '../support/raw-server.js';
import { rejection } from '../support/rejection.js';
import { DUPLEX, GIVEN_SOCKET, TCP, TLS, TRUSTING, TUNNEL } from '../support/transports.js';

const MIB = 1_048_576;

/** The ways on which TLS records can be garbled. */
const GARBLED: [name: string, connect: (relay: Relay) => HTTPSConnection][] = [
  ['TLS', (relay) => new HTTPSConnection('127.0.0.1', relay.port, { context: TRUSTING })],
  [
    'TLS in a tunnel',
    (relay) => {
      const connection = new HTTPSConnection('127.0.0.1', relay.port, { context: TRUSTING });
      connection.setTunnel('localhost', 443);
      return connection;
    },
  ],
];

describe('a TLS record that is forged', () => {
  for (const [name, connect] of GARBLED) {
    it(`fails a head that is waited for, with TLS's own error: ${name}`, async () => {
      const server = await rawTLSServer(() => undefined);
      const relay = await relayTo(server);
      const connection = connect(relay);
      await connection.request('GET', '/');
      const failing = rejection<NodeJS.ErrnoException>(connection.getResponse());
      relay.client().write(FORGED_RECORD);
      expect((await failing).code).to.match(/^ERR_SSL_|^EPROTO/);
      expect(connection.socket).to.equal(null);
    });

    for (const [framing, head] of [
      ['by length', 'Content-Length: 100\r\n\r\nsome'],
      ['by chunks', 'Transfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n'],
      ['by the end', '\r\nsome'],
    ] as const) {
      it(`behind which comes an end, fails a body framed ${framing}: ${name}`, async () => {
        const server = await rawTLSServer(answer(`HTTP/1.1 200 OK\r\n${head}`));
        const relay = await relayTo(server);
        const connection = connect(relay);
        await connection.request('GET', '/');
        const response = await connection.getResponse();
        expect(String(await response.read1())).to.equal('some');
        const failing = rejection(response.readall());
        relay.client().end(FORGED_RECORD);
        const error = (await failing) as NodeJS.ErrnoException & { cause?: NodeJS.ErrnoException };
        expect(error.cause?.code ?? error.code).to.match(/^ERR_SSL_|^EPROTO/);
        connection.close();
      });
    }

    it(`ends an idle connection: the next request dials again: ${name}`, async () => {
      const server = await rawTLSServer(answer(OK));
      const relay = await relayTo(server);
      const connection = connect(relay);
      for (let i = 0; i < 2; i++) {
        await connection.request('GET', '/');
        expect(await (await connection.getResponse()).text()).to.equal('ok');
        relay.client().write(FORGED_RECORD);
        await new Promise((resolve) => setTimeout(resolve, 30));
        expect(connection.socket).to.equal(null);
      }
      expect(server.connections).to.equal(2);
    });
  }

  it('fails a CONNECT to a proxy that is spoken to by TLS', async () => {
    const proxy = await rawTLSServer(() => undefined);
    const relay = await relayTo(proxy);
    const connection = new HTTPConnection('127.0.0.1', relay.port, { proxyTLS: { context: TRUSTING } });
    connection.setTunnel('example.test', 80);
    const failing = rejection<NodeJS.ErrnoException>(connection.connect());
    await proxy.until(() => proxy.requests.length === 1);
    relay.client().write(FORGED_RECORD);
    expect((await failing).code).to.match(/^ERR_SSL_|^EPROTO/);
  });

  it('fails a detached stream', async () => {
    const server = await rawTLSServer(answer('HTTP/1.1 101 Switching Protocols\r\nUpgrade: raw\r\n\r\n'), {
      atHead: true,
    });
    const relay = await relayTo(server);
    const connection = new HTTPSConnection('127.0.0.1', relay.port, { context: TRUSTING });
    await connection.request('GET', '/', null, { Connection: 'Upgrade', Upgrade: 'raw' });
    await connection.getResponse();
    const stream = connection.detach();
    stream.resume();
    const failing = once(stream, 'close');
    let error: NodeJS.ErrnoException | undefined;
    stream.on('error', (failure) => {
      error = failure;
    });
    relay.client().end(FORGED_RECORD);
    await failing.catch(() => undefined);
    expect(error?.code).to.match(/^ERR_SSL_|^EPROTO/);
  });
});

it('an alert behind the handshake is the error: a certificate that the server asks for (TLS 1.3)', async () => {
  const server = await rawTLSServer(answer(OK), {
    tls: { ...identity('server'), requestCert: true, rejectUnauthorized: true, ca: authority() },
  });
  for (let i = 0; i < 10; i++) {
    const connection = new HTTPSConnection('127.0.0.1', server.port, { context: TRUSTING });
    const error = await rejection<NodeJS.ErrnoException & { cause?: NodeJS.ErrnoException }>(
      connection.request('GET', '/').then(() => connection.getResponse()),
    );
    const text = `${String(error)} ${String(error.cause)}`;
    expect(text).to.match(/certificate required/i);
    connection.close();
  }
});

describe('a socket that somebody destroys', () => {
  for (const way of [TCP, TLS, TUNNEL, DUPLEX, GIVEN_SOCKET]) {
    it(`is no end of a body that lasts until the end: ${way.name}`, async () => {
      const server = await way.serve(answer('HTTP/1.1 200 OK\r\n\r\nsome'));
      const connection = await way.connect(server);
      await connection.request('GET', '/');
      const response = await connection.getResponse();
      expect(String(await response.read1())).to.equal('some');
      const failing = rejection(response.readall());
      connection.socket?.destroy();
      expect(await failing).to.have.property('code', 'ERR_INCOMPLETE_READ');
      expect(connection.socket).to.equal(null);
    });
  }
});

describe('an upload that is blocked', () => {
  for (const way of [TCP, TLS, TUNNEL, DUPLEX, GIVEN_SOCKET]) {
    it(`does not hold back an early answer that lasts until the end, of a server that half-closes: ${way.name}`, async () => {
      const server = await way.serve(
        (socket) => {
          socket.pause();
          setTimeout(() => socket.end('HTTP/1.1 400 Bad Request\r\n\r\nno more of this'), 100);
        },
        { atHead: true },
      );
      const connection = await way.connect(server);
      await connection.request('POST', '/', generatorBody(Infinity).body);
      const response = await connection.getResponse();
      expect(await response.text()).to.equal('no more of this');
    });
  }

  for (const markBytes of [131_072, 4_194_304, 1]) {
    for (const way of [TCP, TLS, TUNNEL, DUPLEX, GIVEN_SOCKET]) {
      it(`goes on whatever Node's default mark is: ${String(markBytes)} bytes, ${way.name}`, async () => {
        const before = getDefaultHighWaterMark(false);
        setDefaultHighWaterMark(false, markBytes);
        try {
          const server = await way.serve(answer(OK));
          const connection = await way.connect(server);
          const size = 3 * MIB;
          await connection.request('PUT', '/', generatorBody(size, 50_000).body);
          expect(await (await connection.getResponse()).text()).to.equal('ok');
          expect(server.request.body.equals(patternBytes(size))).to.equal(true);
        } finally {
          setDefaultHighWaterMark(false, before);
        }
      });
    }
  }
});

describe('a transport', () => {
  const handler: TransportHandler = {
    target: () => null,
    onBytes() {},
    onEnd() {},
    onDrain() {},
    onWriteError() {},
    onClose() {},
  };

  async function open(
    silent: boolean,
  ): Promise<{ transport: Transport; socket: net.Socket; peer: net.Socket }> {
    const server = await rawServer(() => undefined, { silent });
    const transport = new Transport();
    const socket = net.connect({ port: server.port, host: '127.0.0.1', onread: transport.onread });
    transport.attach(socket);
    transport.handler = handler;
    await once(socket, 'connect');
    await server.until(() => server.connections === 1);
    return { transport, socket, peer: server.peer().socket };
  }

  it('says of each write when it was taken, in their order, and not before', async () => {
    const { transport, peer } = await open(true);
    const taken: number[] = [];
    transport.write('head', () => taken.push(0));
    expect(taken).to.deep.equal([]);
    for (let i = 1; i <= 4; i++) transport.write(Buffer.alloc(4 * MIB), () => taken.push(i));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(taken).to.not.include(4);
    expect(transport.pendingBytes).to.be.above(0);
    peer.resume();
    await new Promise<void>((resolve) => transport.onceFlushed(resolve));
    await new Promise(setImmediate);
    expect(taken).to.deep.equal([0, 1, 2, 3, 4]);
    transport.close();
  });

  for (const end of ['close()', 'a reset'] as const) {
    it(`says it too of those that never will be, after ${end}, each once`, async () => {
      const { transport, socket, peer } = await open(true);
      const taken: number[] = [];
      for (let i = 0; i < 4; i++) transport.write(Buffer.alloc(4 * MIB), () => taken.push(i));
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(taken.length).to.be.below(4);
      const closed = new Promise((resolve) => socket.once('close', resolve));
      if (end === 'close()') transport.close();
      else peer.resetAndDestroy();
      await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 100))]);
      transport.write('late', () => taken.push(4));
      await new Promise(setImmediate);
      expect(taken).to.deep.equal([0, 1, 2, 3, 4]);
      transport.close();
    });
  }

  it('tells the address of its peer', async () => {
    const { transport } = await open(false);
    expect(transport.remoteAddress).to.equal('127.0.0.1');
    transport.close();
  });

  it('lets the process end while it is let go of, and keeps it while it is held', async () => {
    const server = await rawServer(() => undefined);
    const given = net.connect(server.port, '127.0.0.1');
    await once(given, 'connect');
    const dialled = (await open(false)).transport;
    const counted = (): number =>
      process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
    for (const transport of [dialled, new Transport().attachGiven(given)]) {
      const before = counted();
      for (let i = 0; i < 2; i++) transport.unref();
      expect(counted()).to.equal(before - 1);
      for (let i = 0; i < 2; i++) transport.ref();
      expect(counted()).to.equal(before);
      transport.close();
    }
  });

  it('over a stream that knows no such thing takes it for said', () => {
    const transport = new Transport().attachGiven(duplexPair()[0]);
    transport.unref();
    transport.ref();
    transport.close();
  });
});
