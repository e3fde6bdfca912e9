/**
 * What a connection is made with: the options that both classes share, and their check, which a constructor calls.
 *
 * Everything that cannot be used is refused there, before anything is dialled. How TLS peers are verified is `tls-options`.
 */
import type * as net from 'node:net';
import { namesOf } from '../options.js';
import type { Timeouts } from '../options.js';
import type { InformationalResponse } from '../fields/message.js';
import type { LimitOverrides } from '../limits.js';
import type { CreateConnection } from './given.js';
import { checkProxyTLS } from './tls-options.js';
import type { ProxyTLSOptions, TLSOptions } from './tls-options.js';

/** Options of `HTTPConnection`. */
export interface HTTPConnectionOptions {
  /** Time limits in milliseconds; a number sets all but `total`. Default: the class's `defaultTimeout`. null: none. */
  timeout?: number | Timeouts | null | undefined;
  /** The local address to dial from. */
  sourceAddress?: string | readonly [host: string, port: number] | null | undefined;
  /** Bytes in which a file is read and sent. Default 65536. */
  blocksize?: number | undefined;
  /** Bounds on what the peer may send. */
  limits?: LimitOverrides | undefined;
  /** A Unix domain socket or Windows pipe to dial; `host` still names the Host field. */
  socketPath?: string | undefined;
  /** Instead of `dns.lookup`. Called with `all: true`. */
  lookup?: net.LookupFunction | undefined;
  /** Makes the byte stream of each new connection, in the place of look-up and dial. TLS and tunnels run over it. */
  createConnection?: CreateConnection | undefined;
  /** The charset of text whose Content-Type declares none. Default 'iso-8859-1'. */
  defaultCharset?: 'iso-8859-1' | 'utf-8' | undefined;
  /** Told of each interim (1xx) response, unless the request has its own. */
  onInformational?: ((response: InformationalResponse) => void) | undefined;
  /** With a tunnel: TLS to the proxy as well, verified against the proxy's name. Default: plain TCP to the proxy. */
  proxyTLS?: boolean | ProxyTLSOptions | undefined;
}

/** Options of `HTTPSConnection`. */
export interface HTTPSConnectionOptions extends HTTPConnectionOptions, TLSOptions {}

const CONNECTION_NAMES = {
  timeout: true,
  sourceAddress: true,
  blocksize: true,
  limits: true,
  socketPath: true,
  lookup: true,
  createConnection: true,
  defaultCharset: true,
  onInformational: true,
  proxyTLS: true,
} as const;

/** The names of the options of `HTTPConnection`. */
export const CONNECTION_OPTIONS: ReadonlySet<string> = namesOf<HTTPConnectionOptions>(CONNECTION_NAMES);

/** The names of the options of `HTTPSConnection`. */
export const SECURE_CONNECTION_OPTIONS: ReadonlySet<string> = namesOf<HTTPSConnectionOptions>({
  ...CONNECTION_NAMES,
  context: true,
  servername: true,
  checkServerIdentity: true,
  rejectUnauthorized: true,
  session: true,
});

export const DEFAULT_BLOCKSIZE = 65_536;

const CHARSETS: readonly string[] = ['iso-8859-1', 'utf-8'];

/** What of the options says how a connection is opened, checked and made ready. */
export interface OpeningOptions {
  readonly localAddress: string | undefined;
  readonly localPort: number | undefined;
  readonly socketPath: string | undefined;
  readonly lookup: net.LookupFunction | undefined;
  readonly createConnection: CreateConnection | null;
  readonly proxyTLS: ProxyTLSOptions | null;
}

/**
 * Checks the options that are about opening a connection, as `readOptions` gave them, for a constructor. (Time limits, limits and the block size have checks of
 * their own.)
 *
 * @throws TypeError for an option of the wrong kind
 * @throws what Node throws for a TLS context that cannot be made
 */
export function checkConnectionOptions(options: HTTPConnectionOptions): OpeningOptions {
  const { socketPath, lookup, createConnection, defaultCharset, onInformational, proxyTLS } = options;
  checkFunction('lookup', lookup);
  checkFunction('createConnection', createConnection);
  checkFunction('onInformational', onInformational);
  if (socketPath !== undefined && (typeof (socketPath as unknown) !== 'string' || socketPath === '')) {
    throw new TypeError('socketPath must be the path of a socket');
  }
  if (defaultCharset !== undefined && !CHARSETS.includes(defaultCharset)) {
    throw new TypeError(`defaultCharset must be 'iso-8859-1' or 'utf-8', got ${defaultCharset}`);
  }
  return {
    ...checkSourceAddress(options.sourceAddress),
    socketPath,
    lookup,
    createConnection: createConnection ?? null,
    proxyTLS: checkProxyTLS(proxyTLS),
  };
}

/** @throws TypeError unless it is a positive integer */
export function checkBlocksize(blocksize: number | undefined): number {
  if (blocksize === undefined) return DEFAULT_BLOCKSIZE;
  if (!Number.isSafeInteger(blocksize) || blocksize < 1) {
    throw new TypeError(`blocksize must be a positive integer, got ${String(blocksize)}`);
  }
  return blocksize;
}

function checkSourceAddress(
  source: HTTPConnectionOptions['sourceAddress'],
): Pick<OpeningOptions, 'localAddress' | 'localPort'> {
  if (source === undefined || source === null) return { localAddress: undefined, localPort: undefined };
  const [localAddress, localPort]: readonly unknown[] = Array.isArray(source) ? source : [source];
  if (typeof localAddress !== 'string') {
    throw new TypeError('sourceAddress must be an address, or an address and a port');
  }
  if (localPort === undefined) return { localAddress, localPort };
  if (typeof localPort !== 'number' || !Number.isInteger(localPort) || localPort < 0 || localPort > 65_535) {
    throw new TypeError(`the port of sourceAddress must be from 0 to 65535, got ${String(localPort)}`);
  }
  return { localAddress, localPort };
}

function checkFunction(name: string, value: unknown): void {
  if (value === undefined || typeof value === 'function') return;
  throw new TypeError(`${name} must be a function, got ${value === null ? 'null' : typeof value}`);
}
