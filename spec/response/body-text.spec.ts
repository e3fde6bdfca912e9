/**
 * A body as text: lines, text and json in the charset of Content-Type, over every cutting, characters cut in two included.
 */
import { expect } from 'chai';

import type { HTTPResponse } from '../../lib/response/response.js';
import { octets, whole } from '../support/cuttings.js';
import { expectTheEnd, inEveryDelivery } from '../support/deliveries.js';
import { FedResponse, responseOf } from '../support/fed-response.js';
import type { BodyScript } from '../support/fed-response.js';
import { rejection } from '../support/rejection.js';

const TEXT = 'first line\nsecond line\r\n\nfourth, longer than the others\nlast without an end';
const BODY = Buffer.from(TEXT);
const LINES = TEXT.split(/(?<=\n)/);

describe('lines', () => {
  const gather = async (response: HTTPResponse): Promise<string[]> => {
    const lines: string[] = [];
    for await (const line of response.lines()) lines.push(line);
    return lines;
  };
  const typed = (type: string): Partial<BodyScript> => ({ fields: ['Content-Type', type] });

  const TABLE: { name: string; type: string; wire: Buffer; expect: string[] }[] = [
    { name: 'LF and CRLF end a line', type: 'text/plain', wire: BODY, expect: TEXT.split(/\r?\n/) },
    {
      name: 'an LF at the end begins no line',
      type: 'text/plain',
      wire: Buffer.from('a\nb\n'),
      expect: ['a', 'b'],
    },
    {
      name: 'empty lines are lines',
      type: 'text/plain',
      wire: Buffer.from('\n\r\n\n'),
      expect: ['', '', ''],
    },
    {
      name: 'a CR alone ends no line',
      type: 'text/plain',
      wire: Buffer.from('a\rb\r\r\nc\r'),
      expect: ['a\rb\r', 'c\r'],
    },
    { name: 'an empty body has no lines', type: 'text/plain', wire: Buffer.alloc(0), expect: [] },
    {
      name: 'without a charset it is UTF-8',
      type: 'text/event-stream',
      wire: Buffer.from('é\n€\n𝄞'),
      expect: ['é', '€', '𝄞'],
    },
    { name: 'utf-8', type: 'text/plain; charset=UTF-8', wire: Buffer.from('é€\r\n𝄞'), expect: ['é€', '𝄞'] },
    {
      name: 'a byte order mark is dropped',
      type: 'text/plain',
      wire: Buffer.from('\ufeffa\nb'),
      expect: ['a', 'b'],
    },
    {
      name: 'ISO-8859-1',
      type: 'text/plain; charset=iso-8859-1',
      wire: Buffer.from('é\nü', 'latin1'),
      expect: ['é', 'ü'],
    },
    {
      name: 'UTF-16LE',
      type: 'text/plain; charset="utf-16le"',
      wire: Buffer.from('é\r\n\u0a0a\u010a\n𝄞', 'utf16le'),
      expect: ['é', '\u0a0a\u010a', '𝄞'],
    },
    {
      name: 'UTF-16BE',
      type: 'text/plain; charset=utf-16be',
      wire: Buffer.from('é\n\u0a0a\r\n𝄞', 'utf16le').swap16(),
      expect: ['é', '\u0a0a', '𝄞'],
    },
    {
      name: 'Shift_JIS',
      type: 'text/plain; charset=shift_jis',
      wire: Buffer.from([0x93, 0xfa, 0x0a, 0x96, 0x7b]),
      expect: ['日', '本'],
    },
    {
      name: 'bytes that are no text become U+FFFD',
      type: 'text/plain',
      wire: Buffer.from([0x61, 0xff, 0x0a, 0xe2, 0x82]),
      expect: ['a\ufffd', '\ufffd'],
    },
  ];
  for (const { name, type, wire, expect: expected } of TABLE) {
    it(name, async () => {
      await inEveryDelivery(
        wire,
        async (response) => {
          expect(await gather(response)).to.deep.equal(expected);
          await expectTheEnd(response);
        },
        typed(type),
      );
    });
  }

  it('leaves the position behind the line that it gave', async () => {
    await inEveryDelivery(BODY, async (response) => {
      const lines = response.lines();
      expect(await lines.next()).to.deep.equal({ done: false, value: 'first line' });
      expect(String(await response.readline())).to.equal('second line\r\n');
      expect(await lines.next()).to.deep.equal({ done: false, value: '' });
      expect(String(await response.readall())).to.equal(LINES.slice(3).join(''));
      expect((await lines.next()).done).to.equal(true);
    });
  });

  it('destroys the response when the loop is left early', async () => {
    const source = new FedResponse({ pieces: octets(BODY) });
    for await (const line of source.response.lines()) {
      expect(line).to.equal('first line');
      break;
    }
    expect(source.response.destroyed).to.equal(true);
    expect(source.aborts).to.deep.equal([null]);
  });

  it('refuses an unknown charset, and the bytes can still be read', async () => {
    const response = responseOf({ pieces: [BODY], ...typed('text/plain; charset=klingon') });
    expect(await rejection(response.lines().next())).to.be.instanceOf(TypeError);
    expect(await rejection(response.text())).to.be.instanceOf(TypeError);
    expect(String(await response.readall())).to.equal(TEXT);
  });
});

describe('text and json', () => {
  it('decode by the charset of Content-Type, UTF-8 without one', async () => {
    const table: [type: string | null, wire: Buffer][] = [
      [null, Buffer.from('é€')],
      ['text/html', Buffer.from('é€')],
      ['text/html; charset="UTF-8"', Buffer.from('é€')],
      ['text/html; charset=windows-1252', Buffer.from([0xe9, 0x80])],
      ['text/html; charset=utf-16le', Buffer.from('é€', 'utf16le')],
    ];
    for (const [type, wire] of table) {
      await inEveryDelivery(
        wire,
        async (response) => {
          expect(await response.text()).to.equal('é€');
          await expectTheEnd(response);
        },
        type === null ? {} : { fields: ['Content-Type', type] },
      );
    }
  });

  it('text gives what is left', async () => {
    await inEveryDelivery(BODY, async (response) => {
      await response.readline();
      expect(await response.text()).to.equal(LINES.slice(1).join(''));
    });
  });

  it('json parses the body', async () => {
    const value = { a: [1, 'é', null], b: { c: true } };
    await inEveryDelivery(Buffer.from(JSON.stringify(value)), async (response) => {
      expect(await response.json()).to.deep.equal(value);
    });
  });

  it('json rejects with a SyntaxError for a body that is none, and for an empty one', async () => {
    expect(await rejection(responseOf({ pieces: whole(BODY) }).json())).to.be.instanceOf(SyntaxError);
    expect(await rejection(responseOf({ pieces: [] }).json())).to.be.instanceOf(SyntaxError);
  });
});
