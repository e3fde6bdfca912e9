/**
 * `HTTPConnection`: http.client's connection. It wires the parts together and holds what spans exchanges: where to connect to, the
 * state, the link that is kept.
 *
 * It does not parse, pump, dial or keep clocks. The state it shows follows from what there is (a draft, an exchange, a claim on its
 * response), so no two of them can disagree.
 */
import type * as net from 'node:net';
import type * as tls from 'node:tls';
import type { Duplex } from 'node:stream';
import { Clock, resolveTimeouts } from './clock.js';
import type { Timeouts } from './clock.js';
import { checkBlocksize } from './connection-options.js';
import type { HTTPConnectionOptions } from './connection-options.js';
import { planConnect } from './connect-plan.js';
import type { Tunnel } from './connect-plan.js';
import { Connector } from './connector.js';
import { DetachedStream } from './detached-stream.js';
import {
  CannotSendHeader,
  CannotSendRequest,
  describeFailure,
  ImproperConnectionState,
  InvalidURL,
  NotConnected,
  ResponseNotReady,
  TimeoutError,
} from './errors.js';
import type { Phase } from './errors.js';
import { Exchange } from './exchange.js';
import type { ExchangeOwner } from './exchange.js';
import { authorityOf, formatAuthority, parseHostPort, validateHost } from './host.js';
import type { InformationalResponse } from './informational.js';
import { resolveLimits } from './limits.js';
import type { Limits } from './limits.js';
import { Link } from './link.js';
import { checkFieldName, checkFieldValue, fieldsOf, HTTPMessage } from './message.js';
import type { HeadersInit } from './message.js';
import { CALLS } from './protocol/exchange-table.js';
import type { Call, ConnectionState } from './protocol/exchange-table.js';
import { describeCharacter, findBadTargetCharacter, isToken } from './protocol/grammar.js';
import type { RequestBody } from './request-body.js';
import { planRequest } from './request-plan.js';
import type { RequestDraft, RequestOptions, RequestPlan } from './request-plan.js';
import type { HTTPResponse } from './response.js';
import { sendRaw } from './raw-send.js';
import { HTTP_PORT } from './status.js';
import { afterPoll } from './transport/poll-barrier.js';
import type { Transport } from './transport/transport.js';

interface DialWaiter {
  onLink(link: Link): void;
  onError(error: Error): void;
}

const REFUSALS = { CannotSendRequest, CannotSendHeader, ResponseNotReady };

/** One connection to a server, for one exchange at a time (http.client.HTTPConnection). Nothing is dialled by the constructor. */
export class HTTPConnection {
  /** The port when none is given. */
  static readonly defaultPort: number = HTTP_PORT;
  /** Milliseconds for every phase when the constructor gets no timeout; undefined: no limit. */
  static defaultTimeout: number | undefined = undefined;

  /** The host, without brackets. */
  readonly host: string;
  /** The port. */
  readonly port: number;
  /** Bytes in which a file is read and sent. */
  readonly blocksize: number;
  /** Above 0, what is sent and received is printed to standard output. */
  debugLevel = 0;
  /** Whether a request on a closed connection dials again. */
  autoOpen = true;

  protected readonly options: HTTPConnectionOptions;
  readonly #timeouts: Timeouts | null;
  readonly #limits: Readonly<Limits>;
  #tunnel: Tunnel | null = null;
  #proxyHeaders: HTTPMessage | null = null;
  #draft: RequestDraft | null = null;
  #exchange: Exchange | null = null;
  /** Whether `getResponse` was called for the exchange. */
  #claimed = false;
  /** A request whose body is still being looked at. */
  #planning: Promise<Exchange> | null = null;
  /** The error of a request that was refused in this very turn, for a `getResponse` called beside it. */
  #refused: { error: unknown } | null = null;
  #link: Link | null = null;
  #connector: Connector | null = null;
  /** Who waits for the connector: `connect`, an exchange, or both. */
  #dialWaiters: DialWaiter[] = [];
  /** What the last dial was doing when it failed. */
  #failedIn: Phase = 'connect';
  readonly #owner: ExchangeOwner;

