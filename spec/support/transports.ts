/**
 * The ways to a server that differ below HTTP: TCP, TLS, and TLS inside a proxy's tunnel, so that one spec can be run over each.
 *
 * It opens what a spec asks for and closes it after the test. It checks nothing.
 */
import * as net from 'node:net';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import * as tls from 'node:tls';
import { HTTPConnection, HTTPSConnection } from '../../lib/index.js';
import type { HTTPConnectionOptions } from '../../lib/index.js';
import { duplexPair } from './duplex-pair.js';
import { authority, rawServer, rawTLSServer } from './raw-server.js';
import type { RawServer, RawServerOptions, Script } from './raw-server.js';

/** One way to a server. */
export interface Way {
  readonly name: string;
  serve(script: Script, options?: RawServerOptions): Promise<RawServer>;
  connect(server: RawServer, options?: HTTPConnectionOptions): Promise<HTTPConnection>;
}

const opened = new Set<HTTPConnection>();

/** Trusts the certificates of the specs. */
export const TRUSTING: tls.SecureContext = tls.createSecureContext({ ca: authority() });

function closedAfterTest(connection: HTTPConnection): HTTPConnection {
  opened.add(connection);
  return connection;
}

export const TCP: Way = {
  name: 'TCP',
  serve: rawServer,
  connect: (server, options) =>
    Promise.resolve(closedAfterTest(new HTTPConnection('127.0.0.1', server.port, options))),
};

export const TLS: Way = {
  name: 'TLS',
  serve: rawTLSServer,
  connect: (server, options) => {
    const trusting = { ...options, context: TRUSTING };
    return Promise.resolve(closedAfterTest(new HTTPSConnection('127.0.0.1', server.port, trusting)));
  },
};

export const TUNNEL: Way = {
  name: 'TLS in a tunnel',
  serve: rawTLSServer,
  connect: async (server, options) => {
    const proxy = await proxyTo(server);
    const trusting = { ...options, context: TRUSTING };
    const connection = new HTTPSConnection('127.0.0.1', proxy.port, trusting);
    connection.setTunnel('localhost', 443);
    return closedAfterTest(connection);
  },
};

/** A stream in memory in the place of a socket. */
export const DUPLEX: Way = {
  name: 'a stream in memory',
  serve: rawServer,
  connect: (server, options) => {
    const given = { ...options, createConnection: () => lineTo(server) };
    return Promise.resolve(closedAfterTest(new HTTPConnection('in.memory', 80, given)));
  },
};

/** TLS over such a stream. */
export const TLS_OVER_DUPLEX: Way = {
  name: 'TLS over a stream in memory',
  serve: rawTLSServer,
  connect: (server, options) => {
    const given = { ...options, context: TRUSTING, createConnection: () => lineTo(server) };
    return Promise.resolve(closedAfterTest(new HTTPSConnection('localhost', 443, given)));
  },
};

/** A tunnel through a proxy that is reached by such a stream, and TLS in it. */
export const TUNNEL_OVER_DUPLEX: Way = {
  name: 'TLS in a tunnel over a stream in memory',
  serve: rawTLSServer,
  connect: async (server, options) => {
    const proxy = await proxyTo(server);
    const given = { ...options, context: TRUSTING, createConnection: () => lineTo(proxy) };
    const connection = new HTTPSConnection('proxy.memory', 3128, given);
    connection.setTunnel('localhost', 443);
    return closedAfterTest(connection);
  },
};

/** A socket of the caller's own making in the place of a dial. */
export const GIVEN_SOCKET: Way = {
  name: 'a socket that was given',
  serve: rawServer,
  connect: (server, options) => {
    const given = { ...options, createConnection: () => net.connect(server.port, '127.0.0.1') };
    return Promise.resolve(closedAfterTest(new HTTPConnection('127.0.0.1', server.port, given)));
  },
};

/** A line in memory to a server: the client's end. */
export function lineTo(server: RawServer): Duplex {
  const [client, remote] = duplexPair();
  server.adopt(remote as unknown as Socket);
  return client;
}

/** A proxy whose tunnels all end at this server, in its own process: nothing stands between that could lose bytes. */
export function proxyTo(server: RawServer, options: RawServerOptions = {}): Promise<RawServer> {
  return rawServer(
    (socket) => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n', () => {
        handOver(socket, server);
      });
    },
    { ...options, atHead: true },
  );
}

/** Gives a connection on which CONNECT was answered to the server behind the proxy. */
export function handOver(socket: Socket, server: RawServer): void {
  socket.removeAllListeners('data');
  socket.pause();
  server.adopt(socket);
}

afterEach(() => {
  for (const connection of opened) connection.close();
  opened.clear();
});
