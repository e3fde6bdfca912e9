/**
 * Moves a request body into a transport: asks the source for a piece only when the transport has room, hands large pieces over in
 * slices so that progress shows, and tells the source when the rest is not wanted.
 *
 * A piece of an iterator may be memory that is filled again for the next one: up to 16 KiB are copied, and behind a larger piece the next
 * is asked for when the socket has taken it. It does not frame (a `ChunkedEncoder` does), keeps no clock, and judges no response. It ends
 * once, by `onFinish` or `onFailure`, and holds nothing of the body then.
 */
import type { Readable } from 'node:stream';
import { STAGED_PIECE_BYTES } from '../coding/chunked-encoder.js';
import type { ChunkedEncoder } from '../coding/chunked-encoder.js';
import type { Charset } from '../fields/charset.js';
import { ContentLengthMismatch } from '../errors.js';
import { repeatabilityOf } from './body.js';
import type { BodyPlan } from './body.js';
import { PieceCopies } from './piece-copies.js';
import { PieceAsker } from './piece-asker.js';
import { cancelSource, pieceBytes } from './source.js';
import type { Pieces, Source } from './source.js';
import { SlicedWriter } from './sliced-writer.js';
import type { UploadTarget } from './sliced-writer.js';
import { StreamListener } from './stream-listener.js';
import { Turn } from './turn.js';

export type { UploadTarget } from './sliced-writer.js';

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

/** A piece up to this size is copied: that costs less than to wait until the socket has taken it. */
const COPIED_BYTES = 16_384;

