import { getEventListeners } from 'node:events';
import { finished } from 'node:stream/promises';
import { expect } from 'chai';
import type { ResumableDownload } from '../../lib/index.js';
import {
  BadEncoding,
  BadHeader,
  HTTPResponse,
  IncompleteRead,
  ResourceChanged,
  TimeoutError,
} from '../../lib/index.js';
import { clientWith, download } from '../support/download.js';
import { sleep } from '../support/expiry.js';
import { ETAG, FileCheck, fileServer, wholeFile } from '../support/file-server.js';
import type { Cut, CutKind, FileServerOptions } from '../support/file-server.js';
import { rawServer } from '../support/raw-server.js';
import { fieldOf } from '../support/received-request.js';
import { rejection } from '../support/rejection.js';

const SIZE = 300_000;
const FILE = wholeFile(SIZE);

const cut = (at: number, kind: CutKind = 'end'): Cut => ({ at, kind });
const served = (options: Partial<FileServerOptions> = {}): ReturnType<typeof fileServer> =>
  fileServer({ size: SIZE, ...options });

/** Reads all of it; gives how much that was, which is all that a failing spec should show. */
const read = async (body: HTTPResponse): Promise<number> => (await body.readall()).length;

interface Resume {
  position: number;
  number: number;
  name: string;
}

/** Takes note of what `onResume` is told. */
function noted(events: Resume[]): (event: { position: number; number: number; error: Error }) => void {
  return ({ position, number, error }) => {
    events.push({ position, number, name: error.name });
  };
}

