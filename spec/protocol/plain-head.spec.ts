/**
 * An ordinary head in one piece takes a short road through the parser, any other the careful one; nobody may be able to tell which: the
 * same fields, framing, limits and errors, to the last letter of each message. (That cuts change nothing is the business of other specs.)
 */
import { expect } from 'chai';
import fc from 'fast-check';
import { HTTPException, LimitExceeded, RemoteDisconnected } from '../../lib/errors.js';
import { DEFAULT_LIMITS } from '../../lib/limits.js';
import type { Limits } from '../../lib/limits.js';
import { decideFraming } from '../../lib/protocol/framing.js';
import { HeadReader } from '../../lib/protocol/head-reader.js';
import { readPlainHead } from '../../lib/protocol/plain-head.js';
import { ResponseParser } from '../../lib/protocol/response-parser.js';
import type { ResponseHead } from '../../lib/protocol/response-parser.js';
import { someLimits } from '../support/arbitrary-response.js';
import { mutate, mutation } from '../support/mutation.js';

const SEED = 9112;

const USUAL = [
  'HTTP/1.1 200 OK',
  'Content-Type: text/plain',
  'X-Forwarded-Proto: http',
  'Connection: keep-alive',
  'Content-Length: 20',
];

/** All that can be seen of the reading of a head, interim heads before it included, as text. */
function accountOf(read: (tell: (seen: unknown) => void) => number): string {
  const account: unknown[] = [];
  try {
    account.push(read((seen) => account.push(seen)));
  } catch (error) {
    if (!(error instanceof HTTPException)) throw error;
    account.push(error.name, error.message, Object.entries(error));
  }
  return JSON.stringify(account);
}

const headOf = ({ version, status, reason, fields }: ResponseHead): unknown => [
  version,
  status,
  reason,
  fields,
];

/** As the parser reads it. */
function parsed(wire: Buffer, method: string, limits: Readonly<Limits>): string {
  return accountOf((tell) => {
    const parser = new ResponseParser(method, limits, {
      onInterim(head): void {
        tell(headOf(head));
      },
      onHead(head, framing): void {
        tell(headOf(head));
        tell(framing);
        parser.stop();
      },
      onBody: tell,
      onEndOfResponse(): void {},
    });
    const used = parser.write(wire, 0);
    parser.end();
    return used;
  });
}

/** As it reads when each head goes the long way. */
function readCarefully(wire: Buffer, method: string, limits: Readonly<Limits>): string {
  return accountOf((tell) => {
    const reader = new HeadReader('response head', limits);
    let used = 0;
    for (let interims = 1; ; interims++) {
      used = reader.write(wire, used);
      if (!reader.done) throw reader.started ? reader.truncated() : new RemoteDisconnected();
      const head = { ...reader.statusLine, fields: reader.fields() };
      const final = head.status >= 200 || head.status === 101;
      if (!final && interims > limits.interimResponses)
        throw new LimitExceeded('interimResponses', limits.interimResponses);
      const framing = final ? decideFraming(method, head, head.fields) : null;
      tell(headOf(head));
      if (framing !== null) {
        tell(framing);
        return used;
      }
      reader.reset();
    }
  });
}

function compare(head: Buffer, method: string, limits: Readonly<Limits>): void {
  // Something behind the head, which neither road may touch.
  const wire = Buffer.concat([head, Buffer.from('HTTP')]);
  const short = parsed(wire, method, limits);
  const long = readCarefully(wire, method, limits);
  if (short !== long)
    throw new Error(`${JSON.stringify(wire.toString('latin1'))}\nread as\n${short}\ncarefully\n${long}`);
}

const statusLine = fc.constantFrom(
  'HTTP/1.1 200 OK',
  'HTTP/1.1 200 ok',
  'HTTP/1.1 200 OK ',
  'HTTP/1.1 204',
  'HTTP/1.1 304 Not Modified',
  'HTTP/1.0 200 OK',
  'HTTP/1.1 404  Not\tFound\xe9 ',
  'HTTP/1.1 101 Switching',
  'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK',
  'HTTP/1.1 103 Early\r\nLink: a\r\n\r\n\r\nHTTP/1.1 500 No',
  '\r\nHTTP/1.1 201 OK',
  'HTTP/1.9 999 ',
  'HTTP/2.0 200 OK',
);
const blanks = fc.constantFrom(' ', ' ', ' ', ' ', '', '  ', '\t', ' \t ');
const fieldName = fc.oneof(
  fc.constantFrom('Content-Length', 'content-length', 'CONTENT-LENGTH', 'Content-Lengtx', 'Content_Length'),
  fc.constantFrom('Connection', 'connection', 'ConnectioN', 'User-Agent', 'Xonnection'),
  fc.constantFrom('Transfer-Encoding', 'transfer-encoding', 'X-Forwarded-Proto', 'A', '`|~', 'Date'),
);
const fieldValue = fc.oneof(
  fc.constantFrom('0', '1', '11', '007', '00', '-1', '+1', '1,1', '1 1', '5a', '\xb2', '', '0x1'),
  fc.constantFrom('999999999999999', '1000000000000000', '9007199254740991', '9007199254740992'),
  fc.constantFrom(
    'keep-alive',
    'Keep-Alive',
    'close',
    'close, x',
    'keep-alive,close',
    'keep-alivf',
    'KEEP-ALIVE',
  ),
  fc.constantFrom('chunked', 'Chunked', 'gzip', 'gzip, chunked', 'a: b', 'x'.repeat(50), 'caf\xe9', '\xa0'),
);
const fieldLine = fc
  .tuple(fieldName, blanks, fieldValue, fc.constantFrom('', '', '', ' ', '\t', '\r\n folded'))
  .map(([name, before, value, behind]) => `${name}:${before}${value}${behind}`);
const anyHead = fc
  .tuple(statusLine, fc.array(fieldLine, { maxLength: 5 }))
  .map(([line, fields]) => Buffer.from(`${[line, ...fields].join('\r\n')}\r\n\r\n`, 'latin1'));
const method = fc.constantFrom('GET', 'GET', 'HEAD', 'CONNECT');

describe('a head in one piece', function () {
  this.timeout(60_000);

  it('is read as with care, whatever it holds, within any limits', () => {
    fc.assert(
      fc.property(anyHead, method, someLimits, (head, name, limits) => {
        compare(head, name, limits);
      }),
      { seed: SEED, numRuns: 15_000 },
    );
  });

  it('is read as with care, whatever is changed in it', () => {
    const changes = fc.array(mutation, { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(anyHead, changes, method, someLimits, (head, made, name, limits) => {
        compare(made.reduce(mutate, head), name, limits);
      }),
      { seed: SEED, numRuns: 15_000 },
    );
  });

  it('is read as with care with any octet in any place, and cut anywhere', () => {
    const head = Buffer.from(`${USUAL.join('\r\n')}\r\n\r\n`);
    for (let at = 0; at < head.length; at++) {
      compare(head.subarray(0, at), 'GET', DEFAULT_LIMITS);
      for (let octet = 0; octet < 256; octet++) {
        const changed = Buffer.from(head);
        changed[at] = octet;
        compare(changed, 'GET', DEFAULT_LIMITS);
      }
    }
  });

  it('is read as with care at every limit', () => {
    const head = Buffer.from(`${USUAL.join('\r\n')}\r\n\r\n`);
    for (const limit of ['lineBytes', 'headBytes', 'fields'] as const) {
      for (let most = 0; most <= head.length + 2; most++)
        compare(head, 'GET', { ...DEFAULT_LIMITS, [limit]: most });
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
