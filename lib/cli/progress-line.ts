/**
 * Writes progress as text, for a width: what is less needed is left out first, and no line is longer than it may be. Owns no terminal and
 * no timer, so each line can be looked at by itself.
 */
import type { Meter } from './meter.js';

/** Both directions; null for one that carries no body worth a count. */
export interface Directions {
  readonly up: Meter | null;
  readonly down: Meter | null;
}

const BAR_MOST = 40;
const BAR_LEAST = 8;
const GREEN = '\u001B[32m';
const PLAIN = '\u001B[39m';

/** How a line of progress is drawn. */
export interface Drawing {
  /** Columns that it may fill. */
  readonly width: number;
  /** With a bar, where the end is known and there is room. */
  readonly bar: boolean;
  readonly colours: boolean;
}

/** One line of what goes on. */
export function progressLine(ways: Directions, { width, bar, colours }: Drawing): string {
  const shown = directionsOf(ways);
  const main = shown.find(({ meter }) => !meter.finished) ?? shown.at(-1);
  if (main === undefined) return '';
  const others = shown.filter((each) => each !== main);
  const { meter, label } = main;
  const rate = meter.finished ? meter.meanRate() : meter.rate();
  const percent = percentOf(meter);
  const beside = others.map((other) => `${other.label} ${amountOf(other.meter)}`).join('  ');
  // From what is needed most to what is needed least.
  const facts: [order: number, text: string][] = [
    [1, label],
    [2, percent],
    [4, amountOf(meter)],
    [5, rate === null ? '' : `${sizeText(rate)}/s`],
    [6, leftOf(meter, rate)],
    [0, beside],
  ];
  const kept: [number, string][] = [];
  for (const fact of facts) {
    if (fact[1] !== '' && lengthOf([...kept, fact]) <= width) kept.push(fact);
  }
  const room = Math.min(BAR_MOST, width - lengthOf(kept) - 4);
  const share = shareOf(meter);
  if (bar && share !== null && room >= BAR_LEAST) kept.push([3, barOf(share, room, colours)]);
  return kept
    .toSorted(([a], [b]) => a - b)
    .map(([, text]) => text)
    .join('  ')
    .slice(0, colours ? undefined : Math.max(0, width));
}

/** What is left standing: each direction, its bytes, how long it took and how fast it was. */
export function closingLine(ways: Directions, width: number = Infinity): string {
  const line = directionsOf(ways)
    .map(({ label, meter }) => {
      const percent = percentOf(meter);
      const rate = meter.meanRate();
      return [
        `${label} ${amountOf(meter)}`,
        ...(percent === '' ? [] : [percent.trim()]),
        timeText(meter.elapsedMs()),
        ...(rate === null ? [] : [`${sizeText(rate)}/s`]),
      ].join(', ');
    })
    .join('; ');
  return line.slice(0, width);
}

/** `'94.5 MiB'`; below one KiB the exact count. */
export function sizeText(bytes: number): string {
  let value = Math.max(0, bytes);
  for (const unit of ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']) {
    if (unit === 'B' ? value < 1024 : value < 999.5) {
      return `${unit === 'B' ? String(Math.floor(value)) : value.toFixed(value < 9.95 ? 2 : value < 99.5 ? 1 : 0)} ${unit}`;
    }
    value /= 1024;
  }
  return 'very much';
}

/** `'0:07'`, `'1:02:03'`. */
export function timeText(ms: number): string {
  const seconds = Math.round(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${String(minutes)}:${two(seconds % 60)}`;
  return `${String(Math.floor(minutes / 60))}:${two(minutes % 60)}:${two(seconds % 60)}`;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}

interface Direction {
  readonly label: string;
  readonly meter: Meter;
}

function directionsOf({ up, down }: Directions): Direction[] {
  return [
    ...(up === null ? [] : [{ label: 'up', meter: up }]),
    // An answer without a byte says nothing beside an upload.
    ...(down === null || (up !== null && down.bytes === 0) ? [] : [{ label: 'down', meter: down }]),
  ];
}

function shareOf({ bytes, total }: Meter): number | null {
  if (total === null) return null;
  return total === 0 ? 1 : Math.min(1, bytes / total);
}

/** Rounded down: 100% is said when all of it is there. */
function percentOf(meter: Meter): string {
  const share = shareOf(meter);
  return share === null ? '' : `${String(Math.floor(share * 100))}%`.padStart(4);
}

function amountOf({ bytes, total }: Meter): string {
  const reached = sizeText(bytes);
  if (total === null || bytes >= total) return reached;
  const whole = sizeText(total);
  const unit = whole.slice(whole.indexOf(' '));
  return `${reached.endsWith(unit) ? reached.slice(0, -unit.length) : reached} of ${whole}`;
}

function leftOf({ bytes, total, finished }: Meter, rate: number | null): string {
  if (finished || total === null || rate === null || rate < 1 || bytes >= total) return '';
  const ms = ((total - bytes) / rate) * 1000;
  return ms > 360_000_000 ? '' : `${timeText(ms)} left`;
}

function barOf(share: number, width: number, colours: boolean): string {
  const filled = Math.floor(share * width);
  const done = `${'='.repeat(filled)}${filled < width ? '>' : ''}`;
  return `[${colours ? `${GREEN}${done}${PLAIN}` : done}${' '.repeat(width - Math.min(width, filled + 1))}]`;
}

function lengthOf(facts: readonly (readonly [number, string])[]): number {
  return facts.reduce((sum, [, text]) => sum + text.length, 0) + 2 * Math.max(0, facts.length - 1);
}
