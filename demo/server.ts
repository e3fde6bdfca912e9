/**
 * The demo's own peer: a node:http server on loopback that keeps what is PUT and gives it back on GET. It runs as a child
 * process, so that its memory is not counted as the client's, and it shares no code with the library. It stores one body, in
 * the directory named by its first argument, answers with the size and SHA-256 of what it wrote, and ends with its parent.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Meter } from './meter.js';

const file = join(process.argv[2] ?? '.', 'stored');

async function store(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const meter = new Meter(() => {});
  await pipeline(request, meter, createWriteStream(file));
  const answer = JSON.stringify({ bytes: meter.bytes, sha256: meter.digest() });
  response
    .writeHead(201, { 'Content-Type': 'application/json', 'Content-Length': answer.length })
    .end(answer);
}

async function giveBack(response: ServerResponse): Promise<void> {
  const { size } = await stat(file);
  response.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': size });
  await pipeline(createReadStream(file), response);
}

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method === 'PUT') await store(request, response);
  else if (request.method === 'GET') await giveBack(response);
  else response.writeHead(405, { Allow: 'GET, PUT' }).end();
}

const server = createServer((request, response) => {
  serve(request, response).catch((error: unknown) => {
    // A client that went away has already been told everything by its own broken connection.
    if (response.destroyed || response.headersSent) response.destroy();
    else response.writeHead(500, { 'Content-Type': 'text/plain', Connection: 'close' }).end(String(error));
  });
});

// Ctrl-C reaches the whole process group: the client decides when this server ends.
process.on('SIGINT', () => {});
process.once('disconnect', () => process.exit(0));

// A slow source, say a person who types into standard input, is no reason to hang up.
server.requestTimeout = 0;
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') process.send?.(address.port);
});
