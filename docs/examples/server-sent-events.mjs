/**
 * Follow server-sent events, and go on behind the last one when the connection is lost. `eventsource-parser` reads the format.
 *
 *   npm install eventsource-parser
 *   node server-sent-events.mjs http://localhost:8080/events
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { createParser } from 'eventsource-parser';
import { request } from 'millrace';

const [url] = process.argv.slice(2);
let lastId = '';
let pauseMs = 1000;

const parser = createParser({
  onEvent: ({ id, event, data }) => {
    lastId = id ?? lastId;
    console.log(`${event ?? 'message'}: ${data}`);
  },
  onRetry: (ms) => (pauseMs = ms),
});

for (;;) {
  try {
    const fields = { Accept: 'text/event-stream', ...(lastId === '' ? {} : { 'Last-Event-ID': lastId }) };
    const response = await request('GET', url, null, fields);
    if (response.status !== 200) break; // 204 is the server's way to say: no more
    for await (const text of response.setEncoding('utf8')) parser.feed(text);
  } catch (error) {
    console.error(`${error.message}; going on`);
  }
  parser.reset();
  await sleep(pauseMs);
}
