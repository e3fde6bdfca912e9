/**
 * What the demo shows while it runs: on a terminal one line with a bar, redrawn in place; into a pipe or a file only whole
 * lines. Owns all that goes to standard output, and nothing about transfers.
 */
import { clearLine, cursorTo } from 'node:readline';

const MIB = 1024 * 1024;
/** A terminal shows no more than about a dozen pictures a second; more would cost the transfer its time. */
const REDRAW_MS = 80;
const BAR_MAX = 40;
/** For a terminal that does not tell its width. */
const COLUMNS = 80;

/** Text on standard output, with a progress line that gives way to every whole line. */
export class Progress {
  readonly #out: NodeJS.WriteStream;
  #label = '';
  #total: number | null = null;
  #startedAt = 0;
  #drawnAt = 0;
  #showing = false;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  /** Begins a transfer; `total` is null where the size cannot be known beforehand. */
  start(label: string, total: number | null): void {
    this.#label = label;
    this.#total = total;
    this.#startedAt = performance.now();
    this.#drawnAt = 0;
  }

  /** Redraws the bar, if there is a terminal and the last picture is old enough. */
  update(bytes: number): void {
    if (!this.#out.isTTY) return;
    const now = performance.now();
    if (now - this.#drawnAt < REDRAW_MS) return;
    this.#drawnAt = now;
    const rate = formatRate(bytes, now - this.#startedAt);
    const facts =
      this.#total === null ? `${formatSize(bytes)}  ${rate}` : this.#bar(bytes, this.#total, rate);
    this.#clear();
    // One column short of the edge: a line that fills the last one may wrap, and could not be redrawn.
    this.#out.write(`${this.#label}  ${facts}`.slice(0, this.#columns() - 1));
    this.#showing = true;
  }

  /** Ends a transfer with a plain line. */
  finish(bytes: number): void {
    const elapsedMs = performance.now() - this.#startedAt;
    const seconds = `${(elapsedMs / 1000).toFixed(2)} s`;
    this.line(`${this.#label}  ${formatSize(bytes)} in ${seconds}, ${formatRate(bytes, elapsedMs)}`);
  }

  /** Takes the progress line away and prints a whole one. */
  line(text: string): void {
    this.#clear();
    this.#out.write(`${text}\n`);
  }

  /** Leaves the cursor at the start of an empty line, for whoever writes next. */
  stop(): void {
    this.#clear();
  }

  #bar(bytes: number, total: number, rate: string): string {
    const share = total === 0 ? 1 : Math.min(bytes / total, 1);
    const percent = `${Math.floor(share * 100)} %`.padStart(5);
    const facts = `${percent}  ${formatSize(bytes)}  ${rate}`;
    const width = Math.min(BAR_MAX, this.#columns() - this.#label.length - facts.length - 7);
    if (width < 4) return facts;
    const filled = Math.floor(share * width);
    return `[${'='.repeat(filled)}${' '.repeat(width - filled)}]  ${facts}`;
  }

  #columns(): number {
    return this.#out.columns > 0 ? this.#out.columns : COLUMNS;
  }

  #clear(): void {
    if (!this.#showing) return;
    clearLine(this.#out, 0);
    cursorTo(this.#out, 0);
    this.#showing = false;
  }
}

/** `'94.5 MiB'`; below one MiB the exact count of bytes. */
export function formatSize(bytes: number): string {
  return bytes < MIB ? `${bytes} bytes` : `${(bytes / MIB).toFixed(1)} MiB`;
}

function formatRate(bytes: number, elapsedMs: number): string {
  return `${(bytes / MIB / (Math.max(elapsedMs, 1) / 1000)).toFixed(1)} MiB/s`;
}
