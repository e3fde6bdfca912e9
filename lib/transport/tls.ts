/**
 * `node:tls`, loaded when the first TLS connection is made: it takes longer to load than the whole of the rest.
 */
import type * as tls from 'node:tls';

export function loadTLS(): typeof tls {
  return process.getBuiltinModule('node:tls');
}
