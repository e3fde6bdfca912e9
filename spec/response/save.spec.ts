/**
 * save: a body into a file, whatever happens to either of them. What was written is compared byte for byte.
 */
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { expect } from 'chai';

import { IncompleteRead } from '../../lib/errors.js';
import type { HTTPResponse } from '../../lib/response/response.js';
import { patternBytes } from '../support/body-sources.js';
import { every, whole } from '../support/cuttings.js';
import { FedResponse, responseOf } from '../support/fed-response.js';
import { connectionTo, OK, rawServer } from '../support/raw-server.js';
import { rejection } from '../support/rejection.js';

const LARGE = patternBytes(5_000_001);
const SMALL = Buffer.from('some bytes');

let folder = '';
const path = (name: string): string => join(folder, name);
const turns = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await new Promise(setImmediate);
};

/** A response of the pieces that are sent at once, behind which the server does `then`. */
async function served(
  length: number,
  bytes: Buffer,
  then: (socket: Socket) => void = () => undefined,
): Promise<{
  response: HTTPResponse;
  again: () => Promise<string>;
  socketGone: () => boolean;
  close: () => void;
}> {
  const server = await rawServer((socket, { target }) => {
    if (target === '/ok') {
      socket.write(OK);
      return;
    }
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${String(length)}\r\n\r\n`);
    socket.write(bytes, () => {
      then(socket);
    });
  });
  const connection = connectionTo(server);
  await connection.request('GET', '/');
  return {
    response: await connection.getResponse(),
    again: async () => {
      await connection.request('GET', '/ok');
      return (await connection.getResponse()).text();
    },
    socketGone: () => connection.socket === null,
    close: () => {
      connection.close();
    },
  };
}

describe('save', () => {
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-save-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  for (const [name, bytes] of [
    ['large', LARGE],
    ['small', SMALL],
    ['empty', Buffer.alloc(0)],
  ] as const) {
    it(`writes a ${name} body to a path, and the connection is used again`, async () => {
      const { response, again, close } = await served(bytes.length, bytes);
      writeFileSync(path('f'), 'something longer that is there already');
      expect(await response.save(path('f'))).to.equal(bytes.length);
      expect(readFileSync(path('f')).equals(bytes)).to.equal(true);
      expect(response.isClosed()).to.equal(true);
      expect(response.readableEnded).to.equal(true);
      expect(await again()).to.equal('ok');
      close();
    });
  }

  it('writes in whichever way the bytes come, and what is left behind another reader', async () => {
    for (const handover of ['owned', 'lent', 'direct'] as const) {
      for (const fields of [[], ['Content-Length', String(LARGE.length)]]) {
        const response = responseOf({ pieces: every(LARGE, 60_007), handover, fields });
        const head = await response.readbytes(100_001);
        const saved = response.save(pathToFileURL(path('f')));
        const behind = response.readall();
        expect(await saved).to.equal(LARGE.length - head.length);
        expect(readFileSync(path('f')).equals(LARGE.subarray(head.length))).to.equal(true);
        expect(await behind).to.have.lengthOf(0);
      }
    }
  });

  it('opens with the flags and the mode that it is given', async () => {
    writeFileSync(path('f'), 'before ');
    await responseOf({ pieces: whole(SMALL) }).save(path('f'), { flags: 'a' });
    expect(readFileSync(path('f'), 'utf8')).to.equal('before some bytes');
    await responseOf({ pieces: whole(SMALL) }).save(path('g'), { flags: 'wx', mode: 0o600 });
    if (process.platform !== 'win32') expect(statSync(path('g')).mode & 0o777).to.equal(0o600);
    const error = await rejection<NodeJS.ErrnoException>(
      responseOf({ pieces: whole(SMALL) }).save(path('g'), { flags: 'wx' }),
    );
    expect(error.code).to.equal('EEXIST');
  });

  it('writes to a handle at its position, and leaves it open', async () => {
    const handle = await open(path('f'), 'w+');
    await handle.write('head ');
    expect(await responseOf({ pieces: every(SMALL, 3) }).save(handle)).to.equal(SMALL.length);
    expect(await responseOf({ pieces: every(SMALL, 4) }).save(handle)).to.equal(SMALL.length);
    await handle.write(' tail');
    await handle.close();
    expect(readFileSync(path('f'), 'utf8')).to.equal('head some bytessome bytes tail');
  });

  it('refuses what is no file, and unknown options; the body can still be read', async () => {
    const BAD: [file: unknown, options: unknown, says: RegExp][] = [
      [5, {}, /takes a path, a file: URL or a FileHandle, got number/],
      [null, {}, /got null/],
      [{ fd: 1 }, {}, /got Object/],
      [path('f'), { flag: 'w' }, /did you mean 'flags'/],
      [path('f'), { flags: 'nonsense' }, /flags/],
      [new URL('http://127.0.0.1/f'), {}, /scheme|protocol/i],
    ];
    for (const [file, options, says] of BAD) {
      const response = responseOf({ pieces: whole(SMALL) });
      const error = await rejection(response.save(file as string, options as object));
      expect(error).to.be.instanceOf(TypeError);
      expect(error.message).to.match(says);
      expect(existsSync(path('f'))).to.equal(false);
      expect(await response.text()).to.equal(String(SMALL));
    }
  });

  it('gives the error of a file that cannot be opened, and closes the connection', async () => {
    const { response, socketGone, close } = await served(LARGE.length, SMALL);
    const error = await rejection<NodeJS.ErrnoException>(response.save(path('missing/f')));
    expect(error.code).to.equal('ENOENT');
    expect(socketGone()).to.equal(true);
    close();
  });

  it('of a body that is cut short rejects, and the file has all that had come', async () => {
    for (const count of [0, 10, 70_000, 3_000_000]) {
      const bytes = LARGE.subarray(0, count);
      const { response, close } = await served(LARGE.length, bytes, (socket) => socket.end());
      const error = await rejection<IncompleteRead>(response.save(path('f')));
      expect(error).to.be.instanceOf(IncompleteRead);
      expect(error.expected).to.equal(LARGE.length - count);
      expect(readFileSync(path('f')).equals(bytes), String(count)).to.equal(true);
      close();
    }
  });

  it('that is aborted rejects with the reason, and the file keeps what had come', async () => {
    const source = new FedResponse({ pieces: every(LARGE.subarray(0, 1_500_000), 50_000), end: 'nothing' });
    const saved = rejection(source.response.save(path('f')));
    while (source.deliveredBytes < 1_500_000) await turns(1);
    const reason = new Error('aborted');
    source.response.destroy(reason);
    expect(await saved).to.equal(reason);
    expect(readFileSync(path('f')).equals(LARGE.subarray(0, 1_500_000))).to.equal(true);
  });

  it('of a response that was destroyed before leaves the file alone', async () => {
    writeFileSync(path('f'), 'kept');
    const { response } = new FedResponse({ pieces: whole(SMALL) });
    response.destroy();
    expect(await rejection(response.save(path('f')))).to.be.instanceOf(IncompleteRead);
    expect(readFileSync(path('f'), 'utf8')).to.equal('kept');
  });

  // Where there are FIFOs and a disk that is always full.
  const unix: (title: string, run: () => Promise<void>) => unknown =
    process.platform === 'linux' ? it : () => undefined;

  unix(
    'into a full disk gives ENOSPC and closes the connection, although more of the body is due',
    async () => {
      for (const length of [LARGE.length, LARGE.length * 2]) {
        const { response, socketGone, close } = await served(length, LARGE);
        const error = await rejection<NodeJS.ErrnoException>(response.save('/dev/full'));
        expect(error.code).to.equal('ENOSPC');
        expect(response.destroyed).to.equal(true);
        expect(socketGone()).to.equal(true);
        close();
      }
    },
  );

  unix('into a FIFO whose reader goes gives EPIPE and closes the connection', async () => {
    execFileSync('mkfifo', [path('p')]);
    const reader = openSync(path('p'), constants.O_RDONLY | constants.O_NONBLOCK);
    const { response, socketGone, close } = await served(LARGE.length * 2, LARGE);
    const saved = rejection<NodeJS.ErrnoException>(response.save(path('p')));
    await new Promise((resolve) => setTimeout(resolve, 30));
    closeSync(reader);
    expect((await saved).code).to.equal('EPIPE');
    expect(socketGone()).to.equal(true);
    close();
  });

  unix('into a FIFO that nobody reads holds the source back, and an abort ends it at once', async () => {
    execFileSync('mkfifo', [path('p')]);
    const reader = openSync(path('p'), constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const source = new FedResponse({ pieces: every(Buffer.alloc(20_000_000), 100_000) });
      const saved = rejection(source.response.save(path('p')));
      // Until it stands still: two buffers, what the FIFO takes, and what the response holds.
      for (let held = -1; source.deliveredBytes !== held;) {
        held = source.deliveredBytes;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      expect(source.deliveredBytes).to.be.within(1, 4_000_000);
      expect(source.response.waiting).to.equal(false);
      const reason = new Error('aborted');
      source.response.destroy(reason);
      expect(await saved).to.equal(reason);
    } finally {
      closeSync(reader);
    }
  });

  unix('that waits for the reader of a FIFO is ended by an abort', async () => {
    execFileSync('mkfifo', [path('p')]);
    const { response } = new FedResponse({ pieces: whole(SMALL) });
    const saved = rejection(response.save(path('p')));
    await new Promise((resolve) => setTimeout(resolve, 20));
    const reason = new Error('aborted');
    response.destroy(reason);
    expect(await saved).to.equal(reason);
    // Lets the open of the writing side go, which nothing else can.
    closeSync(openSync(path('p'), constants.O_RDONLY | constants.O_NONBLOCK));
  });
});
