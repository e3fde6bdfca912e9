/**
 * A place for one connection of a pool: the link, the dial that is to bring it, and the exchange that holds it.
 *
 * It is the source of links of that exchange: to it a slot looks like the one link of a connection. It opens, hands out and closes; who
 * comes next, and whether anybody does, its pool decides.
 */
import { describeSocketError, TimeoutError } from '../errors.js';
import { Clock } from '../exchange/clock.js';
import { Link } from '../exchange/link.js';
import type { LinkWatcher } from '../exchange/link.js';
import type { Dial, LinkSource, LinkUser } from '../exchange/link-source.js';
import { Connector } from '../opening/connector.js';
import { turnTime } from '../timing.js';
import { afterPoll } from '../transport/poll-barrier.js';
import type { Member } from './chain.js';
import type { Origin } from './origin.js';

/** One call to the pool, as the slot that it gets sees it. */
export interface SlotCall {
  readonly method: string;
  readonly url: string;
  /** Whether only a new connection will do. */
  wantsNew: boolean;
  run(slot: Slot): void;
}

/** One attempt of a call. */
export interface SlotUser extends LinkUser {
  readonly link: Link | null;
  readonly response: { readonly pendingBytes: number | null } | null;
  /** What the server's Keep-Alive allows an idle connection, in milliseconds. */
  readonly keepAliveMs: number;
  /** Ends it and its response. */
  destroyAll(error: Error): void;
}

/** The pool, as a slot sees it. */
export interface SlotOwner {
  readonly reach: Origin;
  /** A connection begins to be opened (1), or does not any more (-1). */
  onOpening(change: 1 | -1): void;
  /** The exchange is over and was consumed: the link can carry another. */
  onFree(slot: Slot): void;
  /** The link is gone, or never came: the slot is to be forgotten. */
  onGone(slot: Slot): void;
}

export class Slot implements LinkSource, LinkWatcher, Member<Slot> {
  before: Slot | null = null;
  behind: Slot | null = null;
  chain: object | null = null;

  /** Who has it; null while it is idle or being opened ahead. */
  call: SlotCall | null = null;
  /** The attempt that it runs; null while there is none, or its body is still being made. */
  user: SlotUser | null = null;
  /** When it was given away, by `performance.now()`. */
  takenAt = 0;
  /** When the link was opened, by the same clock. */
  openedAt = 0;
  /** When an idle link is to be closed. */
  expiresAt = 0;
  /** What the server's last Keep-Alive allows an idle connection, in milliseconds. */
  keepAliveMs: number = Infinity;
  /** Why the last dial failed; null when it did not. */
  dialFailure: { error: unknown } | null = null;

  readonly #owner: SlotOwner;
  #link: Link | null = null;
  #connector: Connector | null = null;
  /** The exchange that waits for the link. */
  #waiting: LinkUser | null = null;
  #gone = false;

  constructor(owner: SlotOwner) {
    this.#owner = owner;
    owner.onOpening(1);
  }

  /** The connection; null while it is still to be opened. */
  get link(): Link | null {
    return this.#link;
  }

  // Of the exchange.

