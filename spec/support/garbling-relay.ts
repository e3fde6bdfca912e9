/**
 * A relay that stands between a client and a server, and can put bytes of its own into what the client gets: a forged TLS record. It
 * answers a CONNECT itself, so that the tunnel's way can be garbled too.
 */
import { once } from 'node:events';
import * as net from 'node:net';
import type { AddressInfo } from 'node:net';
import type { RawServer } from './raw-server.js';

/** A record of application data whose authentication cannot be right. */
export const FORGED_RECORD: Buffer = Buffer.concat([
  Buffer.from([0x17, 3, 3, 0, 48]),
  Buffer.alloc(48, 0x5a),
]);

export interface Relay {
  readonly port: number;
  /** The client's side of the last connection. */
  client(): net.Socket;
}

const running = new Set<net.Server>();
const sockets = new Set<net.Socket>();

/** Starts one in front of a server; it is closed after the test. */
export async function relayTo(server: RawServer): Promise<Relay> {
  let last: net.Socket | null = null;
  const relay = net.createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    last = client;
    sockets.add(client);
    client.on('error', () => undefined);
    client.once('data', (first: Buffer) => {
      const upstream = net.connect({
        port: server.port,
        host: '127.0.0.1',
        allowHalfOpen: true,
        noDelay: true,
      });
      sockets.add(upstream);
      upstream.on('error', () => client.destroy());
      if (first.toString('latin1', 0, 7) === 'CONNECT') client.write('HTTP/1.1 200 OK\r\n\r\n');
      else upstream.write(first);
      client.pipe(upstream);
      upstream.pipe(client);
    });
  });
  running.add(relay);
  relay.listen(0, '127.0.0.1');
  await once(relay, 'listening');
  return {
    port: (relay.address() as AddressInfo).port,
    client: () => {
      if (last === null) throw new Error('nobody has connected');
      return last;
    },
  };
}

afterEach(() => {
  for (const socket of sockets) socket.destroy();
  for (const relay of running) relay.close();
  sockets.clear();
  running.clear();
});
