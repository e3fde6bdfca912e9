/**
 * A scripted server on a port or socket of its own: it answers with the bytes a spec writes, and keeps everything it received.
 *
 * It is closed with all its connections after the test that started it (so start it in a test or in `beforeEach`). It never answers
 * by itself, except with what `answer` is: a script that gives each request the same bytes.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import * as net from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tls from 'node:tls';

import { HTTPConnection } from '../../lib/connection/connection.js';
import type { HTTPConnectionOptions } from '../../lib/opening/connection-options.js';
import { takeRequest } from './received-request.js';
import type { ReceivedRequest } from './received-request.js';

/** A response that leaves the connection open. */
export const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
/** The same without a body. */
export const NO_CONTENT = 'HTTP/1.1 204 No Content\r\n\r\n';

/** Called with each request; `peer` is the connection it came on. */
export type Script = (socket: Socket, request: ReceivedRequest, peer: Peer) => unknown;

export interface RawServerOptions {
  /** Calls the script as soon as the head is there, with an empty body; the connection carries one request then. */
  atHead?: boolean;
  /** Reads nothing until the spec calls `peer.read()`. */
  silent?: boolean;
  /** Called with each connection before anything was read. */
  onConnection?: (socket: Socket, peer: Peer) => void;
  /** Listens on a Unix domain socket or Windows pipe. */
  path?: string;
  /** Listens on this address instead of 127.0.0.1. */
  host?: string;
  /** Speaks TLS. */
  tls?: tls.TlsOptions;
}

/** One connection, as the server sees it. */
export class Peer {
  readonly socket: Socket;
  /** The requests that have come so far. */
  readonly requests: ReceivedRequest[] = [];
  /** Settles when the connection is closed, however. */
  readonly closed: Promise<void>;
  /** Whether the client has sent its end. */
  ended = false;
  /** What came that is no request. */
  violation: Error | null = null;

  #buffer: Buffer = Buffer.alloc(4096);
  #used = 0;
  #taken = 0;

  /** @internal */
  constructor(socket: Socket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
    socket.once('end', () => {
      this.ended = true;
    });
    // A client that gives up closes under the script's hands.
    socket.on('error', () => undefined);
  }

