/**
 * The source of links of one connection: holds the one link there is, opens it when it is needed, shares a dial among those who wait for
 * it.
 *
 * It knows when to dial and when to close, not what is sent over the link.
 */
import type { Duplex } from 'node:stream';
import { Clock } from '../exchange/clock.js';
import { Link } from '../exchange/link.js';
import type { LinkFacts } from '../exchange/link.js';
import type { Dial, LinkSource, LinkUser } from '../exchange/link-source.js';
import { describeSocketError, NotConnected, TimeoutError } from '../errors.js';
import type { Limits } from '../limits.js';
import { Connector } from '../opening/connector.js';
import type { ConnectPlan } from '../opening/connector.js';
import type { CloseReason } from '../protocol/exchange-table.js';
import { turnTime } from '../timing.js';
import { nameAddresses } from '../transport/dial.js';
import { afterPoll } from '../transport/poll-barrier.js';

export interface LinkKeeperOptions {
  limits: Readonly<Limits>;
  /** How to open the connection; asked anew for each dial. */
  plan: () => ConnectPlan;
  /** Whether a closed connection may be dialled again by a request. */
  mayDial: () => boolean;
  /** Whom the link reaches, for whoever watches. */
  facts: () => Omit<LinkFacts, 'ms'>;
  /** A socket was opened. */
  onConnected: (socket: Duplex) => void;
  /** Nothing of this exchange is needed any more. */
  onConsumed: (user: LinkUser) => void;
}

export class LinkKeeper implements LinkSource {
  /** The link, which may have been closed meanwhile; null before the first and behind a close. */
  link: Link | null = null;

  readonly #options: LinkKeeperOptions;
  #connector: Connector | null = null;
  /** Who waits for the dial. */
  readonly #waiting = new Set<LinkUser>();

  constructor(options: LinkKeeperOptions) {
    this.#options = options;
  }

  /** Whether a request can be written to the link as it is. */
  get usable(): boolean {
    return this.link?.usable === true;
  }

  /** Whether a connection is being opened. */
  get opening(): boolean {
    return this.#connector !== null;
  }

  get socket(): Duplex | null {
    const transport = this.link?.transport;
    return transport === undefined || transport.closed ? null : transport.socket;
  }

  acquire(user: LinkUser): void {
    const { link } = this;
    if (link === null || !link.usable) {
      link?.close(link.unfit ?? 'the peer closed');
      this.#dialWhereAllowed(user);
      return;
    }
    this.#waiting.add(user);
    // What the peer sent or closed by now is seen before the request is written.
    afterPoll(() => {
      if (!this.#waiting.delete(user)) return;
      if (link === this.link && link.usable) user.start(link);
      else this.#dialWhereAllowed(user);
    });
  }

  /** A link for bytes outside of a request: also one that takes no request any more. */
  acquireRaw(user: LinkUser): void {
    const { link } = this;
    if (link === null || link.closeReason !== null || link.transport.ended) this.#dialWhereAllowed(user);
    else user.start(link);
  }

  release(user: LinkUser, link: Link | null): void {
    if (link === null) {
      // It gave up before it had a link: the connection is closed, as behind any exchange that failed.
      if (this.#waiting.delete(user))
        this.close(
          'the exchange failed',
          new NotConnected('the connection was closed: its request has failed'),
        );
    } else if (link === this.link && link.closeReason !== null) {
      this.link = null;
    }
  }

  onConsumed(user: LinkUser): void {
    this.#options.onConsumed(user);
  }

  /**
   * Opens a link within so many milliseconds, for nobody in particular.
   */
  open(limitMs: number | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      let dial: Dial | null = null;
      const clock = new Clock(limitMs === undefined ? {} : { connect: limitMs }, (timer, ms) => {
        this.#leave(user);
        const error = new TimeoutError(timer, dial?.phase ?? 'connect', ms);
        nameAddresses(error, dial?.attempts ?? []);
        user.fail(error);
      });
      const user: LinkUser = {
        awaitLink(opened) {
          dial = opened;
          clock.start('connect');
        },
        start() {
          clock.clear();
          resolve();
        },
        fail: (error) => {
          clock.clear();
          const { phase = 'connect', progress = {} } = dial ?? {};
          const { host, port } = this.#options.facts();
          describeSocketError(error, {
            method: 'connect',
            url: `${host}:${String(port)}`,
            phase,
            ...progress,
          });
          reject(error);
        },
      };
      this.#dialFor(user);
    });
  }

  /** Closes the link, and the dial that is under way; who waits for it is told why. */
  close(reason: CloseReason, error: NotConnected): void {
    this.#connector?.cancel();
    this.#connector = null;
    this.link?.close(reason);
    this.link = null;
    this.#settle((user) => {
      user.fail(error);
    });
  }

  #dialWhereAllowed(user: LinkUser): void {
    if (this.#options.mayDial()) this.#dialFor(user);
    else user.fail(new NotConnected('not connected, and autoOpen is false; call connect() first'));
  }

  #dialFor(user: LinkUser): void {
    this.#waiting.add(user);
    let connector = this.#connector;
    if (connector === null) {
      const dialledAt = turnTime();
      let plan: ConnectPlan;
      try {
        plan = this.#options.plan();
      } catch (error) {
        this.#waiting.delete(user);
        user.fail(error);
        return;
      }
      connector = new Connector(plan, (error, transport) => {
        this.#connector = null;
        if (transport === null) {
          this.#settle((each) => {
            each.fail(error);
          });
          return;
        }
        const link = new Link(transport, this.#options.limits, {
          ...this.#options.facts(),
          ms: turnTime() - dialledAt,
        });
        this.link = link;
        this.#options.onConnected(transport.socket);
        this.#settle((each) => {
          each.start(link);
        });
        // Nobody waited any longer, or only connect() did: it keeps no process alive.
        link.rest();
      });
      this.#connector = connector;
    }
    user.awaitLink(connector);
  }

  /** Gives up a wait; the dial ends when nobody waits for it any more. */
  #leave(user: LinkUser): void {
    if (!this.#waiting.delete(user) || this.#waiting.size > 0) return;
    this.#connector?.cancel();
    this.#connector = null;
  }

  #settle(tell: (user: LinkUser) => void): void {
    const users = [...this.#waiting];
    this.#waiting.clear();
    for (const user of users) tell(user);
  }
}
