/**
 * Standard output, with backpressure and with its failures told apart: a reader that went away is nobody's failure, a full disk is one of
 * this side. Only the body and the heads that were asked for are written here.
 */
import { fstatSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { LocalFileError, ReaderGone } from './failure.js';

/** How long to wait for a descriptor that takes nothing now. */
const RETRY_MS = 10;

/** Standard output as the command writes it. */
export class StandardOutput {
  /** Whether a person looks at it. */
  readonly isTerminal: boolean;
  /** Files and devices are written by their descriptor: Node's stream for them takes a short write for a whole one. */
  readonly #descriptor: number | null;
  #failure: Error | null = null;
  #wake: (() => void) | null = null;

  /** @param onFailure - told when it fails while nothing is being written, say when the reader goes away */
  constructor(onFailure: (error: Error) => void) {
    const stats = fstatSync(1);
    this.isTerminal = process.stdout.isTTY;
    this.#descriptor = this.isTerminal || stats.isFIFO() || stats.isSocket() ? null : 1;
    if (this.#descriptor !== null) return;
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      this.#failure = failureOf(error);
      this.#wake?.();
      onFailure(this.#failure);
    });
    process.stdout.on('drain', () => this.#wake?.());
  }

  /** Writes; resolves when more may be written. */
  async write(bytes: Uint8Array): Promise<void> {
    if (this.#failure !== null) throw this.#failure;
    if (this.#descriptor !== null) {
      await this.#writeTo(this.#descriptor, bytes);
      return;
    }
    if (!process.stdout.write(bytes)) await this.#drained();
  }

  /** Resolves when all of it has been handed over. */
  async flush(): Promise<void> {
    if (this.#descriptor === null && this.#failure === null && process.stdout.writableLength > 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        process.stdout.write('', () => resolve());
      });
    }
    if (this.#failure !== null) throw this.#failure;
  }

  async #drained(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#wake = null;
    if (this.#failure !== null) throw this.#failure;
  }

  async #writeTo(descriptor: number, bytes: Uint8Array): Promise<void> {
    let written = 0;
    while (written < bytes.length) {
      try {
        written += writeSync(descriptor, bytes, written);
      } catch (error) {
        // Somebody who shares the descriptor has made it non-blocking.
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw failureOf(error);
        await sleep(RETRY_MS);
      }
    }
  }
}

function failureOf(error: unknown): Error {
  const { code } = error as NodeJS.ErrnoException;
  // On Windows a pipe whose reader is gone says EOF.
  if (code === 'EPIPE' || code === 'EOF' || code === 'ECONNRESET') return new ReaderGone();
  return new LocalFileError('cannot write to standard output', error);
}
