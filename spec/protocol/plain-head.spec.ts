/**
 * An ordinary head in one piece takes a short road through the parser, any other the careful one; nobody may be able to tell which.
 * (That cuts change nothing is the business of other specs.)
 */
import { expect } from 'chai';
import fc from 'fast-check';
import { DEFAULT_LIMITS } from '../../lib/limits.js';
import { readPlainHead } from '../../lib/protocol/plain-head.js';
import { anyHead, bothRoads, compareRoads } from '../support/head-laws.js';

const SEED = 9112;

const USUAL = [
  'HTTP/1.1 200 OK',
  'Content-Type: text/plain',
  'X-Forwarded-Proto: http',
  'Connection: keep-alive',
  'Content-Length: 20',
];

describe('a head in one piece', function () {
  this.timeout(60_000);

  it('is read as with care, whatever it holds and whatever is changed in it, within any limits', () => {
    fc.assert(bothRoads, { seed: SEED, numRuns: 30_000 });
  });

  it('is read as with care with any octet in any place, and cut anywhere', () => {
    const head = Buffer.from(`${USUAL.join('\r\n')}\r\n\r\n`);
    for (let at = 0; at < head.length; at++) {
      compareRoads(head.subarray(0, at), 'GET', DEFAULT_LIMITS);
      for (let octet = 0; octet < 256; octet++) {
        const changed = Buffer.from(head);
        changed[at] = octet;
        compareRoads(changed, 'GET', DEFAULT_LIMITS);
      }
    }
  });

  it('is read as with care at every limit', () => {
    const head = Buffer.from(`${USUAL.join('\r\n')}\r\n\r\n`);
    for (const limit of ['lineBytes', 'headBytes', 'fields'] as const) {
      for (let most = 0; most <= head.length + 2; most++)
        compareRoads(head, 'GET', { ...DEFAULT_LIMITS, [limit]: most });
    }
  });

  it('takes the short road when it is an ordinary one, and not for what is not plainly valid', () => {
    const read = (text: string): unknown =>
      readPlainHead(Buffer.from(`..${text}\r\n\r\n`, 'latin1'), 2, DEFAULT_LIMITS);
    expect(read(USUAL.join('\r\n'))).to.include({ status: 200, reason: 'OK', version: 11 });
    expect(read('HTTP/1.1 404 Not Found')).to.include({ status: 404, reason: 'Not Found' });
    for (const text of [
      `\r\n${USUAL.join('\r\n')}`,
      `${USUAL.join('\r\n')}\r\n folded`,
      'HTTP/1.1 200 OK\r\nA',
    ])
      expect(read(text), text).to.equal(null);
    const sample = fc.sample(anyHead, { seed: SEED, numRuns: 1000 });
    const plain = sample.filter((head) => {
      try {
        return readPlainHead(head, 0, DEFAULT_LIMITS) !== null;
      } catch {
        return false;
      }
    });
    expect(plain.length).to.be.within(200, 900);
  });

  it('shows the same array of fields each time', () => {
    const wire = Buffer.from('HTTP/1.1 200 OK\r\na:b\r\nC: \t d \r\n\r\n');
    const head = readPlainHead(wire, 0, DEFAULT_LIMITS);
    // The bytes were only lent.
    wire.fill(0);
    expect(head?.fields).to.deep.equal(['a', 'b', 'C', 'd']);
    expect(head?.fields).to.equal(head?.fields);
  });
});
