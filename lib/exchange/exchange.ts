/**
 * One request and its response on a link: where the two sides meet, and where the exchange ends, once, with one reason.
 *
 * It parses no bytes, sends none itself, judges no clock and opens no connection; whatever the socket says after the end changes nothing.
 */
import { AsyncResource } from 'node:async_hooks';
import { describeSocketError, isOurs, shownByStreams } from '../errors.js';
import type { Phase, TimeoutError } from '../errors.js';
import type { InformationalResponse } from '../fields/message.js';
import type { TimeLimits } from '../options.js';
import { makesSendingPointless, verdict } from '../protocol/exchange-table.js';
import type { CloseReason, EndReason } from '../protocol/exchange-table.js';
import type { Framing } from '../protocol/framing.js';
import type { ResponseHead } from '../protocol/response-parser.js';
import type { RequestPlan } from '../request/plan.js';
import type { BodySink, BodySource } from '../response/body-sink.js';
import type { HTTPResponse, ResponseContext } from '../response/response.js';
import { printLine } from '../trace.js';
import type { Trace } from '../trace.js';
import { nameAddresses } from '../transport/dial.js';
import { ExchangeClock } from './exchange-clock.js';
import type { TimedExchange } from './exchange-clock.js';
import type { Link, Receiver } from './link.js';
import { LinkHold } from './link-hold.js';
import type { Dial, LinkSource, LinkUser } from './link-source.js';
import { ExchangeRecord } from './record.js';
import { Receiving } from './receiving.js';
import type { HeadWaiter } from './receiving.js';
import { Sending } from './sending.js';
import type { SendingOwner } from './sending.js';
import { SignalWatch } from './signal-watch.js';

/** What a connection is set to when the exchange begins. */
export interface ExchangeSettings {
  timeouts: TimeLimits | null;
  debugLevel: number;
  /** For interim responses, unless the request has its own. */
  onInformational: ((response: InformationalResponse) => void) | undefined;
  /** What is left of `total`, where it began before the exchange did. */
  totalLeftMs?: number | undefined;
  /** When the request was made, if that was before this attempt. */
  madeAt?: number | undefined;
  /** Whether a response that is dropped unread is to be found by the garbage collector, and its link closed. */
  findsDropped?: boolean | undefined;
}

/** How a failure is told: whether unread bytes are given up, and whether the error may say which exchange it ended. */
export interface Manner {
  atOnce: boolean;
  describe: boolean;
}

/** The bytes that came before it are shown first. */
const BY_PEER: Manner = { atOnce: false, describe: true };
/** By a clock of ours, or by the owner. */
export const BY_US: Manner = { atOnce: true, describe: true };
/** What a caller has thrown, or gave as a reason, is given as it is. */
const BY_CALLER: Manner = { atOnce: true, describe: false };

