/**
 * A byte stream that somebody else made, read and written with the promises of a dialled socket.
 *
 * What is called here is not ours: it may throw, ignore a pause, end by 'error' alone or by 'close' alone, or never call back. Nothing
 * of that gets out as a throw. It is read by 'data', as 'readable' would need reads of our own; a failed write is kept from Node, which
 * would close the reading side with it.
 */
import type { Duplex } from 'node:stream';

/** What happens on the stream. None may throw. */
export interface GivenStreamHandler {
  onBytes(bytes: Buffer): void;
  /** 'end': not called behind an error or a close. */
  onEnd(): void;
  /** Nothing more can be written; it is read on. */
  onWriteError(error: Error): void;
  /** The last call, by 'error' or 'close', whichever comes first. */
  onClose(error: Error | null): void;
}

type Done = (error?: Error | null) => void;
type Write = (this: Duplex, chunk: unknown, encoding: BufferEncoding, done: Done) => void;
type WriteMany = (this: Duplex, chunks: unknown[], done: Done) => void;

/** After a failed write nothing says that no answer comes any more, as a socket's reset does: so long is it waited for. */
const LAST_WORDS_MS = 1000;

/** Those in use: a stream can be the line of one connection only. */
const IN_USE = new WeakSet<Duplex>();

const METHODS = ['on', 'read', 'pause', 'resume', 'write', 'end', 'cork', 'uncork', 'destroy'] as const;

export class GivenStream {
  readonly stream: Duplex;
  readonly #handler: GivenStreamHandler;
  #paused = true;
  /** What came in spite of a pause, and an end behind it. */
  #held: Buffer[] = [];
  #endHeld = false;
  #over = false;
  #writeFailed = false;
  #lastWords: NodeJS.Timeout | undefined;

