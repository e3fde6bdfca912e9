/**
 * One attempt of a pool's request: an exchange that remembers what its pool wants to know when it has failed.
 *
 * It changes nothing of how an exchange runs.
 */
import { Exchange } from '../exchange/exchange.js';
import type { ExchangeSettings } from '../exchange/exchange.js';
import type { BodySink } from '../response/body-sink.js';
import type { Framing } from '../protocol/framing.js';
import type { ResponseHead } from '../protocol/response-parser.js';
import type { RequestPlan } from '../request/plan.js';
import type { Moment } from './resend.js';
import type { Slot } from './slot.js';

export class PooledExchange extends Exchange {
  /** What the connection failed with, or what it sent that is no HTTP; null when something else ended the exchange. */
  linkFailure: Error | null = null;
  /** What the server's Keep-Alive allows an idle connection, in milliseconds. */
  keepAliveMs: number = Infinity;

  /** The URLs that have led to this one. */
  redirectedFrom: readonly string[] | undefined = undefined;

  readonly #slot: Slot;

  constructor(plan: RequestPlan, settings: ExchangeSettings, slot: Slot) {
    super(plan, settings, slot);
    this.#slot = slot;
  }

  /** How far it came. */
  get moment(): Moment {
    if (this.link === null) return 'unsent';
    const { bytesSent = 0, bytesReceived = 0 } = this.hold.progress;
    if (bytesReceived > 0) return 'answered';
    return bytesSent > 0 ? 'unanswered' : 'unsent';
  }

  /** Whether the connection could not be opened, by this error. */
  failedToOpen(error: unknown): boolean {
    return this.link === null && this.#slot.dialFailure?.error === error;
  }

  override onHead(head: ResponseHead, framing: Framing): BodySink {
    this.keepAliveMs = keepAliveOf(head.fields);
    return super.onHead(head, framing);
  }

  override onFailure(error: Error): void {
    this.linkFailure ??= error;
    super.onFailure(error);
  }

  /** Ends it and what is left of its response, with an error that is given as it is. */
  destroyAll(error: Error): void {
    if (this.over) this.response?.destroy(error);
    else this.onSendingFailed(error);
  }
}

/** `Keep-Alive: timeout=n`: n seconds, less one for the way there and back. */
function keepAliveOf(fields: readonly string[]): number {
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] ?? '';
    if (name.length !== 10 || name.toLowerCase() !== 'keep-alive') continue;
    const match = /(?:^|[,;\s])timeout\s*=\s*"?([0-9]+)/i.exec(fields[i + 1] ?? '');
    if (match !== null) return Math.max(0, Number(match[1]) * 1000 - 1000);
  }
  return Infinity;
}
