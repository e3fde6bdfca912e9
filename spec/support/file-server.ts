/**
 * A server of one file that knows ranges, and cuts connections where a spec says so: by a reset, by an end, by silence.
 *
 * The file is made of bytes that tell where they stand, so that every misplaced one is found, and costs no memory whatever its size.
 */
import * as net from 'node:net';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { rawServer } from './raw-server.js';
import type { RawServer, Script } from './raw-server.js';
import { fieldOf } from './received-request.js';
import type { ReceivedRequest } from './received-request.js';

/** How a connection is cut: also within a head, or before it. */
export type CutKind = 'reset' | 'end' | 'stall' | 'end in head' | 'reset in head' | 'no answer';

export interface Cut {
  /** At which offset of the file. */
  at: number;
  kind: CutKind;
}

/* Longer than a mebibyte and prime, so that neither a lost piece nor a doubled one brings back the same bytes. */
const PERIOD = 1_048_583;

/** Small numbers from a seed: the same for each run. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const PATTERN: Buffer = (() => {
  const random = seeded(11);
  const bytes = Buffer.alloc(PERIOD);
  for (let i = 0; i < PERIOD; i++) bytes[i] = random() * 256;
  return bytes;
})();

/** The bytes of the file from one offset on, at most so many. */
export function fileBytes(offset: number, most: number): Buffer {
  const at = offset % PERIOD;
  return PATTERN.subarray(at, Math.min(PERIOD, at + most));
}

/** The file as a whole, for small sizes. */
export function wholeFile(size: number): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0; at < size; at += (pieces.at(-1) as Buffer).length) pieces.push(fileBytes(at, size - at));
  return Buffer.concat(pieces);
}

/** Takes bytes in order and finds the first that is not the file's. */
export class FileCheck {
  position: number;

  constructor(position = 0) {
    this.position = position;
  }

  add(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const expected = fileBytes(this.position, bytes.length - at);
      if (!expected.equals(bytes.subarray(at, at + expected.length)))
        throw new Error(
          `a wrong byte within ${String(expected.length)} behind offset ${String(this.position)}`,
        );
      at += expected.length;
      this.position += expected.length;
    }
  }
}

/** So many cuts anywhere in a file. */
export function randomCuts(size: number, count: number, random: () => number): Cut[] {
  const kinds: CutKind[] = [
    'reset',
    'end',
    'stall',
    'reset',
    'end',
    'stall',
    'end in head',
    'reset in head',
    'no answer',
  ];
  const offsets = Array.from({ length: count }, () => Math.floor(random() * size)).toSorted((a, b) => a - b);
  return offsets.map((at) => ({ at, kind: kinds[Math.floor(random() * kinds.length)] as CutKind }));
}

export const ETAG = '"one"';

export interface FileServerOptions {
  size: number;
  /** In the order of their offsets; each is used once. */
  cuts?: Cut[];
  /** Fields of each answer, beside the framing and the range. Default: the ETag. */
  fields?: string;
  /** Sends the file in chunks, so that its size is not known before its end. */
  chunked?: boolean;
  /** Answers a request in the place of the file, when it gives a text. */
  instead?: (request: ReceivedRequest, number: number) => string | null;
}

export interface FileServer {
  readonly server: RawServer;
  readonly url: string;
  /** What is left of the cuts. */
  readonly cuts: Cut[];
  /** The offset that each request asked for. */
  readonly positions: number[];
}

/** Serves the file. @param start - over TCP, unless it is another server's way */
export async function fileServer(
  options: FileServerOptions,
  start: (script: Script) => Promise<RawServer> = rawServer,
): Promise<FileServer> {
  const { size, fields = `ETag: ${ETAG}\r\n`, chunked = false, instead } = options;
  const cuts = [...(options.cuts ?? [])];
  const positions: number[] = [];
  const script: Script = (socket, request) => {
    const range = /^bytes=([0-9]+)-$/.exec(fieldOf(request, 'range') ?? '');
    const position = Number(range?.[1] ?? 0);
    positions.push(position);
    const other = instead?.(request, positions.length) ?? null;
    if (other !== null) {
      socket.write(other, 'latin1');
      return;
    }
    if (position >= size && range !== null) {
      socket.write(
        `HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */${String(size)}\r\nContent-Length: 3\r\n\r\nno\n`,
      );
      return;
    }
    // A cut that a reset has made good before its offset was reached is over.
    while (cuts.length > 0 && (cuts[0] as Cut).at < position) cuts.shift();
    const cut = cuts.shift() ?? null;
    const framing = chunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${String(size - position)}`;
    const first =
      range === null
        ? 'HTTP/1.1 200 OK\r\n'
        : `HTTP/1.1 206 Partial Content\r\nContent-Range: bytes ${String(position)}-${String(size - 1)}/${String(size)}\r\n`;
    void serve(socket, `${first}${framing}\r\n${fields}\r\n`, { position, size, cut, chunked });
  };
  const server = await start(script);
  return { server, url: `http://127.0.0.1:${String(server.port)}/file`, cuts, positions };
}

interface Piece {
  position: number;
  size: number;
  cut: Cut | null;
  chunked: boolean;
}

async function serve(socket: Socket, head: string, { position, size, cut, chunked }: Piece): Promise<void> {
  if (cut !== null && !/^(?:reset|end|stall)$/.test(cut.kind)) {
    if (cut.kind !== 'no answer') socket.write(head.slice(0, 4 + (cut.at % (head.length - 4))));
    if (cut.kind === 'reset in head') reset(socket);
    else socket.end();
    return;
  }
  socket.write(head);
  const end = cut === null ? size : cut.at;
  for (let at = position; at < end && !socket.destroyed;) {
    const bytes = fileBytes(at, Math.min(65_536, end - at));
    at += bytes.length;
    if (chunked) socket.write(`${bytes.length.toString(16)}\r\n`);
    const room = socket.write(bytes);
    if (chunked) socket.write('\r\n');
    if (!room) await drained(socket);
  }
  if (cut === null) {
    if (chunked) socket.write('0\r\n\r\n');
  } else if (cut.kind === 'reset') {
    reset(socket);
  } else if (cut.kind === 'end') {
    socket.end();
  }
}

/** Where the line knows no reset, it just goes: TLS has none of its own. */
function reset(socket: Socket): void {
  if (socket instanceof net.Socket && !(socket instanceof TLSSocket)) socket.resetAndDestroy();
  else socket.destroy();
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off('drain', done);
      socket.off('close', done);
      resolve();
    };
    socket.on('drain', done);
    socket.on('close', done);
  });
}
