/**
 * Moves a request body into a transport: asks the source for a piece only when the transport has room, hands large pieces over in
 * slices so that progress shows, and tells the source when the rest is not wanted.
 *
 * A piece of an iterator may be memory that is filled again for the next one: a small piece is copied, and behind a large one the next is
 * asked for when the socket has taken it. It does not frame (a `ChunkedEncoder` does), keeps no clock, and judges no response. It ends
 * once, by `onFinish` or `onFailure`, and holds nothing of the body then.
 */
import { STAGED_PIECE_BYTES } from '../coding/chunked-encoder.js';
import type { ChunkedEncoder } from '../coding/chunked-encoder.js';
import type { Charset } from '../fields/charset.js';
import { ContentLengthMismatch } from '../errors.js';
import type { BodyPlan } from './body.js';
import { cancelSource, describeKind, pieceBytes } from './source.js';
import type { Pieces, Source } from './source.js';
import { StreamListener } from './stream-listener.js';
import { Turn } from './turn.js';

/** Where the bytes go: a transport. */
export interface UploadTarget {
  /**
   * Returns false when the writer should wait for `resume`.
   *
   * @param taken - called once, when the socket has taken the bytes or never will
   */
  write(bytes: Uint8Array, taken?: () => void): boolean;
}

export interface UploadOptions {
  target: UploadTarget;
  /** Frames the pieces; null sends them as they are. */
  encoder: ChunkedEncoder | null;
  /** What the caller's Content-Length says; null when nothing was declared. */
  declared: number | null;
  /** Told how many bytes each piece has before it is written; may throw to refuse it. */
  count?: (bytes: number) => void;
  /** The whole body was handed to the target. */
  onFinish: () => void;
  /**
   * The source failed, or did not keep to `declared`. May come behind `onFinish`, when the body was taken away from under the bytes that
   * wait in the socket.
   */
  onFailure: (error: Error) => void;
}

/** One write takes at most so much, so that a peer that takes little at a time is seen to take some. */
const SLICE_BYTES = 65_536;

/** A piece that the target has not taken, with the length it had when it came. */
interface WaitingPiece {
  bytes: Buffer;
  length: number;
  taken: (() => void) | undefined;
}

export class Upload {
  readonly #options: UploadOptions;
  readonly #charset: Charset | null;
  #body: BodyPlan | null;
  #source: Source | null;
  #listener: StreamListener | null = null;
  /** What the source gave and the target has not taken; a piece that is being sliced stays at the front. */
  #waiting: WaitingPiece[] = [];
  #offset = 0;
  #bodyBytes = 0;
  readonly #turn = new Turn();
  #blocked = false;
  #asked = false;
  /** The iterator's own code runs. A generator cannot be told anything until it is left. */
  #inSource = false;
  /** A large piece of an iterator that the socket has not taken yet, and its length. */
  #lent: Buffer | null = null;
  #lentBytes = 0;
  /** Who is told when the encoder's piece has been taken. */
  readonly #takers = new Map<Buffer, () => void>();
  #exhausted = false;
  /** Everything the source gave has been framed; what is not written waits here. */
  #drained = false;
  #over = false;

  constructor(body: BodyPlan, options: UploadOptions) {
    this.#body = body;
    this.#source = body.source;
    this.#charset = body.charset;
    this.#options = options;
  }

  start(): void {
    const body = this.#body;
    if (body === null || this.#over) return;
    const { encoder } = this.#options;
    if (encoder !== null) this.#connect(encoder);
    this.#turn.begin();
    if (body.bytes !== null) {
      this.#sendWhole(body.bytes, body.length ?? body.bytes.length);
      return;
    }
    body.touched = true;
    const stream = this.#source?.stream ?? null;
    if (stream === null) {
      this.#pump();
      return;
    }
    this.#listener = new StreamListener(stream, this.#turn, {
      onPiece: (piece) => this.#takePiece(piece),
      onTurn: () => {
        if (!this.#blocked && !this.#over && !this.#exhausted) this.#listener?.resume();
      },
      onEnd: () => this.#sourceEnded(),
      onFailure: (error) => this.#fail(error),
    });
    this.#listener.start();
  }

