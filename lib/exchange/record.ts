/**
 * The record of an exchange: when things happened, kept for whoever asks, and told to subscribers where there are any.
 *
 * For each start that is published there is exactly one end or error behind it.
 */
import { CHANNELS } from '../channels.js';
import { checkFieldName, checkFieldValue } from '../fields/field-checks.js';
import { HTTPMessage, messageOf } from '../fields/message.js';
import type { ResponseHead } from '../protocol/response-parser.js';
import type { LinkHold } from './link-hold.js';
import type { Link } from './link.js';
import { Timing, turnTime } from '../timing.js';

/** `millrace:request:start`: a request is about to be written to a connection. */
export interface RequestStart {
  /** Of this attempt. */
  readonly id: number;
  /** The id of its connection. */
  readonly connection: number;
  /** The request's method. */
  readonly method: string;
  /** The request's target, or its URL where that is known, without user information. */
  readonly url: string;
  /** The fields of the head. */
  readonly headers: HTTPMessage;
  /** Whether the connection carried a request before. */
  readonly reused: boolean;
  /**
   * Adds a field to the head. Only while the event is being published.
   *
   * @throws TypeError for a field that may not go on the wire, one that frames or routes the request, and afterwards
   */
  addHeader(name: string, value: string): void;
}

/** What decides where a request ends or goes is not a subscriber's. */
const NOT_ADDED = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

let lastId = 0;

export class ExchangeRecord extends Timing {
  /** Of this attempt, on every channel; 0 when nobody watches. */
  readonly id: number;
  /** Whether it has started and not ended yet. */
  #open = false;

  /**
   * @param watchable - whether it is a request at all
   * @param madeAt - when the request was made, if that was before this attempt
   */
  constructor(watchable: boolean, madeAt: number | undefined) {
    super(madeAt);
    this.id = watchable && isWatched() ? ++lastId : 0;
  }

  /**
   * The request is about to be written.
   *
   * @returns the head as it goes out, with what subscribers have added
   */
  start(
    { method, url }: { method: string; url: string },
    link: Link,
    dialled: boolean,
    head: string,
  ): string {
    if (dialled) this.connectedAt = turnTime();
    if (this.id === 0) return head;
    this.#open = true;
    return CHANNELS.requestStart.hasSubscribers ? this.#publishStart(method, url, link, head) : head;
  }

  sent(): void {
    if (this.sentAt !== null) return;
    this.sentAt = turnTime();
    if (this.id !== 0) CHANNELS.requestSent.publish({ id: this.id });
  }

  head(head: ResponseHead): void {
    this.headersAt = turnTime();
    if (this.id === 0 || !CHANNELS.requestHeaders.hasSubscribers) return;
    const { status, reason, fields } = head;
    const ms = this.read().headers;
    CHANNELS.requestHeaders.publish({ id: this.id, status, reason, headers: messageOf(fields.slice()), ms });
  }

  /** The last byte of the body came. */
  received(): void {
    this.endAt = turnTime();
  }

  /** It is over: with an end, or with what failed. */
  over(hold: LinkHold, failure: { error: unknown } | null): void {
    if (!this.#open) return;
    this.#open = false;
    const { id } = this;
    if (failure !== null) {
      CHANNELS.requestError.publish({ id, error: failure.error });
    } else if (CHANNELS.requestEnd.hasSubscribers) {
      const { bytesSent, bytesReceived } = hold.progress;
      CHANNELS.requestEnd.publish({ id, bytesSent, bytesReceived, timings: this.read() });
    }
  }

  #publishStart(method: string, url: string, link: Link, head: string): string {
    const added: string[] = [];
    let writable = true;
    const headers = fieldsOfHead(head);
    const event: RequestStart = {
      id: this.id,
      connection: link.id,
      method,
      url,
      headers,
      reused: link.exchanges > 1,
      addHeader(name, value) {
        if (!writable) throw new TypeError('a field can only be added while the request starts');
        const text = checkFieldValue(checkFieldName(name), value);
        if (NOT_ADDED.has(name.toLowerCase()))
          throw new TypeError(`the field '${name}' cannot be added by a subscriber`);
        headers.add(name, text);
        added.push(`${name}: ${text}\r\n`);
      },
    };
    CHANNELS.requestStart.publish(event);
    writable = false;
    return added.length === 0 ? head : `${head.slice(0, -2)}${added.join('')}\r\n`;
  }
}

/** Whether anybody watches requests. */
function isWatched(): boolean {
  return (
    CHANNELS.requestStart.hasSubscribers ||
    CHANNELS.requestEnd.hasSubscribers ||
    CHANNELS.requestError.hasSubscribers ||
    CHANNELS.requestHeaders.hasSubscribers ||
    CHANNELS.requestSent.hasSubscribers ||
    CHANNELS.requestRetry.hasSubscribers
  );
}

function fieldsOfHead(head: string): HTTPMessage {
  const message = new HTTPMessage();
  for (const line of head.split('\r\n').slice(1)) {
    const colon = line.indexOf(':');
    if (colon > 0) message.add(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  return message;
}
