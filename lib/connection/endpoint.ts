/**
 * What a connection is before anything is sent over it: whom it reaches and how, and what may be asked of it.
 *
 * The settings that both connection classes share, their checks, and the hooks that subclasses override. It opens nothing and holds no
 * exchange.
 */
import type * as net from 'node:net';
import type * as tls from 'node:tls';
import type { InspectOptions } from 'node:util';
import { readOptions, resolveTimeouts } from '../options.js';
import type { TimeLimits } from '../options.js';
import { checkBlocksize, checkConnectionOptions, CONNECTION_OPTIONS } from '../opening/connection-options.js';
import type { HTTPConnectionOptions, OpeningOptions } from '../opening/connection-options.js';
import { planConnect } from '../opening/connect-plan.js';
import type { Tunnel } from '../opening/connect-plan.js';
import type { ConnectPlan } from '../opening/connector.js';
import { printLine } from '../trace.js';
import { ImproperConnectionState, InvalidURL } from '../errors.js';
import { authorityOf, formatAuthority, parseHostPort, validateHost } from '../opening/host.js';
import { resolveLimits } from '../limits.js';
import type { Limits } from '../limits.js';
import { fieldsOf, HTTPMessage } from '../fields/message.js';
import type { HeadersInit } from '../fields/message.js';
import { describeCharacter, findBadTargetCharacter, isToken } from '../protocol/grammar.js';
import type { RequestDraft } from '../request/plan.js';
import { HTTP_PORT } from '../status.js';

type Inspect = (value: unknown, options: InspectOptions) => string;

/** Whom a connection reaches, and how. */
export abstract class Endpoint {
  /** The port when none is given. */
  static readonly defaultPort: number = HTTP_PORT;
  /** Milliseconds for every phase when the constructor gets no timeout; undefined: no limit. */
  static defaultTimeout: number | undefined = undefined;
  /** @internal The options that have a meaning. */
  static readonly optionNames: ReadonlySet<string> = CONNECTION_OPTIONS;

  static {
    // Not a method, because a computed name would be on the public surface. It shows no option: keys and credentials are among them.
    Object.defineProperty(this.prototype, Symbol.for('nodejs.util.inspect.custom'), {
      value(this: Endpoint, depth: number, options: InspectOptions, inspect: Inspect): string {
        return this.#inspect(depth, options, inspect);
      },
    });
  }

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

  /** @internal */
  protected readonly options: HTTPConnectionOptions;
  /** @internal */
  protected readonly timeouts: TimeLimits | null;
  /** @internal */
  protected readonly limits: Readonly<Limits>;
  readonly #opening: OpeningOptions;
  #tunnel: Tunnel | null = null;
  #proxyHeaders: HTTPMessage | null = null;
  /** What Host names for an origin-form target; made once, as every request needs it. */
  #authority: string | null = null;

