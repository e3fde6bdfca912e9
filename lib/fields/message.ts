/**
 * `HTTPMessage`: the fields of a head or of trailers, in their order and spelling, with case-insensitive lookups.
 *
 * It is the one owner of how fields are kept (a flat array: name, value, name, value, …). It does not parse bytes, does not join or split lists, and knows no framing. Nothing
 * is indexed: a head has some ten fields, and a scan costs less than building a map for each response.
 */

import type { IncomingHttpHeaders } from 'node:http';

import { checkFieldName, checkFieldValue } from './field-checks.js';
import { leadingValue, parameterOf } from './parameters.js';
import { kindOf } from '../options.js';
import { formatFields, isToken } from '../protocol/grammar.js';

/**
 * What can be given as fields: a record (an array as value makes one field line for each of its items), pairs, an
 * `HTTPMessage`, the platform's `Headers`, or the `headers` of a message that Node received. A value may not be undefined.
 */
export type HeadersInit =
  | Record<string, string | number | readonly string[]>
  | IncomingHttpHeaders
  | Iterable<readonly [string, string | number]>
  | HTTPMessage
  | Headers;

/* The class shares its array with the rest of the library through these two, so that no public member shows it. */
let wrap: (fields: string[]) => HTTPMessage;
let see: (message: HTTPMessage) => readonly string[];

/**
 * An ordered list of fields. Names keep their spelling and are compared without regard to case; a name may occur any
 * number of times. Iterators show the fields as they were when the iteration began, so fields may be deleted on the way.
 *
 * @example
 * ```ts
 * const message = new HTTPMessage({ Accept: 'text/html', 'Set-Cookie': ['a=1', 'b=2'] });
 * message.get('set-cookie'); // 'a=1'
 * message.getAll('set-cookie'); // ['a=1', 'b=2']
 * ```
 */
export class HTTPMessage implements Iterable<[name: string, value: string]> {
  #fields: string[];

  static {
    see = (message) => message.#fields;
    wrap = (fields) => {
      const message = new HTTPMessage();
      message.#fields = fields;
      return message;
    };
    /* Not a method, because a computed name would be on the public surface. */
    Object.defineProperty(this.prototype, Symbol.for('nodejs.util.inspect.custom'), {
      value: inspectMessage,
    });
  }

  /**
   * @param init - The first fields. They are copied.
   * @throws TypeError when a name is not a token, or a value is neither string nor number or holds a character that may not
   *   go on the wire. The message names the field and the character.
   */
  constructor(init?: HeadersInit) {
    this.#fields = fieldsOf(init);
  }

  /** The number of field lines. Repeated names count each time. */
  get size(): number {
    return this.#fields.length / 2;
  }

