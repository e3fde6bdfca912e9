/**
 * Many callers on one pool while everything goes wrong, chosen by a seed: each gets its own bytes or an error that the documentation has,
 * no request that may not be repeated reaches the server twice, and nothing is left when all are done.
 *
 * `CHAOS_SEED=…` plays a run again, `CHAOS_CALLERS=…` and `CHAOS_CALLS=…` make it longer.
 */
import { once } from 'node:events';
import * as net from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { Readable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import * as tls from 'node:tls';

import { expect } from 'chai';

import { HTTPConnectionPool, HTTPException } from '../../lib/index.js';
import type { HTTPResponse, PoolBody } from '../../lib/index.js';
import { patternBytes } from '../support/body-sources.js';
import { identity } from '../support/raw-server.js';
import { takeRequest } from '../support/received-request.js';
import { TRUSTING } from '../support/transports.js';
import { Random } from './chaos/random.js';

const SEED = Number(process.env['CHAOS_SEED'] ?? Math.floor(Math.random() * 2 ** 32));
const CALLERS = Number(process.env['CHAOS_CALLERS'] ?? 64);
const CALLS = Number(process.env['CHAOS_CALLS'] ?? 100);

type Fault =
  'none' | 'FIN' | 'reset' | 'FIN in the body' | 'reset in the body' | 'stall' | 'garbage' | 'early' | '503';
type Act = 'none' | 'abort' | 'destroy' | 'leave';

interface Plan {
  readonly id: string;
  readonly method: string;
  readonly bodyKind: 'none' | 'text' | 'generator' | 'stream' | 'factory';
  readonly body: Buffer;
  readonly reply: Buffer;
  readonly chunked: boolean;
  readonly interim: boolean;
  readonly fault: Fault;
  /** The server closes behind a whole reply without saying so. */
  readonly closes: 'no' | 'FIN' | 'reset';
  readonly delayMs: number;
  readonly act: Act;
  readonly actAfterMs: number;
  readonly retries: number;
}

const FAULTS: readonly Fault[] = [
  'FIN',
  'reset',
  'FIN in the body',
  'reset in the body',
  'stall',
  'garbage',
  'early',
  '503',
];

function planOf(id: string): Plan {
  const [caller = 0, call = 0] = id.split('-').map(Number);
  const random = new Random(Math.imul(SEED, 2_654_435_761) ^ Math.imul(caller * 1009 + call + 1, 40_503));
  const method = random.pick(['GET', 'GET', 'GET', 'HEAD', 'PUT', 'DELETE', 'POST', 'POST', 'PATCH']);
  const withBody = ['PUT', 'POST', 'PATCH'].includes(method);
  return {
    id,
    method,
    bodyKind: withBody ? random.pick(['none', 'text', 'generator', 'stream', 'factory']) : 'none',
    body: patternBytes(random.pick([1, 100, 20_000, random.integer(1, 200_000)]), call),
    reply: patternBytes(random.pick([0, 1, 100, 5000, random.integer(0, 150_000)]), caller * 131 + call),
    chunked: random.percent(40),
    interim: random.percent(15),
    fault: random.percent(25) ? random.pick(FAULTS) : 'none',
    closes: random.percent(20) ? random.pick(['FIN', 'reset']) : 'no',
    delayMs: random.percent(30) ? random.integer(0, 8) : 0,
    act: random.percent(15) ? random.pick(['abort', 'destroy', 'leave']) : 'none',
    actAfterMs: random.integer(0, 10),
    retries: random.percent(30) ? 2 : 0,
  };
}

/** Answers by the plan of each request, and counts them. */
class Server {
  readonly seen = new Map<string, number>();
  readonly wrong: string[] = [];
  readonly #server: net.Server;
  readonly #sockets = new Set<Socket>();

  constructor(encrypted: boolean) {
    const serve = (socket: Socket): void => {
      this.#serve(socket);
    };
    this.#server = encrypted
      ? tls.createServer({ ...identity('server'), noDelay: true }, serve)
      : net.createServer({ noDelay: true }, serve);
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => undefined).once('close', () => this.#sockets.delete(socket));
    });
    this.#server.on('tlsClientError', () => undefined);
  }

  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #serve(socket: Socket): void {
    let bytes = Buffer.alloc(0);
    let early = false;
    socket.on('error', () => undefined);
    socket.on('data', (piece: Buffer) => {
      if (early) return;
      bytes = Buffer.concat([bytes, piece]);
      try {
        for (;;) {
          const head = takeRequest(bytes, false);
          if (head === null) return;
          const plan = planOf(head.target.slice(1));
          if (plan.fault === 'early' && plan.bodyKind !== 'none') {
            early = true;
            this.#count(plan);
            socket.end('HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 5\r\n\r\nearly');
            return;
          }
          const request = takeRequest(bytes, true);
          if (request === null) return;
          bytes = bytes.subarray(request.size);
          const times = this.#count(plan);
          if (plan.bodyKind !== 'none' && !request.body.equals(plan.body))
            this.wrong.push(`${plan.id}: the body of ${plan.method} was not what its caller gave`);
          void this.#reply(socket, plan, times);
        }
      } catch (error) {
        this.wrong.push(`what came is no request: ${String(error)}`);
        socket.destroy();
      }
    });
  }

  #count({ id }: Plan): number {
    const times = (this.seen.get(id) ?? 0) + 1;
    this.seen.set(id, times);
    return times;
  }

  async #reply(socket: Socket, plan: Plan, times: number): Promise<void> {
    if (plan.delayMs > 0) await wait(plan.delayMs);
    const { fault, reply } = plan;
    // The second time it goes well.
    const broken = times === 1 ? fault : 'none';
    if (broken === 'stall') return;
    if (broken === 'FIN') socket.end();
    else if (broken === 'reset') reset(socket);
    else if (broken === 'garbage') socket.write('this is no HTTP\r\n\r\n');
    else if (broken === '503') {
      const later = plan.method === 'HEAD' ? '' : 'later';
      socket.write(`HTTP/1.1 503 Later\r\nRetry-After: 0\r\nContent-Length: 5\r\n\r\n${later}`);
    }
    if (broken !== 'none' && !broken.endsWith('in the body')) return;
    let wire = plan.interim ? 'HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n' : '';
    wire += 'HTTP/1.1 200 OK\r\n';
    const body = plan.method === 'HEAD' ? Buffer.alloc(0) : reply;
    let framed: Buffer = body;
    if (plan.chunked && plan.method !== 'HEAD') {
      wire += 'Transfer-Encoding: chunked\r\n\r\n';
      const size = Buffer.from(`${body.length.toString(16)}\r\n`);
      framed =
        body.length === 0
          ? Buffer.from('0\r\n\r\n')
          : Buffer.concat([size, body, Buffer.from('\r\n0\r\n\r\n')]);
    } else {
      wire += `Content-Length: ${String(reply.length)}\r\n\r\n`;
    }
    const whole = Buffer.concat([Buffer.from(wire), framed]);
    if (broken.endsWith('in the body')) {
      socket.write(whole.subarray(0, whole.length - Math.ceil(framed.length / 2)), () => {
        if (broken.startsWith('FIN')) socket.end();
        else reset(socket);
      });
      return;
    }
    const half = Math.floor(whole.length / 2);
    socket.write(whole.subarray(0, half));
    if (plan.delayMs % 2 === 1) await wait(1);
    socket.write(whole.subarray(half), () => {
      if (plan.closes === 'FIN') socket.end();
      else if (plan.closes === 'reset') reset(socket);
    });
  }
}

