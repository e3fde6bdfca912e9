/**
 * The request's side of an exchange: head, wait for 100, body, and the ways it can end early.
 *
 * It writes into a transport through an `Upload`, runs the send clock, and knows from `protocol/exchange-table` which step may follow
 * which. What the response means for it is decided by the exchange.
 */
import { ChunkedEncoder } from '../coding/chunked-encoder.js';
import { MAX_MS } from '../options.js';
import type { Clock } from './clock.js';
import { traceHead } from '../trace.js';
import type { Trace } from '../trace.js';
import { ContentLengthMismatch } from '../errors.js';
import { REQUEST_STEPS } from '../protocol/exchange-table.js';
import type { RequestEvent, RequestState } from '../protocol/exchange-table.js';
import { cancelSource } from '../request/body.js';
import type { RequestPlan } from '../request/plan.js';
import { HIGH_WATER_BYTES } from '../transport/transport.js';
import type { Transport } from '../transport/transport.js';
import { Upload } from '../request/upload.js';

/** The exchange. */
export interface SendingOwner {
  /** Told each write, for debug output; null for none. */
  readonly trace: Trace | null;
  /** The whole request was handed to the socket. */
  onSent(): void;
  /** The socket has taken all of it, or will take no more: a response is due from now on. */
  onResponseDue(): void;
  /** The source failed. */
  onSendingFailed(error: unknown): void;
}

const EXPECT_TIMEOUT_MS = 1000;

export class Sending {
  state: RequestState = 'preparing';
  /** Settles when the body was handed to the socket, or when sending the rest became pointless. */
  readonly promise: Promise<void>;
  /** What the head has promised and `send` has not brought yet; null when that has no length. */
  owed: number | null;

  readonly #plan: RequestPlan;
  readonly #clock: Clock | null;
  readonly #owner: SendingOwner;
  #resolve: (() => void) | null = null;
  #reject: ((error: unknown) => void) | null = null;
  #transport: Transport | null = null;
  #upload: Upload | null = null;
  #expectTimer: NodeJS.Timeout | undefined;
  /** What the socket had taken when the send clock was started. */
  #takenBytes = -1;

  constructor(plan: RequestPlan, clock: Clock | null, owner: SendingOwner) {
    this.#plan = plan;
    this.#clock = clock;
    this.#owner = owner;
    this.owed = plan.owed;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    if (plan.body !== null) this.#watchSource();
  }

  /** Whether the request is on its way out: not all of its body was sent, and not given up either. */
  get active(): boolean {
    return this.state !== 'sent' && this.state !== 'cut';
  }

  /** Whether the caller still waits for the request. */
  get pending(): boolean {
    return this.#reject !== null;
  }

