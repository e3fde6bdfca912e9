/**
 * A transport and the parser of what comes out of it: one connection as an exchange sees it.
 *
 * It chooses where bytes are read into, gives them to the parser, and is the one place where a violation thrown by the protocol code
 * becomes a failure of the exchange. Between exchanges it watches: any byte or close on an idle connection ends it, as neither can
 * belong to a request.
 */
import type { Limits } from '../limits.js';
import type { Framing } from '../protocol/framing.js';
import { ResponseParser } from '../protocol/response-parser.js';
import type { ResponseHandler, ResponseHead } from '../protocol/response-parser.js';
import { READ_BYTES } from '../transport/transport.js';
import type { Transport, TransportHandler } from '../transport/transport.js';

/** Who the bytes on a link are for: an exchange. */
export interface LinkUser extends Omit<ResponseHandler, 'onBody'> {
  /** As in `ResponseHandler`; the bytes are lent unless `owned`. */
  onBody(bytes: Buffer, owned: boolean): void;
  /** Where body bytes may be received straight into; null for anywhere. */
  directTarget(): Buffer | null;
  /** Whether a reader with memory of its own is likely to ask for what comes next. */
  readonly fillsViews: boolean;
  /** So many bytes of the body were received into `directTarget`. */
  onDirect(count: number): void;
  onDrain(): void;
  onWriteError(error: Error): void;
  /** The response cannot be completed. */
  onFailure(error: Error): void;
  /** The response is complete, and bytes followed it or the peer has closed: the connection cannot be used again. */
  onSpoiled(): void;
}

/** From so many bytes ahead on, or in one read, a body is received into buffers of its own instead of being copied. */
const LARGE_BYTES = 32_768;

/** A slab with less room than this is not worth a read. */
const SLAB_REST_BYTES = 16_384;

export class Link implements TransportHandler, ResponseHandler {
  readonly transport: Transport;
  /** Whether bytes were sent that belong to no exchange: their answer must not be taken for that to a request. */
  tainted = false;
  /** What came behind the head of a response that ended HTTP on this connection. */
  surplus: Buffer[] = [];

  readonly #parser: ResponseParser;
  #user: LinkUser | null = null;
  #exchanges = 0;
  #slab: Buffer | null = null;
  #slabUsed = 0;
  #target: 'scratch' | 'slab' | 'direct' = 'scratch';
  #owned = false;
  #lastRead = 0;
  /** Whether it filled its target: then the next bytes wait in the kernel already. */
  #moreWaits = false;
  #targetBytes = READ_BYTES;

  constructor(transport: Transport, limits: Readonly<Limits>) {
    this.transport = transport;
    this.#parser = new ResponseParser('', limits, this);
    transport.handler = this;
  }

  /** Whether the connection can carry an exchange: open both ways, and nothing unexpected was seen on it. */
  get usable(): boolean {
    return !this.transport.closed && !this.transport.ended && this.transport.writeError === null;
  }

  /** Whether it has carried one before. */
  get used(): boolean {
    return this.#exchanges > 0;
  }

  /** From here on, what arrives is the response to a request of this method. */
  begin(user: LinkUser, method: string): void {
    this.#user = user;
    this.#exchanges++;
    this.#parser.reset(method);
  }

  /** The exchange is over and the connection is kept: it is watched until the next one. */
  release(): void {
    this.#user = null;
    this.#slab = null;
    this.transport.resume();
  }

  close(): void {
    this.#user = null;
    this.#slab = null;
    this.#parser.stop();
    this.transport.close();
  }

  // Of the transport.

