/**
 * A transport and the parser of what comes out of it: one connection as an exchange sees it, and as its owner keeps it.
 *
 * It chooses where bytes are read into, gives them to the parser, delivers a body straight to its sink, and is the one place where a
 * violation thrown by the protocol code becomes a failure of the exchange. Between exchanges it watches: any byte or close on an idle
 * connection ends it, as neither can belong to a request. It is closed once, with a reason that is kept.
 */
import type { AsyncResource } from 'node:async_hooks';
import { IncompleteRead } from '../errors.js';
import type { Limits } from '../limits.js';
import { CHANNELS } from '../channels.js';
import type { CloseReason } from '../protocol/exchange-table.js';
import type { Framing } from '../protocol/framing.js';
import { ResponseParser } from '../protocol/response-parser.js';
import type { ResponseHandler, ResponseHead } from '../protocol/response-parser.js';
import type { BodySink } from '../response/body-sink.js';
import { turnTime } from '../timing.js';
import { restAfterPoll } from '../transport/poll-barrier.js';
import { READ_BYTES } from '../transport/transport.js';
import type { Transport, TransportHandler } from '../transport/transport.js';

/** Who the bytes on a link are for: an exchange. None of its functions throws. */
export interface Receiver {
  /** What it does runs in the async context of the call that began it. */
  readonly scope: AsyncResource;
  onInterim(head: ResponseHead): void;
  /** The final head; returns where the body goes. */
  onHead(head: ResponseHead, framing: Framing): BodySink;
  onEndOfResponse(trailers: string[]): void;
  onDrain(): void;
  onWriteError(): void;
  /** The response cannot be completed. */
  onFailure(error: Error): void;
  /** The response is complete, and this has happened since: the connection cannot be used again. */
  onUnfit(reason: CloseReason): void;
}

/** Whom a link reaches and how, for whoever watches. */
export interface LinkFacts {
  /** The server, also behind a proxy. */
  host: string;
  port: number;
  /** The proxy's host and port; null for none. */
  proxy: string | null;
  /** Milliseconds that it took to open. */
  ms: number;
}

/** Who is told when a link is gone. */
export interface LinkWatcher {
  onLinkClosed(link: Link): void;
}

/** From so many bytes ahead on, or in one read, a body is received into buffers of its own instead of being copied. */
const LARGE_BYTES = 32_768;

/** A slab with less room than this is not worth a read. */
const SLAB_REST_BYTES = 16_384;

const EMPTY = Buffer.alloc(0);

let lastId = 0;

export class Link implements TransportHandler, ResponseHandler {
  readonly id: number = ++lastId;
  readonly transport: Transport;
  /** Why it was closed; null while it is open. */
  closeReason: CloseReason | null = null;
  /** Why it takes no further request although it is open: bytes were sent whose answer must not be taken for that to a request. */
  unfit: CloseReason | null = null;
  /** Told when the link is closed, whoever closes it. */
  watcher: LinkWatcher | null = null;
  /** What came behind the head of a response that ended HTTP on this connection. */
  surplus: Buffer[] = [];
  /** Exchanges that it has carried. */
  exchanges = 0;
  /** When bytes last came, by `performance.now()`; only kept for an exchange with a clock. */
  lastBytesAt = 0;

  /** The peer's address; null where there is none, as on a stream that was given. */
  readonly remoteAddress: string | null;

  readonly #openedAt: number = turnTime();
  readonly #parser: ResponseParser;
  #user: Receiver | null = null;
  #sink: BodySink | null = null;
  #timed = false;
  #slab: Buffer | null = null;
  #slabUsed = 0;
  #target: 'scratch' | 'slab' | 'direct' = 'scratch';
  #owned = false;
  #lastRead = 0;
  /** Whether it filled its target: then the next bytes wait in the kernel already. */
  #moreWaits = false;
  #targetBytes = READ_BYTES;

  constructor(transport: Transport, limits: Readonly<Limits>, facts: LinkFacts) {
    this.transport = transport;
    this.remoteAddress = transport.remoteAddress;
    this.#parser = new ResponseParser('', limits, this);
    transport.handler = this;
    if (CHANNELS.connectionOpen.hasSubscribers) this.#publishOpen(facts);
  }

  /** Whether it can carry a request: open both ways, and nothing unexpected was seen on it. */
  get usable(): boolean {
    const { transport } = this;
    return this.unfit === null && !transport.closed && !transport.ended && transport.writeError === null;
  }

  /**
   * From here on, what arrives is the response to a request of this method.
   *
   * @param timed - whether to note when bytes come
   */
  begin(user: Receiver, method: string, timed: boolean): void {
    this.#user = user;
    this.#timed = timed;
    this.exchanges++;
    this.#parser.reset(method);
    this.transport.ref();
  }

  /** Bytes are about to be sent that belong to no request: whatever comes back answers none. */
  beginRaw(user: Receiver): void {
    this.#user = user;
    this.unfit = 'bytes were sent outside of a request';
    this.#parser.stop();
    this.transport.ref();
  }

  /** The exchange is over and the connection is kept: it is watched until the next one, and keeps no process alive. */
  free(): void {
    this.#user = null;
    this.#sink = null;
    this.#slab = null;
    this.transport.resume();
    restAfterPoll(this);
  }