/** Node resets no TLS socket; there an end without a closing alert has to do. */
function reset(socket: Socket): void {
  if (socket instanceof tls.TLSSocket) socket.destroy();
  else socket.resetAndDestroy();
}

function bodyOf({ bodyKind, body }: Plan): PoolBody | null {
  const pieces = function* (): Generator<Buffer> {
    for (let at = 0; at < body.length; at += 7000) yield body.subarray(at, at + 7000);
  };
  if (bodyKind === 'text') return body;
  if (bodyKind === 'generator') return pieces();
  if (bodyKind === 'stream') return Readable.from(pieces());
  return bodyKind === 'factory' ? () => pieces() : null;
}

const SOCKET_CODES = ['ECONNRESET', 'EPIPE', 'ECONNREFUSED'];

/** Why the error is none that may come; null for one that may. */
function strange(plan: Plan, error: unknown, reason: Error, ended: Error): string | null {
  if (error === reason) return plan.act === 'abort' ? null : 'aborted, though nobody did';
  if (error === ended) return null;
  if (error instanceof HTTPException) return null;
  const { code } = error as NodeJS.ErrnoException;
  return code !== undefined && SOCKET_CODES.includes(code) ? null : `an error of nobody: ${String(error)}`;
}

async function read(response: HTTPResponse, plan: Plan): Promise<string | null> {
  if (plan.act === 'destroy') {
    response.destroy();
    return null;
  }
  if (plan.act === 'leave') {
    for await (const _ of response) break;
    return null;
  }
  const bytes = await response.readall();
  if (response.status === 413) return bytes.toString() === 'early' ? null : 'the early answer was not whole';
  if (response.status === 503)
    return bytes.toString() === (plan.method === 'HEAD' ? '' : 'later') ? null : 'the 503 was not whole';
  const expected = plan.method === 'HEAD' ? Buffer.alloc(0) : plan.reply;
  return bytes.equals(expected) ? null : `${String(bytes.length)} bytes of somebody else`;
}

