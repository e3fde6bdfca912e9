/**
 * The status line of a response: a table of lines and what they are read as.
 */
import { expect } from 'chai';

import { isStatusLineStart, parseStatusLine } from '../../lib/protocol/status-line.js';
import type { StatusLine } from '../../lib/protocol/status-line.js';

const read = (version: 10 | 11, status: number, reason: string): StatusLine => ({ version, status, reason });

const TABLE: { name: string; wire: string; expect: StatusLine | string }[] = [
  { name: 'the usual', wire: 'HTTP/1.1 200 OK', expect: read(11, 200, 'OK') },
  { name: 'HTTP/1.0', wire: 'HTTP/1.0 404 Not Found', expect: read(10, 404, 'Not Found') },
  { name: 'a later minor version, which is 1.1 to us', wire: 'HTTP/1.9 200 OK', expect: read(11, 200, 'OK') },
  { name: 'an empty reason', wire: 'HTTP/1.1 200 ', expect: read(11, 200, '') },
  { name: 'an empty reason without its SP', wire: 'HTTP/1.1 200', expect: read(11, 200, '') },
  { name: 'blanks around the reason', wire: 'HTTP/1.1 200  \tOK \t', expect: read(11, 200, 'OK') },
  { name: 'obs-text in the reason', wire: 'HTTP/1.1 200 caf\xe9', expect: read(11, 200, 'caf\xe9') },
  { name: 'the smallest status', wire: 'HTTP/1.1 100 x', expect: read(11, 100, 'x') },
  { name: 'the largest status', wire: 'HTTP/1.1 999 x', expect: read(11, 999, 'x') },
  { name: 'a reason that looks like a status', wire: 'HTTP/1.1 200 404', expect: read(11, 200, '404') },

  { name: 'HTTP/2.0', wire: 'HTTP/2.0 200 OK', expect: 'UnknownProtocol' },
  { name: 'HTTP/2', wire: 'HTTP/2 200 OK', expect: 'UnknownProtocol' },
  { name: 'HTTP/0.9', wire: 'HTTP/0.9 200 OK', expect: 'UnknownProtocol' },
  { name: 'a minor version of two digits', wire: 'HTTP/1.10 200 OK', expect: 'UnknownProtocol' },
  { name: 'a version without minor', wire: 'HTTP/1 200 OK', expect: 'UnknownProtocol' },
  { name: 'a version that is no number', wire: 'HTTP/1.x 200 OK', expect: 'BadStatusLine' },
  { name: 'a version with an empty minor', wire: 'HTTP/1. 200 OK', expect: 'BadStatusLine' },
  { name: 'no version', wire: 'HTTP/ 200 OK', expect: 'BadStatusLine' },
  { name: 'a tab behind the version', wire: 'HTTP/1.1\t200 OK', expect: 'BadStatusLine' },
  { name: 'two blanks behind the version', wire: 'HTTP/1.1  200 OK', expect: 'BadStatusLine' },
  { name: 'a status of two digits', wire: 'HTTP/1.1 20 OK', expect: 'BadStatusLine' },
  { name: 'a status of four digits', wire: 'HTTP/1.1 2000 OK', expect: 'BadStatusLine' },
  { name: 'a status below 100', wire: 'HTTP/1.1 099 OK', expect: 'BadStatusLine' },
  { name: 'a signed status', wire: 'HTTP/1.1 +20 OK', expect: 'BadStatusLine' },
  { name: 'a status that is no number', wire: 'HTTP/1.1 abc OK', expect: 'BadStatusLine' },
  { name: 'a tab behind the status', wire: 'HTTP/1.1 200\tOK', expect: 'BadStatusLine' },
  { name: 'a reason glued to the status', wire: 'HTTP/1.1 200OK', expect: 'BadStatusLine' },
  { name: 'no status', wire: 'HTTP/1.1', expect: 'BadStatusLine' },
  { name: 'no status behind the SP', wire: 'HTTP/1.1 ', expect: 'BadStatusLine' },
];

describe('parseStatusLine', () => {
  for (const { name, wire, expect: expected } of TABLE) {
    it(`${typeof expected === 'string' ? 'refuses' : 'reads'} ${name}`, () => {
      // Within other bytes, as it lies in a read: none of them may be looked at.
      for (const [before, behind] of [
        ['', ''],
        ['xx', '\r\n200 OK'],
        ['HTTP/1.1 200 OK\r\n', ' 200 OK'],
      ] as const) {
        const bytes = Buffer.from(before + wire + behind, 'latin1');
        const parse = (): StatusLine => parseStatusLine(bytes, before.length, before.length + wire.length);
        if (typeof expected === 'string') {
          expect(parse).to.throw().that.includes({ name: expected });
          if (expected === 'BadStatusLine') expect(parse).to.throw().that.includes({ line: wire });
        } else {
          expect(parse()).to.deep.equal(expected);
        }
      }
    });
  }
});

describe('isStatusLineStart', () => {
  it('accepts every beginning of HTTP/ and of what follows it, and nothing else', () => {
    const text = 'xHTTP/1.1 200 OK';
    for (let to = 1; to <= 6; to++) expect(isStatusLineStart(Buffer.from(text), 1, to)).to.equal(true);
    for (let at = 0; at < 5; at++) {
      const bytes = Buffer.from('HTTP/');
      bytes[at] = 0x78;
      expect(isStatusLineStart(bytes, 0, 5)).to.equal(false);
      expect(isStatusLineStart(bytes, 0, at)).to.equal(true);
    }
  });
});
