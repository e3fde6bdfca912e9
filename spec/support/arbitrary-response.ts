/**
 * Arbitrary valid responses for property tests, together with what they mean, and limits to read them within.
 *
 * The meaning is made before the bytes, so it is a witness of its own beside both readers.
 */
import fc from 'fast-check';
import type { Limits } from '../../lib/limits.js';
import { DEFAULT_LIMITS } from '../../lib/limits.js';
import type { Field, Head } from './strict-response.js';

/** A response with what it means. */
export interface ValidResponse {
  readonly method: string;
  readonly wire: Buffer;
  /** Whether the peer closes behind it; for some framings that is its end. */
  readonly closed: boolean;
  readonly interims: readonly Head[];
  readonly head: Head;
  readonly body: Buffer;
  readonly trailers: readonly Field[];
  readonly surplus: Buffer;
  readonly reusable: boolean;
}

const TOKEN_CHARACTERS = Array.from("!#$%&'*+-.^_`|~09AZaz");
const TEXT_CHARACTERS = Array.from('!"#,.:;=09AZaz()\\\u0080\u0085\u00a0\u00e9\u00ff');

const token = fc.string({ unit: fc.constantFrom(...TOKEN_CHARACTERS), minLength: 1, maxLength: 8 });
const word = fc.string({ unit: fc.constantFrom(...TEXT_CHARACTERS), minLength: 1, maxLength: 8 });
const blanks = fc.constantFrom('', ' ', '\t', '  ', ' \t ');
/** A value as it is read: no blanks at its ends, single ones within. */
const value = fc.array(word, { maxLength: 3 }).map((words) => words.join(' '));

/** A field with the text that stands for it on the wire. */
interface WireField {
  readonly field: Field;
  readonly line: string;
}

const FRAMING_FIELDS = new Set(['content-length', 'transfer-encoding', 'connection']);

const plainField: fc.Arbitrary<WireField> = fc
  .tuple(
    fc.oneof(token, fc.constantFrom('Set-Cookie', 'Date', 'Keep-Alive', 'Trailer', 'Upgrade', 'TE')),
    value,
    blanks,
    blanks,
    fc.integer({ min: 0, max: 29 }),
  )
  .filter(([name]) => !FRAMING_FIELDS.has(name.toLowerCase()))
  .map(([name, text, before, behind, fold]) => {
    // One in thirty is folded where it has a blank.
    const wireText = fold === 0 ? text.replace(' ', ' \r\n\t ') : text;
    return { field: [name, text], line: `${name}:${before}${wireText}${behind}\r\n` };
  });

const plainFields = fc.array(plainField, { maxLength: 4 });

const reason = fc.oneof(
  fc.constantFrom(
    { text: '', wire: '' },
    { text: '', wire: ' ' },
    { text: 'OK', wire: ' OK' },
    { text: 'OK', wire: '  OK ' },
  ),
  value.map((text) => ({ text, wire: ` ${text}` })),
);

const minorVersion = fc.constantFrom(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 2, 9);

function headOf(minor: number, status: number, phrase: { text: string; wire: string }, fields: WireField[]) {
  const head: Head = {
    version: minor === 0 ? 10 : 11,
    status,
    reason: phrase.text,
    fields: fields.map(({ field }) => field),
  };
  const lines = fields.map(({ line }) => line).join('');
  return { head, wire: `HTTP/1.${String(minor)} ${String(status)}${phrase.wire}\r\n${lines}\r\n` };
}

const interim = fc
  .tuple(minorVersion, fc.constantFrom(100, 102, 103, 110, 199), reason, plainFields)
  .map(([minor, status, phrase, fields]) => headOf(minor, status, phrase, fields));

/** Mostly none, as otherwise little would be compared with clients that stop at one. */
const someInterims = fc.oneof(
  { weight: 4, arbitrary: fc.constant([]) },
  { weight: 1, arbitrary: fc.array(interim, { minLength: 1, maxLength: 2 }) },
);

