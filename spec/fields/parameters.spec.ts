/**
 * The parameter syntax as a table: a field value, the parameter asked for, what it holds.
 */

import { expect } from 'chai';
import fc from 'fast-check';

import { leadingValue, parameterOf } from '../../lib/fields/parameters.js';

const quote = (text: string) => `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`;

describe('parameters of a field value', () => {
  const TABLE: { name: string; text: string; expect: string | null }[] = [
    { name: 'a token is taken as it is', text: 'form; x=abc', expect: 'abc' },
    { name: 'the name is found in any case', text: 'form; X=abc', expect: 'abc' },
    {
      name: 'blanks around the name, the equals sign and the value are dropped',
      text: 'form ; x =\tabc ;y=2',
      expect: 'abc',
    },
    { name: 'a value keeps its later equals signs', text: 'form; x=a=b=', expect: 'a=b=' },
    { name: 'an absent parameter is null', text: 'form; y=1', expect: null },
    { name: 'a value without parameters has none', text: 'form', expect: null },
    { name: 'the empty text has none', text: '', expect: null },
    { name: 'the leading value is not a parameter', text: 'x=1; y=2', expect: null },
    { name: 'a longer name that begins alike is another parameter', text: 'form; xy=1', expect: null },
    { name: 'a parameter without a value is the empty string', text: 'form; x; y=1', expect: '' },
    {
      name: 'a parameter with nothing behind the equals sign is the empty string',
      text: 'form; x=',
      expect: '',
    },
    { name: 'empty parameters are passed over', text: 'form;; ;x=1;', expect: '1' },
    { name: 'of two alike the first counts', text: 'form; x=1; x=2', expect: '1' },
    {
      name: 'quotes are removed and their content is kept, blanks included',
      text: 'form; x=" a b "',
      expect: ' a b ',
    },
    {
      name: 'a semicolon within quotes belongs to the value',
      text: 'form; y="a;x=no"; x=yes',
      expect: 'yes',
    },
    {
      name: 'an escaped quote does not end the value',
      text: String.raw`form; x="a\"b\\c"; y=1`,
      expect: String.raw`a"b\c`,
    },
    {
      name: 'an escaped quote in another value hides nothing',
      text: String.raw`form; y="\""; x=1`,
      expect: '1',
    },
    { name: 'text behind a closing quote is dropped', text: 'form; x="a"b; y=1', expect: 'a' },
    { name: 'a quote that never closes runs to the end', text: 'form; x="a; y=1', expect: 'a; y=1' },
    { name: 'a backslash at the very end is kept', text: 'form; x="a\\', expect: 'a\\' },
    { name: 'a quote inside a token is a character', text: 'form; x=a"b;c"', expect: 'a"b' },

    { name: 'extended UTF-8 is decoded', text: "form; x*=UTF-8''%e2%82%ac%20rates", expect: '€ rates' },
    { name: 'a language tag is passed over', text: "form; x*=utf-8'en-GB'%c2%a3", expect: '£' },
    { name: 'extended ISO-8859-1 is decoded', text: "form; x*=ISO-8859-1'en'%A3%80", expect: '£\x80' },
    { name: 'a byte order mark is text', text: "form; x*=UTF-8''%ef%bb%bfa", expect: '\ufeffa' },
    { name: 'an apostrophe in the value stays', text: "form; x*=UTF-8''it's", expect: "it's" },
    {
      name: 'the extended value wins over a plain one before it',
      text: "form; x=plain; x*=UTF-8''ext",
      expect: 'ext',
    },
    {
      name: 'the extended value wins over a plain one behind it',
      text: "form; x*=UTF-8''ext; x=plain",
      expect: 'ext',
    },
    {
      name: 'an unknown charset leaves the plain value',
      text: "form; x*=koi8-r''%c0; x=plain",
      expect: 'plain',
    },
    {
      name: 'malformed UTF-8 leaves the plain value',
      text: "form; x*=UTF-8''%e2%82; x=plain",
      expect: 'plain',
    },
    {
      name: 'a broken percent sign leaves the plain value',
      text: "form; x*=UTF-8''100%; x=plain",
      expect: 'plain',
    },
    {
      name: 'a percent sign before something that is not hex too',
      text: "form; x*=UTF-8''%+1; x=plain",
      expect: 'plain',
    },
    {
      name: 'an extended value without a charset part leaves the plain value',
      text: 'form; x*=abc; x=plain',
      expect: 'plain',
    },
    { name: 'a broken extended value alone is null', text: "form; x*=UTF-8''%e2%82", expect: null },
    { name: 'percent signs in a plain value stay', text: 'form; x=%41', expect: '%41' },

    { name: 'continuations are joined', text: 'form; x*0=ab; x*1="c d"; x*2=e', expect: 'abc de' },
    { name: 'continuations are joined by number, not by place', text: 'form; x*1=b; x*0=a', expect: 'ab' },
    { name: 'of two continuations alike the first counts', text: 'form; x*0=a; x*0=b', expect: 'a' },
    { name: 'a gap ends the continuations', text: 'form; x*0=a; x*2=c', expect: 'a' },
    { name: 'continuations that do not begin at 0 are none', text: 'form; x*1=b; x=plain', expect: 'plain' },
    { name: 'continuations win over the plain value', text: 'form; x=plain; x*0=a; x*1=b', expect: 'ab' },
    {
      name: 'plain continuations are octets, as all field text',
      text: 'form; x*0=\xe9; x*1=\xe8',
      expect: '\xe9\xe8',
    },
    {
      name: 'encoded and plain continuations mix',
      text: "form; x*0*=UTF-8''%e2%82%ac; x*1=%41; x*2*=%42",
      expect: '€%41B',
    },
    { name: 'a character may be split between two', text: "form; x*0*=UTF-8''%e2; x*1*=%82%ac", expect: '€' },
    {
      name: 'a broken continuation leaves the plain value',
      text: "form; x*0*=UTF-8''%e; x=plain",
      expect: 'plain',
    },
    {
      name: 'continuations of an unknown charset leave the plain value',
      text: "form; x*0*=k''a; x=plain",
      expect: 'plain',
    },
  ];
  for (const row of TABLE) {
    it(row.name, () => {
      expect(parameterOf(row.text, 'x')).to.equal(row.expect);
    });
  }

  it('finds a parameter asked for in upper case', () => {
    expect(parameterOf('form; x=1', 'X')).to.equal('1');
  });

  it('gives back any text that was quoted', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (value, other) => {
        expect(parameterOf(`form; other=${quote(other)}; x=${quote(value)}`, 'x')).to.equal(value);
      }),
    );
  });

  it('gives back any text that was percent-encoded', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        expect(parameterOf(`form; x*=UTF-8''${encodeURIComponent(value)}`, 'x')).to.equal(value);
      }),
    );
  });

  it('never throws, whatever the text', () => {
    const piece = fc.constantFrom(
      ';',
      '"',
      '\\',
      '=',
      '*',
      "'",
      '%',
      'x',
      'x*',
      'x*0',
      'x*0*',
      "utf-8''",
      '%e2',
      ' ',
      'é',
      '€',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        const text = pieces.join('');
        const value = parameterOf(text, 'x');
        expect(value === null || value.length <= text.length).to.equal(true);
      }),
    );
  });
});

describe('the leading value of a field', () => {
  const TABLE: [text: string, expected: string][] = [
    ['text/html; charset=utf-8', 'text/html'],
    [' text/html\t', 'text/html'],
    ['text/html;', 'text/html'],
    ['; a=b', ''],
    ['', ''],
  ];
  for (const [text, expected] of TABLE) {
    it(`of '${text}' is '${expected}'`, () => {
      expect(leadingValue(text)).to.equal(expected);
    });
  }
});
