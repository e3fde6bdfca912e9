/**
 * Opens a connection for requests, step by step: a dial or a stream that is given, TLS with whom that reaches, a tunnel, TLS inside.
 *
 * Each step is begun with what the last one opened, and can be given up; whatever throws in one of them fails the opening. It sends no
 * request and keeps no clock. To add a step, add it to the list that {@link Connector} makes of its plan.
 */
import type * as tls from 'node:tls';
import { BadStatusLine } from '../errors.js';
import type { Phase } from '../errors.js';
import { Dial } from '../transport/dial.js';
import type { DialAttempt, DialOptions, Opened } from '../transport/dial.js';
import type { Transport } from '../transport/transport.js';
import { openGiven } from './given.js';
import type { CreateConnection } from './given.js';
import { secure } from './secure.js';
import { openTunnel } from './tunnel.js';
import type { TunnelRequest } from './tunnel.js';

export interface ConnectPlan {
  /** Whom to dial, and the TLS spoken with them. */
  dial: DialOptions;
  /** Asked for a stream in the place of a dial; null for none. */
  createConnection: CreateConnection | null;
  /** The proxy's CONNECT; null without a tunnel. */
  tunnel: TunnelRequest | null;
  /** TLS with the server inside the tunnel; null for none. Without a tunnel it is the dial's. */
  innerTLS: tls.ConnectionOptions | null;
}

export type Connected = (error: Error | null, transport: Transport | null) => void;

/** Begins with what the last step opened. Returns what gives it up. */
interface Step {
  readonly phase: Phase;
  begin(transport: Transport | null, surplus: Buffer[], done: Opened): () => void;
}

/** A connection being opened. */
export class Connector {
  /** What is going on, for errors. */
  phase: Phase = 'connect';

  readonly #done: Connected;
  readonly #steps: Step[];
  #dial: Dial | null = null;
  #giveUp: (() => void) | null = null;
  #transport: Transport | null = null;
  /** The connection to the proxy. */
  #outer: Transport | null = null;
  #over = false;

  /**
   * Begins behind the caller's own code: a lookup that closes the connection finds an opening that can be given up.
   *
   * @param done - called once, never synchronously, unless it is cancelled
   */
  constructor(plan: ConnectPlan, done: Connected) {
    this.#done = done;
    this.#steps = this.#stepsOf(plan);
    process.nextTick(() => this.#next(null, []));
  }

  /** The addresses that were tried; none where no dial was needed. */
  get attempts(): DialAttempt[] {
    return this.#dial?.attempts ?? [];
  }

  /** Bytes that went over the tunnel's proxy connection, or the one being opened. */
  get progress(): { bytesSent: number; bytesReceived: number } {
    const { bytesSent, bytesReceived } = this.#outer ?? { bytesSent: 0, bytesReceived: 0 };
    return { bytesSent, bytesReceived };
  }

  /** Gives up: what was opened is closed and `done` is not called. */
  cancel(): void {
    if (this.#over) return;
    this.#over = true;
    this.#giveUp?.();
    this.#transport?.close();
  }

  #stepsOf({ dial, createConnection, tunnel, innerTLS }: ConnectPlan): Step[] {
    const steps: Step[] = [];
    if (createConnection === null) {
      steps.push({
        phase: 'connect',
        begin: (_transport, _surplus, done) => {
          this.#dial = new Dial(dial, done);
          return () => this.#dial?.cancel();
        },
      });
    } else {
      steps.push({
        phase: 'connect',
        begin: (_transport, _surplus, done) => openGiven(createConnection, dial, done),
      });
      if (dial.tls !== null) steps.push(secureStep(dial.tls));
    }
    if (tunnel !== null) {
      steps.push({
        phase: 'tunnel',
        begin: (transport, _surplus, done) => {
          this.#outer = transport;
          return openTunnel(transport as Transport, tunnel, done);
        },
      });
      if (innerTLS !== null) steps.push(secureStep(innerTLS));
    }
    return steps;
  }

  #next(transport: Transport | null, surplus: Buffer[]): void {
    if (this.#over) return;
    this.#giveUp = null;
    this.#transport = transport;
    const step = this.#steps.shift();
    if (step === undefined) {
      this.#finish(transport as Transport, surplus);
      return;
    }
    this.phase = step.phase;
    try {
      this.#giveUp = step.begin(transport, surplus, (error, opened, early = []) => {
        if (this.#over) opened?.close();
        else if (error !== null) this.#fail(error);
        else this.#next(opened, early);
      });
    } catch (error) {
      this.#fail(error as Error);
    }
    if (this.#isOver()) this.#giveUp?.();
  }

  /** Asked anew after each call out: what a step calls may have cancelled. */
  #isOver(): boolean {
    return this.#over;
  }

  #finish(transport: Transport, surplus: Buffer[]): void {
    if (surplus.length > 0) {
      // No request is outstanding inside the tunnel, so these bytes can answer none.
      const text = Buffer.concat(surplus).toString('latin1', 0, 80);
      this.#fail(new BadStatusLine(text, 'bytes came out of the tunnel before a request'));
      return;
    }
    this.#over = true;
    this.phase = 'connect';
    this.#done(null, transport);
    transport.resume();
  }

  #fail(error: Error): void {
    this.#over = true;
    this.#transport?.close();
    this.#done(error, null);
  }
}

function secureStep(options: tls.ConnectionOptions): Step {
  return {
    phase: 'connect',
    begin: (transport, surplus, done) => secure(transport as Transport, surplus, options, done),
  };
}
