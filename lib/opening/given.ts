/**
 * A stream of the caller's in the place of a dial: `createConnection` is asked for it, and what it gives is taken over.
 *
 * That function may throw, reject, never answer, or answer when nobody waits any more; what it gives may be anything, or a socket that
 * is still connecting. Its errors are passed on as they are.
 */
import type { Duplex } from 'node:stream';
import { closedWhileOpened } from '../transport/dial.js';
import type { Opened } from '../transport/dial.js';
import { isOpening } from '../transport/given-stream.js';
import { Transport } from '../transport/transport.js';

/** Whom `createConnection` is to reach: as dialled, the proxy where there is a tunnel. */
export interface ConnectTarget {
  /** The name or address, without brackets. */
  host: string;
  /** The port. */
  port: number;
  /** The Unix domain socket or Windows pipe that the connection was made with; null for none. */
  socketPath: string | null;
  /** Aborted when the stream is not wanted any more: by the connect clock, `close()`, or the request's signal. */
  signal: AbortSignal;
}

/** Makes the byte stream of a connection. The connection owns it from then on. */
export type CreateConnection = (target: ConnectTarget) => Duplex | Promise<Duplex>;

/** @returns gives up: the signal is aborted, and what is given later is destroyed */
export function openGiven(
  createConnection: CreateConnection,
  { host, port, socketPath = null }: { host: string; port: number; socketPath?: string | null | undefined },
  done: Opened,
): () => void {
  const aborter = new AbortController();
  const transport = new Transport();
  let over = false;
  const fail = (error: unknown): void => {
    if (over) return;
    over = true;
    transport.close();
    done(error as Error, null);
  };
  const take = (stream: unknown): void => {
    if (over) {
      discard(stream);
      return;
    }
    try {
      transport.attachGiven(stream);
    } catch (error) {
      discard(stream);
      fail(error);
      return;
    }
    whenOpen(stream as Duplex, fail, () => {
      if (over) return;
      over = true;
      done(null, transport);
    });
  };
  // Inside a promise, so that what throws, and a thenable that is none, are rejections.
  new Promise<unknown>((resolve) => {
    resolve(createConnection({ host, port, socketPath, signal: aborter.signal }));
  }).then(take, fail);
  return () => {
    over = true;
    aborter.abort();
    transport.close();
  };
}

/** A socket that still connects has its failure as the dial's. */
function whenOpen(stream: Duplex, fail: (error: unknown) => void, opened: () => void): void {
  if (!isOpening(stream)) {
    opened();
    return;
  }
  const onOpen = (): void => {
    if (isOpening(stream)) return;
    stream.off('connect', onOpen).off('secureConnect', onOpen).off('error', fail).off('close', onClose);
    opened();
  };
  const onClose = (): void => fail(closedWhileOpened());
  stream.on('connect', onOpen).on('secureConnect', onOpen).on('error', fail).on('close', onClose);
}

/** Ends what nobody wants. It may be anything. */
function discard(stream: unknown): void {
  try {
    const { on, destroy } = stream as Partial<Record<string, unknown>>;
    if (typeof on === 'function') Reflect.apply(on, stream, ['error', () => undefined]);
    if (typeof destroy === 'function') Reflect.apply(destroy, stream, []);
  } catch {
    // It cannot be ended, and it is nobody's.
  }
}
