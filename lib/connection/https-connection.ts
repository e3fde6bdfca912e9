/**
 * `HTTPSConnection`: the same over TLS. Certificates and host names are verified by default, sessions are resumed on reconnecting.
 */
import type * as net from 'node:net';
import type * as tls from 'node:tls';
import { HTTPConnection } from './connection.js';
import { SECURE_CONNECTION_OPTIONS } from '../opening/connection-options.js';
import type { HTTPSConnectionOptions } from '../opening/connection-options.js';
import { TLSPeer } from '../opening/tls-peer.js';
import { HTTPS_PORT } from '../status.js';

/** A connection over TLS (http.client.HTTPSConnection). With `setTunnel`, TLS runs to the tunnel's host inside the tunnel. */
export class HTTPSConnection extends HTTPConnection {
  static override readonly defaultPort: number = HTTPS_PORT;

  /** @internal */
  static override readonly optionNames: ReadonlySet<string> = SECURE_CONNECTION_OPTIONS;

  readonly #peer: TLSPeer;

  /**
   * @param options - those of `HTTPConnection`, and how the server is verified
   * @throws InvalidURL, TypeError
   * @throws what Node throws for a TLS context that cannot be made
   */
  constructor(host: string, port?: number | null, options: HTTPSConnectionOptions = {}) {
    super(host, port, options);
    this.#peer = new TLSPeer(this.options as HTTPSConnectionOptions);
  }

  protected override serverTLS(host: string): tls.ConnectionOptions {
    return this.#peer.optionsFor(host);
  }

  protected override onConnected(socket: net.Socket): void {
    this.#peer.opened(socket as tls.TLSSocket);
  }
}
