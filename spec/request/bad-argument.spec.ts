/**
 * Arguments of the wrong kind: what they are refused with, when, and that the connection is none the worse for it.
 */

import { expect } from 'chai';

import { ChunkedEncoder, HTTPConnection, HTTPMessage } from '../../lib/index.js';
import type { RequestOptions } from '../../lib/index.js';
import { answer, connectionTo, NO_CONTENT, rawServer } from '../support/raw-server.js';
import type { RawServer } from '../support/raw-server.js';
import { rejection } from '../support/rejection.js';

/** What a caller without types may pass. */
const untyped = (value: unknown): never => value as never;

async function failureOf(action: () => unknown): Promise<Error> {
  return rejection((async () => action())());
}

async function expectUnharmed(conn: HTTPConnection, server: RawServer): Promise<void> {
  await conn.request('GET', '/next');
  expect((await conn.getResponse()).status).to.equal(204);
  expect(server.request.line).to.equal('GET /next HTTP/1.1');
}

describe('an argument of the wrong kind', () => {
  const TABLE: { name: string; attempt: (conn: HTTPConnection) => unknown; says: RegExp }[] = [
    { name: 'an empty method', attempt: (conn) => conn.request('', '/'), says: /method/ },
    {
      name: 'a method that is no string',
      attempt: (conn) => conn.request(untyped(null), '/'),
      says: /method.*string/,
    },
    {
      name: 'a url that is no string',
      attempt: (conn) => conn.request('GET', untyped(new URL('http://h/'))),
      says: /url.*string/,
    },
    {
      name: 'a url that is missing',
      attempt: (conn) => conn.request('GET', untyped(undefined)),
      says: /url.*string/,
    },
    {
      name: 'fields that are a string',
      attempt: (conn) => conn.request('GET', '/', null, untyped('A: b')),
      says: /pairs|fields/,
    },
    {
      name: 'fields that are a promise',
      attempt: (conn) => conn.request('GET', '/', null, untyped(Promise.resolve({}))),
      says: /fields.*Promise/,
    },
    {
      name: 'an empty field name',
      attempt: (conn) => conn.request('GET', '/', null, { '': 'x' }),
      says: /name.*empty/,
    },
    {
      name: 'a value that is null',
      attempt: (conn) => conn.request('GET', '/', null, untyped({ A: null })),
      says: /field A.*null/,
    },
    {
      name: 'a value that is undefined',
      attempt: (conn) => conn.request('GET', '/', null, untyped({ A: undefined })),
      says: /field A.*undefined/,
    },
    {
      name: 'a value that is NaN',
      attempt: (conn) => conn.request('GET', '/', null, { A: Number.NaN }),
      says: /field A.*NaN/,
    },
    {
      name: 'a value that is a boolean',
      attempt: (conn) => conn.request('GET', '/', null, untyped({ A: true })),
      says: /field A.*boolean/,
    },
    {
      name: 'a signal that is none',
      attempt: (conn) => conn.request('GET', '/', null, {}, untyped({ signal: {} })),
      says: /signal.*AbortSignal/,
    },
    {
      name: 'onInformational that is no function',
      attempt: (conn) => conn.request('GET', '/', null, {}, untyped({ onInformational: 1 })),
      says: /onInformational.*function/,
    },
    {
      name: 'a negative expectTimeout',
      attempt: (conn) => conn.request('GET', '/', null, {}, { expectTimeout: -1 }),
      says: /expectTimeout/,
    },
    {
      name: 'an expectTimeout that is no number',
      attempt: (conn) => conn.request('GET', '/', null, {}, { expectTimeout: Number.NaN }),
      says: /expectTimeout/,
    },
    {
      name: 'a timeout that is no number',
      attempt: (conn) => conn.request('GET', '/', null, {}, untyped({ timeout: 'soon' })),
      says: /timeout/,
    },
    {
      name: 'a timeout that is no number',
      attempt: (conn) => conn.request('GET', '/', null, {}, untyped({ timeout: '5' })),
      says: /timeout/,
    },
    {
      name: 'a clock that there is not',
      attempt: (conn) => conn.request('GET', '/', null, {}, untyped({ timeout: { read: 5 } })),
      says: /read/,
    },
    {
      name: 'trailers of the wrong kind',
      attempt: (conn) => conn.request('PUT', '/', ['x'], {}, untyped({ trailers: 5 })),
      says: /fields.*number/,
    },
  ];
  for (const { name, attempt, says } of TABLE) {
    it(`is a TypeError before a byte is sent: ${name}`, async () => {
      const server = await rawServer(answer(NO_CONTENT));
      const conn = connectionTo(server);
      const error = await failureOf(() => attempt(conn));
      expect(error).to.be.instanceOf(TypeError);
      expect(error.message).to.match(says);
      expect([conn.state, server.connections]).to.deep.equal(['Idle', 0]);
      await expectUnharmed(conn, server);
    });
  }

  const FORBIDDEN = [
    'Content-Length',
    'transfer-encoding',
    'Host',
    'TRAILER',
    'Authorization',
    'Proxy-Authorization',
    'Cookie',
    'Set-Cookie',
    'Connection',
    'Expect',
    'Content-Encoding',
    'Range',
    'TE',
    'Upgrade',
  ];
  for (const trailer of FORBIDDEN) {
    it(`is a TypeError before a byte is sent: the trailer ${trailer}`, async () => {
      const server = await rawServer(answer(NO_CONTENT));
      const conn = connectionTo(server);
      const error = await rejection(conn.request('PUT', '/', ['x'], {}, { trailers: { [trailer]: '1' } }));
      expect(error).to.be.instanceOf(TypeError);
      expect(error.message).to.contain(trailer);
      expect(server.connections).to.equal(0);
      await expectUnharmed(conn, server);
    });
  }

  it('is thrown by what is synchronous', () => {
    const conn = new HTTPConnection('h');
    expect(() => conn.putRequest('G T', '/')).to.throw(TypeError);
    conn.putRequest('GET', '/');
    expect(() => conn.putHeader('a b', '1')).to.throw(TypeError);
    expect(() => conn.putHeader('A')).to.throw(TypeError, "'A' needs a value");
    expect(() => conn.setTunnel('h', 1, { 'a b': '1' })).to.throw(TypeError);
    expect(() => new HTTPMessage({ A: '\r' })).to.throw(TypeError);
    expect(() => new ChunkedEncoder({ trailers: { A: '\r' } })).to.throw(TypeError);
  });

  it('is a rejection of what returns a promise, never thrown', () => {
    const conn = new HTTPConnection('h');
    const options: RequestOptions = { expectTimeout: -1 };
    const promises = [
      conn.request('G T', '/'),
      conn.request('GET', '/', untyped(5)),
      conn.request('GET', '/', null, {}, options),
      conn.endHeaders(),
      conn.send(untyped(5)),
    ];
    return Promise.all(promises.map((promise) => rejection(promise)));
  });
});

