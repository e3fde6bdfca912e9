/**
 * Any failure that is no state error leaves the connection in Idle, with nothing pending, and the next request just works; a state error
 * changes nothing, and says which request is in the way and what to call.
 */
import { Readable } from 'node:stream';
import * as dns from 'node:dns';
import { expect } from 'chai';
import { CannotSendHeader, CannotSendRequest, HTTPConnection, ResponseNotReady } from '../../lib/index.js';
import { sleep } from '../support/expiry.js';
import { OK } from '../support/raw-server.js';
import type { RawServer } from '../support/raw-server.js';
import { rejection, unhandledRejections } from '../support/rejection.js';
import { uncaughtErrors } from '../support/uncaught.js';
import { TCP, TLS, TUNNEL } from '../support/transports.js';

const FAILURE = new Error('the caller’s own');

function fail(): never {
  throw FAILURE;
}

function hollow(prototype: object, members: object = {}): never {
  return Object.assign(Object.create(prototype) as object, members) as never;
}

/** Requests that cannot be made, or fail. */
const FAILURES: Record<string, (connection: HTTPConnection) => Promise<unknown>> = {
  'a bad method': (connection) => connection.request('GET /', '/'),
  'a bad target': (connection) => connection.request('GET', '/a b'),
  'a bad field name': (connection) => connection.request('GET', '/', null, { 'a b': '1' }),
  'a bad field value': (connection) => connection.request('GET', '/', null, { a: 'x\r\ny: z' }),
  'fields that throw': (connection) =>
    connection.request('GET', '/', null, {
      get a(): string {
        return fail();
      },
    }),
  'iterable fields that throw': (connection) =>
    connection.request('GET', '/', null, { [Symbol.iterator]: fail } as never),
  'options that throw': (connection) =>
    connection.request(
      'GET',
      '/',
      null,
      {},
      {
        get timeout(): number {
          return fail();
        },
      },
    ),
  'a signal that is only shaped like one': (connection) =>
    connection.request('GET', '/', null, {}, { signal: { aborted: false, addEventListener() {} } as never }),
  'a signal that is hollow': (connection) =>
    connection.request('GET', '/', null, {}, { signal: hollow(AbortSignal.prototype) }),
  'a signal whose addEventListener throws': (connection) => {
    const { signal } = new AbortController();
    Object.defineProperty(signal, 'addEventListener', { value: fail });
    return connection.request('GET', '/', null, {}, { signal });
  },
  'a signal whose aborted throws': (connection) => {
    const { signal } = new AbortController();
    Object.defineProperty(signal, 'aborted', { get: fail });
    return connection.request('GET', '/', null, {}, { signal });
  },
  'a body of a wrong kind': (connection) => connection.request('POST', '/', 5 as never),
  'a body whose iterator throws': (connection) =>
    connection.request('POST', '/', { [Symbol.asyncIterator]: fail } as never),
  'a body whose iterator is none': (connection) =>
    connection.request('POST', '/', { [Symbol.iterator]: () => undefined } as never),
  'a body whose next is none': (connection) =>
    connection.request('POST', '/', { [Symbol.iterator]: () => ({}) } as never),
  'a body whose next throws': (connection) =>
    connection.request('POST', '/', { [Symbol.iterator]: () => ({ next: fail }) } as never),
  'a body whose next gives nonsense': (connection) =>
    connection.request('POST', '/', { [Symbol.asyncIterator]: () => ({ next: () => 7 }) } as never),
  'a body whose result throws when looked at': (connection) =>
    connection.request('POST', '/', {
      [Symbol.asyncIterator]: () => ({
        next: () =>
          Promise.resolve({
            get done(): boolean {
              return fail();
            },
          }),
      }),
    } as never),
  'a body whose promise throws when looked at': (connection) =>
    connection.request('POST', '/', {
      [Symbol.asyncIterator]: () => ({
        next: () => ({
          // oxlint-disable-next-line unicorn/no-thenable -- that is what it is about
          get then(): never {
            return fail();
          },
        }),
      }),
    } as never),
  'a body whose return throws, behind a failure': (connection) =>
    connection.request('POST', '/', {
      [Symbol.iterator]: () => ({ next: () => ({ done: false, value: 7 }), return: fail }),
    } as never),
  'a body whose return is none': (connection) =>
    connection.request('POST', '/', {
      [Symbol.iterator]: () => ({ next: () => ({ done: false, value: 7 }), return: 7 }),
    } as never),
  'a body that yields nonsense': (connection) => connection.request('POST', '/', [{}] as never),
  'a stream that has failed': (connection) => {
    const stream = new Readable({ read() {} });
    stream.on('error', () => undefined);
    stream.destroy(FAILURE);
    return connection.request('POST', '/', stream);
  },
  'a stream whose destroy throws': (connection) => {
    const stream = new Readable({ read() {}, objectMode: true });
    stream.push(7);
    stream.destroy = fail;
    return connection.request('POST', '/', stream);
  },
  'a file whose read throws': (connection) =>
    connection.request('POST', '/', { fd: 1, createReadStream() {}, read: fail } as never),
  'a file whose read gives nonsense': (connection) =>
    connection.request('POST', '/', {
      fd: 1,
      createReadStream() {},
      read: () => Promise.resolve(7),
    } as never),
  'a file whose read gives more than was asked for': (connection) =>
    connection.request('POST', '/', {
      fd: 1,
      createReadStream() {},
      read: (buffer: Buffer) => Promise.resolve({ buffer, bytesRead: 1e9 }),
    } as never),
  'trailers that are forbidden': (connection) =>
    connection.request('POST', '/', ['a'], {}, { trailers: { 'Content-Length': '1' } }),
  'trailers that throw': (connection) => connection.request('POST', '/', ['a'], {}, { trailers: fail }),
  'more than was declared': (connection) =>
    connection.request('POST', '/', ['abc'], { 'Content-Length': '2' }),
  'less than was declared': (connection) =>
    connection.request('POST', '/', ['abc'], { 'Content-Length': '4' }),
  'a putRequest that fails behind endHeaders': (connection) => {
    connection.putRequest('POST', '/');
    return connection.endHeaders({} as never);
  },
};

