/**
 * The ways to a server that differ below HTTP: TCP, TLS, and TLS inside a proxy's tunnel, so that one spec can be run over each.
 *
 * It opens what a spec asks for and closes it after the test. It checks nothing.
 */
import type { Socket } from 'node:net';
import * as tls from 'node:tls';
import { HTTPConnection, HTTPSConnection } from '../../lib/index.js';
import type { HTTPConnectionOptions } from '../../lib/index.js';
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
