/**
 * Standard error: whole lines, and the one line of progress that gives way to them. It is the only place of the command that writes
 * there, so a line never lands behind a bar. A standard error that cannot be written to is put up with: there is nobody to tell.
 */
import type { WriteStream } from 'node:tty';

/** For a terminal that does not tell its width. */
const COLUMNS = 80;

/** Back to the first column, and everything behind it away. */
const CLEAR = '\r\u001B[K';

/** What is written on standard error. */
export class Terminal {
  /** Whether a line can be drawn again: a terminal, and one that knows how. */
  readonly drawable: boolean;
  /** Whether colours are wanted (https://no-color.org). */
  readonly colours: boolean;
  readonly #stream: WriteStream;
  #shown = false;

  constructor(stream: WriteStream, environment: NodeJS.ProcessEnv) {
    this.#stream = stream;
    this.drawable = stream.isTTY && environment['TERM'] !== 'dumb';
    this.colours = this.drawable && (environment['NO_COLOR'] ?? '') === '';
    stream.on('error', () => undefined);
  }

  /** The columns that a line may fill. The last one stays free: a line that reaches it may wrap, and cannot be drawn again then. */
  get width(): number {
    const { columns } = this.#stream;
    // Asked anew each time: the window may change while we draw.
    return (this.#stream.isTTY && columns > 0 ? columns : COLUMNS) - 1;
  }

  /** Prints a whole line, above the progress if some is shown. */
  line(text: string): void {
    this.bytes(Buffer.from(`${text}\n`));
  }

  /** Prints bytes that are whole lines. */
  bytes(lines: Uint8Array): void {
    this.clear();
    this.#stream.write(lines);
  }

  /** Shows the line of progress, in the place of the one before. */
  show(text: string): void {
    this.#stream.write(`${CLEAR}${text}`);
    this.#shown = true;
  }

  /** Takes the line of progress away. */
  clear(): void {
    if (!this.#shown) return;
    this.#shown = false;
    this.#stream.write(CLEAR);
  }

  /** Calls back when the window has changed. */
  onResize(listener: () => void): void {
    if (this.drawable) this.#stream.on('resize', listener);
  }

  /** Resolves when all of it is written. */
  async flush(): Promise<void> {
    this.clear();
    await new Promise<void>((resolve) => {
      this.#stream.write('', () => resolve());
    });
  }
}
