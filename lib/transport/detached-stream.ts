/**
 * The raw byte stream of a transport as a Duplex, surplus bytes first: what is left of a connection when HTTP on it is over, and what
 * TLS inside a tunnel runs over.
 *
 * Backpressure goes both ways. A failed write ends the writing only; what the peer has sent is still read.
 */
import { Duplex } from 'node:stream';
import type { Transport, TransportHandler } from './transport.js';

type Done = (error?: Error | null) => void;

export class DetachedStream extends Duplex implements TransportHandler {
  readonly #transport: Transport;
  #flushed: Done | null = null;

  /** @param surplus - bytes that were received before the stream existed */
  constructor(transport: Transport, surplus: readonly Buffer[]) {
    super({ allowHalfOpen: true });
    this.#transport = transport;
    for (const bytes of surplus) this.push(bytes);
    transport.handler = this;
    if (transport.ended) this.push(null);
    if (transport.closed && !transport.ended) this.destroy();
  }

  // Of the Duplex.

  override _read(): void {
    if (!this.#transport.closed) this.#transport.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    if (this.#transport.write(chunk)) done();
    else this.#flushed = done;
  }

  override _final(done: Done): void {
    this.#transport.flush();
    if (this.#transport.closed || this.#transport.writeError !== null) done();
    else this.#transport.socket.end(done);
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

  onWriteError(): void {
    this.#settle(null);
  }

  onClose(error: Error | null): void {
    if (!this.#transport.ended || error !== null) this.destroy(error ?? undefined);
    else this.#settle(null);
  }

  #settle(error: Error | null): void {
    const done = this.#flushed;
    this.#flushed = null;
    done?.(error);
  }
}
