/**
 * Which URLs a call takes, and what becomes of them.
 */

import { expect } from 'chai';

import { InvalidURL, UnknownProtocol } from '../../lib/index.js';
import { resolveBase, resolveURL } from '../../lib/client/request-url.js';

const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;

describe('the URL of a call', () => {
  const TABLE: { given: string; base?: string; url: string; authorization?: string }[] = [
    { given: 'http://h', url: 'http://h/' },
    { given: 'HTTP://H:80/a b?c#fragment', url: 'http://h/a%20b?c' },
    { given: 'https://h:8443/x', url: 'https://h:8443/x' },
    { given: 'http://[::1]:80/', url: 'http://[::1]/' },
    { given: 'http://bücher.example/', url: 'http://xn--bcher-kva.example/' },
    { given: '/x', base: 'http://h/a/b', url: 'http://h/x' },
    { given: 'x', base: 'http://h/a/b', url: 'http://h/a/x' },
    { given: '', base: 'http://h/a/b#f', url: 'http://h/a/b' },
    { given: '//other/x', base: 'https://h', url: 'https://other/x' },
    { given: 'http://other/', base: 'https://u:p@h', url: 'http://other/' },
    { given: 'http://u:p@h/', url: 'http://h/', authorization: basic('u:p') },
    { given: 'http://u@h/', url: 'http://h/', authorization: basic('u:') },
    { given: 'http://:p@h/', url: 'http://h/', authorization: basic(':p') },
    { given: 'http://a%40b:%C3%BC%25@h/', url: 'http://h/', authorization: basic('a@b:ü%') },
    { given: 'http://ü:€@h/', url: 'http://h/', authorization: basic('ü:€') },
    { given: '/x', base: 'http://u:p@h', url: 'http://h/x', authorization: basic('u:p') },
  ];
  for (const { given, base, url, authorization = null } of TABLE) {
    it(`${JSON.stringify(given)}${base === undefined ? '' : ` at ${base}`} is ${url}`, () => {
      const resolved = resolveURL(given, base === undefined ? null : resolveBase(base));
      expect(resolved.url.href).to.equal(url);
      expect(resolved.authorization).to.equal(authorization);
    });
  }

  it('may be a URL, which is not changed', () => {
    const given = new URL('http://u:p@h/x#f');
    expect(resolveURL(given, null).url.href).to.equal('http://h/x');
    expect(given.href).to.equal('http://u:p@h/x#f');
  });

  const BAD: readonly (readonly [given: unknown, error: new (...args: never[]) => Error, says: RegExp])[] = [
    ['/x', InvalidURL, /baseURL/],
    ['http://', InvalidURL, /no absolute URL/],
    ['http://u:secret@', InvalidURL, /no absolute URL/],
    ['http://u:secret@h:99999/', InvalidURL, /no absolute URL/],
    ['u:secret@h/', UnknownProtocol, /scheme u:/],
    ['http://h/\r\nX: y', InvalidURL, /percent-encode/],
    ['ftp://u:secret@h/', UnknownProtocol, /scheme ftp:/],
    ['javascript:alert(1)', UnknownProtocol, /scheme javascript:/],
    [undefined, TypeError, /url/],
    [{}, TypeError, /url/],
  ];
  for (const [given, kind, says] of BAD) {
    it(`${JSON.stringify(given)} is refused with ${kind.name}, and shows no credentials`, () => {
      expect(() => resolveURL(given as string, null))
        .to.throw(kind, says)
        .with.property('message')
        .that.does.not.match(/secret/);
    });
  }
});
