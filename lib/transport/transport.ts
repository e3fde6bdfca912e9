/**
 * One socket, as the rest of the library sees it: bytes come out of `onBytes`, bytes go in through `write`, and it ends once.
 *
 * It reads by `onread` into buffers that its handler names (half the CPU of 'data' events), writes corked until the end of the tick,
 * and keeps on reading after a failed write: the reply of a server that stopped listening lies in the receive queue. It knows no
 * HTTP, and what it calls never throws into the socket.
 */
import type * as net from 'node:net';

/** What happens on a transport. Each is called in the socket's own callback; none may throw. */
export interface TransportHandler {
  /**
   * Where the next bytes shall be read into; null for the shared scratch buffer. Asked right after each `onBytes`.
   */
  target(): Uint8Array | null;
  /** Bytes arrived. Unless `owned` they lie in the scratch buffer and are lent for the call. */
  onBytes(bytes: Buffer, owned: boolean): void;
  /** The peer sends no more (FIN, close_notify). Comes once, before `onClose`. */
  onEnd(): void;
  /** Everything written has been taken by the socket. */
  onDrain(): void;
  /** A write failed: nothing more can be sent, what arrives is still read. */
  onWriteError(error: Error): void;
  /** The socket is gone, with the error that ended it if there was one. Not called for `close()`. */
  onClose(error: Error | null): void;
}

/** One read takes at most this much: larger buffers measured slower (they leave the CPU's cache). */
export const READ_BYTES = 65_536;

/** More than this in the socket's queue, and the writer is told to wait. */
export const HIGH_WATER_BYTES = 65_536;

/* Every idle connection, every head and every small body uses this one: bytes in it are consumed before the callback returns. */
const SCRATCH = Buffer.allocUnsafeSlow(READ_BYTES);

const NOTHING = Buffer.alloc(0);

const TRANSPORT: unique symbol = Symbol('transport');

/** A socket that knows its transport. */
type ManagedSocket = net.Socket & { [TRANSPORT]: Transport };

