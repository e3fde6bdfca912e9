/**
 * `createConnection`: any byte stream in the place of a dialled socket. What holds on a socket holds on it, what it may get wrong is
 * said, and nothing that it or its maker throws gets out.
 */
import { once } from 'node:events';
import * as net from 'node:net';
import { Duplex, PassThrough, Readable } from 'node:stream';
import * as tls from 'node:tls';
import { expect } from 'chai';
import { HTTPConnection, HTTPSConnection } from '../../lib/index.js';
import type { ConnectTarget, HTTPConnectionOptions } from '../../lib/index.js';
import { generatorBody, patternBytes } from '../support/body-sources.js';
import { duplexPair } from '../support/duplex-pair.js';
import type { LineEnd } from '../support/duplex-pair.js';
import { answer, authority, OK, rawServer } from '../support/raw-server.js';
import { rejection, unhandledRejections } from '../support/rejection.js';
import {
  DUPLEX,
  GIVEN_SOCKET,
  lineTo,
  proxyTo,
  TLS_OVER_DUPLEX,
  TRUSTING,
  TUNNEL_OVER_DUPLEX,
} from '../support/transports.js';

const MIB = 1_048_576;

async function get(connection: HTTPConnection): Promise<string> {
  await connection.request('GET', '/');
  return (await connection.getResponse()).text();
}

/** A connection whose line ends in the spec's hands. */
function held(options: HTTPConnectionOptions = {}): { connection: HTTPConnection; remote: LineEnd } {
  const [client, remote] = duplexPair();
  const connection = new HTTPConnection('held.test', 80, { ...options, createConnection: () => client });
  return { connection, remote };
}

