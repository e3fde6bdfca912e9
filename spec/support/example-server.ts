/**
 * The servers that the examples in the documentation talk to: HTTP, the same over TLS and on a Unix socket, and a proxy that opens tunnels.
 *
 * Each path is one behaviour, named in `serve`. Everything listens on loopback and on free ports. It shares no code with the library
 * and checks nothing: what an example prints is checked by its spec.
 */
import { once } from 'node:events';
import * as http from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import * as https from 'node:https';
import * as net from 'node:net';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { identity } from './raw-server.js';

/** What `GET /file` answers with. */
export const FILE_BYTES = 300_000;

/** How long the slow paths take from one piece to the next. */
const PAUSE_MS = 10;

const TEXT = { 'Content-Type': 'text/plain; charset=utf-8' };
const JSON_TYPE = { 'Content-Type': 'application/json' };

export interface ExampleServers {
  port: number;
  tlsPort: number;
  proxyPort: number;
  close(): Promise<void>;
}

export async function startExampleServers(socketPath: string): Promise<ExampleServers> {
  const plain = prepared(http.createServer(onRequest));
  const secure = prepared(https.createServer(identity('server'), onRequest));
  const local = prepared(http.createServer(onRequest));
  const proxy = http.createServer();
  const tunnels = new Set<Duplex>();
  proxy.on('connect', (request: IncomingMessage, socket: Duplex) => {
    tunnels.add(socket);
    openTunnel(request, socket);
  });
  const servers = [plain, secure, local, proxy];
  plain.listen(0, '127.0.0.1');
  secure.listen(0, '127.0.0.1');
  proxy.listen(0, '127.0.0.1');
  local.listen(socketPath);
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const portOf = (server: net.Server): number => (server.address() as AddressInfo).port;
  return {
    port: portOf(plain),
    tlsPort: portOf(secure),
    proxyPort: portOf(proxy),
    async close() {
      for (const socket of tunnels) socket.destroy();
      for (const server of servers) server.closeAllConnections();
      await Promise.all(
        servers.map((server) => {
          server.close();
          return once(server, 'close');
        }),
      );
    },
  };
}

function prepared<Server extends http.Server | https.Server>(server: Server): Server {
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    // '/quota' refuses by the head alone.
    if (request.url !== '/quota') response.writeContinue();
    onRequest(request, response);
  });
  server.on('upgrade', (_request: IncomingMessage, socket: Duplex) => {
    socket.on('error', () => undefined);
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: shout\r\n\r\nhello ');
    socket.on('data', (bytes: Buffer) => socket.write(bytes.toString('latin1').toUpperCase()));
    socket.on('end', () => socket.end());
  });
  return server;
}

function onRequest(request: IncomingMessage, response: ServerResponse): void {
  serve(request, response).catch((error: unknown) => {
    // The client that goes away in mid-exchange is what some examples are about.
    response.destroy(error as Error);
  });
}

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method === 'PUT' || request.method === 'POST') await take(request, response);
  else await give(request, response);
}

/** Requests with a body. */
async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.url === '/quota') {
    response.writeHead(413, { Connection: 'close', ...TEXT }).end('too large');
    return;
  }
  if (request.url === '/slow-reader') await sleep(PAUSE_MS);
  const body = await buffer(request);
  const { 'content-type': type = null, 'content-length': length = null } = request.headers;
  if (request.url === '/echo') {
    response.writeHead(200, type === null ? {} : { 'Content-Type': type }).end(body);
  } else if (request.url === '/old') {
    response.writeHead(302, { Location: '/new', ...TEXT }).end('Redirecting to <a href="/new">/new</a>');
  } else {
    const framing = length ?? request.headers['transfer-encoding'] ?? null;
    const seen = { bytes: body.length, framing, type, trailers: request.trailers };
    response.writeHead(200, JSON_TYPE).end(JSON.stringify(seen));
  }
}

let timesBusy = 0;

const TAPE_TAG = '"tape-1"';

