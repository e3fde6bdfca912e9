/**
 * Pools to scripted servers, over TCP and TLS, and the end of them after each test.
 */
import { setTimeout as wait } from 'node:timers/promises';

import { HTTPConnectionPool } from '../../lib/index.js';
import type { PoolOptions } from '../../lib/index.js';
import { rawServer, rawTLSServer } from './raw-server.js';
import type { RawServer, RawServerOptions, Script } from './raw-server.js';
import { TRUSTING } from './transports.js';

/** One way from a pool to a server. */
export interface PoolWay {
  readonly name: string;
  serve(script: Script, options?: RawServerOptions): Promise<RawServer>;
  pool(server: RawServer, options?: PoolOptions): HTTPConnectionPool;
}

const opened = new Set<HTTPConnectionPool>();

/** Ends the pool after the test. */
export function endedAfterTest(pool: HTTPConnectionPool): HTTPConnectionPool {
  opened.add(pool);
  return pool;
}

export const TCP: PoolWay = {
  name: 'TCP',
  serve: rawServer,
  pool: (server, options) =>
    endedAfterTest(new HTTPConnectionPool(`http://127.0.0.1:${String(server.port)}`, options)),
};

export const TLS: PoolWay = {
  name: 'TLS',
  serve: rawTLSServer,
  pool: (server, options) =>
    endedAfterTest(
      new HTTPConnectionPool(`https://127.0.0.1:${String(server.port)}`, { context: TRUSTING, ...options }),
    ),
};

/** A response that keeps the connection. */
export function okWith(body: string, fields: string = ''): string {
  return `HTTP/1.1 200 OK\r\n${fields}Content-Length: ${String(Buffer.byteLength(body))}\r\n\r\n${body}`;
}

/** Waits until the question is answered with true. */
export async function until(question: () => boolean): Promise<void> {
  for (let turn = 0; turn < 500 && !question(); turn++) await wait(5);
  if (!question()) throw new Error('it did not come true');
}

afterEach(() => {
  for (const pool of opened) pool.destroy();
  opened.clear();
});