describe('the arguments of the constructor', () => {
  const REFUSED: { name: string; make: () => unknown; error: string; says: RegExp }[] = [
    {
      name: 'a host that is no string',
      make: () => new HTTPConnection(untyped(5)),
      error: 'TypeError',
      says: /host/,
    },
    {
      name: 'a port that is no number',
      make: () => new HTTPConnection('h:x'),
      error: 'InvalidURL',
      says: /port/,
    },
    {
      name: 'a port that is out of range',
      make: () => new HTTPConnection('h', 65_536),
      error: 'InvalidURL',
      says: /65536/,
    },
    { name: 'a negative port', make: () => new HTTPConnection('h:-1'), error: 'InvalidURL', says: /port/ },
    {
      name: 'a port that is a fraction',
      make: () => new HTTPConnection('h', 80.5),
      error: 'InvalidURL',
      says: /80\.5/,
    },
    {
      name: 'a port that is NaN',
      make: () => new HTTPConnection('h', Number.NaN),
      error: 'InvalidURL',
      says: /port/,
    },
    { name: 'a URL for a host', make: () => new HTTPConnection('http://h'), error: 'InvalidURL', says: /h/ },
    {
      name: 'a blocksize of nothing',
      make: () => new HTTPConnection('h', 80, { blocksize: 0 }),
      error: 'TypeError',
      says: /blocksize.*0/,
    },
    {
      name: 'a blocksize that is no integer',
      make: () => new HTTPConnection('h', 80, { blocksize: 1.5 }),
      error: 'TypeError',
      says: /blocksize/,
    },
    {
      name: 'a limit that there is not',
      make: () => new HTTPConnection('h', 80, { limits: untyped({ lines: 1 }) }),
      error: 'TypeError',
      says: /lines/,
    },
    {
      name: 'a negative limit',
      make: () => new HTTPConnection('h', 80, { limits: { fields: -1 } }),
      error: 'TypeError',
      says: /fields/,
    },
    {
      name: 'a negative timeout',
      make: () => new HTTPConnection('h', 80, { timeout: -1 }),
      error: 'RangeError',
      says: /timeout/,
    },
    {
      name: 'a clock that there is not',
      make: () => new HTTPConnection('h', 80, { timeout: untyped({ read: 1 }) }),
      error: 'TypeError',
      says: /read/,
    },
  ];
  for (const { name, make, error, says } of REFUSED) {
    it(`are refused at once: ${name}`, () => {
      const failure = expect(make).to.throw();
      failure.with.property('name', error);
      failure.with.property('message').that.matches(says);
    });
  }

  it('may not make a tunnel without a host, or one with a port that cannot be', () => {
    const conn = new HTTPConnection('proxy.example');
    for (const attempt of [
      () => conn.setTunnel(''),
      () => conn.setTunnel('h', 70_000),
      () => conn.setTunnel('h:x'),
      () => conn.setTunnel('h:-1'),
      () => conn.setTunnel('[::1'),
    ])
      expect(attempt).to.throw().with.property('name', 'InvalidURL');
  });
});
