/**
 * One request and its response on a link: the two axes, their clocks, and the one place where the exchange settles.
 *
 * It drives the upload and feeds the response, and reports to its owner when the connection is free or gone. It settles exactly once;
 * whatever the socket says afterwards changes nothing. It parses no bytes and opens no connection.
 */
import { ChunkedEncoder } from './chunked-encoder.js';
import { Clock, MAX_MS } from './clock.js';
import type { Timeouts } from './clock.js';
import {
  ContentLengthMismatch,
  describeFailure,
  IncompleteRead,
  NotConnected,
  TimeoutError,
} from './errors.js';
import type { ExchangeData, Phase, TimerName } from './errors.js';
import type { Link, LinkUser } from './link.js';
import type { InformationalResponse } from './informational.js';
import { messageOf } from './message.js';
import { makesSendingPointless, REQUEST_STEPS, RESPONSE_STEPS, verdict } from './protocol/exchange-table.js';
import type { RequestEvent, RequestState, ResponseEvent, ResponseState } from './protocol/exchange-table.js';
import type { Framing } from './protocol/framing.js';
import type { ResponseHead } from './protocol/response-parser.js';
import { cancelSource } from './request-body.js';
import type { RequestPlan } from './request-plan.js';
import { HTTPResponse } from './response.js';
import type { ResponseContext } from './response.js';
import { HIGH_WATER_BYTES } from './transport/transport.js';
import { Upload } from './upload.js';

/** Who made the exchange: a connection. */
export interface ExchangeOwner {
  readonly debugLevel: number;
  /** What the exchange waits for while it has no link: 'connect' or 'tunnel'. */
  readonly dialPhase: Phase;
  /** For what the user sees of an interim response. */
  readonly onInformational: ((response: InformationalResponse) => void) | undefined;
  /** The exchange is over. The link can be used again, is to be handed over, or was closed. */
  onExchangeOver(exchange: Exchange, link: Link | null): void;
  /** Prints a line of debug output. */
  debug(line: string): void;
}

interface Deferred<T> {
  resolve: (value: T) => void;
  reject: (error: unknown) => void;
}

const EXPECT_TIMEOUT_MS = 1000;

export class Exchange implements LinkUser {
  readonly method: string;
  readonly url: string;
  /** The response, once its head has arrived. */
  response: HTTPResponse | null = null;
  /** What ended it, if it failed, and whether a pending call was told. */
  failure: { error: unknown; reported: boolean } | null = null;

  readonly #plan: RequestPlan;
  readonly #owner: ExchangeOwner;
  readonly #clock: Clock | null;
  #requestState: RequestState = 'preparing';
  #responseState: ResponseState = 'awaited';
  #link: Link | null = null;
  #upload: Upload | null = null;
  #sent: Deferred<void> | null = null;
  #head: Deferred<HTTPResponse> | null = null;
  #expectTimer: NodeJS.Timeout | undefined;
  #keepAlive = true;
  #spoiled = false;
  #reused = false;
  #over = false;
  #owed: number | null;
  #sentBefore = 0;
  #receivedBefore = 0;

