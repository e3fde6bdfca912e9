/**
 * What holds for every request: whatever the caller passes, the bytes on the wire are exactly one request with exactly those values,
 * as a strict reading and as node:http's server have it, or the call fails before a byte is sent.
 *
 * The one way to put bytes of one's own between requests stays `send()` (and a Transfer-Encoding of the caller's without
 * `encodeChunked`, whose body is sent as it is): they are for callers that frame by themselves, and no subject here.
 */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import * as http from 'node:http';
import * as net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { ContentLengthMismatch, HTTPConnection, InvalidURL } from '../../lib/index.js';
import type { RequestBody } from '../../lib/index.js';
import { arbitraryRequest } from '../support/arbitrary-request.js';
import type { ArbitraryRequest } from '../support/arbitrary-request.js';
import { readRequest } from '../support/strict-request.js';
import type { StrictRequest } from '../support/strict-request.js';

const SEED = 9110;
const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n';

/** What came over one connection. */
interface Received {
  bytes: Buffer;
  request: StrictRequest | null;
  violation: Error | null;
  readonly closed: Promise<unknown>;
}

/** How a call ended: not a byte sent, a body that failed on its way, or a response. */
type Ending = { kind: 'refused' | 'source failed' | 'answered'; error: unknown };

describe('sending requests', function () {
  this.timeout(60_000);
  const folder = mkdtempSync(join(tmpdir(), 'requests-'));
  const received: Received[] = [];
  const raw = net.createServer((socket) => {
    record(socket, received);
  });
  const seenByNode: NodeRequest[] = [];
  const node = nodeServer(seenByNode);
  const rawPath = join(folder, 'raw');
  const nodePath = join(folder, 'node');

  before(async () => {
    raw.listen(rawPath);
    node.listen(nodePath);
    await Promise.all([once(raw, 'listening'), once(node, 'listening')]);
  });

  after(async () => {
    raw.close();
    node.close();
    await Promise.all([once(raw, 'close'), once(node, 'close')]);
    rmSync(folder, { recursive: true });
  });

  it('puts exactly one request with exactly the given values on the wire, or fails before a byte is sent', async () => {
    const endings = { refused: 0, 'source failed': 0, answered: 0 };
    await fc.assert(
      fc.asyncProperty(arbitraryRequest, async (request) => {
        fc.pre(!leavesTheBodyToSend(request));
        received.length = 0;
        const { kind, error } = await perform(request, rawPath);
        endings[kind]++;
        if (kind === 'refused') {
          if (received.length > 0) throw new Error('a connection was opened for a request that was refused');
          if (!isRefusal(error)) throw error;
          return;
        }
        expect(received).to.have.length(1);
        const [connection] = received as [Received];
        await connection.closed;
        if (connection.violation !== null) throw connection.violation;
        if (kind === 'source failed') {
          expect(connection.request, 'a body that failed was sent as a whole one').to.equal(null);
          return;
        }
        expect(connection.request?.size).to.equal(connection.bytes.length);
        compare(connection.request as StrictRequest, request);
      }),
      { seed: SEED, numRuns: 1500 },
    );
    // Not all of one kind, or the property says little.
    expect(endings.refused).to.be.above(200);
    expect(endings.answered).to.be.above(200);
    expect(endings['source failed']).to.be.above(10);
  });

  it("is understood by node:http's server as the same request", async () => {
    let understood = 0;
    await fc.assert(
      fc.asyncProperty(arbitraryRequest, async (request) => {
        fc.pre(!leavesTheBodyToSend(request) && http.METHODS.includes(request.method));
        seenByNode.length = 0;
        const { kind } = await perform(request, nodePath);
        if (kind !== 'answered') return;
        expect(seenByNode).to.have.length(1);
        const [seen] = seenByNode as [NodeRequest];
        // Not every visible text is a target for that server.
        if (seen.refused !== null) {
          expect(seen.refused).to.equal('HPE_INVALID_URL');
          return;
        }
        understood++;
        compare({ ...seen, chunks: null, size: 0 }, request);
      }),
      { seed: SEED, numRuns: 800 },
    );
    expect(understood).to.be.above(100);
  });
});

/** Whether a head is all that the call sends, and its body is to come through `send()`. */
function leavesTheBodyToSend({ byHand, body, fields }: ArbitraryRequest): boolean {
  return (
    byHand &&
    body.kind === 'none' &&
    fields.some(([name]) => ['content-length', 'transfer-encoding'].includes(name.toLowerCase()))
  );
}

async function perform(request: ArbitraryRequest, socketPath: string): Promise<Ending> {
  const { host, method, target, trailers, byHand } = request;
  const fields = allFields(request);
  let connection: HTTPConnection | null = null;
  let begun = false;
  try {
    connection = new HTTPConnection(host, null, { socketPath, timeout: 5000 });
    const body = bodyOf(request);
    const options = { encodeChunked: true, ...(trailers === null ? {} : { trailers }) };
    if (byHand) {
      connection.putRequest(method, target);
      for (const [name, value] of fields) connection.putHeader(name, value);
    }
    const sent = byHand
      ? connection.endHeaders(body, options)
      : connection.request(method, target, body, fields, options);
    begun = connection.state !== 'Idle';
    await sent;
    const response = await connection.getResponse();
    await response.readall();
    return { kind: 'answered', error: null };
  } catch (error) {
    // A source that fails at once may do so before the head has left, but behind the dial.
    return { kind: begun ? 'source failed' : 'refused', error };
  } finally {
    connection?.close();
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof TypeError || error instanceof InvalidURL || error instanceof ContentLengthMismatch;
}

function allFields({ fields, charset }: ArbitraryRequest): [name: string, value: string][] {
  const type: [string, string][] =
    charset === null ? [] : [['Content-Type', `text/plain; charset=${charset}`]];
  return [...fields.map(([name, value]): [string, string] => [name, value]), ...type];
}

function bodyOf({ body: { kind, pieces } }: ArbitraryRequest): RequestBody | null {
  switch (kind) {
    case 'none':
      return null;
    case 'text':
      return pieces.filter((piece) => typeof piece === 'string').join('');
    case 'bytes':
      return Buffer.concat(pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece)));
    case 'pieces':
      return [...pieces];
    case 'async pieces':
      return (async function* () {
        for (const piece of pieces) yield await Promise.resolve(piece);
      })();
  }
}