for (const way of [TCP, TLS, TUNNEL]) {
  describe(`a request over ${way.name} with`, () => {
    let server: RawServer;

    beforeEach(async () => {
      server = await way.serve((socket) => socket.write(OK));
    });

    for (const [name, make] of Object.entries(FAILURES)) {
      it(`${name} fails, leaves Idle, and the next request works`, async () => {
        const connection = await way.connect(server);
        // On a connection that is open already, and on one that is not.
        for (const open of [false, true]) {
          if (open) await connection.connect();
          const stray: unknown[] = [];
          const left = await unhandledRejections(async () => {
            stray.push(
              ...(await uncaughtErrors(async () => {
                await rejection<unknown>(make(connection));
                expect(connection.state).to.equal('Idle');
                expect(await rejection(connection.getResponse())).to.be.instanceOf(ResponseNotReady);
              })),
            );
          });
          expect([...stray, ...left]).to.deep.equal([]);
          await connection.request('GET', '/next');
          expect(await (await connection.getResponse()).text()).to.equal('ok');
        }
      });
    }
  });
}

describe('a request whose dial throws', () => {
  it('in lookup fails with that error, and leaves Idle', async () => {
    const server = await TCP.serve((socket) => socket.write(OK));
    let bad = true;
    const connection = new HTTPConnection('localhost', server.port, {
      lookup: (host, options, callback) => {
        if (bad) fail();
        dns.lookup(host, options, callback);
      },
    });
    const left = await unhandledRejections(async () => {
      const sent = rejection(connection.request('GET', '/'));
      const head = rejection(connection.getResponse());
      expect(await sent).to.equal(FAILURE);
      expect(await head).to.equal(FAILURE);
      expect(await rejection(connection.connect())).to.equal(FAILURE);
    });
    expect(left).to.deep.equal([]);
    expect([connection.state, connection.socket]).to.deep.equal(['Idle', null]);
    bad = false;
    await connection.request('GET', '/');
    expect(await (await connection.getResponse()).text()).to.equal('ok');
    connection.close();
  });

  for (const how of ['close()', 'an abort'] as const) {
    it(`${how} inside lookup leaves no connection and nothing pending`, async () => {
      const server = await TCP.serve((socket) => socket.write(OK));
      const aborter = new AbortController();
      const connection = new HTTPConnection('localhost', server.port, {
        lookup: (host, options, callback) => {
          if (how === 'close()') connection.close();
          else aborter.abort(FAILURE);
          dns.lookup(host, options, callback);
        },
      });
      const error = await rejection(connection.request('GET', '/', null, {}, { signal: aborter.signal }));
      if (how === 'close()') expect(error).to.have.property('code', 'ERR_NOT_CONNECTED');
      else expect(error).to.equal(FAILURE);
      await sleep(30);
      expect([connection.state, connection.socket, server.connections]).to.deep.equal(['Idle', null, 0]);
    });
  }
});

