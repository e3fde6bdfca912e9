/**
 * Host arguments and authorities as tables: what is understood, what is refused, what goes on the wire.
 */

import { expect } from 'chai';
import fc from 'fast-check';

import { HTTPException, InvalidURL } from '../../lib/errors.js';
import { HTTPConnection, HTTPSConnection } from '../../lib/index.js';
import {
  authorityOf,
  formatAuthority,
  formatHost,
  parseHostPort,
  toASCIIHost,
  validateHost,
} from '../../lib/opening/host.js';

type Port = number | string | null | undefined;

/** A caller without types. */
const untyped = (value: unknown): string => value as string;

describe('parseHostPort', () => {
  const ACCEPTED: { name: string; host: string; port?: Port; expect: [host: string, port: number] }[] = [
    { name: 'a name gets the default port', host: 'example.org', expect: ['example.org', 80] },
    { name: 'a port in the text is taken', host: 'example.org:8080', expect: ['example.org', 8080] },
    { name: 'an empty port in the text is the default', host: 'example.org:', expect: ['example.org', 80] },
    { name: 'leading zeros of a port mean nothing', host: 'h:0081', expect: ['h', 81] },
    { name: 'the highest port', host: 'h:65535', expect: ['h', 65_535] },
    { name: 'port 0 given as a number is a port', host: 'h', port: 0, expect: ['h', 0] },
    { name: 'a port given as digits', host: 'h', port: '81', expect: ['h', 81] },
    { name: 'a port given as empty text is the default', host: 'h', port: '', expect: ['h', 80] },
    { name: 'null is no port', host: 'h:81', port: null, expect: ['h', 81] },
    { name: 'an address in brackets loses them', host: '[::1]', expect: ['::1', 80] },
    { name: 'an address in brackets with a port', host: '[2001:db8::1]:81', expect: ['2001:db8::1', 81] },
    { name: 'an address in brackets with an empty port', host: '[::1]:', expect: ['::1', 80] },
    { name: 'an address in brackets beside a port', host: '[::1]', port: 81, expect: ['::1', 81] },
    { name: 'a bare IPv6 address is no host and port', host: '::1', expect: ['::1', 80] },
    {
      name: 'a bare IPv6 address that could be read as one with a port',
      host: 'fe80::8080',
      expect: ['fe80::8080', 80],
    },
    { name: 'a bare IPv6 address beside a port', host: '::1', port: 81, expect: ['::1', 81] },
    { name: 'a zone id stays', host: 'fe80::1%eth0', expect: ['fe80::1%eth0', 80] },
    { name: 'a zone id in brackets stays', host: '[fe80::1%eth0]:81', expect: ['fe80::1%eth0', 81] },
    { name: 'an IPv4 address', host: '127.0.0.1:81', expect: ['127.0.0.1', 81] },
    {
      name: 'an internationalized name keeps its spelling',
      host: 'Bücher.example:81',
      expect: ['Bücher.example', 81],
    },
    { name: 'underscores, as some names have them', host: 'my_host', expect: ['my_host', 80] },
    { name: 'the empty host, as in http.client', host: '', expect: ['', 80] },
  ];
  for (const row of ACCEPTED) {
    it(`${row.name}: ${JSON.stringify(row.host)}`, () => {
      const [host, port] = row.expect;
      expect(parseHostPort(row.host, row.port, 80)).to.deep.equal({ host, port });
    });
  }

  const REFUSED: { name: string; host: string; port?: Port; message: string }[] = [
    { name: 'a port that is a word', host: 'h:http', message: 'nonnumeric port: "http"' },
    { name: 'a port with an underscore', host: 'h:8_0', message: 'nonnumeric port: "8_0"' },
    { name: 'a port with a blank', host: 'h: 80', message: 'nonnumeric port: " 80"' },
    { name: 'a port with a sign', host: 'h:+80', message: 'nonnumeric port: "+80"' },
    { name: 'a hexadecimal port', host: 'h:0x50', message: 'nonnumeric port: "0x50"' },
    { name: 'a port in other digits', host: 'h:\u0668\u0660', message: 'nonnumeric port' },
    { name: 'a port of 65536', host: 'h:65536', message: 'port out of range: 65536' },
    { name: 'a port of a thousand digits', host: `h:${'9'.repeat(1000)}`, message: 'port out of range' },
    { name: 'a negative port', host: 'h', port: -1, message: 'port out of range: -1' },
    { name: 'a fractional port', host: 'h', port: 80.5, message: 'port out of range: 80.5' },
    { name: 'NaN as port', host: 'h', port: Number.NaN, message: 'nonnumeric port: "NaN"' },
    { name: 'a port word beside the host', host: 'h', port: '8o', message: 'nonnumeric port: "8o"' },
    {
      name: 'a port in the text and one beside it',
      host: 'h:81',
      port: 82,
      message: 'names a port, and port 82',
    },
    {
      name: 'an address with a port, and one beside it',
      host: '[::1]:81',
      port: 82,
      message: 'names a port, and port 82',
    },
    { name: 'a URL', host: 'http://h', message: 'host is a URL: pass its host and port' },
    { name: 'CR LF', host: 'h\r\nX: y', message: 'U+000D at index 1' },
    { name: 'CR LF in the port', host: 'h:80\r\n', message: 'nonnumeric port' },
    { name: 'NUL', host: 'h\0', message: 'U+0000 at index 1' },
    { name: 'a space', host: 'h h', message: 'U+0020 at index 1' },
    { name: 'DEL', host: 'h\x7f', message: 'U+007F at index 1' },
    { name: 'a C1 control', host: 'h\x85', message: 'U+0085 at index 1' },
    { name: 'a slash', host: 'h/x', message: 'U+002F at index 1' },
    { name: 'a question mark', host: 'h?x', message: 'U+003F at index 1' },
    { name: 'a hash', host: 'h#x', message: 'U+0023 at index 1' },
    { name: 'user information', host: 'u@h', message: 'U+0040 at index 1' },
    { name: 'a backslash', host: 'h\\x', message: 'U+005C at index 1' },
    { name: 'a bracket that never closes', host: '[::1', message: 'brackets are for one IPv6 address' },
    { name: 'a bracket that never opened', host: 'h]:80', message: 'U+005D at index 1' },
    { name: 'a bracket in the middle', host: 'h[1]', message: 'U+005B at index 1' },
    { name: 'a name in brackets', host: '[localhost]:80', message: 'brackets are for one IPv6 address' },
    {
      name: 'an IPv4 address in brackets',
      host: '[127.0.0.1]',
      message: 'brackets are for one IPv6 address',
    },
    { name: 'text behind the brackets', host: '[::1]x:80', message: 'brackets are for one IPv6 address' },
    { name: 'two closing brackets', host: '[::1]]:80', message: 'brackets are for one IPv6 address' },
    { name: 'empty brackets', host: '[]', message: 'brackets are for one IPv6 address' },
    { name: 'a name with a colon', host: 'a:b:80', message: 'has a colon but is not an IPv6 address' },
    {
      name: 'a name that IDNA turns into a path',
      host: 'a\uff0fb.example',
      message: 'not a valid internationalized name',
    },
    { name: 'a name with a no-break space', host: 'a\xa0b', message: 'not a valid internationalized name' },
  ];
  for (const row of REFUSED) {
    it(`refuses ${row.name}`, () => {
      expect(() => parseHostPort(row.host, row.port, 80)).to.throw(InvalidURL, row.message);
    });
  }

  it('refuses arguments of the wrong type with a TypeError', () => {
    expect(() => parseHostPort(untyped(null), null, 80)).to.throw(
      TypeError,
      'host must be a string, got null',
    );
    expect(() => parseHostPort('h', untyped(true), 80)).to.throw(
      TypeError,
      'port must be a number, or null for the default one, got boolean',
    );
  });

  const URLS: [host: unknown, cure: string][] = [
    ['http://name:8080/path', 'new HTTPConnection("name", 8080), or use an HTTPClient'],
    ['HTTPS://user:secret@name/', 'new HTTPSConnection("name"), or use an HTTPClient'],
    ['ws://[::1]:81', 'new HTTPConnection("[::1]", 81)'],
    ['http://user:secret@:x/', 'new HTTPConnection("host")'],
    [new URL('https://user:secret@name:8443/'), 'new HTTPSConnection("name", 8443)'],
  ];
  for (const [host, cure] of URLS) {
    it(`says what to do with a URL as host, without its secrets: ${typeof host} ${String(host)}`, () => {
      const kind = typeof host === 'string' ? InvalidURL : TypeError;
      const refusal = expect(() => parseHostPort(untyped(host), null, 80)).to.throw(kind, cure);
      refusal.with
        .property('message')
        .that.matches(/URL: pass its host and port/)
        .and.does.not.match(/secret/);
    });
  }

  it('says where options go that are given in the place of the port', () => {
    for (const connectionClass of [HTTPConnection, HTTPSConnection]) {
      expect(() => new connectionClass('h', untyped({ timeout: 1 }) as unknown as number)).to.throw(
        TypeError,
        'port must be a number, or null for the default one, got Object; options, or',
      );
    }
  });

  it('leaves the check of the host to the caller who brings one', () => {
    const checked: string[] = [];
    expect(parseHostPort('a b:81', null, 80, (host) => checked.push(host))).to.deep.equal({
      host: 'a b',
      port: 81,
    });
    expect(checked).to.deep.equal(['a b']);
  });

  it('reads back what formatAuthority wrote', () => {
    const host = fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6());
    fc.assert(
      fc.property(host, fc.integer({ min: 0, max: 65_535 }), (name, port) => {
        expect(parseHostPort(formatAuthority(name, port), null, 80)).to.deep.equal({ host: name, port });
      }),
    );
  });

  it('gives a host fit for the wire or throws InvalidURL, whatever the text', () => {
    const character = fc.constantFrom(
      'a',
      ':',
      '[',
      ']',
      '1',
      '%',
      '@',
      '/',
      '\\',
      ' ',
      '\r',
      '\n',
      '.',
      'ü',
      '\uff0f',
      '\u3002',
      '\uff20',
    );
    fc.assert(
      fc.property(fc.string({ unit: character, maxLength: 12 }), (text) => {
        let authority: string;
        try {
          const { host, port } = parseHostPort(text, null, 80);
          authority = formatAuthority(host, port);
        } catch (error) {
          expect(error).to.be.instanceOf(InvalidURL).and.instanceOf(HTTPException);
          return;
        }
        expect(authority).to.match(/^(\[[0-9a-f:.]+\]|[^\s/@\\[\]:\u0080-\uffff]*):[0-9]+$/);
      }),
      { numRuns: 500 },
    );
  });
});

