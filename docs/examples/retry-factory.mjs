/**
 * Send a file again when it fails: a stream can be read once, so give a function that opens a new one for each attempt.
 *
 *   node retry-factory.mjs http://localhost:8080/upload file.bin
 */
import { createReadStream } from 'node:fs';
import { request } from 'millrace';

const [url, path] = process.argv.slice(2);
const response = await request(
  'PUT',
  url,
  () => createReadStream(path),
  { 'Content-Type': 'application/octet-stream' },
  {
    retries: {
      limit: 4,
      minDelay: 100,
      onRetry: ({ number, status, error }) => console.log(`attempt ${number}: ${status ?? error?.message}`),
    },
  },
);
console.log(`done: ${response.status} ${await response.text()}`);
