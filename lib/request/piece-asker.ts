/**
 * Asks an iterator for its pieces, one after the other, as long as more are wanted.
 *
 * The iterator is the caller's: it may throw, answer nonsense, never answer, or call back while it runs. What its answers are worth is
 * judged here; what a piece is, by whoever takes it.
 */
import { describeKind } from './source.js';
import type { Pieces } from './source.js';
import type { Turn } from './turn.js';

/** What an iterator brings. */
export interface PieceUser {
  /** Whether another piece may be asked for now. */
  wantsPiece(): boolean;
  /** A piece, of whatever kind; may throw to refuse it. */
  onPiece(piece: unknown): void;
  onEnd(): void;
  /** Its own error, or that an answer or a piece is none. */
  onFailure(error: unknown): void;
}

export class PieceAsker {
  /** The iterator's own code runs. A generator cannot be told anything until it is left. */
  running = false;
  /** Called when that code is left. */
  onceLeft: (() => void) | null = null;
  readonly #pieces: Pieces;
  readonly #turn: Turn;
  readonly #user: PieceUser;
  #asked = false;

  constructor(pieces: Pieces, turn: Turn, user: PieceUser) {
    this.#pieces = pieces;
    this.#turn = turn;
    this.#user = user;
  }

  /** Asks until an answer has to be waited for, no more is wanted, or others are due. */
  ask(): void {
    while (!this.#asked && this.#user.wantsPiece()) {
      this.#asked = true;
      if (this.#turn.over()) {
        this.#turn.next(this.#onTurn);
        return;
      }
      try {
        this.running = true;
        let result: unknown;
        try {
          result = this.#pieces.next();
        } finally {
          this.running = false;
          this.onceLeft?.();
        }
        if (isThenable(result)) {
          // Not raced against a stop: a promise that lives as long as the upload would keep every piece.
          Promise.resolve(result).then(this.#onResult, this.#onError);
          return;
        }
        this.#take(result);
      } catch (error) {
        this.#user.onFailure(error);
      }
    }
  }

  readonly #onTurn = (): void => {
    this.#asked = false;
    this.ask();
  };

  readonly #onResult = (result: unknown): void => {
    try {
      this.#take(result);
    } catch (error) {
      this.#user.onFailure(error);
    }
    this.ask();
  };

  readonly #onError = (error: unknown): void => {
    this.#asked = false;
    this.#user.onFailure(error);
  };

  /** @throws for what is no result, no piece, or a piece too many */
  #take(result: unknown): void {
    this.#asked = false;
    if (typeof result !== 'object' || result === null) {
      throw new TypeError(
        `next() of a body must give an object with done and value, it gave ${describeKind(result)}`,
      );
    }
    const { done, value } = result as Partial<IteratorResult<unknown>>;
    if (done) this.#user.onEnd();
    else this.#user.onPiece(value);
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
}
