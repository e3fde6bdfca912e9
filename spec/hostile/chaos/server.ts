/**
 * The other end of the chaos test: a server that plays the plan of each request it gets, over TCP or TLS, faults included.
 *
 * It checks what it receives independently of the library, and reports each violation. It decides nothing: the plan does.
 */
import { once } from 'node:events';
import * as net from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import * as tls from 'node:tls';
import { identity } from '../../support/raw-server.js';
import { takeRequest } from '../../support/received-request.js';
import { garblable, garble } from './garbled.js';
import type { ExchangePlan, ServerFault } from './plan.js';

export class ChaosServer {
  /** What a client did that no client may do. */
  readonly violations: string[] = [];
  readonly #server: net.Server;
  readonly #proxy: net.Server;
  readonly #garbling: net.Server;
  readonly #sockets = new Set<Socket>();
  readonly #planOf: (number: number) => ExchangePlan;

  /** @param planOf - the plan of the exchange whose number stands in a request's target */
  constructor(encrypted: boolean, planOf: (number: number) => ExchangePlan) {
    this.#planOf = planOf;
    const serve = (socket: Socket): void => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      ChaosPeer.serve(socket, this.#planOf, this.violations);
    };
    this.#server = encrypted
      ? tls.createServer({ ...identity('server'), noDelay: true }, serve)
      : net.createServer({ noDelay: true }, serve);
    this.#server.on('tlsClientError', () => undefined);
    this.#garbling = net.createServer({ noDelay: true }, (raw) => {
      const secure = garblable(raw);
      secure.on('error', () => undefined);
      serve(secure);
    });
    // The tunnels end in this process, so that no proxy's own failures come between.
    this.#proxy = net.createServer({ noDelay: true }, (socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => {
        socket.pause();
        socket.write('HTTP/1.1 200 Connection established\r\n\r\n', () =>
          this.#server.emit('connection', socket),
        );
      });
    });
  }

  /** TLS whose records can be garbled. */
  get garblingPort(): number {
    return (this.#garbling.address() as AddressInfo).port;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Where every CONNECT leads to this server. */
  get proxyPort(): number {
    return (this.#proxy.address() as AddressInfo).port;
  }

  async listen(): Promise<void> {
    for (const server of [this.#server, this.#proxy, this.#garbling]) {
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
    }
  }

  /** Stops listening. The connections are expected to end by themselves, now that the client has closed its side. */
  async close(): Promise<void> {
    // Those that were stalling read nothing, and so would not see the client's end.
    for (const socket of this.#sockets) socket.resume();
    for (const server of [this.#server, this.#proxy, this.#garbling]) {
      server.close();
      await once(server, 'close');
    }
  }
}

/** One connection. */
class ChaosPeer {
  readonly #socket: Socket;
  readonly #planOf: (number: number) => ExchangePlan;
  readonly #violations: string[];
  #pieces: Buffer[] = [];
  #plan: ExchangePlan | null = null;
  #requestDone = false;
  #responseDone = false;

  private constructor(socket: Socket, planOf: (number: number) => ExchangePlan, violations: string[]) {
    this.#socket = socket;
    this.#planOf = planOf;
    this.#violations = violations;
  }

  static serve(socket: Socket, planOf: (number: number) => ExchangePlan, violations: string[]): void {
    const peer = new ChaosPeer(socket, planOf, violations);
    socket.on('error', () => undefined);
    socket.on('data', (bytes: Buffer) => {
      peer.#pieces.push(bytes);
      peer.#look();
    });
  }

  #look(): void {
    if (this.#plan === null) this.#lookForHead();
    if (this.#plan !== null && !this.#requestDone) this.#lookForEnd(this.#plan);
  }

  #lookForHead(): void {
    const bytes = Buffer.concat(this.#pieces);
    let head;
    try {
      head = takeRequest(bytes, false);
    } catch (error) {
      this.#violations.push(`not a request: ${(error as Error).message}`);
      this.#socket.destroy();
      return;
    }
    if (head === null) return;
    const plan = this.#planOf(Number(head.target.slice(1)));
    this.#plan = plan;
    if (!plan.server.readsBody) this.#socket.pause();
    if (plan.request.expectsContinue && !plan.server.answersAtHead)
      this.#socket.write('HTTP/1.1 100 Continue\r\n\r\n');
    if (plan.server.answersAtHead) void this.#answer(plan);
  }

  #lookForEnd(plan: ExchangePlan): void {
    const bytes = Buffer.concat(this.#pieces);
    // Parsed once the end may be there, not again and again.
    const tail = bytes.toString('latin1', Math.max(0, bytes.length - 200));
    const chunked =
      plan.request.kind !== 'none' && /transfer-encoding: chunked/i.test(bytes.toString('latin1', 0, 600));
    if (chunked && !tail.endsWith('\r\n\r\n')) return;
    if (!chunked && bytes.length < plan.request.content.length) return;
    try {
      const request = takeRequest(bytes, true);
      if (request === null) return;
      this.#requestDone = true;
      this.#pieces = request.size < bytes.length ? [bytes.subarray(request.size)] : [];
      // A source may fail behind the last byte that was declared: nothing is missing then.
      const { failsAt, declared, content } = plan.request;
      if (failsAt !== null && !(declared && failsAt === content.length)) {
        this.#report(plan, 'a failed source ended well-formed');
      }
      if (failsAt === null && !request.body.equals(content)) this.#report(plan, 'the request body differs');
    } catch (error) {
      this.#report(plan, `malformed request: ${(error as Error).message}`);
      this.#socket.destroy();
      return;
    }
    if (plan.server.answersAtHead) this.#next();
    else void this.#answer(plan);
  }

  async #answer(plan: ExchangePlan): Promise<void> {
    const { keepsAlive } = plan.response;
    // Glued to the response: what came later would be in nobody's power to tell from the next one.
    const wire = Buffer.concat([plan.response.wire, Buffer.from(plan.response.garbage)]);
    const { fault, faultAt, cuts, delays, closesUnsaid, readsBody } = plan.server;
    const to = fault === null ? wire.length : faultAt;
    const cutWithin = Math.min(to, plan.response.wire.length);
    const stops = [...cuts.map((cut) => Math.floor(cut * cutWithin)), to].toSorted((a, b) => a - b);
    let from = 0;
    for (const [i, stop] of stops.entries()) {
      if (this.#socket.destroyed) return;
      if (stop > from) this.#socket.write(wire.subarray(from, stop));
      from = Math.max(from, stop);
      await wait(delays[i % delays.length] ?? -1);
    }
    if (fault !== null) {
      this.#break(fault);
      return;
    }
    this.#responseDone = true;
    if (!readsBody) {
      this.#socket.end(() => this.#socket.destroy());
    } else if (!keepsAlive) {
      this.#socket.end();
    } else if (closesUnsaid !== null) {
      this.#break(closesUnsaid);
    } else {
      this.#next();
    }
  }

  /** Both sides done: the next request may come. */
  #next(): void {
    if (!this.#requestDone || !this.#responseDone) return;
    this.#plan = null;
    this.#requestDone = false;
    this.#responseDone = false;
    if (this.#pieces.length > 0) this.#look();
  }

  #break(fault: ServerFault): void {
    if (fault === 'stall' || (fault === 'garble' && garble(this.#socket))) return;
    if (fault === 'FIN') this.#socket.end();
    // A TLSSocket has no reset of its own.
    else if ('encrypted' in this.#socket) this.#socket.destroy();
    else this.#socket.resetAndDestroy();
  }

  #report(plan: ExchangePlan, what: string): void {
    this.#violations.push(`exchange ${String(plan.number)}: ${what}`);
  }
}

/** -1: not at all; 0: a turn of the event loop; else milliseconds. */
function wait(delay: number): Promise<void> {
  if (delay < 0) return Promise.resolve();
  return new Promise((resolve) => {
    if (delay === 0) setImmediate(resolve);
    else setTimeout(resolve, delay);
  });
}
