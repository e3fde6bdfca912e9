/**
 * Which charset a string body is sent in, what becomes of its characters, and how response text is decoded.
 */

import { expect } from 'chai';
import fc from 'fast-check';

import { type Charset, charsetOf, decoderFor, encodeText } from '../../lib/fields/charset.js';

describe('charsetOf', () => {
  const TABLE: [contentType: string | null, charset: Charset][] = [
    [null, 'iso-8859-1'],
    ['', 'iso-8859-1'],
    ['text/plain', 'iso-8859-1'],
    ['application/json', 'utf-8'],
    ['Application/JSON; indent=2', 'utf-8'],
    ['application/problem+json', 'utf-8'],
    ['application/vnd.api+JSON', 'utf-8'],
    ['application/jsonl', 'utf-8'],
    ['application/x-ndjson', 'utf-8'],
    ['application/ndjson; x=1', 'utf-8'],
    ['application/json-seq', 'utf-8'],
    ['application/geo+json-seq', 'utf-8'],
    ['text/xml', 'utf-8'],
    ['Application/XML', 'utf-8'],
    ['image/svg+xml', 'utf-8'],
    ['application/xml; charset=latin1', 'iso-8859-1'],
    ['application/jsonp', 'iso-8859-1'],
    ['application/myjson', 'iso-8859-1'],
    ['text/xmlish', 'iso-8859-1'],
    ['application/json; charset=iso-8859-1', 'iso-8859-1'],
    ['application/problem+json; charset=us-ascii', 'us-ascii'],
    ['text/plain; charset=utf-8', 'utf-8'],
    ['text/plain; CHARSET="UTF-8"', 'utf-8'],
    ['text/plain; charset=utf8', 'utf-8'],
    ['text/plain;charset=UTF-16LE', 'utf-16le'],
    ['text/plain; charset=Latin1', 'iso-8859-1'],
    ['text/plain; charset=ISO_8859-1', 'iso-8859-1'],
    ['text/plain; charset=US-ASCII', 'us-ascii'],
    ['text/plain; charset=ascii', 'us-ascii'],
    ['text/plain; x="charset=utf-8"', 'iso-8859-1'],
  ];
  for (const [contentType, charset] of TABLE) {
    it(`of ${JSON.stringify(contentType)} is ${charset}`, () => {
      expect(charsetOf(contentType)).to.equal(charset);
    });
  }

  it('falls back to UTF-8 where that is the default, and nowhere else', () => {
    expect(charsetOf(null, 'utf-8')).to.equal('utf-8');
    expect(charsetOf('text/plain', 'utf-8')).to.equal('utf-8');
    expect(charsetOf('text/plain; charset=latin1', 'utf-8')).to.equal('iso-8859-1');
    expect(charsetOf('application/json', 'iso-8859-1')).to.equal('utf-8');
  });

  for (const declared of ['koi8-r', 'utf-16', 'utf-16be', 'windows-1252', 'constructor', '']) {
    it(`refuses ${JSON.stringify(declared)} with a TypeError that names it and what can be declared`, () => {
      expect(() => charsetOf(`application/json; charset="${declared}"`))
        .to.throw(TypeError, JSON.stringify(declared))
        .with.property('message')
        .that.matches(/utf-8.*utf-16le.*iso-8859-1.*us-ascii/);
    });
  }
});

