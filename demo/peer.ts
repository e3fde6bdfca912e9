/**
 * Starts and stops the demo's own server (demo/server.ts) as a child process. Knows nothing of what the server does with its
 * requests, and never leaves the child behind.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** A running server: where it listens and how to end it. */
export interface Peer {
  readonly url: URL;
  stop(): Promise<void>;
}

/** Starts the server and waits until it listens. It stores what it is sent in `directory`. */
export async function startPeer(directory: string): Promise<Peer> {
  const child = fork(fileURLToPath(new URL('server.js', import.meta.url)), [directory], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const exited = once(child, 'exit');
  const port: unknown = await Promise.race([
    once(child, 'message').then(([message]) => message as unknown),
    exited.then(([code]) => {
      throw new Error(`the demo's server ended before it listened, with code ${String(code)}`);
    }),
  ]);
  return {
    url: new URL(`http://127.0.0.1:${String(port)}/demo`),
    async stop(): Promise<void> {
      if (child.connected) child.disconnect();
      await exited;
    },
  };
}
