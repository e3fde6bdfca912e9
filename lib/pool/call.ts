/**
 * One request to a pool, from the call to its response: the wait for a connection, the attempts, the waits between them.
 *
 * It settles once. What may be sent again is decided by the tables in `resend.ts` and `retry.ts`; which connection it gets, by the pool.
 */
import { AsyncResource } from 'node:async_hooks';
import { HTTPException, TimeoutError } from '../errors.js';
import { SignalWatch } from '../exchange/signal-watch.js';
import { MAX_MS } from '../options.js';
import type { TimeLimits } from '../options.js';
import type { RequestBody } from '../request/body.js';
import { describedUnsent, planRequest } from '../request/plan.js';
import type { RequestDraft, RequestPlan } from '../request/plan.js';
import type { RequestOptions } from '../request/request-options.js';
import { cancelSource } from '../request/source.js';
import { decoded } from '../response/decoded.js';
import type { HTTPResponse } from '../response/response.js';
import { Attempts } from './attempts.js';
import type { Answer } from './attempts.js';
import { BodyMaker } from './body-maker.js';
import type { BodyOwner, PoolBody } from './body-maker.js';
import type { Member } from './chain.js';
import { PooledExchange } from './pooled-exchange.js';
import type { PoolSettings } from './pool-options.js';
import { resends } from './resend.js';
import type { Death } from './resend.js';
import { isConnectionLost, isTransient } from './retry.js';
import type { Retries } from './retry.js';
import type { Slot, SlotCall } from './slot.js';

/** The pool, as a call sees it. */
export interface CallOwner {
  readonly settings: PoolSettings;
  /** Asks for a slot: `run` is called, or `enqueued`. `again` for a call that had one, and goes before those who wait. */
  take(call: Call, again: boolean): void;
  /** Gives up waiting. */
  leave(call: Call): void;
  /** The call waits for nothing any more: it has a slot that was not used. */
  giveBack(slot: Slot): void;
  /** What keeps every connection busy, for errors. */
  describeHolders(): string;
  /** It has settled. */
  onSettled(call: Call): void;
}

/** What a call is made with, checked. */
export interface CallPlan {
  readonly draft: RequestDraft;
  /** The URL as errors, events and the response show it. */
  readonly shownURL: string;
  readonly body: PoolBody | null | undefined;
  /** Absent where there are none. */
  readonly options: RequestOptions | undefined;
  readonly timeouts: TimeLimits | null;
  readonly retries: Retries;
  readonly acquireTimeout: number | undefined;
  /** When the whole began, by `performance.now()`: a redirect's request begins later than what it belongs to. */
  readonly begunAt: number;
  /** The URLs that have led here. */
  readonly redirectedFrom: readonly string[] | undefined;
  /** Whether the caller gets the body without its content codings. */
  readonly decompress: boolean;
}

/** A retried response's body is read so far, that its connection can be used again. */
export const DRAIN = { maxBytes: 65_536, timeout: 1000 } as const;

export class Call implements Member<Call>, SlotCall, BodyOwner {
  before: Call | null = null;
  behind: Call | null = null;
  chain: object | null = null;
  /** Whether only a new connection will do. */
  wantsNew = false;
  readonly method: string;
  readonly url: string;

  readonly #owner: CallOwner;
  readonly #plan: CallPlan;
  readonly #body: BodyMaker;
  #resolve: ((response: HTTPResponse) => void) | null = null;
  #reject: ((error: unknown) => void) | null = null;
  #exchange: PooledExchange | null = null;
  #slot: Slot | null = null;
  readonly #attempts: Attempts;
  /** Whether this attempt has been sent again by itself. */
  #resent = false;
  #timer: NodeJS.Timeout | undefined;
  #signal: SignalWatch | null = null;
  /** The caller's async context, kept while it waits. */
  #scope: AsyncResource | null = null;

  /** @throws TypeError, InvalidURL, ContentLengthMismatch for what cannot be sent */
  constructor(plan: CallPlan, owner: CallOwner) {
    this.#plan = plan;
    this.#owner = owner;
    this.method = plan.draft.method;
    this.url = plan.shownURL;
    this.#attempts = new Attempts(plan.retries, this.method);
    this.#body = new BodyMaker(plan.body, this);
  }

