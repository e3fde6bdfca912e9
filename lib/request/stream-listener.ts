/**
 * Listens to a Node stream that is a body: makes it flow whatever state its owner left it in, holds it back, and hears how it ends.
 *
 * The stream is the caller's: it may have been paused, read by other means, ended or destroyed meanwhile, or be of the old style, which
 * has little of what a Readable has. It is destroyed by whoever cancels the source, not here.
 */
import type { Readable } from 'node:stream';
import { prematureClose, streamEnded, streamFailure } from './source.js';
import type { Turn } from './turn.js';

/** What a stream brings. */
export interface StreamUser {
  /** Returns false when the stream should pause. */
  onPiece(piece: unknown): boolean;
  /** It was held back for others to have their turn; calls `resume` if there is room. */
  onTurn(): void;
  onEnd(): void;
  /** Its own error, or that it was closed before its end. */
  onFailure(error: unknown): void;
}

export class StreamListener {
  readonly #stream: Readable;
  readonly #turn: Turn;
  readonly #user: StreamUser;
  #held = false;
  #pulls = false;
  #over = false;

  constructor(stream: Readable, turn: Turn, user: StreamUser) {
    this.#stream = stream;
    this.#turn = turn;
    this.#user = user;
  }

  start(): void {
    const stream = this.#stream;
    // It may have come to its end, or to grief, while the connection was opened: then no event would come.
    if (streamEnded(stream)) {
      this.#user.onEnd();
      return;
    }
    const failure = streamFailure(stream);
    if (failure !== null) {
      this.#user.onFailure(failure);
      return;
    }
    stream.on('data', this.#onData);
    stream.on('end', this.#onEnd);
    stream.on('error', this.#onError);
    stream.on('close', this.#onClose);
    this.#flow();
  }

  /** More is wanted. */
  resume(): void {
    if (this.#over) return;
    this.#held = false;
    this.#flow();
  }

  /** Nothing more is wanted. An error that comes later is nobody's, and no reason to end the process. */
  stop(): void {
    if (this.#over) return;
    this.#over = true;
    const stream = this.#stream;
    if (typeof stream.removeListener !== 'function') return;
    stream.removeListener('data', this.#onData);
    stream.removeListener('end', this.#onEnd);
    stream.removeListener('close', this.#onClose);
    if (this.#pulls) stream.removeListener('readable', this.#onReadable);
    stream.on('error', ignore);
    stream.removeListener('error', this.#onError);
  }

  /** A stream that was paused, or one of the old style, does not flow by a listener alone. */
  #flow(): void {
    const stream = this.#stream;
    try {
      if (typeof stream.resume === 'function') stream.resume();
      // Somebody listens to 'readable': then it gives what it is asked for, and only that.
      if (stream.readableFlowing !== false || this.#over) return;
      if (!this.#pulls) {
        this.#pulls = true;
        stream.on('readable', this.#onReadable);
      }
      this.#onReadable();
    } catch (error) {
      this.#user.onFailure(error);
    }
  }

  #hold(): void {
    if (this.#held || this.#over) return;
    this.#held = true;
    try {
      if (typeof this.#stream.pause === 'function') this.#stream.pause();
    } catch (error) {
      this.#user.onFailure(error);
    }
  }

  readonly #onReadable = (): void => {
    // Each piece comes by 'data' as well.
    while (!this.#held && !this.#over && this.#stream.read() !== null);
  };

  readonly #onData = (piece: unknown): void => {
    if (this.#over) return;
    if (!this.#user.onPiece(piece)) {
      this.#hold();
    } else if (!this.#held && this.#turn.over()) {
      this.#hold();
      this.#turn.next(() => {
        this.#user.onTurn();
      });
    }
  };

  readonly #onEnd = (): void => {
    if (!this.#over) this.#user.onEnd();
  };

  readonly #onError = (error: unknown): void => {
    if (!this.#over) this.#user.onFailure(error);
  };

  readonly #onClose = (): void => {
    if (this.#over || streamEnded(this.#stream)) return;
    this.#user.onFailure(streamFailure(this.#stream) ?? prematureClose());
  };
}

function ignore(): void {}
