/**
 * The rules of redirects, cell by cell: status, method, body, and where they lead. Redirects over connections stand in
 * `client-redirects.spec.ts`.
 */

import { expect } from 'chai';

import { RedirectError } from '../../lib/index.js';
import { Trail } from '../../lib/client/redirects.js';
import type { Hop, RedirectPolicy } from '../../lib/client/redirects.js';

const FIELDS = [
  ['Accept', 'x'],
  ['Content-Type', 'text/plain'],
  ['content-length', '1'],
  ['Transfer-Encoding', 'chunked'],
  ['Expect', '100-continue'],
].flat();
const PLAIN = ['Accept', 'x'];

function hop(method: string, url: string, fields: readonly string[] = FIELDS, keepsBody = true): Hop {
  return { method, url: new URL(url), fields, keepsBody };
}

function trail(first: Hop, policy: Partial<RedirectPolicy> = {}): Trail {
  return new Trail({ redirects: 5, allowDowngrade: false, ...policy }, first);
}

/** What RFC 9110 §15.4 and the contract say: [becomes GET]. */
function becomesGET(status: number, method: string): boolean {
  if (status === 303) return method !== 'HEAD';
  return (status === 301 || status === 302) && method === 'POST';
}

describe('a redirect', () => {
  for (const status of [301, 302, 303, 307, 308]) {
    for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      const lost = becomesGET(status, method);
      it(`${String(status)} to ${method}: ${lost ? 'GET without the body and its fields' : 'the same with the body'}`, () => {
        const first = hop(method, 'http://h/a');
        const next = trail(first).next(first, status, ['/b'], true);
        expect(next.method).to.equal(lost ? 'GET' : method);
        expect(next.keepsBody).to.equal(!lost);
        expect(next.fields).to.deep.equal(lost ? PLAIN : FIELDS);
        expect(next.url.href).to.equal('http://h/b');
      });

      it(`${String(status)} to ${method} with a spent body: ${lost ? 'followed' : 'refused'}`, () => {
        const first = hop(method, 'http://h/a');
        const follow = (): Hop => trail(first).next(first, status, ['/b'], false);
        if (lost) expect(follow().method).to.equal('GET');
        else expect(follow).to.throw(RedirectError, /cannot be sent again/);
      });
    }
  }

  it('is no other status, and none when redirects is 0', () => {
    const first = hop('GET', 'http://h/');
    for (const status of [200, 201, 300, 304, 305, 306, 309, 399, 400])
      expect(trail(first).leadsOn(status), String(status)).to.equal(false);
    for (const status of [301, 302, 303, 307, 308]) {
      expect(trail(first).leadsOn(status), String(status)).to.equal(true);
      expect(trail(first, { redirects: 0 }).leadsOn(status), String(status)).to.equal(false);
    }
  });
});

