/**
 * What a response shows beside its body: the head, http.client's accessors, how much is left, whether it is closed.
 */
import { expect } from 'chai';
import { Readable } from 'node:stream';

import { HTTPMessage } from '../../lib/fields/message.js';
import { octets, whole } from '../support/cuttings.js';
import { FedResponse, responseOf } from '../support/fed-response.js';
import { answer, connectionTo, rawServer } from '../support/raw-server.js';

const FIELDS = ['Content-Type', 'text/plain', 'Set-Cookie', 'a=1', 'X-Empty', '', 'set-cookie', 'b=2'];

function withFields(): ReturnType<typeof responseOf> {
  return responseOf({ pieces: [], fields: FIELDS });
}

describe('HTTPResponse', () => {
  it('is a Readable with the head beside it', () => {
    const response = responseOf({ pieces: [], fields: FIELDS, status: 404, method: 'PUT' });
    expect(response).to.be.instanceOf(Readable);
    expect(response).to.include({
      status: 404,
      reason: 'OK',
      version: 11,
      method: 'PUT',
      url: '/fed',
      debugLevel: 0,
    });
    expect(response.headers).to.be.instanceOf(HTTPMessage);
    expect([...response.headers]).to.deep.equal([
      ['Content-Type', 'text/plain'],
      ['Set-Cookie', 'a=1'],
      ['X-Empty', ''],
      ['set-cookie', 'b=2'],
    ]);
  });

  it('has one object under headers, msg and info()', () => {
    const response = withFields();
    expect(response.msg).to.equal(response.headers);
    expect(response.info()).to.equal(response.headers);
    response.headers.set('X-Added', '1');
    expect(response.getHeader('x-added')).to.equal('1');
  });

  it('has getcode() for status and geturl() for url', () => {
    const response = responseOf({ pieces: [], status: 299 });
    expect(response.getcode()).to.equal(299);
    expect(response.geturl()).to.equal('/fed');
  });

  const LOOKUPS: [name: string, args: [string, unknown?], expected: unknown][] = [
    ['joins repeated fields', ['SET-COOKIE'], 'a=1, b=2'],
    ['gives an empty value, not the default', ['X-Empty', 'default'], ''],
    ['gives null for a field that is absent', ['X-None'], null],
    ['gives the default for a field that is absent', ['X-None', 'default'], 'default'],
    ['gives no default for a field that is there', ['Content-Type', 'default'], 'text/plain'],
    ['joins a default that is a list', ['X-None', ['a', 'b']], 'a, b'],
    ['joins a default of any iterable', ['X-None', new Set([1, 2])], '1, 2'],
    ['joins an empty list to nothing', ['X-None', []], ''],
    ['gives a number as it is', ['X-None', 5], 5],
    ['gives undefined as null, as if it was not given', ['X-None', undefined], null],
    ['gives an object that cannot be iterated as it is', ['X-None', FIELDS.constructor], FIELDS.constructor],
  ];
  for (const [name, [field, ...defaults], expected] of LOOKUPS) {
    it(`getHeader ${name}`, () => {
      const response = withFields();
      const value: unknown =
        defaults.length === 0 ? response.getHeader(field) : response.getHeader(field, defaults[0]);
      expect(value).to.equal(expected);
    });
  }

  it('getHeaders gives pairs in the order and spelling received', () => {
    expect(withFields().getHeaders()).to.deep.equal([
      ['Content-Type', 'text/plain'],
      ['Set-Cookie', 'a=1'],
      ['X-Empty', ''],
      ['set-cookie', 'b=2'],
    ]);
  });
});