  acquire(user: LinkUser): void {
    const { link } = this;
    if (link === null || !link.usable) {
      this.dropLink();
      this.#dialFor(user);
      return;
    }
    this.#waiting = user;
    // What the peer sent or closed by now is seen before the request is written.
    afterPoll(() => {
      if (this.#waiting !== user) return;
      this.#waiting = null;
      if (link === this.link && link.usable) user.start(link);
      else {
        this.dropLink();
        this.#dialFor(user);
      }
    });
  }

  acquireRaw(user: LinkUser): void {
    this.acquire(user);
  }

  release(user: LinkUser): void {
    if (this.user !== user) return;
    this.#waiting = null;
    this.keepAliveMs = this.user.keepAliveMs;
    // Also one that its exchange never began on, which has failed before: nothing was sent over it.
    if (this.#link?.usable === true) this.#owner.onFree(this);
    else this.vacate();
  }

  onConsumed(): void {}

  // Of the link.

  onLinkClosed(link: Link): void {
    if (link !== this.link) return;
    // Its next exchange has not begun on it, or not at all while a body is made: that one gets another.
    const begun = this.user === null ? this.call === null : this.user.link !== null;
    if (this.#waiting !== null || !begun) this.dropLink();
    else this.vacate();
  }

  // Of the pool.

  /** Has the call run here. */
  give(call: SlotCall): void {
    this.call = call;
    this.takenAt = turnTime();
    if (call.wantsNew && (this.#link?.exchanges ?? 0) > 0) this.dropLink();
    call.wantsNew = false;
    call.run(this);
  }

  /** Closes the link, but keeps the slot: its user gets a new one. */
  dropLink(): void {
    const link = this.#link;
    if (link === null) return;
    this.#setLink(null);
    link.watcher = null;
    link.close(link.unfit ?? 'the peer closed');
  }

  /** Opens the link ahead of any request, within so many milliseconds. */
  open(limitMs: number | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      let dial: Dial | null = null;
      const clock = new Clock(limitMs === undefined ? {} : { connect: limitMs }, (timer, ms) => {
        ahead.fail(new TimeoutError(timer, dial?.phase ?? 'connect', ms));
      });
      const ahead: LinkUser = {
        awaitLink: (opened) => {
          dial = opened;
          clock.start('connect');
        },
        start: (link) => {
          clock.clear();
          // It keeps no process alive while nobody has it.
          link.rest();
          this.#owner.onFree(this);
          resolve();
        },
        fail: (error) => {
          clock.clear();
          const { phase = 'connect', progress = {} } = dial ?? {};
          describeSocketError(error, { method: 'connect', url: this.#owner.reach.name, phase, ...progress });
          this.vacate();
          reject(error);
        },
      };
      this.#dialFor(ahead);
    });
  }

  /** Ends what is going on here, with this error. */
  destroy(error: Error): void {
    const { user } = this;
    if (user !== null) user.destroyAll(error);
    else this.#waiting?.fail(error);
    this.vacate();
  }

  /** Closes everything; the pool forgets the slot. */
  vacate(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#waiting = null;
    this.#connector?.cancel();
    this.#connector = null;
    const link = this.#link;
    this.#link = null;
    this.user = null;
    this.call = null;
    if (link === null) {
      this.#owner.onOpening(-1);
    } else {
      link.watcher = null;
      link.close('closed by its owner');
    }
    this.#owner.onGone(this);
  }

  #setLink(link: Link | null): void {
    this.#link = link;
    this.#owner.onOpening(link === null ? 1 : -1);
  }

  #dialFor(user: LinkUser): void {
    this.#waiting = user;
    this.dialFailure = null;
    const dialledAt = turnTime();
    let connector: Connector;
    try {
      connector = new Connector(this.#owner.reach.plan(), (error, transport) => {
        this.#connector = null;
        const waiting = this.#waiting;
        this.#waiting = null;
        if (transport === null) {
          this.dialFailure = { error };
          waiting?.fail(error);
          return;
        }
        const { facts, peerLimits } = this.#owner.reach;
        const link = new Link(transport, peerLimits, { ...facts, ms: turnTime() - dialledAt });
        link.watcher = this;
        this.#setLink(link);
        this.openedAt = turnTime();
        this.#owner.reach.opened(transport.socket);
        waiting?.start(link);
      });
    } catch (error) {
      // Not in this turn: whoever waits next would fail in the same one, and ten thousand in one stack are too many.
      setImmediate(() => {
        if (this.#waiting !== user) return;
        this.#waiting = null;
        this.dialFailure = { error };
        user.fail(error);
      });
      return;
    }
    this.#connector = connector;
    user.awaitLink(connector);
  }
}

/** At most so many holders are named in an error. */
const MOST_NAMED = 64;

/** What keeps connections, for an error of whoever waits for one: method, URL, age and unread bytes of each. */
export function describeSlots(slots: Iterable<Slot>): string {
  const now = performance.now();
  const holders: string[] = [];
  let more = 0;
  for (const { call, user, takenAt } of slots) {
    if (call === null) continue;
    if (holders.length === MOST_NAMED) {
      more++;
      continue;
    }
    const pending = user?.response === null || user === null ? 0 : user.response.pendingBytes;
    const unread = pending === null ? 'an unknown number of' : String(pending);
    const doing = user?.response === null || user === null ? ', no response yet' : '';
    holders.push(
      `${call.method} ${call.url} (${String(Math.round(now - takenAt))} ms, ${unread} unread bytes${doing})`,
    );
  }
  return holders.join(', ') + (more > 0 ? `, and ${String(more)} more` : '');
}
