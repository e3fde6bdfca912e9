// The ways in which jobs read a body, each ending in a SHA-256 and a byte count, and the whole downloads made of them.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { SIZES } from '../fixtures.mjs';

async function byIteration(response, take) {
  for await (const piece of response) take(piece);
}

async function byPipeline(response, take) {
  const sink = new Writable({
    write(piece, _encoding, done) {
      take(piece);
      // Later, not at once: a slow reader, so that the flow really stops and starts.
      setImmediate(done);
    },
  });
  await pipeline(response, sink);
}

async function byReadinto(response, take) {
  const view = Buffer.alloc(50_000);
  for (;;) {
    const count = await response.readinto(view);
    if (count === 0) return;
    take(view.subarray(0, count));
  }
}

export const WAYS = [
  ['for await', byIteration],
  ['pipeline', byPipeline],
  ['readinto', byReadinto],
];

export async function digest(response, read = byIteration) {
  const hash = createHash('sha256');
  let size = 0;
  await read(response, (piece) => {
    hash.update(piece);
    size += piece.length;
  });
  return { sha256: hash.digest('hex'), size };
}

export async function get(connection, url, headers) {
  await connection.request('GET', url, null, headers);
  return await connection.getResponse();
}

/** Asserts that the body of `response` is `file`, to the byte. */
export async function assertFile(response, file, read) {
  const { sha256, size } = await digest(response, read);
  assert.equal(size, file.size, `${response.url}: the number of bytes`);
  assert.equal(sha256, file.sha256, `${response.url}: the SHA-256`);
}

/** Every payload in every way of reading over one connection object; `check` looks at each head first. */
export async function downloadAll(context, connection, url, check = () => {}, sizes = SIZES) {
  let bytes = 0;
  for (const size of sizes) {
    for (const [, read] of WAYS) {
      const response = await get(connection, url(size));
      assert.equal(response.status, 200, response.url);
      check(response, size);
      await assertFile(response, context.files.get(size), read);
      bytes += size;
    }
  }
  return `${sizes.length} sizes in ${WAYS.length} ways, ${Math.round(bytes / 2 ** 20)} MiB`;
}
