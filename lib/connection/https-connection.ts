/**
 * `HTTPSConnection`: the same over TLS. Certificates and host names are verified by default, sessions are resumed on reconnecting.
 */
import type * as net from 'node:net';
import type * as tls from 'node:tls';
import { HTTPConnection } from './connection.js';
import { SECURE_CONNECTION_OPTIONS } from '../opening/connection-options.js';
import type { HTTPSConnectionOptions } from '../opening/connection-options.js';
import { checkTLSOptions, tlsOptions } from '../opening/tls-options.js';
import type { TLSOptions } from '../opening/tls-options.js';
import { HTTPS_PORT } from '../status.js';

/** A connection over TLS (http.client.HTTPSConnection). With `setTunnel`, TLS runs to the tunnel's host inside the tunnel. */
export class HTTPSConnection extends HTTPConnection {
  static override readonly defaultPort: number = HTTPS_PORT;

  /** @internal */
  static override readonly optionNames: ReadonlySet<string> = SECURE_CONNECTION_OPTIONS;

  readonly #tls: TLSOptions;
  #session: Buffer | undefined;
  /** Whose session that is. Node does not check the names of a resumed peer, so it is offered to no other (a tunnel may be set anew). */
  #sessionHost: string | null = null;

  /**
   * @param options - those of `HTTPConnection`, and how the server is verified
   * @throws InvalidURL, TypeError
   * @throws what Node throws for a TLS context that cannot be made
   */
  constructor(host: string, port?: number | null, options: HTTPSConnectionOptions = {}) {
    super(host, port, options);
    this.#tls = checkTLSOptions(this.options as HTTPSConnectionOptions);
    this.#session = this.#tls.session;
  }

  protected override serverTLS(host: string): tls.ConnectionOptions {
    if (this.#sessionHost !== null && this.#sessionHost !== host) this.#session = undefined;
    this.#sessionHost = host;
    return tlsOptions(host, { ...this.#tls, session: this.#session });
  }

  protected override onConnected(socket: net.Socket): void {
    const host = this.#sessionHost;
    const secure = socket as tls.TLSSocket;
    // Up to TLS 1.2 the ticket comes within the handshake, before anyone could listen; later, behind it.
    if (secure.getProtocol() !== 'TLSv1.3') this.#session = secure.getSession();
    secure.on('session', (session: Buffer) => {
      if (this.#sessionHost === host) this.#session = session;
    });
  }
}
