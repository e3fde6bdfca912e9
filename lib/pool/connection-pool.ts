/**
 * `HTTPConnectionPool`: many connections to one origin, as callers see them. What happens in it, `Pool` decides.
 */
import { RequestStream } from '../connection/request-stream.js';
import { fieldsOf } from '../fields/message.js';
import type { HeadersInit } from '../fields/message.js';
import { hideUserInfo } from '../opening/user-info.js';
import { readOptions } from '../options.js';
import type { HTTPResponse } from '../response/response.js';
import type { PoolBody } from './body-maker.js';
import { Pool } from './pool.js';
import type { PoolStats } from './pool.js';
import { POOL_REQUEST_OPTIONS } from './pool-options.js';
import type { PoolOptions, PoolRequestOptions } from './pool-options.js';

/** Many connections to one origin; each request takes one that is free, or opens another, or waits. */
export class HTTPConnectionPool {
  readonly #pool: Pool;

  /**
   * @param origin - `'http://host:port'` or `'https://…'`
   * @throws InvalidURL for an origin or proxy that cannot be used, or an origin with a path, query or user information
   * @throws UnknownProtocol for another scheme
   * @throws TypeError, RangeError for an option that cannot be used
   */
  constructor(origin: string | URL, options?: PoolOptions) {
    this.#pool = new Pool(origin, options);
  }

  /** Scheme, host and port, as `URL.origin`. */
  get origin(): string {
    return this.#pool.origin;
  }

  /** How it stands, at this moment. */
  get stats(): PoolStats {
    return this.#pool.stats;
  }

  /**
   * Sends a request on a connection that is free, a new one, or the next that becomes free.
   *
   * @param url - the target, as for `HTTPConnection.request`
   * @param body - a body, or a function that makes one for each attempt
   * @param headers - they take the place of the pool's default fields of the same names
   * @returns the response, once its head has arrived; its connection goes back when it was read to its end, drained or destroyed
   * @throws TypeError, InvalidURL for bad input, before anything is opened
   * @throws NotConnected behind `close()` or `destroy()`
   * @throws LimitExceeded (limit `maxWaiting`), TimeoutError (timer `acquire`)
   * @throws what `HTTPConnection.request` and `getResponse` throw; `error.attempts` lists the attempts
   */
  request(
    method: string,
    url: string,
    body?: PoolBody | null,
    headers?: HeadersInit,
    options?: PoolRequestOptions,
  ): Promise<HTTPResponse> {
    try {
      return this.#send(method, url, body, headers, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * A request as a Duplex: what is written is the body, what is read is the response's body. A body that was written can not be sent
   * again.
   *
   * @throws what {@link request} refuses, at once; what fails later destroys the stream
   */
  stream(method: string, url: string, headers?: HeadersInit, options?: PoolRequestOptions): RequestStream {
    const { signal } = readOptions(options, POOL_REQUEST_OPTIONS);
    return new RequestStream(
      method,
      (body, ended) =>
        this.#send(method, url, body as PoolBody | null, headers, { ...options, signal: ended }),
      signal,
    );
  }

  /**
   * Opens connections ahead of the first request, as many as fit.
   *
   * @param count - how many. Default 1
   * @throws with the first failure: errors of the socket, TunnelError, TimeoutError; NotConnected behind `close()`
   */
  connect(count: number = 1): Promise<void> {
    return this.#pool.connect(count);
  }

  /** Takes no more requests, and lets those that run or wait end. Resolves when the last connection is closed. */
  close(): Promise<void> {
    return this.#pool.close();
  }

  /**
   * Ends everything now: requests that wait or run, and responses that are being read.
   *
   * @param error - what they are ended with. Default: `NotConnected`
   */
  destroy(error?: Error): void {
    this.#pool.destroy(error);
  }

  /** The same as {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @throws what is wrong, at once */
  #send(
    method: string,
    url: string,
    body: PoolBody | null | undefined,
    headers: HeadersInit | undefined,
    options: PoolRequestOptions | undefined,
  ): Promise<HTTPResponse> {
    return this.#pool
      .call({
        method,
        url,
        shownURL: typeof url === 'string' ? hideUserInfo(url) : url,
        body,
        fields: fieldsOf(headers),
        options: options === undefined ? undefined : readOptions(options, POOL_REQUEST_OPTIONS),
      })
      .start();
  }
}
