/**
 * The fields that every request has, until it brings its own.
 */
import { acceptedCodings } from '../coding/content-decoder.js';

/**
 * The default fields that the request has none of its own for, then its own.
 *
 * @param fields - `[name, value, …]`; given back as it is where there are no defaults
 */
export function withDefaults(defaults: readonly string[], fields: string[]): string[] {
  if (defaults.length === 0) return fields;
  const own = new Set<string>();
  for (let i = 0; i < fields.length; i += 2) own.add((fields[i] ?? '').toLowerCase());
  const all: string[] = [];
  for (let i = 0; i < defaults.length; i += 2) {
    const name = defaults[i] ?? '';
    if (!own.has(name.toLowerCase())) all.push(name, defaults[i + 1] ?? '');
  }
  for (const item of fields) all.push(item);
  return all;
}

/** Asks for content codings, unless the caller has asked for some, or for a range, which is one of the bytes as they are stored. */
export function askForCodings(fields: string[]): void {
  for (let i = 0; i < fields.length; i += 2) {
    const name = (fields[i] ?? '').toLowerCase();
    if (name === 'accept-encoding' || name === 'range') return;
  }
  fields.push('Accept-Encoding', acceptedCodings());
}