  constructor(plan: RequestPlan, timeouts: Timeouts | null, owner: ExchangeOwner) {
    this.#plan = plan;
    this.method = plan.method;
    this.url = plan.url;
    this.#owed = plan.owed;
    this.#owner = owner;
    this.sent = new Promise((resolve, reject) => {
      this.#sent = { resolve, reject };
    });
    this.#clock = timeouts === null ? null : new Clock(timeouts, this.#onExpiry);
    this.#clock?.start('total');
    plan.options.signal?.addEventListener('abort', this.#onAbort);
    // A stream may fail while the connection is still being opened.
    plan.body?.source?.stream?.on('error', this.#onSourceError).on('close', this.#onSourceClosed);
  }

  /** Settles when the body was handed to the socket, or when sending the rest became pointless. */
  readonly sent: Promise<void>;

  /** Settles with the head of the final response. May be asked for once. */
  head(): Promise<HTTPResponse> {
    // Whoever asks for the response hears of a failed request here.
    this.sent.catch(ignore);
    if (this.response !== null) return Promise.resolve(this.response);
    return new Promise((resolve, reject) => {
      this.#head = { resolve, reject };
    });
  }

  /** Whether the request is on its way out: not all of its body was sent, and not given up either. */
  get sending(): boolean {
    return this.#requestState !== 'sent' && this.#requestState !== 'cut';
  }

  /** Whether the response ended HTTP on the connection, whose bytes are now the caller's. */
  get switched(): boolean {
    return this.#responseState === 'switched';
  }

  /** The exchange has to wait for a connection. */
  awaitConnection(): void {
    this.#clock?.start('connect');
  }

  /** Begins on a link. */
  start(link: Link): void {
    if (this.#over) return;
    this.#clock?.stop('connect');
    this.#link = link;
    this.#reused = link.used;
    this.#sentBefore = link.transport.bytesSent;
    this.#receivedBefore = link.transport.bytesReceived;
    link.begin(this, this.method);
    const { head, body, expectsContinue } = this.#plan;
    if (this.#owner.debugLevel > 0) this.#owner.debug(`send: ${JSON.stringify(head)}`);
    if (expectsContinue) {
      this.#stepRequest('head and wait');
      link.transport.send(head);
      const { expectTimeout = EXPECT_TIMEOUT_MS } = this.#plan.options;
      if (expectTimeout <= MAX_MS) this.#expectTimer = setTimeout(this.#continue, expectTimeout);
    } else if (body === null) {
      this.#stepRequest('head');
      link.transport.send(head);
      this.#finishSending();
    } else {
      this.#stepRequest('head');
      link.transport.write(head);
      this.#startUpload();
    }
  }

  /**
   * Bytes that `send` is about to add count against what the head has promised.
   *
   * @throws ContentLengthMismatch when they are more
   */
  takeMore(bytes: number): void {
    if (this.#over || this.#owed === null || this.#plan.owed === 0) return;
    const declared = this.#plan.declared as number;
    if (bytes > this.#owed) throw new ContentLengthMismatch(declared, declared - this.#owed, true);
    this.#owed -= bytes;
    this.#awaitHead();
  }

  /** The connection is being closed by its owner. */
  close(): void {
    const response = this.response;
    if (this.#over || this.switched) {
      this.#link?.close();
      return;
    }
    const reason = 'the connection was closed by close()';
    const cutShort = new IncompleteRead(Buffer.alloc(0), response?.length ?? null, reason);
    this.fail(new NotConnected(reason), cutShort);
    response?.destroy(cutShort);
  }

  /** Ends the exchange with an error; the connection cannot be used again. */
  fail(error: unknown, bodyError: unknown = error): void {
    if (this.#over) return;
    const unfinished = this.#responseState === 'awaited' || this.#responseState === 'body';
    const data = this.#data();
    describeFailure(error, data);
    describeFailure(bodyError, data);
    this.failure = { error, reported: false };
    this.#end(null);
    this.failure.reported = this.#sent !== null || this.#head !== null;
    this.#sent?.reject(error);
    this.#sent = null;
    this.#head?.reject(error);
    this.#head = null;
    if (unfinished) this.response?.fail(bodyError as Error);
  }

  // Of the link.

  directTarget(): Buffer | null {
    return this.response?.directTarget() ?? null;
  }

  onDirect(count: number): void {
    this.response?.delivered(count);
    this.#watchBody();
  }

  onInterim(head: ResponseHead): void {
    if (this.#owner.debugLevel > 0) this.#debugHead(head);
    const report = this.#plan.options.onInformational ?? this.#owner.onInformational;
    report?.({ status: head.status, reason: head.reason, headers: messageOf(head.fields) });
    if (head.status === 100) this.#continue();
  }

  onHead(head: ResponseHead, framing: Framing): void {
    this.#clock?.stop('response');
    if (this.#owner.debugLevel > 0) this.#debugHead(head);
    this.#keepAlive = framing.keepAlive && !this.#plan.closes;
    const link = this.#link as Link;
    const context: ResponseContext = {
      method: this.method,
      url: this.url,
      debugLevel: this.#owner.debugLevel,
      fileno: () => (link.transport.closed ? -1 : descriptorOf(link.transport.socket)),
      reusable: () => this.#requestState === 'sent' && this.#keepAlive && !this.#spoiled && link.usable,
    };
    const response = new HTTPResponse(head, framing, context, {
      resume: this.#resume,
      abort: this.#abortBody,
    });
    this.response = response;
    if (framing.kind === 'switch') {
      link.transport.pause();
      this.#stepResponse('switch');
      this.#cutSending();
    } else {
      this.#stepResponse('head');
      const undecided = this.#requestState === 'waiting' || this.#requestState === 'cut';
      if (undecided || makesSendingPointless(head.status, this.#keepAlive)) this.#cutSending();
    }
    this.#head?.resolve(response);
    this.#head = null;
  }

  onBody(bytes: Buffer, owned: boolean): void {
    const response = this.response as HTTPResponse;
    const more = owned ? response.deliver(bytes) : response.deliverLent(bytes);
    if (!more) this.#link?.transport.pause();
    this.#watchBody();
  }

  onEndOfResponse(trailers: string[]): void {
    const response = this.response as HTTPResponse;
    if (trailers.length > 0) response.setTrailers(trailers);
    this.#stepResponse('end');
    response.finish();
    this.#settle();
  }

  onDrain(): void {
    this.#clock?.stop('send');
    this.#upload?.resume();
  }

  /** The rest cannot be sent; a response may still be there to be read, and only without one the error counts. */
  onWriteError(): void {
    if (!this.sending) return;
    this.#stopSending();
    this.#awaitHead();
  }

  onFailure(error: Error): void {
    this.fail(error);
  }

  onSpoiled(): void {
    this.#spoiled = true;
    this.#settle();
  }

  // The request.

  readonly #continue = (): void => {
    clearTimeout(this.#expectTimer);
    if (this.#over || this.#requestState !== 'waiting') return;
    this.#stepRequest('continue');
    this.#startUpload();
  };

  #startUpload(): void {
    const { body, chunked, declared, options } = this.#plan;
    if (body === null) return;
    if (body.bytes !== null && !chunked && body.bytes.length <= HIGH_WATER_BYTES) {
      this.#write(body.bytes);
      this.#link?.transport.flush();
      this.#finishSending();
      return;
    }
    this.#upload = new Upload(body, {
      target: { write: this.#write },
      encoder: chunked ? new ChunkedEncoder({ trailers: options.trailers }) : null,
      declared,
      onFinish: this.#onBodySent,
      onFailure: this.#onBodyFailed,
    });
    this.#upload.start();
  }

  readonly #write = (bytes: Uint8Array): boolean => {
    const link = this.#link;
    if (link === null) return false;
    if (this.#owner.debugLevel > 0) this.#owner.debug(`send: <${String(bytes.length)} bytes>`);
    const room = link.transport.write(bytes);
    this.#clock?.start('send');
    return room;
  };

  readonly #onBodySent = (): void => {
    if (!this.#over) this.#finishSending();
  };

  readonly #onBodyFailed = (error: Error): void => {
    this.fail(error);
  };

  readonly #onSourceError = (error: Error): void => {
    if (this.sending) this.fail(error);
  };

  /** A stream that closes without an end is a failed source. */
  readonly #onSourceClosed = (): void => {
    const stream = this.#plan.body?.source?.stream;
    if (stream === null || stream === undefined || stream.readableEnded || !this.sending) return;
    this.fail(
      stream.errored ??
        Object.assign(new Error('the body stream was closed before its end'), {
          code: 'ERR_STREAM_PREMATURE_CLOSE',
        }),
    );
  };

  #finishSending(): void {
    this.#stepRequest('finish');
    this.#sent?.resolve();
    this.#sent = null;
    if (this.#clock !== null) {
      this.#clock.start('send');
      this.#link?.transport.onceFlushed(() => {
        this.#clock?.stop('send');
        this.#awaitHead();
      });
    }
    this.#settle();
  }

  /** Gives up the rest of the request: the response made it pointless. */
  #cutSending(): void {
    if (this.sending) this.#stopSending();
    this.#sent?.resolve();
    this.#sent = null;
  }

  #stopSending(): void {
    clearTimeout(this.#expectTimer);
    this.#stepRequest('stop');
    this.#clock?.stop('send');
    this.#stopSource();
  }

  #stopSource(): void {
    const source = this.#plan.body?.source ?? null;
    if (this.#upload !== null) this.#upload.stop();
    else if (source !== null) cancelSource(source);
  }

  // The response.

  #awaitHead(): void {
    if (!this.#over && this.#responseState === 'awaited') this.#clock?.start('response');
  }

  readonly #resume = (): void => {
    if (this.#over) return;
    this.#link?.transport.resume();
    this.#clock?.start('body');
  };

  /** The response was destroyed with its body unfinished. */
  readonly #abortBody = (): void => {
    if (this.#over || this.#responseState !== 'body') return;
    this.#cutSending();
    this.#end(null);
  };

  #watchBody(): void {
    if (this.#clock === null) return;
    if (this.response?.waiting === true) this.#clock.start('body');
    else this.#clock.stop('body');
  }

  // The end.

  /** Where both axes meet: lets the connection go as soon as they allow. */
  #settle(): void {
    if (this.#over) return;
    const outcome = verdict(this.#requestState, this.#responseState, this.#keepAlive, this.#spoiled);
    if (outcome === 'unfinished') return;
    if (outcome === 'hand over') {
      this.#clock?.clear();
      return;
    }
    this.#cutSending();
    const reusable = outcome === 'reuse' && this.#owed === 0 && this.#link?.usable === true;
    this.#end(reusable ? this.#link : null);
  }

  /** Over: every clock and listener is gone, and the connection is the owner's again or closed. */
  #end(keep: Link | null): void {
    this.#over = true;
    this.#clock?.clear();
    clearTimeout(this.#expectTimer);
    this.#plan.options.signal?.removeEventListener('abort', this.#onAbort);
    this.#stopSource();
    if (keep === null) this.#link?.close();
    else keep.release();
    this.#owner.onExchangeOver(this, keep);
  }

  /** Ends an exchange whose connection is handed over. */
  handOver(): Link {
    const link = this.#link as Link;
    this.#over = true;
    this.#plan.options.signal?.removeEventListener('abort', this.#onAbort);
    return link;
  }

  readonly #onAbort = (): void => {
    this.fail(this.#plan.options.signal?.reason);
  };

  readonly #onExpiry = (timer: TimerName, ms: number): void => {
    if (timer === 'send' && (this.#link?.transport.pendingBytes ?? 0) === 0) return;
    if (timer === 'body' && this.response?.waiting !== true) return;
    this.fail(new TimeoutError(timer, timer === 'send' ? 'send' : this.#phase(), ms));
  };

  #phase(): Phase {
    if (this.#link === null) return this.#owner.dialPhase;
    if (this.#responseState !== 'awaited') return 'body';
    return this.sending ? 'send' : 'response';
  }

  #data(): ExchangeData {
    const transport = this.#link?.transport;
    return {
      method: this.method,
      url: this.url,
      phase: this.#phase(),
      bytesSent: transport === undefined ? 0 : transport.bytesSent - this.#sentBefore,
      bytesReceived: transport === undefined ? 0 : transport.bytesReceived - this.#receivedBefore,
      reused: this.#reused,
    };
  }

  #debugHead(head: ResponseHead): void {
    const version = head.version === 10 ? 'HTTP/1.0' : 'HTTP/1.1';
    this.#owner.debug(`reply: ${JSON.stringify(`${version} ${String(head.status)} ${head.reason}\r\n`)}`);
    for (const [name, value] of messageOf(head.fields)) this.#owner.debug(`header: ${name}: ${value}`);
  }

  #stepRequest(event: RequestEvent): void {
    this.#requestState = REQUEST_STEPS[this.#requestState][event] ?? this.#requestState;
  }

  #stepResponse(event: ResponseEvent): void {
    this.#responseState = RESPONSE_STEPS[this.#responseState][event] ?? this.#responseState;
  }
}

/** Node shows descriptors of its own handles only here. */
function descriptorOf(socket: object): number {
  return (socket as { _handle?: { fd?: number } | null })._handle?.fd ?? -1;
}

function ignore(): void {}