  /** The target has room again. */
  resume(): void {
    if (!this.#blocked || this.#over) return;
    this.#blocked = false;
    this.#pump();
  }

  /** Nothing more is wanted: the source is told, nothing more is written. */
  stop(): void {
    if (this.#over) return;
    const [piece] = this.#waiting;
    // A write may have failed for it: the kernel was given memory that is no longer there.
    if (piece !== undefined && piece.bytes.length !== piece.length) {
      this.#fail(this.#mismatch(this.#offset - piece.length));
      return;
    }
    this.#end(() => undefined);
  }

  #connect(encoder: ChunkedEncoder): void {
    encoder.on('data', (bytes: Buffer) => {
      const taken = this.#takers.get(bytes);
      if (taken !== undefined) this.#takers.delete(bytes);
      this.#write(bytes, taken);
    });
    encoder.on('end', () => {
      this.#drained = true;
      this.#pump();
    });
    encoder.on('error', (error) => {
      this.#fail(error);
    });
  }

  /** A body that is at hand; its memory may be taken away while it waits (`structuredClone` with a transfer). */
  #sendWhole(bytes: Buffer, planned: number): void {
    if (bytes.length !== planned) {
      this.#fail(new ContentLengthMismatch(planned, 0, bytes.length > planned, bytes.length));
      return;
    }
    const { onFailure } = this.#options;
    try {
      this.#accept(bytes, () => {
        if (bytes.length !== planned) onFailure(new ContentLengthMismatch(planned, bytes.length, false));
      });
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#sourceEnded();
  }

  /** A piece of a stream. Returns false when the stream should pause. */
  #takePiece(piece: unknown): boolean {
    if (this.#over) return false;
    try {
      this.#accept(pieceBytes(piece, this.#charset));
    } catch (error) {
      this.#fail(error);
    }
    return !this.#blocked && !this.#over;
  }

  /** Writes what waits, then asks the source for more. */
  #pump(): void {
    this.#writeWaiting();
    if (this.#blocked || this.#over) return;
    if (this.#drained) this.#end(this.#options.onFinish);
    else if (this.#listener === null) this.#ask();
    else if (!this.#exhausted) this.#listener.resume();
  }

  /** Asks an iterator until it has to be waited for, or the target is full, or others are due. */
  #ask(): void {
    const pieces = this.#source?.pieces ?? null;
    if (pieces === null) return;
    while (!this.#asked && !this.#blocked && this.#lent === null && !this.#over && !this.#exhausted) {
      this.#asked = true;
      if (this.#turn.over()) {
        this.#turn.next(this.#onTurn);
        return;
      }
      try {
        const result = this.#next(pieces);
        if (isThenable(result)) {
          // Not raced against a stop: a promise that lives as long as the upload would keep every piece.
          Promise.resolve(result).then(this.#onResult, this.#onError);
          return;
        }
        this.#take(result);
      } catch (error) {
        this.#fail(error);
      }
    }
  }

  readonly #onTurn = (): void => {
    this.#asked = false;
    this.#ask();
  };

  #next(pieces: Pieces): unknown {
    this.#inSource = true;
    try {
      return pieces.next();
    } finally {
      this.#inSource = false;
      if (this.#over) this.#letGo();
    }
  }

  readonly #onResult = (result: unknown): void => {
    try {
      this.#take(result);
    } catch (error) {
      this.#fail(error);
    }
    this.#ask();
  };

  readonly #onError = (error: unknown): void => {
    this.#asked = false;
    this.#fail(error);
  };

  /** @throws for what is no result, no piece, or a piece too many */
  #take(result: unknown): void {
    this.#asked = false;
    if (this.#over) return;
    if (typeof result !== 'object' || result === null) {
      throw new TypeError(
        `next() of a body must give an object with done and value, it gave ${describeKind(result)}`,
      );
    }
    const { done, value } = result as { done?: unknown; value?: unknown };
    // As the language takes it: whatever is true.
    if (Boolean(done)) this.#sourceEnded();
    else this.#takeValue(value);
  }

  #takeValue(value: unknown): void {
    const bytes = pieceBytes(value, this.#charset);
    const giveBack = this.#source?.giveBack ?? null;
    if (giveBack !== null) {
      this.#accept(bytes, () => {
        giveBack(bytes);
      });
    } else if (typeof value === 'string') {
      this.#accept(bytes);
    } else if (bytes.length > STAGED_PIECE_BYTES) {
      this.#lent = bytes;
      this.#lentBytes = bytes.length;
      this.#accept(bytes, this.#onTaken);
    } else {
      this.#accept(this.#stages ? bytes : Buffer.from(bytes));
    }
  }

  /** Whether the encoder copies a small piece at once, as it does unless earlier ones wait in it. */
  get #stages(): boolean {
    const { encoder } = this.#options;
    return encoder !== null && encoder.writableLength === 0;
  }

  readonly #onTaken = (): void => {
    const bytes = this.#lent;
    this.#lent = null;
    if (this.#over || bytes === null) return;
    if (bytes.length !== this.#lentBytes) this.#fail(this.#mismatch(bytes.length - this.#lentBytes));
    // Behind what has called back: when a write has failed, that is heard of next, and no piece is wanted any more.
    else queueMicrotask(this.#askNext);
  };

  readonly #askNext = (): void => {
    this.#ask();
  };

  /** A piece of the body: counted, then framed or written. */
  #accept(bytes: Buffer, taken?: () => void): void {
    const { length } = bytes;
    if (length === 0) {
      taken?.();
      return;
    }
    const { declared, encoder } = this.#options;
    const total = this.#bodyBytes + length;
    if (declared !== null && total > declared) {
      // Not a byte beyond what was declared: it would be read as the next request.
      throw new ContentLengthMismatch(declared, this.#bodyBytes, true);
    }
    this.#options.count?.(length);
    this.#bodyBytes = total;
    this.#turn.bytes += length;
    if (encoder === null) {
      this.#write(bytes, taken);
    } else if (taken === undefined) {
      encoder.write(bytes);
    } else if (length <= STAGED_PIECE_BYTES) {
      encoder.write(this.#stages ? bytes : Buffer.from(bytes));
      taken();
    } else {
      this.#takers.set(bytes, taken);
      encoder.write(bytes);
    }
  }

  #sourceEnded(): void {
    if (this.#over) return;
    this.#exhausted = true;
    const { declared, encoder } = this.#options;
    if (declared !== null && this.#bodyBytes < declared) {
      this.#fail(new ContentLengthMismatch(declared, this.#bodyBytes, false));
    } else if (encoder === null) {
      this.#drained = true;
      this.#pump();
    } else {
      encoder.end();
    }
  }

  #write(bytes: Buffer, taken?: () => void): void {
    if (this.#over) return;
    if (this.#blocked || this.#waiting.length > 0 || bytes.length > SLICE_BYTES) {
      this.#waiting.push({ bytes, length: bytes.length, taken });
      if (this.#waiting.length === 1) this.#writeWaiting();
    } else if (!this.#options.target.write(bytes, taken)) {
      this.#blocked = true;
    }
  }

  /** Writes what fits of the pieces that wait. */
  #writeWaiting(): void {
    while (!this.#blocked && !this.#over && this.#waiting.length > 0) {
      const { bytes, length, taken } = this.#waiting[0] as WaitingPiece;
      if (bytes.length !== length) {
        this.#fail(this.#mismatch(this.#offset - length));
        return;
      }
      const to = Math.min(length, this.#offset + SLICE_BYTES);
      const slice = this.#offset === 0 && to === length ? bytes : bytes.subarray(this.#offset, to);
      this.#offset = to;
      const last = to === length;
      if (last) {
        this.#waiting.shift();
        this.#offset = 0;
      }
      if (!this.#options.target.write(slice, last ? taken : undefined)) this.#blocked = true;
    }
  }

  /** Memory was taken away from a piece while it waited: its length is no longer what was counted, and framed. */
  #mismatch(missing: number): ContentLengthMismatch {
    return new ContentLengthMismatch(
      this.#options.declared ?? this.#bodyBytes,
      Math.max(0, this.#bodyBytes + missing),
      false,
    );
  }

  #fail(error: unknown): void {
    if (this.#over) return;
    this.#end(() => this.#options.onFailure(error as Error));
  }

  #end(report: () => void): void {
    this.#over = true;
    this.#waiting = [];
    this.#takers.clear();
    this.#lent = null;
    this.#options.encoder?.destroy();
    if (!this.#inSource) this.#letGo();
    report();
  }

  /** The source hears that no more is wanted, unless it has ended; nothing of the body is kept. */
  #letGo(): void {
    const source = this.#source;
    this.#source = null;
    this.#body = null;
    this.#listener?.stop();
    this.#listener = null;
    if (source !== null && !this.#exhausted) cancelSource(source);
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
}
