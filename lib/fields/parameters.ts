/**
 * Parameters of a field value: `value; name=token; name="quoted string"` (RFC 9110 §5.6.6), with the extended notation of
 * RFC 8187 (`name*=UTF-8''…`) and the continuations of RFC 2231 (`name*0`, `name*1`).
 *
 * Reading is lenient, as for every field that does not decide framing: what cannot be understood is passed over, nothing
 * throws. Each character is looked at once and no result is longer than the text. Nothing here knows a field's name.
 */

import { trimBlanks } from '../protocol/grammar.js';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const PERCENT = 0x25;

/** The text before the first parameter: `text/html` of `text/html; charset=utf-8`. */
export function leadingValue(text: string): string {
  const end = text.indexOf(';');
  return trimBlanks(end === -1 ? text : text.slice(0, end));
}

/**
 * One parameter, decoded; `null` when it is absent, the empty string when it has no value. The extended notation wins over
 * the plain one (RFC 6266 §4.3), continuations stand between them, and of two alike the first counts. An extended value
 * in an unknown charset, or badly encoded, is passed over, so that the plain one serves.
 *
 * @param text - The whole field value.
 * @param name - The parameter's name, in any case, without `*`.
 */
export function parameterOf(text: string, name: string): string | null {
  const wanted = name.toLowerCase();
  let plain: string | null = null;
  const sections = new Map<string, string>();
  for (const [key, value] of parametersOf(text)) {
    if (!key.startsWith(wanted)) continue;
    const suffix = key.slice(wanted.length);
    if (suffix === '') {
      plain ??= value;
    } else if (suffix === '*') {
      const decoded = decodeExtended(value);
      if (decoded !== null) return decoded;
    } else if (suffix.startsWith('*') && !sections.has(suffix)) {
      sections.set(suffix, value);
    }
  }
  return joinSections(sections) ?? plain;
}

/** Every parameter in its order: its name in lower case, `*` suffixes included, and its value, unquoted but not decoded. */
function* parametersOf(text: string): Generator<[name: string, value: string]> {
  let at = text.indexOf(';');
  while (at !== -1 && at < text.length) {
    const start = at + 1;
    const { equals, end } = findParameterName(text, start);
    const name = trimBlanks(text.slice(start, equals === -1 ? end : equals)).toLowerCase();
    if (equals === -1) {
      at = end;
      if (name !== '') yield [name, ''];
      continue;
    }
    const first = skipBlanks(text, equals + 1);
    let value: string;
    if (text.charCodeAt(first) === QUOTE) {
      const quoted = readQuoted(text, first + 1);
      value = quoted.value;
      at = indexOrEnd(text, ';', quoted.end);
    } else {
      at = indexOrEnd(text, ';', first);
      value = trimBlanks(text.slice(first, at));
    }
    if (name !== '') yield [name, value];
  }
}

/** Where the name at `start` ends: at an `=`, or (`equals` is -1) at the next `;` or the end of the text. */
function findParameterName(text: string, start: number): { equals: number; end: number } {
  for (let i = start; i < text.length; i++) {
    const character = text[i];
    if (character === '=') return { equals: i, end: i };
    if (character === ';') return { equals: -1, end: i };
  }
  return { equals: -1, end: text.length };
}

/** A quoted-string from behind its opening quote (RFC 9110 §5.6.4). Without a closing quote it runs to the end of the text. */
function readQuoted(text: string, start: number): { value: string; end: number } {
  let value = '';
  let from = start;
  let i = start;
  for (; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) break;
    if (code === BACKSLASH && i + 1 < text.length) {
      value += text.slice(from, i);
      from = ++i;
    }
  }
  return { value: value + text.slice(from, i), end: i };
}

function skipBlanks(text: string, start: number): number {
  let i = start;
  while (text[i] === ' ' || text[i] === '\t') i++;
  return i;
}

function indexOrEnd(text: string, character: string, from: number): number {
  const index = text.indexOf(character, from);
  return index === -1 ? text.length : index;
}

/** `charset'language'percent-encoded` (RFC 8187 §3.2), or null when it is not that. */
function decodeExtended(text: string): string | null {
  const split = splitCharset(text);
  if (split === null) return null;
  const bytes = percentDecode(split.encoded);
  return bytes === null ? null : decodeBytes(bytes, split.charset);
}

interface CharsetSplit {
  charset: string;
  encoded: string;
}

function splitCharset(text: string): CharsetSplit | null {
  const first = text.indexOf("'");
  const second = first === -1 ? -1 : text.indexOf("'", first + 1);
  if (second === -1) return null;
  return { charset: text.slice(0, first).toLowerCase(), encoded: text.slice(second + 1) };
}

/**
 * `*0`, `*1*`, … in one text (RFC 2231 §3): sections follow each other from 0, the first gap ends them; those with a second
 * `*` are percent-encoded in the charset that section 0 names. Characters may be split between two sections, so the bytes
 * are joined before they are decoded.
 */
function joinSections(sections: ReadonlyMap<string, string>): string | null {
  const pieces: Buffer[] = [];
  let charset: string | null = null;
  for (let number = 0; ; number++) {
    const suffix = `*${String(number)}`;
    const plain = sections.get(suffix);
    const encoded = sections.get(`${suffix}*`);
    if (encoded !== undefined) {
      const split: CharsetSplit | null =
        number === 0 ? splitCharset(encoded) : { charset: charset ?? '', encoded };
      const bytes = split === null ? null : percentDecode(split.encoded);
      if (split === null || bytes === null) return null;
      charset = split.charset;
      pieces.push(bytes);
    } else if (plain !== undefined) {
      pieces.push(Buffer.from(plain, 'latin1'));
    } else {
      break;
    }
  }
  if (pieces.length === 0) return null;
  return decodeBytes(Buffer.concat(pieces), charset ?? 'iso-8859-1');
}

/** The octets of percent-encoded field text, or null where a `%` is not followed by two hex digits. */
function percentDecode(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'latin1');
  let length = 0;
  for (let i = 0; i < bytes.length; i++) {
    let octet = bytes[i] ?? 0;
    if (octet === PERCENT) {
      const hex = text.slice(i + 1, i + 3);
      if (!/^[0-9a-f]{2}$/i.test(hex)) return null;
      octet = Number.parseInt(hex, 16);
      i += 2;
    }
    bytes[length++] = octet;
  }
  return bytes.subarray(0, length);
}

const STRICT_UTF_8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** RFC 8187 asks for UTF-8, its predecessor for ISO-8859-1 too; an omitted charset (RFC 2231) is read as UTF-8. */
function decodeBytes(bytes: Buffer, charset: string): string | null {
  if (charset === 'iso-8859-1') return bytes.toString('latin1');
  if (charset !== 'utf-8' && charset !== 'us-ascii' && charset !== '') return null;
  try {
    return STRICT_UTF_8.decode(bytes);
  } catch {
    return null;
  }
}
