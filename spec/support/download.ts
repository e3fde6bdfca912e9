/**
 * Downloads that go on, from a scripted server, over a pool of their own that is closed after the test.
 */
import { beginDownload } from '../../lib/client/resumable-download.js';
import type { ResumableDownload } from '../../lib/client/resumable-download.js';
import { planDownload } from '../../lib/client/download-options.js';
import type { DownloadOptions } from '../../lib/client/download-options.js';
import { HTTPConnectionPool } from '../../lib/pool/connection-pool.js';
import type { PoolRequestOptions } from '../../lib/pool/pool-options.js';

const pools = new Set<HTTPConnectionPool>();

/** With short waits, unless the options say otherwise. */
export function download(
  url: string,
  options: DownloadOptions & PoolRequestOptions = {},
): Promise<ResumableDownload> {
  const { origin, pathname } = new URL(url);
  const pool = new HTTPConnectionPool(origin);
  pools.add(pool);
  const given = { minDelay: 1, maxDelay: 20, ...options };
  const { signal, timeout } = given;
  const limits =
    typeof timeout === 'number'
      ? { connect: timeout, send: timeout, response: timeout, body: timeout }
      : timeout;
  const plan = planDownload(given, limits?.total ?? undefined);
  return beginDownload(
    (fields, asking, again) =>
      pool.request('GET', pathname, null, fields, {
        ...(asking === undefined ? {} : { signal: asking }),
        timeout: again ? { ...limits, total: null } : (timeout ?? null),
      }),
    { ...plan, signal },
    performance.now(),
  );
}

afterEach(() => {
  for (const pool of pools) pool.destroy();
  pools.clear();
});