const octets = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes));

const quotedString = fc
  .array(fc.constantFrom('a', ' ', '\t', '\\"', '\\\\', ';', '=', '\u00e9', '{'), { maxLength: 5 })
  .map((parts) => `"${parts.join('')}"`);
const extension = fc
  .tuple(
    blanks,
    blanks,
    token,
    fc.oneof(fc.constant(null), fc.tuple(blanks, blanks, fc.oneof(token, quotedString))),
  )
  .map(([before, behind, name, given]) => {
    const assigned = given === null ? '' : `${given[0]}=${given[1]}${given[2]}`;
    return `${before};${behind}${name}${assigned}`;
  });
const sizeLine = fc
  .tuple(
    fc.constantFrom('', '', '0', '000', '0000000'),
    fc.boolean(),
    fc.oneof(fc.constant([]), fc.array(extension, { maxLength: 4 })),
  )
  .map(([zeros, upper, extensions]) => (size: number): string => {
    const digits = size.toString(16);
    return `${zeros}${upper ? digits.toUpperCase() : digits}${extensions.join('')}\r\n`;
  });

/** A body with its framing field and the bytes that carry it. */
interface Content {
  readonly framing: readonly WireField[];
  readonly wire: Buffer;
  readonly body: Buffer;
  readonly trailers: readonly Field[];
  readonly endsWithClose: boolean;
}

function wireField(name: string, text: string): WireField {
  return { field: [name, text], line: `${name}: ${text}\r\n` };
}

const lengthContent = fc
  .tuple(octets, fc.constantFrom('Content-Length', 'content-length'), fc.constantFrom('', '0', '0000'))
  .map(([body, name, zeros]): Content => {
    const framing = [wireField(name, `${zeros}${String(body.length)}`)];
    return { framing, wire: body, body, trailers: [], endsWithClose: false };
  });

const chunk = fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 20 }), sizeLine);

const chunkedContent = fc
  .tuple(
    fc.array(chunk, { maxLength: 4 }),
    sizeLine,
    plainFields,
    fc.constantFrom('chunked', 'Chunked', 'CHUNKED', ',chunked', 'chunked , '),
  )
  .map(([chunks, lastLine, trailers, coding]): Content => {
    const pieces = chunks.flatMap(([data, line]) => [
      Buffer.from(line(data.length), 'latin1'),
      Buffer.from(data),
      Buffer.from('\r\n'),
    ]);
    const last = `${lastLine(0)}${trailers.map(({ line }) => line).join('')}\r\n`;
    return {
      framing: [{ field: ['Transfer-Encoding', strip(coding)], line: `Transfer-Encoding: ${coding}\r\n` }],
      wire: Buffer.concat([...pieces, Buffer.from(last, 'latin1')]),
      body: Buffer.concat(chunks.map(([data]) => data)),
      trailers: trailers.map(({ field }) => field),
      endsWithClose: false,
    };
  });

const closeContent = octets.map((body): Content => ({
  framing: [],
  wire: body,
  body,
  trailers: [],
  endsWithClose: true,
}));

const connectionField = fc.constantFrom(
  null,
  'close',
  'Close',
  'keep-alive',
  'Keep-Alive',
  'x, close',
  'keep-alive,close',
);

function strip(text: string): string {
  return text.replace(/^[ \t]+|[ \t]+$/g, '');
}

