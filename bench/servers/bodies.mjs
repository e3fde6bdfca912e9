// The replies of the benchmark origin, as bytes built once: a small reply, bodies by length, chunked bodies in
// blocks of many chunks. Sending one costs the server a write per block, so that the client is the bottleneck.
// Never reads a request.
import { chunkBlockPayload, patternBytes, RING_BYTES } from '../body-check.mjs';

export const SMALL_BODY_BYTES = 64;
const WRITE_BYTES = 1 << 18;
const head = (status, fields) =>
  `HTTP/1.1 ${status}\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nServer: bench\r\n` +
  `Content-Type: application/octet-stream\r\n${fields}\r\n\r\n`;

const ring = patternBytes(RING_BYTES);
export const smallReply = Buffer.concat([
  Buffer.from(head('200 OK', `Content-Length: ${SMALL_BODY_BYTES}\r\nConnection: keep-alive`), 'latin1'),
  ring.subarray(0, SMALL_BODY_BYTES),
]);

export function countReply(count) {
  const text = String(count);
  return head('200 OK', `Content-Length: ${text.length}\r\nConnection: keep-alive`) + text;
}

export const notFoundReply = head('404 Not Found', 'Content-Length: 0\r\nConnection: keep-alive');

export function* lengthReply(bytes) {
  yield Buffer.from(head('200 OK', `Content-Length: ${bytes}\r\nConnection: keep-alive`), 'latin1');
  for (let sent = 0; sent < bytes;) {
    const from = sent % RING_BYTES;
    const piece = ring.subarray(from, from + Math.min(WRITE_BYTES, bytes - sent));
    sent += piece.length;
    yield piece;
  }
}

const chunkBlocks = new Map();

function chunksOf(payload, chunkBytes) {
  const parts = [];
  for (let from = 0; from < payload.length; from += chunkBytes) {
    const data = payload.subarray(from, from + chunkBytes);
    parts.push(Buffer.from(`${data.length.toString(16)}\r\n`, 'latin1'), data, Buffer.from('\r\n', 'latin1'));
  }
  return Buffer.concat(parts);
}

export function* chunkedReply(bytes, chunkBytes) {
  yield Buffer.from(head('200 OK', 'Transfer-Encoding: chunked\r\nConnection: keep-alive'), 'latin1');
  const payloadBytes = chunkBlockPayload(chunkBytes);
  let block = chunkBlocks.get(chunkBytes);
  if (block === undefined) {
    const payload = patternBytes(payloadBytes);
    block = { payload, wire: chunksOf(payload, chunkBytes) };
    chunkBlocks.set(chunkBytes, block);
  }
  let left = bytes;
  for (; left >= payloadBytes; left -= payloadBytes) yield block.wire;
  const tail = chunksOf(block.payload.subarray(0, left), chunkBytes);
  yield Buffer.concat([tail, Buffer.from('0\r\n\r\n', 'latin1')]);
}