  /** Everything that was received. */
  get received(): Buffer {
    return Buffer.from(this.#buffer.subarray(0, this.#used));
  }

  /** The same, ISO-8859-1. */
  get text(): string {
    return this.received.toString('latin1');
  }

  /** Begins to read, on a silent server. */
  read(): void {
    this.socket.resume();
  }

  /** @internal */
  take(bytes: Buffer, atHead: boolean, script: Script): void {
    this.#append(bytes);
    if (this.violation !== null || (atHead && this.requests.length > 0)) return;
    try {
      for (;;) {
        const next = takeRequest(this.#buffer.subarray(this.#taken, this.#used), !atHead);
        if (next === null) return;
        this.#taken += next.size;
        this.requests.push(next);
        script(this.socket, next, this);
        if (atHead) return;
      }
    } catch (error) {
      this.violation = error as Error;
      this.socket.destroy();
    }
  }

  /** By doubling, so that a large upload is not copied with each read. */
  #append(bytes: Buffer): void {
    if (this.#used + bytes.length > this.#buffer.length) {
      const larger = Buffer.alloc(2 * (this.#used + bytes.length));
      this.#buffer.copy(larger, 0, 0, this.#used);
      this.#buffer = larger;
    }
    bytes.copy(this.#buffer, this.#used);
    this.#used += bytes.length;
  }
}

export class RawServer {
  readonly peers: Peer[] = [];
  readonly #server: net.Server;
  readonly #waiting = new Set<() => void>();

  /** @internal */
  constructor(script: Script, options: RawServerOptions) {
    const { atHead = false, silent = false, onConnection } = options;
    const serve = (socket: Socket): void => {
      const peer = new Peer(socket);
      this.peers.push(peer);
      socket.on('data', (bytes: Buffer) => {
        peer.take(bytes, atHead, script);
        this.#notify();
      });
      if (silent) socket.pause();
      onConnection?.(socket, peer);
      this.#notify();
    };
    const settings = { noDelay: true };
    this.#server =
      options.tls === undefined
        ? net.createServer(settings, serve)
        : tls.createServer({ ...settings, ...options.tls }, serve);
    // A client that refuses the certificate ends the handshake.
    this.#server.on('tlsClientError', () => undefined);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** The number of connections that were accepted. */
  get connections(): number {
    return this.peers.length;
  }

  /** All requests, in the order of their connections. */
  get requests(): ReceivedRequest[] {
    return this.peers.flatMap((peer) => peer.requests);
  }

  /** The one request that came. */
  get request(): ReceivedRequest {
    const [request, ...others] = this.requests;
    for (const { violation } of this.peers) if (violation !== null) throw violation;
    if (request === undefined) throw new Error('no request came');
    if (others.length > 0) throw new Error(`${String(others.length + 1)} requests came`);
    return request;
  }

  /** The connection of that number, counted from 0. */
  peer(index = 0): Peer {
    const peer = this.peers[index];
    if (peer === undefined) throw new Error(`there is no connection ${String(index)}`);
    return peer;
  }

  /** Resolves as soon as the question is answered with true; asked after each connection and each read. */
  async until(question: (server: this) => boolean): Promise<void> {
    while (!question(this)) await new Promise<void>((resolve) => this.#waiting.add(resolve));
  }

  /** Serves a connection that came another way: out of a proxy's tunnel. */
  adopt(socket: Socket): void {
    this.#server.emit('connection', socket);
    if (!(this.#server instanceof tls.Server)) socket.resume();
  }

  /** @internal */
  async listen(options: RawServerOptions): Promise<this> {
    if (options.path !== undefined) this.#server.listen(options.path);
    else this.#server.listen(0, options.host ?? '127.0.0.1');
    await once(this.#server, 'listening');
    return this;
  }

  /** Ends every connection and stops listening. */
  async close(): Promise<void> {
    for (const { socket } of this.peers) socket.destroy();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, 'close');
  }

  #notify(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }
}

const running = new Set<RawServer>();

/** Starts a server that runs the script for each request. */
export async function rawServer(script: Script, options: RawServerOptions = {}): Promise<RawServer> {
  const server = new RawServer(script, options);
  running.add(server);
  return server.listen(options);
}

/** The same over TLS, with the certificate for localhost and 127.0.0.1 unless `options.tls` says otherwise. */
export function rawTLSServer(script: Script, options: RawServerOptions = {}): Promise<RawServer> {
  return rawServer(script, { ...options, tls: { ...identity('server'), ...options.tls } });
}

/** A script that gives every request the same answer. */
export function answer(bytes: string | Uint8Array): Script {
  return (socket) => {
    socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  };
}

/** A connection to the server. */
export function connectionTo(server: RawServer, options: HTTPConnectionOptions = {}): HTTPConnection {
  return new HTTPConnection('127.0.0.1', server.port, options);
}

let paths = 0;

/** A path for a Unix domain socket, or a Windows pipe, that is nobody else's. The server removes it. */
export function freePath(): string {
  const name = `millrace-spec-${String(process.pid)}-${String(paths++)}.sock`;
  return process.platform === 'win32' ? `\\\\.\\pipe\\${name}` : join(tmpdir(), name);
}

const TLS_FILES = new URL('../../../spec/support/tls/', import.meta.url);

/** The certificate of the authority that signed those of {@link identity}, except the self-signed one. */
export function authority(): string {
  return readFileSync(new URL('authority.pem', TLS_FILES), 'utf8');
}

/** Key and certificate: for localhost, 127.0.0.1 and ::1, for other.example, for localhost by nobody but itself, or a client's. */
export function identity(name: 'server' | 'other' | 'self-signed' | 'client'): { key: string; cert: string } {
  const read = (file: string): string => readFileSync(new URL(file, TLS_FILES), 'utf8');
  return { key: read(`${name}.key.pem`), cert: read(`${name}.pem`) };
}

afterEach(async () => {
  const servers = [...running];
  running.clear();
  await Promise.all(servers.map((server) => server.close()));
});