/** Responses to methods and with status codes that all have a body framed by their fields. */
const framed = fc
  .tuple(
    someInterims,
    minorVersion,
    fc.constantFrom(200, 201, 205, 206, 301, 404, 413, 500, 599, 600, 999),
    reason,
    plainFields,
    connectionField,
    fc.oneof(lengthContent, chunkedContent, closeContent),
    fc.tuple(
      fc.constantFrom('GET', 'POST', 'PUT', 'OPTIONS'),
      fc.boolean(),
      fc.integer({ min: 0, max: 4 }),
      octets,
    ),
    fc.nat(4),
  )
  .map(
    ([interims, minor, status, phrase, others, connection, content, [method, closed, more, rest], place]) => {
      // HTTP/1.0 knows no transfer coding.
      const version =
        content.framing.some(({ field }) => field[0] === 'Transfer-Encoding') && minor === 0 ? 1 : minor;
      const framing = [
        ...content.framing,
        ...(connection === null ? [] : [wireField('Connection', connection)]),
      ];
      const fields = [...others.slice(0, place), ...framing, ...others.slice(place)];
      const head = headOf(version, status, phrase, fields);
      // Nothing can follow what only the close ends.
      const surplus = more === 0 && !content.endsWithClose ? rest : Buffer.alloc(0);
      const options = connection?.toLowerCase() ?? '';
      const persistent = !options.includes('close') && (version !== 0 || options === 'keep-alive');
      return response(method, closed || content.endsWithClose, interims, head, content, surplus, persistent);
    },
  );

/** Responses that end with their head whatever their fields say. */
const headOnly = fc
  .tuple(
    someInterims,
    fc.constantFrom<[string, number]>(
      ['HEAD', 200],
      ['HEAD', 404],
      ['GET', 204],
      ['DELETE', 304],
      ['GET', 101],
      ['CONNECT', 200],
      ['CONNECT', 299],
    ),
    reason,
    plainFields,
    fc.constantFrom([], [wireField('Content-Length', '7')], [wireField('Transfer-Encoding', 'chunked')]),
    octets,
    fc.boolean(),
  )
  .map(([interims, [method, status], phrase, fields, framing, surplus, closed]) => {
    const switched = status === 101 || method === 'CONNECT';
    return response(
      method,
      closed,
      interims,
      headOf(1, status, phrase, [...fields, ...framing]),
      { framing: [], wire: Buffer.alloc(0), body: Buffer.alloc(0), trailers: [], endsWithClose: false },
      surplus,
      !switched,
    );
  });

function response(
  method: string,
  closed: boolean,
  interims: readonly { head: Head; wire: string }[],
  { head, wire }: { head: Head; wire: string },
  content: Content,
  surplus: Buffer,
  persistent: boolean,
): ValidResponse {
  const heads = Buffer.from(`${interims.map((each) => each.wire).join('')}${wire}`, 'latin1');
  return {
    method,
    wire: Buffer.concat([heads, content.wire, surplus]),
    closed,
    interims: interims.map((each) => each.head),
    head,
    body: content.body,
    trailers: content.trailers,
    surplus,
    reusable: persistent && !content.endsWithClose && surplus.length === 0,
  };
}

/** A valid response, its bytes and its meaning. */
export const validResponse: fc.Arbitrary<ValidResponse> = fc.oneof(
  { weight: 4, arbitrary: framed },
  { weight: 1, arbitrary: headOnly },
);

/** The default of one limit, or a value so small that arbitrary responses run into it. */
function someLimit(name: keyof Limits, min: number, max: number): fc.Arbitrary<number> {
  return fc.oneof(
    { weight: 3, arbitrary: fc.constant(DEFAULT_LIMITS[name]) },
    { weight: 1, arbitrary: fc.integer({ min, max }) },
  );
}

/** The limits as they are, or some of them small. */
export const someLimits: fc.Arbitrary<Readonly<Limits>> = fc.oneof(
  fc.constant(DEFAULT_LIMITS),
  fc.record({
    lineBytes: someLimit('lineBytes', 16, 60),
    headBytes: someLimit('headBytes', 24, 160),
    fields: someLimit('fields', 0, 6),
    interimResponses: someLimit('interimResponses', 0, 2),
    chunkOverheadBytes: someLimit('chunkOverheadBytes', 0, 12),
    trailerBytes: someLimit('trailerBytes', 2, 60),
  }),
);
