/**
 * Sees every head that passes, those of redirects and of attempts that failed too, through the channels of the library; shows them as
 * `-v` does, and keeps those that came for `-i`. Without either it watches nothing.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { HTTPMessage, HTTPResponse, InformationalResponse, RequestStart } from '../index.js';
import { shownRemark, shownRequest, shownResponse, wireHead, type ResponseHead } from './heads.js';

interface ConnectionOpen {
  readonly id: number;
  readonly host: string;
  readonly port: number;
  readonly address: string | null;
  readonly tls: boolean;
  readonly proxy: string | null;
}

/** What an event about a response says. */
interface ResponseStart {
  readonly status: number;
  readonly reason: string;
  readonly headers: HTTPMessage;
}

/** Watches one run. */
export class HeadWatch {
  /** The heads of responses as they came, for `-i`. */
  readonly heads: Buffer[] = [];
  readonly #show: ((lines: Uint8Array) => void) | null;
  /** Connections to a proxy that is told the whole URL. */
  readonly #proxied = new Set<number>();
  /** The last head: it is shown when it is known whether it is the final one, which the response says more about. */
  #last: ResponseStart | null = null;
  readonly #channels: readonly (readonly [name: string, listener: (message: unknown) => void])[];

  /** @param show - where `-v` shows lines; null without it */
  constructor(show: ((lines: Uint8Array) => void) | null) {
    this.#show = show;
    this.#channels = [
      ['millrace:connection:open', (message) => this.#opened(message as ConnectionOpen)],
      ['millrace:request:start', (message) => this.#started(message as RequestStart)],
      [
        'millrace:request:headers',
        (message) => {
          this.#pass();
          this.#last = message as ResponseStart;
        },
      ],
    ];
    for (const [name, listener] of this.#channels) subscribe(name, listener);
  }

  /** An interim head. */
  interim(response: InformationalResponse): void {
    this.#pass();
    this.#keep(response);
  }

  /** The response that is given to the user. */
  final(response: HTTPResponse): void {
    this.#last = null;
    this.#keep(response);
  }

  /** Says something that is no head. */
  remark(text: string): void {
    this.#pass();
    this.#show?.(shownRemark(text));
  }

  /** Shows what is left, and watches no more. */
  stop(): void {
    this.#pass();
    for (const [name, listener] of this.#channels) unsubscribe(name, listener);
  }

  #opened({ id, host, port, address, tls, proxy }: ConnectionOpen): void {
    if (proxy !== null && !tls) this.#proxied.add(id);
    const place = address === null || address === host ? host : `${host} (${address})`;
    this.remark(`Connected to ${place} port ${String(port)}${proxy === null ? '' : ` through ${proxy}`}`);
  }

  #started({ connection, method, url, headers }: RequestStart): void {
    this.#pass();
    const whole = URL.canParse(url) && !this.#proxied.has(connection) ? new URL(url) : null;
    this.#show?.(shownRequest(method, whole === null ? url : whole.pathname + whole.search, headers));
  }

  /** The head before was not the final one. */
  #pass(): void {
    const head = this.#last;
    this.#last = null;
    if (head !== null) this.#keep(head);
  }

  #keep(head: ResponseHead): void {
    this.heads.push(wireHead(head));
    this.#show?.(shownResponse(head));
  }
}
