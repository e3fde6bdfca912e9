/**
 * Downloads that go on, over clients that are closed after the test.
 */
import { HTTPClient } from '../../lib/index.js';
import type { ClientOptions, ResumableDownload, ResumableOptions } from '../../lib/index.js';

const clients = new Set<HTTPClient>();

/** A client of the test. */
export function clientWith(options?: ClientOptions): HTTPClient {
  const client = new HTTPClient(options);
  clients.add(client);
  return client;
}

/** With short waits, unless the options say otherwise. */
export function download(url: string, options: ResumableOptions = {}): Promise<ResumableDownload> {
  return clientWith().resumable(url, { minDelay: 1, maxDelay: 20, ...options });
}

afterEach(() => {
  for (const client of clients) client.destroy();
  clients.clear();
});
