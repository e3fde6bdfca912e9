/**
 * Which fields may be sent as trailers (RFC 9110 §6.5.1): none that decides framing, routing, authentication, or how the content is
 * to be read. A recipient that merged such a field would be steered by whoever could append it.
 */
import { fieldsOf } from './message.js';
import type { HeadersInit } from './message.js';

const FORBIDDEN = new Set([
  // framing and the connection
  'connection',
  'content-length',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  // routing and request modifiers
  'cache-control',
  'expect',
  'host',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'max-forwards',
  'pragma',
  'range',
  // authentication and state
  'authorization',
  'cookie',
  'proxy-authenticate',
  'proxy-authorization',
  'set-cookie',
  'www-authenticate',
  // how the content is to be read
  'content-encoding',
  'content-range',
  'content-type',
]);

/**
 * The trailer fields as a flat list `[name, value, …]`.
 *
 * @throws TypeError when a field is malformed or may not be a trailer
 */
export function trailerFields(trailers: HeadersInit): string[] {
  const fields = fieldsOf(trailers);
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string;
    if (FORBIDDEN.has(name.toLowerCase()))
      throw new TypeError(`the field '${name}' may not be sent as a trailer`);
  }
  return fields;
}
