/**
 * A body that ends before its framing says so: an error in every way of reading, wherever it was cut, and no byte lost.
 */
import { expect } from 'chai';
import { once } from 'node:events';
import { Readable, Writable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';

import { IncompleteRead } from '../../lib/errors.js';
import type { ExchangeData } from '../../lib/errors.js';
import type { HTTPResponse } from '../../lib/response/response.js';
import { connectionTo, OK, rawServer } from '../support/raw-server.js';
import type { RawServer } from '../support/raw-server.js';
import { rejection } from '../support/rejection.js';
import { uncaughtErrors } from '../support/uncaught.js';

const DATA = 'first\nsecond';
const LENGTH_HEAD = `HTTP/1.1 200 OK\r\nContent-Length: ${String(DATA.length)}\r\n\r\n`;
const CHUNKED_HEAD = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
/* The chunk data is marked off, so that a cut tells how much of it was sent. */
const CHUNKS: readonly [framing: string, data: string][] = [
  ['4;x="y"\r\n', 'firs'],
  ['\r\n8\r\n', 't\nsecond'],
  ['\r\n0\r\nX-Sum: 1\r\n\r\n', ''],
];

interface Cut {
  name: string;
  wire: string;
  /** The bytes of the body that were sent. */
  sent: string;
  expected: number | null;
}

function* cuts(): Generator<Cut> {
  for (let size = 0; size < DATA.length; size++) {
    const sent = DATA.slice(0, size);
    yield {
      name: `length, cut behind ${String(size)}`,
      wire: LENGTH_HEAD + sent,
      sent,
      expected: DATA.length - size,
    };
  }
  const octets = CHUNKS.flatMap(([framing, data]) => [
    ...Array.from(framing, (octet) => ({ octet, isData: false })),
    ...Array.from(data, (octet) => ({ octet, isData: true })),
  ]);
  for (let size = 0; size < octets.length; size++) {
    const cut = octets.slice(0, size);
    const sent = cut.filter(({ isData }) => isData);
    yield {
      name: `chunked, cut behind ${String(size)}`,
      wire: CHUNKED_HEAD + cut.map(({ octet }) => octet).join(''),
      sent: sent.map(({ octet }) => octet).join(''),
      expected: null,
    };
  }
}

/** Reads until the failure; what earlier calls returned goes to `take`. */
type Way = (response: HTTPResponse, take: (bytes: Uint8Array | string) => void) => Promise<unknown>;

/** The ways that return what they have read before the failure, with the rest in `partial`. */
const WAYS: Record<string, Way> = {
  readall: (response) => response.readall(),
  'readbytes without amount': (response) => response.readbytes(),
  'readbytes(1000)': (response) => response.readbytes(1000),
  'readbytes(3)': async (response, take) => {
    for (;;) take(await response.readbytes(3));
  },
  'readinto, a large view': (response) => response.readinto(Buffer.alloc(1000)),
  'readinto, a small view': async (response, take) => {
    const view = Buffer.alloc(3);
    for (;;) take(view.subarray(0, await response.readinto(view)));
  },
  read1: async (response, take) => {
    for (;;) take(await response.read1(2));
  },
  'peek and read1': async (response, take) => {
    for (;;) {
      const shown = await response.peek();
      expect(shown.length).to.be.above(0);
      take(await response.read1());
    }
  },
  readline: async (response, take) => {
    for (;;) take(await response.readline());
  },
  readlines: (response) => response.readlines(),
  lines: async (response, take) => {
    for await (const line of response.lines()) take(`${line}\n`);
  },
  text: (response) => response.text(),
  json: (response) => response.json(),
  'for await': async (response, take) => {
    for await (const piece of response) take(piece);
  },
  "'data'": async (response, take) => {
    response.on('data', take);
    await once(response, 'end');
  },
  "'readable'": async (response, take) => {
    response.on('readable', () => {
      for (
        let part = response.read(2) ?? response.read(1);
        part !== null;
        part = response.read(2) ?? response.read(1)
      )
        take(part);
    });
    await once(response, 'end');
  },
  pipeline: (response, take) =>
    pipeline(
      response,
      new Writable({
        write(bytes: Buffer, _encoding, done) {
          take(bytes);
          done();
        },
      }),
    ),
  'Readable.toWeb': async (response, take) => {
    for await (const piece of Readable.toWeb(response)) take(piece as Uint8Array);
  },
  'setEncoding and for await': async (response, take) => {
    response.setEncoding('latin1');
    for await (const piece of response as AsyncIterable<Buffer | string>) take(piece);
  },
};

/** The server sends the wire that the target names by its place in the list, then its end. */
async function cuttingServer(list: readonly Cut[]): Promise<RawServer> {
  return rawServer((socket, { target }) => {
    socket.end(Buffer.from(list[Number(target.slice(1))]?.wire ?? '', 'latin1'));
  });
}

describe('a body cut short', () => {
  const list = [...cuts()];

  for (const [name, way] of Object.entries(WAYS)) {
    it(`fails ${name} with IncompleteRead at every cut, and what was sent is in what was read and in partial`, async () => {
      const server = await cuttingServer(list);
      for (const [index, cut] of list.entries()) {
        const connection = connectionTo(server);
        await connection.request('GET', `/${String(index)}`);
        const response = await connection.getResponse();
        const taken: Buffer[] = [];
        const error = await rejection<IncompleteRead>(
          way(response, (bytes) => taken.push(Buffer.from(bytes as Uint8Array))),
        );
        expect(error, cut.name).to.be.instanceOf(IncompleteRead);
        expect(error, cut.name).to.include({ code: 'ERR_INCOMPLETE_READ', expected: cut.expected });
        expect(String(Buffer.concat(taken)) + String(error.partial), cut.name).to.equal(cut.sent);
        expect(error).to.include({ method: 'GET', url: `/${String(index)}`, phase: 'body', reused: false });
        expect(error.bytesReceived, cut.name).to.equal(cut.wire.length);
        expect(response.trailers.size).to.equal(0);
        expect(response.destroyed).to.equal(true);
        const second = await rejection<IncompleteRead>(response.readall());
        expect(second, cut.name).to.be.instanceOf(IncompleteRead);
        expect(second.partial).to.have.lengthOf(0);
        expect(connection.socket).to.equal(null);
        connection.close();
      }
    });
  }

  it('fails drain, and the next request dials anew', async () => {
    const server = await rawServer((socket, { target }) => {
      if (target === '/ok') socket.write(OK);
      else socket.end(`${LENGTH_HEAD}first`);
    });
    const connection = connectionTo(server);
    await connection.request('GET', '/cut');
    const response = await connection.getResponse();
    expect(await rejection(response.drain())).to.include({ name: 'IncompleteRead', expected: 7 });
    await connection.request('GET', '/ok');
    expect(await (await connection.getResponse()).text()).to.equal('ok');
    connection.close();
  });

  it('fails pipe: the source reports it, and the sink is not ended', async () => {
    const server = await cuttingServer(list);
    const connection = connectionTo(server);
    await connection.request('GET', '/5');
    const response = await connection.getResponse();
    const written: Buffer[] = [];
    const sink = new Writable({
      write(bytes: Buffer, _encoding, done) {
        written.push(bytes);
        done();
      },
    });
    const failure = rejection(finished(response as Readable));
    response.pipe(sink);
    expect(await failure).to.be.instanceOf(IncompleteRead);
    expect(String(Buffer.concat(written))).to.equal('first');
    expect(sink.writableEnded).to.equal(false);
    connection.close();
  });

  it('harms nobody when nobody listens: dropped, paused, half read or piped', async () => {
    const server = await cuttingServer(list);
    const drop: ((response: HTTPResponse) => unknown)[] = [
      () => undefined,
      (response) => response.pause(),
      (response) => response.resume(),
      (response) => response.once('data', () => undefined),
      (response) => response.pipe(new Writable({ write: (_bytes, _encoding, done) => done() })),
      (response) => response.read(),
      (response) => response.readbytes(2),
    ];
    const thrown = await uncaughtErrors(async () => {
      for (const how of drop) {
        const connection = connectionTo(server);
        await connection.request('GET', '/7');
        const response = await connection.getResponse();
        how(response);
        await server.peer(server.connections - 1).closed;
        for (let i = 0; i < 3; i++) await new Promise(setImmediate);
      }
    });
    expect(thrown).to.deep.equal([]);
  });

  it('is no failure for a body that the close ends', async () => {
    const server = await rawServer((socket) => socket.end(`HTTP/1.1 200 OK\r\n\r\n${DATA}`));
    for (const [name, way] of Object.entries(WAYS)) {
      if (/readbytes\(3|small view|read1|readline$/.test(name)) continue;
      const connection = connectionTo(server);
      await connection.request('GET', '/');
      const response = await connection.getResponse();
      expect(response.willClose).to.equal(true);
      const outcome = await way(response, () => undefined).then(
        () => 'read',
        (error: Error) => error.name,
      );
      expect(outcome, name).to.equal(name === 'json' ? 'SyntaxError' : 'read');
      connection.close();
    }
  });
});

describe('the message of a body cut short', () => {
  async function cutBehind(bytes: number): Promise<HTTPResponse> {
    const server = await rawServer((socket) => {
      socket.end(`HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n${'x'.repeat(bytes)}`);
    });
    const connection = connectionTo(server);
    await connection.request('GET', '/cut');
    return connection.getResponse();
  }

  it('says how many bytes had come in all, and how many of them the failing call had', async () => {
    const response = await cutBehind(40);
    await response.readbytes(10);
    const { message } = await rejection(response.readall());
    expect(message).to.contain('(40 bytes had come, 30 of them to this call, 60 more expected)');
    const first = await cutBehind(40);
    expect((await rejection(first.readall())).message).to.contain('(40 bytes read, 60 more expected)');
  });

  it('says it of a stream too, whose pieces went before', async () => {
    const response = await cutBehind(40);
    response.resume();
    const [error] = (await once(response, 'error')) as [Error];
    expect(error.message).to.contain('(40 bytes had come, 60 more expected)');
  });
});

describe('a connection that is reset within a body', () => {
  const TABLE = [
    { name: 'with a length', head: LENGTH_HEAD },
    { name: 'in chunks', head: `${CHUNKED_HEAD}c\r\n` },
    { name: 'that the close would end', head: 'HTTP/1.1 200 OK\r\n\r\n' },
  ];
  const READERS = ['readall', 'readline', 'for await', "'data'", 'readinto, a large view', 'lines'];

  for (const { name, head } of TABLE) {
    it(`fails a body ${name} with the socket's error, behind the bytes that came`, async () => {
      const server = await rawServer((socket) => {
        socket.write(`${head}first\n`);
      });
      for (const reader of READERS) {
        const connection = connectionTo(server);
        await connection.request('GET', '/reset');
        const response = await connection.getResponse();
        expect(String(await response.readline())).to.equal('first\n');
        const reading = rejection<ExchangeData & Error>(
          WAYS[reader]?.(response, () => undefined) ?? Promise.resolve(),
        );
        server.peer(server.connections - 1).socket.resetAndDestroy();
        const error = await reading;
        expect(error, reader).to.include({ method: 'GET', url: '/reset', phase: 'body' });
        expect(error.bytesReceived).to.equal(head.length + 6);
        expect(error, reader).to.include({ code: 'ECONNRESET' });
        expect(await rejection(response.readall())).to.include({
          code: (error as NodeJS.ErrnoException).code,
        });
        connection.close();
      }
    });
  }

  it('harms nobody when nobody listens', async () => {
    const server = await rawServer((socket) => {
      socket.write(`${LENGTH_HEAD}first`, () => setImmediate(() => socket.resetAndDestroy()));
    });
    const thrown = await uncaughtErrors(async () => {
      for (let i = 0; i < 5; i++) {
        const connection = connectionTo(server);
        await connection.request('GET', '/');
        await connection.getResponse().catch(() => undefined);
        await server.peer(server.connections - 1).closed;
        await new Promise(setImmediate);
      }
    });
    expect(thrown).to.deep.equal([]);
  });
});
