/**
 * The options of one request, and how they are checked. What they mean is said where they are used.
 */
import type { Trailers } from '../coding/chunked-encoder.js';
import type { InformationalResponse } from '../fields/message.js';
import { trailerFields } from '../fields/trailers.js';
import { namesOf, readOptions } from '../options.js';
import type { Timeouts } from '../options.js';

/** Options of one request. */
export interface RequestOptions {
  /** With a caller's Transfer-Encoding: whether the body is still to be chunk-encoded; false says that the caller has done it. Default true. */
  encodeChunked?: boolean | undefined;
  /** Fields sent behind a chunked body, or a function called when it has ended. */
  trailers?: Trailers | undefined;
  /** Aborts the exchange: the pending call rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  /** Time limits of this exchange, instead of the connection's. */
  timeout?: number | Timeouts | null | undefined;
  /** With `Expect: 100-continue`: milliseconds to wait before the body is sent anyway. Default 1000. */
  expectTimeout?: number | undefined;
  /** Told of each interim (1xx) response. */
  onInformational?: ((response: InformationalResponse) => void) | undefined;
}

/** Their names. */
export const REQUEST_OPTIONS: ReadonlySet<string> = namesOf<RequestOptions>({
  encodeChunked: true,
  trailers: true,
  signal: true,
  timeout: true,
  expectTimeout: true,
  onInformational: true,
});

/**
 * The options' own members, checked.
 *
 * @throws TypeError for what is no object of options, an unknown name, or a member of the wrong kind
 */
export function readRequestOptions(given: RequestOptions | undefined): Readonly<RequestOptions> {
  const options = readOptions(given, REQUEST_OPTIONS);
  const { signal, onInformational, expectTimeout, trailers } = options;
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw new TypeError('signal must be an AbortSignal');
  if (onInformational !== undefined && typeof onInformational !== 'function') {
    throw new TypeError('onInformational must be a function');
  }
  if (expectTimeout !== undefined && !(expectTimeout >= 0)) {
    throw new TypeError('expectTimeout must be a non-negative number of milliseconds');
  }
  if (trailers !== undefined && typeof trailers !== 'function') trailerFields(trailers);
  return options;
}
