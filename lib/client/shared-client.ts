/**
 * One client for a whole program: `request()`, `stream()`, `resumable()`, and its end. It is made on first use.
 */
import type { RequestStream } from '../connection/request-stream.js';
import type { HeadersInit } from '../fields/message.js';
import type { PoolBody } from '../pool/body-maker.js';
import type { HTTPResponse } from '../response/response.js';
import { HTTPClient } from './client.js';
import type { ClientRequestOptions } from './client-options.js';
import type { ResumableOptions } from './download-options.js';
import type { ResumableDownload } from './resumable-download.js';

let shared: HTTPClient | null = null;

/**
 * Sends a request on a client that the program shares, with its pools. `HTTPClient.request` says all of it.
 *
 * @param url - absolute
 */
export function request(
  method: string,
  url: string | URL,
  body?: PoolBody | null,
  headers?: HeadersInit,
  options?: ClientRequestOptions,
): Promise<HTTPResponse> {
  return (shared ??= new HTTPClient()).request(method, url, body, headers, options);
}

/**
 * A request as a Duplex, on the client that the program shares. `HTTPClient.stream` says all of it.
 *
 * @param url - absolute
 */
export function stream(
  method: string,
  url: string | URL,
  headers?: HeadersInit,
  options?: ClientRequestOptions,
): RequestStream {
  return (shared ??= new HTTPClient()).stream(method, url, headers, options);
}

/**
 * Begins a download that goes on after its connection was lost, on the client that the program shares. `HTTPClient.resumable` says all
 * of it.
 *
 * @param url - absolute
 */
export function resumable(url: string | URL, options?: ResumableOptions): Promise<ResumableDownload> {
  return (shared ??= new HTTPClient()).resumable(url, options);
}

/** Closes the pools of the shared client, as its `close()` does. The next call makes new ones. */
export function closeAll(): Promise<void> {
  const client = shared;
  shared = null;
  return client === null ? Promise.resolve() : client.close();
}
