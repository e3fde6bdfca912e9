/**
 * Many downloads, a few at a time: so many loops take from one list. Connections are kept and used again for the next file.
 *
 *   node many-downloads.mjs 4 folder http://localhost:8080/1.jpg http://localhost:8080/2.jpg …
 */
import { basename, join } from 'node:path';
import { HTTPClient } from 'millrace';

const [atOnce, folder, ...urls] = process.argv.slice(2);
const client = new HTTPClient({ retries: 2, timeout: 30_000 });
const queue = urls.values();

async function work() {
  for (const url of queue) {
    try {
      const response = await client.request('GET', url);
      if (response.status !== 200) {
        await response.drain({ maxBytes: 65_536 });
        throw new Error(`${response.status} ${response.reason}`);
      }
      await response.save(join(folder, basename(new URL(url).pathname)));
      console.log(`saved ${url}`);
    } catch (error) {
      console.log(`failed ${url}: ${error.message}`);
    }
  }
}

await Promise.all(Array.from({ length: Number(atOnce) }, work));
await client.close();
