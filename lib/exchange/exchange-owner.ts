/**
 * What an exchange knows of the connection that it belongs to.
 */
import type { TimeLimits } from '../options.js';
import type { Phase } from '../errors.js';
import type { InformationalResponse } from '../fields/message.js';

/** As much of an exchange as its owner needs to know it by. */
export interface OwnedExchange {
  readonly method: string;
  readonly url: string;
  /** Whether the caller has asked for the response. */
  readonly claimed: boolean;
  /** What ended it, if it failed. */
  readonly failure: { error: unknown } | null;
}

/** Who keeps the link that the exchange runs on. */
export interface ExchangeOwner {
  /** What the dial is doing that the exchange waits for while it has no link. */
  readonly phase: Phase;
  /** How far that dial has got, for errors. */
  readonly progress: { bytesSent: number; bytesReceived: number };
  /** The exchange is over, or has left bytes unread when it already was; the link can only be used again with `keep`. */
  onExchangeOver(exchange: OwnedExchange, keep: boolean): void;
  /** The exchange is over and its response was read to the end: nothing of either is needed any more. */
  onConsumed(exchange: OwnedExchange): void;
}

/** What a connection is set to when the exchange begins. */
export interface ExchangeSettings {
  timeouts: TimeLimits | null;
  debugLevel: number;
  /** For interim responses, unless the request has its own. */
  onInformational: ((response: InformationalResponse) => void) | undefined;
}
