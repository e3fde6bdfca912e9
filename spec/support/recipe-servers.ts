/**
 * The servers that the recipes talk to: one for HTTP, where each path is one behaviour; one that asks for certificates; a WebSocket; a Docker
 * daemon's socket; a SOCKS proxy. All on loopback and free ports. They keep what they saw, and judge nothing.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import * as http from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import * as https from 'node:https';
import * as net from 'node:net';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocketServer } from 'ws';
import { identity } from './raw-server.js';

export interface Upload {
  framing: string;
  bytes: number;
  digest: string;
}

/** What the servers saw. */
export interface Seen {
  /** By path, in order. */
  uploads: Map<string, Upload[]>;
  /** Parts of a multipart upload, by number, as often as they came whole. */
  parts: number[];
  /** The body that completed it. */
  completed: string;
  /** The most files that were served at once. */
  mostAtOnce: number;
  /** Bytes that `/flood` could write, and whether it was told to stop. */
  flooded: number;
  floodStopped: boolean;
  /** Fields of the requests to `/fields`: the recipes run side by side, and more than one asks there. */
  fields: http.IncomingHttpHeaders[];
  /** Where the SOCKS proxy was asked to connect. */
  destinations: string[];
}

export interface RecipeServers {
  url: string;
  tlsURL: string;
  webSocketPort: number;
  socksPort: number;
  seen: Seen;
  close(): Promise<void>;
}

export function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('base64');
}

export async function startRecipeServers(dockerSocket: string): Promise<RecipeServers> {
  const seen: Seen = {
    uploads: new Map(),
    parts: [],
    completed: '',
    mostAtOnce: 0,
    flooded: 0,
    floodStopped: false,
    fields: [],
    destinations: [],
  };
  const tries = new Map<string, number>();
  let filesAtOnce = 0;

  /** How often this was called with that name before. */
  const before = (name: string): number => {
    const count = tries.get(name) ?? 0;
    tries.set(name, count + 1);
    return count;
  };

  const take = async (request: IncomingMessage, path: string): Promise<Buffer> => {
    const body = await buffer(request);
    const framing = request.headers['content-length'] ?? request.headers['transfer-encoding'] ?? 'none';
    const uploads = seen.uploads.get(path) ?? [];
    seen.uploads.set(path, [...uploads, { framing, bytes: body.length, digest: digestOf(body) }]);
    return body;
  };

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<unknown> => {
    const { pathname: path, searchParams: query } = new URL(request.url ?? '', 'http://x');
    if (path.startsWith('/files/')) {
      seen.mostAtOnce = Math.max(seen.mostAtOnce, ++filesAtOnce);
      await sleep(10);
      filesAtOnce--;
      return path === '/files/missing'
        ? response.writeHead(404).end('none')
        : response.end(path.repeat(1000));
    }
    switch (path) {
      case '/upload':
      case '/echo': {
        const body = await take(request, path);
        return response.end(path === '/echo' ? body : `got ${String(body.length)} bytes`);
      }
      case '/flaky':
      case '/flaky-metrics':
        await take(request, path);
        if (before(path) === 0) return response.writeHead(503, { 'Retry-After': '0' }).end();
        return response.end('taken');
      case '/limit':
        return response.writeHead(413, { Connection: 'close' }).end('too large');
      case '/fields':
        seen.fields.push(request.headers);
        return response.writeHead(200, { 'Keep-Alive': 'timeout=5', 'X-Kept': 'yes' }).end('fields');
      case '/flood': {
        response.once('close', () => {
          seen.floodStopped = true;
        });
        const block = Buffer.alloc(65_536);
        const flood = function* (): Generator<Buffer> {
          for (; seen.flooded < 128 * 1024 * 1024; seen.flooded += block.length) yield block;
        };
        return pipeline(flood, response);
      }
      case '/store': {
        const body = await take(request, path);
        const claimed = request.trailers['content-digest'];
        if (claimed !== `sha-256=:${digestOf(body)}:`) return response.writeHead(400).end('damaged');
        const answer = Buffer.from('an answer with a checksum');
        response.writeHead(200, { Trailer: 'Content-Digest' });
        response.write(answer);
        response.addTrailers({ 'Content-Digest': `sha-256=:${digestOf(answer)}:` });
        return response.end();
      }
      case '/events': {
        const last = request.headers['last-event-id'];
        if (last === '3') return response.writeHead(204).end();
        response.writeHead(200, { 'Content-Type': 'text/event-stream' });
        if (last === '2') return response.end('id: 3\nevent: news\ndata: drei\n\n');
        response.write('retry: 10\n\nid: 1\ndata: eins\n\nid: 2\ndata: zwei\n\ndata: cut');
        await sleep(20);
        return response.destroy();
      }
      case '/changes': {
        response.writeHead(200, { 'Content-Type': 'application/x-ndjson' });
        const line = (seq: number): string => `${JSON.stringify({ seq, name: `ü${String(seq)}` })}\n`;
        if (query.get('since') === '2') return response.end(line(3) + line(4));
        response.write(`${line(1)}\n${line(2)}{"seq":`);
        await sleep(20);
        return response.destroy();
      }
      case '/bucket/key': {
        const body = await buffer(request);
        if (query.has('uploads')) return response.end('<UploadId>id-7</UploadId>');
        if (request.method === 'POST') {
          seen.completed = body.toString();
          return response.end('<ok/>');
        }
        const number = Number(query.get('partNumber'));
        if (number === 2 && before('part') === 0)
          return response.writeHead(503, { 'Retry-After': '0' }).end();
        seen.parts.push(body.length);
        return response.writeHead(200, { ETag: `"part-${String(number)}"` }).end();
      }
      case '/login':
        await take(request, path);
        return response
          .writeHead(303, { Location: '/home', 'Set-Cookie': 'session=42; Path=/; HttpOnly' })
          .end();
      case '/home':
        return response.end(`cookie: ${request.headers.cookie ?? 'none'}`);
      case '/big':
        return serveCut(request, response, before(path));
      case '/cut':
        response.writeHead(200, { 'Content-Length': 10 }).write('four');
        await sleep(20);
        return response.destroy();
      case '/slow':
        return undefined;
      default:
        return response.writeHead(404).end('not found');
    }
  };

  const plain = http.createServer((request, response) => {
    serve(request, response).catch(() => response.destroy());
  });
  const certified = https.createServer(
    { ...identity('server'), ca: identity('client').cert, requestCert: true, rejectUnauthorized: true },
    (request, response) => {
      const { subject } = (
        request.socket as unknown as { getPeerCertificate(): { subject: { CN: string } } }
      ).getPeerCertificate();
      response.end(`hello ${subject.CN}`);
    },
  );
  const sockets = http.createServer();
  const webSockets = new WebSocketServer({ server: sockets });
  webSockets.on('connection', (socket) => {
    socket.send('welcome');
    socket.on('message', (data: Buffer) => {
      socket.send(`you said ${data.toString()}`);
      socket.close(1000);
    });
  });
  const docker = dockerDaemon();
  const socks = socksProxy(seen.destinations);
  const servers = [plain, certified, sockets, docker, socks];
  for (const server of servers) {
    if (server === docker) server.listen(dockerSocket);
    else server.listen(0, '127.0.0.1');
  }
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const portOf = (server: net.Server): number => (server.address() as AddressInfo).port;
  return {
    url: `http://127.0.0.1:${String(portOf(plain))}`,
    tlsURL: `https://127.0.0.1:${String(portOf(certified))}`,
    webSocketPort: portOf(sockets),
    socksPort: portOf(socks),
    seen,
    async close() {
      webSockets.close();
      const closed = servers.map((server) => once(server, 'close'));
      for (const server of servers) {
        if ('closeAllConnections' in server) server.closeAllConnections();
        server.close();
      }
      await Promise.all(closed);
    },
  };
}

