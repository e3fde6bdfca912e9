/**
 * One byte stream, as the rest of the library sees it: bytes come out of `onBytes`, bytes go in through `write`, and it ends once.
 *
 * A dialled socket is read by `onread` into buffers that the handler names (half the CPU of 'data' events), TLS over another transport
 * by 'data', a stream of somebody else's as `GivenStream` says. All are written corked until the end of the tick, and read on after a
 * failed write: the reply of a server that stopped listening lies in the receive queue. An end is one that came without an error. It
 * knows no HTTP.
 */
import type * as net from 'node:net';
import type { Duplex } from 'node:stream';
import { confirmEnd, isBrokenPipe, LostConnection, lossOf } from './broken-line.js';
import { GivenStream } from './given-stream.js';
import { NOBODY } from './transport-handler.js';
import type { TransportHandler } from './transport-handler.js';

export type { TransportHandler } from './transport-handler.js';

/** One read takes at most this much: larger buffers measured slower (they leave the CPU's cache). */
export const READ_BYTES = 65_536;

/** More than this in the socket's queue, and the writer is told to wait. */
export const HIGH_WATER_BYTES = 65_536;

/* Every idle connection, every head and every small body uses this one: bytes in it are consumed before the callback returns. */
const SCRATCH = Buffer.allocUnsafeSlow(READ_BYTES);

const NOTHING = Buffer.alloc(0);

const TRANSPORT: unique symbol = Symbol('transport');

/** Called when a write was taken, or never will be. */
type Taken = () => void;

/** A socket that knows its transport. */
type ManagedSocket = net.Socket & { [TRANSPORT]: Transport };

export class Transport {
  /** Bytes received so far. */
  bytesReceived = 0;
  /** Bytes written so far, whether the socket has taken them or not. */
  bytesSent = 0;
  /** Whether the socket is destroyed or about to be: nothing more will come from it or go into it. */
  closed = false;
  /** The first write error; reading goes on after it. */
  writeError: Error | null = null;

  // What a socket calls is shared by all of them and finds its transport on the socket: an idle connection costs no closures.