describe('a connection over a stream that was given', () => {
  for (const way of [DUPLEX, GIVEN_SOCKET, TLS_OVER_DUPLEX, TUNNEL_OVER_DUPLEX]) {
    it(`carries one exchange after the other: ${way.name}`, async () => {
      const server = await way.serve(answer(OK));
      const connection = await way.connect(server);
      expect([await get(connection), await get(connection)]).to.deep.equal(['ok', 'ok']);
      expect(server.connections).to.equal(1);
    });

    it(`carries large bodies both ways: ${way.name}`, async () => {
      const large = patternBytes(3 * MIB);
      const server = await way.serve((socket) => {
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${String(large.length)}\r\n\r\n`);
        socket.write(large);
      });
      const connection = await way.connect(server);
      await connection.request('PUT', '/', generatorBody(3 * MIB, 50_000).body);
      const response = await connection.getResponse();
      expect((await response.readall()).equals(large)).to.equal(true);
      expect(server.request.body.equals(large)).to.equal(true);
    });

    it(`has a server read no faster than it does, and writes no faster than that is read: ${way.name}`, async () => {
      const server = await way.serve(
        (socket) => {
          socket.pause();
        },
        { atHead: true },
      );
      const connection = await way.connect(server);
      const { body, watch } = generatorBody(Infinity);
      const sent = rejection(connection.request('PUT', '/', body));
      await new Promise((resolve) => setTimeout(resolve, 150));
      const { pulledBytes } = watch as unknown as { pulledBytes?: number };
      if (pulledBytes !== undefined) expect(pulledBytes).to.be.below(32 * MIB);
      connection.close();
      await sent;
      expect(watch.cancelled).to.equal(true);
    });

    it(`delivers an early response whole, 25 times of 25: ${way.name}`, async () => {
      const refusal = patternBytes(20_000);
      const server = await way.serve(
        (socket) => {
          socket.pause();
          socket.write('HTTP/1.1 413 Content Too Large\r\nContent-Length: 20000\r\n\r\n');
          socket.end(refusal, () => socket.destroy());
        },
        { atHead: true },
      );
      for (let i = 0; i < 25; i++) {
        const connection = await way.connect(server);
        await connection.request('POST', '/', generatorBody(2 * MIB, 65_536).body);
        const response = await connection.getResponse();
        expect(response.status).to.equal(413);
        expect((await response.readall()).equals(refusal)).to.equal(true);
        connection.close();
      }
    });

    it(`takes a cut in the body for no end: ${way.name}`, async () => {
      const server = await way.serve((socket) => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome');
        setTimeout(() => socket.destroy(), 20);
      });
      const connection = await way.connect(server);
      await connection.request('GET', '/');
      const response = await connection.getResponse();
      const error = await rejection<NodeJS.ErrnoException>(response.readall());
      expect(error.code).to.be.oneOf(['ERR_INCOMPLETE_READ', 'ECONNRESET']);
    });
  }

  it('is asked for once a connection, with host, port, path and a signal', async () => {
    const server = await rawServer(answer(OK));
    const asked: ConnectTarget[] = [];
    const createConnection = (target: ConnectTarget): Promise<Duplex> => {
      asked.push(target);
      return Promise.resolve(lineTo(server));
    };
    const connection = new HTTPConnection('there.test', 8080, {
      createConnection,
      socketPath: '/run/x.sock',
    });
    expect(await get(connection)).to.equal('ok');
    expect(await get(connection)).to.equal('ok');
    const [target] = asked;
    expect(asked).to.have.length(1);
    expect(target).to.include({ host: 'there.test', port: 8080, socketPath: '/run/x.sock' });
    expect(target?.signal.aborted).to.equal(false);
    connection.close();
    await connection.connect();
    expect(asked).to.have.length(2);
    connection.close();
  });

  it('is asked for the proxy where there is a tunnel', async () => {
    const proxy = await proxyTo(await rawServer(answer(OK)));
    const asked: ConnectTarget[] = [];
    const connection = new HTTPConnection('proxy.test', 3128, {
      createConnection: (target) => {
        asked.push(target);
        return net.connect(proxy.port, '127.0.0.1');
      },
    });
    connection.setTunnel('server.test', 80);
    expect(await get(connection)).to.equal('ok');
    expect(asked[0]).to.include({ host: 'proxy.test', port: 3128, socketPath: null });
    connection.close();
  });

  it('shows the stream as socket, and the TLSSocket over it with TLS', async () => {
    const server = await TLS_OVER_DUPLEX.serve(answer(OK));
    const secure = await TLS_OVER_DUPLEX.connect(server);
    await secure.connect();
    expect(secure.socket).to.be.instanceOf(tls.TLSSocket);
    const [client] = duplexPair();
    const plain = new HTTPConnection('x.test', 80, { createConnection: () => client });
    await plain.connect();
    expect(plain.socket).to.equal(client);
    plain.close();
    expect(client.destroyed).to.equal(true);
  });

  it('may be TLS that was set up elsewhere', async () => {
    const server = await TLS_OVER_DUPLEX.serve(answer(OK));
    const connection = new HTTPConnection('localhost', server.port, {
      createConnection: () => tls.connect({ port: server.port, host: '127.0.0.1', ca: authority() }),
    });
    expect(await get(connection)).to.equal('ok');
    connection.close();
  });

  it('waits for one that is still connecting, whose failure fails the dial as it is', async () => {
    const closed = net.createServer().listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const { port } = closed.address() as net.AddressInfo;
    closed.close();
    await once(closed, 'close');
    const connection = new HTTPConnection('x.test', port, {
      createConnection: () => net.connect(port, '127.0.0.1'),
    });
    const error = await rejection(connection.request('GET', '/'));
    expect(error).to.include({ code: 'ECONNREFUSED', phase: 'connect' });
    expect(connection.state).to.equal('Idle');
  });

  it('goes on although the stream was paused, and has its bytes at once', async () => {
    const [client, remote] = duplexPair();
    client.pause();
    const connection = new HTTPConnection('x.test', 80, { createConnection: () => client });
    await connection.request('GET', '/');
    remote.write(OK);
    expect(await (await connection.getResponse()).text()).to.equal('ok');
    connection.close();
  });

  it('gives the error of the stream as it is, for the head and in the body', async () => {
    for (const head of ['', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome']) {
      const own = Object.freeze(new Error('the line is down'));
      const { connection, remote } = held();
      await connection.request('GET', '/');
      remote.write(head);
      const response = head === '' ? null : await connection.getResponse();
      const failing = rejection(response === null ? connection.getResponse() : response.readall());
      await new Promise((resolve) => setTimeout(resolve, 10));
      remote.other?.destroy(own);
      const error = await failing;
      expect(error === own || error.cause === own, String(error)).to.equal(true);
    }
  });

  it('takes a close without an end for a cut, of a body that lasts until the end too', async () => {
    const { connection, remote } = held();
    await connection.request('GET', '/');
    remote.write('HTTP/1.1 200 OK\r\n\r\nsome');
    const response = await connection.getResponse();
    expect(String(await response.read1())).to.equal('some');
    remote.destroy();
    expect(await rejection(response.readall())).to.have.property('code', 'ERR_INCOMPLETE_READ');
    const next = held();
    await next.connection.request('GET', '/');
    next.remote.destroy();
    expect(await rejection(next.connection.getResponse())).to.have.property('name', 'RemoteDisconnected');
  });

  it('takes an end for the end of a body that lasts until then', async () => {
    const { connection, remote } = held();
    await connection.request('GET', '/');
    remote.end('HTTP/1.1 200 OK\r\n\r\nall of it');
    expect(await (await connection.getResponse()).text()).to.equal('all of it');
  });

  it('notices that the peer has closed an idle connection', async () => {
    const lines: LineEnd[] = [];
    const connection = new HTTPConnection('x.test', 80, {
      createConnection: () => {
        const [client, remote] = duplexPair();
        lines.push(remote);
        remote.once('data', () => remote.write(OK));
        return client;
      },
    });
    expect(await get(connection)).to.equal('ok');
    lines[0]?.end();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(connection.socket).to.equal(null);
    expect(await get(connection)).to.equal('ok');
    expect(lines).to.have.length(2);
    connection.close();
  });

  it('is not fooled by a stream that cannot be paused', async () => {
    class Unstoppable extends Duplex {
      override _read(): void {}
      override _write(_chunk: unknown, _encoding: string, done: () => void): void {
        done();
        for (const piece of ['HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n', ...pieces]) {
          this.emit('data', Buffer.from(piece));
        }
        this.emit('end');
      }
    }
    const pieces = Array.from({ length: 30 }, (_, i) => String.fromCharCode(65 + i).repeat(10_000));
    const connection = new HTTPConnection('x.test', 80, { createConnection: () => new Unstoppable() });
    await connection.request('GET', '/');
    const response = await connection.getResponse();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await response.text()).to.equal(pieces.join(''));
    connection.close();
  });
});

describe('createConnection that gives nothing usable', () => {
  const ended = new PassThrough();
  ended.end();
  const gone = new PassThrough();
  gone.destroy();
  const TABLE: [name: string, value: unknown][] = [
    ['nothing', undefined],
    ['null', null],
    ['a text', 'socket'],
    ['an object', {}],
    ['a Readable', Readable.from([])],
    ['a Duplex of objects', new PassThrough({ objectMode: true })],
    ['a Duplex that reads text', new PassThrough().setEncoding('utf8')],
    ['a Duplex that is destroyed', gone],
    ['a Duplex that is ended', ended],
  ];
  for (const [name, value] of TABLE) {
    it(`fails with a TypeError: ${name}`, async () => {
      for (const give of [() => value, () => Promise.resolve(value)]) {
        const connection = new HTTPConnection('x.test', 80, { createConnection: give as () => Duplex });
        expect(await rejection(connection.request('GET', '/'))).to.be.instanceOf(TypeError);
        expect(connection.state).to.equal('Idle');
      }
    });
  }

  it('fails with a TypeError for a stream that another connection uses', async () => {
    const [client] = duplexPair();
    const createConnection = (): Duplex => client;
    const first = new HTTPConnection('x.test', 80, { createConnection });
    await first.connect();
    const second = new HTTPConnection('x.test', 80, { createConnection });
    expect(await rejection(second.connect())).to.be.instanceOf(TypeError);
    first.close();
  });

  it('fails with its own error when it throws or rejects', async () => {
    const own: Error = new Error('no line');
    Object.freeze(own);
    const throws = (): never => {
      throw own;
    };
    for (const createConnection of [throws, () => Promise.reject(own)]) {
      const connection = new HTTPConnection('x.test', 80, { createConnection });
      expect(await rejection(connection.request('GET', '/'))).to.equal(own);
      expect(connection.state).to.equal('Idle');
    }
  });

  for (const [name, give] of [
    ['close()', (connection: HTTPConnection): void => connection.close()],
    ['the connect clock', (): void => undefined],
    ['an abort', (_connection: HTTPConnection, aborter: AbortController): void => aborter.abort()],
  ] as const) {
    it(`that never answers is given up by ${name}: its signal is aborted, what comes later destroyed`, async () => {
      const [client] = duplexPair();
      let answerLate: (stream: Duplex) => void = () => undefined;
      let target: ConnectTarget | undefined;
      const connection = new HTTPConnection('x.test', 80, {
        timeout: name === 'the connect clock' ? 60 : null,
        createConnection: (asked) => {
          target = asked;
          return new Promise((resolve) => {
            answerLate = resolve;
          });
        },
      });
      const aborter = new AbortController();
      const sent = rejection(connection.request('GET', '/', null, {}, { signal: aborter.signal }));
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(target?.signal.aborted).to.equal(false);
      give(connection, aborter);
      await sent;
      expect(target?.signal.aborted).to.equal(true);
      answerLate(client);
      if (!client.destroyed) await once(client, 'close');
      expect(connection.socket).to.equal(null);
      expect(connection.state).to.equal('Idle');
    });
  }

  it('may close the connection itself', async () => {
    const [client] = duplexPair();
    const connection: HTTPConnection = new HTTPConnection('x.test', 80, {
      createConnection: () => {
        connection.close();
        return client;
      },
    });
    expect(await rejection(connection.connect())).to.have.property('code', 'ERR_NOT_CONNECTED');
    if (!client.destroyed) await once(client, 'close');
    expect(connection.socket).to.equal(null);
  });

  it('gives streams whose own functions throw: the exchange fails, nothing is uncaught', async () => {
    const own = new Error('not today');
    const left = await unhandledRejections(async () => {
      for (const method of ['_write', '_read'] as const) {
        const [client] = duplexPair();
        client[method] = () => {
          throw own;
        };
        const connection = new HTTPConnection('x.test', 80, { createConnection: () => client });
        const error = await rejection(connection.request('GET', '/').then(() => connection.getResponse()));
        expect(error).to.equal(own);
        connection.close();
      }
    });
    expect(left).to.deep.equal([]);
  });

  it('fails with the reason of TLS when the stream speaks none', async () => {
    const [client, remote] = duplexPair();
    remote.write('this is no TLS at all, but text');
    const connection = new HTTPSConnection('x.test', 443, {
      createConnection: () => client,
      context: TRUSTING,
    });
    const error = await rejection<NodeJS.ErrnoException>(connection.connect());
    expect(error.code).to.match(/^ERR_SSL_/);
    expect(client.destroyed).to.equal(true);
  });
});
