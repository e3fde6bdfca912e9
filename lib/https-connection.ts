/**
 * `HTTPSConnection`: the same over TLS. Certificates and host names are verified by default, sessions are resumed on reconnecting.
 */
import { isIP } from 'node:net';
import type * as net from 'node:net';
import type * as tls from 'node:tls';
import { HTTPConnection } from './connection.js';
import { tlsOptions } from './connection-options.js';
import type { HTTPSConnectionOptions } from './connection-options.js';
import { HTTPS_PORT } from './status.js';

/** A connection over TLS (http.client.HTTPSConnection). With `setTunnel`, TLS runs to the tunnel's host inside the tunnel. */
export class HTTPSConnection extends HTTPConnection {
  static override readonly defaultPort: number = HTTPS_PORT;

  readonly #tls: HTTPSConnectionOptions;
  #session: Buffer | undefined;

  /**
   * @param options - those of `HTTPConnection`, and how the server is verified
   * @throws InvalidURL, TypeError
   */
  constructor(host: string, port?: number | null, options: HTTPSConnectionOptions = {}) {
    super(host, port, options);
    this.#tls = options;
    this.#session = options.session;
  }

  protected override serverTLS(host: string): tls.ConnectionOptions {
    return tlsOptions(host, isIP(host) !== 0, { ...this.#tls, session: this.#session });
  }

  protected override onConnected(socket: net.Socket): void {
    socket.on('session', (session: Buffer) => {
      this.#session = session;
    });
  }
}
