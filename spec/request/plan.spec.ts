/**
 * A planned request: what is known at once, what is still to be waited for, and what could be sent once more.
 */
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';

import { expect } from 'chai';

import { planRequest } from '../../lib/request/plan.js';
import type { RequestPlan } from '../../lib/request/plan.js';
import type { RequestBody } from '../../lib/request/body.js';
import { rejection } from '../support/rejection.js';

const SETTINGS = { blocksize: 65_536, defaultCharset: 'iso-8859-1' } as const;

function plan(
  body: RequestBody | null,
  fields: string[] = [],
  settings: Parameters<typeof planRequest>[3] = SETTINGS,
): RequestPlan {
  const draft = { method: 'PUT', url: '/', host: 'h', acceptIdentity: true, fields };
  return planRequest(draft, body, {}, settings, false);
}

describe('a planned request', () => {
  let folder: string;
  let handle: FileHandle;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-spec-'));
    await writeFile(join(folder, 'file'), 'content');
    handle = await open(join(folder, 'file'));
  });

  afterEach(async () => {
    await handle.close();
    await rm(folder, { recursive: true });
  });

  it('has its head before a file was looked at', () => {
    const { head, chunked } = plan(handle);
    expect(head).to.match(/^PUT \/ HTTP\/1\.1\r\n/);
    expect(chunked).to.equal(true);
  });

  it('waits for the first block of a file, and for nothing else', async () => {
    const { body } = plan(handle);
    await body?.prepare?.();
    expect((await handle.read(Buffer.alloc(1), 0, 1, null)).bytesRead).to.equal(0);
    for (const other of ['text', Buffer.from('b'), ['a'], Readable.from(['a'])]) {
      expect(plan(other).body?.prepare).to.equal(null);
    }
  });

  it('fails to get ready when its file cannot be read', async () => {
    await handle.close();
    const error = await rejection(plan(handle).body?.prepare?.() ?? Promise.resolve());
    expect(error).to.have.property('name', 'UnimplementedFileMode');
    handle = await open(join(folder, 'file'));
  });

  it('encodes text that declares no charset in the default of its connection', () => {
    expect(plan('é').body?.bytes?.toString('hex')).to.equal('e9');
    const settings = { ...SETTINGS, defaultCharset: 'utf-8' } as const;
    expect(plan('é', [], settings).body?.bytes?.toString('hex')).to.equal('c3a9');
    expect(plan('é', ['Content-Type', 'text/plain; charset=latin1'], settings).body?.bytes?.length).to.equal(
      1,
    );
    expect(plan(['é'], [], settings).body?.charset).to.equal('utf-8');
  });

  it('says whether its body could be sent once more', () => {
    for (const body of ['text', Buffer.from('b'), new URLSearchParams('a=1')]) {
      expect(plan(body).body).to.include({ replayable: true, touched: false });
    }
    for (const body of [['a'], Readable.from(['a']), handle]) {
      expect(plan(body).body).to.include({ replayable: false, touched: false });
    }
  });
});
