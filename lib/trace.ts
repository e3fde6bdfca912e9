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
  trace(`send: ${JSON.stringify(head)}`);
}

/** A head that was received, interim or final. */
export function traceReply(trace: Trace, { version, status, reason, fields }: TracedHead): void {
  const line = `HTTP/1.${version === 10 ? '0' : '1'} ${String(status)} ${reason}\r\n`;
  trace(`reply: ${JSON.stringify(line)}`);
  for (let i = 0; i < fields.length; i += 2)
    trace(`header: ${fields[i] as string}: ${fields[i + 1] as string}`);
}
