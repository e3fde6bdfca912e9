/**
 * The request's side of an exchange: the head, the wait for 100, then a queue of parts (the body, and what `send` brings), counted
 * against the one promise that the head has made.
 *
 * It writes into a transport through an `Upload` for each part, runs the send clock, and knows from `protocol/exchange-table` which step
 * may follow which. What the response means for it is decided by the exchange.
 */
import { ChunkedEncoder } from '../coding/chunked-encoder.js';
import { ContentLengthMismatch, describeFailure } from '../errors.js';
import { MAX_MS } from '../options.js';
import { REQUEST_STEPS } from '../protocol/exchange-table.js';
import type { RequestEvent, RequestState } from '../protocol/exchange-table.js';
import type { BodyPlan } from '../request/body.js';
import type { RequestPlan } from '../request/plan.js';
import { cancelSource, prematureClose, streamEnded, streamFailure } from '../request/source.js';
import { Upload } from '../request/upload.js';
import { SLICE_BYTES, TIMED_SLICE_BYTES } from '../request/sliced-writer.js';
import type { UploadTarget } from '../request/sliced-writer.js';
import { traceBytes, traceHead } from '../trace.js';
import type { Trace } from '../trace.js';
import { HIGH_WATER_BYTES } from '../transport/transport.js';
import type { Transport } from '../transport/transport.js';
import type { Clock } from './clock.js';

/** The exchange. */
export interface SendingOwner {
  /** Told each write, for debug output; null for none. */
  readonly trace: Trace | null;
  /** All that is there to send was handed to the socket. */
  onSent(): void;
  /** The socket has taken all of it, or will take no more: a response is due from now on. */
  onResponseDue(): void;
  /** Bytes go out that no head has announced: what follows them on this connection could be read in two ways. */
  onUnannounced(): void;
  /** A source failed, or did not keep to what was declared. */
  onSendingFailed(error: unknown): void;
}

/** Bytes that are sent one after the other: a body, or what one call of `send` brings. */
interface Part {
  body: BodyPlan;
  /** Bytes of it that were written. */
  sent: number;
  /** Settles the caller's promise; null once that has happened. */
  settle: { resolve: () => void; reject: (error: unknown) => void } | null;
  /** Whether it can be started: a file has been looked at. */
  ready: boolean;
}

const EXPECT_TIMEOUT_MS = 1000;

const NO_OPTIONS: RequestPlan['options'] = {};

/** Never written to. */
const NO_PARTS: Part[] = [];

export class Sending {
  state: RequestState = 'preparing';
  /** What is sent; without the body and the caller's options once the exchange is over. */
  plan: RequestPlan;
  /** Settles when the body was handed to the socket, or when sending the rest became pointless. */
  readonly promise: Promise<void>;
  /** What the head has promised and has not come yet; null when that has no length. */
  owed: number | null;

  readonly #owner: SendingOwner;
  readonly #clock: Clock | null;
  // Two fields and no list before there is something to list: of a small GET's objects, those that can be left out were 3 % of its time.
  #resolve: (() => void) | null = null;
  #reject: ((error: unknown) => void) | null = null;
  #transport: Transport | null = null;
  #upload: Upload | null = null;
  /** Whether the plan's body was begun: from then on its `Upload` tells the source. */
  #bodyBegun = false;
  /** The part that is being sent comes first. */
  #parts: Part[] = NO_PARTS;
  #expectTimer: NodeJS.Timeout | undefined;
  /** What the socket had taken when the send clock was started. */
  #takenBytes = -1;

  constructor(plan: RequestPlan, clock: Clock | null, owner: SendingOwner) {
    this.plan = plan;
    this.#clock = clock;
    this.#owner = owner;
    this.owed = plan.owed;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    if (plan.body !== null && plan.body.source !== null) this.#watchSource(plan.body, null);
  }

  /** Whether the request is on its way out: not all of it was sent, and it was not given up either. */
  get active(): boolean {
    return this.state !== 'sent' && this.state !== 'cut';
  }

  /** Whether the caller still waits for the request. */
  get pending(): boolean {
    return this.#resolve !== null;
  }

  /** Whether anything waits to be sent. */
  get busy(): boolean {
    return this.state === 'sending' || this.state === 'waiting' || this.#parts.length > 0;
  }