  /**
   * @param host - a name, an address, or either with a port: `'host:8080'`, `'[::1]:80'`
   * @param port - overrides {@link defaultPort}
   * @throws InvalidURL for a host or port that cannot be used
   * @throws TypeError for an option of the wrong kind
   */
  constructor(host: string, port?: number | null, options: HTTPConnectionOptions = {}) {
    const target = parseHostPort(host, port, this.#class.defaultPort, (name) => {
      this.validateHost(name);
    });
    this.host = target.host;
    this.port = target.port;
    this.options = options;
    this.blocksize = checkBlocksize(options.blocksize);
    this.#limits = resolveLimits(options.limits);
    const { timeout = this.#class.defaultTimeout } = options;
    this.#timeouts = resolveTimeouts(timeout);
    this.#owner = this.#makeOwner();
  }

  /** `Idle`, `Request-started` after `putRequest`, `Request-sent` until `getResponse` has the head. */
  get state(): ConnectionState {
    if (this.#draft !== null) return 'Request-started';
    if (this.#planning !== null) return 'Request-sent';
    const exchange = this.#exchange;
    if (exchange === null || exchange.failure !== null) return 'Idle';
    return this.#claimed && exchange.response !== null ? 'Idle' : 'Request-sent';
  }

  /** The socket; null while not connected. */
  get socket(): net.Socket | tls.TLSSocket | null {
    return this.#link !== null && !this.#link.transport.closed ? this.#link.transport.socket : null;
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
    options: RequestOptions = {},
  ): Promise<void> {
    try {
      this.#check('request');
    } catch (error) {
      return Promise.reject(error as Error);
    }
    try {
      const draft = this.#makeDraft(method, url, fieldsOf(headers), false, false);
      return this.#begin(planRequest(draft, body, options, this.blocksize, false));
    } catch (error) {
      return this.#refuse(error);
    }
  }

  /**
   * The response to the request that was sent, once its head has arrived.
   *
   * @throws ResponseNotReady outside of Request-sent
   * @throws what ended the request, if it failed
   * @throws RemoteDisconnected, BadStatusLine, BadHeader, LineTooLong, LimitExceeded, UnknownProtocol, UnknownTransferEncoding
   */
  getResponse(): Promise<HTTPResponse> {
    if (this.#refused !== null) return Promise.reject(this.#refused.error as Error);
    const failure = this.#exchange?.failure;
    if (failure && !failure.reported && !this.#claimed) {
      this.#claimed = true;
      return Promise.reject(failure.error as Error);
    }
    try {
      this.#check('getResponse');
    } catch (error) {
      return Promise.reject(error as Error);
    }
    this.#claimed = true;
    return this.#planning === null
      ? (this.#exchange as Exchange).head()
      : this.#planning.then((exchange) => exchange.head());
  }

  /**
   * Opens the connection, which a request does by itself. Does nothing when it is open.
   *
   * @throws errors of the socket, TunnelError, TimeoutError
   */
  connect(): Promise<void> {
    if (this.#link?.usable === true) return Promise.resolve();
    if (this.#connector !== null)
      return Promise.reject(new ImproperConnectionState('the connection is being opened'));
    return new Promise((resolve, reject) => {
      const limit = this.#timeouts?.connect;
      const clock =
        limit === undefined
          ? null
          : new Clock({ connect: limit }, (timer, ms) => {
              this.#cancelDial(new TimeoutError(timer, this.#dialPhase, ms));
            });
      clock?.start('connect');
      this.#dial(
        () => {
          clock?.clear();
          resolve();
        },
        (error) => {
          clock?.clear();
          describeFailure(error, {
            method: 'connect',
            url: `${this.host}:${String(this.port)}`,
            phase: this.#dialPhase,
            bytesSent: 0,
            bytesReceived: 0,
          });
          reject(error);
        },
      );
    });
  }

  /**
   * Closes the connection and forgets what was put but not sent. Pending calls reject with `NotConnected`, a response whose body is
   * unfinished is destroyed with `IncompleteRead`. The next request dials again.
   */
  close(): void {
    this.#draft = null;
    const exchange = this.#exchange;
    this.#exchange = null;
    this.#claimed = false;
    this.#planning = null;
    exchange?.close();
    this.#cancelDial(new NotConnected('the connection was closed by close()'));
    this.#link?.close();
    this.#link = null;
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
   * Has the connection made through a proxy's CONNECT: the constructor's host is the proxy, this one the server.
   *
   * @param headers - fields of the CONNECT request, such as Proxy-Authorization
   * @throws ImproperConnectionState when connected
   * @throws InvalidURL, TypeError at once for a host, port or field that cannot be used
   */
  setTunnel(host: string, port?: number | null, headers?: HeadersInit): void {
    if (this.socket !== null || this.#connector !== null) {
      throw new ImproperConnectionState(
        'a tunnel can only be set before the connection is opened; close() it first',
      );
    }
    const target = parseHostPort(host, port, this.#class.defaultPort, (name) => {
      this.validateHost(name);
    });
    if (target.host === '') throw new InvalidURL('a tunnel needs a host');
    this.#tunnel = { ...target, fields: fieldsOf(headers) };
  }

  /** The fields of the proxy's last answer to CONNECT; null when there was none. */
  getProxyResponseHeaders(): HTTPMessage | null {
    return this.#proxyHeaders === null ? null : new HTTPMessage(this.#proxyHeaders);
  }

  /** Sets {@link debugLevel}. */
  setDebugLevel(level: number): void {
    this.debugLevel = level;
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
    options: { skipHost?: boolean; skipAcceptEncoding?: boolean } = {},
  ): void {
    this.#check('putRequest');
    this.#draft = this.#makeDraft(
      method,
      url,
      [],
      options.skipHost === true,
      options.skipAcceptEncoding === true,
    );
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
      return Promise.reject(error as Error);
    }
    const draft = this.#draft as RequestDraft;
    this.#draft = null;
    try {
      return this.#begin(planRequest(draft, body, options, this.blocksize, true));
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
  async send(data: RequestBody): Promise<void> {
    const exchange = this.#exchange;
    await this.#planning;
    await exchange?.sent.catch(ignore);
    if (this.#link?.usable !== true) {
      if (!this.autoOpen) throw new NotConnected('not connected, and autoOpen is false');
      await this.connect();
    }
    await sendRaw((this.#link as Link).transport, data, this.blocksize, (bytes) => {
      exchange?.takeMore(bytes);
    });
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
    this.#link = null;
    return new DetachedStream(link.transport, link.surplus);
  }

  /** Throws unless the method may go on the wire. Overridable, for tools that test servers. */
  protected validateMethod(method: string): void {
    if (typeof method !== 'string') throw new TypeError(`method must be a string, got ${typeof method}`);
    if (!isToken(method))
      throw new TypeError(`method ${JSON.stringify(method)} is not a token (RFC 9110 §9.1)`);
  }

  /** Throws unless the target may go on the wire. Overridable, for tools that test servers. */
  protected validateTarget(url: string): void {
    if (typeof url !== 'string') throw new TypeError(`url must be a string, got ${typeof url}`);
    const bad = findBadTargetCharacter(url);
    if (bad !== -1)
      throw new InvalidURL(`the target holds ${describeCharacter(url, bad)}; percent-encode it`);
  }

  /** Throws unless the host may be dialled and named in Host. Overridable, for tools that test servers. */
  protected validateHost(host: string): void {
    validateHost(host);
  }

  /** TLS with the server; null for none. */
  protected serverTLS(_host: string): tls.ConnectionOptions | null {
    return null;
  }

  /** A socket was opened. */
  protected onConnected(_socket: net.Socket): void {}

  get #class(): typeof HTTPConnection {
    return this.constructor as typeof HTTPConnection;
  }

  #check(call: Call): void {
    const next = CALLS[this.state][call];
    if (next in REFUSALS) throw new REFUSALS[next as keyof typeof REFUSALS](this.state);
    if (call === 'getResponse' && this.#claimed)
      throw new ResponseNotReady('getResponse() was already called for this request');
    if (call === 'request' || call === 'putRequest') this.#checkFree();
  }

  /** Whether the exchange before has left the connection to the next. */
  #checkFree(): void {
    const exchange = this.#exchange;
    if (exchange === null || exchange.failure !== null) return;
    const last = `${exchange.method} ${exchange.url}`;
    if (exchange.switched)
      throw new CannotSendRequest(`HTTP ended with the response to ${last}; detach() or close() first`);
    if (exchange.sending) throw new CannotSendRequest(`the body of ${last} is still being sent`);
    const pending = exchange.response?.pendingBytes;
    if (pending === 0 || pending === undefined) return;
    const unread = pending === null ? 'an unknown number of' : String(pending);
    throw new CannotSendRequest(
      `the response to ${last} has ${unread} unread bytes; read it to its end, drain() or destroy() it first`,
    );
  }

  #makeDraft(
    method: string,
    url: string,
    fields: string[],
    skipHost: boolean,
    skipAcceptEncoding: boolean,
  ): RequestDraft {
    this.validateMethod(method);
    this.validateTarget(url);
    const server = this.#tunnel ?? this;
    const host = skipHost
      ? null
      : (authorityOf(url) ?? formatAuthority(server.host, server.port, this.#class.defaultPort));
    return { method, url, fields, host, acceptIdentity: !skipAcceptEncoding };
  }

  #begin(plan: RequestPlan | Promise<RequestPlan>): Promise<void> {
    this.#refused = null;
    this.#claimed = false;
    this.#exchange = null;
    if (!(plan instanceof Promise)) return this.#start(plan).sent;
    const started = plan.then((ready) => {
      if (this.#planning !== planning) throw new NotConnected('the connection was closed by close()');
      return this.#start(ready);
    });
    const planning = started.finally(() => {
      if (this.#planning === planning) this.#planning = null;
    });
    this.#planning = planning;
    return planning.then((exchange) => exchange.sent);
  }

  #start(plan: RequestPlan): Exchange {
    const { timeout, signal } = plan.options;
    const exchange = new Exchange(
      plan,
      timeout === undefined ? this.#timeouts : resolveTimeouts(timeout),
      this.#owner,
    );
    this.#exchange = exchange;
    if (signal?.aborted === true) exchange.fail(signal.reason);
    else this.#provideLink(exchange);
    return exchange;
  }

  /** A promise that rejects, and the error for a `getResponse` that is called before this turn ends. */
  #refuse(error: unknown): Promise<void> {
    const refused = { error };
    this.#refused = refused;
    queueMicrotask(() => {
      if (this.#refused === refused) this.#refused = null;
    });
    return Promise.reject(error as Error);
  }

  #provideLink(exchange: Exchange): void {
    const link = this.#link;
    if (link === null || !link.usable) {
      this.#dialFor(exchange);
      return;
    }
    // What the peer sent or closed by now is seen before the request is written.
    afterPoll(() => {
      if (exchange.failure !== null) return;
      if (link.usable) exchange.start(link);
      else this.#dialFor(exchange);
    });
  }

  #dialFor(exchange: Exchange): void {
    if (!this.autoOpen) {
      exchange.fail(new NotConnected('not connected, and autoOpen is false'));
      return;
    }
    exchange.awaitConnection();
    this.#dial(
      (link) => {
        exchange.start(link);
      },
      (error) => {
        exchange.fail(error);
      },
    );
  }

  #dial(onLink: (link: Link) => void, onError: (error: Error) => void): void {
    this.#dialWaiters.push({ onLink, onError });
    if (this.#connector !== null) return;
    this.#proxyHeaders = null;
    const plan = planConnect(
      this,
      this.options,
      this.#tunnel,
      this.#limits,
      (host) => this.serverTLS(host),
      (headers) => {
        this.#proxyHeaders = headers;
      },
    );
    const connector = new Connector(plan, (error, transport) => {
      this.#failedIn = connector.phase;
      this.#connector = null;
      const waiters = this.#dialWaiters;
      this.#dialWaiters = [];
      if (transport === null) {
        for (const waiter of waiters) waiter.onError(error as Error);
        return;
      }
      const link = this.#adopt(transport);
      for (const waiter of waiters) waiter.onLink(link);
    });
    this.#connector = connector;
  }

  get #dialPhase(): Phase {
    return this.#connector?.phase ?? this.#failedIn;
  }