  /** Settles with the response, or with what ended the last attempt. */
  start(): Promise<HTTPResponse> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      const signal = this.#plan.options?.signal;
      if (signal?.aborted === true) this.fail(signal.reason);
      else this.#ask();
    });
  }

  /** Whether an exchange runs for it, so that the end of that is its end. */
  get running(): boolean {
    return this.#exchange !== null;
  }

  /** Whether its body could be sent once more. */
  get bodyAgain(): boolean {
    return this.#body.kind === 'repeatable';
  }

  // Of the pool.

  /** It has to wait for a slot. */
  enqueued(): void {
    this.#body.rest();
    this.#scope ??= new AsyncResource('HTTPPOOLCALL', { requireManualDestroy: true });
    const { acquireTimeout = Infinity } = this.#plan;
    const totalLeft = this.#totalLeftMs();
    this.#watch(Math.min(acquireTimeout, totalLeft), () => {
      this.#failOf(acquireTimeout <= totalLeft ? this.#acquireError(acquireTimeout) : this.#totalError());
    });
  }

  /** Here is a slot. */
  run(slot: Slot): void {
    this.#unwatch();
    this.#slot = slot;
    const scope = this.#scope;
    if (scope === null) this.#attempt(slot);
    else
      scope.runInAsyncScope(() => {
        this.#attempt(slot);
      });
  }

  /** Ends it, wherever it stands; what runs is ended by its slot. */
  fail(error: unknown): void {
    if (this.#reject === null) return;
    this.#unwatch();
    if (this.chain !== null) this.#owner.leave(this);
    this.#body.cancel();
    const reject = this.#reject;
    this.#settle();
    reject(error);
  }

  /** Asks for a slot, unless the time for all of it ran out meanwhile: also while a body was drained that nobody reads. */
  #ask(): void {
    if (this.#totalLeftMs() < 1) this.#failOf(this.#totalError());
    else this.#owner.take(this, false);
  }

  // One attempt.

  planWith(body: RequestBody | null | undefined): RequestPlan {
    const { draft, shownURL, options } = this.#plan;
    const { settings } = this.#owner;
    try {
      const plan = planRequest(draft, body, options, settings.planning, false);
      plan.url = shownURL;
      return plan;
    } catch (error) {
      throw describedUnsent(error, { ...draft, url: shownURL });
    }
  }

  #attempt(slot: Slot): void {
    let plan: RequestPlan | Promise<RequestPlan>;
    try {
      plan = this.#body.plan();
    } catch (error) {
      this.#onNoBody(slot, error);
      return;
    }
    if (!(plan instanceof Promise)) {
      this.#exchangeOn(slot, plan);
      return;
    }
    // A factory may take its time; abort and `total` do not wait for it.
    this.#watch(this.#totalLeftMs(), () => {
      this.#onNoBody(slot, this.#totalError());
    });
    plan.then(
      (made) => {
        if (this.#slot === slot) {
          this.#unwatch();
          this.#exchangeOn(slot, made);
          return;
        }
        // Too late: whatever ended the call has given the slot back, and somebody else may have it.
        const source = made.body?.source ?? null;
        if (source !== null) cancelSource(source);
      },
      (error: unknown) => {
        if (this.#slot === slot) this.#unwatch();
        this.#onNoBody(slot, error);
      },
    );
  }

  #onNoBody(slot: Slot, error: unknown): void {
    if (this.#slot === slot) {
      this.#slot = null;
      this.#owner.giveBack(slot);
    }
    this.fail(error);
  }

  #exchangeOn(slot: Slot, plan: RequestPlan): void {
    const { timeouts } = this.#plan;
    const exchange = new PooledExchange(
      plan,
      {
        timeouts,
        totalLeftMs: this.#totalLeftMs(),
        madeAt: this.#plan.begunAt,
        findsDropped: true,
        debugLevel: 0,
        onInformational: this.#owner.settings.onInformational,
      },
      slot,
    );
    exchange.redirectedFrom = this.#plan.redirectedFrom;
    this.#exchange = exchange;
    slot.user = exchange;
    exchange.tellHead({
      resolve: (response) => {
        this.#onResponse(response);
      },
      reject: (error) => {
        // Not in the middle of what has failed.
        queueMicrotask(() => {
          this.#onFailure(exchange, error);
        });
      },
    });
    exchange.begin();
  }

  onSourceFailed(error: unknown): void {
    if (this.#exchange === null) this.fail(error);
    else this.#exchange.onSendingFailed(error);
  }

  #onResponse(response: HTTPResponse): void {
    const delay = this.#attempts.delayBehind(response, this.#body.kind);
    const answer = delay === null ? 'enough' : this.#report(null, response.status, delay);
    if (delay === null || answer === 'enough') {
      this.#succeed(response);
      return;
    }
    const drained = response.drain(DRAIN).catch(ignore);
    if (answer === 'go on') this.#pause(delay, drained);
  }

  #onFailure(exchange: PooledExchange, error: unknown): void {
    this.#slot = null;
    if (this.#reject === null) return;
    if (!this.#resent && resends(deathOf(exchange, error), exchange.moment, this.#body.kind, this.method)) {
      this.#resent = true;
      this.#exchange = null;
      this.wantsNew = true;
      this.#owner.take(this, true);
      return;
    }
    const ofPeer = exchange.linkFailure === error || exchange.failedToOpen(error);
    const ofClock = error instanceof TimeoutError && error !== this.#plan.options?.signal?.reason;
    const { retries } = this.#plan;
    const transient = (ofPeer || ofClock) && isTransient(error, exchange.failedToOpen(error), retries);
    if (transient && this.#attempts.mayGoOn(this.#body.kind)) {
      const delay = this.#attempts.backoffMs();
      const answer = this.#report(error as Error, null, delay);
      if (answer === 'go on') this.#pause(delay, null);
      if (answer !== 'enough') return;
    } else {
      this.#attempts.note({ error: error instanceof Error ? error : null, status: null, delay: 0 });
    }
    if (ofPeer || (error instanceof HTTPException && error !== this.#plan.options?.signal?.reason))
      this.#attempts.describe(error as Error);
    this.fail(error);
  }

  #report(error: Error | null, status: number | null, delay: number): Answer {
    return this.#attempts.report({ error, status, delay }, this.#exchange?.id ?? 0, (thrown) => {
      this.fail(thrown);
    });
  }

  /** Waits, without a connection, then asks for the next one. */
  #pause(delay: number, drained: Promise<unknown> | null): void {
    this.#exchange = null;
    this.#slot = null;
    // The connection of the next attempt may be stale as this one's was.
    this.#resent = false;
    const totalLeft = this.#totalLeftMs();
    const goOn = (): void => {
      if (this.#reject !== null) this.#ask();
    };
    this.#watch(Math.min(delay, totalLeft), () => {
      if (totalLeft < delay) {
        this.#failOf(this.#totalError());
        return;
      }
      this.#unwatch();
      // Where it was drained, the same connection can be used.
      if (drained === null) goOn();
      else void drained.then(goOn);
    });
  }

  // The end.

  #succeed(response: HTTPResponse): void {
    const resolve = this.#resolve;
    this.#body.settle();
    let given = response;
    if (this.#plan.decompress) {
      try {
        given = decoded(response);
      } catch (error) {
        response.destroy();
        this.fail(error);
        return;
      }
    }
    this.#settle();
    resolve?.(given);
  }

  #settle(): void {
    this.#resolve = null;
    this.#reject = null;
    this.#exchange = null;
    this.#slot = null;
    this.#owner.onSettled(this);
  }

  /** A clock of its own has run out, between two attempts or before the first. */
  #failOf(error: TimeoutError): void {
    this.#attempts.note({ error, status: null, delay: 0 });
    this.#attempts.describe(error);
    this.fail(error);
  }

  /** Watches the clock and the signal while no exchange does. */
  #watch(ms: number, onTime: () => void): void {
    if (ms <= MAX_MS) this.#timer = setTimeout(onTime, Math.max(0, Math.ceil(ms)));
    const signal = this.#plan.options?.signal;
    if (signal === undefined) return;
    this.#signal = new SignalWatch(signal, (reason) => {
      const slot = this.#slot;
      if (slot !== null) this.#onNoBody(slot, reason);
      else this.fail(reason);
    });
    this.#signal.start();
  }

  #unwatch(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#signal?.stop();
    this.#signal = null;
  }

  #totalLeftMs(): number {
    const { timeouts, begunAt } = this.#plan;
    const total = timeouts?.total;
    return total === undefined ? Infinity : begunAt + total - performance.now();
  }

  #totalError(): TimeoutError {
    const error = new TimeoutError('total', 'connect', this.#plan.timeouts?.total ?? 0);
    return describedUnsent(error, { ...this.#plan.draft, url: this.url }) as TimeoutError;
  }

  #acquireError(ms: number): TimeoutError {
    const error = new TimeoutError('acquire', 'connect', ms);
    error.message = `no connection became free within the acquire timeout of ${String(ms)} ms; ${this.#owner.describeHolders()}`;
    return describedUnsent(error, { ...this.#plan.draft, url: this.url }) as TimeoutError;
  }
}

/** What died: only a connection that was lost counts, not one that said something. */
function deathOf(exchange: PooledExchange, error: unknown): Death {
  if (exchange.linkFailure !== error || !isConnectionLost(error)) return 'other';
  return exchange.reused ? 'used connection' : 'new connection';
}

function ignore(): void {}
