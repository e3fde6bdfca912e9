/**
 * Everything about a request that is decided before a byte is sent: its head, how its body is framed, what it waits for.
 *
 * Bad input ends here, as a `TypeError`, with nothing dialled and nothing consumed. The order of the fields, and which give way to the
 * caller's, is http.client's.
 */
import type { Trailers } from '../coding/chunked-encoder.js';
import { ContentLengthMismatch, describeFailure } from '../errors.js';
import { formatRequestHead } from '../protocol/request-head.js';
import { formatFields, listMembers, readDecimal } from '../protocol/grammar.js';
import { planBody } from './body.js';
import type { BodyPlan, PlanSettings, RequestBody } from './body.js';
import { readRequestOptions } from './request-options.js';
import type { RequestOptions } from './request-options.js';

import { trailerFields } from '../fields/trailers.js';

/** A request, ready to be sent. */
export interface RequestPlan {
  method: string;
  url: string;
  head: string;
  body: BodyPlan | null;
  chunked: boolean;
  /** Content-Length as sent, which a source has to keep to; null without one. */
  declared: number | null;
  /** The body goes out only after a 100, or a wait. */
  expectsContinue: boolean;
  /** The caller's Content-Type, by which text that `send` brings is encoded. */
  contentType: string | null;
  /** The caller asked for the connection to be closed. */
  closes: boolean;
  /** A head that promises a body which `send` is to bring: how many bytes, null when chunked by hand; 0 for none. */
  owed: number | null;
  options: RequestOptions;
  /** Whether it is no request, but bytes that are sent outside of one: no head, and no response. */
  raw: boolean;
}

/** What is known of a request before its body is. */
export interface RequestDraft {
  method: string;
  /** As the caller gave it. */
  url: string;
  /** What Host is unless the caller gives one; null for none. */
  host: string | null;
  /** Whether `Accept-Encoding: identity` is sent unless the caller gives one. */
  acceptIdentity: boolean;
  /** The caller's fields, checked: `[name, value, …]`. */
  fields: string[];
}

/** What a request without a body gets `Content-Length: 0` for: their recipients expect one (RFC 9110 §8.6). */
const EXPECTS_BODY = new Set(['PUT', 'POST', 'PATCH']);

/** The caller's fields that decide about framing and about ours. */
interface CallerFields {
  host: boolean;
  acceptEncoding: boolean;
  contentLength: string | null;
  transferEncoding: string | null;
  contentType: string | null;
  trailer: boolean;
  expectsContinue: boolean;
  closes: boolean;
}

/**
 * Checks and frames a request.
 *
 * @param bodyLater - whether a body may still come through `send`: then a head that declares one is taken at its word
 * @throws TypeError for unusable fields, options or bodies
 * @throws ContentLengthMismatch when the whole body is at hand and its length is not the declared one
 */
export function planRequest(
  draft: RequestDraft,
  body: RequestBody | null | undefined,
  given: RequestOptions | undefined,
  settings: PlanSettings,
  bodyLater: boolean,
): RequestPlan {
  if (given === undefined) {
    const plan = planPlain(draft, body);
    if (plan !== null) return plan;
  }
  const options = readRequestOptions(given);
  const caller = readCallerFields(draft.fields);
  if (caller.contentLength !== null && caller.transferEncoding !== null) {
    throw new TypeError('Content-Length together with Transfer-Encoding: one message, two ends');
  }
  const planned = planBody(body, caller.contentType, settings);
  return completePlan(draft, caller, planned, options, bodyLater);
}

/**
 * A request that consists of a method and a target: nothing to read, check or frame, which is 0.2 µs less. null for any other, and where
 * one of the two fields that go with it is not wanted.
 */
function planPlain(draft: RequestDraft, body: RequestBody | null | undefined): RequestPlan | null {
  const { method, url, host, fields, acceptIdentity } = draft;
  if (fields.length > 0 || host === null || !acceptIdentity || (body ?? null) !== null) return null;
  if (EXPECTS_BODY.has(method.toUpperCase())) return null;
  return {
    method,
    url,
    head: formatRequestHead(method, url === '' ? '/' : url, fieldsFor(host)),
    body: null,
    chunked: false,
    declared: null,
    expectsContinue: false,
    contentType: null,
    closes: false,
    owed: 0,
    options: NO_OPTIONS,
    raw: false,
  };
}

let lastHost = '';
let lastFields = '';

/** The fields of such a request, as text; the last ones are kept. */
function fieldsFor(host: string): string {
  if (host !== lastHost) {
    lastHost = host;
    lastFields = formatFields(['Host', host, 'Accept-Encoding', 'identity']);
  }
  return lastFields;
}

