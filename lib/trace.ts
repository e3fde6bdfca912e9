/**
 * What a connection prints while its debug level is above 0: http.client's `send:`, `reply:` and `header:` lines on standard output.
 */

/** Takes one line of debug output. */
export type Trace = (line: string) => void;

export function printLine(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** As much of a response's head as is printed. */
export interface TracedHead {
  version: 10 | 11;
  status: number;
  reason: string;
  fields: readonly string[];
}

/** The text of a head that is sent. */
export function traceHead(trace: Trace, head: string): void {
  trace(`send: ${quoteBytes(head)}`);
}

/** So many bytes of a piece are shown. */
const SHOWN_BYTES = 1024;

/** Bytes of a body that are sent: the first of them, and how many there were if that is not all. */
export function traceBytes(trace: Trace, bytes: Uint8Array): void {
  const { buffer, byteOffset, length } = bytes;
  const shown = Buffer.from(buffer, byteOffset, Math.min(length, SHOWN_BYTES)).toString('latin1');
  const rest = length > SHOWN_BYTES ? `… (${String(length)} bytes)` : '';
  trace(`send: ${quoteBytes(shown)}${rest}`);
}

/** ISO-8859-1 text in double quotes, what is not printable ASCII as `\\n` or `\\xff`: one line, one character for each byte. */
function quoteBytes(text: string): string {
  return JSON.stringify(text)
    .replaceAll(/\\(?:\\|u00)/g, (escape) => (escape === '\\u00' ? '\\x' : escape))
    .replaceAll(/[\x7f-\xff]/g, (character) => `\\x${character.charCodeAt(0).toString(16)}`);
}

/** A head that was received, interim or final. */
export function traceReply(trace: Trace, { version, status, reason, fields }: TracedHead): void {
  const line = `HTTP/1.${version === 10 ? '0' : '1'} ${String(status)} ${reason}\r\n`;
  trace(`reply: ${JSON.stringify(line)}`);
  for (let i = 0; i < fields.length; i += 2)
    trace(`header: ${fields[i] as string}: ${fields[i + 1] as string}`);
}