describe('formatHost', () => {
  const TABLE: [host: string, formatted: string][] = [
    ['Example.ORG', 'Example.ORG'],
    ['127.0.0.1', '127.0.0.1'],
    ['::1', '[::1]'],
    ['fe80::1%eth0', '[fe80::1]'],
    ['bücher.example', 'xn--bcher-kva.example'],
    ['日本語。jp', 'xn--wgv71a119e.jp'],
    ['', ''],
  ];
  for (const [host, formatted] of TABLE) {
    it(`writes '${host}' as '${formatted}'`, () => {
      expect(formatHost(host)).to.equal(formatted);
    });
  }

  it('refuses a name that has no ASCII form', () => {
    expect(() => formatHost('xn--ü.example')).to.throw(InvalidURL, 'not a valid internationalized name');
  });
});

describe('toASCIIHost', () => {
  it('is what a resolver wants: no brackets, the zone id kept, names in ASCII', () => {
    expect(toASCIIHost('fe80::1%eth0')).to.equal('fe80::1%eth0');
    expect(toASCIIHost('bücher.example')).to.equal('xn--bcher-kva.example');
  });
});

describe('validateHost', () => {
  it('passes names and addresses, and the empty text', () => {
    for (const host of ['h', '::1', '127.0.0.1', 'bücher.example', ''])
      expect(() => validateHost(host)).not.to.throw();
  });

  it('takes no port and no brackets', () => {
    expect(() => validateHost('h:80')).to.throw(InvalidURL);
    expect(() => validateHost('[::1]')).to.throw(InvalidURL);
  });
});