describe('the length of a response', () => {
  const declared = (text: string): string[] => ['Content-Length', text];

  it('counts down what is left to read, whether it has arrived or not', async () => {
    for (const ahead of [0, 4, 10]) {
      const response = responseOf({
        pieces: octets(Buffer.from('0123456789')),
        fields: declared('10'),
        ahead,
      });
      expect(response.length).to.equal(10);
      await response.readbytes(3);
      expect(response.length).to.equal(7);
      await response.peek();
      expect(response.length).to.equal(7);
      await response.readinto(Buffer.alloc(5));
      expect(response.length).to.equal(2);
      response.unshift(Buffer.from('7'));
      expect(response.length).to.equal(3);
      await response.readall();
      expect(response.length).to.equal(0);
    }
  });

  it("counts what is buffered for 'data' as unread", async () => {
    const response = responseOf({ pieces: octets(Buffer.from('0123456789')), fields: declared('10') });
    const lengths: (number | null)[] = [];
    response.on('data', () => lengths.push(response.length));
    await new Promise((resolve) => response.on('end', resolve));
    expect(lengths).to.deep.equal([9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
  });

  it('is null where the framing does not say', async () => {
    for (const fields of [['Transfer-Encoding', 'chunked'], []]) {
      const response = responseOf({ pieces: whole(Buffer.from('abc')), fields, ahead: 1 });
      expect(response.chunked).to.equal(fields.length > 0);
      expect(response.length).to.equal(null);
      await response.readbytes(1);
      expect(response.length).to.equal(null);
    }
  });

  it('is 0 for a response that has no body, whatever its fields say', () => {
    for (const [method, status] of [
      ['HEAD', 200],
      ['GET', 204],
      ['GET', 304],
    ] as const) {
      const response = responseOf({ pieces: [], fields: declared('10'), method, status });
      expect(response.length, `${method} ${String(status)}`).to.equal(0);
      expect(response.chunked).to.equal(false);
    }
  });
});

describe('isClosed', () => {
  it('is false until the body was read to its end', async () => {
    for (const ahead of [0, 2]) {
      const response = responseOf({ pieces: octets(Buffer.from('ab')), ahead });
      expect(response.isClosed()).to.equal(false);
      await response.readbytes(1);
      expect(response.isClosed()).to.equal(false);
      await response.readall();
      expect(response.isClosed()).to.equal(true);
    }
  });

  it('is true at once without a body, and after destroy()', () => {
    expect(responseOf({ pieces: [], ahead: 1 }).isClosed()).to.equal(true);
    expect(
      responseOf({ pieces: octets(Buffer.from('ab')) })
        .destroy()
        .isClosed(),
    ).to.equal(true);
  });
});

describe('trailers', () => {
  const script = { pieces: octets(Buffer.from('ab\ncd')), trailers: ['X-Sum', '1', 'x-sum', '2'] };

  it('are empty until the reader has reached the end, though they have arrived', async () => {
    const response = responseOf({ ...script, ahead: 5 });
    expect(response.trailers.size).to.equal(0);
    await response.readbytes(4);
    expect(response.trailers.size).to.equal(0);
    await response.readbytes(1);
    expect(response.trailers.getAll('X-SUM')).to.deep.equal(['1', '2']);
    expect(response.trailers).to.equal(response.trailers);
  });

  it("are there when 'end' is emitted", async () => {
    const response = responseOf(script);
    const size = new Promise<number>((resolve) => response.on('end', () => resolve(response.trailers.size)));
    response.resume();
    expect(await size).to.equal(2);
  });

  it('are not shown by peek, and stay empty after destroy()', async () => {
    const response = responseOf({ ...script, ahead: 5 });
    await response.peek();
    expect(response.trailers.size).to.equal(0);
    response.destroy();
    expect(response.trailers.size).to.equal(0);
  });
});

describe('a response on a connection', () => {
  const LONG = 'HTTP/1.1 200 Fine\r\nContent-Length: 5\r\n\r\n';

  it('has a descriptor while the connection is open, and -1 when it is gone', async () => {
    const server = await rawServer(answer(`${LONG}hello`));
    const connection = connectionTo(server);
    await connection.request('GET', '/x');
    const response = await connection.getResponse();
    expect(response.fileno()).to.be.at.least(0);
    await response.readall();
    expect(response.fileno()).to.be.at.least(0);
    connection.close();
    expect(response.fileno()).to.equal(-1);
  });

  it('says what was asked, and whether the peer will close', async () => {
    const server = await rawServer((socket, { target }) => {
      socket.end(
        target === '/10'
          ? 'HTTP/1.0 200 \r\n\r\n'
          : 'HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n',
      );
    });
    for (const target of ['/10', '/11']) {
      const connection = connectionTo(server);
      await connection.request('POST', target);
      const response = await connection.getResponse();
      expect(response).to.include({
        method: 'POST',
        url: target,
        version: Number(target.slice(1)),
        willClose: true,
      });
      expect(await response.readall()).to.have.lengthOf(0);
      connection.close();
    }
  });

  it('keeps its debug level', async () => {
    const server = await rawServer(answer(`${LONG}hello`));
    const connection = connectionTo(server);
    await connection.request('GET', '/');
    const response = await connection.getResponse();
    connection.setDebugLevel(1);
    expect(response.debugLevel).to.equal(0);
    connection.close();
  });

  it('allocates for what was received, not for what was announced', async () => {
    const server = await rawServer((socket) => {
      socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${String(2 ** 40)}\r\n\r\n0123456789`);
    });
    const read: ((source: FedResponse['response']) => Promise<unknown>)[] = [
      (response) => response.readall(),
      (response) => response.readbytes(2 ** 40),
      (response) => response.readbytes(2 ** 31),
      (response) => response.readline(),
      (response) => response.readinto(Buffer.alloc(100)),
      (response) => response.text(),
    ];
    for (const way of read) {
      const connection = connectionTo(server);
      await connection.request('GET', '/');
      const response = await connection.getResponse();
      expect(response.length).to.equal(2 ** 40);
      const before = process.memoryUsage();
      const error = await way(response).then(
        () => null,
        (reason: unknown) => reason,
      );
      const after = process.memoryUsage();
      expect(error).to.include({ name: 'IncompleteRead', expected: 2 ** 40 - 10 });
      expect(String((error as { partial: Buffer }).partial)).to.equal('0123456789');
      expect(after.arrayBuffers - before.arrayBuffers).to.be.below(4 * 2 ** 20);
      connection.close();
    }
  });
});
