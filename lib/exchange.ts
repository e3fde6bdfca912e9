/**
 * One request and its response on a link: where the two sides meet, the clocks run, and the exchange settles.
 *
 * It feeds the response and reports to its owner when the connection is free or gone. It settles exactly once; whatever the socket says
 * afterwards changes nothing. It parses no bytes, sends none itself (`Sending` does), and opens no connection.
 */
import { Clock } from './clock.js';
import type { Timeouts } from './clock.js';
import { describeFailure, IncompleteRead, NotConnected, TimeoutError } from './errors.js';
import type { ExchangeData, Phase, TimerName } from './errors.js';
import type { InformationalResponse } from './informational.js';
import type { Link, LinkUser } from './link.js';
import { messageOf } from './message.js';
import { makesSendingPointless, RESPONSE_STEPS, verdict } from './protocol/exchange-table.js';
import type { ResponseEvent, ResponseState } from './protocol/exchange-table.js';
import type { Framing } from './protocol/framing.js';
import type { ResponseHead } from './protocol/response-parser.js';
import type { RequestPlan } from './request-plan.js';
import { HTTPResponse } from './response.js';
import type { ResponseContext } from './response.js';
import type { BodySource } from './body-stream.js';
import { Sending } from './sending.js';
import type { SendingOwner } from './sending.js';

/** Who made the exchange: a connection. */
export interface ExchangeOwner {
  readonly debugLevel: number;
  /** What the exchange waits for while it has no link: 'connect' or 'tunnel'. */
  readonly dialPhase: Phase;
  /** For what the user sees of an interim response. */
  readonly onInformational: ((response: InformationalResponse) => void) | undefined;
  /** The exchange is over. The link can be used again, or is null: then it was closed. */
  onExchangeOver(exchange: Exchange, link: Link | null): void;
  /** The exchange is over and its response was read to the end: nothing of either is needed any more. */
  onConsumed(exchange: Exchange): void;
  /** The exchange was over, and its response was destroyed with received bytes unread. */
  onUnreadDestroyed(exchange: Exchange): void;
  /** How far the dial has got, for errors. */
  readonly dialProgress: { bytesSent: number; bytesReceived: number };
  /** Prints a line of debug output. */
  debug(line: string): void;
}

interface HeadWaiter {
  resolve: (response: HTTPResponse) => void;
  reject: (error: unknown) => void;
}

export class Exchange implements LinkUser, BodySource, ResponseContext, SendingOwner {
  readonly method: string;
  readonly url: string;
  readonly debugLevel: number;
  /** The response, once its head has arrived. */
  response: HTTPResponse | null = null;
  /** What ended it, if it failed, and whether a pending call was told. */
  failure: { error: unknown; reported: boolean } | null = null;

  readonly #plan: RequestPlan;
  readonly #owner: ExchangeOwner;
  readonly #clock: Clock | null;
  readonly #sending: Sending;
  #responseState: ResponseState = 'awaited';
  #link: Link | null = null;
  #headWaiter: HeadWaiter | null = null;
  #keepAlive = true;
  #spoiled = false;
  #reused = false;
  #over = false;
  #sentBefore = 0;
  #receivedBefore = 0;
  #onAbort: (() => void) | null = null;

  constructor(plan: RequestPlan, timeouts: Timeouts | null, owner: ExchangeOwner) {
    this.#plan = plan;
    this.method = plan.method;
    this.url = plan.url;
    this.debugLevel = owner.debugLevel;
    this.#owner = owner;
    this.#clock = timeouts === null ? null : this.#makeClock(timeouts);
    this.#sending = new Sending(plan, this.#clock, this);
    const { signal } = plan.options;
    if (signal !== undefined) {
      this.#onAbort = () => {
        this.fail(signal.reason);
      };
      signal.addEventListener('abort', this.#onAbort);
    }
  }

  // Of the connection.

  /** Settles when the body was handed to the socket, or when sending the rest became pointless. */
  get sent(): Promise<void> {
    return this.#sending.promise;
  }

  /** Settles with the head of the final response. May be asked for once. */
  head(): Promise<HTTPResponse> {
    // Whoever asks for the response hears of a failed request here.
    this.sent.catch(ignore);
    if (this.response !== null) return Promise.resolve(this.response);
    return new Promise((resolve, reject) => {
      this.#headWaiter = { resolve, reject };
    });
  }

