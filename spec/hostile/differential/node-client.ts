/**
 * node:http's client as one of those compared: real `ClientRequest`s, over connections in memory.
 */
import * as http from 'node:http';
import { Duplex } from 'node:stream';
import type { Field } from '../../support/strict-response.js';
import type { Exhibit } from './exhibits.js';
import type { Client, ClientOutcome } from './outcome.js';

const AT_ONCE = 100;
/** Beyond our own limits, so that its smaller ones do not hide what is compared. */
const MAX_HEADER_BYTES = 1 << 20;

/** Answers the first write with the wire, and ends. */
class Wire extends Duplex {
  readonly #bytes: Buffer;
  #answered = false;

  constructor(bytes: Buffer) {
    super({ allowHalfOpen: false });
    this.#bytes = bytes;
  }

  override _read(): void {}

  override _write(_chunk: unknown, _encoding: BufferEncoding, done: () => void): void {
    done();
    if (this.#answered) return;
    this.#answered = true;
    // A copy, since nobody promises to leave it alone.
    this.push(Buffer.from(this.#bytes));
    this.push(null);
  }

  setTimeout(): this {
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }
}

/** Hands out the connection that the request brings along. */
class WireAgent extends http.Agent {
  override createConnection(options: http.ClientRequestArgs & { wire?: Duplex }): Duplex {
    if (options.wire === undefined) throw new TypeError('a request without a wire');
    return options.wire;
  }
}

export class NodeClient implements Client {
  readonly name = 'node:http';
  readonly #agent = new WireAgent({ keepAlive: true, maxSockets: Infinity });

  async read(exhibits: readonly Exhibit[]): Promise<ClientOutcome[]> {
    const outcomes: ClientOutcome[] = [];
    for (let at = 0; at < exhibits.length; at += AT_ONCE) {
      const batch = exhibits.slice(at, at + AT_ONCE);
      outcomes.push(...(await Promise.all(batch.map((exhibit) => this.#readOne(exhibit)))));
    }
    return outcomes;
  }

  close(): void {
    this.#agent.destroy();
  }

  #readOne({ method, wire }: Exhibit): Promise<ClientOutcome> {
    return new Promise((resolve) => {
      const interims: number[] = [];
      const body: Buffer[] = [];
      let response: http.IncomingMessage | null = null;
      let switched = false;
      let failure: Error | null = null;
      const socket = new Wire(wire);
      const options: http.RequestOptions & { wire: Duplex } = {
        agent: this.#agent,
        method,
        path: method === 'CONNECT' ? 'example.com:443' : '/',
        maxHeaderSize: MAX_HEADER_BYTES,
        wire: socket,
      };
      const request = http.request(options);
      const onSwitch = (received: http.IncomingMessage, over: Duplex): void => {
        response = received;
        switched = true;
        over.destroy();
      };
      request.on('information', ({ statusCode }) => interims.push(statusCode));
      request.on('upgrade', onSwitch);
      request.on('connect', onSwitch);
      request.on('response', (received) => {
        response = received;
        received.on('data', (bytes: Buffer) => body.push(bytes));
        received.on('error', (error) => (failure ??= error));
      });
      request.on('error', (error) => (failure ??= error));
      request.on('close', () => {
        // The response may have its end still to tell.
        setImmediate(() => {
          resolve(outcomeOf(response, switched, interims, body, failure, request.shouldKeepAlive));
        });
      });
      request.end();
    });
  }
}

function outcomeOf(
  response: http.IncomingMessage | null,
  switched: boolean,
  interims: readonly number[],
  body: readonly Buffer[],
  failure: Error | null,
  keepAlive: boolean,
): ClientOutcome {
  // What went wrong behind a complete response went wrong with the surplus.
  if (response === null || !(response.complete || switched)) {
    const { code, message } = (failure ?? new Error('no response')) as Error & { code?: string };
    return { error: code === undefined || code === 'ECONNRESET' ? message : `${code}: ${message}` };
  }
  return {
    error: null,
    status: response.statusCode ?? 0,
    version: response.httpVersionMajor * 10 + Math.min(response.httpVersionMinor, 1),
    reason: response.statusMessage ?? '',
    fields: pairsOf(response.rawHeaders),
    body: Buffer.concat(body).toString('latin1'),
    trailers: pairsOf(response.rawTrailers),
    interims,
    keepAlive: !switched && keepAlive,
  };
}

function pairsOf(flat: readonly string[]): Field[] {
  const pairs: Field[] = [];
  for (let i = 0; i < flat.length; i += 2) pairs.push([flat[i] ?? '', flat[i + 1] ?? '']);
  return pairs;
}