  /** @throws TypeError unless it is an open Duplex of bytes that is not in use */
  constructor(stream: unknown, handler: GivenStreamHandler) {
    this.stream = checkOpen(stream);
    this.#handler = handler;
    IN_USE.add(this.stream);
    // Else Node ends the writing side with the reading side, under an upload whose answer has come early.
    this.stream.allowHalfOpen = true;
    this.#keepWriteErrors();
    this.stream
      .on('error', (error) => this.#close(error))
      .on('close', () => this.#close(null))
      .on('end', () => this.#onEnd())
      .on('data', (bytes: unknown) => this.#onData(bytes));
    this.stream.pause();
    noDelay(this.stream);
  }

  pause(): void {
    this.#paused = true;
    this.#call('pause');
  }

  resume(): void {
    this.#paused = false;
    while (this.#reads() && this.#held.length > 0) this.#handler.onBytes(this.#held.shift() as Buffer);
    if (!this.#reads()) return;
    if (this.#endHeld) this.#handler.onEnd();
    else this.#call('resume');
  }

  /** @param taken - called in the order of the writes; not at all if the stream never does */
  write(data: string | Uint8Array, taken: () => void): void {
    try {
      this.stream.write(typeof data === 'string' ? Buffer.from(data, 'latin1') : data, taken);
    } catch (error) {
      this.#onWriteError(error as Error);
    }
  }

  setRef(call: 'ref' | 'unref'): void {
    this.#call(call);
  }

  destroy(): void {
    this.#over = true;
    this.#held = [];
    clearTimeout(this.#lastWords);
    IN_USE.delete(this.stream);
    this.#call('destroy');
  }

  /** Asked anew after each call out, which may pause or close. */
  #reads(): boolean {
    return !this.#paused && !this.#over;
  }

  #onData(bytes: unknown): void {
    if (this.#over) return;
    this.#lastWords?.refresh();
    if (!(bytes instanceof Uint8Array)) {
      this.#close(new TypeError(`the stream of the connection gave a ${typeof bytes}, not bytes`));
      return;
    }
    const { buffer, byteOffset, length } = bytes;
    const piece = Buffer.isBuffer(bytes) ? bytes : Buffer.from(buffer, byteOffset, length);
    if (this.#paused) this.#held.push(piece);
    else this.#handler.onBytes(piece);
  }

  #onEnd(): void {
    if (this.#over || this.#endHeld) return;
    this.#endHeld = true;
    if (this.#held.length === 0) this.#handler.onEnd();
  }

  #close(error: Error | null): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#lastWords);
    const held = this.#held;
    this.#held = [];
    for (const bytes of held) this.#handler.onBytes(bytes);
    if (this.#endHeld && held.length > 0 && error === null) this.#handler.onEnd();
    this.#deliverBuffered();
    this.#handler.onClose(error);
    // 'error' alone does not close every stream.
    this.#call('destroy');
    IN_USE.delete(this.stream);
  }

  /** What the stream had for a reader who was paused came before its end. */
  #deliverBuffered(): void {
    try {
      for (;;) {
        const bytes: unknown = this.stream.read();
        if (!(bytes instanceof Uint8Array)) return;
        this.#handler.onBytes(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
      }
    } catch {
      // It has ended; that it cannot be read any more says nothing new.
    }
  }

  /** Puts itself between the stream and its own writing. A stream that has no `_write` of Node's kind is left as it is. */
  #keepWriteErrors(): void {
    const stream = this.stream as unknown as { _write?: Write; _writev?: WriteMany | null };
    const { _write: write, _writev: writeMany } = stream;
    if (typeof write === 'function') {
      stream._write = (chunk, encoding, done): void => {
        this.#attempt((once) => write.call(this.stream, chunk, encoding, once), done);
      };
    }
    if (typeof writeMany === 'function') {
      stream._writev = (chunks, done): void => {
        this.#attempt((once) => writeMany.call(this.stream, chunks, once), done);
      };
    }
  }

  #attempt(write: (done: Done) => void, done: Done): void {
    if (this.#writeFailed) {
      done();
      return;
    }
    let answered = false;
    const once: Done = (error) => {
      if (answered) return;
      answered = true;
      const failed = error !== undefined && error !== null;
      if (failed && !this.#over) this.#onWriteError(error);
      // What TLS itself refuses to write has ended both ways.
      done(failed && (this.#over || (error as NodeJS.ErrnoException).code === 'EPROTO') ? error : null);
    };
    try {
      write(once);
    } catch (error) {
      once(error as Error);
    }
  }

  #onWriteError(error: Error): void {
    if (this.#writeFailed || this.#over) return;
    this.#writeFailed = true;
    this.#lastWords = setTimeout(() => this.#onSilence(error), LAST_WORDS_MS);
    this.#handler.onWriteError(error);
  }

  #onSilence(error: Error): void {
    if (this.#paused) this.#lastWords?.refresh();
    else this.#close(error);
  }

  #call(name: 'pause' | 'resume' | 'destroy' | 'ref' | 'unref'): void {
    const stream = this.stream as unknown as Record<string, unknown>;
    try {
      const method = stream[name];
      if (typeof method === 'function') Reflect.apply(method, stream, []);
    } catch (error) {
      this.#close(error as Error);
    }
  }
}

/** Whether a stream is on its way to being open: a socket that connects, TLS that shakes hands. */
export function isOpening(stream: Duplex): boolean {
  const { connecting, secureConnecting } = stream as { connecting?: unknown; secureConnecting?: unknown };
  return connecting === true || secureConnecting === true;
}

function checkOpen(value: unknown): Duplex {
  const stream = value as Partial<Record<string, unknown>> | null | undefined;
  if (
    typeof stream !== 'object' ||
    stream === null ||
    METHODS.some((name) => typeof stream[name] !== 'function')
  ) {
    throw new TypeError('createConnection must give a stream.Duplex');
  }
  const duplex = stream as unknown as Duplex;
  if (duplex.readableObjectMode || duplex.writableObjectMode || duplex.readableEncoding) {
    throw new TypeError('createConnection must give a Duplex of bytes, without object mode or an encoding');
  }
  const open = isOpening(duplex) || (duplex.readable && duplex.writable && !duplex.readableEnded);
  if (duplex.destroyed || !open)
    throw new TypeError('createConnection gave a Duplex that is not open both ways');
  if (IN_USE.has(duplex)) throw new TypeError('createConnection gave a Duplex that is in use already');
  return duplex;
}

/** As for a dialled socket: Nagle would hold back each piece of a body for the peer's delayed ACK. */
function noDelay(stream: Duplex): void {
  const { setNoDelay } = stream as { setNoDelay?: unknown };
  try {
    if (typeof setNoDelay === 'function') Reflect.apply(setNoDelay, stream, [true]);
  } catch {
    // It only makes things faster.
  }
}