function countResources(kind: string): number {
  return process.getActiveResourcesInfo().filter((name) => name === kind).length;
}

describe('a pool in chaos', () => {
  for (const encrypted of [false, true]) {
    const way = encrypted ? 'TLS' : 'TCP';
    it(`gives ${String(CALLERS)} callers their own over ${way}, under CHAOS_SEED=${String(SEED)}`, async function () {
      this.timeout(60_000 + CALLERS * CALLS * 20);
      const calls = encrypted ? Math.ceil(CALLS / 4) : CALLS;
      const server = new Server(encrypted);
      const port = await server.listen();
      const base = { sockets: countResources('TCPSocketWrap'), timers: countResources('Timeout') };
      const ended = new Error('the pool was ended in the middle');
      const origin = `${encrypted ? 'https' : 'http'}://127.0.0.1:${String(port)}`;
      const options = {
        maxConnections: 16,
        timeout: { response: 400, body: 400, total: 30_000 },
        context: TRUSTING,
      };
      const pools: HTTPConnectionPool[] = [];
      const makePool = (): HTTPConnectionPool => {
        const made = new HTTPConnectionPool(origin, options);
        pools.push(made);
        return made;
      };
      let pool = makePool();
      const closings: Promise<void>[] = [];
      const wrong: string[] = [];
      let made = 0;
      const caller = async (_: unknown, number: number): Promise<void> => {
        for (let call = 0; call < calls; call++) {
          const plan = planOf(`${String(number)}-${String(call)}`);
          // In the middle the pool ends, once in each way, and another takes its place.
          made++;
          const third = Math.floor((CALLERS * calls) / 3);
          if (made === third || made === 2 * third) {
            const old = pool;
            pool = makePool();
            if (made === third) closings.push(old.close());
            else old.destroy(ended);
          }
          const reason = new Error('no longer wanted');
          const aborter = new AbortController();
          if (plan.act === 'abort') setTimeout(() => aborter.abort(reason), plan.actAfterMs);
          try {
            const requested = pool.request(
              plan.method,
              `/${plan.id}`,
              bodyOf(plan),
              {},
              {
                signal: aborter.signal,
                retries: { limit: plan.retries, minDelay: 1, maxDelay: 5 },
              },
            );
            const complaint = await read(await requested, plan);
            if (complaint !== null) wrong.push(`${plan.id} (${plan.method}, ${plan.fault}): ${complaint}`);
          } catch (error) {
            const complaint = strange(plan, error, reason, ended);
            if (complaint !== null) wrong.push(`${plan.id} (${plan.method}, ${plan.fault}): ${complaint}`);
          }
          const { open, busy, idle, waiting } = pool.stats;
          if (open > 16 || busy < 0 || idle < 0 || waiting < 0 || busy + idle > open)
            wrong.push(`stats that cannot be: ${JSON.stringify(pool.stats)}`);
        }
      };
      await Promise.all(Array.from({ length: CALLERS }, caller));
      closings.push(pool.close());
      await Promise.all(closings);
      for (const [id, times] of server.seen) {
        const { method, retries } = planOf(id);
        const most = ['POST', 'PATCH'].includes(method) ? 1 : 2 + 2 * retries;
        if (times > most) wrong.push(`${id}: ${method} reached the server ${String(times)} times`);
      }
      expect([...wrong, ...server.wrong].slice(0, 20)).to.deep.equal([]);
      for (const { stats } of pools) expect(stats).to.deep.equal({ open: 0, busy: 0, idle: 0, waiting: 0 });
      await server.close();
      await wait(30);
      expect(countResources('TCPSocketWrap'), 'sockets').to.be.at.most(base.sockets);
      expect(countResources('Timeout'), 'timers').to.be.at.most(base.timers);
    });
  }
});
