/**
 * Options as callers give them: how they are read and checked, and the time limits that connections and requests share.
 *
 * An options object is read once, into a copy of its own members. So a polluted `Object.prototype` decides nothing, a member that
 * is `undefined` is absent, a getter is asked once, and what the caller does with the object afterwards changes nothing. It
 * knows no option's meaning; who uses one says what it does.
 */
import type { TimerName } from './errors.js';

/** Time limits in milliseconds, one for each phase. Absent or null: no limit. */
export interface Timeouts {
  /** Look-up, dial, TLS and tunnel. */
  connect?: number | null | undefined;
  /** Bytes waited and the socket took none. A silent source stops this clock. */
  send?: number | null | undefined;
  /** From the last byte sent to the final head. */
  response?: number | null | undefined;
  /** No byte came while the reader wanted one. */
  body?: number | null | undefined;
  /** The whole exchange, to the last body byte. */
  total?: number | null | undefined;
}

/** A clock of an exchange: each has a time limit of its own. */
export type ClockName = Exclude<TimerName, 'acquire'>;

/** Time limits that were checked: positive, and absent where there is none. */
export type TimeLimits = { readonly [Clock in ClockName]?: number | undefined };

/** Longer than any timer can wait; a longer limit is none. */
export const MAX_MS = 2_147_483_647;

/** Inherits nothing, so that only what it was given is found in it. With a class its members stay fast, with a null prototype not. */
class OwnMembers {
  static {
    Object.setPrototypeOf(this.prototype, null);
    Reflect.deleteProperty(this.prototype, 'constructor');
    Object.freeze(this.prototype);
  }
}

const NONE: object = Object.freeze(new OwnMembers());

/** The names of the options in `T`: a name that is forgotten or too many does not compile. */
export function namesOf<T extends object>(
  names: Readonly<Record<keyof T & string, true>>,
): ReadonlySet<string> {
  return new Set(Object.keys(names));
}

/**
 * An options object's own members, less those that are undefined, in an object that inherits nothing. Costs nothing when there
 * are no options.
 *
 * @param known - the names that have a meaning
 * @param what - how a message calls the object
 * @throws TypeError when it is no object of options, and for an unknown name, which is told the nearest known one
 */
export function readOptions<T extends object>(
  options: T | undefined,
  known: ReadonlySet<string>,
  what = 'options',
): Readonly<T> {
  if (options === undefined) return NONE as T;
  if (!isRecord(options)) throw new TypeError(`${what} must be an object, got ${kindOf(options)}`);
  const read = new OwnMembers() as Record<string, unknown>;
  for (const name of Object.keys(options)) {
    if (!known.has(name)) throw new TypeError(describeUnknown(name, known, what));
    const value = (options as Record<string, unknown>)[name];
    if (value !== undefined) read[name] = value;
  }
  return read as T;
}

/** The tag tells records from objects whose members would all be missed, such as a signal, a Map or a promise. */
function isRecord(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const tag = Object.prototype.toString.call(value);
  return tag === '[object Object]' || tag === '[object Module]';
}

const CLOCKS = namesOf<Timeouts>({ connect: true, send: true, response: true, body: true, total: true });

/**
 * Time limits from an option: a number sets all but `total`, null or undefined none.
 *
 * @throws TypeError for what is no number, and for an unknown clock
 * @throws RangeError for a number that is not positive
 */
export function resolveTimeouts(timeout: number | Timeouts | null | undefined): TimeLimits | null {
  if (timeout === null || timeout === undefined) return null;
  if (typeof timeout === 'number') {
    const ms = checkMs('timeout', timeout);
    return { connect: ms, send: ms, response: ms, body: ms };
  }
  if (!isRecord(timeout))
    throw new TypeError(`timeout must be a number or an object, got ${kindOf(timeout)}`);
  const given = readOptions(timeout, CLOCKS, 'timeout');
  const limits: { [Clock in ClockName]?: number } = {};
  for (const clock of Object.keys(given) as ClockName[]) {
    const ms = given[clock] ?? null;
    if (ms !== null) limits[clock] = checkMs(`timeout.${clock}`, ms);
  }
  return limits;
}

/**
 * A time in milliseconds, as every option that is one is checked. `Infinity` is a limit that is never reached.
 *
 * @throws TypeError for what is no number, RangeError for one that is not positive
 */
export function checkMs(name: string, ms: unknown): number {
  if (typeof ms !== 'number') {
    throw new TypeError(
      `${name} must be a positive number of milliseconds, or null for none, got ${kindOf(ms)}`,
    );
  }
  if (ms > 0) return ms;
  throw new RangeError(
    `${name} must be a positive number of milliseconds, or null for none, got ${String(ms)}`,
  );
}

/** What a caller gave, for a message: `null`, `boolean`, `Array`, `Promise`, … */
export function kindOf(value: unknown): string {
  if (value === null || typeof value !== 'object') return value === null ? 'null' : typeof value;
  return Object.prototype.toString.call(value).slice('[object '.length, -1);
}

function describeUnknown(name: string, known: ReadonlySet<string>, what: string): string {
  const place = what === 'options' ? '' : ` in ${what}`;
  let nearest = '';
  let least = Infinity;
  for (const candidate of known) {
    const distance = distanceBetween(name.toLowerCase(), candidate.toLowerCase());
    if (distance < least) {
      least = distance;
      nearest = candidate;
    }
  }
  const hint =
    least <= Math.max(2, nearest.length / 2)
      ? `did you mean '${nearest}'?`
      : `known: ${[...known].join(', ')}`;
  return `unknown option ${quoteName(name)}${place}, ${hint}`;
}

function quoteName(name: string): string {
  const quoted = JSON.stringify(name.length > 40 ? `${name.slice(0, 40)}…` : name);
  return `'${quoted.slice(1, -1)}'`;
}

/** How many characters have to be put, taken, changed or swapped with their neighbour. Long names are compared at their beginning. */
function distanceBetween(a: string, b: string): number {
  const from = a.slice(0, 40);
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= from.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = (last[j - 1] as number) + (from[i - 1] === b[j - 1] ? 0 : 1);
      let least = Math.min(changed, (last[j] as number) + 1, (row[j - 1] as number) + 1);
      const swapped = i > 1 && j > 1 && from[i - 1] === b[j - 2] && from[i - 2] === b[j - 1];
      if (swapped) least = Math.min(least, (before[j - 2] as number) + 1);
      row.push(least);
    }
    before = last;
    last = row;
  }
  return last[b.length] as number;
}
