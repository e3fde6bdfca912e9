import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { duplexPair } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { HTTPConnection } from '../../lib/index.js';
import type { RequestBody } from '../../lib/index.js';
import { SlicedWriter } from '../../lib/request/sliced-writer.js';
import { answer, connectionTo, NO_CONTENT, rawServer } from '../support/raw-server.js';

describe('how large pieces are handed over', () => {
  for (const { name, sliceBytes, most } of [
    { name: 'where a clock judges, in slices of 64 KiB', sliceBytes: undefined, most: 65_536 },
    { name: 'where none does, in slices of 512 KiB', sliceBytes: 524_288, most: 524_288 },
  ]) {
    it(`${name}, whole and in order`, () => {
      const written: Buffer[] = [];
      const write = (bytes: Uint8Array): boolean => written.push(Buffer.from(bytes)) % 3 !== 0;
      const writer = new SlicedWriter(sliceBytes === undefined ? { write } : { write, sliceBytes });
      const body = Buffer.from(Array.from({ length: 1_500_001 }, (_, i) => i % 251));
      let taken = 0;
      writer.write(body, () => taken++);
      while (writer.blocked) {
        writer.blocked = false;
        writer.writeWaiting();
      }
      expect(Buffer.concat(written).equals(body)).to.equal(true);
      expect(Math.max(...written.map(({ length }) => length))).to.equal(most);
      expect(taken, 'told by the target, not by the writer').to.equal(0);
    });
  }

  it('is by what the exchange is timed with', async () => {
    const server = await rawServer(answer(NO_CONTENT));
    for (const [timeout, most] of [
      [null, 524_288],
      [60_000, 65_536],
    ] as const) {
      const connection = connectionTo(server);
      await connection.connect();
      const { socket } = connection;
      if (socket === null) throw new Error('not connected');
      const sizes: number[] = [];
      const write = socket.write.bind(socket) as (...given: unknown[]) => boolean;
      socket.write = (...given: unknown[]): boolean => {
        sizes.push((given[0] as Uint8Array).length);
        return write(...given);
      };
      await connection.request('PUT', '/', Buffer.alloc(2_000_000), {}, { timeout });
      await (await connection.getResponse()).readall();
      expect(Math.max(...sizes)).to.equal(most);
      connection.close();
    }
  });
});

describe('memory that is filled again, over a stream whose other end keeps what it is given', () => {
  const BODY = Buffer.from(Array.from({ length: 3_000_000 }, (_, i) => (i * 7) % 253));

  /** Sends the body in this form, and gives what came when the other end looks at it at last. */
  async function sent(body: RequestBody): Promise<Buffer> {
    const [near, far] = duplexPair();
    const kept: Buffer[] = [];
    far.on('data', (bytes: Buffer) => kept.push(bytes));
    const connection = new HTTPConnection('memory', 80, { createConnection: () => near });
    await connection.request('PUT', '/', body, { 'Content-Length': BODY.length });
    const count = (): number => kept.reduce((sum, { length }) => sum + length, 0);
    while (count() < BODY.length || !kept.some((bytes) => bytes.includes('\r\n\r\n'))) await sleep(1);
    await sleep(20);
    far.write('HTTP/1.1 204 No Content\r\n\r\n');
    await (await connection.getResponse()).readall();
    connection.close();
    const all = Buffer.concat(kept);
    return all.subarray(all.indexOf('\r\n\r\n') + 4);
  }

  it('arrives as it was: a file', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-'));
    try {
      await writeFile(join(folder, 'body'), BODY);
      const handle = await open(join(folder, 'body'));
      const came = await sent(handle);
      await handle.close();
      expect(came.equals(BODY)).to.equal(true);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  for (const size of [1000, 100_000, 300_000]) {
    it(`arrives as it was: one buffer of ${String(size)} bytes for all pieces`, async () => {
      const pieces = function* (): Generator<Buffer> {
        const memory = Buffer.alloc(size);
        for (let at = 0; at < BODY.length; at += size) {
          yield memory.subarray(0, BODY.copy(memory, 0, at, at + size));
          memory.fill(0);
        }
      };
      expect((await sent(pieces())).equals(BODY)).to.equal(true);
    });
  }
});