describe('a resumable download', () => {
  it('is a response to one GET, asked for as it is, when nothing happens', async () => {
    const { url, server } = await served();
    const body = await download(url, { headers: { 'Accept-Encoding': 'gzip', 'X-Own': '1' } });
    expect(body).to.be.instanceOf(HTTPResponse);
    expect(body).to.include({
      status: 200,
      total: SIZE,
      position: 0,
      length: SIZE,
      validator: ETAG,
      resumes: 0,
    });
    expect((await body.readall()).equals(FILE)).to.equal(true);
    expect(body).to.include({ total: SIZE, position: SIZE, length: 0, resumes: 0 });
    const { request } = server;
    expect(request.method).to.equal('GET');
    expect(fieldOf(request, 'accept-encoding')).to.equal('identity');
    expect(fieldOf(request, 'x-own')).to.equal('1');
    expect(fieldOf(request, 'range')).to.equal(null);
    expect(fieldOf(request, 'if-range')).to.equal(null);
  });

  it('asks for the rest by the validator, with the fields of the caller (§14.2, §13.1.5)', async () => {
    const { url, server } = await served({ cuts: [cut(100_000), cut(200_000)] });
    const events: Resume[] = [];
    const body = await download(url, { headers: { 'X-Own': '1' }, onResume: noted(events) });
    expect((await body.readall()).equals(FILE)).to.equal(true);
    expect(body.resumes).to.equal(2);
    const rest = server.requests.slice(1);
    expect(rest.map((request) => fieldOf(request, 'range'))).to.deep.equal([
      'bytes=100000-',
      'bytes=200000-',
    ]);
    for (const request of rest) {
      expect(fieldOf(request, 'if-range')).to.equal(ETAG);
      expect(fieldOf(request, 'accept-encoding')).to.equal('identity');
      expect(fieldOf(request, 'x-own')).to.equal('1');
    }
    expect(events).to.deep.equal([
      { position: 100_000, number: 1, name: 'IncompleteRead' },
      { position: 200_000, number: 1, name: 'IncompleteRead' },
    ]);
  });

  it('goes on by the date where that tells the file for sure', async () => {
    const modified = 'Sun, 06 Nov 1994 08:49:37 GMT';
    const fields = `ETag: W/"one"\r\nLast-Modified: ${modified}\r\nDate: Sun, 06 Nov 1994 08:51:37 GMT\r\n`;
    const { url, server } = await served({ fields, cuts: [cut(5)] });
    const body = await download(url);
    expect(body.validator).to.equal(modified);
    expect((await body.readall()).equals(FILE)).to.equal(true);
    expect(fieldOf(server.requests[1] as never, 'if-range')).to.equal(modified);
  });

  for (const kind of ['reset', 'end', 'stall'] as const)
    it(`goes on behind: ${kind}`, async () => {
      const { url } = await served({ cuts: [cut(150_000, kind)] });
      const body = await download(url, { timeout: { body: 60 } });
      expect((await body.readall()).equals(FILE)).to.equal(true);
      expect(body.resumes).to.equal(1);
    });

  it('shows where its reader stands', async () => {
    const { url } = await served({ cuts: [cut(100_000)] });
    const body = await download(url);
    await body.readbytes(10);
    expect(body).to.include({ position: 10, length: SIZE - 10 });
    expect((await body.readbytes(149_990)).equals(FILE.subarray(10, 150_000))).to.equal(true);
    expect(body).to.include({ position: 150_000, length: 150_000, resumes: 1 });
    await body.peek();
    expect(body.position).to.equal(150_000);
    body.destroy();
  });

  it('reads lines, text and JSON across a cut', async () => {
    const text = JSON.stringify({ words: Array.from({ length: 500 }, (_, i) => `ü${String(i)}\n`) }, null, 1);
    const bytes = Buffer.from(text);
    const { port } = await rawServer((socket, request) => {
      const from = Number(/=([0-9]+)/.exec(fieldOf(request, 'range') ?? '=0')?.[1]);
      const range =
        from === 0
          ? ''
          : `Content-Range: bytes ${String(from)}-${String(bytes.length - 1)}/${String(bytes.length)}\r\n`;
      socket.write(
        `HTTP/1.1 ${from === 0 ? '200' : '206'} OK\r\nETag: "x"\r\n${range}Content-Length: ${String(bytes.length - from)}\r\n\r\n`,
      );
      socket.end(bytes.subarray(from, from + 1001));
    });
    const url = `http://127.0.0.1:${String(port)}/`;
    expect(await (await download(url)).text()).to.equal(text);
    expect(await (await download(url)).json()).to.deep.equal(JSON.parse(text));
    const lines: string[] = [];
    for await (const line of (await download(url)).lines()) lines.push(line);
    expect(lines).to.deep.equal(text.split('\n'));
  });

  it('goes on where the size was not known, and stops where a 416 says that this is the end (§15.5.17)', async () => {
    const { url, positions } = await served({ chunked: true, cuts: [cut(100_000), cut(SIZE)] });
    const body = await download(url);
    expect(body).to.include({ total: null, length: null });
    expect((await body.readbytes(150_000)).length).to.equal(150_000);
    expect(body.total).to.equal(SIZE);
    expect((await body.readall()).equals(FILE.subarray(150_000))).to.equal(true);
    // All was there, and only the end of the chunks was missing.
    expect(positions).to.deep.equal([0, 100_000]);
    const other = await served({ chunked: true, cuts: [cut(SIZE)] });
    const whole = await download(other.url);
    expect((await whole.readall()).equals(FILE)).to.equal(true);
    expect(other.positions).to.deep.equal([0, SIZE]);
    expect(whole).to.include({ total: SIZE, length: 0, resumes: 0 });
  });

  it('asks for one part after the other where a server gives less than all that is left', async () => {
    const part = (from: number): string =>
      `HTTP/1.1 206 Partial\r\nETag: ${ETAG}\r\nContent-Range: bytes ${String(from)}-${String(from + 999)}/${String(SIZE)}\r\nContent-Length: 1000\r\n\r\n`;
    const { url, positions } = await served({
      cuts: [cut(10)],
      instead: (_, number) =>
        number === 2 || number === 3
          ? part((number - 2) * 1000 + 10) +
            FILE.toString('latin1', (number - 2) * 1000 + 10, (number - 1) * 1000 + 10)
          : null,
    });
    const body = await download(url);
    expect((await body.readall()).equals(FILE)).to.equal(true);
    expect(positions).to.deep.equal([0, 10, 1010, 2010]);
    expect(body.resumes).to.equal(3);
  });

  it('gives its connection back with the last byte', async () => {
    const { url } = await served({ cuts: [cut(10)] });
    const client = clientWith();
    const body = await client.resumable(url, { minDelay: 1 });
    await body.readbytes(SIZE);
    expect(body.isClosed()).to.equal(true);
    expect(client.stats).to.include({ busy: 0, idle: 1 });
    expect(await body.drain()).to.equal(true);
  });
});

