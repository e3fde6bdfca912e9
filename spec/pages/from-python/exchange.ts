/**
 * One exchange with a scripted server, for specs that look at a single name of http.client. Owns no assertion.
 */
import { HTTPConnection } from '../../../lib/index.js';
import type { HTTPConnectionOptions, HTTPResponse, RequestBody } from '../../../lib/index.js';
import { answer, OK, rawServer } from '../../support/raw-server.js';
import type { RawServer } from '../../support/raw-server.js';
import type { ReceivedRequest } from '../../support/received-request.js';

/** What a name does, shown over a real connection where it has to do with one. */
export type Showing = () => Promise<void> | void;

/** For each row of a table of names, what shows that its counterpart does it. */
export type Showings = Readonly<Record<string, Showing>>;

/** A connection to a server that answers every request with these bytes. */
export async function connectionTo(
  wire: string = OK,
  options: HTTPConnectionOptions = {},
): Promise<{ conn: HTTPConnection; server: RawServer }> {
  const server = await rawServer(answer(wire));
  return { conn: new HTTPConnection('127.0.0.1', server.port, options), server };
}

/** The response to `GET /path` that these bytes make. */
export async function responseOf(wire: string, method: string = 'GET'): Promise<HTTPResponse> {
  const { conn } = await connectionTo(wire);
  await conn.request(method, '/path');
  return conn.getResponse();
}

/** What the server receives as a POST with this body and these fields. */
export async function received(
  body: RequestBody | null,
  fields: Record<string, string> = {},
): Promise<ReceivedRequest> {
  const { conn, server } = await connectionTo();
  await conn.request('POST', '/', body, fields);
  await conn.getResponse();
  return server.request;
}

/** A response with this body, of known length. */
export function withBody(body: string, ...fields: string[]): string {
  const lines = ['HTTP/1.1 200 OK', `Content-Length: ${String(body.length)}`, ...fields];
  return `${lines.join('\r\n')}\r\n\r\n${body}`;
}

/** Everything printed while the action runs. */
export async function printedBy(action: () => Promise<void>): Promise<string> {
  const write = process.stdout.write.bind(process.stdout);
  let printed = '';
  process.stdout.write = (text: string | Uint8Array): boolean => {
    printed += String(text);
    return true;
  };
  try {
    await action();
  } finally {
    process.stdout.write = write;
  }
  return printed;
}