  begin(transport: Transport): void {
    this.#transport = transport;
    const { head, body, expectsContinue, options } = this.#plan;
    if (this.#owner.trace !== null) traceHead(this.#owner.trace, head);
    if (expectsContinue) {
      this.#step('head and wait');
      transport.send(head);
      const { expectTimeout = EXPECT_TIMEOUT_MS } = options;
      if (expectTimeout > MAX_MS) return;
      this.#expectTimer = setTimeout(() => {
        this.goOn();
      }, expectTimeout);
      return;
    }
    this.#step('head');
    if (body === null) {
      transport.send(head);
      this.#finish();
    } else {
      transport.write(head);
      this.#startUpload(transport);
    }
  }

  /** The body may go out now: a 100 came, or the wait for it is over. */
  goOn(): void {
    clearTimeout(this.#expectTimer);
    if (this.state !== 'waiting' || this.#transport === null) return;
    this.#step('continue');
    this.#startUpload(this.#transport);
  }

  /** The transport has room again. */
  onDrain(): void {
    this.#clock?.stop('send');
    this.#upload?.resume();
  }

  /** Stops sending what is not sent. The promise stays open until it is known what that means. */
  stop(): void {
    clearTimeout(this.#expectTimer);
    if (!this.active) return;
    this.#step('stop');
    this.#clock?.stop('send');
    const source = this.#plan.body?.source ?? null;
    if (this.#upload !== null) this.#upload.stop();
    else if (source !== null) cancelSource(source);
  }

  /** The rest is not wanted, which is no failure. */
  cut(): void {
    this.stop();
    this.#settle()?.();
  }

  /** The exchange has failed. */
  fail(error: unknown): void {
    this.stop();
    const reject = this.#reject;
    this.#settle();
    reject?.(error);
  }

  /**
   * Bytes that `send` is about to add count against what the head has promised.
   *
   * @throws ContentLengthMismatch when they are more
   */
  takeMore(bytes: number): void {
    const { owed } = this;
    const { declared, body } = this.#plan;
    if (owed === null || declared === null || body !== null) return;
    if (bytes > owed) throw new ContentLengthMismatch(declared, declared - owed, true);
    this.owed = owed - bytes;
  }

  /** Whether the send clock ran out for nothing: no bytes wait, or some were taken while it ran. */
  goesOn(): boolean {
    const transport = this.#transport;
    if (transport === null || transport.pendingBytes === 0) return true;
    if (transport.bytesSent - transport.pendingBytes === this.#takenBytes) return false;
    this.#watch(transport);
    return true;
  }

  #startUpload(transport: Transport): void {
    const { body, chunked, declared, options } = this.#plan;
    if (body === null) return;
    const write = (bytes: Uint8Array): boolean => {
      this.#owner.trace?.(`send: <${String(bytes.length)} bytes>`);
      this.#watch(transport);
      return transport.write(bytes);
    };
    if (body.bytes !== null && !chunked && body.bytes.length <= HIGH_WATER_BYTES) {
      write(body.bytes);
      transport.flush();
      this.#finish();
      return;
    }
    this.#upload = new Upload(body, {
      target: { write },
      encoder: chunked ? new ChunkedEncoder({ trailers: options.trailers }) : null,
      declared,
      onFinish: () => {
        if (this.active) this.#finish();
      },
      onFailure: (error) => {
        this.#owner.onSendingFailed(error);
      },
    });
    this.#upload.start();
  }

  #finish(): void {
    this.#step('finish');
    this.#settle()?.();
    const transport = this.#transport;
    if (this.#clock !== null && transport !== null) {
      this.#watch(transport);
      transport.onceFlushed(() => {
        this.#clock?.stop('send');
        this.#owner.onResponseDue();
      });
    }
    this.#owner.onSent();
  }

  /** The send clock runs from when bytes began to wait, or some of them were last taken: more that wait do not set it back. */
  #watch(transport: Transport): void {
    if (this.#clock === null) return;
    const takenBytes = transport.bytesSent - transport.pendingBytes;
    if (takenBytes === this.#takenBytes && transport.pendingBytes > 0) return;
    this.#takenBytes = takenBytes;
    this.#clock.start('send');
  }

  /** A stream may fail while the connection is still being opened, and one that closes without an end has failed. */
  #watchSource(): void {
    const stream = this.#plan.body?.source?.stream ?? null;
    if (stream === null) return;
    stream.on('error', (error) => {
      if (this.active) this.#owner.onSendingFailed(error);
    });
    stream.on('close', () => {
      if (stream.readableEnded || !this.active) return;
      const premature = Object.assign(new Error('the body stream was closed before its end'), {
        code: 'ERR_STREAM_PREMATURE_CLOSE',
      });
      this.#owner.onSendingFailed(stream.errored ?? premature);
    });
  }

  /** Takes the promise's resolver, so that it is used once. */
  #settle(): (() => void) | null {
    const resolve = this.#resolve;
    this.#resolve = null;
    this.#reject = null;
    return resolve;
  }

  #step(event: RequestEvent): void {
    this.state = REQUEST_STEPS[this.state][event] ?? this.state;
  }
}
