/**
 * `HTTPClient`: one call for any origin. It knows where a call goes, and goes on where a redirect leads.
 *
 * A call is one request to the pool of its origin; with redirects, one after the other. It opens nothing and parses nothing but URLs.
 */
import { RequestStream } from '../connection/request-stream.js';
import { describeFailure, NotConnected } from '../errors.js';
import { fieldsOf } from '../fields/message.js';
import type { HeadersInit } from '../fields/message.js';
import { readOptions, resolveTimeouts } from '../options.js';
import type { TimeLimits } from '../options.js';
import { checkTLSOptions } from '../opening/tls-options.js';
import { addToMessage } from '../pool/attempts.js';
import type { PoolBody } from '../pool/body-maker.js';
import { DRAIN } from '../pool/call.js';
import type { Call } from '../pool/call.js';
import { withDefaults } from '../pool/default-fields.js';
import { Pool } from '../pool/pool.js';
import type { PoolRequestOptions } from '../pool/pool-options.js';
import type { HTTPResponse } from '../response/response.js';
import { CLIENT_REQUEST_OPTIONS, readClientOptions, readClientRequestOptions } from './client-options.js';
import type { ClientOptions, ClientRequestOptions, RedirectDefaults } from './client-options.js';
import { planDownload } from './download-options.js';
import type { ResumableOptions } from './download-options.js';
import { Pools } from './pools.js';
import type { ClientStats } from './pools.js';
import { Trail } from './redirects.js';
import type { Hop } from './redirects.js';
import { beginDownload } from './resumable-download.js';
import type { ResumableDownload } from './resumable-download.js';
import { resolveBase, resolveURL } from './request-url.js';

/** One call for any origin: a pool for each, made on first use. */
export class HTTPClient {
  readonly #pools: Pools;
  readonly #base: URL | null;
  readonly #policy: RedirectDefaults;
  readonly #defaults: readonly string[];
  readonly #timeouts: TimeLimits | null;
  /** Calls that may still go on to another origin. */
  readonly #following = new Set<Promise<unknown>>();
  #refusal: string | null = null;
  /** What `destroy()` has ended everything with. */
  #destroyed: Error | null = null;

