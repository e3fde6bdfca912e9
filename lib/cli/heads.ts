/**
 * Heads as text: of a response as it stands on the wire, and of both directions as `curl -v` shows them, with the credentials made
 * unreadable there, since what is shown ends up in other people's terminals. Field text is ISO-8859-1, so heads are bytes here.
 */
import type { HTTPMessage } from '../index.js';

/** What the head of a response or of an interim response holds. */
export interface ResponseHead {
  readonly version?: 10 | 11;
  readonly status: number;
  readonly reason: string;
  readonly headers: HTTPMessage;
}

/** The fields whose values let somebody in. */
const CREDENTIALS = new Set(['authorization', 'proxy-authorization', 'cookie']);

/** The head as it is on the wire, with the empty line behind it. */
export function wireHead(head: ResponseHead): Buffer {
  return Buffer.from(`${statusLine(head)}\r\n${head.headers.toString()}\r\n`, 'latin1');
}

/** The head of a response as `-v` shows it. */
export function shownResponse(head: ResponseHead): Buffer {
  return shown('<', statusLine(head), head.headers);
}

/** The head of a request as `-v` shows it. */
export function shownRequest(
  method: string,
  target: string,
  fields: Iterable<readonly [name: string, value: string]>,
): Buffer {
  return shown('>', `${method} ${target} HTTP/1.1`, fields);
}

/** A remark as `-v` shows it. */
export function shownRemark(text: string): Buffer {
  return Buffer.from(`* ${text}\n`);
}

function statusLine({ version = 11, status, reason }: ResponseHead): string {
  return `HTTP/1.${String(version - 10)} ${String(status)} ${reason}`;
}

function shown(sign: string, first: string, fields: Iterable<readonly [string, string]>): Buffer {
  const lines = [first, ...Array.from(fields, ([name, value]) => `${name}: ${masked(name, value)}`), ''];
  return Buffer.from(lines.map((line) => `${sign} ${line}\n`).join(''), 'latin1');
}

/** The scheme of credentials stays, and the name of a cookie: they say what is wrong more often than the rest. */
function masked(name: string, value: string): string {
  const known = name.toLowerCase();
  if (!CREDENTIALS.has(known)) return value;
  if (known === 'cookie') return value.replaceAll(/(^|; *)([^=;]*=)?[^;]*/g, '$1$2***');
  return value.replace(/^(?:(basic|bearer|digest|negotiate|ntlm|token) )?.*$/i, (_, scheme?: string) =>
    scheme === undefined ? '***' : `${scheme} ***`,
  );
}