describe('encodeText', () => {
  const TABLE: { charset: Charset; text: string; bytes: string }[] = [
    { charset: 'iso-8859-1', text: 'aé\xff\0', bytes: '61e9ff00' },
    { charset: 'us-ascii', text: 'a\x7f\r\n', bytes: '617f0d0a' },
    { charset: 'utf-8', text: 'é€😀', bytes: 'c3a9e282acf09f9880' },
    { charset: 'utf-8', text: '\ufeffa', bytes: 'efbbbf61' },
    { charset: 'utf-16le', text: 'a😀', bytes: '61003dd800de' },
    { charset: 'utf-8', text: '', bytes: '' },
  ];
  for (const { charset, text, bytes } of TABLE) {
    it(`writes ${JSON.stringify(text)} in ${charset}`, () => {
      expect(encodeText(text, charset).toString('hex')).to.equal(bytes);
    });
  }

  const UNFIT: { charset: Charset; text: string; names: string[] }[] = [
    { charset: 'iso-8859-1', text: 'ab€', names: ['"€"', 'U+20AC at index 2', 'iso-8859-1'] },
    { charset: 'iso-8859-1', text: 'Ā', names: ['U+0100 at index 0'] },
    { charset: 'iso-8859-1', text: 'é😀', names: ['"😀"', 'U+1F600 at index 1'] },
    { charset: 'us-ascii', text: 'né', names: ['"é"', 'U+00E9 at index 1', 'us-ascii'] },
    { charset: 'us-ascii', text: '\x80', names: ['U+0080 at index 0'] },
  ];
  for (const { charset, text, names } of UNFIT) {
    it(`refuses ${JSON.stringify(text)} in ${charset}, and names character, index and cure`, () => {
      const error = expect(() => encodeText(text, charset))
        .to.throw(TypeError)
        .with.property('message');
      for (const name of names) error.contain(name);
      error.contain("declare charset=utf-8 in Content-Type, or pass Buffer.from(text, 'utf8')");
    });
  }

  for (const charset of ['utf-8', 'utf-16le', 'iso-8859-1', 'us-ascii'] as const) {
    it(`refuses half a surrogate pair in ${charset}, at either end`, () => {
      expect(() => encodeText('ab\ud83d', charset)).to.throw(
        TypeError,
        'U+D83D at index 2 is half a character',
      );
      expect(() => encodeText('\ude00b', charset)).to.throw(
        TypeError,
        'U+DE00 at index 0 is half a character',
      );
    });
  }

  it('finds a lone half behind whole pairs', () => {
    expect(() => encodeText('😀😀\ud83dx', 'utf-8')).to.throw(TypeError, 'U+D83D at index 4');
  });

  it('loses nothing that it accepts', () => {
    const decode: Record<Charset, (bytes: Buffer) => string> = {
      'utf-8': (bytes) => bytes.toString('utf8'),
      'utf-16le': (bytes) => bytes.toString('utf16le'),
      'iso-8859-1': (bytes) => bytes.toString('latin1'),
      'us-ascii': (bytes) => bytes.toString('ascii'),
    };
    const unit = fc.constantFrom('a', '\x7f', '\x80', 'é', '\xff', 'Ā', '€', '😀', '\ud83d', '\ude00');
    fc.assert(
      fc.property(
        fc.string({ unit }),
        fc.constantFrom<Charset>('utf-8', 'utf-16le', 'iso-8859-1', 'us-ascii'),
        (text, charset) => {
          let bytes: Buffer;
          try {
            bytes = encodeText(text, charset);
          } catch (error) {
            expect(error).to.be.instanceOf(TypeError);
            return;
          }
          expect(decode[charset](bytes)).to.equal(text);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('decoderFor', () => {
  const TABLE: { contentType: string | null; bytes: number[]; text: string }[] = [
    { contentType: null, bytes: [0xe2, 0x82, 0xac], text: '€' },
    { contentType: 'text/plain', bytes: [0xc3, 0xa9], text: 'é' },
    { contentType: 'text/plain; charset=', bytes: [0xc3, 0xa9], text: 'é' },
    { contentType: 'text/plain; charset="ISO-8859-1"', bytes: [0xe9], text: 'é' },
    { contentType: 'text/plain; charset=koi8-r', bytes: [0xc1], text: 'а' },
    { contentType: 'text/plain; charset=utf-16le', bytes: [0xac, 0x20], text: '€' },
    { contentType: 'application/json', bytes: [0xef, 0xbb, 0xbf, 0x31], text: '1' },
    { contentType: null, bytes: [0x61, 0xff], text: 'a\ufffd' },
  ];
  for (const { contentType, bytes, text } of TABLE) {
    it(`reads [${bytes.join(' ')}] of ${JSON.stringify(contentType)} as ${JSON.stringify(text)}`, () => {
      expect(decoderFor(contentType).decode(Uint8Array.from(bytes))).to.equal(text);
    });
  }

  it('refuses a charset that nobody knows with a TypeError that names it', () => {
    expect(() => decoderFor('text/plain; charset=klingon')).to.throw(TypeError, '"klingon"');
  });
});
