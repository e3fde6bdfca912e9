/**
 * How a TLS peer is verified: the options of a connection and of `proxyTLS`, checked when a connection is made with them, and what they
 * are for Node once it is known whom they are for.
 *
 * Only what an options object itself holds counts: with an inherited `rejectUnauthorized`, one polluted prototype would switch
 * verification off everywhere.
 */
import { isIP } from 'node:net';
import type * as tls from 'node:tls';
import { loadTLS } from '../transport/tls.js';

/** How a TLS peer is verified. */
export interface TLSOptions {
  /** Certificates, keys and versions, made by `tls.createSecureContext` or as its options. */
  context?: tls.SecureContext | tls.SecureContextOptions | undefined;
  /** The name to ask for (SNI) and to verify. Default: the host. */
  servername?: string | undefined;
  /** Instead of Node's check of the certificate's names. What it throws refuses the peer too. */
  checkServerIdentity?: tls.ConnectionOptions['checkServerIdentity'] | undefined;
  /** Whether an unverified certificate ends the connection. Default true, whatever the environment says. */
  rejectUnauthorized?: boolean | undefined;
  /** A session to resume. */
  session?: Buffer | undefined;
}

/** TLS with a proxy: everything that `tls.connect` takes but where to connect, and {@link TLSOptions.context}. */
export type ProxyTLSOptions = tls.ConnectionOptions & Pick<TLSOptions, 'context'>;

/**
 * The options with their context made, so that one that cannot be used is refused now, and certificates are parsed once.
 *
 * @throws TypeError for an option of the wrong kind
 * @throws what Node throws for a context that cannot be made
 */
export function checkTLSOptions(options: TLSOptions): TLSOptions {
  const { context, servername, checkServerIdentity, rejectUnauthorized, session } = ownOf(options);
  checkKind('servername', servername, 'string');
  checkKind('checkServerIdentity', checkServerIdentity, 'function');
  checkKind('rejectUnauthorized', rejectUnauthorized, 'boolean');
  if (session !== undefined && !((session as unknown) instanceof Uint8Array)) {
    throw new TypeError('session must be a Buffer');
  }
  return {
    servername,
    checkServerIdentity,
    rejectUnauthorized,
    session,
    context: context === undefined ? undefined : secureContextOf(context),
  };
}

/**
 * The same for `proxyTLS`; null for no TLS.
 *
 * @throws as {@link checkTLSOptions}
 */
export function checkProxyTLS(proxyTLS: boolean | ProxyTLSOptions | undefined): ProxyTLSOptions | null {
  if (proxyTLS === undefined || proxyTLS === false) return null;
  if (proxyTLS === true) return {};
  if (typeof (proxyTLS as unknown) !== 'object' || (proxyTLS as unknown) === null) {
    throw new TypeError(`proxyTLS must be a boolean or an object, got ${String(proxyTLS)}`);
  }
  const own = ownOf(proxyTLS);
  const { context } = own;
  checkTLSOptions({ ...own, context: undefined });
  if (context !== undefined) own.secureContext = secureContextOf(context);
  else own.secureContext ??= secureContextOf(own);
  delete own.context;
  return own;
}

/** Node's options for TLS with `host`. Certificates and names are verified unless the caller says otherwise. */
export function tlsOptions(host: string, options: TLSOptions | ProxyTLSOptions): tls.ConnectionOptions {
  const own = ownOf<TLSOptions & tls.ConnectionOptions>(options);
  const { context, rejectUnauthorized = true, ALPNProtocols = ['http/1.1'] } = own;
  // An address may not be sent as SNI (RFC 6066 §3); without a name, the certificate is verified against `host`.
  const servername = own.servername ?? (isIP(host) === 0 ? host : '');
  const verify = own.checkServerIdentity ?? loadTLS().checkServerIdentity;
  if (context !== undefined) own.secureContext = secureContextOf(context);
  delete own.context;
  // Verified is who was asked for, not the address that was dialled.
  const checkServerIdentity: typeof verify = (_peer, certificate) =>
    verify(servername === '' ? host : servername, certificate);
  return { ...own, host, servername, rejectUnauthorized, ALPNProtocols, checkServerIdentity };
}

/** A context as Node wants it. */
function secureContextOf(context: tls.SecureContext | tls.SecureContextOptions): tls.SecureContext {
  if (typeof (context as unknown) !== 'object' || (context as unknown) === null) {
    throw new TypeError('context must be made by tls.createSecureContext, or be its options');
  }
  if (Object.hasOwn(context, 'context')) return context as tls.SecureContext;
  return loadTLS().createSecureContext(ownOf(context as tls.SecureContextOptions));
}

/** A copy that has only what the object itself holds, but for what is undefined, and inherits nothing. */
function ownOf<T extends object>(options: T): T {
  const own = Object.create(null) as T;
  for (const name of Object.keys(options) as (keyof T)[]) {
    if (options[name] !== undefined) own[name] = options[name];
  }
  return own;
}

function checkKind(name: string, value: unknown, kind: 'string' | 'function' | 'boolean'): void {
  if (value === undefined || typeof value === kind) return;
  throw new TypeError(`${name} must be a ${kind}, got ${value === null ? 'null' : typeof value}`);
}
