/**
 * The caller's memory while `readinto` fills it: how far it is filled, and whether it is still what it was.
 *
 * The memory is not ours. Its buffer may be transferred, detached or resized while the read waits; a Buffer over it is then empty, and
 * bytes put behind its old address would be somebody else's. So it is looked at before each use, and whoever uses it ends the read.
 */
import type { BodyQueue } from './body-queue.js';

/** Memory that may shrink under the kernel's hands is copied into instead. */
type ResizableBuffer = ArrayBufferLike & { readonly resizable?: boolean; readonly growable?: boolean };

export class ViewFill {
  readonly #bytes: Buffer;
  readonly #buffer: ResizableBuffer;
  readonly #viewBytes: number;
  readonly #bufferBytes: number;
  readonly #mayBeLent: boolean;
  #filled = 0;

  constructor(view: ArrayBufferView) {
    this.#buffer = view.buffer;
    this.#bytes = Buffer.from(view.buffer, view.byteOffset, view.byteLength);
    this.#viewBytes = view.byteLength;
    this.#bufferBytes = view.buffer.byteLength;
    this.#mayBeLent = this.#buffer.resizable !== true && this.#buffer.growable !== true;
  }

  /** Bytes that are in it. */
  get filled(): number {
    return this.#filled;
  }

  get full(): boolean {
    return this.#filled === this.#viewBytes;
  }

  /** Whether the memory is still the caller's view of it. */
  get intact(): boolean {
    return this.#bytes.length === this.#viewBytes && this.#buffer.byteLength === this.#bufferBytes;
  }

  /** What is still empty, for the socket to receive into; null where it may not. */
  room(): Buffer | null {
    if (!this.#mayBeLent || this.full) return null;
    return this.#filled === 0 ? this.#bytes : this.#bytes.subarray(this.#filled);
  }

  /** So many bytes were put into `room`. */
  add(count: number): void {
    this.#filled += count;
  }

  /** Copies as much of `bytes` as there is room for; returns how much. */
  copy(bytes: Buffer): number {
    const count = bytes.copy(this.#bytes, this.#filled);
    this.#filled += count;
    return count;
  }

  /** Takes as much as there is room for from the front of a queue. */
  takeFrom(queue: BodyQueue): void {
    if (queue.length > 0) this.#filled += queue.takeInto(this.#bytes.subarray(this.#filled));
  }

  /** What is in it. */
  gathered(): Buffer {
    return this.#bytes.subarray(0, this.#filled);
  }
}

/** What a reader meets whose memory was taken away. */
export function viewLost(): TypeError {
  return new TypeError(
    'readinto(): its memory was transferred, detached or resized before the read was over',
  );
}
