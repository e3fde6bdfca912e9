/**
 * Opens a transport: looks a name up, races its addresses (RFC 8305), or connects to a Unix socket; with TLS where asked for.
 *
 * The first address to complete the TCP handshake wins and ends the others; an attempt that is merely slow is never given up for
 * the next. Nothing here knows HTTP, clocks or tunnels: the caller cancels.
 */
import * as dns from 'node:dns';
import * as net from 'node:net';
import type * as tls from 'node:tls';
import { loadTLS } from './tls.js';
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

export type Dialled = (error: Error | null, transport: Transport | null) => void;

/** How long one address has the race for itself (RFC 8305 §5). */
export const ATTEMPT_DELAY_MS = 250;

interface Address {
  address: string;
  family: number;
}

/**
 * @param done - called once, never synchronously, unless the dial is cancelled
 * @returns cancels: every attempt is ended and `done` is not called any more
 */
export function dial(options: DialOptions, done: Dialled): () => void {
  return new Race(options, done).cancel;
}

class Race {
  readonly #options: DialOptions;
  readonly #done: Dialled;
  readonly #attempts = new Set<net.Socket>();
  readonly #failures: Error[] = [];
  #waiting: Address[] = [];
  #timer: NodeJS.Timeout | undefined;
  #over = false;

  constructor(options: DialOptions, done: Dialled) {
    this.#options = options;
    this.#done = done;
    const { host, socketPath } = options;
    const family = net.isIP(host);
    if (socketPath !== undefined) this.#attempt(null);
    else if (family !== 0) this.#attempt({ address: host, family });
    else this.#lookUp(host === '' ? 'localhost' : host);
  }

  /** Ends the race without a winner. */
  readonly cancel = (): void => {
    this.#end(null);
  };

  #lookUp(host: string): void {
    const lookup = this.#options.lookup ?? dns.lookup;
    try {
      lookup(host, { all: true, hints: 0 }, (error, found, family) => {
        if (this.#over) return;
        if (error) {
          this.#failSoon(error);
          return;
        }
        const addresses = Array.isArray(found)
          ? found
          : [{ address: found, family: family ?? net.isIP(found) }];
        this.#waiting = interleave(addresses);
        if (this.#waiting.length === 0)
          this.#failSoon(Object.assign(new Error(`no address for ${host}`), { code: 'ENOTFOUND' }));
        else this.#next();
      });
    } catch (error) {
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
    const { port, socketPath, localAddress, localPort } = this.#options;
    const transport = new Transport();
    const startedAt = performance.now();
    const target =
      address === null
        ? { path: socketPath as string }
        : { host: address.address, port, localAddress, localPort, family: address.family };
    const shared = { ...target, onread: transport.onread, allowHalfOpen: true, noDelay: true };
    let socket: net.Socket;
    try {
      socket =
        this.#options.tls === null
          ? net.connect(shared as net.NetConnectOpts)
          : // The address goes last: with the name as `host`, Node would look it up again by itself.
            loadTLS().connect({ ...this.#options.tls, ...shared } as tls.ConnectionOptions);
    } catch (error) {
      // Node refuses some options (a local address that is none) by throwing.
      this.#failSoon(error as Error);
      return;
    }
    transport.attach(socket);
    this.#attempts.add(socket);
    const failed = (error: Error): void => {
      this.#attempts.delete(socket);
      socket.off('error', failed).off('close', closed);
      if (this.#over) return;
      const tookMs = Math.round(performance.now() - startedAt);
      this.#failures.push(Object.assign(error, { elapsedMs: tookMs }));
      if (this.#waiting.length > 0) this.#next();
      else if (this.#attempts.size === 0) this.#fail(this.#combined());
    };
    // A peer that closes in the TLS handshake: Node reports an error for it, but not in every version.
    const closed = (): void => {
      failed(
        Object.assign(new Error('the peer closed the connection while it was opened'), {
          code: 'ECONNRESET',
        }),
      );
    };
    const finished = (): void => {
      // Nothing of the race stays on the socket.
      socket.off('error', failed).off('close', closed);
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
    this.#failures.length = 0;
    for (const socket of this.#attempts) if (socket !== winner) socket.destroy();
    this.#attempts.clear();
    this.#attempts.add(winner);
  }

  #combined(): Error {
    const [first] = this.#failures;
    if (first === undefined || this.#failures.length === 1) return first ?? new Error('no address answered');
    const list = this.#failures.map(describeAttempt).join(', ');
    const error = new AggregateError(
      this.#failures,
      `no address of ${this.#options.host} could be connected: ${list}`,
    );
    return Object.assign(error, { code: (first as NodeJS.ErrnoException).code });
  }

  #fail(error: Error): void {
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
    this.#end(transport?.socket ?? null);
    this.#done(error, transport);
  }

  #end(keep: net.Socket | null): void {
    this.#over = true;
    clearTimeout(this.#timer);
    for (const socket of this.#attempts) if (socket !== keep) socket.destroy();
    this.#attempts.clear();
  }
}

function describeAttempt(error: Error): string {
  const { address, port, code, elapsedMs } = error as NodeJS.ErrnoException & {
    address?: string;
    port?: number;
    elapsedMs?: number;
  };
  return `${address ?? '?'}:${String(port ?? '?')} ${code ?? error.message} after ${String(elapsedMs ?? 0)} ms`;
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
