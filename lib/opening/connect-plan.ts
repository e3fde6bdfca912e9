/**
 * How a connection is opened, from its settings: where the socket goes, what the tunnel is asked for, who is verified by TLS.
 */
import type * as tls from 'node:tls';
import type { OpeningOptions } from './connection-options.js';
import type { ConnectPlan } from './connector.js';
import { tlsOptions } from './tls-options.js';
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

/** @param options - as `checkConnectionOptions` gave them */
export function planConnect(
  peer: { host: string; port: number },
  options: OpeningOptions,
  tunnel: Tunnel | null,
  limits: Readonly<Limits>,
  serverTLS: (host: string) => tls.ConnectionOptions | null,
  trace: Trace | null,
  onAnswer: (headers: HTTPMessage) => void,
): ConnectPlan {
  const { createConnection, proxyTLS, socketPath, lookup, localAddress, localPort } = options;
  const host = toASCIIHost(peer.host);
  const dial: DialOptions = { host, port: peer.port, socketPath, lookup, localAddress, localPort, tls: null };
  if (tunnel === null) {
    dial.tls = serverTLS(host);
    return { dial, createConnection, tunnel: null, innerTLS: null };
  }
  const authority = formatAuthority(tunnel.host, tunnel.port);
  const hasHost = tunnel.fields.some((name, index) => index % 2 === 0 && name.toLowerCase() === 'host');
  const fields = hasHost ? tunnel.fields : ['Host', authority, ...tunnel.fields];
  if (proxyTLS !== null) dial.tls = tlsOptions(host, proxyTLS);
  return {
    dial,
    createConnection,
    tunnel: { authority, fields, limits, trace, onAnswer },
    innerTLS: serverTLS(toASCIIHost(tunnel.host)),
  };
}
