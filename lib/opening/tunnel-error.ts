/**
 * The proxy's refusal to open a tunnel, as an exception.
 *
 * It lies here and not with the other exceptions because it has fields, which those, being the ground, do not know.
 */
import { HTTPException } from '../errors.js';
import type { HTTPMessage } from '../fields/message.js';

/** The proxy refused to open the tunnel. */
export class TunnelError extends HTTPException {
  /** The name of the class. */
  override name = 'TunnelError';
  override readonly code: string = 'ERR_TUNNEL_ERROR';
  /** The proxy's status code. */
  readonly status: number;
  /** Its reason phrase. */
  readonly reason: string;
  /** The proxy's fields: a 407 names its schemes in `Proxy-Authenticate`. */
  readonly headers: HTTPMessage;

  constructor(status: number, reason: string, headers: HTTPMessage) {
    super(`the proxy refused the tunnel: ${String(status)} ${reason}`.trimEnd());
    this.status = status;
    this.reason = reason;
    this.headers = headers;
  }
}