/** A file that knows ranges; asked for as a whole it is cut. */
async function giveTape({ headers }: IncomingMessage, response: ServerResponse): Promise<void> {
  const file = Buffer.alloc(FILE_BYTES, 'tape ');
  const from = headers['if-range'] === TAPE_TAG ? Number(/=([0-9]+)-$/.exec(headers.range ?? '')?.[1]) : 0;
  const rest = { ETag: TAPE_TAG, 'Content-Length': FILE_BYTES - from };
  if (from > 0) {
    const range = `bytes ${String(from)}-${String(FILE_BYTES - 1)}/${String(FILE_BYTES)}`;
    response.writeHead(206, { 'Content-Range': range, ...rest }).end(file.subarray(from));
    return;
  }
  response.writeHead(200, rest);
  response.write(file.subarray(0, 100_000));
  await sleep(PAUSE_MS);
  response.socket?.end();
}

/** Requests without one. */
async function give(request: IncomingMessage, response: ServerResponse): Promise<void> {
  switch (request.url) {
    case '/':
      response
        .writeHead(200, { 'Content-Type': 'text/html' })
        .end('<!doctype html>\n<title>millrace</title>\n');
      return;
    case '/file':
      response.writeHead(200, { 'Content-Length': FILE_BYTES }).end(Buffer.alloc(FILE_BYTES, 'file '));
      return;
    case '/tape':
      await giveTape(request, response);
      return;
    case '/lines':
      response.writeHead(200, TEXT);
      for (const line of ['first\n', 'second\n', 'third\n']) {
        response.write(line);
        await sleep(PAUSE_MS);
      }
      response.end();
      return;
    case '/item':
      response.writeHead(200, JSON_TYPE).end('{"id":7,"name":"wheel"}');
      return;
    case '/report':
      response.writeHead(200, { Trailer: 'X-Rows', ...TEXT });
      response.write('a,b\n1,2\n');
      response.addTrailers({ 'X-Rows': '1' });
      response.end();
      return;
    case '/hints':
      response.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' });
      response.writeHead(200, TEXT).end('page');
      return;
    case '/fields':
      response.writeHead(200, JSON_TYPE).end(JSON.stringify(request.rawHeaders));
      return;
    case '/packed':
      response.writeHead(200, { 'Content-Encoding': 'gzip', ...TEXT }).end(gzipSync('unpacked text'));
      return;
    case '/cut':
      response.writeHead(200, { 'Content-Length': 10, ...TEXT });
      response.write('four');
      await sleep(PAUSE_MS);
      response.socket?.end();
      return;
    case '/stall':
      response.writeHead(200, { 'Content-Length': 10, ...TEXT });
      response.write('four');
      return;
    case '/silent':
      return;
    case '/old':
      response.writeHead(301, { Location: '/item', ...TEXT }).end('moved');
      return;
    case '/busy':
      // Every second time.
      if (++timesBusy % 2 === 1) response.writeHead(503, { 'Retry-After': '0', ...TEXT }).end('later');
      else response.writeHead(200, TEXT).end('done');
      return;
    default:
      response.writeHead(404, TEXT).end('not found\n');
  }
}

function openTunnel(request: IncomingMessage, socket: Duplex): void {
  socket.on('error', () => undefined);
  const [host, port] = (request.url ?? '').split(':');
  if (host !== '127.0.0.1') {
    const fields = 'Proxy-Authenticate: Basic realm="proxy"\r\nContent-Length: 0';
    socket.end(`HTTP/1.1 407 Proxy Authentication Required\r\n${fields}\r\n\r\n`);
    return;
  }
  const server = net.connect(Number(port), host);
  server.on('error', () => socket.destroy());
  server.on('close', () => socket.destroy());
  socket.on('close', () => server.destroy());
  server.on('connect', () => {
    socket.write('HTTP/1.1 200 Connection Established\r\nX-Proxy: example\r\n\r\n');
    socket.pipe(server).pipe(socket);
  });
}
