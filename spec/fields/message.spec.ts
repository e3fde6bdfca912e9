/**
 * `HTTPMessage` as a program uses it: what goes in, in which order it comes out, and what is refused.
 */

import { inspect } from 'node:util';

import type { IncomingHttpHeaders } from 'node:http';

import { expect } from 'chai';
import fc from 'fast-check';

import { type HeadersInit, HTTPMessage, fieldsFor, fieldsOf, messageOf } from '../../lib/fields/message.js';

const sample = (): HTTPMessage =>
  new HTTPMessage([
    ['Content-Type', 'text/html'],
    ['Set-Cookie', 'a=1'],
    ['X-One', '1'],
    ['set-cookie', 'b=2'],
  ]);

/** A caller without types. */
const untyped = (value: unknown): HeadersInit => value as HeadersInit;

describe('HTTPMessage', () => {
  describe('lookups', () => {
    it('get gives the first value, whatever the case', () => {
      expect(sample().get('SET-COOKIE')).to.equal('a=1');
      expect(sample().get('content-type')).to.equal('text/html');
    });

    it('get gives null for a field that is absent', () => {
      expect(sample().get('X-Two')).to.equal(null);
      expect(new HTTPMessage().get('x')).to.equal(null);
    });

    it('do not mistake a name for another of the same length', () => {
      expect(sample().get('Content-Typo')).to.equal(null);
    });

    it('do not mistake a value for a name', () => {
      const message = new HTTPMessage({ A: 'B' });
      expect(message.get('B')).to.equal(null);
    });

    it('getAll gives every value in order, and an empty list when there is none', () => {
      expect(sample().getAll('Set-Cookie')).to.deep.equal(['a=1', 'b=2']);
      expect(sample().getAll('X-Two')).to.deep.equal([]);
    });

    it('has tells a field with an empty value from one that is absent', () => {
      const message = new HTTPMessage({ Empty: '' });
      expect(message.has('empty')).to.equal(true);
      expect(message.get('empty')).to.equal('');
      expect(message.has('full')).to.equal(false);
    });

    it('size counts field lines', () => {
      expect(sample().size).to.equal(4);
      expect(new HTTPMessage().size).to.equal(0);
    });
  });

  describe('iteration', () => {
    it('keeps order, spelling and repetitions', () => {
      expect([...sample().keys()]).to.deep.equal(['Content-Type', 'Set-Cookie', 'X-One', 'set-cookie']);
      expect([...sample().values()]).to.deep.equal(['text/html', 'a=1', '1', 'b=2']);
      expect([...sample()]).to.deep.equal([...sample().entries()]);
      expect([...sample()][3]).to.deep.equal(['set-cookie', 'b=2']);
    });

    it('reaches every field while they are deleted', () => {
      const message = sample();
      const seen: string[] = [];
      for (const name of message.keys()) {
        seen.push(name);
        message.delete(name);
      }
      expect(seen).to.deep.equal(['Content-Type', 'Set-Cookie', 'X-One', 'set-cookie']);
      expect(message.size).to.equal(0);
    });

    it('ends even when each step adds a field', () => {
      const message = new HTTPMessage({ A: '1', B: '2' });
      for (const [name, value] of message) message.add(`${name}-Copy`, value);
      expect([...message.keys()]).to.deep.equal(['A', 'B', 'A-Copy', 'B-Copy']);
    });
  });

  describe('changes', () => {
    it('add appends, and leaves earlier lines of the name alone', () => {
      const message = sample();
      message.add('Set-Cookie', 'c=3');
      expect(message.getAll('set-cookie')).to.deep.equal(['a=1', 'b=2', 'c=3']);
      expect([...message.keys()].at(-1)).to.equal('Set-Cookie');
    });

    it('set replaces the first line in place, in the new spelling, and removes the others', () => {
      const message = sample();
      message.set('SET-COOKIE', 'z=9');
      expect([...message]).to.deep.equal([
        ['Content-Type', 'text/html'],
        ['SET-COOKIE', 'z=9'],
        ['X-One', '1'],
      ]);
    });

    it('set appends a name that is new', () => {
      const message = sample();
      message.set('X-Two', '2');
      expect([...message].at(-1)).to.deep.equal(['X-Two', '2']);
      expect(message.size).to.equal(5);
    });

    it('delete removes every line of the name and nothing else', () => {
      const message = sample();
      message.delete('set-COOKIE');
      expect([...message.keys()]).to.deep.equal(['Content-Type', 'X-One']);
      message.delete('absent');
      expect(message.size).to.equal(2);
    });

    it('that are refused leave the message as it was', () => {
      const message = sample();
      expect(() => message.add('X', 'a\r\nb')).to.throw(TypeError);
      expect(() => message.set('X-One', 'a\nb')).to.throw(TypeError);
      expect(message.toString()).to.equal(sample().toString());
    });

    it('agree with a plain list of pairs, whatever their sequence', () => {
      const name = fc.constantFrom('a', 'A', 'bb', 'Bb', 'c');
      const step = fc.record({
        kind: fc.constantFrom('add', 'set', 'delete'),
        name,
        value: fc.constantFrom('1', '2', '3'),
      });
      fc.assert(
        fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
          const message = new HTTPMessage();
          let model: [string, string][] = [];
          for (const { kind, name: spelled, value } of steps) {
            const same = ([other]: [string, string]) => other.toLowerCase() === spelled.toLowerCase();
            const first = model.findIndex(same);
            if (kind === 'delete') {
              message.delete(spelled);
              model = model.filter((pair) => !same(pair));
            } else if (kind === 'add' || first === -1) {
              if (kind === 'add') message.add(spelled, value);
              else message.set(spelled, value);
              model.push([spelled, value]);
            } else {
              message.set(spelled, value);
              model = model.filter((pair, index) => index === first || !same(pair));
              model[first] = [spelled, value];
            }
          }
          expect([...message]).to.deep.equal(model);
        }),
      );
    });
  });

  describe('the constructor', () => {
    const FORMS: { name: string; init: HeadersInit; expect: string }[] = [
      { name: 'a record', init: { A: 'x', B: 2 }, expect: 'A: x\r\nB: 2\r\n' },
      {
        name: 'a record with a list, one line each',
        init: { A: ['x', 'y'], B: [] },
        expect: 'A: x\r\nA: y\r\n',
      },
      { name: 'pairs', init: [['A', 'x'], ['a', 1]], expect: 'A: x\r\na: 1\r\n' }, // prettier-ignore
      { name: 'a Map', init: new Map([['A', 'x']]), expect: 'A: x\r\n' },
      { name: 'another message', init: sample(), expect: sample().toString() },
      {
        name: 'Headers, cookies apart',
        init: new Headers([['X', 'x'], ['Set-Cookie', '1'], ['Set-Cookie', '2']]), // prettier-ignore
        expect: 'set-cookie: 1\r\nset-cookie: 2\r\nx: x\r\n',
      },
      {
        name: 'the headers of a message that Node received',
        init: {
          accept: '*/*',
          'set-cookie': ['a', 'b'],
        } satisfies IncomingHttpHeaders as IncomingHttpHeaders,
        expect: 'accept: */*\r\nset-cookie: a\r\nset-cookie: b\r\n',
      },
      {
        name: 'a record named like members of Object',
        init: { constructor: 'x' },
        expect: 'constructor: x\r\n',
      },
    ];
    for (const form of FORMS) {
      it(`takes ${form.name}`, () => {
        expect(new HTTPMessage(form.init).toString()).to.equal(form.expect);
      });
    }

    it('copies a message', () => {
      const first = sample();
      const second = new HTTPMessage(first);
      second.delete('X-One');
      second.add('X-Two', '2');
      expect(first.toString()).to.equal(sample().toString());
    });

    const REFUSED: { name: string; init: unknown; message: RegExp }[] = [
      { name: 'a string', init: 'a: b', message: /got string/ },
      { name: 'a number', init: 5, message: /got number/ },
      { name: 'a promise that was not awaited', init: Promise.resolve({ a: 'b' }), message: /got Promise/ },
      { name: 'a flat list', init: ['A', 'x'], message: /item 0 is string/ },
      { name: 'a pair with three items', init: [['A', 'x'], ['B', 'y', 'z']], message: /item 1 is Array/ }, // prettier-ignore
      {
        name: 'null as a value',
        init: { 'X-A': null },
        message: /field X-A .* got null: leave the field out/,
      },
      {
        name: 'undefined as a value',
        init: { 'X-A': undefined },
        message: /field X-A .* got undefined: leave the field out/,
      },
      { name: 'a boolean as a value', init: { 'X-A': true }, message: /field X-A .* got boolean/ },
      { name: 'an object as a value', init: { 'X-A': { b: 1 } }, message: /field X-A .* got Object/ },
      {
        name: 'bytes as a value',
        init: { 'X-A': new Uint8Array(1) },
        message: /field X-A .* got Uint8Array/,
      },
      { name: 'a list within a pair', init: [['X-A', ['b']]], message: /field X-A .* got Array/ },
      { name: 'null within a list', init: { 'X-A': ['b', null] }, message: /field X-A .* got null/ },
      { name: 'a number that is none', init: { 'X-A': Number.NaN }, message: /field X-A .* got NaN/ },
      { name: 'an infinite number', init: { 'X-A': -Infinity }, message: /field X-A .* got -Infinity/ },
      { name: 'a name that is no string', init: [[5, 'x']], message: /name must be a string, got number/ },
    ];
    for (const row of REFUSED) {
      it(`refuses ${row.name} with a TypeError that says so`, () => {
        expect(() => new HTTPMessage(untyped(row.init))).to.throw(TypeError, row.message);
      });
    }
  });

  describe('what may go on the wire', () => {
    const BAD_NAMES: [name: string, character: string][] = [
      ['', 'empty'],
      ['A B', 'U+0020 at index 1'],
      ['A:', 'U+003A at index 1'],
      ['\r\nA', 'U+000D at index 0'],
      ['Ünder', 'U+00DC at index 0'],
      ['A😀', 'U+1F600 at index 1'],
      ['Content-Length\0', 'U+0000 at index 14'],
    ];
    for (const [name, character] of BAD_NAMES) {
      it(`refuses the name ${JSON.stringify(name)} in every way in and names the cause`, () => {
        const message = new HTTPMessage();
        expect(() => message.add(name, 'x')).to.throw(TypeError, character);
        expect(() => message.set(name, 'x')).to.throw(TypeError, character);
        expect(() => new HTTPMessage({ [name]: 'x' })).to.throw(TypeError, character);
        expect(() => new HTTPMessage([[name, 'x']])).to.throw(TypeError, character);
      });
    }

    const BAD_VALUES: [value: string, character: string][] = [
      ['a\rb', 'U+000D at index 1'],
      ['a\nb', 'U+000A at index 1'],
      ['a\r\n folded', 'U+000D at index 1'],
      ['ends\r\n', 'U+000D at index 4'],
      ['\0', 'U+0000 at index 0'],
      ['a\x1f', 'U+001F at index 1'],
      ['\x7f', 'U+007F at index 0'],
      ['  €', 'U+20AC at index 2'],
      ['a😀', 'U+1F600 at index 1'],
    ];
    for (const [value, character] of BAD_VALUES) {
      it(`refuses the value ${JSON.stringify(value)} in every way in and names field and character`, () => {
        const cause = `field X-A holds ${character}`;
        const message = new HTTPMessage();
        expect(() => message.add('X-A', value)).to.throw(TypeError, cause);
        expect(() => message.set('X-A', value)).to.throw(TypeError, cause);
        expect(() => new HTTPMessage({ 'X-A': value })).to.throw(TypeError, cause);
        expect(() => new HTTPMessage({ 'X-A': ['fine', value] })).to.throw(TypeError, cause);
        expect(() => new HTTPMessage([['X-A', value]])).to.throw(TypeError, cause);
      });
    }

    it('never repeats the value in the error, which may be a secret', () => {
      expect(() => new HTTPMessage({ Authorization: 'Bearer s3cret\n' }))
        .to.throw(TypeError)
        .with.property('message')
        .not.contain('s3cret');
    });

    it('keeps ISO-8859-1 and inner blanks, and drops SP and HTAB around the value', () => {
      const message = new HTTPMessage({ A: '\t a \t b ', B: '\xa0é\xff\xa0', C: ' \t' });
      expect([...message.values()]).to.deep.equal(['a \t b', '\xa0é\xff\xa0', '']);
    });

    it('lets nothing accepted break out of its line', () => {
      const text = fc.string({
        unit: fc.constantFrom('a', ':', ' ', '\t', '\r', '\n', '\0', 'é', '\x85', '\u2028'),
      });
      fc.assert(
        fc.property(text, text, (name, value) => {
          let wire = '';
          try {
            wire = new HTTPMessage([[name, value]]).toString();
          } catch (error) {
            expect(error).to.be.instanceOf(TypeError);
            return;
          }
          expect(wire).to.match(/^a+: [^\r\n\0]*\r\n$/);
        }),
      );
    });
  });

  describe('Content-Type and Content-Disposition', () => {
    const TYPES: [value: string | null, type: string][] = [
      [null, 'text/plain'],
      ['Text/HTML; Charset=UTF-8', 'text/html'],
      ['application/problem+json', 'application/problem+json'],
      ['', 'text/plain'],
      ['html', 'text/plain'],
      ['/html', 'text/plain'],
      ['text/', 'text/plain'],
      ['a/b/c', 'text/plain'],
      ['text html/x', 'text/plain'],
    ];
    for (const [value, type] of TYPES) {
      it(`getContentType of ${JSON.stringify(value)} is ${type}`, () => {
        expect(new HTTPMessage(value === null ? {} : { 'Content-Type': value }).getContentType()).to.equal(
          type,
        );
      });
    }

    it('getContentCharset is the declared charset in lower case, or null', () => {
      expect(new HTTPMessage({ 'Content-Type': 'text/html; Charset="UTF-8"' }).getContentCharset()).to.equal(
        'utf-8',
      );
      expect(new HTTPMessage({ 'Content-Type': 'text/html' }).getContentCharset()).to.equal(null);
      expect(new HTTPMessage().getContentCharset()).to.equal(null);
    });

    it('getParam reads Content-Type unless another field is named', () => {
      const message = new HTTPMessage({
        'content-type': 'multipart/mixed; boundary="a b"',
        'X-Y': 'v; boundary=c',
      });
      expect(message.getParam('Boundary')).to.equal('a b');
      expect(message.getParam('boundary', 'x-y')).to.equal('c');
      expect(message.getParam('boundary', 'absent')).to.equal(null);
    });

    const FILES: { name: string; fields: HeadersInit; expect: string | null }[] = [
      {
        name: 'filename*',
        fields: { 'Content-Disposition': "attachment; filename=e.txt; filename*=UTF-8''%e2%82%ac.txt" },
        expect: '€.txt',
      },
      {
        name: 'filename',
        fields: { 'Content-Disposition': 'attachment; filename="a b.txt"' },
        expect: 'a b.txt',
      },
      {
        name: 'name of Content-Type',
        fields: { 'Content-Disposition': 'inline', 'Content-Type': 'text/plain; name=n.txt' },
        expect: 'n.txt',
      },
      { name: 'none', fields: { 'Content-Type': 'text/plain' }, expect: null },
      {
        name: 'a path, as sent',
        fields: { 'Content-Disposition': 'attachment; filename="../../etc/passwd"' },
        expect: '../../etc/passwd',
      },
    ];
    for (const row of FILES) {
      it(`getFilename gives ${row.name}`, () => {
        expect(new HTTPMessage(row.fields).getFilename()).to.equal(row.expect);
      });
    }
  });

  describe('as text', () => {
    it('is its wire form, without a blank line', () => {
      expect(String(new HTTPMessage({ A: 'x', b: '' }))).to.equal('A: x\r\nb: \r\n');
      expect(String(new HTTPMessage())).to.equal('');
    });

    it('is a record as JSON, which the constructor takes back', () => {
      const message = new HTTPMessage([
        ['Set-Cookie', 'a'],
        ['Content-Type', 'text/plain'],
        ['set-cookie', 'b'],
        ['__proto__', 'c'],
      ]);
      const json = JSON.stringify(message);
      expect(json).to.equal('{"Set-Cookie":["a","b"],"Content-Type":"text/plain","__proto__":"c"}');
      const again = new HTTPMessage(JSON.parse(json) as Record<string, string>);
      expect(JSON.stringify(again)).to.equal(json);
      expect(JSON.stringify(new HTTPMessage())).to.equal('{}');
    });

    it('is inspected as its fields', () => {
      expect(inspect(new HTTPMessage({ A: ['x', 'y"'] }))).to.equal(
        'HTTPMessage {\n  A: "x",\n  A: "y\\""\n}',
      );
      expect(inspect(new HTTPMessage())).to.equal('HTTPMessage {}');
      expect(inspect({ a: { b: new HTTPMessage() } }, { depth: 1 })).to.contain('[HTTPMessage]');
    });

    it('has no enumerable members, so that it clones and compares by nothing hidden', () => {
      expect(Object.keys(sample())).to.deep.equal([]);
    });
  });

  describe('the flat array', () => {
    it('of a parsed head becomes a message without a copy or a check', () => {
      const fields = ['A', 'x', 'B', 'not\x01checked'];
      const message = messageOf(fields);
      expect(fieldsFor(message)).to.equal(fields);
      expect(message.get('b')).to.equal('not\x01checked');
    });

    it('of a request head is checked and fresh', () => {
      const message = new HTTPMessage({ A: 'x' });
      const fields = fieldsOf(message);
      fields.push('B', 'y');
      expect(message.size).to.equal(1);
      expect(fieldsOf({ A: ' x ' })).to.deep.equal(['A', 'x']);
      expect([fieldsOf(null), fieldsOf(undefined)]).to.deep.equal([[], []]);
    });
  });
});