function completePlan(
  draft: RequestDraft,
  caller: Readonly<CallerFields>,
  body: BodyPlan | null,
  options: RequestOptions,
  bodyLater: boolean,
): RequestPlan {
  const { method, url } = draft;
  const fields: string[] = [];
  if (draft.host !== null && !caller.host) fields.push('Host', draft.host);
  if (draft.acceptIdentity && !caller.acceptEncoding) fields.push('Accept-Encoding', 'identity');
  let declared: number | null = null;
  let chunked = false;
  let owed: number | null = 0;
  if (caller.transferEncoding !== null) {
    chunked = options.encodeChunked !== false && (body !== null || !bodyLater);
    if (body === null && !chunked) {
      if (!bodyLater) throw new TypeError('Transfer-Encoding without a body: nothing would end the request');
      owed = null;
    }
  } else if (caller.contentLength !== null) {
    declared = parseDeclared(caller.contentLength);
    const length = body === null ? 0 : body.length;
    if (body === null && bodyLater) owed = declared;
    else if (length !== null && length !== declared)
      throw new ContentLengthMismatch(declared, 0, length > declared, length);
  } else if (body === null) {
    if (!bodyLater && EXPECTS_BODY.has(method.toUpperCase())) fields.push('Content-Length', '0');
  } else if (body.length !== null) {
    declared = body.length;
    fields.push('Content-Length', String(declared));
  } else {
    chunked = true;
    fields.push('Transfer-Encoding', 'chunked');
  }
  if (body !== null && body.contentType !== null && caller.contentType === null)
    fields.push('Content-Type', body.contentType);
  addTrailerField(fields, caller, options.trailers, chunked);
  for (const item of draft.fields) fields.push(item);
  return {
    method,
    url,
    head: formatRequestHead(method, url === '' ? '/' : url, formatFields(fields)),
    body: body ?? (chunked ? EMPTY_BODY : null),
    chunked,
    declared,
    expectsContinue: caller.expectsContinue && body !== null && body.length !== 0,
    contentType: caller.contentType,
    closes: caller.closes,
    owed,
    options,
    raw: false,
  };
}

const NO_OPTIONS: RequestOptions = readRequestOptions(undefined);

/** Bytes outside of a request, which `send` brings. */
export const RAW_PLAN: RequestPlan = {
  method: 'send',
  url: '',
  head: '',
  body: null,
  chunked: false,
  declared: null,
  expectsContinue: false,
  contentType: null,
  closes: false,
  owed: null,
  options: NO_OPTIONS,
  raw: true,
};

/** A chunked body of nothing: still has a last chunk, and perhaps trailers. */
const EMPTY_BODY: BodyPlan = {
  bytes: Buffer.alloc(0),
  source: null,
  length: 0,
  contentType: null,
  charset: 'iso-8859-1',
  prepare: null,
  replayable: true,
  touched: false,
};

/** Names the trailers in the head where they are known, as a recipient that merges them wants to know (RFC 9110 §6.6.2). */
function addTrailerField(
  fields: string[],
  caller: Readonly<CallerFields>,
  trailers: Trailers | undefined,
  chunked: boolean,
): void {
  if (trailers === undefined) return;
  if (!chunked) throw new TypeError('trailers need a chunked body: a stream, an iterable, or encodeChunked');
  if (typeof trailers === 'function' || caller.trailer) return;
  const names = trailerFields(trailers).filter((_, index) => index % 2 === 0);
  if (names.length > 0) fields.push('Trailer', [...new Set(names)].join(', '));
}

const NO_CALLER_FIELDS: Readonly<CallerFields> = {
  host: false,
  acceptEncoding: false,
  contentLength: null,
  transferEncoding: null,
  contentType: null,
  trailer: false,
  expectsContinue: false,
  closes: false,
};

function readCallerFields(fields: readonly string[]): Readonly<CallerFields> {
  if (fields.length === 0) return NO_CALLER_FIELDS;
  const caller: CallerFields = { ...NO_CALLER_FIELDS };
  for (let i = 0; i < fields.length; i += 2) {
    const value = fields[i + 1] as string;
    switch ((fields[i] as string).toLowerCase()) {
      case 'host':
        if (caller.host) throw new TypeError('Host is given twice');
        caller.host = true;
        break;
      case 'accept-encoding':
        caller.acceptEncoding = true;
        break;
      case 'content-length':
        if (caller.contentLength !== null) throw new TypeError('Content-Length is given twice');
        caller.contentLength = value;
        break;
      case 'transfer-encoding':
        if (caller.transferEncoding !== null) throw new TypeError('Transfer-Encoding is given twice');
        checkTransferEncoding(value);
        caller.transferEncoding = value;
        break;
      case 'content-type':
        caller.contentType ??= value;
        break;
      case 'trailer':
        caller.trailer = true;
        break;
      case 'expect':
        caller.expectsContinue ||= value.toLowerCase() === '100-continue';
        break;
      case 'connection':
        caller.closes ||= listMembers(value.toLowerCase()).includes('close');
        break;
      default:
    }
  }
  return caller;
}

/** In a request, only a last coding of `chunked` says where the body ends (RFC 9112 §6.1, §6.3). */
function checkTransferEncoding(value: string): void {
  const codings = listMembers(value.toLowerCase());
  // An empty member counts for nobody who reads, and is not to be sent.
  const whole = codings.length === value.split(',').length;
  if (whole && codings.indexOf('chunked') === codings.length - 1) return;
  throw new TypeError(
    `Transfer-Encoding must end with chunked, once, or the request has no end; got ${JSON.stringify(value.slice(0, 40))}`,
  );
}

function parseDeclared(value: string): number {
  const declared = readDecimal(value);
  if (declared === null) {
    throw new TypeError(
      `Content-Length must be a decimal number of bytes, got ${JSON.stringify(value.slice(0, 40))}`,
    );
  }
  return declared;
}

/** The error, saying which request it is about: nothing of it was sent. */
export function describedUnsent(
  error: unknown,
  { method, url }: Pick<RequestDraft, 'method' | 'url'>,
): unknown {
  describeFailure(error, { method, url, bytesSent: 0, bytesReceived: 0 });
  return error;
}
