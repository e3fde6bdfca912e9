/**
 * What an exchange has of a link: from asking for one to giving it back, once, with one reason; and which of the bytes that went over it
 * were the exchange's.
 *
 * It decides nothing: the exchange says when it is over and why.
 */
import type { ExchangeData, Phase } from '../errors.js';
import type { CloseReason, EndReason } from '../protocol/exchange-table.js';
import type { DialAttempt } from '../transport/dial.js';
import type { Dial, LinkSource, LinkUser } from './link-source.js';
import type { Link } from './link.js';

const NO_PROGRESS = { bytesSent: 0, bytesReceived: 0 } as const;

export class LinkHold {
  /** The link, once there is one. It stays known behind the end. */
  link: Link | null = null;
  /** Why the link cannot be used again, whatever both sides of the exchange say; null when nothing was seen. */
  unfit: CloseReason | null = null;
  /** Whether the link had carried an exchange before. */
  reused = false;

  readonly #source: LinkSource;
  readonly #user: LinkUser;
  /** Whether the link was opened for it. */
  get dialled(): boolean {
    return this.#dial !== null;
  }
  #dial: Dial | null = null;
  #over = false;
  #consumed = false;
  #released = false;
  #sentBefore = 0;
  #receivedBefore = 0;

  constructor(source: LinkSource, user: LinkUser) {
    this.#source = source;
    this.#user = user;
  }

  /** Asks for a link; the exchange is started on it, or fails. */
  acquire(raw: boolean): void {
    if (raw) this.#source.acquireRaw(this.#user);
    else this.#source.acquire(this.#user);
  }

  /** A link has to be opened first. */
  wait(dial: Dial): void {
    this.#dial = dial;
  }

  /** Here is the link. */
  take(link: Link): void {
    this.link = link;
    this.reused = link.exchanges > 0;
    this.#sentBefore = link.transport.bytesSent;
    this.#receivedBefore = link.transport.bytesReceived;
  }

  /** What the opening of a link is doing, while there is none. */
  get dialPhase(): Phase {
    return this.#dial?.phase ?? 'connect';
  }

  /** The addresses that the opening of a link has tried. */
  get attempts(): DialAttempt[] {
    return this.#dial?.attempts ?? [];
  }

  /** How far the exchange has got, for errors. */
  get progress(): Pick<ExchangeData, 'bytesSent' | 'bytesReceived' | 'reused'> {
    const { bytesSent, bytesReceived } = this.link?.transport.progress ?? this.#dial?.progress ?? NO_PROGRESS;
    return {
      bytesSent: Math.max(0, bytesSent - this.#sentBefore),
      bytesReceived: bytesReceived - this.#receivedBefore,
      reused: this.reused,
    };
  }

  /** The exchange is over: its link is closed, or free and given back once the response was read. */
  end(reason: EndReason): void {
    this.#over = true;
    if (reason === 'reuse') {
      this.link?.free();
    } else {
      if (reason === 'handed over') this.link?.handOver();
      else this.link?.close(reason);
      this.#release(reason);
    }
    if (this.#consumed) this.#onConsumed();
  }

  /** Whether that is so. */
  get isConsumed(): boolean {
    return this.#consumed;
  }

  /** Nobody reads the response any more. */
  consumed(): void {
    this.#consumed = true;
    if (this.#over) this.#onConsumed();
  }

  /** The response was given up although bytes are unread: whoever asks for the next could not tell them from its own. */
  giveUp(reason: CloseReason): void {
    if (this.#over) this.link?.close(reason);
    this.consumed();
  }

  #onConsumed(): void {
    this.#release(this.link?.closeReason ?? 'reuse');
    this.#source.onConsumed(this.#user);
  }

  #release(reason: EndReason): void {
    if (this.#released) return;
    this.#released = true;
    this.#source.release(this.#user, this.link, reason);
  }
}
