/**
 * Shows a transfer while it runs: a bar on a terminal, whole lines elsewhere, or nothing. It asks the meters on a timer and never slows
 * the transfer down; where the count is somebody else's, it asks for it before it draws.
 */
import type { ProgressMode } from './arguments.js';
import { closingLine, progressLine, type Directions } from './progress-line.js';
import type { Terminal } from './terminal.js';

/** About as many pictures a second as anybody can tell apart. */
const DRAW_MS = 100;

/** How often a log gets a line. */
const LINE_MS = 1000;

/** The progress of one run. */
export class Progress {
  readonly #terminal: Terminal;
  readonly #mode: ProgressMode;
  readonly #ways: Directions;
  #timer: NodeJS.Timeout | null = null;
  #over = false;
  /** Brings the meters up to date. */
  refresh: (() => void) | null = null;

  /** @param wanted - null: a bar where the terminal can draw one */
  constructor(terminal: Terminal, wanted: ProgressMode | null, ways: Directions) {
    this.#terminal = terminal;
    const drawable = terminal.drawable ? 'bar' : null;
    // A bar that cannot be drawn is told in lines.
    this.#mode = wanted === 'bar' ? (drawable ?? 'plain') : (wanted ?? drawable ?? 'none');
    this.#ways = ways;
  }

  /** Whether anything is shown. */
  get active(): boolean {
    return this.#mode !== 'none';
  }

  /** Begins to show. */
  start(): void {
    if (!this.active) return;
    this.#timer = setInterval(() => this.#draw(), this.#mode === 'bar' ? DRAW_MS : LINE_MS);
    this.#timer.unref();
    this.#terminal.onResize(() => this.#draw());
  }

  /** Shows no more; with `closing`, what was done is left standing as one line. */
  end(closing: boolean): void {
    if (this.#over) return;
    this.#over = true;
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#terminal.clear();
    if (!closing || !this.active) return;
    const line = closingLine(this.#ways, this.#mode === 'bar' ? this.#terminal.width : Infinity);
    if (line !== '') this.#terminal.line(line);
  }

  #draw(): void {
    this.refresh?.();
    if (this.#over) return;
    const { width, colours } = this.#terminal;
    if (this.#mode === 'bar') this.#terminal.show(progressLine(this.#ways, { width, bar: true, colours }));
    else this.#terminal.line(progressLine(this.#ways, { width: Infinity, bar: false, colours: false }));
  }
}