describe('a download that cannot go on', () => {
  const refusals: readonly [name: string, fields: string][] = [
    ['nothing to know the file by', ''],
    ['a weak ETag', 'ETag: W/"one"\r\n'],
    [
      'a date that is too new',
      'Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\nDate: Sun, 06 Nov 1994 08:50:36 GMT\r\n',
    ],
    ['Accept-Ranges: none', `ETag: ${ETAG}\r\nAccept-Ranges: none\r\n`],
  ];
  for (const [name, fields] of refusals)
    it(`is given the failure as it is: ${name}`, async () => {
      const { url, positions } = await served({ fields, cuts: [cut(100_000)] });
      const body = await download(url);
      const error = await rejection<IncompleteRead>(read(body));
      expect(error).to.be.instanceOf(IncompleteRead);
      expect(error.partial.equals(FILE.subarray(0, 100_000))).to.equal(true);
      expect(error.expected).to.equal(200_000);
      expect(positions).to.deep.equal([0]);
    });

  it('shows a first answer that is no success as it is, and leaves it alone', async () => {
    let requests = 0;
    const { port } = await rawServer((socket) => {
      requests++;
      socket.end(`HTTP/1.1 503 Busy\r\nETag: ${ETAG}\r\nContent-Length: 10\r\n\r\nbusy`);
    });
    const body = await download(`http://127.0.0.1:${String(port)}/`);
    expect(body).to.include({ status: 503, validator: null, total: 10 });
    expect(await rejection(read(body))).to.be.instanceOf(IncompleteRead);
    expect(requests).to.equal(1);
  });

  const faults: readonly [name: string, head: string, Class: new (...given: never[]) => Error][] = [
    ['a changed file', 'HTTP/1.1 200 OK\r\nETag: "two"\r\nContent-Length: 2\r\n', ResourceChanged],
    [
      'another ETag',
      `HTTP/1.1 206 P\r\nETag: "two"\r\nContent-Range: bytes 10-11/${String(SIZE)}\r\nContent-Length: 2\r\n`,
      ResourceChanged,
    ],
    [
      'another total',
      'HTTP/1.1 206 P\r\nContent-Range: bytes 10-11/12\r\nContent-Length: 2\r\n',
      ResourceChanged,
    ],
    [
      'a wrong range',
      `HTTP/1.1 206 P\r\nContent-Range: bytes 8-9/${String(SIZE)}\r\nContent-Length: 2\r\n`,
      BadHeader,
    ],
    ['no range', 'HTTP/1.1 206 P\r\nContent-Length: 2\r\n', BadHeader],
    ['a status that says something else', 'HTTP/1.1 404 Gone\r\nContent-Length: 2\r\n', BadHeader],
    [
      'a coding',
      `HTTP/1.1 206 P\r\nContent-Encoding: gzip\r\nContent-Range: bytes 10-11/${String(SIZE)}\r\nContent-Length: 2\r\n`,
      BadEncoding,
    ],
  ];
  for (const [name, head, Class] of faults)
    it(`fails with ${Class.name}, without a byte of the answer and without another attempt: ${name}`, async () => {
      const { url, positions, server } = await served({
        cuts: [cut(10)],
        instead: (_, number) => (number > 1 ? `${head}\r\nxx` : null),
      });
      const body = await download(url);
      const taken: Buffer[] = [];
      const take = async (): Promise<void> => {
        for await (const piece of body) taken.push(piece);
      };
      const error = await rejection(take());
      expect(error).to.be.instanceOf(Class).and.to.include({ method: 'GET', phase: 'body' });
      expect(error.cause).to.be.instanceOf(IncompleteRead);
      expect(Buffer.concat(taken).equals(FILE.subarray(0, 10))).to.equal(true);
      expect(positions).to.deep.equal([0, 10]);
      expect(body.resumes).to.equal(0);
      await server.peer(1).closed;
    });

  it('says what the file was and is', async () => {
    const { url } = await served({
      cuts: [cut(10)],
      instead: (_, number) =>
        number > 1 ? 'HTTP/1.1 200 OK\r\nETag: "two"\r\nContent-Length: 2\r\n\r\nxx' : null,
    });
    const error = await rejection<ResourceChanged>(read(await download(url)));
    expect(error).to.include({ position: 10, was: ETAG, now: '"two"' });
  });

  it('uses no byte beyond the range that was announced', async () => {
    const chunk = '4\r\nxxxx\r\n0\r\n\r\n';
    const { url } = await served({
      cuts: [cut(10)],
      instead: (_, number) =>
        number > 1
          ? `HTTP/1.1 206 P\r\nContent-Range: bytes 10-12/${String(SIZE)}\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}`
          : null,
    });
    const body = await download(url);
    await body.readbytes(10);
    expect(await rejection(body.readbytes(1))).to.be.instanceOf(BadHeader);
    expect(body.position).to.equal(10);
  });
});

