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
    this.keepAliveMs = keepAliveOf(head);
    const sink = super.onHead(head, framing);
    // A pool has nobody to hand a connection over to on which HTTP is over.
    if (framing.kind === 'switch') {
      this.response?.finish();
      this.end('the peer will close');
    }
    return sink;
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

const TIMEOUT = /(?:^|[,;\s])timeout\s*=\s*"?([0-9]+)/i;
const FIELD = /\nkeep-alive:([^\r]*)/i;

/** `Keep-Alive: timeout=n`: n seconds, less one for the way there and back. */
function keepAliveOf(head: ResponseHead): number {
  const value = keepAliveField(head);
  const match = value === null ? null : TIMEOUT.exec(value);
  return match === null ? Infinity : Math.max(0, Number(match[1]) * 1000 - 1000);
}

/** Asked of each response, so that the fields of most are not made into strings for it. */
function keepAliveField(head: ResponseHead): string | null {
  const { text } = head;
  if (text !== undefined) {
    if (!text.includes('eep-') && !text.includes('EEP-')) return null;
    return FIELD.exec(text)?.[1] ?? null;
  }
  const { fields } = head;
  const at = fields.findIndex((name, index) => index % 2 === 0 && name.toLowerCase() === 'keep-alive');
  return at === -1 ? null : (fields[at + 1] ?? null);
}