  /** The first value of a field, or `null` when there is none. */
  get(name: string): string | null {
    const index = this.#find(name, 0);
    return index === -1 ? null : (this.#fields[index + 1] ?? null);
  }

  /** Every value of a field, in order; empty when there is none. */
  getAll(name: string): string[] {
    const values: string[] = [];
    for (let i = this.#find(name, 0); i !== -1; i = this.#find(name, i + 2))
      values.push(this.#fields[i + 1] ?? '');
    return values;
  }

  /** Whether a field of this name is there. */
  has(name: string): boolean {
    return this.#find(name, 0) !== -1;
  }

  /** The names in order and as spelled, a repeated one each time. */
  *keys(): IterableIterator<string> {
    for (const [name] of this.entries()) yield name;
  }

  /** The values in order. */
  *values(): IterableIterator<string> {
    for (const [, value] of this.entries()) yield value;
  }

  /** The fields as pairs of name and value, in order. */
  *entries(): IterableIterator<[name: string, value: string]> {
    const fields = this.#fields;
    const end = fields.length;
    for (let i = 0; i < end; i += 2) yield [fields[i] ?? '', fields[i + 1] ?? ''];
  }

  /** The same as {@link HTTPMessage.entries}. */
  [Symbol.iterator](): IterableIterator<[name: string, value: string]> {
    return this.entries();
  }

  /**
   * Appends a field line, whether or not the name is there already. Blanks around the value are no part of it and are dropped.
   *
   * @throws TypeError as the constructor does.
   */
  add(name: string, value: string): void {
    const text = checkFieldValue(checkFieldName(name), value);
    this.#fields.push(name, text);
  }

  /**
   * Gives a field exactly one value: the first line of that name is replaced where it stands, spelling included, and its
   * other lines are removed; without one, a line is appended.
   *
   * @throws TypeError as the constructor does.
   */
  set(name: string, value: string): void {
    const text = checkFieldValue(checkFieldName(name), value);
    const index = this.#find(name, 0);
    if (index === -1) {
      this.#fields.push(name, text);
      return;
    }
    this.#fields = this.#without(name, index + 2);
    this.#fields[index] = name;
    this.#fields[index + 1] = text;
  }

  /** Removes every line of a field. Does nothing when there is none. */
  delete(name: string): void {
    this.#fields = this.#without(name, 0);
  }

  /**
   * The media type of `Content-Type` in lower case, without parameters. `text/plain` when the field is absent or is not of
   * the form `type/subtype`, as in http.client.
   */
  getContentType(): string {
    const type = leadingValue(this.get('content-type') ?? '').toLowerCase();
    const slash = type.indexOf('/');
    return isToken(type.slice(0, Math.max(slash, 0))) && isToken(type.slice(slash + 1)) ? type : 'text/plain';
  }

  /** The `charset` parameter of `Content-Type` in lower case, or `null` when none is declared. It may name any charset. */
  getContentCharset(): string | null {
    return this.getParam('charset')?.toLowerCase() ?? null;
  }

  /**
   * A parameter of a field, such as `boundary` of `Content-Type`: without quotes, and decoded where it is written in the
   * notations of RFC 8187 (`name*=UTF-8''…`) or RFC 2231 (`name*0=…`), which win over the plain one.
   *
   * @param param - The parameter's name, in any case.
   * @param header - The field's name; its first line is read.
   * @returns The value, the empty string for a parameter without one, `null` when the field or the parameter is absent.
   */
  getParam(param: string, header = 'content-type'): string | null {
    const value = this.get(header);
    return value === null ? null : parameterOf(value, param);
  }

  /**
   * The file name of `Content-Disposition` (`filename*` before `filename`), else the `name` of `Content-Type`, else `null`.
   *
   * It is given as the server sent it and **must not be trusted**: it can hold path separators, `..` or control characters.
   */
  getFilename(): string | null {
    return this.getParam('filename', 'content-disposition') ?? this.getParam('name');
  }

  /** The wire form: `Name: value` and CRLF for each field, without the blank line that ends a head. */
  toString(): string {
    return formatFields(this.#fields);
  }

  /**
   * A record for `JSON.stringify`, which the constructor takes back: names as first spelled and in the order of their first
   * lines, one value as a string, several as an array. Like any log of fields it may hold secrets.
   */
  toJSON(): Record<string, string | string[]> {
    const spelled = new Map<string, string>();
    for (const name of this.keys()) {
      const lower = name.toLowerCase();
      if (!spelled.has(lower)) spelled.set(lower, name);
    }
    // Not by assignment, as `__proto__` is a token too.
    return Object.fromEntries(
      Array.from(spelled.values(), (name) => {
        const values = this.getAll(name);
        return [name, values.length === 1 ? (values[0] as string) : values];
      }),
    );
  }

  /** The index of the first name at or behind `from` that is equal to this one, or -1. */
  #find(name: string, from: number): number {
    const fields = this.#fields;
    const lower = name.toLowerCase();
    for (let i = from; i < fields.length; i += 2) {
      const field = fields[i] ?? '';
      if (field.length === name.length && (field === name || field.toLowerCase() === lower)) return i;
    }
    return -1;
  }

  /** The fields less those of this name at or behind `from`: a new array, because a running iterator holds the old one. */
  #without(name: string, from: number): string[] {
    const kept = this.#fields.slice();
    let length = from;
    let next = this.#find(name, from);
    for (let i = from; i < this.#fields.length; i += 2) {
      if (i === next) {
        next = this.#find(name, i + 2);
        continue;
      }
      kept[length] = this.#fields[i] ?? '';
      kept[length + 1] = this.#fields[i + 1] ?? '';
      length += 2;
    }
    kept.length = length;
    return kept;
  }
}

function inspectMessage(this: HTTPMessage, depth: number): string {
  if (depth < 0) return '[HTTPMessage]';
  const lines = Array.from(this, ([name, value]) => `  ${name}: ${JSON.stringify(value)}`);
  return lines.length === 0 ? 'HTTPMessage {}' : `HTTPMessage {\n${lines.join(',\n')}\n}`;
}

/**
 * A message over fields that are valid already, such as those of a parsed head. The array is neither copied nor checked: it
 * belongs to the message from here on.
 *
 * @internal
 */
export function messageOf(fields: string[]): HTTPMessage {
  return wrap(fields);
}

/**
 * The flat array of a message, names at even indices. It is the message's own: to be read, and not kept.
 *
 * @internal
 */
export function fieldsFor(message: HTTPMessage): readonly string[] {
  return see(message);
}

/**
 * A caller's fields as a fresh flat array, checked.
 *
 * @throws TypeError when they are of no kind that {@link HeadersInit} names, or one may not go on the wire.
 * @internal
 */
export function fieldsOf(init: HeadersInit | undefined | null): string[] {
  if (init === undefined || init === null) return [];
  if (init instanceof HTTPMessage) return see(init).slice();
  const fields: string[] = [];
  if (typeof init === 'object' && Symbol.iterator in init) {
    for (const pair of init as Iterable<unknown>) {
      if (!Array.isArray(pair) || pair.length !== 2) {
        throw new TypeError(
          `fields given as an iterable must be [name, value] pairs, item ${String(fields.length / 2)} is ${kindOf(pair)}`,
        );
      }
      const name = checkFieldName(pair[0]);
      fields.push(name, checkFieldValue(name, pair[1]));
    }
    return fields;
  }
  /* The tag tells records from objects that would be read as no fields at all, such as a promise that was not awaited. */
  if (Object.prototype.toString.call(init) !== '[object Object]') {
    throw new TypeError(`fields must be a record, pairs, an HTTPMessage or Headers, got ${kindOf(init)}`);
  }
  for (const [key, value] of Object.entries(init)) {
    const name = checkFieldName(key);
    if (Array.isArray(value)) for (const item of value) fields.push(name, checkFieldValue(name, item));
    else fields.push(name, checkFieldValue(name, value));
  }
  return fields;
}

/** An interim (1xx) response: reported and skipped, the final one is still to come (RFC 9110 §15.2). */
export interface InformationalResponse {
  /** The status code, 100 to 199 without 101. */
  status: number;
  /** The reason phrase, possibly empty. */
  reason: string;
  /** The fields. */
  headers: HTTPMessage;
}