  #adopt(transport: Transport): Link {
    const link = new Link(transport, this.#limits);
    this.#link = link;
    this.onConnected(transport.socket);
    return link;
  }

  #cancelDial(reason: Error): void {
    if (this.#connector === null) return;
    this.#failedIn = this.#connector.phase;
    this.#connector.cancel();
    this.#connector = null;
    const waiters = this.#dialWaiters;
    this.#dialWaiters = [];
    for (const { onError } of waiters) onError(reason);
  }

  #makeOwner(): ExchangeOwner {
    // oxlint-disable-next-line typescript/no-this-alias -- the owner is an object of its own, so that none of this is public
    const connection = this;
    return {
      get debugLevel() {
        return connection.debugLevel;
      },
      get dialPhase() {
        return connection.#dialPhase;
      },
      get onInformational(): ((response: InformationalResponse) => void) | undefined {
        return connection.options.onInformational;
      },
      onExchangeOver(exchange, link) {
        if (connection.#exchange !== exchange) return;
        if (link !== null) return;
        connection.#cancelDial(new NotConnected('the connection was closed: the request on it failed'));
        connection.#link?.close();
        connection.#link = null;
      },
      debug(line) {
        process.stdout.write(`${line}\n`);
      },
    };
  }
}

function ignore(): void {}
