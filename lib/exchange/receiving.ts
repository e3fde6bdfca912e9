/**
 * The response's side of an exchange: its state, the caller who waits for the head, and the response once there is one.
 *
 * It makes the response and tells it how it ends. What that means for the request and for the connection is decided by the exchange.
 */
import { IncompleteRead } from '../errors.js';
import { messageOf } from '../fields/message.js';
import type { InformationalResponse } from '../fields/message.js';
import { RESPONSE_STEPS } from '../protocol/exchange-table.js';
import type { ResponseEvent, ResponseState } from '../protocol/exchange-table.js';
import type { Framing } from '../protocol/framing.js';
import type { ResponseHead } from '../protocol/response-parser.js';
import type { BodySink, BodySource } from '../response/body-sink.js';
import { HTTPResponse } from '../response/response.js';
import type { ResponseContext } from '../response/response.js';
import { traceReply } from '../trace.js';
import type { Trace } from '../trace.js';
import { DroppableBody } from './dropped-response.js';
import type { Droppable } from './dropped-response.js';

/** Who waits for the head of the final response: told once, of one of the two. */
export interface HeadWaiter {
  resolve(response: HTTPResponse): void;
  reject(error: unknown): void;
}

export class Receiving {
  state: ResponseState = 'awaited';
  /** Whether the caller has asked for it. */
  claimed = false;

  readonly #trace: Trace | null;
  readonly #report: ((response: InformationalResponse) => unknown) | undefined;
  #waiter: HeadWaiter | null = null;
  #response: HTTPResponse | null = null;
  /** The response where it may be dropped; it is then held there alone. */
  #droppable: DroppableBody | null = null;

  /** @param report - told of each interim response */
  constructor(trace: Trace | null, report: ((response: InformationalResponse) => unknown) | undefined) {
    this.#trace = trace;
    this.#report = report;
  }

  /** The response, once its head has arrived; null again when it was dropped. */
  get response(): HTTPResponse | null {
    return this.#response ?? this.#droppable?.response ?? null;
  }

  /** Has the exchange hear of a response that nobody can read any more. */
  mayDrop(exchange: Droppable): BodySink {
    this.#droppable = new DroppableBody(this.#response as HTTPResponse, exchange);
    this.#response = null;
    return this.#droppable;
  }

  /** A reader waits. */
  hold(): void {
    this.#droppable?.hold();
  }

  /** What a new request would have to step over, as a sentence; null when that is nothing. */
  whyUnread(last: string): string | null {
    const pending = this.response?.pendingBytes;
    if (pending === 0 || pending === undefined) return null;
    const unread = pending === null ? 'an unknown number of' : String(pending);
    return `the response to ${last} has ${unread} unread bytes; read it to its end, drain() or destroy() it first`;
  }

  /** Settles with the response. May be asked for once. */
  head(): Promise<HTTPResponse> {
    this.claimed = true;
    if (this.response !== null) return Promise.resolve(this.response);
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject };
    });
  }

  /** The same for an owner that needs no promise. To be called before the exchange begins. */
  tellHead(waiter: HeadWaiter): void {
    this.claimed = true;
    this.#waiter = waiter;
  }

  /**
   * An interim response.
   *
   * @param onFailure - told what the caller's function threw, or rejected with
   */
  onInterim(head: ResponseHead, onFailure: (error: unknown) => void): void {
    if (this.#trace !== null) traceReply(this.#trace, head);
    if (this.#report === undefined) return;
    const { status, reason } = head;
    try {
      const reported = this.#report({ status, reason, headers: messageOf(head.fields) });
      // An async function is taken as well, and fails the exchange as one that throws does.
      if (reported instanceof Promise) reported.catch(onFailure);
    } catch (error) {
      onFailure(error);
    }
  }

  /** The final head: makes the response, and gives it to whoever waits. */
  onHead(head: ResponseHead, framing: Framing, context: ResponseContext, source: BodySource): HTTPResponse {
    if (this.#trace !== null) traceReply(this.#trace, head);
    const response = new HTTPResponse(head, framing, context, source);
    this.#response = response;
    this.step(framing.kind === 'switch' ? 'switch' : 'head');
    this.#waiter?.resolve(response);
    this.#waiter = null;
    return response;
  }

  /** The response is complete. */
  end(trailers: string[]): void {
    const { response } = this;
    this.step('end');
    if (trailers.length > 0) response?.setTrailers(trailers);
    response?.finish();
    this.#droppable?.letGo();
  }

  /**
   * The exchange has failed: the caller who waits for the head is told, and the reader of an unfinished body.
   *
   * @param atOnce - whether what was received and not read is given up, as behind an abort
   * @returns whether a pending call was told
   */
  tell(error: unknown, body: { error: Error; atOnce: boolean } | null): boolean {
    const waiter = this.#waiter;
    this.#waiter = null;
    waiter?.reject(error);
    if (body?.atOnce === true) this.response?.destroy(body.error);
    else if (body !== null) this.response?.fail(body.error);
    return waiter !== null;
  }

  /** What `close()` does to a body: it is cut short. */
  cutShort(reason: string): IncompleteRead {
    return new IncompleteRead(Buffer.alloc(0), this.response?.dueBytes ?? null, reason);
  }

  step(event: ResponseEvent): void {
    this.state = RESPONSE_STEPS[this.state][event] ?? this.state;
  }
}
