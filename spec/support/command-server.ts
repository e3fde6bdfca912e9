/**
 * The server that the command and curl talk to in the specs: each path is one behaviour, named in `serve`. What it was asked is kept, and
 * `/seen` answers with it, so that two clients can be compared by what arrived. It shares no code with the library.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import * as http from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import * as https from 'node:https';
import { connect, type AddressInfo, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { TLSSocket, type PeerCertificate } from 'node:tls';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';

import { identity } from './raw-server.js';

/** What `/seen` answers with, as JSON. */
export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

/** What `/file` answers with. */
export const FILE: Buffer = Buffer.from(
  Array.from({ length: 20_000 }, (_, index) => `line ${String(index)}\n`).join(''),
);

/** What the paths that break off give before they do. */
export const PIECE = 60_000;

const TAG = '"one"';

export interface CommandServer {
  readonly port: number;
  /** `http://127.0.0.1:port`, to be followed by a path. */
  readonly origin: string;
  /** The same over TLS, with a certificate of the suite's own authority. */
  readonly secure: string;
  /** A proxy, of requests and of tunnels: `http://127.0.0.1:port`. */
  readonly proxy: string;
  /** What the proxy was asked, `METHOD target`. */
  readonly proxied: string[];
  /** Every request so far. */
  readonly requests: IncomingMessage[];
  close(): Promise<void>;
}

/**
 * Starts it on free ports of loopback.
 *
 * @param socketPath - where to listen besides
 */
