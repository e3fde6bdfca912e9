/**
 * Opens a tunnel through a proxy: one CONNECT request, its answer, and the bytes that came behind it (RFC 9110 §9.3.6).
 *
 * It uses the parser of every other response, and leaves the transport paused with nothing read beyond what it reports.
 */
import { traceHead, traceReply } from '../trace.js';
import type { Trace } from '../trace.js';
import { RemoteDisconnected } from '../errors.js';
import { TunnelError } from './tunnel-error.js';
import type { Limits } from '../limits.js';
import { messageOf } from '../fields/message.js';
import type { HTTPMessage } from '../fields/message.js';
import { formatFields } from '../protocol/grammar.js';
import { formatRequestHead } from '../protocol/request-head.js';
import { ResponseParser } from '../protocol/response-parser.js';
import type { ResponseHandler, ResponseHead } from '../protocol/response-parser.js';
import type { Opened } from '../transport/dial.js';
import type { Transport, TransportHandler } from '../transport/transport.js';

export interface TunnelRequest {
  /** `host:port`, an IPv6 address in brackets. */
  authority: string;
  /** `[name, value, …]`, Host among them. */
  fields: readonly string[];
  limits: Readonly<Limits>;
  /** Told the fields of the proxy's answer, whatever it is. */
  onAnswer: (headers: HTTPMessage) => void;
  /** Takes debug output; null for none. */
  trace: Trace | null;
}

/**
 * @param done - the same transport, and the bytes behind the answer, which belong to the tunnel
 * @returns gives the tunnel up and closes the transport
 */
export function openTunnel(transport: Transport, request: TunnelRequest, done: Opened): () => void {
  transport.handler = new Handshake(transport, request, done);
  const head = formatRequestHead('CONNECT', request.authority, formatFields(request.fields));
  if (request.trace !== null) traceHead(request.trace, head);
  transport.send(head);
  // A stream that was given is paused until now.
  transport.resume();
  return () => transport.close();
}

class Handshake implements TransportHandler, ResponseHandler {
  readonly #transport: Transport;
  readonly #request: TunnelRequest;
  readonly #done: Opened;
  readonly #parser: ResponseParser;
  #over = false;

  constructor(transport: Transport, request: TunnelRequest, done: Opened) {
    this.#transport = transport;
    this.#request = request;
    this.#done = done;
    this.#parser = new ResponseParser('CONNECT', request.limits, this);
  }

  target(): null {
    return null;
  }

  onBytes(bytes: Buffer): void {
    if (this.#over) return;
    try {
      const used = this.#parser.write(bytes, 0);
      if (!this.#parser.switched) return;
      this.#transport.pause();
      this.#finish(null, used < bytes.length ? [Buffer.from(bytes.subarray(used))] : []);
    } catch (error) {
      this.#finish(error as Error, []);
    }
  }

  onEnd(): void {
    try {
      this.#parser.end();
    } catch (error) {
      this.#finish(error as Error, []);
    }
  }

  onClose(error: Error | null): void {
    this.#finish(error ?? new RemoteDisconnected(), []);
  }

  onDrain(): void {}

  onWriteError(): void {}

  onInterim(head: ResponseHead): void {
    if (this.#request.trace !== null) traceReply(this.#request.trace, head);
  }

  onHead(head: ResponseHead): void {
    if (this.#request.trace !== null) traceReply(this.#request.trace, head);
    const headers = messageOf(head.fields);
    this.#request.onAnswer(headers);
    // A 101 ends HTTP too, but only a 2xx opens a tunnel.
    if (head.status < 200 || head.status > 299) throw new TunnelError(head.status, head.reason, headers);
  }

  onBody(): void {}

  onEndOfResponse(): void {}

  #finish(error: Error | null, surplus: Buffer[]): void {
    if (this.#over) return;
    this.#over = true;
    this.#done(error, error === null ? this.#transport : null, surplus);
  }
}
