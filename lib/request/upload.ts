/**
 * Moves a request body into a transport: asks the source for a piece only when the transport has room, hands large pieces over in
 * slices so that progress shows, and tells the source when the rest is not wanted.
 *
 * It does not frame (a `ChunkedEncoder` does), keeps no clock, and judges no response. It ends once: `onFinish` or `onFailure`.
 */
import type { ChunkedEncoder } from '../coding/chunked-encoder.js';
import { ContentLengthMismatch } from '../errors.js';
import { cancelSource, pieceBytes } from './body.js';
import type { BodyPlan, Source } from './body.js';

/** Where the bytes go: a transport. */
export interface UploadTarget {
  /**
   * Returns false when the writer should wait for `resume`.
   *
   * @param taken - called when the bytes were taken by the socket, or never will be
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
  /** The source failed, or did not keep to `declared`. */
  onFailure: (error: Error) => void;
}

/** One write takes at most so much, so that a peer that takes little at a time is seen to take some. */
const SLICE_BYTES = 65_536;

/** After so much without a pause the loop is let go round once: a source that is always ready would keep the reply waiting. */
const TURN_BYTES = 1_048_576;

export class Upload {
  readonly #body: BodyPlan;
  readonly #options: UploadOptions;
  /** What the source gave and the target has not taken; a piece that is being sliced stays at the front. */
  #waiting: Buffer[] = [];
  #offset = 0;
  #bodyBytes = 0;
  #turnBytes = 0;
  #blocked = false;
  #asked = false;
  /** The iterator's own code runs. A generator cannot be told anything until it is left. */
  #inSource = false;
  #exhausted = false;
  /** Everything the source gave has been framed; what is not written waits here. */
  #drained = false;
  #over = false;

  constructor(body: BodyPlan, options: UploadOptions) {
    this.#body = body;
    this.#options = options;
  }

  start(): void {
    const { encoder, onFailure } = this.#options;
    if (encoder !== null) {
      encoder.on('data', (bytes: Buffer) => {
        this.#write(bytes);
      });
      encoder.on('end', () => {
        this.#drained = true;
        this.#pump();
      });
      encoder.on('error', (error) => {
        if (!this.#over) this.#end(() => onFailure(error));
      });
    }
    const { bytes, source } = this.#body;
    if (bytes !== null) {
      try {
        this.#accept(bytes);
      } catch (error) {
        this.#fail(error);
        return;
      }
      this.#sourceEnded();
    } else if (source !== null && source.stream !== null) {
      this.#body.touched = true;
      this.#listen(source.stream);
    } else {
      this.#pump();
    }
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
    this.#end(() => undefined);
  }

  #listen(stream: NonNullable<Source['stream']>): void {
    stream.on('data', (piece: unknown) => {
      if (this.#over) return;
      try {
        this.#accept(pieceBytes(piece, this.#body.charset));
      } catch (error) {
        this.#fail(error);
        return;
      }
      if (this.#blocked) stream.pause();
    });
    stream.on('end', () => {
      this.#sourceEnded();
    });
  }

  /** Writes what waits, then asks the source for more. */
  #pump(): void {
    this.#writeWaiting();
    if (this.#blocked || this.#over) return;
    if (this.#drained) this.#end(this.#options.onFinish);
    else if (this.#body.source !== null && this.#body.source.stream !== null)
      this.#body.source.stream.resume();
    else this.#ask();
  }

  /** Asks an iterator until it has to be waited for, or the target is full. */
  #ask(): void {
    const pieces = this.#body.source?.pieces;
    if (pieces === null || pieces === undefined) return;
    while (!this.#asked && !this.#blocked && !this.#over && !this.#exhausted) {
      this.#asked = true;
      if (this.#turnBytes >= TURN_BYTES) {
        this.#turnBytes = 0;
        setImmediate(() => {
          this.#asked = false;
          this.#ask();
        });
        return;
      }
      let result: unknown;
      try {
        result = this.#next(pieces);
      } catch (error) {
        this.#fail(error);
        return;
      }
      if (isThenable(result)) {
        // Not raced against a stop: a promise that lives as long as the upload would keep every piece.
        result.then(this.#onResult, this.#onError);
        return;
      }
      this.#take(result as IteratorResult<unknown>);
    }
  }

  #next(pieces: NonNullable<Source['pieces']>): unknown {
    this.#inSource = true;
    this.#body.touched = true;
    try {
      return pieces.next();
    } finally {
      this.#inSource = false;
      if (this.#over) this.#cancel();
    }
  }

  readonly #onResult = (result: unknown): void => {
    this.#take(result as IteratorResult<unknown>);
    this.#ask();
  };

  readonly #onError = (error: unknown): void => {
    this.#asked = false;
    this.#fail(error);
  };

  #take(result: IteratorResult<unknown>): void {
    this.#asked = false;
    if (this.#over) return;
    if (result.done === true) {
      this.#sourceEnded();
      return;
    }
    try {
      this.#accept(pieceBytes(result.value, this.#body.charset));
    } catch (error) {
      this.#fail(error);
    }
  }

  /** A piece of the body: counted, then framed or written. */
  #accept(bytes: Buffer): void {
    if (bytes.length === 0) return;
    const { declared, encoder } = this.#options;
    const total = this.#bodyBytes + bytes.length;
    if (declared !== null && total > declared) {
      // Not a byte beyond what was declared: it would be read as the next request.
      throw new ContentLengthMismatch(declared, this.#bodyBytes, true);
    }
    this.#options.count?.(bytes.length);
    this.#bodyBytes = total;
    this.#turnBytes += bytes.length;
    if (encoder === null) this.#write(bytes);
    else encoder.write(bytes);
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

  #write(bytes: Buffer): void {
    if (this.#over) return;
    if (this.#blocked || this.#waiting.length > 0 || bytes.length > SLICE_BYTES) {
      this.#waiting.push(bytes);
      if (this.#waiting.length === 1) this.#writeWaiting();
    } else if (!this.#options.target.write(bytes)) {
      this.#blocked = true;
    }
  }

  /** Writes what fits of the pieces that wait. */
  #writeWaiting(): void {
    while (!this.#blocked && !this.#over && this.#waiting.length > 0) {
      const piece = this.#waiting[0] as Buffer;
      const to = Math.min(piece.length, this.#offset + SLICE_BYTES);
      const slice = piece.subarray(this.#offset, to);
      this.#offset = to;
      if (to === piece.length) {
        this.#waiting.shift();
        this.#offset = 0;
      }
      if (!this.#options.target.write(slice)) this.#blocked = true;
    }
  }

  #fail(error: unknown): void {
    if (this.#over) return;
    this.#end(() => this.#options.onFailure(error as Error));
  }

  #end(report: () => void): void {
    this.#over = true;
    this.#waiting = [];
    this.#options.encoder?.destroy();
    if (!this.#inSource) this.#cancel();
    report();
  }

  #cancel(): void {
    const { source } = this.#body;
    if (source !== null && !this.#exhausted) cancelSource(source);
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null)?.then === 'function';
}
