/**
 * The words of the command line by the names of their options, each known to the table and with a value where it takes one. What the
 * values mean is not known here.
 */
import { parseArgs } from 'node:util';
import { UsageError } from './failure.js';
import { nearestOption, OPTIONS } from './option-table.js';

/** The arguments by name, each known and with a value where it takes one. */
export class Given {
  readonly positionals: readonly string[];
  readonly #values = new Map<string, string[]>();

  constructor(args: readonly string[]) {
    const options = Object.fromEntries(
      OPTIONS.map(({ name, short, takes }) => [
        name,
        {
          type: takes === undefined ? 'boolean' : 'string',
          ...(short === undefined ? {} : { short }),
        } as const,
      ]),
    );
    // Not strict: its messages name no neighbour, and it refuses values that begin with a dash, which curl takes.
    const { tokens } = parseArgs({
      args: [...args],
      options,
      strict: false,
      allowPositionals: true,
      tokens: true,
    });
    const positionals: string[] = [];
    let before = '';
    for (const token of tokens) {
      if (token.kind === 'option') this.#take(token.name, token.rawName, token.value);
      // curl's -C takes an offset, and '-' says there what -C alone says here.
      else if (token.kind === 'positional' && !(token.value === '-' && before === 'continue')) {
        positionals.push(token.value);
      }
      before = token.kind === 'option' ? token.name : '';
    }
    this.positionals = positionals;
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** Every value that was given. */
  all(name: string): readonly string[] {
    return this.#values.get(name) ?? [];
  }

  /** The last one, as curl does it. */
  one(name: string): string | null {
    return this.all(name).at(-1) ?? null;
  }

  /** The last one, if it looks like the pattern. */
  checked(name: string, pattern: RegExp, wanted: string): string | null {
    const value = this.one(name);
    // The value is not shown: it may be a password.
    if (value !== null && !pattern.test(value)) throw new UsageError(`${shown(name)} takes ${wanted}`);
    return value;
  }

  count(name: string): number | null {
    const value = this.checked(name, /^\d{1,9}$/, 'a whole number');
    return value === null ? null : Number(value);
  }

  /** Seconds, as milliseconds; 0 is no limit, as for curl. */
  milliseconds(name: string): number | null {
    const value = this.checked(name, /^(?:\d{1,7}(?:\.\d*)?|\.\d+)$/, 'a number of seconds');
    if (value === null || Number(value) === 0) return null;
    return Math.max(1, Math.round(Number(value) * 1000));
  }

  #take(name: string, rawName: string, value: string | undefined): void {
    const option = OPTIONS.find((each) => each.name === name);
    if (option === undefined) {
      throw new UsageError(`there is no option ${rawName}: ${nearestOption(name)}`);
    }
    if (option.takes === undefined && value !== undefined) throw new UsageError(`${rawName} takes no value`);
    if (option.takes !== undefined && value === undefined)
      throw new UsageError(`${rawName} needs ${option.takes}`);
    const values = this.#values.get(name) ?? [];
    if (value !== undefined) values.push(value);
    this.#values.set(name, values);
  }
}

/** The way an option is shown: its letter where it has one. */
export function shown(name: string): string {
  const short = OPTIONS.find((option) => option.name === name)?.short;
  return short === undefined ? `--${name}` : `-${short}`;
}
