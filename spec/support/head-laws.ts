/**
 * The law of the two roads of a response head: what the short one makes of bytes is what the careful one makes of them, fields, framing,
 * limits and errors, to the last letter of each message. With it, arbitrary heads that are now ordinary, now not.
 */
import fc from 'fast-check';
import { HTTPException, LimitExceeded, RemoteDisconnected } from '../../lib/errors.js';
import type { Limits } from '../../lib/limits.js';
import { decideFraming } from '../../lib/protocol/framing.js';
import { HeadReader } from '../../lib/protocol/head-reader.js';
import { ResponseParser } from '../../lib/protocol/response-parser.js';
import type { ResponseHead } from '../../lib/protocol/response-parser.js';
import { someLimits } from './arbitrary-response.js';
import { mutate, mutation } from './mutation.js';

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

/** Throws unless both roads give the same. */
export function compareRoads(head: Buffer, method: string, limits: Readonly<Limits>): void {
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
/** Heads, and interim ones before them. */
export const anyHead: fc.Arbitrary<Buffer> = fc
  .tuple(statusLine, fc.array(fieldLine, { maxLength: 5 }))
  .map(([line, fields]) => Buffer.from(`${[line, ...fields].join('\r\n')}\r\n\r\n`, 'latin1'));
const method = fc.constantFrom('GET', 'GET', 'HEAD', 'CONNECT');

/** Any head, as it is or changed in some places, is read the same on both roads. */
export const bothRoads: fc.IProperty<[Buffer, string, Readonly<Limits>]> = fc.property(
  fc
    .tuple(anyHead, fc.array(mutation, { maxLength: 3 }))
    .map(([head, changes]) => changes.reduce(mutate, head)),
  method,
  someLimits,
  compareRoads,
);
