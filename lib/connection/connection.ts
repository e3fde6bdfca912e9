/**
 * `HTTPConnection`: http.client's connection. It wires the parts together and holds what spans exchanges: the state, and the link that
 * is kept.
 *
 * It does not parse, pump, dial or keep clocks. The state it shows follows from what there is (a draft, an exchange, a claim on its
 * response), so no two of them can disagree.
 */
import type * as net from 'node:net';
import type * as tls from 'node:tls';
import type { Duplex } from 'node:stream';
import { readOptions, resolveTimeouts } from '../options.js';
import type { HTTPConnectionOptions } from '../opening/connection-options.js';
import { DetachedStream } from '../transport/detached-stream.js';
import { Endpoint } from './endpoint.js';
import { CannotSendRequest, ImproperConnectionState, NotConnected, ResponseNotReady } from '../errors.js';
import { LinkKeeper } from './link-keeper.js';
import { OwnExchange } from './own-exchange.js';
import { checkState } from './refusals.js';
import { checkFieldName, checkFieldValue } from '../fields/field-checks.js';
import { fieldsOf } from '../fields/message.js';
import type { HeadersInit } from '../fields/message.js';
import type { Call, ConnectionState } from '../protocol/exchange-table.js';
import { planSend } from '../request/body.js';
import type { BodyPlan, PlanSettings, RequestBody } from '../request/body.js';
import { describedUnsent, planRequest, RAW_PLAN } from '../request/plan.js';
import type { RequestDraft, RequestPlan } from '../request/plan.js';
import type { RequestOptions } from '../request/request-options.js';
import type { HTTPResponse } from '../response/response.js';
import { RequestStream } from './request-stream.js';

const PUT_OPTIONS: ReadonlySet<string> = new Set(['skipHost', 'skipAcceptEncoding']);

/** One connection to a server, for one exchange at a time (http.client.HTTPConnection). Nothing is dialled by the constructor. */
export class HTTPConnection extends Endpoint {
  #draft: RequestDraft | null = null;
  /** The last exchange, until its response was read. */
  #exchange: OwnExchange | null = null;
  /** The rejection of a request that failed in this very turn, for a `getResponse` called beside it. */
  #refused: Promise<void> | null = null;
  readonly #keeper: LinkKeeper;
  readonly #settings: PlanSettings;