  // Node destroys a socket whose write failed, and with it the reply that lies in the receive queue: the 413 of a server that closed
  // without reading. This one is kept alive for its reader; see docs/reliability.md.
  static readonly #destroySocket = function (this: ManagedSocket, error?: Error): ManagedSocket {
    const transport = this[TRANSPORT];
    if (!transport.closed && isBrokenPipe(error)) {
      transport.#writeFailed(error);
    } else {
      transport.closed = true;
      prototypeOf(this).destroy.call(this, error);
    }
    return this;
  };

  // The end is taken where it is pushed: after a failed write, Node no longer emits 'end'.
  static readonly #pushSocket = function (
    this: ManagedSocket,
    chunk: unknown,
    encoding?: BufferEncoding,
  ): boolean {
    const more = prototypeOf(this).push.call(this, chunk, encoding);
    if (chunk === null) {
      this[TRANSPORT].#endPushed = true;
      this[TRANSPORT].#finishWhenRead();
    }
    return more;
  };

  // For a record that TLS cannot read after the handshake, Node emits 'error' and leaves the socket open, deaf: it is dead.
  static readonly #onError = function (this: ManagedSocket, error: Error): void {
    const transport = this[TRANSPORT];
    transport.#error ??= error;
    if (this.destroyed) return;
    transport.#deliverBuffered();
    transport.closed = true;
    prototypeOf(this).destroy.call(this);
  };

  static readonly #onClose = function (this: ManagedSocket): void {
    this[TRANSPORT].#gone(null);
  };

  #handler: TransportHandler = NOBODY;
  #socket: ManagedSocket | null = null;
  /** The stream, where it is somebody else's. */
  #given: GivenStream | null = null;
  /** What TLS runs over. */
  #under: Transport | null = null;
  /** The TLS that runs over it, which does not hear of writes that fail down here. */
  #above: Transport | null = null;
  #target: Uint8Array | null = null;
  #paused = false;
  /** The end has come; it is seen when the bytes before it were. */
  #endPushed = false;
  #ended = false;
  #corked = false;
  #error: Error | null = null;
  /** A writer was told to wait. */
  #blocked = false;
  /** Those who want to know when their write was taken, and null for each other write that is called back. */
  #takers: (Taken | null)[] = [];
  /** Who waits for everything to be taken, on a given stream. */
  #flushed: Taken[] = [];
  #unreffed = false;
  /** The `onread` option for `net.connect` or `tls.connect`; the socket is then given to `attach`. */
  readonly onread: net.OnReadOpts = {
    buffer: () => (this.#target = this.#handler.target()) ?? SCRATCH,
    callback: (count, buffer) => this.#received(count, buffer as Buffer),
  };

  /** Takes over TLS that runs over another transport. Node ignores {@link onread} there. */
  attachOver(under: Transport, socket: net.Socket): this {
    this.#under = under;
    under.#above = this;
    socket.on('data', (bytes: Buffer) => {
      this.bytesReceived += bytes.length;
      this.#handler.onBytes(bytes, true);
      if (this.#endPushed) this.#finishWhenRead();
    });
    return this.attach(socket);
  }

  /**
   * Takes over a stream that somebody else made. It is paused until {@link resume}.
   *
   * @throws TypeError unless it is an open Duplex of bytes that no other transport uses
   */
  attachGiven(stream: unknown): this {
    this.#paused = true;
    this.#given = new GivenStream(stream, {
      onBytes: (bytes) => {
        this.bytesReceived += bytes.length;
        this.#handler.onBytes(bytes, true);
      },
      onEnd: () => {
        this.#ended = true;
        this.#handler.onEnd();
      },
      onWriteError: (error) => this.#writeFailed(error),
      onClose: (error) => this.#gone(error),
    });
    return this;
  }

  /** Takes over a socket made with {@link onread}. */
  attach(socket: net.Socket): this {
    const managed = socket as ManagedSocket;
    managed[TRANSPORT] = this;
    this.#socket = managed;
    // oxlint-disable typescript/unbound-method -- they are written for the socket as `this`
    managed.destroy = Transport.#destroySocket;
    managed.push = Transport.#pushSocket;
    managed.on('error', Transport.#onError).on('close', Transport.#onClose);
    // oxlint-enable typescript/unbound-method
    return this;
  }

  /** The stream that is read and written: a socket, TLS, or what was given. */
  get socket(): Duplex {
    return this.#given?.stream ?? (this.#socket as net.Socket);
  }

  /** What ended it; null when nothing did, or nobody says. */
  get failure(): Error | null {
    return this.#error ?? this.#under?.failure ?? null;
  }

  /** The address of whom it is connected to, as far as the stream tells one. */
  get remoteAddress(): string | null {
    const { remoteAddress } = this.socket as { remoteAddress?: unknown };
    if (typeof remoteAddress === 'string') return remoteAddress;
    return this.#under?.remoteAddress ?? null;
  }

  /** The descriptor of the socket; -1 where the platform shows none, and once it is closed. */
  get descriptor(): number {
    // Node shows descriptors of its own handles only here.
    const { _handle: handle } = this.socket as { _handle?: { fd?: unknown } | null };
    const fd = this.closed ? -1 : handle?.fd;
    return typeof fd === 'number' ? fd : -1;
  }

  /** Who is told what happens; null for nobody. */
  set handler(handler: TransportHandler | null) {
    this.#handler = handler ?? NOBODY;
  }

  /** Whether the peer's end has been seen, which an error or a close is not. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Bytes that the socket has taken, and bytes received. */
  get progress(): { bytesSent: number; bytesReceived: number } {
    return { bytesSent: this.bytesSent - this.pendingBytes, bytesReceived: this.bytesReceived };
  }

  /** Bytes written that the socket has not taken yet. */
  get pendingBytes(): number {
    return this.socket.writableLength;
  }

  /** Stops reading; the peer is held back by TCP. */
  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    if (this.#given === null) this.socket.pause();
    else this.#given.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (this.#given === null) this.socket.resume();
    else this.#given.resume();
  }

  /** Has the process live as long as the connection, which it does from the beginning. */
  ref(): void {
    if (!this.#unreffed) return;
    this.#unreffed = false;
    this.#setRef('ref');
  }

  /** Lets the process end although the connection is open. */
  unref(): void {
    if (this.#unreffed || this.closed) return;
    this.#unreffed = true;
    this.#setRef('unref');
  }

  /** Writes now what is a whole message: one system call, no cork. */
  send(text: string): void {
    if (!this.#canWrite()) return;
    this.bytesSent += text.length;
    this.#put(text, null);
  }

  /**
   * Writes with whatever else is written in this tick and the microtasks behind it.
   *
   * @param taken - called once, never in this call, when the socket has taken the bytes or never will
   * @returns false when the writer should wait for `onDrain`
   */
  write(data: string | Uint8Array, taken?: Taken): boolean {
    if (!this.#canWrite()) {
      if (taken !== undefined) process.nextTick(taken);
      return true;
    }
    this.bytesSent += data.length;
    if (!this.#corked) {
      this.#corked = true;
      this.socket.cork();
      // Behind the microtasks, so that a body piece that a generator has ready goes out with the head, and behind what they put off in
      // turn: an encoder hands on what it staged.
      queueMicrotask(() => process.nextTick(flushLast, this));
    }
    this.#put(data, taken ?? null);
    if (this.pendingBytes >= HIGH_WATER_BYTES) this.flush();
    // Not write()'s own answer: that is false even after everything was taken at once.
    if (this.pendingBytes < HIGH_WATER_BYTES) return true;
    this.#blocked = true;
    return false;
  }

  /** Calls back once everything written so far has been taken by the socket, or cannot be. */
  onceFlushed(callback: () => void): void {
    this.flush();
    if (this.pendingBytes === 0 || !this.#canWrite()) callback();
    else if (this.#given === null) this.socket.write(NOTHING, callback);
    else this.#flushed.push(callback);
  }

  /** Sends the end, behind everything written. `done` hears of the error if that fails. */
  end(done: (error?: Error | null) => void): void {
    this.flush();
    if (this.writeError !== null || this.closed) done(this.writeError ?? new LostConnection());
    else this.socket.end((error?: Error | null) => done(this.writeError ?? error));
  }

  /** Hands everything written so far to the socket. */
  flush(): void {
    if (!this.#corked) return;
    this.#corked = false;
    this.socket.uncork();
  }

  /** Tells an orderly end from a reset that was reported as one; null for an orderly one. */
  confirmEnd(done: (error: Error | null) => void): void {
    confirmEnd(this, done);
  }

  /** Closes at once. The handler hears nothing more. */
  close(): void {
    this.#handler = NOBODY;
    if (this.closed) return;
    this.closed = true;
    if (this.#given === null) this.#socket?.destroy();
    else this.#given.destroy();
    if (this.#takers.length + this.#flushed.length > 0) process.nextTick(() => this.#releaseTakers());
  }

  #canWrite(): boolean {
    return !this.closed && this.writeError === null;
  }

  #received(count: number, buffer: Buffer): boolean {
    this.bytesReceived += count;
    const target = this.#target;
    // Memory of a caller that has been transferred meanwhile: no view of it can be made, and whose it was hears of no bytes.
    if (target?.byteLength === 0) {
      this.#handler.onBytes(NOTHING, true);
      return !this.#paused;
    }
    const whole =
      target === null ? SCRATCH : Buffer.from(buffer.buffer, buffer.byteOffset, buffer.byteLength);
    this.#handler.onBytes(count === whole.length ? whole : whole.subarray(0, count), target !== null);
    return !this.#paused;
  }

  /** While a flowing socket is paused, bytes wait in it that came before its end. */
  #finishWhenRead(): void {
    if (this.#ended || this.#error !== null || this.socket.readableLength > 0) return;
    this.#ended = true;
    this.#handler.onEnd();
  }

  /** Hands on what waits in the stream: it came before the error that ends it. */
  #deliverBuffered(): void {
    if (this.#under === null) return;
    const handler = this.#handler;
    this.socket.removeAllListeners('data');
    for (;;) {
      const bytes = this.socket.read() as Buffer | null;
      if (bytes === null) return;
      this.bytesReceived += bytes.length;
      handler.onBytes(bytes, true);
    }
  }

  /** To the stream; called back only where somebody has to know, as that costs. */
  #put(data: string | Uint8Array, taken: Taken | null): void {
    if (this.#given !== null) {
      this.#takers.push(taken);
      // A stream in memory hands on the very bytes, and whoever reads them there may keep them for longer than it takes to take them.
      this.#given.write(taken === null || typeof data === 'string' ? data : Buffer.from(data), this.#onTaken);
      return;
    }
    const socket = this.socket;
    const called = taken !== null || this.#blocked || socket.writableLength + data.length >= HIGH_WATER_BYTES;
    if (called) this.#takers.push(taken);
    if (typeof data === 'string') socket.write(data, 'latin1', called ? this.#onTaken : undefined);
    else socket.write(data, called ? this.#onTaken : undefined);
  }

  /** The oldest write that is called back is taken. Node's 'drain' is not used: it comes only if Node's own mark was passed. */
  readonly #onTaken = (error?: Error | null): void => {
    // Before the taker, who may write the next piece; Node tells the socket of it only behind this.
    if (error instanceof Error && isBrokenPipe(error)) this.#writeFailed(error);
    this.#takers.shift()?.();
    if (this.pendingBytes > 0) return;
    const flushed = this.#flushed;
    if (flushed.length > 0) {
      this.#flushed = [];
      for (const callback of flushed) callback();
    }
    if (!this.#blocked || !this.#canWrite()) return;
    this.#blocked = false;
    this.#handler.onDrain();
  };

  #releaseTakers(): void {
    const waiting = [...this.#takers, ...this.#flushed];
    this.#takers = [];
    this.#flushed = [];
    for (const callback of waiting) callback?.();
  }

  #writeFailed(error: Error): void {
    if (this.writeError !== null || this.closed) return;
    const failure = lossOf(error);
    this.writeError = failure;
    this.#handler.onWriteError(failure);
    if (this.#above !== null) this.#above.#writeFailed(failure);
    if (this.#given !== null) this.#releaseTakers();
  }

  #gone(error: Error | null): void {
    const handler = this.#handler;
    this.#error ??= error;
    this.closed = true;
    this.#handler = NOBODY;
    handler.onClose(this.failure);
    this.#releaseTakers();
  }

  #setRef(call: 'ref' | 'unref'): void {
    if (this.#under !== null) this.#under[call]();
    if (this.#given === null) (this.socket as net.Socket)[call]();
    else this.#given.setRef(call);
  }
}

function flushLast(transport: Transport): void {
  process.nextTick(flush, transport);
}

function flush(transport: Transport): void {
  transport.flush();
}

function prototypeOf(socket: ManagedSocket): net.Socket {
  return Object.getPrototypeOf(socket) as net.Socket;
}