describe('formatAuthority', () => {
  const TABLE: [host: string, port: number, defaultPort: number | undefined, formatted: string][] = [
    ['h', 80, 80, 'h'],
    ['h', 80, 443, 'h:80'],
    ['h', 443, undefined, 'h:443'],
    ['::1', 81, 80, '[::1]:81'],
    ['::1', 80, 80, '[::1]'],
    ['bücher.example', 81, 80, 'xn--bcher-kva.example:81'],
  ];
  for (const [host, port, defaultPort, formatted] of TABLE) {
    it(`writes ${host} and ${String(port)} with the default ${String(defaultPort)} as ${formatted}`, () => {
      expect(formatAuthority(host, port, defaultPort)).to.equal(formatted);
    });
  }
});

describe('authorityOf', () => {
  const TABLE: [url: string, authority: string | null][] = [
    ['http://example.org/path', 'example.org'],
    ['http://example.org', 'example.org'],
    ['http://example.org?q=a@b', 'example.org'],
    ['http://example.org#f', 'example.org'],
    ['HTTP://example.org:8080/', 'example.org:8080'],
    ['HttpS://example.org/', 'example.org'],
    ['http://example.org:80/', 'example.org'],
    ['http://example.org:/', 'example.org'],
    ['https://example.org:443/', 'example.org'],
    ['https://example.org:80/', 'example.org:80'],
    ['http://example.org:443/', 'example.org:443'],
    ['http://user:secret@example.org:81/', 'example.org:81'],
    ['http://a@b@example.org/', 'example.org'],
    ['http://[::1]:81/', '[::1]:81'],
    ['http://bücher.example/', 'xn--bcher-kva.example'],
    ['http://h/http://other/', 'h'],
    ['/path', null],
    ['/http://example.org/', null],
    ['//example.org/', null],
    ['*', null],
    ['', null],
    ['ftp://example.org/', null],
    ['httpx://example.org/', null],
    ['http:/example.org/', null],
    [' http://example.org/', null],
  ];
  for (const [url, authority] of TABLE) {
    it(`of '${url}' is ${authority ?? 'null'}`, () => {
      expect(authorityOf(url)).to.equal(authority);
    });
  }

  const REFUSED: [name: string, url: string][] = [
    ['an empty host', 'http:///path'],
    ['an empty host behind user information', 'http://user:secret@/'],
    ['a port without a host', 'http://:80/'],
    ['a port out of range', 'http://user:secret@h:65536/'],
    ['a backslash, where browsers would end the host', 'http://user:secret@good\\@evil/'],
    ['a space', 'http://user:secret@a b/'],
    ['an address without brackets that is none', 'http://user:secret@1:2:3/'],
  ];
  for (const [name, url] of REFUSED) {
    it(`refuses ${name} and never tells the credentials`, () => {
      expect(() => authorityOf(url))
        .to.throw(InvalidURL)
        .with.property('message')
        .not.contain('secret');
    });
  }
});
