/**
 * Opens a transport: looks a name up, races its addresses (RFC 8305), or connects to a Unix socket; with TLS where asked for.
 *
 * The first address to complete the TCP handshake wins and ends the others; an attempt that is merely slow is never given up for
 * the next. Whatever throws in here, a caller's lookup too, fails the dial. Nothing here knows HTTP, clocks or tunnels: the caller
 * cancels.
 */
import * as dns from 'node:dns';
import * as net from 'node:net';
import type * as tls from 'node:tls';
import { attachTo } from '../exception.js';
import { startTLS } from './tls.js';
import { Transport } from './transport.js';

export interface DialOptions {
  host: string;
  port: number;
  /** A Unix domain socket or Windows pipe instead of host and port. */
  socketPath?: string | undefined;
  localAddress?: string | undefined;
  localPort?: number | undefined;
  lookup?: net.LookupFunction | undefined;
  /** TLS from the first byte; null for none. */
  tls: tls.ConnectionOptions | null;
}

/** What was opened, and bytes that came before anyone asked for some. Called once, with one of the two. */
export type Opened = (error: Error | null, transport: Transport | null, surplus?: Buffer[]) => void;

/** An address that was tried. */
export interface DialAttempt {
  /** The address, or the path of a Unix domain socket. */
  address: string;
  /** 0 for a path. */
  port: number;
  /** The error's code; null while there is none. */
  code: string | null;
  /** Milliseconds until it failed or was open, else until now. */
  ms: number;
}

/** How long one address has the race for itself (RFC 8305 §5). */
export const ATTEMPT_DELAY_MS = 250;

interface Address {
  address: string;
  family: number;
}

interface Attempt {
  readonly address: string;
  readonly port: number;
  readonly startedAt: number;
  endedAt: number | null;
  code: string | null;
}

/** A dial under way. */
export class Dial {
  readonly #options: DialOptions;
  readonly #done: Opened;
  readonly #sockets = new Set<net.Socket>();
  readonly #attempts: Attempt[] = [];
  #failures: Error[] = [];
  #waiting: Address[] = [];
  #timer: NodeJS.Timeout | undefined;
  #over = false;

  /** @param done - called once, unless the dial is cancelled; never synchronously, except for a lookup that answers so */
  constructor(options: DialOptions, done: Opened) {
    this.#options = options;
    this.#done = done;
    const { host, socketPath } = options;
    const family = net.isIP(host);
    if (socketPath !== undefined) this.#attempt(null);
    else if (family !== 0) this.#attempt({ address: host, family });
    else this.#lookUp(host === '' ? 'localhost' : host);
  }

