/**
 * Between an exchange and whoever owns connections: where links come from and go back to. One link after the other in a connection, many
 * in a pool; the exchange cannot tell which.
 */
import type { Phase } from '../errors.js';
import type { DialAttempt } from '../transport/dial.js';
import type { EndReason } from '../protocol/exchange-table.js';
import type { Link } from './link.js';

/** A connection being opened, for errors about it and while it lasts. */
export interface Dial {
  /** What is going on. */
  readonly phase: Phase;
  /** Bytes that went over the proxy's connection. */
  readonly progress: { bytesSent: number; bytesReceived: number };
  /** The addresses that were tried. */
  readonly attempts: DialAttempt[];
}

/** An exchange, as a source of links knows it. */
export interface LinkUser {
  /** A link has to be opened first: the connect clock runs from now on. */
  awaitLink(dial: Dial): void;
  /** Here is the link. Ignored by an exchange that is over. */
  start(link: Link): void;
  /** There is no link. */
  fail(error: unknown): void;
}

/** Who owns links. */
export interface LinkSource {
  /** Gives the exchange a link, now or later, unless it is released before that. */
  acquire(user: LinkUser): void;
  /** Gives a link for bytes outside of a request: also one that takes no request any more. */
  acquireRaw(user: LinkUser): void;
  /**
   * The exchange is done with its link: closed already, for the reason given, or free to be used again once its response was read
   * (`reuse`). Called once for each `acquire`, with null when it never got a link.
   */
  release(user: LinkUser, link: Link | null, reason: EndReason): void;
  /** Its response was read to the end or given up: nothing of the exchange is needed any more. */
  onConsumed(user: LinkUser): void;
}
