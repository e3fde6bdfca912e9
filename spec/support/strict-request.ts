/**
 * A strict reading of requests, as a server with no leniency at all would do it (RFC 9112 §3, §5, §6, §7): what a client writes is judged
 * here as hard as what it reads.
 *
 * Over the whole text, sharing nothing with the library. A field has the one form that the library writes, `name: value`.
 */
import type { Field } from './strict-response.js';

export interface StrictRequest {
  readonly method: string;
  readonly target: string;
  readonly fields: readonly Field[];
  readonly body: Buffer;
  /** The data of each chunk; null for a body that is not chunked. */
  readonly chunks: readonly Buffer[] | null;
  readonly trailers: readonly Field[];
  /** Bytes of the request, from its first to its last. */
  readonly size: number;
}

const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const REQUEST_LINE = new RegExp(`^(${TOKEN}) ([\\x21-\\x7e]+) HTTP/1\\.1$`);
const FIELD_LINE = new RegExp(
  `^(${TOKEN}): (|[\\x21-\\x7e\\x80-\\xff](?:[\\t\\x20-\\x7e\\x80-\\xff]*[\\x21-\\x7e\\x80-\\xff])?)$`,
);
const SIZE_LINE = /^[1-9A-Fa-f][0-9A-Fa-f]*$|^0$/;

/** Fields that one request has at most once, since two would be read in two ways. */
const SINGLE = ['host', 'content-length', 'transfer-encoding'];

/**
 * Reads the first request.
 *
 * @returns null while bytes are missing
 * @throws Error at whatever is not in the grammar
 */
export function readRequest(bytes: Buffer): StrictRequest | null {
  const text = bytes.toString('latin1');
  const headEnd = text.indexOf('\r\n\r\n');
  if (headEnd === -1) return null;
  const [requestLine = '', ...fieldLines] = text.slice(0, headEnd).split('\r\n');
  const match = REQUEST_LINE.exec(requestLine);
  if (match === null) throw new Error(`not a request line: ${JSON.stringify(requestLine)}`);
  const [, method = '', target = ''] = match;
  const fields = fieldLines.map(readField);
  const values = (name: string): string[] =>
    fields.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value);
  for (const name of SINGLE) if (values(name).length > 1) throw new Error(`${name} is there twice`);
  if (values('host').length === 0) throw new Error('no Host');
  const head = { method, target, fields };
  const [coding] = values('transfer-encoding');
  const [length = '0'] = values('content-length');
  const start = headEnd + 4;
  if (coding !== undefined) {
    if (values('content-length').length > 0) throw new Error('Content-Length beside Transfer-Encoding');
    if (!/(?:^|,[ \t]*)chunked$/i.test(coding)) throw new Error(`${coding} does not end a request`);
    return readChunks(bytes, text, start, head);
  }
  if (!/^[0-9]+$/.test(length)) throw new Error(`a Content-Length of ${length}`);
  const size = start + Number(length);
  if (bytes.length < size) return null;
  return { ...head, body: bytes.subarray(start, size), chunks: null, trailers: [], size };
}

function readChunks(
  bytes: Buffer,
  text: string,
  start: number,
  head: Pick<StrictRequest, 'method' | 'target' | 'fields'>,
): StrictRequest | null {
  const chunks: Buffer[] = [];
  let at = start;
  for (;;) {
    const lineEnd = text.indexOf('\r\n', at);
    if (lineEnd === -1) return null;
    const line = text.slice(at, lineEnd);
    if (!SIZE_LINE.test(line)) throw new Error(`a chunk size of ${JSON.stringify(line)}`);
    const dataEnd = lineEnd + 2 + Number.parseInt(line, 16);
    at = lineEnd + 2;
    if (line === '0') break;
    if (text.length < dataEnd + 2) return null;
    if (text.slice(dataEnd, dataEnd + 2) !== '\r\n') throw new Error("no CRLF behind a chunk's data");
    chunks.push(bytes.subarray(at, dataEnd));
    at = dataEnd + 2;
  }
  const trailers: Field[] = [];
  for (;;) {
    const lineEnd = text.indexOf('\r\n', at);
    if (lineEnd === -1) return null;
    const line = text.slice(at, lineEnd);
    at = lineEnd + 2;
    if (line === '') break;
    trailers.push(readField(line));
  }
  return { ...head, body: Buffer.concat(chunks), chunks, trailers, size: at };
}

function readField(line: string): Field {
  const match = FIELD_LINE.exec(line);
  if (match === null) throw new Error(`not a field line: ${JSON.stringify(line)}`);
  return [match[1] ?? '', match[2] ?? ''];
}