export async function startCommandServer(socketPath?: string): Promise<CommandServer> {
  const requests: IncomingMessage[] = [];
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    requests.push(request);
    serve(request, response).catch(() => response.destroy());
  };
  const servers: Server[] = [
    http.createServer(onRequest),
    https.createServer({ ...identity('server'), requestCert: true, rejectUnauthorized: false }, onRequest),
  ];
  const proxied: string[] = [];
  servers.push(proxyServer(proxied));
  for (const server of servers) server.listen(0, '127.0.0.1');
  if (socketPath !== undefined) servers.push(http.createServer(onRequest).listen(socketPath));
  const [port = 0, securePort = 0, proxyPort = 0] = await Promise.all(
    servers.map(async (server) => {
      await once(server, 'listening');
      return (server.address() as AddressInfo).port;
    }),
  );
  return {
    port,
    origin: `http://127.0.0.1:${String(port)}`,
    secure: `https://127.0.0.1:${String(securePort)}`,
    proxy: `http://127.0.0.1:${String(proxyPort)}`,
    proxied,
    requests,
    async close() {
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

/** How often `/flaky` was asked. */
let flaky = 0;

/** Answers of `/feed`, which go on until `/end-of-feeds` is asked. */
const feeds: ServerResponse[] = [];

/** Passes on whatever it is asked, to loopback only. */
function proxyServer(proxied: string[]): Server {
  const server = http.createServer((request, response) => {
    proxied.push(`${request.method ?? ''} ${request.url ?? ''}`);
    const onward = http.request(request.url ?? '', { method: request.method, headers: request.headers });
    onward.on('response', (answer) =>
      answer.pipe(response.writeHead(answer.statusCode ?? 502, answer.headers)),
    );
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  });
  server.on('connect', (request: IncomingMessage, socket: Duplex) => {
    proxied.push(`CONNECT ${request.url ?? ''}`);
    const onward = connect(Number(request.url?.split(':')[1]), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      socket.pipe(onward).pipe(socket);
    });
    for (const [one, other] of [
      [socket, onward],
      [onward, socket],
    ] as const) {
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
  });
  return server;
}

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://server');
  const [, first = ''] = url.pathname.split('/');
  switch (first) {
    case 'seen':
      response.end(JSON.stringify(await seen(request)));
      return;
    case 'echo':
      response.writeHead(200, { 'Content-Type': request.headers['content-type'] ?? 'text/plain' });
      request.pipe(response);
      return;
    case 'count': {
      const hash = createHash('sha256');
      let bytes = 0;
      for await (const piece of request) {
        bytes += (piece as Buffer).length;
        hash.update(piece as Buffer);
      }
      response.end(`${String(bytes)} ${hash.digest('hex')}\n`);
      return;
    }
    case 'file':
      giveFile(request, response);
      return;
    case 'torn':
      giveTorn(request, response);
      return;
    case 'slow':
      // Nothing behind the first part; who asks for the rest gets it at once.
      if (request.headers.range !== undefined) giveFile(request, response);
      else {
        response.writeHead(200, { ETag: TAG, 'Content-Length': FILE.length });
        response.write(FILE.subarray(0, PIECE));
      }
      return;
    case 'untold':
      response.writeHead(200, { 'Content-Length': FILE.length });
      response.write(FILE.subarray(0, PIECE));
      return;
    case 'feed':
      response.write('first\n');
      feeds.push(response);
      return;
    case 'end-of-feeds':
      for (const feed of feeds.splice(0)) feed.end('last\n');
      response.end();
      return;
    case 'packed':
      givePacked(request, response);
      return;
    case 'status': {
      const status = Number(url.pathname.split('/')[2]);
      response.writeHead(status, { 'Content-Type': 'text/plain' }).end(`this is ${String(status)}\n`);
      return;
    }
    case 'moved': {
      const status = Number(url.searchParams.get('status') ?? '302');
      response.writeHead(status, { Location: url.searchParams.get('to') ?? '/seen' }).end('moved\n');
      return;
    }
    case 'round':
      response
        .writeHead(302, { Location: `/round/${String(Number(url.pathname.split('/')[2] ?? 0) + 1)}` })
        .end();
      return;
    case 'hints':
      response.writeEarlyHints({ link: '</style.css>; rel=preload' });
      response.end('hinted\n');
      return;
    case 'cut': {
      const bytes = Number(url.searchParams.get('bytes') ?? 400);
      response.writeHead(200, { 'Content-Length': bytes + 600 });
      response.write(Buffer.alloc(bytes, 'x'), () => response.socket?.end());
      return;
    }
    case 'garbage':
      response.socket?.end('this is not HTTP\r\n\r\n');
      return;
    case 'hang-up':
      response.socket?.destroy();
      return;
    case 'silent':
      return;
    case 'stall': {
      // The first part, and then nothing; the rest is given to whoever asks for it.
      const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
      if (from === 0) {
        response.writeHead(200, { 'Content-Length': 1000, ETag: TAG });
        response.write(Buffer.alloc(400, 'x'));
      } else {
        const fields = {
          'Content-Range': `bytes ${String(from)}-999/1000`,
          'Content-Length': 1000 - from,
          ETag: TAG,
        };
        response.writeHead(206, fields).end(Buffer.alloc(1000 - from, 'y'));
      }
      return;
    }
    case 'flaky':
      flaky = (flaky + 1) % 3;
      response.writeHead(flaky === 0 ? 200 : 503, { 'Retry-After': '0' });
      response.end(flaky === 0 ? 'third time lucky\n' : 'not now\n');
      return;
    case 'large':
      await give(response, Number(url.searchParams.get('bytes')), url.searchParams.get('length') !== null);
      return;
    case 'hello':
      response.end('hello\n');
      return;
    case 'who':
      response.end(`${request.headers.authorization ?? subjectOf(request.socket)}\n`);
      return;
    default: {
      const { length } = await buffer(request);
      const type = request.headers['content-type']?.replace(/;.*/, '') ?? 'no type';
      response.end(`${request.method ?? ''} ${url.pathname}, ${String(length)} bytes of ${type}\n`);
    }
  }
}

/** Whom the client's certificate names. */
function subjectOf(socket: Socket): string {
  if (!(socket instanceof TLSSocket)) return 'nobody';
  const { subject } = socket.getPeerCertificate() as Partial<PeerCertificate>;
  return String(subject?.CN ?? 'nobody');
}

async function seen(request: IncomingMessage): Promise<Seen> {
  const { rawHeaders } = request;
  const fields = rawHeaders.flatMap((name, index): [string, string][] =>
    index % 2 === 0 ? [[name, rawHeaders[index + 1] ?? '']] : [],
  );
  const body = await buffer(request);
  return { method: request.method ?? '', url: request.url ?? '', fields, body: body.toString('latin1') };
}

/** With ranges, as a server for files does it. */
function giveFile(request: IncomingMessage, response: ServerResponse): void {
  const fields = { 'Content-Type': 'text/plain', ETag: TAG, 'Accept-Ranges': 'bytes' };
  const range = /^bytes=(\d*)-(\d*)$/.exec(request.headers.range ?? '');
  const unchanged = (request.headers['if-range'] ?? TAG) === TAG;
  if (range === null || !unchanged) {
    response.writeHead(200, { ...fields, 'Content-Length': FILE.length }).end(FILE);
    return;
  }
  const [, from = '', to = ''] = range;
  const start = from === '' ? Math.max(0, FILE.length - Number(to)) : Number(from);
  const end = from === '' || to === '' ? FILE.length : Math.min(FILE.length, Number(to) + 1);
  if (start >= FILE.length) {
    response.writeHead(416, { 'Content-Range': `bytes */${String(FILE.length)}` }).end();
    return;
  }
  const where = `bytes ${String(start)}-${String(end - 1)}/${String(FILE.length)}`;
  response
    .writeHead(206, { ...fields, 'Content-Range': where, 'Content-Length': end - start })
    .end(FILE.subarray(start, end));
}

/** Piece by piece, with a connection that breaks behind each. */
function giveTorn(request: IncomingMessage, response: ServerResponse): void {
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  const fields = { ETag: TAG, 'Content-Length': FILE.length - start };
  if (start === 0) response.writeHead(200, fields);
  else {
    const where = `bytes ${String(start)}-${String(FILE.length - 1)}/${String(FILE.length)}`;
    response.writeHead(206, { ...fields, 'Content-Range': where });
  }
  const piece = FILE.subarray(start, start + PIECE);
  if (start + piece.length === FILE.length) response.end(piece);
  else response.write(piece, () => setTimeout(() => response.destroy(), 20));
}

function givePacked(request: IncomingMessage, response: ServerResponse): void {
  const accepted = request.headers['accept-encoding'] ?? '';
  for (const [coding, pack] of [
    ['br', brotliCompressSync],
    ['gzip', gzipSync],
    ['deflate', deflateSync],
  ] as const) {
    if (!accepted.includes(coding)) continue;
    response.writeHead(200, { 'Content-Encoding': coding }).end(pack('unpacked text\n'));
    return;
  }
  response.end('unpacked text\n');
}

/** So many bytes, as fast as they are taken. */
async function give(response: ServerResponse, bytes: number, withLength: boolean): Promise<void> {
  if (withLength) response.setHeader('Content-Length', bytes);
  const block = Buffer.alloc(65_536, 'large ');
  for (let left = bytes; left > 0; left -= block.length) {
    if (!response.write(block.subarray(0, Math.min(left, block.length)))) await once(response, 'drain');
  }
  response.end();
}
