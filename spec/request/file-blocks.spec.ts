/**
 * A file that is read ahead: through few buffers, in order, and only as far as they are given back.
 */
import { mkdtemp, open, rm, truncate, writeFile } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect } from 'chai';

import { FileBlocks } from '../../lib/request/file-blocks.js';
import { patternBytes } from '../support/body-sources.js';
import { answer, connectionTo, NO_CONTENT, rawServer } from '../support/raw-server.js';
import { rejection } from '../support/rejection.js';

const SIZE = 5_000_000;

describe('the blocks of a file', () => {
  let folder: string;
  let path: string;
  let handle: FileHandle;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-spec-'));
    path = join(folder, 'file');
    await writeFile(path, patternBytes(SIZE));
    handle = await open(path);
  });

  afterEach(async () => {
    await handle.close();
    await rm(folder, { recursive: true });
  });

  it('are the file, in three buffers that are used again', async () => {
    const blocks = new FileBlocks(handle, 1);
    const seen = new Set<unknown>();
    let position = 0;
    for (;;) {
      const { done, value } = await blocks.next();
      if (done === true) break;
      seen.add(value.buffer);
      expect(value.equals(patternBytes(value.length, position))).to.equal(true);
      position += value.length;
      blocks.giveBack(value);
    }
    expect(position).to.equal(SIZE);
    expect(seen.size).to.be.at.most(3);
  });

  it('are read no further than there are buffers', async () => {
    const blocks = new FileBlocks(handle, 1);
    const first = [await blocks.next(), await blocks.next(), await blocks.next()];
    let fourth = false;
    const next = Promise.resolve(blocks.next()).then(() => (fourth = true));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(fourth).to.equal(false);
    blocks.giveBack(first[0]?.value as Buffer);
    await next;
  });

  it('fail with what the file fails with', async () => {
    const cause = new Error('bad sector');
    const broken = { read: () => Promise.reject(cause) } as unknown as FileHandle;
    expect(await rejection(Promise.resolve(new FileBlocks(broken, 1).next()))).to.equal(cause);
    const liar = { read: () => Promise.resolve({ bytesRead: -1 }) } as unknown as FileHandle;
    expect(await rejection(new FileBlocks(liar, 1).prepare())).to.be.instanceOf(TypeError);
  });

  for (const [name, become] of [
    ['shrinks', 2_000_000],
    ['grows', 9_000_000],
  ] as const) {
    it(`are too few or too many when the file ${name}, and never other bytes are sent`, async () => {
      const server = await rawServer(answer(NO_CONTENT), { silent: true });
      const connection = connectionTo(server);
      await truncate(path, 3_000_000);
      const sent = connection.request('PUT', '/', handle, { 'Content-Length': 3_000_000 });
      await truncate(path, become);
      await server.until(() => server.connections === 1);
      server.peer().read();
      expect((await rejection(sent)).name).to.equal('ContentLengthMismatch');
      await server.peer().closed;
      const { received } = server.peer();
      const content = received.subarray(received.indexOf('\r\n\r\n') + 4);
      expect(content.length).to.be.at.most(3_000_000);
      expect(content.equals(patternBytes(content.length))).to.equal(true);
    });
  }
});