export class Exchange
  implements Receiver, LinkUser, SendingOwner, TimedExchange, BodySource, ResponseContext
{
  readonly method: string;
  readonly url: string;
  readonly debugLevel: number;
  readonly scope: AsyncResource = new AsyncResource('HTTPEXCHANGE', { requireManualDestroy: true });
  readonly sending: Sending;
  readonly receiving: Receiving;
  readonly timing: ExchangeRecord;
  /** What ended it, if it failed, and whether a pending call was told. */
  failure: { error: unknown; reported: boolean } | null = null;
  /** Whether it is over. The response may still have to be read. */
  over = false;

  protected readonly hold: LinkHold;
  readonly #clock: ExchangeClock | null;
  readonly #findsDropped: boolean;
  #keepAlive = true;
  #signal: SignalWatch | null = null;

  constructor(plan: RequestPlan, settings: ExchangeSettings, source: LinkSource) {
    this.method = plan.method;
    this.url = plan.url;
    this.debugLevel = settings.debugLevel;
    this.#findsDropped = settings.findsDropped === true;
    this.timing = new ExchangeRecord(!plan.raw, settings.madeAt);
    this.hold = new LinkHold(source, this);
    this.#clock = settings.timeouts === null ? null : new ExchangeClock(settings.timeouts, this);
    this.sending = new Sending(plan, this.#clock, this);
    this.receiving = new Receiving(this.trace, plan.options.onInformational ?? settings.onInformational);
    // Not before: a foreign stream whose on() throws leaves no exchange that a clock could end.
    this.#clock?.start('total', settings.totalLeftMs);
  }

  // Of whoever began it.

  /** What the channels call this attempt; 0 when nobody watches. */
  get id(): number {
    return this.timing.id;
  }

  get reused(): boolean {
    return this.hold.reused;
  }

  get remoteAddress(): string | null {
    return this.link?.remoteAddress ?? null;
  }

  /** Prepares what has to be waited for, then asks for a link. */
  begin(): void {
    const { signal } = this.sending.plan.options;
    if (signal !== undefined) {
      this.#signal = new SignalWatch(signal, (reason) => {
        if (this.over) this.response?.destroy(shownByStreams(reason));
        else this.failWith(reason, BY_CALLER);
      });
      this.#signal.start();
      if (this.over) return;
    }
    const prepare = this.sending.plan.body?.prepare ?? null;
    if (prepare === null) this.hold.acquire(this.raw);
    else this.#beginBehind(prepare());
  }

  /** Settles when the body was handed to the socket, or when sending the rest became pointless. */
  get sent(): Promise<void> {
    return this.sending.promise;
  }

  /** Settles with the head of the final response. May be asked for once. */
  head(): Promise<HTTPResponse> {
    this.receiving.claimed = true;
    if (this.failure !== null) return Promise.reject(this.failure.error);
    // Whoever asks for the response hears of a failed request here.
    if (this.sending.pending) this.sent.catch(ignore);
    return this.receiving.head();
  }

  /** The same as {@link head} for an owner that needs no promise. To be called before it begins. */
  tellHead(waiter: HeadWaiter): void {
    this.sent.catch(ignore);
    this.receiving.tellHead(waiter);
  }

  /** The link that it runs on. */
  get link(): Link | null {
    return this.hold.link;
  }

  /** The response, once its head has arrived. */
  get response(): HTTPResponse | null {
    return this.receiving.response;
  }

  /** Whether the caller has asked for the response. */
  get claimed(): boolean {
    return this.receiving.claimed;
  }

  /** Whether it is not a request, but bytes that were sent outside of one. */
  get raw(): boolean {
    return this.sending.plan.raw;
  }

  // Of the source of links.

  awaitLink(dial: Dial): void {
    this.hold.wait(dial);
    this.#clock?.start('connect');
  }

  start(link: Link): void {
    // Whoever calls may be in the context of another exchange, with which it waited for the loop to poll.
    if (!this.over) this.scope.runInAsyncScope(startOn, null, this, link);
  }

  /** @internal */
  startOn(link: Link): void {
    this.#clock?.stop('connect');
    this.hold.take(link);
    if (this.raw) link.beginRaw(this);
    else link.begin(this, this.method, this.#clock !== null);
    const head = this.timing.start(this, link, this.hold.dialled, this.sending.plan.head);
    // A subscriber may have ended it.
    if (this.failure === null) this.sending.begin(link.transport, head);
  }

  fail(error: unknown): void {
    this.failWith(error, BY_PEER);
  }

  // Of the request's side.

  get trace(): Trace | null {
    return this.debugLevel > 0 ? printLine : null;
  }

  onSent(): void {
    if (this.sending.state === 'sent') this.timing.sent();
    this.#settle();
  }

  onResponseDue(): void {
    // From the last byte sent: not while `send` is still to bring some.
    if (this.over || this.raw || this.receiving.state !== 'awaited' || (this.sending.owed ?? 0) > 0) return;
    this.#clock?.start('response');
  }

  onUnannounced(): void {
    this.hold.unfit ??= 'bytes were sent outside of a request';
  }

  onSendingFailed(error: unknown): void {
    this.failWith(error, isOurs(error) ? BY_US : BY_CALLER);
  }

  // Of the link.

  onInterim(head: ResponseHead): void {
    this.receiving.onInterim(head, (error) => {
      this.failWith(error, BY_CALLER);
    });
    if (head.status === 100 && !this.over) this.sending.continueBody();
  }

  onHead(head: ResponseHead, framing: Framing): BodySink {
    this.#clock?.stop('response');
    this.timing.head(head);
    this.#keepAlive = framing.keepAlive && !this.sending.plan.closes;
    const { sending } = this;
    const response = this.receiving.onHead(head, framing, this, this);
    if (framing.kind === 'switch') {
      this.link?.transport.pause();
      sending.cut();
      this.#settle();
    } else {
      const undecided = sending.state === 'waiting' || sending.state === 'cut';
      if (undecided || makesSendingPointless(head.status, framing.closes)) sending.cut();
    }
    return this.#findsDropped ? this.receiving.mayDrop(this) : response;
  }

  onEndOfResponse(trailers: string[]): void {
    this.timing.received();
    this.receiving.end(trailers);
    this.#settle();
  }

  onDrain(): void {
    this.sending.onDrain();
  }

  /** The rest cannot be sent; a response may still be there to be read, and only without one the error counts. */
  onWriteError(): void {
    if (!this.sending.active) return;
    this.sending.stop();
    if (this.receiving.state === 'awaited') {
      this.onResponseDue();
    } else {
      // There is a response. Its reader may have paused it, so nothing further from the socket can be waited for.
      this.sending.cut();
      this.#settle();
    }
  }

  onFailure(error: Error): void {
    this.failWith(error, BY_PEER);
  }

  onUnfit(reason: CloseReason): void {
    this.hold.unfit ??= reason;
    if (this.raw) this.receiving.step('fail');
    this.#settle();
  }

  // Of the clocks.

  get phase(): Phase {
    if (this.link === null) return this.hold.dialPhase;
    if (this.receiving.state !== 'awaited') return 'body';
    return this.sending.active ? 'send' : 'response';
  }

  onTimeout(error: TimeoutError): void {
    if (this.link === null) nameAddresses(error, this.hold.attempts);
    this.failWith(error, BY_US);
  }

  // Of the response.

  resume(): void {
    if (this.over) return;
    this.receiving.hold();
    this.link?.transport.resume();
    this.#clock?.asked();
  }

  abort(): void {
    this.#giveUp('the response was destroyed');
  }

  /** Whether the response was read to its end, or given up. */
  get isConsumed(): boolean {
    return this.hold.isConsumed;
  }

  onDropped(): void {
    this.#giveUp('the response was dropped');
  }

  #giveUp(reason: CloseReason): void {
    this.#unwatch();
    this.hold.giveUp(reason);
    if (this.over) return;
    this.hold.unfit ??= reason;
    this.receiving.step('fail');
    this.#settle();
  }

  consumed(): void {
    this.#unwatch();
    this.hold.consumed();
  }

  fileno(): number {
    return this.link?.transport.descriptor ?? -1;
  }

  reusable(): boolean {
    const alive = this.#keepAlive && this.hold.unfit === null && this.link?.usable === true;
    return alive && this.sending.state === 'sent';
  }

  // The end.

  #unwatch(): void {
    this.#signal?.stop();
    this.#signal = null;
  }

  #beginBehind(prepared: Promise<void>): void {
    prepared.then(
      () => {
        if (!this.over) this.hold.acquire(this.raw);
      },
      (error: unknown) => {
        this.failWith(error, BY_PEER);
      },
    );
  }

  /** Where both sides meet: lets the connection go as soon as they allow. */
  #settle(): void {
    if (this.over) return;
    const request = this.sending.state;
    const response = this.receiving.state;
    if (this.raw && response !== 'failed') {
      // Bytes outside of a request have no response: they are over when all were sent, and leave the link to others like them.
      if (request === 'owing') this.end('reuse');
      return;
    }
    const outcome = verdict(request, response, this.#keepAlive, this.hold.unfit);
    if (outcome === 'unfinished') return;
    if (outcome === 'hand over') {
      this.#clock?.clear();
      return;
    }
    if (request !== 'sent') this.sending.cut();
    this.end(outcome === 'reuse' && this.link?.usable !== true ? 'the peer closed' : outcome);
  }

  /** Over: every clock and listener is gone, and the link is closed, or free. */
  protected end(reason: EndReason): void {
    this.over = true;
    this.#clock?.clear();
    this.timing.over(this.hold, this.failure);
    this.sending.stop();
    this.sending.forget();
    if (this.raw || this.response?.pendingBytes === 0) this.hold.consumed();
    // A response that has come whole and is not read yet can still be given up.
    if (this.failure !== null || this.hold.isConsumed) this.#unwatch();
    this.hold.end(reason);
  }

  /** @param bodyError - what the reader of an unfinished body hears, when that is something else */
  protected failWith(error: unknown, { atOnce, describe }: Manner, bodyError?: Error): void {
    if (this.over) return;
    const shown = this.receiving.state === 'body' ? (bodyError ?? shownByStreams(error)) : null;
    if (describe) {
      const data = { method: this.method, url: this.url, phase: this.phase, ...this.hold.progress };
      describeSocketError(error, data);
      if (shown !== error) describeSocketError(shown, data);
    }
    const failure = { error, reported: false };
    this.failure = failure;
    this.hold.unfit ??= 'the exchange failed';
    this.receiving.step('fail');
    const request = this.sending.fail(error);
    this.#settle();
    const head = this.receiving.tell(error, shown === null ? null : { error: shown, atOnce });
    failure.reported = request || head;
  }
}

/** Shared, so that a start makes no closure. */
function startOn(exchange: Exchange, link: Link): void {
  exchange.startOn(link);
}

function ignore(): void {}
