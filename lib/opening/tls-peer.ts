/**
 * TLS with one server, dial after dial: how it is verified, and the session that is resumed. It opens nothing.
 */
import type * as tls from 'node:tls';
import { checkTLSOptions, tlsOptions } from './tls-options.js';
import type { TLSOptions } from './tls-options.js';

export class TLSPeer {
  readonly #options: TLSOptions;
  #session: Buffer | undefined;
  /** Whose session that is. Node does not check the names of a resumed peer, so it is offered to no other (a tunnel may be set anew). */
  #host: string | null = null;

  /** @throws what Node throws for a context that cannot be made, now and not at the first dial */
  constructor(options: TLSOptions) {
    this.#options = checkTLSOptions(options);
    this.#session = this.#options.session;
  }

  /** For a dial of this host. */
  optionsFor(host: string): tls.ConnectionOptions {
    if (this.#host !== null && this.#host !== host) this.#session = undefined;
    this.#host = host;
    return tlsOptions(host, { ...this.#options, session: this.#session });
  }

  /** The dial was made: its session is kept for the next. */
  opened(socket: tls.TLSSocket): void {
    const host = this.#host;
    // Up to TLS 1.2 the ticket comes within the handshake, before anyone could listen; later, behind it.
    if (socket.getProtocol() !== 'TLSv1.3') this.#session = socket.getSession();
    socket.on('session', (session: Buffer) => {
      if (this.#host === host) this.#session = session;
    });
  }
}