/** The handler of a transport nobody uses: whatever happens on it ends it. */
const NOBODY: TransportHandler = {
  target: () => null,
  onBytes() {},
  onEnd() {},
  onDrain() {},
  onWriteError() {},
  onClose() {},
};

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
    if (!transport.closed && isWriteError(error)) {
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

  static readonly #onDrain = function (this: ManagedSocket): void {
    this[TRANSPORT].#handler.onDrain();
  };

  static readonly #onError = function (this: ManagedSocket, error: Error): void {
    this[TRANSPORT].#error = error;
  };

  static readonly #onClose = function (this: ManagedSocket): void {
    const transport = this[TRANSPORT];
    const handler = transport.#handler;
    transport.closed = true;
    transport.#handler = NOBODY;
    handler.onClose(transport.#error);
  };

  #handler: TransportHandler = NOBODY;
  #socket: ManagedSocket | null = null;
  #target: Uint8Array | null = null;
  #paused = false;
  /** The end has come; it is seen when the bytes before it were. */
  #endPushed = false;
  #ended = false;
  #corked = false;
  #error: Error | null = null;
  /** The `onread` option for `net.connect` or `tls.connect`; the socket is then given to `attach`. */
  readonly onread: net.OnReadOpts = {
    buffer: () => (this.#target = this.#handler.target()) ?? SCRATCH,
    callback: (count, buffer) => this.#received(count, buffer as Buffer),
  };

  /** Takes over a socket that cannot have {@link onread}: TLS inside a tunnel, where Node ignores it. */
  attachFlowing(socket: net.Socket): this {
    socket.on('data', (bytes: Buffer) => {
      this.bytesReceived += bytes.length;
      this.#handler.onBytes(bytes, true);
      if (this.#endPushed) this.#finishWhenRead();
    });
    return this.attach(socket);
  }

  /** Takes over a socket made with {@link onread}. */
  attach(socket: net.Socket): this {
    const managed = socket as ManagedSocket;
    managed[TRANSPORT] = this;
    this.#socket = managed;
    // oxlint-disable typescript/unbound-method -- they are written for the socket as `this`
    managed.destroy = Transport.#destroySocket;
    managed.push = Transport.#pushSocket;
    managed.on('drain', Transport.#onDrain).on('error', Transport.#onError).on('close', Transport.#onClose);
    // oxlint-enable typescript/unbound-method
    return this;
  }

  get socket(): net.Socket {
    return this.#socket as net.Socket;
  }

  /** The descriptor of the socket; -1 where the platform shows none, and once it is closed. */
  get descriptor(): number {
    // Node shows descriptors of its own handles only here.
    const { _handle: handle } = this.socket as { _handle?: { fd?: number } | null };
    return this.closed ? -1 : (handle?.fd ?? -1);
  }

  /** Who is told what happens; null for nobody. */
  set handler(handler: TransportHandler | null) {
    this.#handler = handler ?? NOBODY;
  }

  /** Whether the peer's end has been seen. */
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

  /** Keeps the process alive. */
  ref(): void {
    this.socket.ref();
  }

  /** Lets the process end. */
  unref(): void {
    this.socket.unref();
  }

  /** Stops reading; the peer is held back by TCP. */
  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.socket.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.socket.resume();
  }

  /** Writes now what is a whole message: one system call, no cork. */
  send(text: string): void {
    if (!this.#canWrite()) return;
    this.bytesSent += text.length;
    this.socket.write(text, 'latin1');
  }

  /**
   * Writes with whatever else is written in this tick and the microtasks behind it.
   *
   * @returns false when the writer should wait for `onDrain`
   */
  write(data: string | Uint8Array, taken?: () => void): boolean {
    if (!this.#canWrite()) {
      taken?.();
      return true;
    }
    const socket = this.socket;
    this.bytesSent += data.length;
    if (!this.#corked) {
      this.#corked = true;
      socket.cork();
      // Behind the microtasks, so that a body piece that a generator has ready goes out with the head, and behind what they put off in
      // turn: an encoder hands on what it staged.
      queueMicrotask(() => process.nextTick(flushLast, this));
    }
    if (typeof data === 'string') socket.write(data, 'latin1');
    else socket.write(data, taken);
    if (socket.writableLength >= HIGH_WATER_BYTES) this.flush();
    // Not write()'s own answer: that is false even after everything was taken at once.
    return socket.writableLength < HIGH_WATER_BYTES;
  }

  /** Calls back once everything written so far has been taken by the socket, or cannot be. */
  onceFlushed(callback: () => void): void {
    this.flush();
    if (this.pendingBytes === 0 || !this.#canWrite()) callback();
    else this.socket.write(NOTHING, callback);
  }

  /** Hands everything written so far to the socket. */
  flush(): void {
    if (!this.#corked) return;
    this.#corked = false;
    this.socket.uncork();
  }

  /**
   * Tells an orderly end from a reset that libuv reported as one (data and RST in one poll): a write of no bytes fails after a reset.
   * Over TLS the two look alike.
   */
  confirmEnd(done: (error: Error | null) => void): void {
    if (this.closed || 'encrypted' in this.socket) {
      done(null);
    } else if (this.writeError !== null) {
      done(cameBehindEnd(this.writeError) ? null : this.writeError);
    } else {
      this.socket.write(NOTHING, (error) => {
        done(error && !cameBehindEnd(error) ? error : null);
      });
    }
  }

  /** Closes at once. The handler hears nothing more. */
  close(): void {
    this.#handler = NOBODY;
    if (this.closed) return;
    this.closed = true;
    this.socket.destroy();
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
    if (this.#ended || this.socket.readableLength > 0) return;
    this.#ended = true;
    this.#handler.onEnd();
  }

  #writeFailed(error: Error): void {
    if (this.writeError !== null) return;
    this.writeError = error;
    this.#handler.onWriteError(error);
  }
}

/** Linux has another error for a reset that followed a FIN, as when a server has answered and closed without reading. */
function cameBehindEnd(error: NodeJS.ErrnoException): boolean {
  return error.code === 'EPIPE' && process.platform === 'linux';
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

function isWriteError(error: (Error & { syscall?: string }) | undefined): error is Error {
  return error?.syscall === 'write' || error?.syscall === 'writev';
}
