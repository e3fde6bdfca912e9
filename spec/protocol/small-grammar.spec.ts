/**
 * Every short text over a small alphabet, in each place where a response has a grammar of its own: the library accepts exactly those
 * that the strict reading accepts, with the same meaning. What chance finds late is found here at once.
 */
import { expect } from 'chai';
import { DEFAULT_LIMITS } from '../../lib/limits.js';
import { differenceFromStrict, readPieces } from '../support/parser-reading.js';
import { readStrictly } from '../support/strict-response.js';

const HEAD = 'HTTP/1.1 200 OK\r\n';
const CHUNKED = `${HEAD}Transfer-Encoding: chunked\r\n\r\n`;
const END = 'Content-Length: 0\r\n\r\n';

/** Where a text stands, what it is made of, and how many parts it has at most. */
const PLACES: readonly {
  name: string;
  parts: readonly string[];
  most: number;
  wire: (text: string) => string;
}[] = [
  {
    name: 'behind a chunk size',
    parts: ['a', ';', '=', '"', '\\', ' ', '\t', '\u0080'],
    most: 4,
    wire: (text) => `${CHUNKED}1${text}\r\nx\r\n0\r\n\r\n`,
  },
  {
    name: 'as the value of a chunk extension',
    parts: ['a', ';', '=', '"', '\\', ' ', '\0', '\u0080'],
    most: 4,
    wire: (text) => `${CHUNKED}1;a=${text}\r\nx\r\n0\r\n\r\n`,
  },
  {
    name: 'as a chunk size',
    parts: ['0', '1', 'a', 'F', 'g', '-', ' ', '\r', '\n', 'x'],
    most: 4,
    wire: (text) => `${CHUNKED}${text}\r\nx\r\n0\r\n\r\n`,
  },
  {
    name: "behind a chunk's data",
    parts: ['\r', '\n', '0', '1', 'x', ' '],
    most: 5,
    wire: (text) => `${CHUNKED}1\r\nx${text}0\r\n\r\n`,
  },
  {
    name: 'as a line of a head',
    parts: ['a', ':', ' ', '\t', '\r', '\n', '\0', '\u00a0'],
    most: 4,
    wire: (text) => `${HEAD}B: b\r\n${text}\r\n${END}`,
  },
  {
    name: 'as the first line of a head',
    parts: ['a', ':', ' ', '\r\n', '('],
    most: 5,
    wire: (text) => `${HEAD}${text}\r\n${END}`,
  },
  {
    name: 'as a trailer line',
    parts: ['a', ':', ' ', '\t', '\r', '\n', '\0'],
    most: 4,
    wire: (text) => `${CHUNKED}0\r\n${text}\r\n\r\n`,
  },
  {
    name: 'behind HTTP/1.1',
    parts: [' ', '200', '2', '0', '\t', 'a', '\r', '\n', '\u00ff'],
    most: 4,
    wire: (text) => `HTTP/1.1${text}\r\n${END}`,
  },
  {
    name: 'as a version',
    parts: ['HTTP/', 'http/', '1', '0', '2', '.', ' '],
    most: 4,
    wire: (text) => `${text} 200 OK\r\n${END}`,
  },
  {
    name: 'as Content-Length',
    parts: ['0', '1', '+', '-', '.', ',', ' ', '\t', '\u00b2', 'a'],
    most: 4,
    wire: (text) => `${HEAD}Content-Length:${text}\r\n\r\nx`,
  },
  {
    name: 'as Transfer-Encoding',
    parts: ['chunked', 'CHUNKED', 'gzip', ',', ' ', ';', 'x'],
    most: 4,
    wire: (text) => `${HEAD}Transfer-Encoding: ${text}\r\n\r\n0\r\n\r\n`,
  },
  {
    name: 'as Connection',
    parts: ['close', 'keep-alive', 'Close', ',', ' ', '\t', 'x'],
    most: 5,
    wire: (text) => `HTTP/1.0 200 OK\r\nConnection: ${text}\r\n${END}`,
  },
  {
    name: 'as framing fields',
    parts: [
      'Content-Length: 1\r\n',
      'content-length: 2\r\n',
      'Transfer-Encoding: chunked\r\n',
      'Transfer-Encoding: gzip\r\n',
      ' 1\r\n',
      'A: b\r\n',
    ],
    most: 5,
    wire: (text) => `${HEAD}${text}\r\n1\r\nx\r\n0\r\n\r\n`,
  },
  {
    name: 'before a response',
    parts: ['\r\n', '\r', '\n', ' ', 'HTTP/1.1 100 \r\n\r\n', 'HTTP/1.0 103\r\nA: b\r\n\r\n'],
    most: 4,
    wire: (text) => `${text}${HEAD}${END}`,
  },
];

describe('short texts', function () {
  this.timeout(30_000);

  for (const { name, parts, most, wire } of PLACES) {
    it(`${name} are accepted exactly where the grammar has them`, () => {
      const readings = new Set<string>();
      for (const text of textsOf(parts, most)) {
        const bytes = Buffer.from(wire(text), 'latin1');
        const strict = readStrictly(bytes, 'GET', true, DEFAULT_LIMITS);
        readings.add(`${strict.outcome}, ${strict.reusable ? 'reusable' : 'not reusable'}`);
        const difference = differenceFromStrict(readPieces([bytes], 'GET', true, DEFAULT_LIMITS), strict);
        if (difference !== null)
          throw new Error(`${JSON.stringify(bytes.toString('latin1'))}: ${difference}`);
      }
      // Where all texts meant the same, nothing would have been compared.
      expect(readings.size).to.be.above(1);
    });
  }
});

/** All texts of up to so many parts. */
function* textsOf(parts: readonly string[], most: number): Generator<string> {
  yield '';
  if (most === 0) return;
  for (const part of parts) for (const rest of textsOf(parts, most - 1)) yield `${part}${rest}`;
}