describe('a download that begins within a file', () => {
  it('asks for what is missing, and counts from there', async () => {
    const { url, server } = await served({ cuts: [cut(200_000)] });
    const body = await download(url, { from: { position: 100_000, validator: ETAG } });
    expect(body).to.include({
      status: 206,
      position: 100_000,
      total: SIZE,
      length: 200_000,
      validator: ETAG,
      resumes: 0,
    });
    expect((await body.readall()).equals(FILE.subarray(100_000))).to.equal(true);
    expect(body).to.include({ position: SIZE, resumes: 1 });
    expect(server.requests.map((request) => fieldOf(request, 'if-range'))).to.deep.equal([ETAG, ETAG]);
    expect(server.requests.map((request) => fieldOf(request, 'range'))).to.deep.equal([
      'bytes=100000-',
      'bytes=200000-',
    ]);
  });

  it('is empty when the whole file is there already', async () => {
    const { url, positions } = await served();
    const body = await download(url, { from: { position: SIZE, validator: ETAG } });
    expect(body).to.include({ position: SIZE, total: SIZE, length: 0 });
    expect(await body.readall()).to.have.length(0);
    expect(positions).to.deep.equal([SIZE]);
  });

  it('takes the date that an earlier program was given', async () => {
    const validator = 'Sun, 06 Nov 1994 08:49:37 GMT';
    const { url, server } = await served();
    const body = await download(url, { from: { position: 5, validator } });
    expect((await body.readall()).equals(FILE.subarray(5))).to.equal(true);
    expect(fieldOf(server.request, 'if-range')).to.equal(validator);
  });

  const answers: readonly [name: string, answer: string, Class: new (...given: never[]) => Error][] = [
    ['a 200', 'HTTP/1.1 200 OK\r\nETag: "two"\r\nContent-Length: 2\r\n\r\nxx', ResourceChanged],
    [
      'another ETag',
      'HTTP/1.1 206 P\r\nETag: "two"\r\nContent-Range: bytes 10-11/12\r\nContent-Length: 2\r\n\r\nxx',
      ResourceChanged,
    ],
    [
      'a file that is shorter',
      'HTTP/1.1 416 R\r\nContent-Range: bytes */9\r\nContent-Length: 2\r\n\r\nxx',
      ResourceChanged,
    ],
    [
      'another range',
      'HTTP/1.1 206 P\r\nContent-Range: bytes 0-11/12\r\nContent-Length: 12\r\n\r\n',
      BadHeader,
    ],
    [
      'a coding',
      'HTTP/1.1 206 P\r\nContent-Encoding: gzip\r\nContent-Range: bytes 10-11/12\r\nContent-Length: 2\r\n\r\nxx',
      BadEncoding,
    ],
  ];
  for (const [name, text, Class] of answers)
    it(`is refused with ${Class.name}: ${name}`, async () => {
      const { url, server } = await served({ instead: () => text });
      const error = await rejection(download(url, { from: { position: 10, validator: ETAG } }));
      expect(error).to.be.instanceOf(Class);
      await server.peer().closed;
    });

  it('shows an answer that is no success as it is', async () => {
    const { url } = await served({
      instead: () => 'HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone',
    });
    const body = await download(url, { from: { position: 10, validator: ETAG } });
    expect(body).to.include({ status: 404, position: 0, total: 4, validator: null });
    expect(await body.text()).to.equal('gone');
  });
});

