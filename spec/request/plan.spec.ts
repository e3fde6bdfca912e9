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
import { repeatabilityOf } from '../../lib/request/body.js';
import type { BodyPlan, RequestBody } from '../../lib/request/body.js';
import { cancelSource } from '../../lib/request/source.js';
import type { Source } from '../../lib/request/source.js';
import { Upload } from '../../lib/request/upload.js';
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
    const form = new FormData();
    form.append('a', new Blob(['b']));
    for (const body of ['text', Buffer.from('b'), new URLSearchParams('a=1'), new Blob(['b']), form]) {
      expect(repeatabilityOf(plan(body).body)).to.equal('repeatable');
    }
    expect(repeatabilityOf(null)).to.equal('repeatable');
    for (const body of [['a'], Readable.from(['a']), handle]) {
      expect(repeatabilityOf(plan(body).body)).to.equal('untouched');
    }
  });

  /** Sends a planned body, or what it gives until it is stopped, and gives what was written. */
  async function written(body: BodyPlan, stopped = false): Promise<string> {
    let text = '';
    const target = {
      write(bytes: Uint8Array, taken?: () => void): boolean {
        text += Buffer.from(bytes).toString('latin1');
        taken?.();
        return true;
      },
    };
    await new Promise<void>((resolve, reject) => {
      const options = { target, encoder: null, declared: null, onFinish: resolve, onFailure: reject };
      const upload = new Upload(body, options);
      upload.start();
      if (!stopped) return;
      upload.stop();
      resolve();
    });
    return text;
  }

  it('can be sent again from its start when it is a Blob, also when it was stopped', async () => {
    const body = plan(new Blob(['content'])).body as BodyPlan;
    expect(await written(body)).to.equal('content');
    await written(body, true);
    expect(await written(body)).to.equal('content');
  });

  it('is never sent as if it were whole when its source was used, or let go', async () => {
    const used = plan(['ab']).body as BodyPlan;
    expect(await written(used)).to.equal('ab');
    expect(repeatabilityOf(used)).to.equal('spent');
    expect((await rejection(written(used))).message).to.match(/used or let go/);
    const file = plan(handle).body as BodyPlan;
    await file.prepare?.();
    cancelSource(file.source as Source);
    expect(repeatabilityOf(file)).to.equal('spent');
    expect((await rejection(written(file))).message).to.match(/used or let go/);
  });

  it('has the block of a file that was read for it when it is sent for the first time after all', async () => {
    const { body } = plan(handle);
    await body?.prepare?.();
    await body?.prepare?.();
    expect(repeatabilityOf(body)).to.equal('untouched');
    expect(await written(body as BodyPlan)).to.equal('content');
  });
});
