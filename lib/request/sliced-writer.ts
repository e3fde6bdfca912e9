/**
 * Writes pieces into a target that says when it has enough: what it does not take waits here, large pieces go in slices, so that progress
 * shows.
 *
 * A piece is the caller's memory, and may be taken away while it waits (`structuredClone` with a transfer). That is noticed, and said.
 */

/** Where the bytes go: a transport. */
export interface UploadTarget {
  /**
   * Returns false when the writer should wait for `resume`.
   *
   * @param taken - called once, when the socket has taken the bytes or never will
   */
  write(bytes: Uint8Array, taken?: () => void): boolean;
  /** Whether everything that was written has been taken already, as is the rule while the peer keeps up. False where it is not known. */
  readonly idle?: boolean;
  /** One write takes at most so much. Default 64 KiB. */
  readonly sliceBytes?: number;
}

/** Where a clock judges the progress: a peer that takes little at a time is seen to take some. */
export const TIMED_SLICE_BYTES = 65_536;

/** Where none does: a block of a file in one write, which is a sixth less CPU a GiB than eight. */
export const SLICE_BYTES = 524_288;

/** A piece that the target has not taken, with the length it had when it came. */
interface WaitingPiece {
  bytes: Buffer;
  length: number;
  taken: (() => void) | undefined;
}

export class SlicedWriter {
  /** The target has enough: nothing is written before `resume`. */
  blocked = false;
  readonly #target: UploadTarget;
  readonly #sliceBytes: number;
  /** What the target has not taken; a piece that is being sliced stays at the front. */
  #waiting: WaitingPiece[] = [];
  #offset = 0;

  constructor(target: UploadTarget) {
    this.#target = target;
    this.#sliceBytes = target.sliceBytes ?? TIMED_SLICE_BYTES;
  }

  /** Bytes of the foremost piece that were to come and are gone with its memory. */
  get missingBytes(): number {
    const [piece] = this.#waiting;
    return piece === undefined || piece.bytes.length === piece.length ? 0 : piece.length - this.#offset;
  }

  /** @param taken - called once, when the target has taken all of it or never will */
  write(bytes: Buffer, taken: (() => void) | undefined): void {
    if (this.blocked || this.#waiting.length > 0 || bytes.length > this.#sliceBytes) {
      this.#waiting.push({ bytes, length: bytes.length, taken });
      if (this.#waiting.length === 1) this.writeWaiting();
    } else if (!this.#target.write(bytes, taken)) {
      this.blocked = true;
    }
  }

  /** Writes what fits of what waits, unless its memory is gone. */
  writeWaiting(): void {
    while (!this.blocked && this.#waiting.length > 0 && this.missingBytes === 0) {
      const { bytes, length, taken } = this.#waiting[0] as WaitingPiece;
      const to = Math.min(length, this.#offset + this.#sliceBytes);
      const slice = this.#offset === 0 && to === length ? bytes : bytes.subarray(this.#offset, to);
      this.#offset = to;
      const last = to === length;
      if (last) {
        this.#waiting.shift();
        this.#offset = 0;
      }
      // A part of what will be filled again is told from one that will not.
      const told = taken === undefined || last ? taken : ignore;
      if (!this.#target.write(slice, told)) this.blocked = true;
    }
  }

  /** Nothing of what waits is written any more. */
  clear(): void {
    this.#waiting = [];
  }
}

function ignore(): void {}