  /**
   * @param host - a name, an address, or either with a port: `'host:8080'`, `'[::1]:80'`
   * @param port - overrides {@link defaultPort}
   * @throws InvalidURL for a host or port that cannot be used
   * @throws TypeError for an option of the wrong kind
   */
  constructor(host: string, port?: number | null, options: HTTPConnectionOptions = {}) {
    super(host, port, options);
    const { defaultCharset = 'iso-8859-1' } = this.options;
    this.#settings = { blocksize: this.blocksize, defaultCharset };
    this.#keeper = new LinkKeeper({
      limits: this.limits,
      plan: () => this.planConnection(),
      mayDial: () => this.autoOpen,
      facts: () => this.linkFacts(),
      onConnected: (socket) => {
        this.onConnected(socket as net.Socket);
      },
      onConsumed: (user) => {
        if (user === this.#exchange && this.#exchange.claimed) this.#exchange = null;
      },
    });
  }

  /** `Idle`, `Request-started` after `putRequest`, `Request-sent` until `getResponse` has the head. */
  get state(): ConnectionState {
    if (this.#draft !== null) return 'Request-started';
    const exchange = this.#exchange;
    if (exchange === null || exchange.raw || exchange.failure !== null) return 'Idle';
    return exchange.claimed && exchange.response !== null ? 'Idle' : 'Request-sent';
  }

  /** The socket; null while not connected. */
  override get socket(): net.Socket | tls.TLSSocket | null {
    return this.#keeper.socket as net.Socket | null;
  }

  /** @internal */
  protected override shownState(): object {
    return { state: this.state, connected: this.socket !== null };
  }

  /** @internal */
  protected override get opening(): boolean {
    return this.#keeper.opening;
  }

  /**
   * Sends a request. `getResponse` may be called at once: the server may answer while the body is being sent.
   *
   * @param url - the target as it goes on the wire; '' is '/'
   * @param body - see {@link RequestBody}; streams and iterables are chunk-encoded unless the caller gives Content-Length
   * @returns resolves once the whole body was handed to the socket, or a final response made sending the rest pointless
   * @throws TypeError, InvalidURL for bad input, before a byte is sent
   * @throws CannotSendRequest while another exchange runs or the last response has unread bytes
   * @throws ContentLengthMismatch, TimeoutError, the signal's reason, the source's own error, errors of the socket
   */
  request(
    method: string,
    url: string,
    body?: RequestBody | null,
    headers?: HeadersInit,
    options?: RequestOptions,
  ): Promise<void> {
    try {
      this.#check('request');
    } catch (error) {
      return Promise.reject(error);
    }
    try {
      const draft = this.#draftOf(method, url, fieldsOf(headers));
      return this.#begin(draft, body, options, false);
    } catch (error) {
      return this.#refuse(error);
    }
  }

  /**
   * A request as a Duplex: what is written is the body, what is read is the response's body. Framed as a streaming body is; for GET and
   * HEAD there is no writable side.
   *
   * @throws TypeError, InvalidURL, CannotSendRequest at once; what fails later destroys the stream
   */
  stream(method: string, url: string, headers?: HeadersInit, options: RequestOptions = {}): RequestStream {
    this.#check('request');
    const draft = this.#draftOf(method, url, fieldsOf(headers));
    const { signal, ...others } = options;
    return new RequestStream(
      method,
      (body, ended) => {
        this.#begin(draft, body as RequestBody | null, { ...others, signal: ended }, false).catch(ignore);
        return this.getResponse();
      },
      signal,
    );
  }

  /**
   * The response to the request that was sent, once its head has arrived.
   *
   * @throws ResponseNotReady outside of Request-sent
   * @throws what ended the request, if it failed
   * @throws RemoteDisconnected, BadStatusLine, BadHeader, LineTooLong, LimitExceeded, UnknownProtocol, UnknownTransferEncoding
   */
  getResponse(): Promise<HTTPResponse> {
    // The very promise that the request gave: whoever hears of its failure here has handled it.
    if (this.#refused !== null) return this.#refused as Promise<never>;
    const exchange = this.#exchange;
    if (exchange?.failure?.reported === false && !exchange.claimed) return exchange.head();
    try {
      this.#check('getResponse');
    } catch (error) {
      return Promise.reject(error);
    }
    return (exchange as OwnExchange).head();
  }

  /**
   * Opens the connection, which a request does by itself. Does nothing when it is open.
   *
   * @throws errors of the socket, TunnelError, TimeoutError
   */
  async connect(): Promise<void> {
    if (!this.#keeper.usable) await this.#keeper.open(this.timeouts?.connect);
  }

  /**
   * Closes the connection and forgets what was put but not sent. Pending calls reject with `NotConnected`, a response whose body is
   * unfinished is destroyed with `IncompleteRead`. The next request dials again.
   */
  close(): void {
    this.#draft = null;
    const exchange = this.#exchange;
    this.#exchange = null;
    const error = new NotConnected('the connection was closed by close()');
    exchange?.close(error);
    this.#keeper.close('closed by its owner', error);
  }

  /** The same as {@link close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** The same as {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  /**
   * Begins a request by hand; `putHeader` and `endHeaders` follow.
   *
   * @throws CannotSendRequest outside of Idle
   * @throws TypeError, InvalidURL
   */
  putRequest(
    method: string,
    url: string,
    options?: { skipHost?: boolean | undefined; skipAcceptEncoding?: boolean | undefined },
  ): void {
    this.#check('putRequest');
    const { skipHost = false, skipAcceptEncoding = false } = readOptions(options, PUT_OPTIONS);
    this.#draft = this.#draftOf(method, url, [], skipHost, skipAcceptEncoding);
  }

  /**
   * Adds a field; several values are joined with `, `.
   *
   * @throws CannotSendHeader outside of Request-started
   * @throws TypeError for a name or value that may not go on the wire; only this field is dropped
   */
  putHeader(name: string, ...values: (string | number | Uint8Array)[]): void {
    this.#check('putHeader');
    checkFieldName(name);
    if (values.length === 0) throw new TypeError(`the field '${name}' needs a value`);
    const texts = values.map((value) =>
      checkFieldValue(name, value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value),
    );
    this.#draft?.fields.push(name, texts.join(', '));
  }

  /**
   * Sends the head, and the body if one is given: framed as `request` does unless a field already frames it. Without a body nothing is
   * added to the head, and what it declares may follow with `send`.
   *
   * @throws CannotSendHeader outside of Request-started
   * @throws as `request`; the connection is Idle then
   */
  endHeaders(body?: RequestBody | null, options: RequestOptions = {}): Promise<void> {
    try {
      this.#check('endHeaders');
    } catch (error) {
      return Promise.reject(error);
    }
    const draft = this.#draft as RequestDraft;
    this.#draft = null;
    try {
      return this.#begin(draft, body, options, true);
    } catch (error) {
      return this.#refuse(error);
    }
  }

  /**
   * Sends bytes as they are, in any state, dialling if need be. What a head has declared may be sent this way.
   *
   * @throws NotConnected without a connection when `autoOpen` is false
   * @throws ContentLengthMismatch for more bytes than the head has declared; none of them is sent
   * @throws TypeError for a body of the wrong kind
   */
  send(data: RequestBody): Promise<void> {
    const exchange = this.#exchange;
    let body: BodyPlan;
    try {
      // What it is comes first: a body of the wrong kind is refused before anything is dialled.
      body = planSend(data, exchange?.contentType ?? null, this.#settings);
    } catch (error) {
      return Promise.reject(error);
    }
    const taken = exchange?.takeMore(body) ?? null;
    if (taken !== null) return taken;
    const outside = this.#exchangeFor(RAW_PLAN);
    if (exchange === null || exchange.failure !== null) this.#exchange = outside;
    const sent = outside.sending.add(body);
    outside.begin();
    return sent;
  }

  /**
   * Hands the connection over after a 101, or a 2xx to CONNECT: the raw byte stream, beginning with what came behind the head. The
   * connection is Idle then, without a socket.
   *
   * @throws ImproperConnectionState in any other case
   */
  detach(): Duplex {
    const exchange = this.#exchange;
    if (exchange === null || !exchange.switched) {
      throw new ImproperConnectionState('detach() is for after a 101, or a 2xx to CONNECT');
    }
    const link = exchange.handOver();
    this.#exchange = null;
    return new DetachedStream(link.transport, link.surplus);
  }

  #draftOf(
    method: string,
    url: string,
    fields: string[],
    skipHost = false,
    skipAcceptEncoding = false,
  ): RequestDraft {
    try {
      return this.draftRequest(method, url, fields, skipHost, skipAcceptEncoding);
    } catch (error) {
      throw describedUnsent(error, { method, url });
    }
  }

  #check(call: Call): void {
    checkState(call, this.state, this.#draft ?? this.#exchange);
    if (call === 'getResponse' && this.#exchange?.claimed === true)
      throw new ResponseNotReady('getResponse() was already called for this request');
    if (call !== 'request' && call !== 'putRequest') return;
    const why = this.#exchange?.whyBlocked ?? null;
    if (why !== null) throw new CannotSendRequest(why);
  }

  #begin(
    draft: RequestDraft,
    body: RequestBody | null | undefined,
    options: RequestOptions | undefined,
    bodyLater: boolean,
  ): Promise<void> {
    let plan: RequestPlan;
    try {
      plan = planRequest(draft, body, options, this.#settings, bodyLater);
    } catch (error) {
      throw describedUnsent(error, draft);
    }
    this.#refused = null;
    // One that waited for `send`, or bytes outside of a request: nothing can be sent behind them on the same connection.
    this.#exchange?.abandon();
    const exchange = this.#exchangeFor(plan);
    this.#exchange = exchange;
    exchange.begin();
    const { sent, failure } = exchange;
    return failure === null ? sent : this.#refuseWith(sent);
  }

  #exchangeFor(plan: RequestPlan): OwnExchange {
    const { timeout } = plan.options;
    const timeouts = timeout === undefined ? this.timeouts : resolveTimeouts(timeout);
    const { onInformational } = this.options;
    return new OwnExchange(plan, { timeouts, debugLevel: this.debugLevel, onInformational }, this.#keeper);
  }

  #refuse(error: unknown): Promise<void> {
    return this.#refuseWith(Promise.reject(error));
  }

  /** A promise that has rejected, shown to a `getResponse` that is called before this turn ends. */
  #refuseWith(refused: Promise<void>): Promise<void> {
    this.#refused = refused;
    queueMicrotask(() => {
      if (this.#refused === refused) this.#refused = null;
    });
    return refused;
  }
}

function ignore(): void {}
