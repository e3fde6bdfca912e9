/**
 * Text to bytes and back: which charset a `Content-Type` declares for a string body, and encoding that loses no character.
 *
 * Only four charsets can be sent, those that Node encodes itself; any that `TextDecoder` knows can be received. Nothing is ever
 * replaced by `?` or U+FFFD on the way out: a character that does not fit is an error before a byte is sent.
 */

import { TextDecoder } from 'node:util';

import { leadingValue, parameterOf } from './parameters.js';
import { describeCharacter } from '../protocol/grammar.js';

/** A charset that a string body can be sent in. */
export type Charset = 'utf-8' | 'utf-16le' | 'iso-8859-1' | 'us-ascii';

/** The charset of text whose Content-Type declares none: ISO-8859-1 as in http.client, or UTF-8 as users of Node expect. */
export type DefaultCharset = 'iso-8859-1' | 'utf-8';

/* Declared name → charset. The aliases are the ones in common use. */
const CHARSETS: ReadonlyMap<string, Charset> = new Map<string, Charset>([
  ['utf-8', 'utf-8'],
  ['utf8', 'utf-8'],
  ['utf-16le', 'utf-16le'],
  ['iso-8859-1', 'iso-8859-1'],
  ['iso_8859-1', 'iso-8859-1'],
  ['latin1', 'iso-8859-1'],
  ['us-ascii', 'us-ascii'],
  ['ascii', 'us-ascii'],
]);

/* Each finds the first character that the charset cannot hold. V8 answers without a scan for strings that it keeps as Latin-1
 * where no match is possible there. In `u` mode a surrogate matches only when it stands alone. */
const LONE_SURROGATE = /[\ud800-\udfff]/u;
const UNFIT: Readonly<Record<Charset, RegExp>> = {
  'utf-8': LONE_SURROGATE,
  'utf-16le': LONE_SURROGATE,
  'iso-8859-1': /[\u0100-\uffff]/,
  'us-ascii': /[\x80-\uffff]/,
};

const ENCODING: Readonly<Record<Charset, BufferEncoding>> = {
  'utf-8': 'utf8',
  'utf-16le': 'utf16le',
  'iso-8859-1': 'latin1',
  'us-ascii': 'latin1',
};

/* JSON (RFC 8259 §8.1) with its line and sequence forms, and XML (RFC 7303 §3): their types say UTF-8 by themselves. */
const UTF_8_TYPE = /(?:[/+]|\/x-)(?:json(?:-seq|l|lines)?|ndjson|xml(?:-dtd|-external-parsed-entity)?)$/;

/**
 * The charset for a string body: the one that its `Content-Type` declares, else UTF-8 for JSON and XML in all their forms, else
 * the default.
 *
 * @throws TypeError when a charset is declared that cannot be sent.
 */
export function charsetOf(contentType: string | null, fallback: DefaultCharset = 'iso-8859-1'): Charset {
  if (contentType === null) return fallback;
  const declared = parameterOf(contentType, 'charset');
  if (declared !== null) {
    const charset = CHARSETS.get(declared.toLowerCase());
    if (charset !== undefined) return charset;
    throw new TypeError(
      `text cannot be sent in charset ${JSON.stringify(declared)}: utf-8, utf-16le, iso-8859-1 and us-ascii can; ` +
        'for any other, pass the encoded bytes',
    );
  }
  return UTF_8_TYPE.test(leadingValue(contentType).toLowerCase()) ? 'utf-8' : fallback;
}

/* Node 20 has the method, the ES2023 library does not list it. It is seven times as fast as the search. */
type WellFormedString = string & { isWellFormed(): boolean };

function findUnfit(text: string, charset: Charset): number {
  const unfit = UNFIT[charset];
  if (unfit === LONE_SURROGATE && (text as WellFormedString).isWellFormed()) return -1;
  return text.search(unfit);
}

/**
 * Text as bytes, whole and exact. UTF-16LE gets no byte order mark.
 *
 * @throws TypeError that names the first character which the charset cannot hold, its index in UTF-16 code units, and the cure.
 */
export function encodeText(text: string, charset: Charset): Buffer {
  const index = findUnfit(text, charset);
  if (index === -1) return Buffer.from(text, ENCODING[charset]);
  const place = describeCharacter(text, index);
  const code = text.codePointAt(index) ?? 0;
  if (code >= 0xd800 && code <= 0xdfff) {
    throw new TypeError(
      `${place} is half a character (a lone surrogate), which no charset can hold: repair the text`,
    );
  }
  throw new TypeError(
    `the character ${JSON.stringify(String.fromCodePoint(code))} (${place}) cannot be sent in ${charset}: ` +
      "declare charset=utf-8 in Content-Type, or pass Buffer.from(text, 'utf8')",
  );
}

/**
 * A decoder for a body of this `Content-Type`: in the charset that it declares, UTF-8 without one. Malformed input becomes
 * U+FFFD and a leading byte order mark is dropped. As in browsers, `iso-8859-1` and `us-ascii` are read as windows-1252.
 *
 * @throws TypeError when the charset is unknown; the bytes can still be read.
 */
export function decoderFor(contentType: string | null): TextDecoder {
  const declared = contentType === null ? null : parameterOf(contentType, 'charset');
  if (declared === null || declared === '') return new TextDecoder();
  try {
    return new TextDecoder(declared);
  } catch (cause) {
    throw new TypeError(`the response's charset ${JSON.stringify(declared)} is not known, read it as bytes`, {
      cause,
    });
  }
}

/** Bytes to text, all of it at once. See {@link decoderFor}. */
export function textDecoderFor(contentType: string | null): (bytes: Buffer) => string {
  const decoder = decoderFor(contentType);
  if (decoder.encoding !== 'windows-1252') return (bytes) => decoder.decode(bytes);
  // Node 20's short way for a whole text takes windows-1252 for ISO-8859-1; its way for pieces does not.
  return (bytes) => decoder.decode(bytes, { stream: true }) + decoder.decode();
}

/** Bytes to text, line by line. */
export interface LineDecoder {
  /** The text of a line that ends with the byte LF; no bytes stand for the end. */
  readonly decode: (line: Buffer) => string;
  /** Bytes behind the byte LF that still belong to the character LF. */
  readonly behindLF: number;
}

/** See {@link decoderFor}. */
export function lineDecoderFor(contentType: string | null): LineDecoder {
  const decoder = decoderFor(contentType);
  if (decoder.encoding !== 'utf-8') {
    return {
      decode: (line) => decoder.decode(line, { stream: line.length > 0 }),
      behindLF: decoder.encoding === 'utf-16le' ? 1 : 0,
    };
  }
  let first = true;
  return {
    // No character of UTF-8 goes on behind an LF, and this is several times as fast as a TextDecoder.
    decode(line) {
      const text = line.toString('utf8');
      const marked = first && text.startsWith('\ufeff');
      first = false;
      return marked ? text.slice(1) : text;
    },
    behindLF: 0,
  };
}