describe('the location of a redirect', () => {
  const TABLE: readonly (readonly [location: string, url: string])[] = [
    ['/x', 'http://h/x'],
    ['x', 'http://h/a/x'],
    ['?q', 'http://h/a/b?q'],
    ['//other/x', 'http://other/x'],
    ['http://other:8080/', 'http://other:8080/'],
    ['/x#fragment', 'http://h/x'],
    ['http://u:p@h/x', 'http://h/x'],
    ['/a b', 'http://h/a%20b'],
    ['/\u00c3\u00bc', 'http://h/%C3%BC'],
    ['/\u00fc', 'http://h/%FC'],
    ['//b\u00c3\u00bccher.example/', 'http://xn--bcher-kva.example/'],
  ];
  for (const [location, url] of TABLE) {
    it(`${JSON.stringify(location)} leads from http://h/a/b to ${url}`, () => {
      const first = hop('GET', 'http://h/a/b');
      expect(trail(first).next(first, 302, [location], true).url.href).to.equal(url);
    });
  }

  const REFUSED: readonly (readonly [name: string, locations: string[], from: string, says: RegExp])[] = [
    ['several', ['/a', '/b'], 'http://h/', /several locations/],
    ['no URL', ['http://u:secret@h:99999/'], 'http://h/', /no URL/],
    ['another scheme', ['ftp://u:secret@h/'], 'http://h/', /leads to ftp:/],
    ['a script', ['javascript:alert(1)'], 'http://h/', /leads to javascript:/],
    ['a step down', ['http://u:secret@h/'], 'https://h/', /from https to http/],
    ['itself', [''], 'http://h/', /circle/],
  ];
  for (const [name, locations, from, says] of REFUSED) {
    it(`that is ${name} is refused: status, location and the way are told, no credentials`, () => {
      const first = hop('GET', from);
      let error: RedirectError | null = null;
      try {
        trail(first).next(first, 302, locations, true);
      } catch (thrown) {
        error = thrown as RedirectError;
      }
      expect(error).to.be.instanceOf(RedirectError);
      expect(error?.message)
        .to.match(says)
        .and.not.match(/secret/);
      expect(error?.status).to.equal(302);
      expect(error?.urls).to.deep.equal([first.url.href]);
      expect(error?.location).not.to.match(/secret/);
    });
  }

  it('may lead down from https where that is allowed', () => {
    const first = hop('GET', 'https://h/');
    expect(trail(first, { allowDowngrade: true }).next(first, 302, ['http://h/'], true).url.href).to.equal(
      'http://h/',
    );
  });
});

describe('a way of redirects', () => {
  it('ends when as many as allowed were followed', () => {
    let at = hop('GET', 'http://h/0');
    const way = trail(at, { redirects: 2 });
    at = way.next(at, 302, ['/1'], true);
    at = way.next(at, 302, ['/2'], true);
    expect(way.urls).to.deep.equal(['http://h/0', 'http://h/1', 'http://h/2']);
    expect(() => way.next(at, 302, ['/3'], true)).to.throw(RedirectError, /2 redirects/);
  });

  it('ends in a circle, which the same URL with another method is not', () => {
    let at = hop('POST', 'http://h/form');
    const way = trail(at);
    at = way.next(at, 303, ['/form'], true);
    expect(at.method).to.equal('GET');
    at = way.next(at, 302, ['/a'], true);
    expect(() => way.next(at, 302, ['/form#again'], true)).to.throw(RedirectError, /circle/);
  });

  const SECRETS = ['Authorization', 'a', 'cookie', 'b', 'Proxy-Authorization', 'c', 'Host', 'd'];
  const CROSSINGS: readonly (readonly [name: string, from: string, to: string, crosses: boolean])[] = [
    ['another path', 'http://h/a', 'http://h/b', false],
    ['the default port written out', 'http://h/a', 'http://h:80/b', false],
    ['another port', 'http://h/a', 'http://h:8080/b', true],
    ['another name', 'http://h/a', 'http://h.evil/b', true],
    ['a name below', 'http://h.example/a', 'http://www.h.example/b', true],
    ['another scheme', 'http://h/a', 'https://h/b', true],
  ];
  for (const [name, from, to, crosses] of CROSSINGS) {
    it(`to ${name} ${crosses ? 'drops' : 'keeps'} credentials and Host`, () => {
      const first = hop('GET', from, [...PLAIN, ...SECRETS], false);
      const next = trail(first).next(first, 302, [to], true);
      expect(next.fields).to.deep.equal(crosses ? PLAIN : [...PLAIN, ...SECRETS]);
    });
  }

  it('does not get back what was dropped', () => {
    let at = hop('GET', 'http://h/a', [...PLAIN, ...SECRETS], false);
    const way = trail(at);
    at = way.next(at, 302, ['http://other/'], true);
    at = way.next(at, 302, ['http://h/b'], true);
    expect(at.fields).to.deep.equal(PLAIN);
  });
});
