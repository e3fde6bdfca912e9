/**
 * An exchange of one connection, with what its caller can do to it besides: more bytes by `send`, the next request, `detach()`, `close()`.
 *
 * How it runs and how it ends is the exchange's own.
 */
import { NotConnected } from '../errors.js';
import { BY_US, Exchange } from '../exchange/exchange.js';
import type { Link } from '../exchange/link.js';
import type { BodyPlan } from '../request/body.js';
import { cancelSource } from '../request/source.js';

export class OwnExchange extends Exchange {
  /** Whether the response ended HTTP on the connection, whose bytes are now the caller's. */
  get switched(): boolean {
    return this.receiving.state === 'switched';
  }

  /** Whether it ended before `send` had brought all that its head has promised. */
  get #cutShort(): boolean {
    return this.over && this.sending.plan.owed !== 0 && this.sending.state === 'cut';
  }

  /** The caller's Content-Type, by which text that `send` brings is encoded. */
  get contentType(): string | null {
    return this.sending.plan.contentType;
  }

  /** What keeps the connection from another request, as a sentence; null when nothing does. */
  get whyBlocked(): string | null {
    if (this.failure !== null || this.raw) return null;
    const last = `${this.method} ${this.url}`;
    if (this.switched) return `HTTP ended with the response to ${last}; detach() or close() first`;
    if (this.sending.busy)
      return `the body of ${last} is still being sent; await request() first, or close()`;
    return this.receiving.whyUnread(last);
  }

  /** Bytes that `send` brings, behind what is being sent; null when they do not belong to this exchange any more. */
  takeMore(body: BodyPlan): Promise<void> | null {
    if (!this.over) return this.sending.add(body);
    if (!this.#cutShort) return null;
    if (body.source !== null) cancelSource(body.source);
    // Answered before its body was sent: the rest is not wanted any more.
    if (this.failure === null) return Promise.resolve();
    return Promise.reject(new NotConnected(`${this.method} ${this.url} has failed`));
  }

  /** The connection is being closed by its owner. */
  close(error: NotConnected): void {
    if (this.over) return;
    if (this.switched) this.handOver().transport.close();
    else this.failWith(error, BY_US, this.receiving.cutShort(error.message));
  }

  /** Ends an exchange that waits for bytes nobody is going to send any more. */
  abandon(): void {
    if (this.over) return;
    if (this.sending.busy) {
      this.failWith(new NotConnected('the connection was closed: another request was made'), BY_US);
      return;
    }
    this.sending.cut();
    this.end(this.hold.unfit ?? 'the request was cut short');
  }

  /** Ends an exchange whose connection is handed over. */
  handOver(): Link {
    this.end('handed over');
    return this.link as Link;
  }
}
