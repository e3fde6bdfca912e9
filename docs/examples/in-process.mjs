/**
 * Talk to a server in the same process, without a port: two ends of a stream in memory. Tests that do this never meet a port in use.
 *
 *   node in-process.mjs
 */
import { createServer } from 'node:http';
import { duplexPair } from 'node:stream';
import { HTTPClient } from 'millrace';

// Never listens.
const server = createServer((request, response) => response.end(`${request.method} ${request.url}`));

const client = new HTTPClient({
  createConnection: () => {
    const [ours, theirs] = duplexPair();
    server.emit('connection', theirs);
    return ours;
  },
});

const response = await client.request('GET', 'http://any.name/path');
console.log(response.status, await response.text());
await client.close();
