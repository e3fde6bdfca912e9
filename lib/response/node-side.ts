/**
 * What Node's stream machinery has asked for and holds of one body, beside the readers that Node does not know.
 *
 * Bytes are pushed only when Node has asked, so that what is unread lies where every reader finds it; what Node has buffered all the same
 * is taken back from it, and given back, without anybody noticing. It uses public methods only and knows nothing of where bytes come from.
 */
import { Readable } from 'node:stream';

/** The high-water mark of the streams that this serves. */
export const HIGH_WATER_BYTES = 65_536;

export class NodeSide {
  /** Node asked for bytes and has not been served. */
  wanted = false;
  /** Node was told of the end, possibly long before it is read; or would have been, had anybody listened. */
  ended = false;
  /** Somebody has listened to the stream, to whatever event. */
  listened = false;
  /** The end was reached, and Node was not told of it. */
  silent = false;
  readonly #stream: Readable;

  constructor(stream: Readable) {
    this.#stream = stream;
  }

  /** Whether a reader waits for what Node has asked for; false while paused. */
  get waiting(): boolean {
    const stream = this.#stream;
    if (!this.wanted) return false;
    // Reading on 'readable' looks like a pause to Node: there the reader waits once it has taken everything.
    return (
      stream.readableFlowing !== false ||
      (stream.readableLength === 0 && stream.listenerCount('readable') > 0)
    );
  }

  push(bytes: Buffer): void {
    this.wanted = false;
    try {
      this.#stream.push(bytes);
    } catch (error) {
      // A 'data' listener threw. That is its owner's bug, to be seen as one; the parser further down must not be torn.
      queueMicrotask(() => {
        throw error;
      });
      this.#stream.destroy();
    }
  }

  /**
   * The end was reached. Where nobody has listened, Node hears of it when somebody does: its 'end', its destroying of the stream and its
   * 'close' cost 0.4 µs, for nobody.
   */
  end(): void {
    if (this.listened || this.wanted || this.ended || this.#stream.readableLength > 0) this.#tell();
    else this.ended = this.silent = true;
  }

  /** Somebody listens, reads through Node or destroys: what was left out is made good, and 'end' and 'close' follow as ever. */
  wake(): void {
    this.listened = true;
    if (this.silent) this.#tell();
  }

  #tell(): void {
    this.wanted = false;
    if (!this.ended || this.silent) {
      this.ended = true;
      this.silent = false;
      this.#stream.push(null);
    }
    // Has Node emit 'end' although nobody may be reading through it.
    this.#stream.read(0);
  }

  /**
   * Takes what Node has buffered. Node's read() also shows what it gives to 'data' listeners, and asks for more before it gives: here it
   * runs on a stand-in for the stream that does neither.
   */
  takeBack(): Buffer {
    const stream = this.#stream;
    const quiet = Object.create(stream, {
      emit: { value: () => false },
      _read: {
        value: () => {
          this.wanted = true;
        },
      },
    }) as Readable;
    const taken: Buffer[] = [];
    while (stream.readableLength > 0) {
      // By exact amounts: without one, and with one above its high-water mark, Node takes the last byte for the end or raises the mark.
      const amount = Math.min(stream.readableLength, HIGH_WATER_BYTES);
      const bytes = Readable.prototype.read.call(quiet, amount) as Buffer | string;
      taken.push(typeof bytes === 'string' ? Buffer.from(bytes, stream.readableEncoding ?? 'utf8') : bytes);
    }
    return taken.length === 1 ? (taken[0] as Buffer) : Buffer.concat(taken);
  }

  /** Puts back what was taken, before the end that Node knows of already. */
  giveBack(bytes: Buffer): void {
    const encoding = this.#stream.readableEncoding;
    this.#stream.unshift(encoding === null ? bytes : bytes.toString(encoding), encoding ?? undefined);
  }
}
