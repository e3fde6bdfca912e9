/**
 * drain: what is left of a body is dropped, and the answer says whether the connection can be used again.
 */
import { expect } from 'chai';

import { IncompleteRead } from '../../lib/errors.js';
import { every, octets } from '../support/cuttings.js';
import { FedResponse, responseOf } from '../support/fed-response.js';
import { connectionTo, OK, rawServer } from '../support/raw-server.js';
import { rejection } from '../support/rejection.js';

const BODY = Buffer.from('0123456789');
const LENGTH = ['Content-Length', '10'];
const CHUNKED = ['Transfer-Encoding', 'chunked'];

describe('drain', () => {
  it('drops what is left and resolves with true', async () => {
    for (const fields of [LENGTH, CHUNKED]) {
      for (const before of [0, 4, 10]) {
        const source = new FedResponse({ pieces: octets(BODY), fields, trailers: ['X-T', '1'] });
        await source.response.readbytes(before);
        expect(await source.response.drain()).to.equal(true);
        expect(source.response.isClosed()).to.equal(true);
        expect(source.response.trailers.get('x-t')).to.equal('1');
        expect(source.aborts).to.deep.equal([]);
        expect(await source.response.drain()).to.equal(true);
      }
    }
  });

  it('resolves with true at once for a response without a body', async () => {
    expect(
      await responseOf({ pieces: [], ahead: 1, status: 204 }).drain({ maxBytes: 0, timeout: 0 }),
    ).to.equal(true);
  });

  it('resolves with false when the peer closes anyway', async () => {
    expect(await responseOf({ pieces: octets(BODY), fields: LENGTH, reusable: false }).drain()).to.equal(
      false,
    );
  });

  const BOUNDS: [fields: string[], maxBytes: number, drained: boolean][] = [
    [LENGTH, 9, false],
    [LENGTH, 10, true],
    [LENGTH, Infinity, true],
    [CHUNKED, 8, false],
    [CHUNKED, 10, true],
    [CHUNKED, 0, false],
  ];
  for (const [fields, maxBytes, drained] of BOUNDS) {
    it(`of 10 bytes (${fields.join(': ')}) within ${String(maxBytes)} resolves with ${String(drained)}`, async () => {
      const source = new FedResponse({ pieces: every(BODY, 3), fields });
      expect(await source.response.drain({ maxBytes })).to.equal(drained);
      expect(source.response.destroyed || source.response.readableEnded || drained).to.equal(true);
      expect(source.aborts).to.deep.equal(drained ? [] : [null]);
    });
  }

  it('reads nothing of a body that is known to be too long', async () => {
    const source = new FedResponse({ pieces: every(BODY, 3), fields: LENGTH });
    expect(await source.response.drain({ maxBytes: 5 })).to.equal(false);
    expect(source.resumes).to.equal(0);
  });

  it('counts only what is left', async () => {
    const response = responseOf({ pieces: every(BODY, 3), fields: LENGTH });
    await response.readbytes(6);
    expect(await response.drain({ maxBytes: 4 })).to.equal(true);
  });

  it('gives up after its timeout, with false, and destroys the response', async () => {
    for (const fields of [LENGTH, CHUNKED]) {
      const source = new FedResponse({ pieces: octets(BODY.subarray(0, 5)), fields, end: 'nothing' });
      const start = performance.now();
      expect(await source.response.drain({ timeout: 40 })).to.equal(false);
      expect(performance.now() - start).to.be.at.least(38);
      expect(source.aborts).to.deep.equal([null]);
      expect(await rejection(source.response.readall())).to.be.instanceOf(IncompleteRead);
    }
  });

  it('waits for ever with a timeout that no timer can hold', async () => {
    for (const timeout of [Infinity, 2 ** 31, 2 ** 40, undefined]) {
      const source = new FedResponse({ pieces: [BODY], fields: LENGTH, end: 'nothing' });
      const drained = source.response.drain({ timeout });
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(source.response.destroyed, String(timeout)).to.equal(false);
      source.response.finish();
      expect(await drained).to.equal(true);
    }
  });

  it('refuses bounds that are none, and the body can still be read', async () => {
    const BAD: [options: object, says: RegExp][] = [
      [{ timeout: -1 }, /timeout must be a number that is not negative, got -1/],
      [{ timeout: '5' }, /timeout .* got string/],
      [{ maxBytes: NaN }, /maxBytes .* got NaN/],
      [{ maxBytes: -0.5 }, /maxBytes/],
      [{ maxbytes: 5 }, /did you mean 'maxBytes'/],
    ];
    for (const [options, says] of BAD) {
      const response = responseOf({ pieces: octets(BODY), fields: LENGTH });
      const error = await rejection(response.drain(options));
      expect(error).to.be.instanceOf(TypeError);
      expect(error.message).to.match(says);
      expect(await response.text()).to.equal(String(BODY));
    }
  });

  it('gives up after its timeout although bytes keep coming', async () => {
    const source = new FedResponse({ pieces: octets(Buffer.alloc(200_000)) });
    expect(await source.response.drain({ timeout: 30 })).to.equal(false);
    expect(source.response.destroyed).to.equal(true);
  });

  it('rejects for a body that is cut short, within its bounds', async () => {
    for (const options of [{}, { maxBytes: 100 }, { timeout: 1000 }]) {
      const end = new IncompleteRead(Buffer.alloc(0), 5);
      const response = responseOf({ pieces: octets(BODY.subarray(0, 5)), fields: LENGTH, end });
      const error = await rejection<IncompleteRead>(response.drain(options));
      expect(error).to.be.instanceOf(IncompleteRead);
      expect(error).to.include({ expected: 5 });
      expect(await rejection(response.drain(options))).to.be.instanceOf(IncompleteRead);
    }
  });

  it('waits its turn behind the readers before it', async () => {
    const response = responseOf({ pieces: octets(BODY), fields: LENGTH });
    const [head, drained] = await Promise.all([response.readbytes(4), response.drain()]);
    expect(String(head)).to.equal('0123');
    expect(drained).to.equal(true);
  });
});

