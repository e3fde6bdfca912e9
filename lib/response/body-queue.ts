/**
 * The bytes of a body that were received and not yet read: a queue of pieces that is read from its front.
 *
 * Pieces are handed out as views where they fit and copied only when a caller asks for bytes that lie in several. Nothing here waits.
 */

const EMPTY = Buffer.alloc(0);
const LF = 0x0a;

/** What the list is while there is none: most bodies are one piece, or read as fast as they come. Never written to. */
const NO_PIECES: Buffer[] = [];

export class BodyQueue {
  /** Bytes in the queue. */
  length = 0;
  #pieces: Buffer[] = NO_PIECES;
  /** Index of the first piece that is not used up. */
  #head = 0;

  push(piece: Buffer): void {
    if (piece.length === 0) return;
    if (this.#pieces === NO_PIECES) this.#pieces = [piece];
    else this.#pieces.push(piece);
    this.length += piece.length;
  }

  /** Puts back what was taken from the front. */
  unshift(piece: Buffer): void {
    if (piece.length === 0) return;
    if (this.#head > 0) this.#pieces[--this.#head] = piece;
    else this.#pieces = [piece, ...this.#pieces];
    this.length += piece.length;
  }

  /** The first piece as it is, or null when the queue is empty. */
  takePiece(): Buffer | null {
    const piece = this.#pieces[this.#head];
    if (piece === undefined) return null;
    this.#drop(piece);
    return piece;
  }

  /** The first `count` bytes, fewer when there are fewer. */
  take(count: number): Buffer {
    const wanted = Math.min(count, this.length);
    if (wanted === 0) return EMPTY;
    const first = this.#pieces[this.#head] as Buffer;
    if (first.length === wanted) {
      this.#drop(first);
      return first;
    }
    if (first.length > wanted) {
      this.#shorten(first, wanted);
      return first.subarray(0, wanted);
    }
    const bytes = Buffer.allocUnsafe(wanted);
    this.takeInto(bytes);
    return bytes;
  }

  /** Everything. */
  takeAll(): Buffer {
    return this.take(this.length);
  }

  /** Fills `view` from the front as far as the bytes reach; returns how many were taken. */
  takeInto(view: Uint8Array): number {
    let filled = 0;
    while (filled < view.length && this.length > 0) {
      const piece = this.#pieces[this.#head] as Buffer;
      const count = Math.min(piece.length, view.length - filled);
      view.set(count === piece.length ? piece : piece.subarray(0, count), filled);
      filled += count;
      if (count === piece.length) this.#drop(piece);
      else this.#shorten(piece, count);
    }
    return filled;
  }

  /** The first `count` bytes, which stay. */
  peek(count: number): Buffer {
    const wanted = Math.min(count, this.length);
    const first = this.#pieces[this.#head];
    if (first === undefined || first.length >= wanted) return first?.subarray(0, wanted) ?? EMPTY;
    return Buffer.concat(this.#pieces.slice(this.#head), wanted);
  }

  /** How many bytes reach through the first LF; -1 without one. `from` bytes are known to hold none. */
  lineLength(from: number): number {
    let before = 0;
    for (let i = this.#head; i < this.#pieces.length; i++) {
      const piece = this.#pieces[i] as Buffer;
      if (before + piece.length > from) {
        const at = piece.indexOf(LF, Math.max(0, from - before));
        if (at !== -1) return before + at + 1;
      }
      before += piece.length;
    }
    return -1;
  }

  clear(): void {
    this.#pieces = NO_PIECES;
    this.#head = 0;
    this.length = 0;
  }

  #drop(piece: Buffer): void {
    this.length -= piece.length;
    if (this.length === 0) {
      this.#pieces.length = 0;
      this.#head = 0;
      return;
    }
    this.#pieces[this.#head] = EMPTY;
    this.#head++;
    // Used-up places are let go in bulk, so that a queue that never runs empty does not grow.
    if (this.#head >= 64 && this.#head * 2 > this.#pieces.length) {
      this.#pieces.splice(0, this.#head);
      this.#head = 0;
    }
  }

  #shorten(piece: Buffer, count: number): void {
    this.#pieces[this.#head] = piece.subarray(count);
    this.length -= count;
  }
}