describe('the attempts of a download', () => {
  it('are counted since the last byte, and the last failure is given', async () => {
    const { url, positions } = await served({
      cuts: [
        cut(10),
        cut(20),
        cut(20, 'no answer'),
        cut(20, 'no answer'),
        cut(30),
        ...Array.from({ length: 9 }, () => cut(30, 'no answer')),
      ],
    });
    const events: Resume[] = [];
    const body = await download(url, { attempts: 3, onResume: noted(events) });
    const error = await rejection(read(body));
    expect(error).to.include({ name: 'RemoteDisconnected' });
    expect(events.map(({ number }) => number)).to.deep.equal([1, 1, 2, 3, 1, 2, 3]);
    expect(positions).to.deep.equal([0, 10, 20, 20, 20, 30, 30, 30]);
  });

  it('are none with attempts: 0', async () => {
    const { url, positions } = await served({ cuts: [cut(10)] });
    const body = await download(url, { attempts: 0 });
    expect(await rejection(read(body))).to.be.instanceOf(IncompleteRead);
    expect(positions).to.deep.equal([0]);
  });

  it('are ten by default', async () => {
    const { url, positions } = await served({
      cuts: [cut(10), ...Array.from({ length: 20 }, () => cut(10, 'end in head'))],
    });
    const body = await download(url, { maxDelay: 1 });
    await rejection(read(body));
    expect(positions).to.have.length(11);
  });

  it('go on while a server cannot be reached', async () => {
    const { url, server } = await served({ cuts: [cut(10)] });
    const failures: unknown[] = [];
    const body = await download(url, {
      minDelay: 40,
      maxDelay: 40,
      attempts: 3,
      onResume: ({ error }) => {
        failures.push((error as NodeJS.ErrnoException).code);
      },
    });
    await body.readbytes(10);
    await server.close();
    expect(await rejection(body.readbytes(1))).to.include({ code: 'ECONNREFUSED' });
    expect(failures).to.deep.equal(['ERR_INCOMPLETE_READ', 'ECONNREFUSED', 'ECONNREFUSED']);
  });

  for (const [status, seconds] of [
    [429, 1],
    [500, 0],
    [503, 1],
  ] as const)
    it(`wait for a server that answers ${String(status)}, as long as it says: ${String(seconds)} s`, async () => {
      const { url, positions, server } = await served({
        cuts: [cut(10)],
        instead: (_, number) =>
          number === 2
            ? `HTTP/1.1 ${String(status)} Later\r\nRetry-After: ${String(seconds)}\r\nContent-Length: 4\r\n\r\nbusy`
            : null,
      });
      const events: Resume[] = [];
      const begun = performance.now();
      const body = await download(url, { onResume: noted(events) });
      expect((await body.readall()).equals(FILE)).to.equal(true);
      expect(performance.now() - begun).to.be.above(seconds * 1000 - 10);
      expect(positions).to.deep.equal([0, 10, 10]);
      expect(events.map(({ number }) => number)).to.deep.equal([1, 2]);
      expect(body.resumes).to.equal(1);
      expect(server.connections, 'the busy answer was read and its connection used again').to.equal(2);
    });

  it('give a body that ended early when a server stays busy', async () => {
    const { url } = await served({
      cuts: [cut(10)],
      instead: (_, number) => (number > 1 ? 'HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n' : null),
    });
    const error = await rejection<IncompleteRead>(read(await download(url, { attempts: 2 })));
    expect(error).to.be.instanceOf(IncompleteRead);
    expect(error.message).to.include('503 Busy');
    expect(error.partial.equals(FILE.subarray(0, 10))).to.equal(true);
  });

  it('wait between half and all of what the delays say', async () => {
    const { url } = await served({ cuts: [cut(10), cut(10, 'no answer'), cut(10, 'no answer')] });
    const begun = performance.now();
    const body = await download(url, { minDelay: 100, maxDelay: 200 });
    await body.readall();
    // 50, 100, 100 at the least.
    expect(performance.now() - begun).to.be.above(245);
  });

  it('end with what onResume throws, or rejects with', async () => {
    const mine = new Error('mine');
    for (const onResume of [
      () => {
        throw mine;
      },
      (() => Promise.reject(mine)) as unknown as () => void,
    ]) {
      const { url } = await served({ cuts: [cut(10), cut(10, 'stall')] });
      const body = await download(url, { onResume });
      expect(await rejection(read(body))).to.equal(mine);
    }
  });

  it('end when onResume destroys the download', async () => {
    const { url, positions } = await served({ cuts: [cut(10)] });
    const body: ResumableDownload = await download(url, {
      onResume: () => {
        body.destroy();
      },
    });
    await rejection(read(body));
    await sleep(30);
    expect(positions).to.deep.equal([0]);
  });
});

