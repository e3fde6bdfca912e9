/**
 * What may not go on the wire, character by character in every place where a caller can put one: refused before a byte is sent, and
 * the connection is none the worse for it.
 */

import { expect } from 'chai';

import { HTTPConnection, HTTPSConnection } from '../../lib/index.js';
import type { HeadersInit, HTTPConnectionOptions } from '../../lib/index.js';
import { answer, connectionTo, NO_CONTENT, rawServer } from '../support/raw-server.js';
import type { RawServer } from '../support/raw-server.js';
import { fieldOf } from '../support/received-request.js';
import { rejection } from '../support/rejection.js';

const code = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, i) => String.fromCharCode(from + i));

const CONTROLS = [...code(0x00, 0x1f), '\x7f'];
const SPACE = ' ';
const HIGH = code(0x80, 0xff);
const BEYOND = ['\u0100', '\u010a', '\u010d', '\u2028', '\u2029', '\uff0d', '\ufeff', '😀', '\ud83d'];
const SEPARATORS = Array.from('"(),/:;<=>?@[\\]{}');

/** As a message names it. */
function hex(character: string): string {
  return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
}

/** Where the character stands: alone it could be trimmed, at an end overlooked. */
function placings(character: string): string[] {
  return [`ab${character}cd`, `${character}ab`, `ab${character}`];
}

interface Place {
  name: string;
  refused: string[];
  /** The name of the error, whose message names the character. */
  error: 'TypeError' | 'InvalidURL';
  /** Rejects or throws. */
  attempt: (conn: HTTPConnection, text: string) => unknown;
}

const field = (name: string, value: string): HeadersInit => [[name, value]];

const PLACES: Place[] = [
  {
    name: 'the method of request()',
    refused: [...CONTROLS, SPACE, ...SEPARATORS, ...HIGH, ...BEYOND],
    error: 'TypeError',
    attempt: (conn, text) => conn.request(text, '/'),
  },
  {
    name: 'the method of putRequest()',
    refused: [...CONTROLS, SPACE, ...HIGH, ...BEYOND],
    error: 'TypeError',
    attempt: (conn, text) => conn.putRequest(text, '/'),
  },
  {
    name: 'the url of request()',
    refused: [...CONTROLS, SPACE, ...HIGH, ...BEYOND],
    error: 'InvalidURL',
    attempt: (conn, text) => conn.request('GET', `/${text}`),
  },
  {
    name: 'the url of putRequest()',
    refused: [...CONTROLS, SPACE, ...HIGH, ...BEYOND],
    error: 'InvalidURL',
    attempt: (conn, text) => conn.putRequest('GET', `/${text}`),
  },
  {
    name: 'an absolute url',
    refused: [...CONTROLS, SPACE, ...HIGH, ...BEYOND],
    error: 'InvalidURL',
    attempt: (conn, text) => conn.request('GET', `http://${text}/`),
  },
  {
    name: 'a field name',
    refused: [...CONTROLS, SPACE, ...SEPARATORS, ...HIGH, ...BEYOND],
    error: 'TypeError',
    attempt: (conn, text) => conn.request('GET', '/', null, field(text, 'v')),
  },
  {
    name: 'a field value',
    refused: [...CONTROLS.filter((character) => character !== '\t'), ...BEYOND],
    error: 'TypeError',
    attempt: (conn, text) => conn.request('GET', '/', null, field('X-V', text)),
  },
  {
    name: "the caller's Host",
    refused: [...CONTROLS.filter((character) => character !== '\t'), ...BEYOND],
    error: 'TypeError',
    attempt: (conn, text) => conn.request('GET', '/', null, { Host: text }),
  },
  {
    name: 'the name of a trailer',
    refused: [...CONTROLS, SPACE, ...SEPARATORS, ...HIGH, ...BEYOND],
    error: 'TypeError',
    attempt: (conn, text) => conn.request('PUT', '/', ['x'], {}, { trailers: field(text, 'v') }),
  },
  {
    name: 'the value of a trailer',
    refused: [...CONTROLS.filter((character) => character !== '\t'), ...BEYOND],
    error: 'TypeError',
    attempt: (conn, text) => conn.request('PUT', '/', ['x'], {}, { trailers: field('X-V', text) }),
  },
  {
    name: 'the host of a tunnel',
    refused: [...CONTROLS, SPACE, ...code(0x80, 0x9f), ...Array.from('/?#@\\')],
    error: 'InvalidURL',
    attempt: (conn, text) => conn.setTunnel(text, 443),
  },
  {
    name: 'the name of a field for the proxy',
    refused: [...CONTROLS, SPACE, ...SEPARATORS, ...HIGH, ...BEYOND],
    error: 'TypeError',
    attempt: (conn, text) => conn.setTunnel('h', 443, field(text, 'v')),
  },
  {
    name: 'the value of a field for the proxy',
    refused: [...CONTROLS.filter((character) => character !== '\t'), ...BEYOND],
    error: 'TypeError',
    attempt: (conn, text) => conn.setTunnel('h', 443, field('X-V', text)),
  },
];

async function failureOf(action: () => unknown): Promise<Error> {
  return rejection((async () => action())());
}

async function expectUnharmed(conn: HTTPConnection, server: RawServer): Promise<void> {
  await conn.request('GET', '/next');
  expect((await conn.getResponse()).status).to.equal(204);
  expect(server.request.line).to.equal('GET /next HTTP/1.1');
  expect(fieldOf(server.request, 'X-V')).to.equal(null);
}

