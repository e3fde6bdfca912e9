/**
 * What a caller may put on the wire as a field: its name and its value, one at a time (RFC 9110 §5.1, §5.5).
 *
 * Checked is what could end the line or be read as something else; nothing here knows what a field means.
 */

import { kindOf } from '../options.js';
import { describeCharacter, findBadValueCharacter, isToken, trimBlanks } from '../protocol/grammar.js';

/**
 * A field name as it may go on the wire: a token (RFC 9110 §5.1).
 *
 * @throws TypeError that names the character and its index.
 */
export function checkFieldName(name: unknown): string {
  if (typeof name !== 'string') throw new TypeError(`a field name must be a string, got ${kindOf(name)}`);
  if (isToken(name)) return name;
  if (name === '') throw new TypeError('a field name must not be empty');
  let index = 0;
  while (isToken(name.charAt(index))) index++;
  throw new TypeError(
    `field name ${JSON.stringify(name)} holds ${describeCharacter(name, index)}, which no name may (RFC 9110 §5.1)`,
  );
}

/**
 * A field value as it may go on the wire, blanks around it dropped (RFC 9110 §5.5). A CR, LF or NUL in it would let the value
 * write fields or messages of its own (CVE-2016-5699), and a folded line is no exception.
 *
 * @throws TypeError that names the field, and the character and its index or the kind of value.
 */
export function checkFieldValue(name: string, value: unknown): string {
  if (typeof value === 'string') {
    const index = findBadValueCharacter(value);
    if (index === -1) return trimBlanks(value);
    const cause = value.charCodeAt(index) > 0xff ? 'field text is ISO-8859-1' : 'controls are not allowed';
    throw new TypeError(`the value of field ${name} holds ${describeCharacter(value, index)}: ${cause}`);
  }
  if (Number.isFinite(value)) return String(value);
  const given = typeof value === 'number' ? String(value) : kindOf(value);
  const cure = value === undefined || value === null ? ': leave the field out' : '';
  throw new TypeError(`the value of field ${name} must be a string or a finite number, got ${given}${cure}`);
}
