/**
 * Holds the one link of a connection and the last exchange on it: opens the link when it is needed, shares a dial among those who wait
 * for it, closes it when an exchange leaves it unusable.
 *
 * It knows when to dial and what the dial is doing, not what is sent over the link.
 */
import type * as net from 'node:net';
import { Clock } from '../exchange/clock.js';
import { Connector } from '../opening/connector.js';
import type { ConnectPlan } from '../opening/connector.js';
import { NotConnected, TimeoutError } from '../errors.js';
import type { Phase } from '../errors.js';
import type { Exchange } from '../exchange/exchange.js';
import type { ExchangeOwner, OwnedExchange } from '../exchange/exchange-owner.js';
import type { Limits } from '../limits.js';
import { Link } from '../exchange/link.js';
import type { RawSend } from '../exchange/raw-send.js';
import { afterPoll } from '../transport/poll-barrier.js';

/** Who waits for a dial: `connect`, an exchange, or both. */
export interface LinkWaiter {
  onLink(link: Link): void;
  onError(error: Error): void;
}

export interface LinkKeeperOptions {
  limits: Readonly<Limits>;
  /** How to open the connection; asked anew for each dial. */
  plan: () => ConnectPlan;
  /** A socket was opened. */
  onConnected: (socket: net.Socket) => void;
}

const NO_DIAL = { phase: 'connect', progress: { bytesSent: 0, bytesReceived: 0 } } as const;

export class LinkKeeper implements ExchangeOwner {
  /** The link, which may have been closed meanwhile; null before the first and after `drop`. */
  link: Link | null = null;
  /** The last exchange, until it is over and its response was read. */
  exchange: Exchange | null = null;
  /** What `send` is writing. */
  readonly sends: Set<RawSend> = new Set();
  /** How often the connection was let go; what began before that does not go on behind it. */
  drops = 0;

  readonly #options: LinkKeeperOptions;
  #connector: Connector | null = null;
  #waiters: LinkWaiter[] = [];
  /** The last dial when it ended, for errors about it. */
  #last: Pick<Connector, 'phase' | 'progress'> = NO_DIAL;

  constructor(options: LinkKeeperOptions) {
    this.#options = options;
  }

  /** Whether a request can be written to the link as it is. */
  get usable(): boolean {
    return this.link?.usable === true;
  }

  get opening(): boolean {
    return this.#connector !== null;
  }

  /** What the dial is doing, or was when it failed. */
  get phase(): Phase {
    return (this.#connector ?? this.#last).phase;
  }

  /** What it has sent and received outside of TLS: the CONNECT of a tunnel and its answer. */
  get progress(): { bytesSent: number; bytesReceived: number } {
    return (this.#connector ?? this.#last).progress;
  }

  get socket(): net.Socket | null {
    const transport = this.link?.transport;
    return transport === undefined || transport.closed ? null : transport.socket;
  }

  /** Starts an exchange on the link, or on a new one where that cannot be used. */
  run(exchange: Exchange, mayDial: boolean): void {
    const { link } = this;
    this.#last = NO_DIAL;
    if (link === null || !link.usable || link.tainted) {
      link?.close();
      this.#dialFor(exchange, mayDial);
      return;
    }
    // What the peer sent or closed by now is seen before the request is written.
    afterPoll(() => {
      if (exchange.failure !== null) return;
      if (link.usable) exchange.start(link);
      else this.#dialFor(exchange, mayDial);
    });
  }

  /** Opens a link for the waiter, who shares the dial that is under way if there is one. */
  open(waiter: LinkWaiter): void {
    this.#waiters.push(waiter);
    if (this.#connector !== null) return;
    const connector = new Connector(this.#options.plan(), (error, transport) => {
      this.#remember(connector);
      this.#connector = null;
      if (transport === null) {
        this.#settle((each) => {
          each.onError(error as Error);
        });
        return;
      }
      const link = new Link(transport, this.#options.limits);
      this.link = link;
      this.#options.onConnected(transport.socket);
      this.#settle((each) => {
        each.onLink(link);
      });
    });
    this.#connector = connector;
  }

  /** Opens a link within so many milliseconds. */
  openWithin(limitMs: number | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const clock = new Clock(limitMs === undefined ? {} : { connect: limitMs }, (timer, ms) => {
        this.cancel(new TimeoutError(timer, this.phase, ms));
      });
      clock.start('connect');
      this.open({
        onLink() {
          clock.clear();
          resolve();
        },
        onError(error) {
          clock.clear();
          reject(error);
        },
      });
    });
  }

  /** Gives up the dial that is under way; those who wait are told why. */
  cancel(reason: Error): void {
    if (this.#connector === null) return;
    this.#remember(this.#connector);
    this.#connector.cancel();
    this.#connector = null;
    this.#settle((each) => {
      each.onError(reason);
    });
  }

  /** Closes the link, and the dial that is under way; what is being sent ends with `sendsEnd`, null for no failure. */
  drop(reason: Error, sendsEnd: Error | null = reason): void {
    this.drops++;
    this.cancel(reason);
    this.link?.close();
    this.link = null;
    for (const send of this.sends) send.stop(sendsEnd);
  }

  #dialFor(exchange: Exchange, mayDial: boolean): void {
    if (!mayDial) {
      exchange.fail(new NotConnected('not connected, and autoOpen is false'));
      return;
    }
    exchange.awaitConnection();
    this.open({
      onLink(link) {
        exchange.start(link);
      },
      onError(error) {
        exchange.onFailure(error);
      },
    });
  }

  // Of the exchange.

  onExchangeOver(exchange: OwnedExchange, keep: boolean): void {
    if (exchange !== this.exchange || keep) return;
    const { method, url, failure } = exchange;
    const reason = new NotConnected(`the connection was closed: ${method} ${url} left it unusable`);
    // A response that came early makes the rest of the body pointless, which is no failure.
    this.drop(reason, failure === null ? null : reason);
  }

  onConsumed(exchange: OwnedExchange): void {
    if (exchange === this.exchange && exchange.claimed) this.exchange = null;
  }

  #remember({ phase, progress }: Connector): void {
    this.#last = { phase, progress };
  }

  #settle(tell: (waiter: LinkWaiter) => void): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) tell(waiter);
  }
}
