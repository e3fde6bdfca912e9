/**
 * A request as a server receives it, taken apart independently of the library: head as sent, body by its framing, every chunk.
 *
 * As strict as the grammar: whatever the client frames wrongly is an error here, never guessed at.
 */

/** What a client sent as one request. */
export interface ReceivedRequest {
  /** The head with its blank line, ISO-8859-1. */
  readonly head: string;
  /** The request line without its CRLF. */
  readonly line: string;
  readonly method: string;
  readonly target: string;
  /** In order, as spelled. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** The content, without framing. Empty while only the head is there. */
  readonly body: Buffer;
  /** The data of each chunk; null for a body that is not chunked. */
  readonly chunks: readonly Buffer[] | null;
  /** The trailer section as sent, without its blank line. */
  readonly trailers: string;
  /** The number of bytes, from the request line to the end of the body. */
  readonly size: number;
}

/** The value of the one field of that name; null without one, an error for several. */
export function fieldOf(request: ReceivedRequest, name: string): string | null {
  const values = request.fields.filter(([key]) => key.toLowerCase() === name.toLowerCase());
  if (values.length > 1) throw new Error(`the request has ${String(values.length)} fields ${name}`);
  return values[0]?.[1] ?? null;
}

/**
 * @param wholeBody - whether to wait for the body; else a request is there with its head
 * @returns null until enough has been received
 */
export function takeRequest(bytes: Buffer, wholeBody: boolean): ReceivedRequest | null {
  const end = bytes.indexOf('\r\n\r\n');
  if (end === -1) return null;
  const head = bytes.toString('latin1', 0, end + 4);
  const [line = '', ...fieldLines] = head.slice(0, -4).split('\r\n');
  const [method = '', target = '', version = ''] = line.split(' ');
  if (!version.startsWith('HTTP/1.')) throw new Error(`not a request line: ${JSON.stringify(line)}`);
  const fields = fieldLines.map((text): [string, string] => {
    const colon = text.indexOf(': ');
    if (colon < 1) throw new Error(`not a field line: ${JSON.stringify(text)}`);
    return [text.slice(0, colon), text.slice(colon + 2)];
  });
  const shared = { head, line, method, target, fields };
  const value = (name: string): string | undefined => fields.find(([key]) => key.toLowerCase() === name)?.[1];
  const rest = bytes.subarray(end + 4);
  const empty = { body: Buffer.alloc(0), chunks: null, trailers: '', size: end + 4 };
  if (!wholeBody) return { ...shared, ...empty };
  if (value('transfer-encoding') !== undefined) {
    const content = takeChunks(rest);
    if (content === null) return null;
    const { chunks, trailers, size } = content;
    return { ...shared, body: Buffer.concat(chunks), chunks, trailers, size: end + 4 + size };
  }
  const length = Number(value('content-length') ?? 0);
  if (rest.length < length) return null;
  return { ...shared, ...empty, body: Buffer.from(rest.subarray(0, length)), size: end + 4 + length };
}

function takeChunks(bytes: Buffer): { chunks: Buffer[]; trailers: string; size: number } | null {
  const chunks: Buffer[] = [];
  let at = 0;
  for (;;) {
    const end = bytes.indexOf('\r\n', at);
    if (end === -1) return null;
    const sizeLine = bytes.toString('latin1', at, end);
    if (!/^[0-9A-Fa-f]+$/.test(sizeLine)) throw new Error(`not a chunk size: ${JSON.stringify(sizeLine)}`);
    const size = Number.parseInt(sizeLine, 16);
    at = end + 2;
    if (size === 0) break;
    if (bytes.length < at + size + 2) return null;
    if (bytes.toString('latin1', at + size, at + size + 2) !== '\r\n')
      throw new Error('no CRLF behind a chunk');
    chunks.push(bytes.subarray(at, at + size));
    at += size + 2;
  }
  const trailersFrom = at;
  while (bytes.toString('latin1', at, at + 2) !== '\r\n') {
    const end = bytes.indexOf('\r\n', at);
    if (end === -1) return null;
    at = end + 2;
  }
  const trailers = bytes.toString('latin1', trailersFrom, at);
  return { chunks: chunks.map((chunk) => Buffer.from(chunk)), trailers, size: at + 2 };
}