  target(): Uint8Array | null {
    this.#target = 'scratch';
    this.#targetBytes = READ_BYTES;
    const user = this.#user;
    const body = this.#parser.done ? null : this.#parser.body;
    if (user === null || body === null) return null;
    const ahead = body.dataAhead;
    if (ahead > 0) {
      // Only while bytes wait in the kernel, so that the next read follows at once: a caller may transfer its memory while the
      // socket waits, and the kernel would write to where it has gone.
      const direct = this.#moreWaits ? user.directTarget() : null;
      if (direct !== null) {
        this.#target = 'direct';
        const most = Math.min(ahead, READ_BYTES);
        this.#targetBytes = Math.min(direct.length, most);
        return direct.length <= most ? direct : direct.subarray(0, most);
      }
      // The reader is served next, but it asks only after this: one copy out of the scratch buffer, and no buffer made for it.
      if (user.fillsViews) return null;
    }
    if (this.#lastRead < LARGE_BYTES && (ahead < LARGE_BYTES || ahead === Infinity)) return null;
    this.#target = 'slab';
    if (this.#slab === null || this.#slab.length - this.#slabUsed < SLAB_REST_BYTES) {
      this.#slab = Buffer.allocUnsafeSlow(READ_BYTES);
      this.#slabUsed = 0;
    }
    this.#targetBytes = READ_BYTES - this.#slabUsed;
    return this.#slabUsed === 0 ? this.#slab : this.#slab.subarray(this.#slabUsed);
  }

  onBytes(bytes: Buffer, owned: boolean): void {
    const user = this.#user;
    this.#lastRead = bytes.length;
    this.#moreWaits = bytes.length === this.#targetBytes;
    if (this.#target === 'slab') this.#slabUsed += bytes.length;
    if (user === null || this.#parser.done) {
      this.#onSurplus(bytes);
      return;
    }
    try {
      if (this.#target === 'direct') {
        user.onDirect(bytes.length);
        this.#parser.skipBody(bytes.length);
        return;
      }
      this.#owned = owned;
      const used = this.#parser.write(bytes, 0);
      if (used < bytes.length) this.#onSurplus(bytes.subarray(used));
    } catch (error) {
      this.#parser.stop();
      user.onFailure(error as Error);
    }
  }

  onEnd(): void {
    const user = this.#user;
    if (user === null) {
      this.transport.close();
    } else if (this.#parser.done) {
      user.onSpoiled();
    } else if (this.#parser.untilClose) {
      this.transport.confirmEnd((error) => {
        if (this.#user === user) this.#peerEnded(user, error);
      });
    } else {
      this.#peerEnded(user, null);
    }
  }

  onClose(error: Error | null): void {
    const user = this.#user;
    if (user === null) return;
    if (this.#parser.done) user.onSpoiled();
    else this.#peerEnded(user, error);
  }

  onDrain(): void {
    this.#user?.onDrain();
  }

  onWriteError(error: Error): void {
    if (this.#user === null) this.transport.close();
    else this.#user.onWriteError(error);
  }

  // Of the parser.

  onInterim(head: ResponseHead): void {
    this.#user?.onInterim(head);
  }

  onHead(head: ResponseHead, framing: Framing): void {
    this.#user?.onHead(head, framing);
  }

  onBody(bytes: Buffer): void {
    this.#user?.onBody(bytes, this.#owned);
  }

  onEndOfResponse(trailers: string[]): void {
    this.#user?.onEndOfResponse(trailers);
  }

  /** The peer sends no more while a response is due: an end for a body that lasts until then, else a failure. */
  #peerEnded(user: LinkUser, error: Error | null): void {
    // What broke the sending explains a missing response better than the missing response does.
    const cause = error ?? (this.#parser.started ? null : this.transport.writeError);
    if (cause !== null) {
      user.onFailure(cause);
      return;
    }
    try {
      this.#parser.end();
    } catch (failure) {
      user.onFailure(failure as Error);
    }
  }

  /** Bytes that belong to no response. */
  #onSurplus(bytes: Buffer): void {
    if (this.#parser.switched) this.surplus.push(Buffer.from(bytes));
    else if (this.#user === null) this.transport.close();
    else this.#user.onSpoiled();
  }
}
