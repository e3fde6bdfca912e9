/**
 * Mutations of bytes for property tests: small changes, most of which make a valid response invalid.
 *
 * Byte and line are what they know; what a response is they do not.
 */
import fc from 'fast-check';

/** What is worth having in the wrong place. */
const NASTY: readonly Buffer[] = [
  '\r',
  '\n',
  '\r\n',
  '\0',
  ' ',
  '\t',
  ':',
  ';',
  '=',
  '"',
  '\\',
  ',',
  '0',
  'a',
  '-',
  '+',
  '_',
  '\x7f',
  '\x80',
  '\xff',
  'Content-Length: 3\r\n',
  'Content-Length: 18446744073709551617\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding: gzip\r\n',
  'Connection: close\r\n',
  ' folded\r\n',
  'HTTP/1.1 200 OK\r\n\r\n',
  'HTTP/1.1 100 Continue\r\n\r\n',
  'ffffffffffffffff\r\n',
  '0\r\n\r\n',
  // A TLS alert and the head of a TLS record, as when the layers below are out of step.
  '\x15\x03\x03\0\x02\x02\x28',
  '\x17\x03\x03\0\x40',
].map((text) => Buffer.from(text, 'latin1'));

/** A change of the bytes. Places are fractions, so that a change fits any wire. */
export interface Mutation {
  readonly kind:
    | 'flip'
    | 'replace'
    | 'insert'
    | 'delete'
    | 'duplicate'
    | 'delete line'
    | 'duplicate line'
    | 'truncate'
    | 'garble';
  readonly place: number;
  /** Whether the place moves on to behind the next delimiter, where a grammar is most easily got wrong. */
  readonly atDelimiter: boolean;
  readonly choice: number;
}

/** A fraction of a length. Not `fc.double`, whose values lie close to 0 for the most part. */
export const fraction: fc.Arbitrary<number> = fc
  .noBias(fc.integer({ min: 0, max: 0xfffff }))
  .map((number) => number / 0x100000);

export const mutation: fc.Arbitrary<Mutation> = fc.record({
  kind: fc.constantFrom(
    'flip',
    'replace',
    'insert',
    'delete',
    'duplicate',
    'delete line',
    'duplicate line',
    'truncate',
    'garble',
  ),
  place: fraction,
  atDelimiter: fc.boolean(),
  choice: fc.nat(0xffff),
});

const DELIMITERS = Buffer.from('\r\n\t ":;=,');

export function mutate(wire: Buffer, { kind, place, atDelimiter, choice }: Mutation): Buffer {
  let at = Math.floor(place * wire.length);
  while (atDelimiter && at > 0 && at < wire.length && !DELIMITERS.includes(wire[at - 1] ?? 0)) at++;
  const splice = (from: number, to: number, ...between: Buffer[]): Buffer =>
    Buffer.concat([wire.subarray(0, from), ...between, wire.subarray(to)]);
  const nasty = NASTY[choice % NASTY.length] ?? Buffer.alloc(0);
  const lineStart = wire.lastIndexOf('\n', at - 1) + 1;
  const lineEnd = wire.indexOf('\n', at) + 1 || wire.length;
  switch (kind) {
    case 'flip':
      return splice(at, at + 1, Buffer.from([(wire[at] ?? 0) ^ (1 << (choice % 8))]));
    case 'replace':
      return splice(at, at + 1, nasty);
    case 'insert':
      return splice(at, at, nasty);
    case 'delete':
      return splice(at, at + 1);
    case 'duplicate':
      return splice(at, at, wire.subarray(at, at + 1));
    case 'delete line':
      return splice(lineStart, lineEnd);
    case 'duplicate line':
      return splice(lineStart, lineStart, wire.subarray(lineStart, lineEnd));
    case 'truncate':
      return wire.subarray(0, at);
    case 'garble': {
      // A record that was decrypted with the wrong key: noise of any length up to 64.
      const noise = Buffer.from(wire.subarray(at, at + 1 + (choice % 64)));
      for (let i = 0, state = choice; i < noise.length; i++) {
        state = (state * 1_103_515_245 + 12_345) % 0x8000_0000;
        noise[i] = state >>> 16;
      }
      return splice(at, at + noise.length, noise);
    }
  }
}