  /** The addresses that were tried so far, in their order. */
  get attempts(): DialAttempt[] {
    const now = performance.now();
    return this.#attempts.map(({ address, port, code, startedAt, endedAt }) => {
      return { address, port, code, ms: Math.round((endedAt ?? now) - startedAt) };
    });
  }

  /** Ends the race without a winner: every attempt is ended and `done` is not called any more. */
  cancel(): void {
    this.#end(null);
  }

  #lookUp(host: string): void {
    const { lookup } = this.#options;
    let answered = false;
    try {
      (lookup ?? dns.lookup)(host, { all: true, hints: 0 }, (error: unknown, found: unknown) => {
        if (this.#over || answered) return;
        answered = true;
        if (error !== null && error !== undefined) {
          this.#failSoon(error as Error);
          return;
        }
        const addresses = addressesOf(found);
        if (addresses === null) {
          const text = `the lookup of ${host} gave what is no IP address`;
          this.#failSoon(Object.assign(new TypeError(text), { code: 'ERR_INVALID_IP_ADDRESS' }));
        } else if (addresses.length === 0) {
          this.#failSoon(Object.assign(new Error(`no address for ${host}`), { code: 'ENOTFOUND' }));
        } else {
          this.#waiting = interleave(addresses);
          this.#next();
        }
      });
    } catch (error) {
      answered = true;
      this.#failSoon(error as Error);
    }
  }

  #next(): void {
    clearTimeout(this.#timer);
    const address = this.#waiting.shift();
    if (address === undefined) return;
    if (this.#waiting.length > 0) {
      this.#timer = setTimeout(() => {
        this.#next();
      }, ATTEMPT_DELAY_MS);
    }
    this.#attempt(address);
  }

  #attempt(address: Address | null): void {
    const { port, socketPath } = this.#options;
    const transport = new Transport();
    const attempt: Attempt = {
      address: address?.address ?? String(socketPath),
      port: address === null ? 0 : port,
      startedAt: performance.now(),
      endedAt: null,
      code: null,
    };
    this.#attempts.push(attempt);
    const failed = (error: Error): void => {
      if (attempt.endedAt !== null) return;
      attempt.endedAt = performance.now();
      attempt.code = codeOf(error);
      if (socket !== null) {
        this.#sockets.delete(socket);
        socket.off('error', failed).off('close', closed);
        socket.destroy();
      }
      if (this.#over) return;
      this.#failures.push(error);
      if (this.#waiting.length > 0) this.#next();
      else if (this.#sockets.size === 0) this.#fail(this.#combined());
    };
    // A peer that closes in the TLS handshake: Node reports an error for it, but not in every version.
    const closed = (): void => failed(closedWhileOpened());
    let socket: net.Socket | null = null;
    try {
      socket = this.#connect(address, transport, failed);
    } catch (error) {
      // Node refuses some options (a local address that is none) by throwing.
      process.nextTick(failed, error);
      return;
    }
    transport.attach(socket);
    this.#sockets.add(socket);
    this.#watch(socket, transport, attempt, failed, closed);
  }

  #connect(address: Address | null, transport: Transport, onThrow: (error: Error) => void): net.Socket {
    const { port, socketPath, localAddress, localPort } = this.#options;
    const target =
      address === null
        ? { path: socketPath as string }
        : { host: address.address, port, localAddress, localPort, family: address.family };
    const where = { ...target, onread: transport.onread, allowHalfOpen: true, noDelay: true };
    return this.#options.tls === null
      ? net.connect(where as net.NetConnectOpts)
      : // The address is what is connected to: with the name as `host`, Node would look it up again by itself.
        startTLS(this.#options.tls, where, onThrow);
  }

  #watch(
    socket: net.Socket,
    transport: Transport,
    attempt: Attempt,
    failed: (error: Error) => void,
    closed: () => void,
  ): void {
    const finished = (): void => {
      // Nothing of the race stays on the socket.
      socket.off('error', failed).off('close', closed);
      attempt.endedAt = performance.now();
      this.#finish(null, transport);
    };
    socket.on('error', failed).on('close', closed);
    socket.once('connect', () => {
      // `tls.connect` ignores the option: Nagle would hold back each piece of a body for the peer's delayed ACK.
      socket.setNoDelay(true);
      this.#won(socket);
      if (this.#options.tls === null) finished();
    });
    if (this.#options.tls !== null) socket.once('secureConnect', finished);
  }

  /** TCP is open: the other attempts end, and a TLS failure from here on is the answer. */
  #won(winner: net.Socket): void {
    clearTimeout(this.#timer);
    this.#waiting = [];
    this.#failures = [];
    for (const socket of this.#sockets) if (socket !== winner) socket.destroy();
    this.#sockets.clear();
    this.#sockets.add(winner);
  }

  #combined(): Error {
    const [first] = this.#failures;
    if (first === undefined || this.#failures.length === 1) return first ?? new Error('no address answered');
    const error = new AggregateError(
      this.#failures,
      `no address of ${this.#options.host} could be connected: ${describeAttempts(this.attempts)}`,
    );
    return Object.assign(error, { code: codeOf(first) });
  }

  #fail(error: Error): void {
    nameAddresses(error, this.attempts);
    this.#finish(error, null);
  }

  /** For what may fail while the caller is still calling, such as a lookup that answers at once. */
  #failSoon(error: Error): void {
    process.nextTick(() => {
      this.#fail(error);
    });
  }

  #finish(error: Error | null, transport: Transport | null): void {
    if (this.#over) return;
    this.#end(transport);
    this.#done(error, transport);
  }

  #end(keep: Transport | null): void {
    this.#over = true;
    clearTimeout(this.#timer);
    for (const socket of this.#sockets) if (socket !== keep?.socket) socket.destroy();
    this.#sockets.clear();
  }
}

/** For a message: each address, and what became of it. */
export function describeAttempts(attempts: readonly DialAttempt[]): string {
  return attempts
    .map(({ address, port, code, ms }) => {
      const place = port === 0 ? address : `${address}:${String(port)}`;
      return `${place} ${code ?? 'no answer'} after ${String(ms)} ms`;
    })
    .join(', ');
}

/**
 * Has an error say which addresses were tried, in `addresses` and in its message. An error of the caller's that is frozen stays as it
 * is.
 */
export function nameAddresses(error: unknown, attempts: DialAttempt[]): void {
  attachTo(error, 'addresses', attempts);
  const [first] = attempts;
  if (first === undefined) return;
  try {
    const { message } = error as Error;
    if (!message.includes(first.address))
      (error as Error).message = `${message} (${describeAttempts(attempts)})`;
  } catch {
    // What went wrong counts for more than where.
  }
}

/** What a peer that closes in the middle of a handshake has done. */
export function closedWhileOpened(): Error {
  return Object.assign(new Error('the peer closed the connection while it was opened'), {
    code: 'ECONNRESET',
  });
}

function codeOf(error: unknown): string {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'string' ? code : 'ERR_CONNECT';
}

/** What a lookup gave, in either of its forms; null if any of it is no address: it would be dialled as something else. */
function addressesOf(found: unknown): Address[] | null {
  const list: unknown[] = Array.isArray(found) ? found : [found];
  const addresses: Address[] = [];
  for (const entry of list) {
    const address = Array.isArray(found) ? (entry as { address?: unknown } | null)?.address : entry;
    const family = typeof address === 'string' ? net.isIP(address) : 0;
    if (family === 0) return null;
    addresses.push({ address: address as string, family });
  }
  return addresses;
}

/** The families in turn, beginning with that of the first address: the resolver's order otherwise stays (RFC 8305 §4). */
function interleave(addresses: readonly Address[]): Address[] {
  const firstFamily = addresses[0]?.family;
  const same = addresses.filter((address) => address.family === firstFamily);
  const other = addresses.filter((address) => address.family !== firstFamily);
  const mixed: Address[] = [];
  for (let i = 0; i < Math.max(same.length, other.length); i++) {
    mixed.push(...same.slice(i, i + 1), ...other.slice(i, i + 1));
  }
  return mixed;
}
