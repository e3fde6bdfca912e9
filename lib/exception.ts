/**
 * What every exception of this library is, and the one place that adds to an error which exchange it ended and how far that got.
 *
 * What a caller made, an error of a body or the reason of an abort, is never written to: it may be frozen, throw, or be shared by
 * several requests. Nothing here throws, whatever the members of an error do.
 */

/** What an exchange was doing when it failed. */
export type Phase = 'connect' | 'tunnel' | 'send' | 'response' | 'body';

/** The clock that ran out: a phase's own, the one over the whole exchange, or a pool's over the wait for a connection. */
export type TimerName = 'connect' | 'send' | 'response' | 'body' | 'total' | 'acquire';

/** One address that was dialled, in the order in which they were tried. */
export interface DialledAddress {
  /** The IP address, or the path of a local socket. */
  address: string;
  /** The port; 0 for a local socket. */
  port: number;
  /** Why it failed, Node's code (`ECONNREFUSED`); null while it was still pending. */
  code: string | null;
  /** Milliseconds from its dial to its failure, or to the end of the whole attempt. */
  ms: number;
}

/** Plain data about the exchange an error belongs to. Each is absent when it is not known. */
export interface ExchangeData {
  /** The request's method, as the caller gave it. */
  method?: string | undefined;
  /** The request's target, as the caller gave it. */
  url?: string | undefined;
  /** What the exchange was doing. */
  phase?: Phase | undefined;
  /** Bytes of this exchange handed to the network, head included. */
  bytesSent?: number | undefined;
  /** Bytes of this exchange received from the network, heads included. */
  bytesReceived?: number | undefined;
  /** Whether the exchange ran on a connection that had served one before. */
  reused?: boolean | undefined;
}

/** Base of every exception of this library. Wrong arguments are `TypeError`s, and socket errors stay Node's own. */
export class HTTPException extends Error implements ExchangeData {
  /** The name of the class. */
  override name = 'HTTPException';
  /** Stable: `ERR_` and the class name in snake case. */
  readonly code: string = 'ERR_HTTP_EXCEPTION';
  declare method?: string | undefined;
  declare url?: string | undefined;
  declare phase?: Phase | undefined;
  declare bytesSent?: number | undefined;
  declare bytesReceived?: number | undefined;
  declare reused?: boolean | undefined;
  /** Of a failure to connect: where it went. Empty when no address was tried. */
  declare addresses?: DialledAddress[] | undefined;
}

/**
 * Adds to an error which exchange it ended and how far that got. It never throws, whatever the error's members do.
 *
 * An exception of ours is described once, by the exchange that it ended: data that it has stays, its message is completed.
 * `describeSocketError` does the same for what a socket or a resolver gave, whose text stays Node's. Nothing else is written to: an
 * error or a reason of the caller's may be frozen, may throw, and may be shared by several requests. So what came out of a signal, a
 * body source or a callback is not to be passed here, even where it is an exception of ours.
 */
export function describeFailure(error: unknown, data: ExchangeData): void {
  if (!isOurs(error)) return;
  const described = read(error, 'method') !== undefined;
  addData(error, data);
  if (described || data.method === undefined) return;
  const { bytesSent = 0, bytesReceived = 0 } = data;
  const reused = data.reused === true ? ', reused connection' : '';
  // Where it failed may not know how far the exchange has got.
  const known = data.bytesSent !== undefined || data.bytesReceived !== undefined;
  const progress = known
    ? ` (${String(bytesSent)} bytes sent, ${String(bytesReceived)} received${reused})`
    : '';
  try {
    const { message, stack } = error;
    error.message = `${data.method} ${data.url ?? ''}: ${message}${progress}`;
    // V8 wrote the message into the stack, which is what an uncaught error or a log shows.
    const header = `: ${message}`;
    const at = stack?.indexOf(header) ?? -1;
    if (stack === undefined || at === -1) return;
    error.stack = `${error.name}: ${error.message}${stack.slice(at + header.length)}`;
  } catch {
    // A subclass may have made them read-only. It has said what it wants to say.
  }
}

/** Adds to an error that Node gave for a socket, a look-up or TLS which exchange it ended. See {@link describeFailure}. */
export function describeSocketError(error: unknown, data: ExchangeData): void {
  if (isOurs(error)) describeFailure(error, data);
  // Not `instanceof Error`: under Jest, Node's errors are of another realm than the program's.
  // One without a code is not Node's either, but what a caller's look-up or check of a certificate gave: it stays as it is.
  else if (typeof error === 'object' && error !== null && typeof read(error, 'code') === 'string')
    addData(error, data);
}

/**
 * Gives an error of ours or of a socket one more member, which is not enumerable: it may refer to the error itself, and a log
 * need not show it. Does nothing where that cannot be.
 */
export function attachTo(error: unknown, name: 'addresses' | 'attempts', value: unknown): void {
  if (typeof error !== 'object' || error === null) return;
  try {
    Object.defineProperty(error, name, { value, configurable: true, enumerable: false, writable: true });
  } catch {
    // Frozen, or a proxy that refuses.
  }
}

/**
 * An error that a stream can be destroyed with: Node reads its `stack` first, and takes a falsy one for none. What cannot be shown as it
 * is becomes the `cause` of one of ours.
 */
export function shownByStreams(error: unknown): Error {
  try {
    if (error) {
      void (error as Error).stack;
      return error as Error;
    }
  } catch {
    // A getter that throws, or a proxy.
  }
  return new HTTPException('the exchange was ended with something that is no error', { cause: error });
}

/** Whether it is one of ours, whatever else it is. */
export function isOurs(error: unknown): error is HTTPException {
  try {
    return error instanceof HTTPException;
  } catch {
    // A proxy whose getPrototypeOf throws.
    return false;
  }
}

const DATA_NAMES = ['method', 'url', 'phase', 'bytesSent', 'bytesReceived', 'reused'] as const;

function addData(error: object, data: ExchangeData): void {
  for (const name of DATA_NAMES) {
    const value = data[name];
    if (value === undefined || read(error, name) !== undefined) continue;
    try {
      (error as Record<string, unknown>)[name] = value;
    } catch {
      // Read-only, frozen, or a setter that throws: it stays as it is.
    }
  }
}

/** A member, undefined when it cannot be read. */
function read(error: object, name: string): unknown {
  try {
    return (error as Record<string, unknown>)[name];
  } catch {
    return undefined;
  }
}
