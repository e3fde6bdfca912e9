/**
 * One request and its response on a link: where the two sides meet, the clocks run, and the exchange settles.
 *
 * It feeds the response and reports to its owner when the connection is free or gone. It settles exactly once; whatever the socket says
 * afterwards changes nothing. It parses no bytes, sends none itself (`Sending` does), and opens no connection.
 */
import { Clock } from './clock.js';
import type { TimeLimits } from '../options.js';
import { printLine, traceReply } from '../trace.js';
import type { Trace } from '../trace.js';
import {
  describeFailure,
  describeSocketError,
  HTTPException,
  IncompleteRead,
  NotConnected,
  TimeoutError,
} from '../errors.js';
import type { ExchangeData, Phase, TimerName } from '../errors.js';
import type { ExchangeOwner, ExchangeSettings } from './exchange-owner.js';
import type { Link, LinkUser } from './link.js';
import { messageOf } from '../fields/message.js';
import { makesSendingPointless, RESPONSE_STEPS, verdict } from '../protocol/exchange-table.js';
import type { ResponseEvent, ResponseState } from '../protocol/exchange-table.js';
import type { Framing } from '../protocol/framing.js';
import type { ResponseHead } from '../protocol/response-parser.js';
import type { RequestPlan } from '../request/plan.js';
import { HTTPResponse } from '../response/response.js';
import type { ResponseContext } from '../response/response.js';
import type { BodySource } from '../response/body-sink.js';
import { Sending } from './sending.js';
import type { SendingOwner } from './sending.js';

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
  /** Whether the caller has asked for the response. */
  claimed = false;
  /** What ended it, if it failed, and whether a pending call was told. */
  failure: { error: unknown; reported: boolean } | null = null;

  readonly #plan: RequestPlan;
  readonly #owner: ExchangeOwner;
  readonly #report: ExchangeSettings['onInformational'];
  readonly #clock: Clock | null;
  readonly #sending: Sending;
  #responseState: ResponseState = 'awaited';
  #link: Link | null = null;
  #headWaiter: HeadWaiter | null = null;
  #keepAlive = true;
  #spoiled = false;
  #reused = false;
  #over = false;
  #consumed = false;
  #sentBefore = 0;
  #receivedBefore = 0;
  #onAbort: (() => void) | null = null;

  constructor(plan: RequestPlan, settings: ExchangeSettings, owner: ExchangeOwner) {
    this.#plan = plan;
    this.method = plan.method;
    this.url = plan.url;
    this.debugLevel = settings.debugLevel;
    this.#owner = owner;
    this.#report = plan.options.onInformational ?? settings.onInformational;
    this.#clock = settings.timeouts === null ? null : this.#makeClock(settings.timeouts);
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
    this.claimed = true;
    if (this.failure !== null) return Promise.reject(this.failure.error);
    // Whoever asks for the response hears of a failed request here.
    if (this.#sending.pending) this.sent.catch(ignore);
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
    // Bytes that no head has announced: what follows them on this connection could be read in two ways.
    if (!this.awaitsSend) this.#spoiled = true;
    this.onResponseDue();
  }

  /** Whether nothing can be sent for it any more. */
  get over(): boolean {
    return this.#over;
  }

  /** Whether its head has promised a body that `send` is to bring. */
  get awaitsSend(): boolean {
    return this.#plan.owed !== 0;
  }

  /** The caller's Content-Type, by which text is encoded. */
  get contentType(): string | null {
    return this.#plan.contentType;
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
    const unfinished = this.#responseState === 'body';
    this.fail(new NotConnected(reason), cutShort);
    if (unfinished) response?.destroy(cutShort);
  }

  /** Ends an exchange whose connection is handed over. */
  handOver(): Link {
    this.#over = true;
    this.#forgetSignal();
    return this.#link as Link;
  }

  /** Ends the exchange with an error; the connection cannot be used again. */
  fail(
    error: unknown,
    bodyError: unknown = error || new HTTPException('the exchange was aborted without a reason'),
  ): void {
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

  get trace(): Trace | null {
    return this.debugLevel > 0 ? printLine : null;
  }

  onSent(): void {
    this.#settle();
  }

  onResponseDue(): void {
    // From the last byte sent: not while `send` is still to bring some.
    if (this.#over || this.#responseState !== 'awaited' || (this.#sending.owed ?? 0) > 0) return;
    this.#clock?.start('response');
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
    this.response?.received(count);
    this.#watchBody();
  }

  onInterim(head: ResponseHead): void {
    if (this.trace !== null) traceReply(this.trace, head);
    const { status, reason } = head;
    const reported: unknown = this.#report?.({ status, reason, headers: messageOf(head.fields) });
    // An async function is taken as well, and fails the exchange as one that throws does.
    if (reported instanceof Promise) {
      reported.catch((error: unknown) => {
        this.fail(error);
      });
    }
    if (head.status === 100 && !this.#over) this.#sending.goOn();
  }

  onHead(head: ResponseHead, framing: Framing): void {
    this.#clock?.stop('response');
    if (this.trace !== null) traceReply(this.trace, head);
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
      if (undecided || makesSendingPointless(head.status, framing.closes)) sending.cut();
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
    if (this.#responseState === 'awaited') {
      this.onResponseDue();
    } else {
      // There is a response. Its reader may have paused it, so nothing further from the socket can be waited for.
      this.#sending.cut();
      this.#settle();
    }
  }

  onFailure(error: Error): void {
    describeSocketError(error, this.#data());
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
      this.#owner.onExchangeOver(this, false);
    } else if (this.#responseState === 'body' || this.#responseState === 'complete') {
      this.#sending.cut();
      this.#end(null);
    }
  }

  consumed(): void {
    this.#consumed = true;
    if (this.#over) this.#owner.onConsumed(this);
  }

  fileno(): number {
    return this.#link?.transport.descriptor ?? -1;
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
    this.#owner.onExchangeOver(this, keep !== null);
    if (this.#consumed) this.#owner.onConsumed(this);
  }

  #forgetSignal(): void {
    if (this.#onAbort === null) return;
    this.#plan.options.signal?.removeEventListener('abort', this.#onAbort);
    this.#onAbort = null;
  }

  #makeClock(timeouts: TimeLimits): Clock {
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
    if (this.#link === null) return this.#owner.phase;
    if (this.#responseState !== 'awaited') return 'body';
    return this.#sending.active ? 'send' : 'response';
  }

  #data(): ExchangeData {
    const transport = this.#link?.transport;
    const { bytesSent, bytesReceived } = transport?.progress ?? this.#owner.progress;
    return {
      method: this.method,
      url: this.url,
      phase: this.#phase(),
      bytesSent: Math.max(0, bytesSent - this.#sentBefore),
      bytesReceived: bytesReceived - this.#receivedBefore,
      reused: this.#reused,
    };
  }

  #step(event: ResponseEvent): void {
    this.#responseState = RESPONSE_STEPS[this.#responseState][event] ?? this.#responseState;
  }
}

function ignore(): void {}