describe('drain on a connection', () => {
  const WIRES: [name: string, wire: string, reused: boolean][] = [
    ['a length', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789', true],
    ['chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n', true],
    ['no body', 'HTTP/1.1 204 No Content\r\n\r\n', true],
    ['a close', 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 10\r\n\r\n0123456789', false],
    ['HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 10\r\n\r\n0123456789', false],
    [
      'HTTP/1.0 kept alive',
      'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 10\r\n\r\n0123456789',
      true,
    ],
    ['surplus', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789surplus', false],
  ];
  for (const [name, wire, reused] of WIRES) {
    it(`with ${name} tells whether the next request goes out on it: ${String(reused)}`, async () => {
      const server = await rawServer((socket, _request, peer) => {
        socket.write(peer === server.peers[0] && peer.requests.length === 1 ? wire : OK);
      });
      const connection = connectionTo(server);
      await connection.request('GET', '/');
      expect(await (await connection.getResponse()).drain()).to.equal(reused);
      await connection.request('GET', '/again');
      expect(await (await connection.getResponse()).text()).to.equal('ok');
      expect(server.connections).to.equal(reused ? 1 : 2);
      connection.close();
    });
  }

  it('closes it when there is too much, and the next request dials anew', async () => {
    const server = await rawServer((socket, { target }) => {
      if (target === '/again') socket.write(OK);
      else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nsome');
    });
    for (const options of [{ maxBytes: 1000 }, { timeout: 30 }]) {
      const connection = connectionTo(server);
      await connection.request('GET', '/');
      const response = await connection.getResponse();
      expect(await response.drain(options)).to.equal(false);
      expect(connection.socket).to.equal(null);
      await connection.request('GET', '/again');
      expect(await (await connection.getResponse()).text()).to.equal('ok');
      connection.close();
    }
    expect(server.connections).to.equal(4);
  });

  it('drops a large body, and holds none of it', async () => {
    const size = 32 * 2 ** 20;
    const server = await rawServer((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${String(size)}\r\n\r\n`);
      socket.write(Buffer.alloc(size));
    });
    const connection = connectionTo(server);
    await connection.request('GET', '/');
    expect(await (await connection.getResponse()).drain({ maxBytes: size })).to.equal(true);
    expect(connection.socket).not.to.equal(null);
    connection.close();
  });
});
