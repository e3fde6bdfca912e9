/**
 * The public names of millrace, and nothing else: a streaming HTTP/1.1 client with the shape of Python's http.client.
 *
 * @packageDocumentation
 */
export { HTTPClient } from './client/client.js';
export type { ClientOptions, ClientRequestOptions } from './client/client-options.js';
export type { DownloadOptions, ResumableOptions, ResumeEvent } from './client/download-options.js';
export type { ClientStats } from './client/pools.js';
export { ResumableDownload } from './client/resumable-download.js';
export { closeAll, request, resumable, stream } from './client/shared-client.js';
export { ChunkedDecoder } from './coding/chunked-decoder.js';
export type { ChunkedDecoderOptions } from './coding/chunked-decoder.js';
export { ChunkedEncoder } from './coding/chunked-encoder.js';
export type { ChunkedEncoderOptions, Trailers } from './coding/chunked-encoder.js';
export type { Timeouts } from './options.js';
export { HTTPConnection } from './connection/connection.js';
export type { HTTPConnectionOptions, HTTPSConnectionOptions } from './opening/connection-options.js';
export type { ConnectTarget, CreateConnection } from './opening/given.js';
export type { ProxyTLSOptions, TLSOptions } from './opening/tls-options.js';
export { TunnelError } from './opening/tunnel-error.js';
export {
  BadChunk,
  BadEncoding,
  BadHeader,
  BadStatusLine,
  CannotSendHeader,
  CannotSendRequest,
  ContentLengthMismatch,
  HTTPException,
  ImproperConnectionState,
  IncompleteRead,
  InvalidURL,
  LimitExceeded,
  LineTooLong,
  NotConnected,
  RedirectError,
  RemoteDisconnected,
  ResourceChanged,
  ResponseNotReady,
  TimeoutError,
  UnimplementedFileMode,
  UnknownProtocol,
  UnknownTransferEncoding,
} from './errors.js';
export type { DialledAddress, ExchangeData, LineType, Phase, TimerName } from './errors.js';
export { RequestStream } from './connection/request-stream.js';
export { HTTPSConnection } from './connection/https-connection.js';
export type { LimitOverrides, Limits } from './limits.js';
export { HTTPMessage } from './fields/message.js';
export type { HeadersInit, InformationalResponse } from './fields/message.js';
export { parseHeaders } from './fields/parse-headers.js';
export type { Timings } from './timing.js';
export type { RequestStart } from './exchange/record.js';
export type { PoolBody } from './pool/body-maker.js';
export { HTTPConnectionPool } from './pool/connection-pool.js';
export type { PoolStats } from './pool/pool.js';
export type { PoolOptions, PoolRequestOptions } from './pool/pool-options.js';
export type { Attempt, RetryOptions } from './pool/retry.js';
export type { ConnectionState } from './protocol/exchange-table.js';
export type { RequestBody } from './request/body.js';
export type { RequestOptions } from './request/request-options.js';
export { decoded } from './response/decoded.js';
export type { DecodedOptions } from './response/decoded.js';
export { HTTPResponse } from './response/response.js';
export type { DrainOptions } from './response/response.js';
export type { ReadOptions } from './response/body-readers.js';
export type { SaveOptions } from './response/save.js';
export { HTTP_PORT, HTTPS_PORT, HTTPStatus, responses } from './status.js';
export { createFetch } from './web/fetch.js';
export type { FetchClient, FetchOptions } from './web/fetch.js';
export { fromResponse } from './web/from-response.js';
export { toResponse } from './web/to-response.js';
