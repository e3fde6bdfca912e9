/**
 * What is retried and when, as tables. The retries themselves, over real connections, stand in `pool-retries.spec.ts`.
 */

import { expect } from 'chai';

import {
  BadHeader,
  HTTPMessage,
  IncompleteRead,
  InvalidURL,
  NotConnected,
  RemoteDisconnected,
  TimeoutError,
  TunnelError,
} from '../../lib/index.js';
import type { TimerName } from '../../lib/index.js';
import { backoffMs, isTransient, resolveRetries, retryAfterMs } from '../../lib/pool/retry.js';

const untyped = (value: unknown): never => value as never;
const coded = (code: string): Error => Object.assign(new Error(code), { code });
const NOW = Date.UTC(2026, 10, 29, 12, 0, 0);

describe('the options of retries', () => {
  it('are none by default, a number is the limit, an object has the rest', () => {
    expect(resolveRetries(undefined).limit).to.equal(0);
    expect(resolveRetries(3).limit).to.equal(3);
    const { limit, methods, statuses, minDelay, maxDelay, maxRetryAfter } = resolveRetries({});
    expect(limit).to.equal(2);
    expect([...methods]).to.deep.equal(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);
    expect([...statuses]).to.deep.equal([408, 429, 502, 503, 504]);
    expect([minDelay, maxDelay, maxRetryAfter]).to.deep.equal([200, 10_000, 30_000]);
  });

  it('take any iterable, and undefined for each', () => {
    const retries = resolveRetries({
      methods: new Set(['POST']),
      statuses: [500].values(),
      minDelay: undefined,
    });
    expect([...retries.methods, ...retries.statuses, retries.minDelay]).to.deep.equal(['POST', 500, 200]);
  });

  const BAD: readonly (readonly [name: string, option: unknown, says: RegExp])[] = [
    ['a text', '3', /number or an object/],
    ['less than none', -1, /non-negative integer/],
    ['a fraction', 1.5, /non-negative integer/],
    ['no number', Number.NaN, /non-negative integer/],
    ['a name that is none', { limits: 3 }, /limits.*retries.*'limit'/],
    ['a method that is no text', { methods: [1] }, /retries\.methods/],
    ['methods as one text', { methods: 'GET' }, /retries\.methods must be a list/],
    ['a status that is none', { statuses: [42] }, /retries\.statuses/],
    ['a negative delay', { minDelay: -1 }, /retries\.minDelay/],
    ['a delay that is no number', { maxDelay: '1' }, /retries\.maxDelay/],
    ['an onRetry that is no function', { onRetry: true }, /retries\.onRetry/],
  ];
  for (const [name, option, says] of BAD) {
    it(`refuse ${name}`, () => {
      expect(() => resolveRetries(untyped(option))).to.throw(TypeError, says);
    });
  }

  it('are read from the object alone, not from its prototype', () => {
    expect(resolveRetries(Object.create({ methods: ['POST'] }) as object).methods.has('POST')).to.equal(
      false,
    );
  });
});

describe('the wait before a retry', () => {
  const retries = resolveRetries({ minDelay: 100, maxDelay: 1000 });
  const TABLE = [
    [1, 50, 100],
    [2, 100, 200],
    [3, 200, 400],
    [4, 400, 800],
    [5, 500, 1000],
    [60, 500, 1000],
    [2000, 500, 1000],
  ] as const;
  for (const [number, half, whole] of TABLE) {
    it(`after attempt ${String(number)} lies between ${String(half)} and ${String(whole)} ms`, () => {
      expect(backoffMs(retries, number, 0)).to.equal(half);
      expect(backoffMs(retries, number, 0.999_999)).to.be.closeTo(whole, 0.01);
    });
  }
});

describe('Retry-After', () => {
  const TABLE: readonly (readonly [value: string, ms: number | null])[] = [
    ['0', 0],
    ['7', 7000],
    [' 7 ', 7000],
    ['007', 7000],
    ['100000000000000000000', 1e23],
    ['Sun, 29 Nov 2026 12:00:30 GMT', 30_000],
    ['Sun, 29 Nov 2026 11:00:00 GMT', 0],
    ['Sunday, 29-Nov-26 12:00:30 GMT', 30_000],
    ['Sunday, 06-Nov-94 08:49:37 GMT', 0],
    ['Sun Nov 29 12:00:30 2026', 30_000],
    ['Sun Nov  6 08:49:37 1994', 0],
    ['-1', null],
    ['1.5', null],
    ['1e3', null],
    ['', null],
    ['soon', null],
    ['2026-11-29T12:00:30Z', null],
    ['7, 8', null],
  ];
  for (const [value, ms] of TABLE) {
    it(`${JSON.stringify(value)} is ${ms === null ? 'nothing' : `${String(ms)} ms`}`, () => {
      expect(retryAfterMs(value, NOW)).to.equal(ms);
    });
  }
});

describe('a failure', () => {
  const timeout = (timer: string): Error => new TimeoutError(timer as TimerName, 'connect', 1);
  const TABLE: readonly (readonly [name: string, error: unknown, opening: boolean, again: boolean])[] = [
    ['a refused connection', coded('ECONNREFUSED'), true, true],
    ['a name that is not found', coded('ENOTFOUND'), true, true],
    ['an error that createConnection rejects with', new Error('no way'), true, true],
    ['a reset while opening', coded('ECONNRESET'), true, true],
    ['a reset while waiting for the response', coded('ECONNRESET'), false, true],
    ['a broken pipe', coded('EPIPE'), false, true],
    ['a close without a response', new RemoteDisconnected(), false, true],
    ['a connect timeout', timeout('connect'), true, true],
    ['a response timeout', timeout('response'), false, true],
    ['a send timeout', timeout('send'), false, false],
    ['a body timeout', timeout('body'), false, false],
    ['a total timeout', timeout('total'), false, false],
    ['an acquire timeout', timeout('acquire'), false, false],
    ['a proxy that reaches nobody', new TunnelError(502, 'Bad Gateway', new HTTPMessage()), true, true],
    ['a proxy that wants credentials', new TunnelError(407, 'Auth', new HTTPMessage()), true, false],
    ['a proxy that closes', new RemoteDisconnected(), true, true],
    ['a violation of the protocol', new BadHeader('x', 'bad'), false, false],
    ['a truncated body', new IncompleteRead(Buffer.alloc(0), 1), false, false],
    ['a close by the caller', new NotConnected('x'), false, false],
    ['a bad URL', new InvalidURL('x'), true, false],
    ['a bad argument', new TypeError('x'), true, false],
    ['an abort', new DOMException('stop', 'AbortError'), false, false],
    ['a reason that is no error', 'stop', false, false],
    ['a certificate nobody signed', coded('DEPTH_ZERO_SELF_SIGNED_CERT'), true, false],
    ['a certificate that expired', coded('CERT_HAS_EXPIRED'), true, false],
    ['an issuer that is not known', coded('UNABLE_TO_VERIFY_LEAF_SIGNATURE'), true, false],
    ['a certificate of somebody else', coded('ERR_TLS_CERT_ALTNAME_INVALID'), true, false],
    ['a server that speaks no TLS', coded('ERR_SSL_WRONG_VERSION_NUMBER'), true, false],
    ['an error of the body source', new Error('disk'), false, false],
  ];
  for (const [name, error, opening, again] of TABLE) {
    it(`by ${name} is ${again ? 'worth another attempt' : 'final'}`, () => {
      expect(isTransient(error, opening, resolveRetries(2))).to.equal(again);
    });
  }
});