export class Upload {
  readonly #options: UploadOptions;
  readonly #charset: Charset | null;
  #body: BodyPlan | null;
  #source: Source | null;
  #listener: StreamListener | null = null;
  #asker: PieceAsker | null = null;
  readonly #writer: SlicedWriter;
  #bodyBytes = 0;
  readonly #turn = new Turn();
  /** A large piece of an iterator that the socket has not taken yet, and its length. */
  #lent: Buffer | null = null;
  #lentBytes = 0;
  /** How many pieces were known to be taken before that was called back. */
  #heard = 0;
  readonly #copies = new PieceCopies();
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
    this.#writer = new SlicedWriter(options.target);
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
    // What a source says that was let go is no end of the body: it must not go out as if it were whole.
    if (repeatabilityOf(body) === 'spent') {
      this.#fail(new Error('the source of the body has been used or let go before'));
      return;
    }
    body.touched = true;
    const { stream, pieces } = this.#source ?? NO_SOURCE;
    if (pieces !== null) this.#askOf(pieces);
    else if (stream !== null) this.#listenTo(stream);
  }

  #askOf(pieces: Pieces): void {
    this.#asker = new PieceAsker(pieces, this.#turn, {
      wantsPiece: () => this.#wantsPiece,
      onPiece: (piece) => this.#takeLent(piece),
      onEnd: () => this.#sourceEnded(),
      onFailure: (error) => this.#fail(error),
    });
    this.#ask();
  }

  #listenTo(stream: Readable): void {
    this.#listener = new StreamListener(stream, this.#turn, {
      onPiece: (piece) => this.#takePiece(piece),
      onTurn: () => {
        if (this.#wantsPiece) this.#listener?.resume();
      },
      onEnd: () => this.#sourceEnded(),
      onFailure: (error) => this.#fail(error),
    });
    this.#listener.start();
  }

  /** The target has room again. */
  resume(): void {
    if (!this.#writer.blocked || this.#over) return;
    this.#writer.blocked = false;
    this.#pump();
  }

  /** Nothing more is wanted: the source is told, nothing more is written. */
  stop(): void {
    if (this.#over) return;
    // A write may have failed for it: the kernel was given memory that is no longer there.
    if (this.#failIfMissing()) return;
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
    return !this.#writer.blocked && !this.#over;
  }

  /** Writes what waits, then asks the source for more. */
  #pump(): void {
    this.#writer.writeWaiting();
    if (this.#writer.blocked || this.#over || this.#failIfMissing()) return;
    if (this.#drained) this.#end(this.#options.onFinish);
    else if (this.#listener === null) this.#ask();
    else if (!this.#exhausted) this.#listener.resume();
  }

  /** A piece of an iterator. Nothing is taken from one that answers behind the end. */
  #takeLent(value: unknown): void {
    if (this.#over) return;
    const bytes = pieceBytes(value, this.#charset);
    const giveBack = this.#source?.giveBack ?? null;
    if (giveBack !== null) {
      this.#accept(bytes, () => {
        giveBack(bytes);
      });
    } else if (typeof value === 'string') {
      this.#accept(bytes);
    } else if (bytes.length > COPIED_BYTES) {
      this.#lent = bytes;
      this.#lentBytes = bytes.length;
      this.#accept(bytes, this.#onTaken);
      this.#hearEarly();
    } else {
      this.#accept(bytes, undefined, true);
    }
  }

  /** Where the socket has taken a piece at once, what is called back for it later says nothing new. */
  #hearEarly(): void {
    if (this.#lent === null || this.#takers.size > 0 || this.#options.target.idle !== true) return;
    this.#lent = null;
    this.#heard++;
  }

  readonly #onTaken = (): void => {
    if (this.#heard > 0) {
      this.#heard--;
      return;
    }
    const bytes = this.#lent;
    this.#lent = null;
    if (this.#over || bytes === null) return;
    if (bytes.length !== this.#lentBytes) this.#fail(this.#mismatch(this.#lentBytes - bytes.length));
    // Behind what has called back: when a write has failed, that is heard of next, and no piece is wanted any more.
    else queueMicrotask(this.#askNext);
  };

  readonly #askNext = (): void => {
    this.#ask();
  };

  get #wantsPiece(): boolean {
    return !this.#writer.blocked && this.#lent === null && !this.#over && !this.#exhausted;
  }

  #ask(): void {
    this.#asker?.ask();
  }

  /**
   * A piece of the body: counted, then framed or written.
   *
   * @param reused - whether its memory may be filled again as soon as this returns
   */
  #accept(bytes: Buffer, taken?: () => void, reused = false): void {
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
    if (encoder !== null && length <= STAGED_PIECE_BYTES) {
      // The encoder copies a small piece anyway, and at once unless earlier ones wait in it.
      if (!encoder.stage(bytes))
        encoder.write(reused || taken !== undefined ? this.#copies.copy(bytes) : bytes);
      taken?.();
      return;
    }
    const kept = reused ? this.#copies.copy(bytes) : bytes;
    if (encoder === null) {
      this.#write(kept, taken);
    } else {
      if (taken !== undefined) this.#takers.set(kept, taken);
      encoder.write(kept);
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
    this.#writer.write(bytes, taken);
  }

  #failIfMissing(): boolean {
    const { missingBytes } = this.#writer;
    if (missingBytes > 0) this.#fail(this.#mismatch(missingBytes));
    return missingBytes > 0;
  }

  /** Memory was taken away from a piece while it waited: its length is no longer what was counted, and framed. */
  #mismatch(missing: number): ContentLengthMismatch {
    return new ContentLengthMismatch(
      this.#options.declared ?? this.#bodyBytes,
      Math.max(0, this.#bodyBytes - missing),
      false,
    );
  }

  #fail(error: unknown): void {
    if (this.#over) return;
    this.#end(() => this.#options.onFailure(error as Error));
  }

  #end(report: () => void): void {
    this.#over = true;
    this.#writer.clear();
    this.#takers.clear();
    this.#copies.clear();
    this.#lent = null;
    this.#options.encoder?.destroy();
    const asker = this.#asker;
    // While the iterator's own code runs, it cannot be told.
    if (asker?.running === true) asker.onceLeft = () => this.#letGo();
    else this.#letGo();
    report();
  }

  /** The source hears that no more is wanted, unless it has ended; nothing of the body is kept. */
  #letGo(): void {
    const source = this.#source;
    this.#source = null;
    this.#body = null;
    this.#listener?.stop();
    this.#listener = null;
    this.#asker = null;
    if (source !== null && !this.#exhausted) cancelSource(source);
  }
}

const NO_SOURCE = { stream: null, pieces: null };
