/**
 * The main job, and all that the demo does with millrace: a stream goes up as the body of a PUT, a response comes down as a
 * stream from a GET, both over one connection. Memory stays flat however large the body is, because each side is read only as
 * fast as the other one writes. Nothing is printed here, and no file is named.
 */
import { pipeline, type Readable, type Writable } from 'node:stream';
import { pipeline as piped } from 'node:stream/promises';
import { HTTPConnection, HTTPSConnection, type HTTPResponse } from '../lib/index.js';
import { Meter } from './meter.js';

/** No phase of an exchange may stand still for longer; how long the whole takes is not limited. */
const TIMEOUT_MS = 30_000;

/** What passed in one direction. */
export interface Passed {
  readonly bytes: number;
  readonly sha256: string;
}

/** What every transfer needs besides its stream. */
export interface Way {
  readonly url: URL;
  readonly signal: AbortSignal;
  readonly onBytes: (bytes: number) => void;
}

/** Opens nothing yet: the first request dials. */
export function connectionTo(url: URL): HTTPConnection {
  const port = url.port === '' ? null : Number(url.port);
  const Connection = url.protocol === 'https:' ? HTTPSConnection : HTTPConnection;
  return new Connection(url.hostname, port, { timeout: TIMEOUT_MS });
}

/** PUTs `source`, of unknown length and therefore chunked. `stored` is the SHA-256 the server reports, if it reports one. */
export async function upload(
  connection: HTTPConnection,
  source: Readable,
  way: Way,
): Promise<{ sent: Passed; stored: string | null }> {
  const meter = new Meter(way.onBytes);
  // The callback has nothing to do: a source that fails makes the meter fail, and that error comes out of request().
  const body = pipeline(source, meter, () => {});
  await connection.request('PUT', targetOf(way.url), body, {}, { signal: way.signal });
  const response = await connection.getResponse();
  requireSuccess(response, 'PUT', way.url);
  const stored = await storedDigest(response);
  if (!meter.readableEnded) {
    throw new Error(
      `PUT ${way.url.href}: the server answered ${response.status} before it had all of the body`,
    );
  }
  return { sent: { bytes: meter.bytes, sha256: meter.digest() }, stored };
}

/** GETs the same resource into `sink`. */
export async function download(connection: HTTPConnection, sink: Writable, way: Way): Promise<Passed> {
  await connection.request('GET', targetOf(way.url), null, {}, { signal: way.signal });
  const response = await connection.getResponse();
  requireSuccess(response, 'GET', way.url);
  const meter = new Meter(way.onBytes);
  await piped(response, meter, sink);
  return { bytes: meter.bytes, sha256: meter.digest() };
}

/** Only the demo's own server answers with a digest; what any other one says of a PUT is read and dropped. */
async function storedDigest(response: HTTPResponse): Promise<string | null> {
  if (response.headers.getContentType() !== 'application/json') {
    await response.drain();
    return null;
  }
  const report = await response.json();
  if (typeof report !== 'object' || report === null || !('sha256' in report)) return null;
  return String(report.sha256);
}

function requireSuccess(response: HTTPResponse, method: string, url: URL): void {
  if (response.status >= 200 && response.status <= 299) return;
  response.destroy();
  throw new Error(
    `${method} ${url.href}: the server answered ${response.status} ${response.reason}`.trimEnd(),
  );
}

function targetOf(url: URL): string {
  return url.pathname + url.search;
}
