/**
 * The small forms that several places read or write: decimal numbers, lists of tokens, fields.
 */
import { expect } from 'chai';
import { formatFields, listMembers, readDecimal } from '../../lib/protocol/grammar.js';

describe('a decimal number', () => {
  it('is digits and nothing else, and never rounded', () => {
    for (const [text, number] of [
      ['0', 0],
      ['007', 7],
      ['9007199254740991', Number.MAX_SAFE_INTEGER],
    ] as const) {
      expect(readDecimal(text), text).to.equal(number);
    }
    for (const text of [
      '',
      ' 1',
      '1 ',
      '+1',
      '-1',
      '1.0',
      '1e3',
      '0x1',
      '1_0',
      '1,1',
      '٣',
      '9007199254740992',
    ]) {
      expect(readDecimal(text), text).to.equal(null);
    }
  });
});

describe('a list of tokens', () => {
  it('has its members in order and in lower case, without blanks and empty ones', () => {
    for (const [text, members] of [
      ['', []],
      [' \t', []],
      ['Close', ['close']],
      ['gzip,CHUNKED', ['gzip', 'chunked']],
      [' , a ,\t,b,, ', ['a', 'b']],
    ] as const) {
      expect(listMembers(text), text).to.deep.equal(members);
    }
  });

  it('keeps octets that are no blanks', () => {
    expect(listMembers('\xa0close')).to.deep.equal(['\xa0close']);
  });
});

describe('fields', () => {
  it('are written one a line', () => {
    expect(formatFields(['A', 'x', 'b', ''])).to.equal('A: x\r\nb: \r\n');
    expect(formatFields([])).to.equal('');
  });
});