describe('a reader that does not read', () => {
  it('has nothing asked for in its place, and goes on when it reads', async () => {
    const { url, positions } = await served({ cuts: [cut(100_000, 'reset')] });
    const body = await download(url);
    const check = new FileCheck();
    let pieces = 0;
    for await (const piece of body) {
      check.add(piece);
      if (pieces++ > 0) continue;
      await sleep(60);
      expect(positions).to.deep.equal([0]);
    }
    expect(check.position).to.equal(SIZE);
  });

  it('is no stall, however long it stays away', async () => {
    const { url, positions } = await served({ fields: '', cuts: [cut(50_000, 'stall')] });
    const body = await download(url, { timeout: { body: 40 } });
    let bytes = 0;
    body.on('data', (piece: Buffer) => {
      bytes += piece.length;
      if (bytes === 50_000) body.pause();
    });
    while (bytes < 50_000) await sleep(5);
    await sleep(150);
    expect(body.destroyed).to.equal(false);
    const ended = rejection(finished(body));
    body.resume();
    const error = await ended;
    expect(error).to.be.instanceOf(TimeoutError).and.to.include({ timer: 'body' });
    expect(positions).to.deep.equal([0]);
  });

  it('waits for the reader also behind a pause between two attempts', async () => {
    const { url, positions } = await served({ cuts: [cut(10)] });
    const body = await download(url, { minDelay: 60, maxDelay: 60 });
    const check = new FileCheck();
    body.on('data', (piece: Buffer) => {
      check.add(piece);
    });
    while (check.position < 10) await sleep(5);
    body.pause();
    await sleep(120);
    expect(positions).to.deep.equal([0]);
    body.resume();
    await finished(body);
    expect(check.position).to.equal(SIZE);
  });
});

