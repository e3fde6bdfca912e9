/**
 * What the package exports: the names of the contract, and nothing else.
 */

import { expect } from 'chai';

import * as millrace from '../lib/index.js';
import type {
  ChunkedDecoderOptions,
  ChunkedEncoderOptions,
  ConnectionState,
  DialledAddress,
  DrainOptions,
  ExchangeData,
  HeadersInit,
  HTTPConnectionOptions,
  HTTPSConnectionOptions,
  InformationalResponse,
  LimitOverrides,
  Limits,
  LineType,
  Phase,
  RequestBody,
  RequestOptions,
  Timeouts,
  TimerName,
  TLSOptions,
  Trailers,
} from '../lib/index.js';

/** Every type that a signature of the contract names can be imported: this does not compile otherwise. */
type Named = [
  ChunkedDecoderOptions,
  ChunkedEncoderOptions,
  ConnectionState,
  DialledAddress,
  DrainOptions,
  ExchangeData,
  HeadersInit,
  HTTPConnectionOptions,
  HTTPSConnectionOptions,
  InformationalResponse,
  LimitOverrides,
  Limits,
  LineType,
  Phase,
  RequestBody,
  RequestOptions,
  Timeouts,
  TimerName,
  TLSOptions,
  Trailers,
];

/** The options that may not be given as `undefined`. */
type Strict<Options> = { [Name in keyof Options]: undefined } extends Options ? never : Options;

/** Every option may be undefined, also for programs under `exactOptionalPropertyTypes`: this does not compile otherwise. */
type Undefinable = [
  Strict<ChunkedDecoderOptions>,
  Strict<ChunkedEncoderOptions>,
  Strict<DrainOptions>,
  Strict<HTTPConnectionOptions>,
  Strict<HTTPSConnectionOptions>,
  Strict<LimitOverrides>,
  Strict<RequestOptions>,
  Strict<Timeouts>,
  Strict<TLSOptions>,
];
const undefinable: Undefinable extends readonly never[] ? true : false = true;

const CLASSES = [
  'HTTPClient',
  'HTTPConnection',
  'HTTPConnectionPool',
  'HTTPSConnection',
  'HTTPResponse',
  'ResumableDownload',
  'HTTPMessage',
  'RequestStream',
  'ChunkedEncoder',
  'ChunkedDecoder',
];

const EXCEPTIONS = [
  'HTTPException',
  'NotConnected',
  'InvalidURL',
  'UnknownProtocol',
  'UnknownTransferEncoding',
  'UnimplementedFileMode',
  'IncompleteRead',
  'ImproperConnectionState',
  'CannotSendRequest',
  'CannotSendHeader',
  'ResponseNotReady',
  'BadStatusLine',
  'RemoteDisconnected',
  'LineTooLong',
  'BadHeader',
  'BadChunk',
  'LimitExceeded',
  'ContentLengthMismatch',
  'TunnelError',
  'TimeoutError',
  'RedirectError',
  'ResourceChanged',
  'BadEncoding',
];

const OTHERS = [
  'closeAll',
  'createFetch',
  'decoded',
  'fromResponse',
  'parseHeaders',
  'request',
  'resumable',
  'stream',
  'toResponse',
  'HTTP_PORT',
  'HTTPS_PORT',
  'HTTPStatus',
  'responses',
];

describe('the package', () => {
  it('exports the names of the contract and no other', () => {
    expect(Object.keys(millrace).toSorted()).to.deep.equal([...CLASSES, ...EXCEPTIONS, ...OTHERS].toSorted());
  });

  it('has the ports of http.client as constants and as defaults of the classes', () => {
    expect([millrace.HTTP_PORT, millrace.HTTPS_PORT]).to.deep.equal([80, 443]);
    expect(millrace.HTTPConnection.defaultPort).to.equal(80);
    expect(millrace.HTTPSConnection.defaultPort).to.equal(443);
  });

  it('sets no time limit unless one is asked for', () => {
    expect(millrace.HTTPConnection.defaultTimeout).to.equal(undefined);
    expect(millrace.HTTPSConnection.defaultTimeout).to.equal(undefined);
  });

  it('gives connections the members of the contract', () => {
    const prototype: object = millrace.HTTPConnection.prototype;
    const methods = [
      'request',
      'getResponse',
      'connect',
      'close',
      'setTunnel',
      'getProxyResponseHeaders',
      'setDebugLevel',
      'putRequest',
      'putHeader',
      'endHeaders',
      'send',
      'detach',
    ];
    for (const name of methods) expect(prototype, name).to.have.property(name).that.is.a('function');
    const own = new millrace.HTTPConnection('example.org');
    for (const name of ['host', 'port', 'blocksize', 'state', 'socket', 'debugLevel', 'autoOpen'])
      expect(name in own, name).to.equal(true);
  });

  it('lets every option be undefined', () => {
    expect(undefinable).to.equal(true);
  });

  it('names its types', () => {
    const options: Named[15] = { encodeChunked: true };
    expect(options satisfies RequestOptions).to.have.property('encodeChunked', true);
  });
});
