// The content of every benchmark body, and the check every subject runs over it: the byte at each offset is a
// function of the offset, so the first and last byte of each piece prove that the piece is the one that belongs
// there, and the count proves that nothing is missing. The cost is the same few loads for every client.
// Never looks at framing; bodies repeat after `period` bytes, because servers send blocks built beforehand.

/** A length body repeats after this many bytes. */
export const RING_BYTES = 1 << 20;

/** The body byte at `offset`, for 0 ≤ offset < period. */
export function patternByte(offset) {
  return (offset + (offset >>> 8) * 7 + (offset >>> 16) * 13) & 255;
}

export function patternBytes(size) {
  const bytes = Buffer.allocUnsafe(size);
  for (let i = 0; i < size; i++) bytes[i] = patternByte(i);
  return bytes;
}

/** The payload bytes of one block of whole chunks, hence the period of a chunked body. */
export function chunkBlockPayload(chunkBytes) {
  return chunkBytes * Math.max(1, Math.floor(262144 / chunkBytes));
}

export class BodyCheck {
  constructor(expectedBytes, period = RING_BYTES) {
    this.expectedBytes = expectedBytes;
    this.period = period;
    this.received = 0;
  }

  piece(bytes, size = bytes.length) {
    if (size === 0) return;
    const first = this.received % this.period;
    const last = (this.received + size - 1) % this.period;
    if (bytes[0] !== patternByte(first) || bytes[size - 1] !== patternByte(last)) {
      throw new Error(`wrong body bytes in the piece at offset ${this.received} (${size} bytes)`);
    }
    this.received += size;
  }

  /** The body has ended; the check is ready for the next body afterwards. */
  end() {
    const { received } = this;
    this.received = 0;
    if (received !== this.expectedBytes) {
      throw new Error(`the body had ${received} bytes instead of ${this.expectedBytes}`);
    }
  }
}