/** What `/big` serves: in pieces that end with a cut, as often as it is asked to go on. */
export const BIG: Buffer = Buffer.alloc(300_000, 'big file ');

function serveCut(request: IncomingMessage, response: ServerResponse, number: number): void {
  const ETag = '"v1"';
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  const left = BIG.subarray(from);
  const range = `bytes ${String(from)}-${String(BIG.length - 1)}/${String(BIG.length)}`;
  const fields = { ETag, 'Content-Length': left.length };
  if (request.headers.range === undefined) response.writeHead(200, fields);
  else response.writeHead(206, { ...fields, 'Content-Range': range });
  if (number === 2) {
    response.end(left);
    return;
  }
  response.write(left.subarray(0, 100_000), () => {
    setTimeout(() => response.destroy(), 20);
  });
}

/** The two calls that begin a command, and a terminal that speaks louder. */
function dockerDaemon(): http.Server {
  const daemon = http.createServer((request, response) => {
    request.resume();
    request.on('end', () => {
      const known = request.url === '/containers/box/exec';
      response.writeHead(known ? 201 : 404, { 'Content-Type': 'application/json' });
      response.end(known ? '{"Id":"e1"}' : '{"message":"No such container"}');
    });
  });
  daemon.on('upgrade', (_request: IncomingMessage, socket: net.Socket) => {
    socket.on('error', () => undefined);
    socket.write('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n$ ');
    let heard = '';
    socket.on('data', (bytes: Buffer) => {
      heard += bytes.toString();
      // The body of the request that asked for the upgrade comes first.
      const text = heard.replace('{"Tty":true}', '');
      if (text.endsWith('\n')) socket.end(text.toUpperCase());
    });
  });
  return daemon;
}

/** SOCKS 5 without authentication (RFC 1928), for IPv4 addresses and names. */
function socksProxy(destinations: string[]): net.Server {
  return net.createServer((client) => {
    client.on('error', () => undefined);
    client.once('data', () => {
      client.write(Buffer.from([5, 0]));
      client.once('data', (ask: Buffer) => {
        const isName = ask[3] === 3;
        const size = isName ? (ask[4] ?? 0) : 4;
        const begin = isName ? 5 : 4;
        const raw = ask.subarray(begin, begin + size);
        const host = isName ? raw.toString() : raw.join('.');
        const port = ask.readUInt16BE(begin + size);
        destinations.push(`${host}:${String(port)}`);
        const server = net.connect(port, '127.0.0.1', () => {
          client.write(Buffer.from([5, 0, 0, 1, 127, 0, 0, 1, 0, 0]));
          server.pipe(client).pipe(server);
        });
        server.on('error', () => client.destroy());
        client.on('close', () => server.destroy());
      });
    });
  });
}
