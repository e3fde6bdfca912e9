/**
 * Ways of cutting bytes into pieces: a byte stream has none of its own, so whatever reads it has to give the same for all of them.
 *
 * The random ones are seeded, so that a failure can be repeated. Pieces are copies, as readers may overwrite what they are given.
 */

/** The bytes in one piece. */
export function whole(bytes: Uint8Array): Buffer[] {
  return [Buffer.from(bytes)];
}

/** One piece for each byte. */
export function octets(bytes: Uint8Array): Buffer[] {
  return Array.from(bytes, (octet) => Buffer.of(octet));
}

/** Two pieces, cut at an index. */
export function inTwo(bytes: Uint8Array, at: number): Buffer[] {
  return [Buffer.from(bytes.subarray(0, at)), Buffer.from(bytes.subarray(at))];
}

/** Pieces of at most `size` bytes. */
export function every(bytes: Uint8Array, size: number): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) pieces.push(Buffer.from(bytes.subarray(at, at + size)));
  return pieces;
}

/** Pieces of many sizes, small ones most often; the same for the same seed. */
export function atRandom(bytes: Uint8Array, seed: number): Buffer[] {
  const random = randomNumbers(seed);
  const largest = Math.max(4, bytes.length / 8);
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const size = 1 + Math.floor(random() ** 3 * largest);
    pieces.push(Buffer.from(bytes.subarray(at, at + size)));
    at += size;
  }
  return pieces;
}

/** The ways that every table is played: whole, byte by byte, and at seeded random cuts. */
export function cuttings(bytes: Uint8Array): [name: string, pieces: Buffer[]][] {
  return [
    ['whole', whole(bytes)],
    ['byte by byte', octets(bytes)],
    ...[1, 2, 3].map((seed): [string, Buffer[]] => [`cut with seed ${String(seed)}`, atRandom(bytes, seed)]),
  ];
}

/** Numbers in [0, 1), the same for the same seed. */
export function randomNumbers(seed: number): () => number {
  let state = Math.imul(seed + 1, 0x9e3779b1) >>> 0 || 1;
  return () => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) >>> 0;
    state = Math.imul(state ^ (state >>> 12), 0x297a2d39) >>> 0;
    state = (state ^ (state >>> 15)) + 0x6d2b79f5;
    return (state >>> 0) / 2 ** 32;
  };
}
