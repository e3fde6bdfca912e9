/**
 * Follow a feed of JSON lines (NDJSON), and go on behind the last one when the connection is lost or has been silent for too long.
 *
 *   node ndjson-follow.mjs http://localhost:8080/changes
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'millrace';

const [url] = process.argv.slice(2);

async function* changes(since = 0) {
  for (let failures = 0; ; failures++) {
    try {
      // The clock of the body runs while we wait for a line, not while a line is worked on.
      const response = await request('GET', `${url}?since=${since}`, null, {}, { timeout: { body: 60_000 } });
      if (response.status !== 200) throw new Error(`${response.status} ${response.reason}`);
      for await (const line of response.lines()) {
        if (line === '') continue; // a heartbeat
        const change = JSON.parse(line);
        yield change;
        since = change.seq;
        failures = 0;
      }
      return; // the feed is over
    } catch (error) {
      if (error instanceof SyntaxError || failures === 5) throw error;
      console.error(`behind ${since}: ${error.message}`);
      await sleep(Math.min(10_000, 100 * 2 ** failures));
    }
  }
}

for await (const change of changes()) console.log(`${change.seq} ${change.name}`);