  /** Whether the response ended HTTP on the connection, whose bytes are now the caller's. */
  get switched(): boolean {
    return this.#responseState === 'switched';
  }

  /** What keeps the connection from another request, as a sentence; null when nothing does. */
  get blocks(): string | null {
    if (this.failure !== null) return null;
    const last = `${this.method} ${this.url}`;
    if (this.switched) return `HTTP ended with the response to ${last}; detach() or close() first`;
    if (this.#sending.active) return `the body of ${last} is still being sent`;
    const pending = this.response?.pendingBytes;
    if (pending === 0 || pending === undefined) return null;
    const unread = pending === null ? 'an unknown number of' : String(pending);
    return `the response to ${last} has ${unread} unread bytes; read it to its end, drain() or destroy() it first`;
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
    this.#sending.begin(link.transport);
  }

  /**
   * Bytes that `send` is about to add count against what the head has promised.
   *
   * @throws ContentLengthMismatch when they are more
   */
  takeMore(bytes: number): void {
    if (this.#over) return;
    this.#sending.takeMore(bytes);
    this.onResponseDue();
  }

  /** The connection is being closed by its owner. */
  close(): void {
    const { response } = this;
    if (this.#over) return;
    if (this.switched) {
      this.handOver().close();
      return;
    }
    const reason = 'the connection was closed by close()';
    const cutShort = new IncompleteRead(Buffer.alloc(0), response?.length ?? null, reason);
    this.fail(new NotConnected(reason), cutShort);
    response?.destroy(cutShort);
  }

  /** Ends an exchange whose connection is handed over. */
  handOver(): Link {
    this.#over = true;
    this.#forgetSignal();
    return this.#link as Link;
  }

  /** Ends the exchange with an error; the connection cannot be used again. */
  fail(error: unknown, bodyError: unknown = error): void {
    if (this.#over) return;
    const unfinished = this.#responseState === 'awaited' || this.#responseState === 'body';
    const data = this.#data();
    describeFailure(error, data);
    describeFailure(bodyError, data);
    const waiter = this.#headWaiter;
    this.#headWaiter = null;
    this.failure = { error, reported: this.#sending.pending || waiter !== null };
    this.#end(null);
    this.#sending.fail(error);
    waiter?.reject(error);
    if (unfinished) this.response?.fail(bodyError as Error);
  }

  // Of the request's side.

  get trace(): ((line: string) => void) | null {
    if (this.debugLevel <= 0) return null;
    return (line) => {
      this.#owner.debug(line);
    };
  }

  onSent(): void {
    this.#settle();
  }

  onResponseDue(): void {
    if (!this.#over && this.#responseState === 'awaited') this.#clock?.start('response');
  }

  onSendingFailed(error: unknown): void {
    this.fail(error);
  }

  // Of the link.

  directTarget(): Buffer | null {
    return this.response?.directTarget() ?? null;
  }

  get fillsViews(): boolean {
    return this.response?.fillsViews === true;
  }

  onDirect(count: number): void {
    this.response?.delivered(count);
    this.#watchBody();
  }

  onInterim(head: ResponseHead): void {
    if (this.debugLevel > 0) this.#debugHead(head);
    const report = this.#plan.options.onInformational ?? this.#owner.onInformational;
    report?.({ status: head.status, reason: head.reason, headers: messageOf(head.fields) });
    if (head.status === 100 && !this.#over) this.#sending.goOn();
  }

  onHead(head: ResponseHead, framing: Framing): void {
    this.#clock?.stop('response');
    if (this.debugLevel > 0) this.#debugHead(head);
    this.#keepAlive = framing.keepAlive && !this.#plan.closes;
    const response = new HTTPResponse(head, framing, this, this);
    this.response = response;
    const sending = this.#sending;
    if (framing.kind === 'switch') {
      this.#link?.transport.pause();
      this.#step('switch');
      sending.cut();
    } else {
      this.#step('head');
      const undecided = sending.state === 'waiting' || sending.state === 'cut';
      if (undecided || makesSendingPointless(head.status, this.#keepAlive)) sending.cut();
    }
    this.#headWaiter?.resolve(response);
    this.#headWaiter = null;
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
    this.#step('end');
    response.finish();
    this.#settle();
  }

  onDrain(): void {
    this.#sending.onDrain();
  }

  /** The rest cannot be sent; a response may still be there to be read, and only without one the error counts. */
  onWriteError(): void {
    if (!this.#sending.active) return;
    this.#sending.stop();
    this.onResponseDue();
  }

  onFailure(error: Error): void {
    this.fail(error);
  }

  onSpoiled(): void {
    this.#spoiled = true;
    this.#settle();
  }

  // Of the response.

  resume(): void {
    if (this.#over) return;
    this.#link?.transport.resume();
    this.#clock?.start('body');
  }

  /** The response was destroyed with bytes unread. */
  abort(): void {
    if (this.#over) {
      this.#owner.onUnreadDestroyed(this);
    } else if (this.#responseState === 'body' || this.#responseState === 'complete') {
      this.#sending.cut();
      this.#end(null);
    }
  }

  done(): void {
    if (this.#over) this.#owner.onConsumed(this);
  }

  fileno(): number {
    const transport = this.#link?.transport;
    return transport === undefined || transport.closed ? -1 : descriptorOf(transport.socket);
  }

  reusable(): boolean {
    return this.#sending.state === 'sent' && this.#keepAlive && !this.#spoiled && this.#link?.usable === true;
  }

  #watchBody(): void {
    if (this.#clock === null) return;
    if (this.response?.waiting === true) this.#clock.start('body');
    else this.#clock.stop('body');
  }

  // The end.

  /** Where both sides meet: lets the connection go as soon as they allow. */
  #settle(): void {
    if (this.#over) return;
    const outcome = verdict(this.#sending.state, this.#responseState, this.#keepAlive, this.#spoiled);
    if (outcome === 'unfinished') return;
    if (outcome === 'hand over') {
      this.#clock?.clear();
      return;
    }
    this.#sending.cut();
    const reusable = outcome === 'reuse' && this.#sending.owed === 0 && this.#link?.usable === true;
    this.#end(reusable ? this.#link : null);
  }

  /** Over: every clock and listener is gone, and the connection is the owner's again or closed. */
  #end(keep: Link | null): void {
    this.#over = true;
    this.#clock?.clear();
    this.#forgetSignal();
    this.#sending.stop();
    if (keep === null) this.#link?.close();
    else keep.release();
    this.#owner.onExchangeOver(this, keep);
  }

  #forgetSignal(): void {
    if (this.#onAbort === null) return;
    this.#plan.options.signal?.removeEventListener('abort', this.#onAbort);
    this.#onAbort = null;
  }

  #makeClock(timeouts: Timeouts): Clock {
    const clock = new Clock(timeouts, (timer, ms) => {
      this.#onExpiry(timer, ms);
    });
    clock.start('total');
    return clock;
  }

  #onExpiry(timer: TimerName, ms: number): void {
    if (timer === 'send' && this.#sending.goesOn()) return;
    if (timer === 'body' && this.response?.waiting !== true) return;
    this.fail(new TimeoutError(timer, timer === 'send' ? 'send' : this.#phase(), ms));
  }

  #phase(): Phase {
    if (this.#link === null) return this.#owner.dialPhase;
    if (this.#responseState !== 'awaited') return 'body';
    return this.#sending.active ? 'send' : 'response';
  }

  #data(): ExchangeData {
    const { bytesSent, bytesReceived } = this.#link?.transport ?? this.#owner.dialProgress;
    return {
      method: this.method,
      url: this.url,
      phase: this.#phase(),
      bytesSent: bytesSent - this.#sentBefore,
      bytesReceived: bytesReceived - this.#receivedBefore,
      reused: this.#reused,
    };
  }

  #debugHead(head: ResponseHead): void {
    const version = head.version === 10 ? 'HTTP/1.0' : 'HTTP/1.1';
    this.#owner.debug(`reply: ${JSON.stringify(`${version} ${String(head.status)} ${head.reason}\r\n`)}`);
    for (const [name, value] of messageOf(head.fields)) this.#owner.debug(`header: ${name}: ${value}`);
  }

  #step(event: ResponseEvent): void {
    this.#responseState = RESPONSE_STEPS[this.#responseState][event] ?? this.#responseState;
  }
}

/** Node shows descriptors of its own handles only here. */
function descriptorOf(socket: object): number {
  return (socket as { _handle?: { fd?: number } | null })._handle?.fd ?? -1;
}

function ignore(): void {}