  /** Keeps no process alive while nobody uses it. */
  rest(): void {
    if (this.#user === null && this.closeReason === null) this.transport.unref();
  }

  /** Closes it for good. The exchange on it hears nothing more. */
  close(reason: CloseReason): void {
    if (this.closeReason !== null) return;
    this.#gone(reason);
    this.#parser.stop();
    this.transport.close();
  }

  /** HTTP is over on it: the transport is the caller's. */
  handOver(): void {
    this.#gone('handed over');
  }

  // Of the transport.

  target(): Uint8Array | null {
    this.#target = 'scratch';
    this.#targetBytes = READ_BYTES;
    const body = this.#parser.done ? null : this.#parser.body;
    const sink = this.#sink;
    if (body === null || sink === null) return null;
    const ahead = body.dataAhead;
    if (ahead > 0) {
      // Only while bytes wait in the kernel, so that the next read follows at once: a caller may transfer its memory while the
      // socket waits, and the kernel would write to where it has gone.
      const direct = this.#moreWaits ? sink.directTarget() : null;
      if (direct !== null) {
        this.#target = 'direct';
        const most = Math.min(ahead, READ_BYTES);
        this.#targetBytes = Math.min(direct.length, most);
        return direct.length <= most ? direct : direct.subarray(0, most);
      }
      // The reader is served next, but it asks only after this: one copy out of the scratch buffer, and no buffer made for it.
      if (sink.fillsViews) return null;
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
    if (user === null) this.#onSurplus(bytes);
    else user.scope.runInAsyncScope(read, null, this, user, bytes, owned);
  }

  /** @internal */
  read(user: Receiver, bytes: Buffer, owned: boolean): void {
    this.#lastRead = bytes.length;
    this.#moreWaits = bytes.length === this.#targetBytes;
    if (this.#timed) this.lastBytesAt = performance.now();
    if (this.#target === 'slab') this.#slabUsed += bytes.length;
    if (this.#parser.done) {
      this.#onSurplus(bytes);
      return;
    }
    try {
      if (this.#target === 'direct') {
        this.#sink?.received(bytes.length);
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
      this.close('the peer closed');
    } else if (this.#parser.done) {
      this.#inScope(user, () => user.onUnfit('the peer closed'));
    } else if (this.#parser.untilClose) {
      this.transport.confirmEnd((error) => {
        if (this.#user === user) this.#peerEnded(user, error, true);
      });
    } else {
      this.#peerEnded(user, null, true);
    }
  }

  onClose(error: Error | null): void {
    const user = this.#user;
    if (user === null) this.close('the peer closed');
    else if (this.#parser.done) this.#inScope(user, () => user.onUnfit('the peer closed'));
    else this.#peerEnded(user, error, this.transport.ended);
  }

  onDrain(): void {
    const user = this.#user;
    if (user !== null) this.#inScope(user, () => user.onDrain());
  }

  onWriteError(): void {
    const user = this.#user;
    if (user === null) this.close('the peer closed');
    else this.#inScope(user, () => user.onWriteError());
  }

  // Of the parser.

  onInterim(head: ResponseHead): void {
    this.#user?.onInterim(head);
  }

  onHead(head: ResponseHead, framing: Framing): void {
    const user = this.#user;
    if (user === null) return;
    const sink = user.onHead(head, framing);
    // The exchange may have ended with its head.
    if (this.#user === user) this.#sink = sink;
  }

  onBody(bytes: Buffer): void {
    const sink = this.#sink;
    if (sink === null) return;
    const more = this.#owned ? sink.deliver(bytes) : sink.deliverLent(bytes);
    if (!more) this.transport.pause();
  }

  onEndOfResponse(trailers: string[]): void {
    this.#user?.onEndOfResponse(trailers);
  }

  #inScope(user: Receiver, call: () => void): void {
    user.scope.runInAsyncScope(call);
  }

  /**
   * The peer sends no more while a response is due: an end for a body that lasts until then, else a failure.
   *
   * @param clean - whether the peer ended its side; a connection that was merely gone ends no body
   */
  #peerEnded(user: Receiver, error: Error | null, clean: boolean): void {
    this.#inScope(user, () => {
      // What broke the sending explains a missing response better than the missing response does.
      const cause = error ?? (this.#parser.started ? null : this.transport.writeError);
      if (cause !== null) {
        user.onFailure(cause);
      } else if (!clean && this.#parser.untilClose) {
        user.onFailure(new IncompleteRead(EMPTY, null, 'the connection was closed without an end'));
      } else {
        try {
          this.#parser.end();
        } catch (failure) {
          user.onFailure(failure as Error);
        }
      }
    });
  }

  /** Bytes that belong to no response. */
  #onSurplus(bytes: Buffer): void {
    if (this.#parser.switched) this.surplus.push(Buffer.from(bytes));
    else if (this.#user === null) this.close('bytes came while idle');
    else this.#user.onUnfit('bytes followed the response');
  }

  #gone(reason: CloseReason): void {
    this.closeReason = reason;
    this.#user = null;
    this.#sink = null;
    this.#slab = null;
    this.watcher?.onLinkClosed(this);
    if (CHANNELS.connectionClose.hasSubscribers) this.#publishClose(reason);
  }

  #publishOpen({ host, port, proxy, ms }: LinkFacts): void {
    const { id, remoteAddress: address } = this;
    const tls = 'encrypted' in this.transport.socket;
    CHANNELS.connectionOpen.publish({ id, host, port, address, tls, proxy, ms });
  }

  #publishClose(reason: CloseReason): void {
    const { id, exchanges: requests } = this;
    const ms = turnTime() - this.#openedAt;
    CHANNELS.connectionClose.publish({ id, reason, requests, ...this.transport.progress, ms });
  }
}

/** Shared, so that a read makes no closure. */
function read(link: Link, user: Receiver, bytes: Buffer, owned: boolean): void {
  link.read(user, bytes, owned);
}
