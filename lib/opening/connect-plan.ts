/**
 * How a connection is opened, from its settings: where the socket goes, what the tunnel is asked for, who is verified by TLS.
 */
import { isIP } from 'node:net';
import type * as tls from 'node:tls';
import { tlsOptions } from './connection-options.js';
import type { HTTPConnectionOptions } from './connection-options.js';
import type { ConnectPlan } from './connector.js';
import type { Trace } from '../trace.js';
import { formatAuthority, toASCIIHost } from './host.js';
import type { Limits } from '../limits.js';
import type { HTTPMessage } from '../fields/message.js';
import type { DialOptions } from '../transport/dial.js';

/** The server behind a proxy. */
export interface Tunnel {
  host: string;
  port: number;
  /** Fields of the CONNECT request, checked: `[name, value, …]`. */
  fields: string[];
}

export function planConnect(
  peer: { host: string; port: number },
  options: HTTPConnectionOptions,
  tunnel: Tunnel | null,
  limits: Readonly<Limits>,
  serverTLS: (host: string) => tls.ConnectionOptions | null,
  trace: Trace | null,
  onAnswer: (headers: HTTPMessage) => void,
): ConnectPlan {
  const { sourceAddress, socketPath, lookup, proxyTLS } = options;
  const host = toASCIIHost(peer.host);
  const [localAddress, localPort] = Array.isArray(sourceAddress)
    ? (sourceAddress as [string, number])
    : [sourceAddress as string | null | undefined, undefined];
  const dial: DialOptions = {
    host,
    port: peer.port,
    socketPath,
    lookup,
    localAddress: localAddress ?? undefined,
    localPort,
    tls: null,
  };
  if (tunnel === null) return { dial: { ...dial, tls: serverTLS(host) }, tunnel: null, innerTLS: null };
  const authority = formatAuthority(tunnel.host, tunnel.port);
  const hasHost = tunnel.fields.some((name, index) => index % 2 === 0 && name.toLowerCase() === 'host');
  const fields = hasHost ? tunnel.fields : ['Host', authority, ...tunnel.fields];
  if (proxyTLS !== undefined && proxyTLS !== false) {
    dial.tls = tlsOptions(host, isIP(host) !== 0, proxyTLS === true ? {} : proxyTLS);
  }
  return {
    dial,
    tunnel: { authority, fields, limits, trace, onAnswer },
    innerTLS: serverTLS(toASCIIHost(tunnel.host)),
  };
}
