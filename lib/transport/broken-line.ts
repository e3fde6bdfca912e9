/**
 * What a failed write says about a connection: that the peer takes no more, that it was reset behind its end, that it is gone.
 */
import type { Duplex } from 'node:stream';
import { afterPoll } from './poll-barrier.js';

const NOTHING = Buffer.alloc(0);

/** A line whose end is in question: a transport. */
interface EndedLine {
  readonly closed: boolean;
  readonly writeError: Error | null;
  readonly pendingBytes: number;
  readonly socket: Duplex;
  flush(): void;
}

/** A write behind the end of the connection. */
export class LostConnection extends Error {
  /** As a socket has it. */
  readonly code = 'EPIPE';

  constructor() {
    super('the peer has closed the connection');
  }
}

/**
 * Tells an orderly end from a reset that libuv reported as one (data and RST in one poll): a write of no bytes fails after a reset.
 * Over TLS, and on a stream of somebody else's that is no socket, the two look alike.
 *
 * @param done - null for an orderly end
 */
export function confirmEnd(line: EndedLine, done: (error: Error | null) => void): void {
  if (line.closed || !('remoteAddress' in line.socket) || 'encrypted' in line.socket) {
    done(null);
    return;
  }
  const tell = (failure?: Error | null): void => {
    const error = failure ?? line.writeError;
    done(error === null || cameBehindEnd(error) ? null : error);
  };
  line.flush();
  if (line.writeError !== null) tell();
  // What waits to be written fails in the same poll as a reset; behind it, a write of no bytes would wait for a peer that reads nothing.
  else if (line.pendingBytes > 0) afterPoll(() => tell());
  else line.socket.write(NOTHING, tell);
}

/** Whether the peer takes no more, which does not say that nothing comes. What TLS itself refuses to write has ended both ways. */
export function isBrokenPipe(
  error: (Error & { syscall?: string; code?: string }) | undefined,
): error is Error {
  return (error?.syscall === 'write' || error?.syscall === 'writev') && error.code !== 'EPROTO';
}

/** What a failed write says. Node's word for one that still waited in its TLS when that was torn down names nobody's fault. */
export function lossOf(error: NodeJS.ErrnoException): Error {
  if (error.code !== 'ECANCELED') return error;
  const lost = new LostConnection();
  lost.cause = error;
  return lost;
}

/** Linux has another error for a reset that followed a FIN, as when a server has answered and closed without reading. */
function cameBehindEnd(error: NodeJS.ErrnoException): boolean {
  return error.code === 'EPIPE' && process.platform === 'linux';
}