  /** Begins on a transport: `head` as it goes out. */
  begin(transport: Transport, head: string): void {
    this.#transport = transport;
    const { body, expectsContinue, options } = this.plan;
    if (this.#owner.trace !== null && head !== '') traceHead(this.#owner.trace, head);
    if (expectsContinue) {
      this.#step('head and wait');
      transport.send(head);
      const { expectTimeout = EXPECT_TIMEOUT_MS } = options;
      if (expectTimeout > MAX_MS) return;
      this.#expectTimer = setTimeout(() => {
        this.continueBody();
      }, expectTimeout);
      return;
    }
    this.#step('head');
    if (body === null) {
      if (head !== '') transport.send(head);
      this.#next();
      return;
    }
    transport.write(head);
    this.#sendBody(transport, body);
  }

  /** The body may go out now: a 100 came, or the wait for it is over. */
  continueBody(): void {
    clearTimeout(this.#expectTimer);
    const { body } = this.plan;
    if (this.state !== 'waiting' || this.#transport === null || body === null) return;
    this.#step('continue');
    this.#sendBody(this.#transport, body);
  }

  /** Sends more behind what is being sent: `send()`. Settles when it was handed to the socket, or became pointless. */
  add(body: BodyPlan): Promise<void> {
    return new Promise((resolve, reject) => {
      const part: Part = { body, sent: 0, settle: { resolve, reject }, ready: true };
      if (this.#parts === NO_PARTS) this.#parts = [part];
      else this.#parts.push(part);
      try {
        if (body.source !== null) this.#watchSource(body, part);
      } catch (error) {
        // A foreign stream whose on() throws.
        this.#fail(part, error);
        return;
      }
      if (body.prepare !== null) {
        part.ready = false;
        body.prepare().then(
          () => {
            part.ready = true;
            this.#next();
          },
          (error: unknown) => {
            this.#fail(part, error);
          },
        );
      }
      this.#next();
    });
  }

  /** The transport has room again. */
  onDrain(): void {
    this.#clock?.stop('send');
    this.#upload?.resume();
  }

  /** Stops sending what is not sent. The promises stay open until it is known what that means. */
  stop(): void {
    clearTimeout(this.#expectTimer);
    if (!this.active) return;
    this.#step('stop');
    this.#clock?.stop('send');
    const source = this.plan.body?.source ?? null;
    if (this.#upload !== null) this.#upload.stop();
    else if (source !== null && !this.#bodyBegun) cancelSource(source);
    this.#upload = null;
  }

  /** The rest is not wanted, which is no failure. */
  cut(): void {
    this.stop();
    this.#settleAll(null);
  }

  /** The exchange has failed. Returns whether a pending call was told. */
  fail(error: unknown): boolean {
    this.stop();
    return this.#settleAll({ error });
  }

  /** Lets go of what was sent: an exchange that is over needs it no more. */
  forget(): void {
    const { body, options } = this.plan;
    if (body !== null || options.signal !== undefined)
      this.plan = { ...this.plan, body: null, options: NO_OPTIONS };
  }

  /** Whether the send clock ran out for nothing: no bytes wait, or some were taken while it ran. */
  stillTaking(): boolean {
    const transport = this.#transport;
    if (transport === null || transport.pendingBytes === 0) return true;
    if (transport.bytesSent - transport.pendingBytes === this.#takenBytes) return false;
    this.#watch(transport);
    return true;
  }

  /** The body that the plan has framed. */
  #sendBody(transport: Transport, body: BodyPlan): void {
    this.#bodyBegun = true;
    const { chunked, declared, options } = this.plan;
    const { bytes } = body;
    if (bytes !== null && !chunked && bytes.length <= HIGH_WATER_BYTES && bytes.length === declared) {
      this.#write(transport, bytes);
      transport.flush();
      this.#next();
      return;
    }
    this.#upload = new Upload(body, {
      target: this.#targetOf(transport),
      encoder: chunked ? new ChunkedEncoder({ trailers: options.trailers }) : null,
      declared,
      onFinish: () => {
        this.#upload = null;
        if (this.active) this.#next();
      },
      onFailure: (error) => {
        this.#owner.onSendingFailed(error);
      },
    });
    this.#upload.start();
  }

  /** Goes on behind what has been sent: the next part, or the end as far as it is known. */
  #next(): void {
    const transport = this.#transport;
    if (transport === null || this.#upload !== null || this.state === 'waiting' || this.state === 'cut')
      return;
    const part = this.#parts[0];
    if (part !== undefined) {
      this.#step('more');
      if (part.ready) this.#sendPart(transport, part);
      return;
    }
    if (this.state !== 'sending') return;
    const owes = this.owed !== 0;
    this.#step(owes ? 'owe' : 'finish');
    this.#resolve?.();
    this.#resolve = this.#reject = null;
    if (this.#clock !== null) this.#watchFlush(transport);
    this.#owner.onSent();
  }

  #sendPart(transport: Transport, part: Part): void {
    const { body } = part;
    if (body.length !== null && !this.#mayTake(part, body.length)) return;
    this.#upload = new Upload(body, {
      target: this.#targetOf(transport),
      encoder: null,
      declared: null,
      count: (bytes) => {
        this.#count(part, bytes);
      },
      onFinish: () => {
        this.#finishPart(part);
      },
      onFailure: (error) => {
        this.#fail(part, error);
      },
    });
    try {
      this.#upload.start();
    } catch (error) {
      this.#fail(part, error);
    }
  }

  #finishPart(part: Part): void {
    this.#upload = null;
    this.#parts.shift();
    part.settle?.resolve();
    part.settle = null;
    this.#transport?.flush();
    this.#next();
  }

  /** Whether the promise of the head has room for so many bytes; refuses the part when it has not. */
  #mayTake(part: Part, bytes: number): boolean {
    try {
      this.#check(bytes);
    } catch (error) {
      this.#fail(part, error);
      return false;
    }
    return true;
  }

  #check(bytes: number): void {
    const { declared } = this.plan;
    if (declared === null || this.owed === null || bytes <= this.owed) return;
    throw new ContentLengthMismatch(declared, declared - this.owed, true);
  }

  #count(part: Part, bytes: number): void {
    this.#check(bytes);
    part.sent += bytes;
    if (this.owed === null) return;
    if (this.plan.declared === null) this.#owner.onUnannounced();
    else this.owed -= bytes;
  }

  /** A part failed. Of one that was refused as a whole nothing is on the wire: what the head has promised can still be sent. */
  #fail(part: Part, error: unknown): void {
    const at = this.#parts.indexOf(part);
    if (at === -1) return;
    this.#parts.splice(at, 1);
    if (at === 0) {
      this.#upload?.stop();
      this.#upload = null;
    }
    const { source } = part.body;
    if (source !== null && part.sent === 0) cancelSource(source);
    part.settle?.reject(error);
    part.settle = null;
    if (part.sent > 0) {
      this.#owner.onSendingFailed(error);
      return;
    }
    const { method, url } = this.plan;
    if (error instanceof ContentLengthMismatch) describeFailure(error, { method, url, phase: 'send' });
    this.#next();
  }

  #targetOf(transport: Transport): UploadTarget {
    return {
      write: (piece, taken) => this.#write(transport, piece, taken),
      sliceBytes: this.#clock === null ? SLICE_BYTES : TIMED_SLICE_BYTES,
      get idle() {
        return transport.pendingBytes === 0;
      },
    };
  }

  #write(transport: Transport, bytes: Uint8Array, taken?: () => void): boolean {
    if (this.#owner.trace !== null) traceBytes(this.#owner.trace, bytes);
    this.#watch(transport);
    return transport.write(bytes, taken);
  }

  /** The send clock runs from when bytes began to wait, or some of them were last taken: more that wait do not set it back. */
  #watch(transport: Transport): void {
    if (this.#clock === null) return;
    const takenBytes = transport.bytesSent - transport.pendingBytes;
    if (takenBytes === this.#takenBytes && transport.pendingBytes > 0) return;
    this.#takenBytes = takenBytes;
    this.#clock.start('send');
  }

  #watchFlush(transport: Transport): void {
    this.#watch(transport);
    transport.onceFlushed(() => {
      this.#clock?.stop('send');
      this.#owner.onResponseDue();
    });
  }

  /** A stream may fail while it waits to be read, and one that closes without an end has failed. */
  #watchSource(body: BodyPlan, part: Part | null): void {
    const stream = body.source?.stream ?? null;
    if (stream === null) return;
    const failed = (error: unknown): void => {
      if (part !== null) this.#fail(part, error);
      else if (this.active) this.#owner.onSendingFailed(error);
    };
    stream.on('error', failed);
    stream.on('close', () => {
      if (streamEnded(stream)) return;
      failed(streamFailure(stream) ?? prematureClose());
    });
  }

  /** Settles every call that waits. */
  #settleAll(failure: { error: unknown } | null): boolean {
    const [resolve, reject] = [this.#resolve, this.#reject];
    this.#resolve = this.#reject = null;
    const parts = this.#parts.filter((part) => part.settle !== null);
    this.#parts = NO_PARTS;
    for (const { body, sent } of parts) {
      if (body.source !== null && sent === 0) cancelSource(body.source);
    }
    if (failure === null) resolve?.();
    else reject?.(failure.error);
    for (const { settle } of parts) {
      if (failure === null) settle?.resolve();
      else settle?.reject(failure.error);
    }
    return reject !== null || parts.length > 0;
  }

  #step(event: RequestEvent): void {
    this.state = REQUEST_STEPS[this.state][event] ?? this.state;
  }
}
