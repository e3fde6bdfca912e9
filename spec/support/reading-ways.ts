/**
 * Every way in which a body can be read to its end, each giving what it read, in order, to a function.
 */
import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import type { HTTPResponse } from '../../lib/index.js';

type Take = (bytes: Uint8Array) => void;

export interface ReadingWay {
  readonly name: string;
  readonly read: (response: HTTPResponse, take: Take) => Promise<unknown>;
}

const SIZE = 100_003;

export const READING_WAYS: readonly ReadingWay[] = [
  {
    name: 'for await',
    async read(response, take) {
      for await (const piece of response) take(piece);
    },
  },
  {
    name: 'for await, slowly',
    async read(response, take) {
      let pieces = 0;
      for await (const piece of response) {
        take(piece);
        if (pieces++ % 64 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
      }
    },
  },
  {
    name: "'data'",
    read(response, take) {
      response.on('data', take);
      return finished(response);
    },
  },
  {
    name: "'data', paused and resumed",
    read(response, take) {
      let pieces = 0;
      response.on('data', (piece: Buffer) => {
        take(piece);
        if (pieces++ % 64 !== 0) return;
        response.pause();
        setTimeout(() => response.resume(), 2);
      });
      return finished(response);
    },
  },
  {
    name: "'readable'",
    read(response, take) {
      response.on('readable', () => {
        for (let bytes = response.read(); bytes !== null; bytes = response.read()) take(bytes);
      });
      return finished(response);
    },
  },
  {
    name: 'pipeline()',
    read: (response, take) =>
      pipeline(
        response,
        new Writable({
          write(bytes: Buffer, _, done) {
            take(bytes);
            setImmediate(done);
          },
        }),
      ),
  },
  {
    name: 'a web stream',
    async read(response, take) {
      const reader = Readable.toWeb(response).getReader();
      for (let next = await reader.read(); !next.done; next = await reader.read())
        take(next.value as Uint8Array);
    },
  },
  {
    name: 'readinto()',
    async read(response, take) {
      const view = Buffer.alloc(SIZE);
      for (let count = await response.readinto(view); count > 0; count = await response.readinto(view))
        take(view.subarray(0, count));
    },
  },
  { name: 'readbytes(amt)', read: (response, take) => until(() => response.readbytes(SIZE), take) },
  { name: 'read1(amt)', read: (response, take) => until(() => response.read1(SIZE), take) },
  { name: 'readline()', read: (response, take) => until(() => response.readline(), take) },
  {
    name: 'readlines(hint)',
    read: (response, take) => until(async () => Buffer.concat(await response.readlines(SIZE)), take),
  },
  {
    name: 'peek() and read1()',
    read: (response, take) =>
      until(async () => {
        const shown = await response.peek();
        const taken = await response.read1(shown.length);
        if (!taken.equals(shown)) throw new Error('other bytes were shown than were there');
        return taken;
      }, take),
  },
  {
    name: 'several in turn',
    read(response, take) {
      const view = Buffer.alloc(SIZE);
      const ways = [
        () => response.read1(),
        () => response.readbytes(SIZE),
        () => response.readline(),
        async () => view.subarray(0, await response.readinto(view)),
      ];
      let turn = 0;
      return until(() => (ways[turn++ % ways.length] as () => Promise<Buffer>)(), take);
    },
  },
  {
    name: 'readall()',
    async read(response, take) {
      take(await response.readall());
    },
  },
  {
    name: 'save()',
    async read(response, take) {
      const folder = await mkdtemp(join(tmpdir(), 'millrace-'));
      try {
        await response.save(join(folder, 'file'));
        for await (const bytes of createReadStream(join(folder, 'file'))) take(bytes as Buffer);
      } finally {
        await rm(folder, { recursive: true });
      }
    },
  },
];

async function until(next: () => Promise<Buffer>, take: Take): Promise<void> {
  for (let bytes = await next(); bytes.length > 0; bytes = await next()) take(bytes);
}