describe('a character that may not go on the wire', () => {
  for (const { name, refused, error, attempt } of PLACES) {
    it(`is refused in ${name}: each of ${String(refused.length)}, wherever it stands`, async () => {
      const server = await rawServer(answer(NO_CONTENT));
      const conn = connectionTo(server);
      for (const character of refused) {
        for (const text of placings(character)) {
          const failure = await failureOf(() => attempt(conn, text));
          const shown = `${JSON.stringify(text)}: ${failure.message}`;
          expect(failure.name, shown).to.equal(error);
          if (error === 'TypeError') expect(failure, shown).to.be.instanceOf(TypeError);
          expect(conn.state, shown).to.equal('Idle');
        }
      }
      expect(server.connections).to.equal(0);
      await expectUnharmed(conn, server);
    });
  }

  for (const { name, refused, error, attempt } of PLACES.filter((place) =>
    /url|field|trailer/.test(place.name),
  )) {
    it(`is named by the message when it stands in ${name}`, async () => {
      const conn = new HTTPConnection('127.0.0.1');
      const character = refused[0] as string;
      const failure = await failureOf(() => attempt(conn, `ab${character}`));
      expect([failure.name, failure.message.includes(hex(character))], failure.message).to.deep.equal([
        error,
        true,
      ]);
    });
  }

  it('is refused in putHeader, which drops that field and no other', async () => {
    const server = await rawServer(answer(NO_CONTENT));
    const conn = connectionTo(server);
    conn.putRequest('GET', '/');
    conn.putHeader('X-First', '1');
    const bad = CONTROLS.filter((character) => character !== '\t');
    for (const character of [...bad, ...BEYOND]) {
      for (const text of placings(character)) {
        expect(() => conn.putHeader('X-V', text), JSON.stringify(text)).to.throw(TypeError);
        expect(() => conn.putHeader('X-V', 'good', text), JSON.stringify(text)).to.throw(TypeError);
        expect(() => conn.putHeader(text, 'v'), JSON.stringify(text)).to.throw(TypeError);
      }
    }
    for (const character of bad) {
      const bytes = Buffer.from(`ab${character}`, 'latin1');
      expect(() => conn.putHeader('X-V', bytes), JSON.stringify(character)).to.throw(TypeError);
    }
    expect(conn.state).to.equal('Request-started');
    conn.putHeader('X-Last', '2');
    await conn.endHeaders();
    await conn.getResponse();
    expect(server.request.fields.slice(2)).to.deep.equal([
      ['X-First', '1'],
      ['X-Last', '2'],
    ]);
  });

  it('is refused in a folded value too', async () => {
    const server = await rawServer(answer(NO_CONTENT));
    const conn = connectionTo(server);
    for (const value of ['a\r\n b', 'a\n\tb', 'a\r b', 'a\r\n\r\nGET / HTTP/1.1', '\r\n b', 'a\r\n '])
      expect(await rejection(conn.request('GET', '/', null, { 'X-V': value })), value).to.be.instanceOf(
        TypeError,
      );
    expect(server.connections).to.equal(0);
    await expectUnharmed(conn, server);
  });

  it('is refused by the constructor when it stands in the host', () => {
    for (const character of [...CONTROLS, SPACE, ...code(0x80, 0x9f)]) {
      for (const text of placings(character)) {
        expect(() => new HTTPConnection(text), JSON.stringify(text))
          .to.throw()
          .with.property('name', 'InvalidURL');
        expect(() => new HTTPSConnection(text, 443), JSON.stringify(text))
          .to.throw()
          .with.property('name', 'InvalidURL');
      }
    }
  });

  it('never reaches Host from a host that is accepted', async () => {
    const server = await rawServer(answer(NO_CONTENT));
    let accepted = 0;
    for (const character of [...code(0xa0, 0xff), ...BEYOND]) {
      let conn: HTTPConnection;
      try {
        const lookup: HTTPConnectionOptions['lookup'] = (_host, _options, done) =>
          done(null, [{ address: '127.0.0.1', family: 4 }]);
        conn = new HTTPConnection(`a${character}b.example`, server.port, { lookup });
      } catch (error) {
        expect(error).to.have.property('name', 'InvalidURL');
        continue;
      }
      accepted++;
      await conn.request('GET', '/');
      await conn.getResponse();
    }
    expect(accepted).to.be.above(10);
    expect(server.requests.length).to.equal(accepted);
    for (const request of server.requests) expect(fieldOf(request, 'Host')).to.match(/^[a-z0-9.-]+:\d+$/);
  });

  it('may be allowed by a testing tool that overrides the checks', async () => {
    class Lenient extends HTTPConnection {
      protected override validateMethod(): void {}
      protected override validateTarget(): void {}
      protected override validateHost(): void {}
    }
    const server = await rawServer(() => undefined);
    const conn = new Lenient('127.0.0.1', server.port);
    await conn.request('G E T', '/a b');
    await server.until(() => server.peers[0]?.violation !== null && server.connections > 0);
    expect(server.peer().text.split('\r\n')[0]).to.equal('G E T /a b HTTP/1.1');
    expect(new Lenient('a b').host).to.equal('a b');
  });
});

describe('what may go on the wire', () => {
  it('is every other character of a value, as its one octet', async () => {
    const server = await rawServer(answer(NO_CONTENT));
    const conn = connectionTo(server);
    const good = [...code(0x21, 0x7e), ...HIGH, 'a\tb', 'a b'].join('');
    await conn.request('GET', '/', null, { 'X-V': good });
    await conn.getResponse();
    expect(fieldOf(server.request, 'X-V')).to.equal(good);
  });

  it('is every other character of a target', async () => {
    const server = await rawServer(answer(NO_CONTENT));
    const conn = connectionTo(server);
    const good = `/${code(0x21, 0x7e).join('')}`;
    await conn.request('GET', good);
    await conn.getResponse();
    expect(server.request.target).to.equal(good);
  });
});