  constructor(host: string, port: number | null | undefined, options: HTTPConnectionOptions) {
    const target = this.#parseTarget(host, port);
    this.host = target.host;
    this.port = target.port;
    this.options = readOptions(options, this.#class.optionNames);
    this.#opening = checkConnectionOptions(this.options);
    this.blocksize = checkBlocksize(this.options.blocksize);
    this.limits = resolveLimits(this.options.limits);
    const { timeout = this.#class.defaultTimeout } = this.options;
    this.timeouts = resolveTimeouts(timeout);
  }

  /** The socket; null while not connected. */
  abstract get socket(): net.Socket | tls.TLSSocket | null;

  /** @internal */
  protected abstract get opening(): boolean;

  /**
   * Has the connection made through a proxy's CONNECT: the constructor's host is the proxy, this one the server.
   *
   * @param headers - fields of the CONNECT request, such as Proxy-Authorization
   * @throws ImproperConnectionState when connected
   * @throws InvalidURL, TypeError at once for a host, port or field that cannot be used
   */
  setTunnel(host: string, port?: number | null, headers?: HeadersInit): void {
    if (this.socket !== null || this.opening) {
      throw new ImproperConnectionState(
        'a tunnel can only be set before the connection is opened; close() it first',
      );
    }
    const target = this.#parseTarget(host, port);
    if (target.host === '') throw new InvalidURL('a tunnel needs a host');
    this.#tunnel = { ...target, fields: fieldsOf(headers) };
    this.#authority = null;
  }

  /** The fields of the proxy's last answer to CONNECT; null when there was none. */
  getProxyResponseHeaders(): HTTPMessage | null {
    return this.#proxyHeaders === null ? null : new HTTPMessage(this.#proxyHeaders);
  }

  /** Sets {@link debugLevel}. */
  setDebugLevel(level: number): void {
    this.debugLevel = level;
  }

  /** Throws unless the method may go on the wire. Overridable, for tools that test servers. */
  protected validateMethod(method: string): void {
    if (typeof method !== 'string') throw new TypeError(`method must be a string, got ${typeof method}`);
    if (!isToken(method)) {
      throw new TypeError(`method ${JSON.stringify(method)} is not a token (RFC 9110 §9.1)`);
    }
  }

  /** Throws unless the target may go on the wire. Overridable, for tools that test servers. */
  protected validateTarget(url: string): void {
    if (typeof url !== 'string') throw new TypeError(`url must be a string, got ${typeof url}`);
    const bad = findBadTargetCharacter(url);
    if (bad !== -1) {
      throw new InvalidURL(`the target holds ${describeCharacter(url, bad)}; percent-encode it`);
    }
  }

  /** Throws unless the host may be dialled and named in Host. Overridable, for tools that test servers. */
  protected validateHost(host: string): void {
    validateHost(host);
  }

  /** @internal TLS with the server; null for none. */
  protected serverTLS(_host: string): tls.ConnectionOptions | null {
    return null;
  }

  /** @internal A socket was opened. */
  protected onConnected(_socket: net.Socket): void {}

  /** @internal How to open the connection. */
  protected planConnection(): ConnectPlan {
    this.#proxyHeaders = null;
    return planConnect(
      this,
      this.#opening,
      this.#tunnel,
      this.limits,
      (host) => this.serverTLS(host),
      this.debugLevel > 0 ? printLine : null,
      (headers) => {
        this.#proxyHeaders = headers;
      },
    );
  }

  /** @internal What `inspect` shows besides. */
  protected shownState(): object {
    return {};
  }

  /** @internal Whom a link reaches, for whoever watches. */
  protected linkFacts(): { host: string; port: number; proxy: string | null } {
    const tunnel = this.#tunnel;
    if (tunnel === null) return { host: this.host, port: this.port, proxy: null };
    return { host: tunnel.host, port: tunnel.port, proxy: formatAuthority(this.host, this.port) };
  }

  /** @internal The beginning of a request, checked. */
  protected draftRequest(
    method: string,
    url: string,
    fields: string[],
    skipHost: boolean,
    skipAcceptEncoding: boolean,
  ): RequestDraft {
    this.validateMethod(method);
    this.validateTarget(url);
    const host = skipHost ? null : (authorityOf(url) ?? (this.#authority ??= this.#formatAuthority()));
    return { method, url, fields, host, acceptIdentity: !skipAcceptEncoding };
  }

  #inspect(depth: number, options: InspectOptions, inspect: Inspect): string {
    const { name } = this.constructor;
    if (depth < 0) return `[${name}]`;
    const { host, port, proxy } = this.linkFacts();
    const reach = proxy === null ? { host, port } : { host, port, proxy };
    return `${name} ${inspect({ ...reach, ...this.shownState() }, options)}`;
  }

  #formatAuthority(): string {
    const { host, port } = this.#tunnel ?? this;
    return formatAuthority(host, port, this.#class.defaultPort);
  }

  #parseTarget(host: string, port: number | null | undefined): { host: string; port: number } {
    return parseHostPort(host, port, this.#class.defaultPort, (name) => {
      this.validateHost(name);
    });
  }

  get #class(): typeof Endpoint {
    return this.constructor as typeof Endpoint;
  }
}
