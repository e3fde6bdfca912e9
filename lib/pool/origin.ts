/**
 * What a pool reaches, and how: the origin, the proxy before it, and what every request and connection is made with.
 *
 * It drafts requests and plans connections as a connection does for itself; it holds no link and sends nothing.
 */
import type { Duplex } from 'node:stream';
import type * as tls from 'node:tls';
import { Endpoint } from '../connection/endpoint.js';
import { InvalidURL, UnknownProtocol } from '../errors.js';
import type { LinkFacts } from '../exchange/link.js';
import { messageOf } from '../fields/message.js';
import { SECURE_CONNECTION_OPTIONS } from '../opening/connection-options.js';
import type { HTTPSConnectionOptions } from '../opening/connection-options.js';
import type { ConnectPlan } from '../opening/connector.js';
import { formatAuthority } from '../opening/host.js';
import type { Proxy } from '../opening/proxies.js';
import { checkProxyTLS, tlsOptions } from '../opening/tls-options.js';
import type { ProxyTLSOptions } from '../opening/tls-options.js';
import { TLSPeer } from '../opening/tls-peer.js';
import { hideUserInfo } from '../opening/user-info.js';
import { kindOf } from '../options.js';
import type { TimeLimits } from '../options.js';
import type { Limits } from '../limits.js';
import type { RequestDraft } from '../request/plan.js';
import { HTTP_PORT, HTTPS_PORT } from '../status.js';

/**
 * An origin as a caller names it.
 *
 * @throws InvalidURL for what is no URL, or has a path, query, fragment or user information; UnknownProtocol; TypeError
 */
export function parseOrigin(given: string | URL): URL {
  if (typeof given !== 'string' && !(given instanceof URL))
    throw new TypeError(`an origin must be a string or a URL, got ${kindOf(given)}`);
  const text = String(given);
  if (!URL.canParse(text))
    throw new InvalidURL(
      `${JSON.stringify(hideUserInfo(text).slice(0, 200))} is no origin, as in http://host:port`,
    );
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    const error = new UnknownProtocol(url.protocol.slice(0, -1));
    error.message = `the origin has the scheme ${url.protocol} and must have http: or https:`;
    throw error;
  }
  // Not by what the parser made of it: 'http://@host' and 'http://host/?' have these parts too, and they are empty.
  if (!/^[^/?#@]*\/\/[^/?#@\\]*\/?$/.test(text))
    throw new InvalidURL(`an origin has no path, query or user information: ${url.origin} is one`);
  return url;
}

/** One origin, reached straight or through a proxy. */
export class Origin extends Endpoint {
  /** Scheme, host and port, as `URL.origin`. */
  readonly name: string;
  /** Where an http proxy is asked for the origin's things, its URLs are written out. */
  readonly #absolute: string | null;
  readonly #proxy: Proxy | null;
  /** TLS with an https proxy of an http origin. */
  readonly #proxyTLS: ProxyTLSOptions | null;
  readonly #facts: Omit<LinkFacts, 'ms'>;

  /** @internal */
  static override readonly optionNames: ReadonlySet<string> = SECURE_CONNECTION_OPTIONS;

  constructor(url: URL, proxy: Proxy | null, options: HTTPSConnectionOptions) {
    const secure = url.protocol === 'https:';
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const port = url.port === '' ? (secure ? HTTPS_PORT : HTTP_PORT) : Number(url.port);
    const tunnelled = proxy !== null && secure;
    const proxyTLS = typeof options.proxyTLS === 'object' ? options.proxyTLS : true;
    super(proxy?.host ?? host, proxy?.port ?? port, {
      ...options,
      proxyTLS: tunnelled && proxy.secure ? proxyTLS : undefined,
    });
    this.name = url.origin;
    this.#proxy = proxy;
    // Refused when it cannot be used, also where there is no proxy to use it with.
    checkProxyTLS(options.proxyTLS);
    this.#proxyTLS = proxy?.secure === true && !secure ? checkProxyTLS(proxyTLS) : null;
    this.#facts = { host, port, proxy: proxy === null ? null : formatAuthority(proxy.host, proxy.port) };
    this.#absolute = proxy !== null && !secure ? `http://${formatAuthority(host, port, HTTP_PORT)}` : null;
    if (tunnelled) {
      const { authorization } = proxy;
      this.setTunnel(host, port, authorization === null ? {} : { 'Proxy-Authorization': authorization });
    }
  }

  /** None: its connections are the pool's. */
  override get socket(): null {
    return null;
  }

  /** @internal */
  protected override get opening(): boolean {
    return false;
  }

  /** Time limits of an exchange that brings none of its own. */
  get defaultTimeouts(): TimeLimits | null {
    return this.timeouts;
  }

  /** Bounds on what the peer may send. */
  get peerLimits(): Readonly<Limits> {
    return this.limits;
  }

  /** How to open a connection. */
  plan(): ConnectPlan {
    return this.planConnection();
  }

  /** What is told of a connection that is opened. */
  get facts(): Omit<LinkFacts, 'ms'> {
    return this.#facts;
  }

  /** A connection was opened. */
  opened(socket: Duplex): void {
    this.onConnected(socket as never);
  }

  /** The beginning of a request, checked: `url` as the caller gave it becomes the target that goes on the wire. */
  draft(method: string, url: string, fields: string[]): RequestDraft {
    const absolute = this.#absolute;
    if (absolute === null) return this.draftRequest(method, url, fields, false, false);
    this.validateTarget(url);
    const path = url === '' ? '/' : url;
    const target = path === '*' ? absolute : path.startsWith('/') ? absolute + path : path;
    const authorization = this.#proxy?.authorization ?? null;
    const own = messageOf(fields).has('proxy-authorization');
    if (authorization !== null && !own) fields.push('Proxy-Authorization', authorization);
    return this.draftRequest(method, target, fields, false, false);
  }

  /** TLS with the peer that is dialled; here that is at most an http proxy. */
  protected override serverTLS(host: string): tls.ConnectionOptions | null {
    return this.#proxyTLS === null ? null : tlsOptions(host, this.#proxyTLS);
  }
}

/** The same over TLS with the origin. Sessions are resumed. */
export class SecureOrigin extends Origin {
  static override readonly defaultPort: number = HTTPS_PORT;
  readonly #peer: TLSPeer;

  /** @throws what Node throws for a TLS context that cannot be made */
  constructor(url: URL, proxy: Proxy | null, options: HTTPSConnectionOptions) {
    super(url, proxy, options);
    this.#peer = new TLSPeer(options);
  }

  protected override serverTLS(host: string): tls.ConnectionOptions {
    return this.#peer.optionsFor(host);
  }

  protected override onConnected(socket: never): void {
    this.#peer.opened(socket);
  }
}