const ENCODINGS = new Map<string | null, BufferEncoding>([
  [null, 'latin1'],
  ['utf-8', 'utf8'],
  ['UTF-8', 'utf8'],
  ['iso-8859-1', 'latin1'],
  ['us-ascii', 'latin1'],
  ['utf-16le', 'utf16le'],
]);

/** The octets that the body has to arrive as. */
function expectedBody(request: ArbitraryRequest): Buffer {
  const { charset, body } = request;
  const { kind, pieces } = body;
  if (kind === 'bytes') return bodyOf(request) as Buffer;
  if (kind === 'none') return Buffer.alloc(0);
  const encoding = ENCODINGS.get(charset);
  const texts = kind === 'text' ? pieces.filter((piece) => typeof piece === 'string') : pieces;
  return Buffer.concat(
    texts.map((piece) => {
      if (typeof piece !== 'string') return piece;
      const bytes = Buffer.from(piece, encoding);
      // An encoding that loses characters would have to be refused.
      if (bytes.toString(encoding) !== piece)
        throw new Error(`${JSON.stringify(piece)} went out as ${String(charset)}`);
      return bytes;
    }),
  );
}

const OWN_FIELDS = ['host', 'accept-encoding', 'content-length', 'transfer-encoding', 'trailer'];

/** `uri-host [ ":" port ]` (RFC 9110 §7.2, RFC 3986 §3.2.2), which the library's own Host has to be. */
const AUTHORITY = /^(?:\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})*)(?::[0-9]+)?$/;

function compare(seen: StrictRequest, request: ArbitraryRequest): void {
  const strip = ([name, value]: readonly [string, string]): [string, string] => [
    name,
    value.replace(/^[ \t]+|[ \t]+$/g, ''),
  ];
  const given = allFields(request).map(strip);
  const own = seen.fields.slice(0, seen.fields.length - given.length);
  expect(seen.method).to.equal(request.method);
  expect(seen.target).to.equal(request.target === '' ? '/' : request.target);
  expect(seen.fields.slice(own.length)).to.deep.equal(given);
  const names = own.map(([name]) => name.toLowerCase());
  expect(new Set(names).size).to.equal(names.length);
  for (const name of names) {
    expect(OWN_FIELDS).to.include(name);
    expect(given.map(([key]) => key.toLowerCase())).to.not.include(name);
  }
  const host = own.find(([name]) => name.toLowerCase() === 'host');
  if (host !== undefined) expect(host[1]).to.match(AUTHORITY);
  expect(seen.body.equals(expectedBody(request)), 'the body').to.equal(true);
  expect(seen.trailers).to.deep.equal((request.trailers ?? []).map(strip));
}

/** Keeps what a connection carries, and answers once it is a whole request. */
function record(socket: net.Socket, received: Received[]): void {
  const connection: Received = {
    bytes: Buffer.alloc(0),
    request: null,
    violation: null,
    closed: once(socket, 'close'),
  };
  received.push(connection);
  socket.on('error', () => undefined);
  socket.on('data', (bytes: Buffer) => {
    connection.bytes = Buffer.concat([connection.bytes, bytes]);
    if (connection.request !== null || connection.violation !== null) return;
    try {
      connection.request = readRequest(connection.bytes);
      if (connection.request !== null) socket.end(ANSWER);
    } catch (error) {
      connection.violation = error as Error;
      socket.end(ANSWER);
    }
  });
}

/** A request as node:http reports it, or why it refused it. */
interface NodeRequest {
  method: string;
  target: string;
  fields: [name: string, value: string][];
  body: Buffer;
  trailers: [name: string, value: string][];
  refused: string | null;
}

function nodeServer(seen: NodeRequest[]): http.Server {
  const server = http.createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      seen.push({
        method: request.method ?? '',
        target: request.url ?? '',
        fields: pairsOf(request.rawHeaders),
        body: Buffer.concat(pieces),
        trailers: pairsOf(request.rawTrailers),
        refused: null,
      });
      response.writeHead(200, { Connection: 'close', 'Content-Length': 0 }).end();
    });
  });
  server.on('clientError', (error: Error & { code?: string }, socket) => {
    const nothing = { method: '', target: '', fields: [], body: Buffer.alloc(0), trailers: [] };
    seen.push({ ...nothing, refused: error.code ?? error.message });
    socket.end(ANSWER);
  });
  return server;
}

function pairsOf(flat: readonly string[]): [name: string, value: string][] {
  const pairs: [string, string][] = [];
  for (let i = 0; i < flat.length; i += 2) pairs.push([flat[i] ?? '', flat[i + 1] ?? '']);
  return pairs;
}
