// The payloads of a run: bytes that look random, are the same at every run, and never repeat within a file, so that a lost,
// doubled or displaced piece always changes the SHA-256. Small ones are files that the servers serve; big ones are only
// ever generated piece by piece.
import { createCipheriv, createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const MIB = 1024 * 1024;

/** From empty to 20 MiB, with the neighbours of the buffer sizes in use on both sides. */
export const SIZES = [0, 1, 1_000, 16_384, 65_535, 65_536, 65_537, MIB + 1, 20 * MIB - 3];
export const LARGE = 20 * MIB - 3;
export const MEDIUM = MIB + 1;

/** Yields `size` bytes in pieces of `pieceBytes`, determined by `seed` alone. */
export function* payload(size, { seed = size, pieceBytes = 65_536 } = {}) {
  const nonce = Buffer.alloc(16);
  nonce.writeDoubleBE(seed, 0);
  const stream = createCipheriv('aes-128-ctr', Buffer.alloc(16, 'millrace'), nonce);
  for (let left = size; left > 0; left -= pieceBytes) {
    yield stream.update(Buffer.alloc(Math.min(pieceBytes, left)));
  }
}

export function sha256(pieces) {
  const hash = createHash('sha256');
  for (const piece of pieces) hash.update(piece);
  return hash.digest('hex');
}

/** Writes a file `<size>.bin` for each of SIZES and resolves with a Map: size → { size, name, path, sha256 }. */
export function writeFixtures(folder) {
  mkdirSync(folder, { recursive: true });
  return new Map(
    SIZES.map((size) => {
      const bytes = Buffer.concat([...payload(size)]);
      const name = `${size}.bin`;
      const path = join(folder, name);
      writeFileSync(path, bytes);
      return [size, { size, name, path, sha256: sha256([bytes]) }];
    }),
  );
}
