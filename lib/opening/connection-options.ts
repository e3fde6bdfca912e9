/**
 * What a connection is made with: the options of both classes and how they are checked and completed.
 */
import type * as net from 'node:net';
import type * as tls from 'node:tls';
import type { Timeouts } from '../options.js';
import type { InformationalResponse } from '../fields/message.js';
import type { Limits } from '../limits.js';
import { loadTLS } from '../transport/tls.js';

/** Options of `HTTPConnection`. */
export interface HTTPConnectionOptions {
  /** Time limits in milliseconds; a number sets all but `total`. Default: the class's `defaultTimeout`. null: none. */
  timeout?: number | Timeouts | null | undefined;
  /** The local address to dial from. */
  sourceAddress?: string | readonly [host: string, port: number] | null | undefined;
  /** Bytes in which a file is read and sent. Default 65536. */
  blocksize?: number | undefined;
  /** Bounds on what the peer may send. */
  limits?: Partial<Limits> | undefined;
  /** A Unix domain socket or Windows pipe to dial; `host` still names the Host field. */
  socketPath?: string | undefined;
  /** Instead of `dns.lookup`. Called with `all: true`. */
  lookup?: net.LookupFunction | undefined;
  /** Told of each interim (1xx) response, unless the request has its own. */
  onInformational?: ((response: InformationalResponse) => void) | undefined;
  /** With a tunnel: TLS to the proxy as well, verified against the proxy's name. Default: plain TCP to the proxy. */
  proxyTLS?: boolean | TLSOptions | undefined;
}

/** How a TLS peer is verified. */
export interface TLSOptions {
  /** Certificates, keys and versions, made by `tls.createSecureContext` or as its options. */
  context?: tls.SecureContext | tls.SecureContextOptions | undefined;
  /** The name to ask for (SNI) and to verify. Default: the host. */
  servername?: string | undefined;
  /** Instead of Node's check of the certificate's names. */
  checkServerIdentity?: tls.ConnectionOptions['checkServerIdentity'] | undefined;
  /** Whether an unverified certificate ends the connection. Default true, whatever the environment says. */
  rejectUnauthorized?: boolean | undefined;
  /** A session to resume. */
  session?: Buffer | undefined;
}

/** Options of `HTTPSConnection`. */
export interface HTTPSConnectionOptions extends HTTPConnectionOptions, TLSOptions {}

export const DEFAULT_BLOCKSIZE = 65_536;

/** @throws TypeError unless it is a positive integer */
export function checkBlocksize(blocksize: number | undefined): number {
  if (blocksize === undefined) return DEFAULT_BLOCKSIZE;
  if (!Number.isSafeInteger(blocksize) || blocksize < 1) {
    throw new TypeError(`blocksize must be a positive integer, got ${String(blocksize)}`);
  }
  return blocksize;
}

/** Node's options for TLS with `host`. Certificates and names are verified unless the caller says otherwise. */
export function tlsOptions(host: string, isAddress: boolean, options: TLSOptions): tls.ConnectionOptions {
  const { context, servername, checkServerIdentity, rejectUnauthorized = true, session } = options;
  // An address may not be sent as SNI (RFC 6066 §3); without a name, the certificate is verified against `host`.
  const name = servername ?? (isAddress ? '' : host);
  const verify = checkServerIdentity ?? loadTLS().checkServerIdentity;
  return {
    host,
    servername: name,
    rejectUnauthorized,
    ALPNProtocols: ['http/1.1'],
    ...(context === undefined ? {} : { secureContext: secureContextOf(context) }),
    // Verified is who was asked for, not the address that was dialled.
    checkServerIdentity: (_peer, certificate) => verify(name === '' ? host : name, certificate),
    ...(session === undefined ? {} : { session }),
  };
}

/** A context as Node wants it. Making one parses certificates, so it is worth keeping. */
export function secureContextOf(context: tls.SecureContext | tls.SecureContextOptions): tls.SecureContext {
  return 'context' in context ? context : loadTLS().createSecureContext(context);
}
