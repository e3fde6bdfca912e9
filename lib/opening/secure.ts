/**
 * TLS over a transport that is open: inside a tunnel, or over a stream that was given.
 *
 * It runs over a stream of ours, not over the raw socket: that one survives failed writes, so that an early response can be read in
 * here too. (A dialled address has its TLS from the dial, which reads faster.)
 */
import type * as tls from 'node:tls';
import { DetachedStream } from '../transport/detached-stream.js';
import { closedWhileOpened } from '../transport/dial.js';
import type { Opened } from '../transport/dial.js';
import { startTLS } from '../transport/tls.js';
import { Transport } from '../transport/transport.js';

/**
 * @param surplus - bytes that were read behind the answer to CONNECT: TLS's business
 * @returns gives the handshake up and closes what it ran over
 * @throws what Node throws for options that cannot be used
 */
export function secure(
  under: Transport,
  surplus: readonly Buffer[],
  options: tls.ConnectionOptions,
  done: Opened,
): () => void {
  const stream = new DetachedStream(under, surplus, true);
  let over = false;
  const fail = (error: Error): void => {
    if (over) return;
    over = true;
    transport.close();
    stream.destroy();
    // What broke the line says more than what TLS makes of it.
    done(under.failure ?? error, null);
  };
  const socket = startTLS(options, { socket: stream }, fail);
  const transport = new Transport().attachOver(under, socket);
  socket.once('secureConnect', () => {
    if (over) return;
    over = true;
    done(null, transport);
  });
  socket.once('error', fail);
  socket.once('close', () => {
    fail(closedWhileOpened());
    stream.destroy();
  });
  return () => {
    over = true;
    transport.close();
    stream.destroy();
  };
}
