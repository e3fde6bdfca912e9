/**
 * The raw byte stream of a transport as a Duplex, surplus bytes first: what is left of a connection when HTTP on it is over, and what
 * TLS inside a tunnel runs over.
 *
 * Backpressure goes both ways. In public a write that cannot arrive is an error, as on any socket. Under TLS it is kept back: the
 * peer's last words, an early response, are still to be read.
 */
import { Duplex } from 'node:stream';
import { LostConnection } from './broken-line.js';
import type { Transport, TransportHandler } from './transport.js';

type Done = (error?: Error | null) => void;

export class DetachedStream extends Duplex implements TransportHandler {
  readonly #transport: Transport;
  /** Whether writes that fail are swallowed. */
  readonly #quiet: boolean;
  #flushed: Done | null = null;

  /**
   * @param surplus - bytes that were received before the stream existed
   * @param quiet - swallows writes that fail: reading goes on until the peer has closed
   */
  constructor(transport: Transport, surplus: readonly Buffer[], quiet = false) {
    super({ allowHalfOpen: true });
    this.#transport = transport;
    this.#quiet = quiet;
    for (const bytes of surplus) this.push(bytes);
    transport.handler = this;
    transport.ref();
    if (transport.ended) this.push(null);
    if (transport.closed && !transport.ended) this.destroy(transport.failure ?? undefined);
  }

  // Of the Duplex.

  override _read(): void {
    if (!this.#transport.closed) this.#transport.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    const lost = this.#lost();
    if (lost !== null) done(this.#quiet ? null : lost);
    else if (this.#transport.write(chunk)) done();
    else this.#flushed = done;
  }

  override _final(done: Done): void {
    if (this.#quiet && this.#lost() !== null) done();
    else this.#transport.end(this.#quiet ? () => done() : done);
  }

  override _destroy(error: Error | null, callback: Done): void {
    this.#transport.close();
    this.#settle(error);
    callback(error);
  }

  // Of the transport.

  target(): null {
    return null;
  }

  onBytes(bytes: Buffer, owned: boolean): void {
    if (!this.push(owned ? bytes : Buffer.from(bytes))) this.#transport.pause();
  }

  onEnd(): void {
    this.push(null);
  }

  onDrain(): void {
    this.#settle(null);
  }

  onWriteError(error: Error): void {
    if (this.#quiet) this.#settle(null);
    else this.destroy(error);
  }

  onClose(error: Error | null): void {
    if (!this.#transport.ended || error !== null) this.destroy(error ?? undefined);
    else this.#settle(this.#quiet ? null : new LostConnection());
  }

  #lost(): Error | null {
    return this.#transport.writeError ?? (this.#transport.closed ? new LostConnection() : null);
  }

  #settle(error: Error | null): void {
    const done = this.#flushed;
    this.#flushed = null;
    done?.(error);
  }
}
