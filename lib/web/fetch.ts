/**
 * `createFetch`: a function of `fetch`'s shape over a client of this library, for what takes one: ky, SDKs, readers of server-sent events.
 *
 * It translates and does nothing else: connections, redirects, retries, proxies and time limits are the client's.
 */
import type { HeadersInit as FieldsInit } from '../fields/message.js';
import type { RequestBody } from '../request/body.js';
import type { HTTPResponse } from '../response/response.js';
import { bodyAtHand } from './request-body.js';
import { toResponse } from './to-response.js';

/** What `createFetch` asks of a client with each request. */
export interface FetchOptions {
  /** Undo content codings, as `fetch` does. */
  decompress: true;
  /** 20 for `redirect: 'follow'`, else 0. */
  redirects: number;
  /** The caller's signal, where there is one. */
  signal?: AbortSignal;
}

/** What `createFetch` needs: an `HTTPClient`, or whatever stands before one. */
export interface FetchClient {
  /** As `HTTPClient.request`. */
  request(
    method: string,
    url: string | URL,
    body: RequestBody | null,
    headers: FieldsInit,
    options: FetchOptions,
  ): Promise<HTTPResponse>;
}

const MOST_REDIRECTS = 20;

/**
 * A `fetch` over a client. It takes what `fetch` takes: a URL (also one relative to the client's `baseURL`) or a `Request`, with method,
 * headers, body, signal and redirect mode; `duplex: 'half'` is how every stream is sent. Modes of browsers (cache, credentials, cors) mean nothing here.
 *
 * It rejects with the signal's reason when that aborts, with a TypeError for bad arguments, and otherwise with `TypeError('fetch failed')`
 * whose `cause` is this library's error. With `redirect: 'manual'` the redirect is given as it is.
 */
export function createFetch(client: FetchClient): typeof globalThis.fetch {
  return async function fetch(input, init = {}) {
    const request = input instanceof Request ? input : null;
    const redirect = init.redirect ?? request?.redirect ?? 'follow';
    const signal = init.signal === undefined ? request?.signal : init.signal;
    const method = normalized(init.method ?? request?.method ?? 'GET');
    const headers = new Headers(init.headers ?? request?.headers);
    const options: FetchOptions = { decompress: true, redirects: redirect === 'follow' ? MOST_REDIRECTS : 0 };
    if (signal) options.signal = signal;
    if (init.integrity || request?.integrity) throw new TypeError('this fetch cannot check integrity');

    let response: HTTPResponse | null = null;
    try {
      const body = await bodyFor(init.body === undefined ? request : init.body, headers);
      if (body !== null && (method === 'GET' || method === 'HEAD'))
        throw new TypeError(`a ${method} request cannot have a body`);
      response = await client.request(
        method,
        request?.url ?? (input as string | URL),
        body,
        headers,
        options,
      );
      if (redirect === 'error' && isRedirect(response)) throw new Error('unexpected redirect');
      // A Request's signal follows that of its maker only as long as the Request is alive, and the body may be aborted too.
      response.once('close', () => request);
      return toResponse(response);
    } catch (error) {
      response?.destroy();
      if (error instanceof TypeError || (signal?.aborted === true && error === signal.reason)) throw error;
      throw new TypeError('fetch failed', { cause: error });
    }
  };
}

/** The body, with the Content-Type that `fetch` gives it when the caller gave none. */
function bodyFor(
  body: Request | RequestInit['body'],
  headers: Headers,
): RequestBody | null | Promise<RequestBody | null> {
  if (body === null || body === undefined) return null;
  // Always UTF-8, whatever Content-Type says: that is the standard's way.
  if (typeof body === 'string') return typed(Buffer.from(body), 'text/plain;charset=UTF-8', headers);
  if (body instanceof Request) {
    if (body.bodyUsed) throw new TypeError("the Request's body has been used already");
    return body.body === null ? null : bodyAtHand(body.body);
  }
  return body instanceof Blob ? typed(body, body.type, headers) : (body as RequestBody);
}

function typed(body: RequestBody, type: string, headers: Headers): RequestBody {
  if (type !== '' && !headers.has('content-type')) headers.set('content-type', type);
  return body;
}

/** Methods are case-sensitive; the standard mends the spelling of these. */
function normalized(method: string): string {
  return /^(?:delete|get|head|options|post|put)$/i.test(method) ? method.toUpperCase() : method;
}

function isRedirect({ status, headers }: HTTPResponse): boolean {
  return [301, 302, 303, 307, 308].includes(status) && headers.has('location');
}
