// Counts the payload of a chunked request body by walking its size lines, so that an upload whose framing is
// wrong is noticed. Skips over chunk data without touching it; accepts neither extensions nor trailers.

const CR = 0x0d;
const LF = 0x0a;

export class ChunkCounter {
  constructor() {
    this.count = 0;
    this.done = false;
    this.skip = 0; // bytes of chunk data and its CRLF still to pass over
    this.size = 0; // the chunk size as far as it was read
    this.digits = 0;
    this.ending = 0; // bytes of the final CRLF seen, after a chunk of size 0
    this.last = false;
  }

  write(bytes) {
    let at = 0;
    const end = bytes.length;
    while (at < end) {
      if (this.skip > 0) {
        const step = Math.min(this.skip, end - at);
        this.skip -= step;
        at += step;
        if (this.skip === 0 && bytes[at - 1] !== LF) throw new Error('a chunk does not end with CRLF');
        continue;
      }
      const byte = bytes[at++];
      if (this.last) this.#end(byte);
      else if (byte === LF) this.#startChunk();
      else if (byte !== CR) this.#digit(byte);
    }
  }

  #digit(byte) {
    const lower = byte | 0x20;
    const value =
      byte >= 0x30 && byte <= 0x39 ? byte - 0x30 : lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
    if (value < 0) throw new Error(`byte ${byte} in a chunk size`);
    this.size = this.size * 16 + value;
    this.digits++;
  }

  #startChunk() {
    if (this.digits === 0) throw new Error('an empty chunk size');
    this.count += this.size;
    if (this.size === 0) this.last = true;
    else this.skip = this.size + 2;
    this.size = 0;
    this.digits = 0;
  }

  #end(byte) {
    if (this.done || byte !== (this.ending === 0 ? CR : LF)) throw new Error('bytes after the last chunk');
    this.done = ++this.ending === 2;
  }
}