describe('a call that the state refuses', () => {
  it('says which request is in the way and what to call, and changes nothing', async () => {
    const server = await TCP.serve((socket, { target }) => {
      if (target === '/slow') setTimeout(() => socket.write(OK), 30);
      else socket.write(OK);
    });
    const connection = await TCP.connect(server);

    // Request-started
    connection.putRequest('GET', '/slow');
    connection.putHeader('X-A', '1');
    for (const refused of [
      () => connection.putRequest('GET', '/other'),
      () => connection.request('GET', '/other'),
    ]) {
      const error = await rejection(Promise.resolve().then(refused));
      expect(error).to.be.instanceOf(CannotSendRequest);
      expect(error.message).to.include('endHeaders()');
      expect(connection.state).to.equal('Request-started');
    }
    const early = await rejection(connection.getResponse());
    expect(early).to.be.instanceOf(ResponseNotReady);
    expect(early.message).to.include('endHeaders()');
    // A refused field drops only itself.
    expect(() => connection.putHeader('X-B', 'bad\r\nvalue')).to.throw(TypeError);
    expect(() => connection.putHeader('bad name', 'x')).to.throw(TypeError);
    expect(() => connection.putHeader('X-C')).to.throw(TypeError);
    connection.putHeader('X-D', '2');
    const ending = connection.endHeaders();

    // Request-sent
    for (const refused of [
      () => connection.putRequest('GET', '/other'),
      () => connection.request('GET', '/other'),
    ]) {
      const error = await rejection(Promise.resolve().then(refused));
      expect(error).to.be.instanceOf(CannotSendRequest);
      expect(error.message).to.include('getResponse()');
      expect(error.message).to.include('GET /slow');
      expect(connection.state).to.equal('Request-sent');
    }
    expect(() => connection.putHeader('X-E', '1')).to.throw(CannotSendHeader);
    expect(await rejection(connection.endHeaders())).to.be.instanceOf(CannotSendHeader);
    await ending;
    const response = await connection.getResponse();

    // Idle, with unread bytes
    const error = await rejection(connection.request('GET', '/other'));
    expect(error).to.be.instanceOf(CannotSendRequest);
    expect(error.message).to.match(/GET \/slow has 2 unread bytes.*drain\(\)/);
    expect(await response.text()).to.equal('ok');
    const late = await rejection(connection.getResponse());
    expect(late).to.be.instanceOf(ResponseNotReady);
    expect(late.message).to.include('request()');
    const fields = server.request.fields.map((field) => String(field));
    expect(fields.filter((field) => /x-[abcde]/i.test(field))).to.have.length(2);
  });
});
