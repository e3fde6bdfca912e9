/**
 * Many connections to one origin: what `HTTPConnectionPool` and `HTTPClient` send through. It decides who gets which connection, and counts.
 *
 * Waiting is first come, first served; of the idle connections the one used last is taken first, as its peer is the least likely to have
 * closed it. It opens, sends and parses nothing: slots open, exchanges send. Every callback may call back into it, so counts are right
 * before anybody is told of anything.
 */
import { LimitExceeded, NotConnected } from '../errors.js';
import { proxyFor } from '../opening/proxies.js';
import { resolveTimeouts } from '../options.js';
import type { RequestOptions } from '../request/request-options.js';
import { turnTime } from '../timing.js';
import { describedUnsent } from '../request/plan.js';
import type { PoolBody } from './body-maker.js';
import { Call } from './call.js';
import type { CallOwner } from './call.js';
import { Chain } from './chain.js';
import { askForCodings, withDefaults } from './default-fields.js';
import { IdleSlots } from './idle-slots.js';
import { Origin, parseOrigin, SecureOrigin } from './origin.js';
import {
  checkCount,
  checkFlag,
  readPoolOptions,
  resolveAcquireTimeout,
  resolvePoolOptions,
} from './pool-options.js';
import type { PoolOptions, PoolRequestOptions, PoolSettings } from './pool-options.js';
import { resolveRetries } from './retry.js';
import { describeSlots, Slot } from './slot.js';
import type { SlotOwner } from './slot.js';

/** How a pool stands, at this moment. */
export interface PoolStats {
  /** Connections, those being opened included. */
  open: number;
  /** Connections that a request has. */
  busy: number;
  /** Connections that wait for a request. */
  idle: number;
  /** Requests that wait for a connection. */
  waiting: number;
}

/** What a caller within the library knows better than the caller of the pool. */
export interface PoolRequest {
  method: string;
  /** The target as it goes to the origin. */
  url: string;
  /** The URL as errors and the response show it. */
  shownURL: string;
  body: PoolBody | null | undefined;
  /** Checked: `[name, value, …]`. The pool's defaults are added to them. */
  fields: string[];
  /** Absent where there are none. */
  options: Readonly<PoolRequestOptions> | undefined;
  /** When it began, by `performance.now()`, if that was before. */
  begunAt?: number | undefined;
  /** The URLs that have led here. */
  redirectedFrom?: readonly string[] | undefined;
}

export class Pool implements SlotOwner, CallOwner {
  readonly settings: PoolSettings;
  readonly reach: Origin;
  /** Told when there is neither a connection nor a request any more. */
  onEmpty: (() => void) | null = null;

  readonly #slots = new Set<Slot>();
  readonly #idle: IdleSlots;
  readonly #waiting = new Chain<Call>();
  /** Calls that have not settled. */
  readonly #calls = new Set<Call>();
  #opening = 0;
  /** What requests are refused with; null while they are taken. */
  #refusal: Error | null = null;
  /** What `close()` has promised. */
  #closing: Promise<void> | null = null;
  #onClosed: (() => void) | null = null;

  /**
   * @param origin - `'http://host:port'` or `'https://…'`
   * @throws InvalidURL for an origin or proxy that cannot be used, or an origin with a path, query or user information
   * @throws UnknownProtocol for another scheme
   * @throws TypeError, RangeError for an option that cannot be used
   */
  constructor(origin: string | URL, options?: PoolOptions) {
    const url = parseOrigin(origin);
    const { own, connection } = readPoolOptions(options);
    const proxy = proxyFor(own.proxy, url);
    this.reach =
      url.protocol === 'https:'
        ? new SecureOrigin(url, proxy, connection)
        : new Origin(url, proxy, connection);
    this.settings = resolvePoolOptions(own, this.reach.blocksize);
    this.#idle = new IdleSlots(this.settings.idleTimeout);
  }

  /** Scheme, host and port, as `URL.origin`. */
  get origin(): string {
    return this.reach.name;
  }

  /** Whether there is a connection or a request. */
  get inUse(): boolean {
    return this.#slots.size > 0 || this.#calls.size > 0;
  }