  /**
   * @throws InvalidURL, UnknownProtocol for a `baseURL` or a proxy that cannot be used
   * @throws TypeError, RangeError for an option that cannot be used
   */
  constructor(options?: ClientOptions) {
    const { baseURL, policy, pool } = readClientOptions(options);
    this.#base = baseURL === undefined ? null : resolveBase(baseURL);
    this.#policy = policy;
    // Which of them go to which origin is decided here, since credentials do not follow a redirect.
    const { headers, ...rest } = pool;
    this.#defaults = fieldsOf(headers);
    this.#timeouts = resolveTimeouts(rest.timeout);
    // What no pool could use is refused now; a TLS context is made once for all of them.
    const { proxy } = rest;
    void new Pool('https://localhost', { ...rest, proxy: proxy === 'env' ? null : proxy });
    this.#pools = new Pools(
      rest.context === undefined ? rest : { ...rest, context: checkTLSOptions(rest).context },
    );
  }

  /** How it stands, at this moment. */
  get stats(): ClientStats {
    return this.#pools.stats;
  }

  /**
   * Sends a request to whomever the URL names.
   *
   * @param url - absolute, or relative to `baseURL`; a fragment is dropped, user information becomes Authorization
   * @param body - a body, or a function that makes one for each attempt
   * @param headers - they take the place of the client's default fields of the same names
   * @returns the response, once its head has arrived; `url` is where it came from, `redirectedFrom` what led there
   * @throws InvalidURL, UnknownProtocol, TypeError for bad input, before anything is opened
   * @throws RedirectError for a redirect that may not be followed
   * @throws what a request of a pool throws
   */
  request(
    method: string,
    url: string | URL,
    body?: PoolBody | null,
    headers?: HeadersInit,
    options?: ClientRequestOptions,
  ): Promise<HTTPResponse> {
    try {
      return this.#send(method, url, body, headers, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * A request as a Duplex: what is written is the body, what is read is the response's body. A body that was written can not be sent
   * again: neither for a retry nor for a redirect that keeps it.
   *
   * @throws what {@link request} refuses, at once; what fails later destroys the stream
   */
  stream(
    method: string,
    url: string | URL,
    headers?: HeadersInit,
    options?: ClientRequestOptions,
  ): RequestStream {
    const { signal } = readOptions(options, CLIENT_REQUEST_OPTIONS);
    return new RequestStream(
      method,
      (body, ended) =>
        this.#send(method, url, body as PoolBody | null, headers, { ...options, signal: ended }),
      signal,
    );
  }

  /**
   * Downloads with GET what goes on after its connection was lost or stood still, in every way of reading: the rest is asked for by Range
   * and If-Range when the reader wants more, and used once it was verified. Only where a strong ETag, or a Last-Modified at least a minute
   * before Date, tells the file from a later one; otherwise a failure is given as it is.
   *
   * @param url - as for {@link request}
   * @returns the download, once the first head has arrived; a status other than 2xx is shown as it is and never gone on with
   * @throws ResourceChanged, BadHeader, BadEncoding when `from` cannot be gone on from; reading throws them too
   * @throws what {@link request} throws
   */
  resumable(url: string | URL, options?: ResumableOptions): Promise<ResumableDownload> {
    try {
      const plan = planDownload(options, this.#timeouts);
      const asked = url instanceof URL ? url.href : url;
      return beginDownload((fields, more) => this.request('GET', asked, null, fields, more), plan);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Takes no more requests, and lets those that run or wait end. Resolves when the last connection is closed. */
  async close(): Promise<void> {
    this.#refusal ??= 'the client was closed by close()';
    await Promise.allSettled(this.#following);
    await this.#pools.close();
  }

  /**
   * Ends everything now: requests that wait or run, and responses that are being read.
   *
   * @param error - what they are ended with. Default: `NotConnected`
   */
  destroy(error?: Error): void {
    this.#refusal = 'the client was closed by destroy()';
    this.#destroyed = error ?? new NotConnected(this.#refusal);
    this.#pools.destroy(this.#destroyed);
  }

  /** The same as {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @throws what is wrong, at once */
  #send(
    method: string,
    url: string | URL,
    body: PoolBody | null | undefined,
    headers: HeadersInit | undefined,
    options: ClientRequestOptions | undefined,
  ): Promise<HTTPResponse> {
    const { policy, pool } = readClientRequestOptions(options, this.#policy);
    const resolved = resolveURL(url, this.#base);
    if (this.#refusal !== null) throw new NotConnected(this.#refusal);
    const fields = withDefaults(this.#defaults, fieldsOf(headers));
    if (resolved.authorization !== null && !hasAuthorization(fields))
      fields.push('Authorization', resolved.authorization);
    const hop: Hop = { method, url: resolved.url, fields, keepsBody: body !== null && body !== undefined };
    if (policy.redirects === 0) return this.#call(hop, body, pool).start();
    // The first request is refused at once where it is bad.
    const following = this.#follow(hop, this.#call(hop, body, pool), body, pool, policy);
    this.#following.add(following);
    const forget = (): void => {
      this.#following.delete(following);
    };
    following.then(forget, forget);
    return following;
  }

  #call(
    { method, url, fields }: Hop,
    body: PoolBody | null | undefined,
    options: PoolRequestOptions | undefined,
    begunAt?: number,
    redirectedFrom?: readonly string[],
  ): Call {
    return this.#pools.for(url.origin).call({
      method,
      url: url.pathname + url.search,
      shownURL: url.href,
      body,
      fields: [...fields],
      options,
      begunAt,
      redirectedFrom,
    });
  }

  async #follow(
    first: Hop,
    firstCall: Call,
    body: PoolBody | null | undefined,
    given: PoolRequestOptions | undefined,
    policy: RedirectDefaults,
  ): Promise<HTTPResponse> {
    const begunAt = performance.now();
    const trail = new Trail(policy, first);
    let hop = first;
    let call = firstCall;
    let options = given;
    for (;;) {
      let response: HTTPResponse;
      try {
        response = await call.start();
      } catch (error) {
        nameHop(error, trail.urls, given?.signal);
        throw error;
      }
      if (!trail.leadsOn(response.status)) return response;
      const locations = response.headers.getAll('location');
      if (locations.length === 0) return response;
      // Its connection is free again, or closed, before the next request asks for one.
      const drained = response.drain(DRAIN).catch(ignore);
      let next: Hop;
      try {
        next = trail.next(hop, response.status, locations, call.bodyAgain);
      } catch (error) {
        await drained;
        describeFailure(error, { method: hop.method, url: hop.url.href });
        throw error;
      }
      await drained;
      if (hop.keepsBody && !next.keepsBody && options !== undefined) {
        const { trailers: _, encodeChunked: __, ...rest } = options;
        options = rest;
      }
      hop = next;
      if (this.#destroyed !== null) throw this.#destroyed;
      call = this.#call(hop, hop.keepsBody ? body : null, options, begunAt, trail.urls.slice(0, -1));
    }
  }
}

/** Says in an error of ours which redirects have led to it. */
function nameHop(error: unknown, urls: readonly string[], signal: AbortSignal | undefined): void {
  if (urls.length > 1 && error !== signal?.reason)
    addToMessage(error, `redirected from ${urls.slice(0, -1).join(', ')}`);
}

function hasAuthorization(fields: readonly string[]): boolean {
  return fields.some((name, index) => index % 2 === 0 && name.toLowerCase() === 'authorization');
}

function ignore(): void {}
