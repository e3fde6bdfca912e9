/**
 * Opens a connection for requests: dial, then the tunnel, then TLS, in the order that the connection's settings ask for.
 *
 * One attempt at a time; it can be cancelled at any point and reports once. It sends no request and keeps no clock.
 */
import type * as tls from 'node:tls';
import { DetachedStream } from '../transport/detached-stream.js';
import { BadStatusLine } from '../errors.js';
import type { Phase } from '../errors.js';
import { dial } from '../transport/dial.js';
import type { DialOptions } from '../transport/dial.js';
import { loadTLS } from '../transport/tls.js';
import { Transport } from '../transport/transport.js';
import { openTunnel } from './tunnel.js';
import type { TunnelRequest } from './tunnel.js';

export interface ConnectPlan {
  dial: DialOptions;
  /** The proxy's CONNECT; null without a tunnel. */
  tunnel: TunnelRequest | null;
  /** TLS with the server, inside the tunnel if there is one; null for none. Without a tunnel `dial` does it. */
  innerTLS: tls.ConnectionOptions | null;
}

export type Connected = (error: Error | null, transport: Transport | null) => void;

/** A connection being opened. */
export class Connector {
  /** What is going on, for errors. */
  phase: Phase = 'connect';

  readonly #plan: ConnectPlan;
  readonly #done: Connected;
  readonly #cancelDial: () => void;
  #transport: Transport | null = null;
  /** The connection to the proxy. */
  #outer: Transport | null = null;
  #over = false;

  /** Bytes that went over the tunnel's proxy connection, or the one being opened. */
  get progress(): { bytesSent: number; bytesReceived: number } {
    const { bytesSent, bytesReceived } = this.#outer ?? { bytesSent: 0, bytesReceived: 0 };
    return { bytesSent, bytesReceived };
  }

  /** @param done - called once, never synchronously, unless it is cancelled */
  constructor(plan: ConnectPlan, done: Connected) {
    this.#plan = plan;
    this.#done = done;
    this.#cancelDial = dial(plan.dial, (error, transport) => {
      if (error !== null || transport === null) this.#finish(error, null);
      else this.#dialled(transport);
    });
  }

  /** Gives up: what was opened is closed and `done` is not called. */
  cancel(): void {
    this.#over = true;
    this.#cancelDial();
    this.#transport?.close();
  }

  #dialled(transport: Transport): void {
    this.#transport = transport;
    const { tunnel } = this.#plan;
    if (tunnel === null) {
      this.#finish(null, transport);
      return;
    }
    this.phase = 'tunnel';
    this.#outer = transport;
    openTunnel(transport, tunnel, (error, surplus) => {
      if (this.#over) return;
      if (error !== null) this.#finish(error, null);
      else this.#tunnelled(transport, surplus);
    });
  }

  #tunnelled(transport: Transport, surplus: Buffer[]): void {
    this.phase = 'connect';
    const { innerTLS } = this.#plan;
    if (innerTLS !== null) {
      this.#secure(new DetachedStream(transport, surplus), innerTLS);
      return;
    }
    if (surplus.length > 0) {
      // No request is outstanding inside the tunnel, so these bytes can answer none.
      const text = Buffer.concat(surplus).toString('latin1', 0, 80);
      this.#finish(new BadStatusLine(text, 'bytes came out of the tunnel before a request'), null);
      return;
    }
    transport.resume();
    this.#finish(null, transport);
  }

  #secure(stream: DetachedStream, options: tls.ConnectionOptions): void {
    let socket: tls.TLSSocket;
    try {
      // Over a stream of ours, not the raw socket: it survives failed writes, so that an early response can be read in here too.
      socket = loadTLS().connect({ ...options, socket: stream });
    } catch (error) {
      process.nextTick(() => {
        this.#finish(error as Error, null);
      });
      return;
    }
    const transport = new Transport().attachFlowing(socket);
    this.#transport = transport;
    socket.once('secureConnect', () => {
      this.#finish(null, transport);
    });
    socket.once('error', (error) => {
      this.#finish(error, null);
    });
    socket.once('close', () => {
      this.#finish(
        Object.assign(new Error('the peer closed the connection in the TLS handshake'), {
          code: 'ECONNRESET',
        }),
        null,
      );
      stream.destroy();
    });
  }

  #finish(error: Error | null, transport: Transport | null): void {
    if (this.#over) return;
    this.#over = true;
    if (error !== null) this.#transport?.close();
    this.#done(error, transport);
  }
}
