/**
 * A server that plays one corpus case, on loopback or at the other end of lines in memory: the wire of the case answers the first
 * request, whatever it asks, and every later one, on any connection, gets the same small response.
 *
 * It knows when its script is done and on which connection each later request came, so that a spec can tell a reused connection
 * from a new one and a poisoned one from both. It judges nothing.
 */
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { octetsOf } from './corpus.js';
import type { CorpusCase } from './corpus.js';
import { duplexPair, LineEnd } from './duplex-pair.js';

/** The body of the answer to each request after the first. */
export const LATER_BODY = 'second';

const LATER_ANSWER = `HTTP/1.1 200 OK\r\nContent-Length: ${String(LATER_BODY.length)}\r\n\r\n${LATER_BODY}`;
const PAUSE_BETWEEN_WRITES_MS = 4;
const PAUSE_BEFORE_RESET_MS = 60;

export class CorpusServer {
  /** For each request after the first, the number of the connection it came on; the script ran on connection 1. */
  readonly laterRequests: number[] = [];
  /** Settles when the last write of the script was made and the connection ended as the case says. */
  readonly scriptDone: Promise<void>;

  readonly #case: CorpusCase;
  readonly #server: Server;
  readonly #lines = new Set<Duplex>();
  #connections = 0;
  #scriptStarted = false;
  #finishScript: () => void = () => {};

  constructor(corpusCase: CorpusCase) {
    this.#case = corpusCase;
    this.scriptDone = new Promise((resolve) => {
      this.#finishScript = resolve;
    });
    this.#server = createServer({ noDelay: true }, (socket) => {
      this.#serve(socket);
    });
  }

  /** Listens on a free port. */
  static async start(corpusCase: CorpusCase): Promise<CorpusServer> {
    const server = new CorpusServer(corpusCase);
    server.#server.listen(0, '127.0.0.1');
    await once(server.#server, 'listening');
    return server;
  }

  /** A line in memory to it: the client's end. */
  line(): Duplex {
    const [client, remote] = duplexPair();
    client.on('error', () => {});
    this.#serve(remote);
    return client;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Ends every connection and stops listening. */
  async close(): Promise<void> {
    for (const line of this.#lines) line.destroy();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, 'close');
  }

  #serve(line: Duplex): void {
    const number = ++this.#connections;
    let received = '';
    this.#lines.add(line);
    line.on('close', () => this.#lines.delete(line));
    // A client that refuses the response closes while the script still writes.
    line.on('error', () => {});
    line.on('data', (bytes) => {
      received += bytes.toString('latin1');
      for (let end = received.indexOf('\r\n\r\n'); end !== -1; end = received.indexOf('\r\n\r\n')) {
        received = received.slice(end + 4);
        this.#answer(line, number);
      }
    });
  }

  #answer(line: Duplex, number: number): void {
    if (this.#scriptStarted) {
      this.laterRequests.push(number);
      line.write(LATER_ANSWER);
      return;
    }
    this.#scriptStarted = true;
    void this.#play(line);
  }

  async #play(line: Duplex): Promise<void> {
    const { wire, end } = this.#case;
    for (const [i, element] of wire.entries()) {
      // In memory each write arrives by itself without a pause.
      if (i > 0) await (line instanceof LineEnd ? nextTurn() : sleep(PAUSE_BETWEEN_WRITES_MS));
      if (line.destroyed) break;
      line.write(octetsOf(element));
    }
    if (end === 'close') {
      line.end();
    } else if (end === 'reset') {
      await sleep(PAUSE_BEFORE_RESET_MS);
      reset(line);
    }
    this.#finishScript();
  }
}

/** A line in memory breaks as a socket does: its reader hears of a reset. */
function reset(line: Duplex): void {
  if (line instanceof LineEnd)
    line.other?.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }));
  else (line as Socket).resetAndDestroy();
}
