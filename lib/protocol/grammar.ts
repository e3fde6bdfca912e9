/**
 * The character classes of RFC 9110 §5 and RFC 9112 §3 that both directions share, and what may go on the wire in a request.
 *
 * Pure questions about text, and the small forms that several places read or write: nothing here knows a limit, a stream or a state. The tables are built once.
 */

/** 1 for a `tchar` (RFC 9110 §5.6.2). Indexed by octet. */
export const TOKEN_CHARACTER: Uint8Array = new Uint8Array(256);
for (const character of "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") {
  TOKEN_CHARACTER[character.charCodeAt(0)] = 1;
}

/** 1 for an octet that may stand in a field value or a reason phrase: HTAB, visible ASCII, SP, obs-text. */
export const TEXT_CHARACTER: Uint8Array = new Uint8Array(256).fill(1);
for (let octet = 0; octet < 0x20; octet++) TEXT_CHARACTER[octet] = octet === 0x09 ? 1 : 0;
TEXT_CHARACTER[0x7f] = 0;

/** Whether the text is a `token`: at least one character, each a tchar. Methods and field names are tokens. */
export function isToken(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0xff || TOKEN_CHARACTER[code] === 0) return false;
  }
  return text.length > 0;
}

/* What a field value may not hold: a control other than HTAB, DEL, or a character that is no octet. The bare CR, LF and NUL among
 * them are the ones that split messages (CVE-2016-5699). */
// oxlint-disable-next-line no-control-regex -- control characters are what this looks for
const BAD_VALUE_CHARACTER = /[\0-\x08\x0a-\x1f\x7f\u0100-\uffff]/;

/** The index of the first character that may not stand in a field value, or -1. */
export function findBadValueCharacter(text: string): number {
  return text.search(BAD_VALUE_CHARACTER);
}

/* A target is visible ASCII (RFC 9112 §3.2): a space or a control would end it, anything above has to be percent-encoded. */
const BAD_TARGET_CHARACTER = /[^\x21-\x7e]/;

/** The index of the first character that may not stand in a request target, or -1. */
export function findBadTargetCharacter(text: string): number {
  return text.search(BAD_TARGET_CHARACTER);
}

/** A character for an error message: `U+000A at index 3`. */
export function describeCharacter(text: string, index: number): string {
  const hex = (text.codePointAt(index) ?? 0).toString(16).toUpperCase().padStart(4, '0');
  return `U+${hex} at index ${String(index)}`;
}

/** Text without SP and HTAB at its ends: OWS and nothing else, unlike `trim()` (NBSP and friends are octets of the value). */
export function trimBlanks(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return start === 0 && end === text.length ? text : text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

/** `1*DIGIT` as a number, never rounded: null for any other text, and for a value that a number cannot hold exactly. */
export function readDecimal(text: string): number | null {
  if (!/^[0-9]+$/.test(text)) return null;
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : null;
}

/** The members of a comma-separated list of tokens, in lower case; empty ones do not count (RFC 9110 §5.6.1.2). */
export function listMembers(text: string): string[] {
  if (!text.includes(',')) {
    const member = trimBlanks(text).toLowerCase();
    return member === '' ? [] : [member];
  }
  return text
    .toLowerCase()
    .split(',')
    .map(trimBlanks)
    .filter((member) => member !== '');
}

/** Fields as they stand in a head or behind a last chunk: `Name: value` and CRLF for each. @param fields - `[name, value, …]` */
export function formatFields(fields: readonly string[]): string {
  let text = '';
  for (let i = 0; i < fields.length; i += 2) text += `${fields[i] as string}: ${fields[i + 1] as string}\r\n`;
  return text;
}