  /** How it stands, at this moment. */
  get stats(): PoolStats {
    const open = this.#slots.size;
    const idle = this.#idle.size;
    return { open, busy: open - idle - this.#opening, idle, waiting: this.#waiting.size };
  }

  /**
   * A request, to be started: then it takes a connection that is free, a new one, or the next that becomes free.
   *
   * @throws TypeError, InvalidURL, NotConnected at once, before anything is opened
   */
  call({ method, url, shownURL, body, fields, options, begunAt, redirectedFrom }: PoolRequest): Call {
    const draft = this.#draft(method, url, shownURL, fields);
    if (this.#refusal !== null) {
      const refused = new NotConnected(this.#refusal.message);
      throw describedUnsent(refused, { ...draft, url: shownURL });
    }
    const { settings } = this;
    let { decompress, retries, acquireTimeout } = settings;
    let timeouts = this.reach.defaultTimeouts;
    let rest: RequestOptions | undefined;
    if (options !== undefined) {
      const { retries: own, decompress: undo, acquireTimeout: patience, ...others } = options;
      rest = others;
      if (own !== undefined) retries = resolveRetries(own);
      if (undo !== undefined) decompress = checkFlag('decompress', undo);
      if (patience !== undefined) acquireTimeout = resolveAcquireTimeout(patience);
      if (others.timeout !== undefined) timeouts = resolveTimeouts(others.timeout);
    }
    if (decompress) askForCodings(draft.fields);
    const call = new Call(
      {
        draft,
        shownURL,
        body,
        options: rest,
        timeouts,
        retries,
        acquireTimeout,
        // A time limit is exact; when it began is told by the turn.
        redirectedFrom,
        decompress,
        begunAt: begunAt ?? (timeouts?.total === undefined ? turnTime() : performance.now()),
      },
      this,
    );
    this.#calls.add(call);
    return call;
  }

  /**
   * Opens connections ahead of the first request, as many as fit.
   *
   * @throws with the first failure: errors of the socket, TunnelError, TimeoutError; NotConnected behind `close()`
   */
  async connect(count: number = 1): Promise<void> {
    checkCount('count', count, 0);
    if (this.#refusal !== null) throw new NotConnected(this.#refusal.message);
    const fit = Math.min(count, this.settings.maxConnections - this.#slots.size);
    const { connect } = this.reach.defaultTimeouts ?? {};
    await Promise.all(Array.from({ length: Math.max(0, fit) }, () => this.#makeSlot().open(connect)));
  }

  /** Takes no more requests, and lets those that run or wait end. Resolves when the last connection is closed. */
  close(): Promise<void> {
    this.#refusal ??= new NotConnected(`the pool of ${this.origin} was closed by close()`);
    this.#closing ??= new Promise((resolve) => {
      this.#onClosed = resolve;
    });
    this.#idle.closeAll();
    this.#checkEmpty();
    return this.#closing;
  }

  /**
   * Ends everything now: requests that wait or run, and responses that are being read.
   *
   * @param error - what they are ended with. Default: `NotConnected`
   */
  destroy(error?: Error): void {
    const reason = error ?? new NotConnected(`the pool of ${this.origin} was closed by destroy()`);
    this.#refusal = new NotConnected(`the pool of ${this.origin} was closed by destroy()`);
    // Those who wait first: a connection that goes must not be opened anew for one of them.
    for (const call of this.#calls) if (!call.running) call.fail(reason);
    for (const slot of this.#slots) slot.destroy(reason);
    for (const call of this.#calls) call.fail(reason);
    this.#onClosed?.();
  }

  // Of calls.

  take(call: Call, again: boolean): void {
    const slot = again || this.#waiting.size === 0 ? this.#slotFor(call) : null;
    if (slot !== null) {
      slot.give(call);
      return;
    }
    const { maxWaiting } = this.settings;
    if (!again && this.#waiting.size >= maxWaiting) {
      const refused = new LimitExceeded('maxWaiting', maxWaiting);
      call.fail(describedUnsent(refused, { method: call.method, url: call.url }));
      return;
    }
    if (again) this.#waiting.unshift(call);
    else this.#waiting.push(call);
    call.enqueued();
  }

  leave(call: Call): void {
    this.#waiting.remove(call);
  }

  giveBack(slot: Slot): void {
    if (slot.link === null) slot.vacate();
    else this.onFree(slot);
  }

  describeHolders(): string {
    return `${String(this.#waiting.size)} requests wait, ${String(this.#slots.size)} connections to ${this.origin}: ${describeSlots(this.#slots)}`;
  }

  onSettled(call: Call): void {
    this.#calls.delete(call);
    this.#checkEmpty();
  }

  // Of slots.

  onOpening(change: 1 | -1): void {
    this.#opening += change;
  }

  onFree(slot: Slot): void {
    slot.call = null;
    slot.user = null;
    if (!this.#mayGoOn(slot)) {
      slot.vacate();
      return;
    }
    const next = this.#waiting.shift();
    if (next !== null) slot.give(next);
    else if (this.#closing !== null || !this.#idle.add(slot)) slot.vacate();
  }

  onGone(slot: Slot): void {
    this.#idle.remove(slot);
    this.#slots.delete(slot);
    if (this.#slots.size < this.settings.maxConnections) {
      const next = this.#waiting.shift();
      if (next !== null) this.#makeSlot().give(next);
    }
    this.#checkEmpty();
  }

  #draft(method: string, url: string, shownURL: string, fields: string[]): ReturnType<Origin['draft']> {
    try {
      return this.reach.draft(method, url, withDefaults(this.settings.headers, fields));
    } catch (error) {
      throw describedUnsent(error, { method, url: shownURL });
    }
  }

  #slotFor(call: Call): Slot | null {
    if (!call.wantsNew) {
      for (let slot = this.#idle.takeLast(); slot !== null; slot = this.#idle.takeLast()) {
        if (slot.link?.usable === true && this.#mayGoOn(slot)) return slot;
        slot.vacate();
      }
    }
    if (this.#slots.size < this.settings.maxConnections) return this.#makeSlot();
    return call.wantsNew ? this.#idle.takeFirst() : null;
  }

  #makeSlot(): Slot {
    const slot = new Slot(this);
    this.#slots.add(slot);
    return slot;
  }

  /** Whether its link may carry another request. */
  #mayGoOn(slot: Slot): boolean {
    const { maxAge, maxRequests } = this.settings;
    if (maxRequests !== Infinity && (slot.link?.exchanges ?? 0) >= maxRequests) return false;
    return maxAge === Infinity || turnTime() - slot.openedAt < maxAge;
  }

  #checkEmpty(): void {
    if (this.inUse) return;
    this.#onClosed?.();
    this.onEmpty?.();
  }
}
