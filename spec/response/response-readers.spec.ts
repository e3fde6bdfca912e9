/**
 * http.client's readers over real sockets: into views that bytes are received straight into, and mixed, by length and by chunks.
 */
import { expect } from 'chai';

import type { HTTPResponse } from '../../lib/response/response.js';
import { randomNumbers } from '../support/cuttings.js';
import { connectionTo, OK, rawServer } from '../support/raw-server.js';
import type { RawServer } from '../support/raw-server.js';

const BODY = Buffer.from(
  Array.from({ length: 700_000 }, (_, i) => (i % 97 === 0 ? 0x0a : (i * 7 + (i >> 8)) & 0xff)),
);

/** `/length`, `/large` (in large chunks) and `/small` (in small ones) answer with the body, `/ok` with a small one. */
function bodyServer(): Promise<RawServer> {
  return rawServer((socket, { target }) => {
    if (target === '/ok') {
      socket.write(OK);
    } else if (target === '/length') {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${String(BODY.length)}\r\n\r\n`);
      socket.write(BODY);
    } else {
      const size = target === '/large' ? 200_000 : 3001;
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
      for (let at = 0; at < BODY.length; at += size) {
        const chunk = BODY.subarray(at, at + size);
        socket.cork();
        socket.write(`${chunk.length.toString(16)}\r\n`);
        socket.write(chunk);
        socket.write('\r\n');
        socket.uncork();
      }
      socket.write('0\r\nX-Sum: 1\r\n\r\n');
    }
  });
}

/** Reads some of the body; what it has read, or null for a reader that leaves the position. */
type Reader = (response: HTTPResponse, amount: number) => Promise<Buffer | null>;

const READERS: Reader[] = [
  (response, amount) => response.readbytes(amount),
  (response, amount) => response.read1(amount),
  (response) => response.read1(),
  (response) => response.readline(),
  (response, amount) => response.readline(amount),
  async (response, amount) => Buffer.concat(await response.readlines(amount + 1)),
  async (response, amount) => {
    const view = Buffer.alloc(amount * 3);
    return view.subarray(0, await response.readinto(view));
  },
  async (response) => {
    const { value } = await response[Symbol.asyncIterator]().next();
    return (value as Buffer | undefined) ?? Buffer.alloc(0);
  },
  async (response, amount) => {
    await response.peek(amount);
    return null;
  },
  async (response, amount) => {
    const bytes = response.read(amount);
    await new Promise(setImmediate);
    return bytes;
  },
];

describe('the readers of a response', () => {
  for (const target of ['/length', '/large', '/small']) {
    for (const size of [1000, 65_536, 300_000, 1_000_000]) {
      it(`readinto fills views of ${String(size)} bytes from ${target}, and the connection is used again`, async () => {
        const server = await bodyServer();
        const connection = connectionTo(server);
        await connection.request('GET', target);
        const response = await connection.getResponse();
        const view = Buffer.alloc(size);
        let at = 0;
        for (let count = await response.readinto(view); count > 0; count = await response.readinto(view)) {
          expect(count).to.equal(Math.min(size, BODY.length - at));
          expect(view.compare(BODY, at, at + count, 0, count)).to.equal(0);
          at += count;
        }
        expect(at).to.equal(BODY.length);
        expect(response.trailers.size).to.equal(target === '/length' ? 0 : 1);
        await connection.request('GET', '/ok');
        expect(await (await connection.getResponse()).text()).to.equal('ok');
        expect(server.connections).to.equal(1);
        connection.close();
      });
    }

    it(`give every byte of ${target} once and in order, however they are mixed`, async () => {
      const server = await bodyServer();
      for (const seed of [1, 2, 3, 4]) {
        const random = randomNumbers(seed);
        const connection = connectionTo(server);
        await connection.request('GET', target);
        const response = await connection.getResponse();
        const parts: Buffer[] = [];
        for (let i = 0; i < 60; i++) {
          const reader = READERS[Math.floor(random() * READERS.length)] as Reader;
          const part = await reader(response, Math.floor(random() ** 4 * 40_000));
          // A copy: some of them are views of what will be used again.
          if (part !== null) parts.push(Buffer.from(part));
        }
        parts.push(await response.readall());
        expect(Buffer.concat(parts).equals(BODY), `seed ${String(seed)}`).to.equal(true);
        expect(await response.drain()).to.equal(true);
        connection.close();
      }
    });
  }
});