describe('the end of a download', () => {
  interface Stand {
    readonly name: string;
    readonly cuts: Cut[];
    readonly instead?: FileServerOptions['instead'];
    readonly options?: Parameters<typeof download>[1];
    readonly requests: number;
  }
  const stands: readonly Stand[] = [
    { name: 'while it reads', cuts: [cut(10, 'stall')], requests: 1 },
    {
      name: 'while it waits to go on',
      cuts: [cut(10)],
      options: { minDelay: 5000, maxDelay: 5000 },
      requests: 1,
    },
    { name: 'while it asks', cuts: [cut(10)], instead: (_, number) => (number > 1 ? '' : null), requests: 2 },
    { name: 'while it reads a continuation', cuts: [cut(10), cut(20, 'stall')], requests: 2 },
    {
      name: 'while a server keeps it waiting',
      cuts: [cut(10)],
      instead: (_, number) =>
        number > 1
          ? 'HTTP/1.1 503 Busy\r\nRetry-After: 9\r\nConnection: close\r\nContent-Length: 0\r\n\r\n'
          : null,
      requests: 2,
    },
    {
      name: 'while it reads what a busy server has to say',
      cuts: [cut(10)],
      instead: (_, number) => (number > 1 ? 'HTTP/1.1 503 Busy\r\nContent-Length: 9\r\n\r\n' : null),
      requests: 2,
    },
  ];

  for (const { name, cuts, instead, options, requests } of stands) {
    const begin = async (
      more: Parameters<typeof download>[1],
    ): Promise<{ body: ResumableDownload; reading: Promise<Error>; check: () => Promise<void> }> => {
      const { url, positions, server } = await served({
        cuts,
        ...(instead === undefined ? {} : { instead }),
      });
      const body = await download(url, { ...options, ...more });
      const reading = rejection(read(body));
      await server.until(() => positions.length === requests);
      await sleep(30);
      return {
        body,
        reading,
        async check() {
          await finished(body, { error: false }).catch(() => undefined);
          await Promise.all(server.peers.map(({ closed }) => closed));
          await sleep(30);
          expect(positions).to.have.length(requests);
        },
      };
    };

    it(`is at once with an abort, ${name}`, async () => {
      const control = new AbortController();
      const reason = new Error('enough');
      const { body, reading, check } = await begin({ signal: control.signal });
      control.abort(reason);
      expect(body.destroyed).to.equal(true);
      expect(await reading).to.equal(reason);
      await check();
      expect(getEventListeners(control.signal, 'abort')).to.have.length(0);
    });

    it(`is at once with destroy(), ${name}`, async () => {
      const { signal } = new AbortController();
      const mine = new Error('mine');
      const { body, reading, check } = await begin({ signal });
      body.destroy(mine);
      expect(await reading).to.equal(mine);
      await check();
      expect(getEventListeners(signal, 'abort')).to.have.length(0);
    });

    it(`comes when the time for all of it is over, ${name}`, async () => {
      const begun = performance.now();
      const { reading, check } = await begin({ timeout: { total: 150 } });
      const error = await reading;
      expect(error)
        .to.be.instanceOf(TimeoutError)
        .and.to.include({ timer: 'total', phase: 'body', method: 'GET' });
      expect(performance.now() - begun).to.be.within(145, 600);
      await check();
    });
  }

  it('comes at once while nobody reads, although the connection was lost', async () => {
    const mine = new Error('mine');
    for (const total of [undefined, 100]) {
      const control = new AbortController();
      const { url, server } = await served({ cuts: [cut(20_000)] });
      const body = await download(url, { signal: control.signal, timeout: { total } });
      await server.peer().closed;
      await sleep(30);
      const ended = rejection(finished(body));
      if (total === undefined) control.abort(mine);
      const error = await ended;
      if (total === undefined) expect(error).to.equal(mine);
      else expect(error).to.include({ timer: 'total' });
      expect(body.destroyed).to.equal(true);
      expect(getEventListeners(control.signal, 'abort')).to.have.length(0);
    }
  });

  it('does not come by the time for all of it once all of it was received', async () => {
    const { url } = await fileServer({ size: 5000 });
    const body = await download(url, { timeout: { total: 60 } });
    await sleep(120);
    expect((await body.readall()).equals(wholeFile(5000))).to.equal(true);
  });

  it('leaves no listener behind', async () => {
    const { signal } = new AbortController();
    const { url } = await served({ cuts: [cut(10), cut(20, 'reset')] });
    await (await download(url, { signal })).readall();
    expect(getEventListeners(signal, 'abort')).to.have.length(0);
  });
});

describe('the options of a download', () => {
  const bad: readonly [name: string, options: object][] = [
    ['attempts', { attempts: -1 }],
    ['attempts', { attempts: 1.5 }],
    ['attempts', { attempts: '3' }],
    ['minDelay', { minDelay: -1 }],
    ['maxDelay', { maxDelay: Number.NaN }],
    ['onResume', { onResume: 3 }],
    ['from', { from: 5 }],
    ['from.position', { from: { position: -1, validator: ETAG } }],
    ['from.position', { from: { position: 0.5, validator: ETAG } }],
    ['from.validator', { from: { position: 1 } }],
    ['from.validator', { from: { position: 1, validator: 'W/"weak"' } }],
    ['from.validator', { from: { position: 1, validator: '"a"\r\nX: 1' } }],
    ['Range', { headers: { Range: 'bytes=0-1' } }],
    ['If-Range', { headers: { 'If-Range': ETAG } }],
  ];
  for (const [name, options] of bad)
    it(`are refused before anything is sent: ${name} ${JSON.stringify(Object.values(options)[0])}`, async () => {
      const { url, server } = await served();
      let error: unknown;
      try {
        await download(url, options);
      } catch (thrown) {
        error = thrown;
      }
      expect(error).to.be.instanceOf(TypeError);
      expect((error as Error).message).to.include(name);
      expect(server.connections).to.equal(0);
    });
});
