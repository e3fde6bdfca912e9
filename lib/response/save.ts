/**
 * A body into a file: received into a few buffers of its own and written from them, side by side, without a copy.
 *
 * The ring of buffers is the backpressure: while all of them wait to be written, nothing is received. Writes go one behind the other to
 * where the file stands, so that files, FIFOs and devices, opened here or by the caller, are one case. Whichever side fails ends the
 * other, and its error is given; what a body that was cut short had brought is written before that.
 */
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { kindOf, namesOf, readOptions } from '../options.js';
import type { BodyBuffer } from './body-buffer.js';
import { ViewFill } from './view-fill.js';

/** How {@link HTTPResponse.save} opens a file. */
export interface SaveOptions {
  /** As for `fs.open`. Default: `'w'`, which creates the file or empties it. */
  flags?: string | undefined;
  /** The permissions of a file that is created. Default: 0o666 without the bits of the umask. */
  mode?: number | undefined;
}

const SAVE_OPTIONS = namesOf<SaveOptions>({ flags: true, mode: true });

/* A write is a round through the thread pool, and the first read into each buffer is copied: 1,150 ms of CPU a GiB with three of 256 KiB,
 * 850 with two of this size, where curl takes 920. */
const BLOCK_BYTES = 1_048_576;

/** One is received into while the other is written. */
const BLOCKS = 2;

/** Where a body goes: a file to be opened, or the caller's. */
export interface SaveTarget {
  readonly path: string | URL | null;
  readonly handle: FileHandle | null;
  readonly flags: string;
  readonly mode: number | undefined;
}

/** @throws TypeError for anything but a path or a FileHandle, and for options that are unknown */
export function planSave(file: unknown, options: SaveOptions | undefined): SaveTarget {
  const { flags = 'w', mode } = readOptions(options, SAVE_OPTIONS);
  const handle = isFileHandle(file) ? file : null;
  if (handle !== null || typeof file === 'string' || file instanceof URL) {
    return { path: handle === null ? (file as string | URL) : null, handle, flags, mode };
  }
  throw new TypeError(`save() takes a path, a file: URL or a FileHandle, got ${kindOf(file)}`);
}

/**
 * Writes what is left of a body.
 *
 * @param due - how much that is, where it is known
 * @returns the number of bytes written
 */
export async function saveBody(body: BodyBuffer, target: SaveTarget, due: number | null): Promise<number> {
  // A response that was given up leaves the file alone.
  if (body.givenUp) throw body.failure as Error;
  const handle = target.handle ?? (await openFor(body, target));
  const saving = new Saving(body, handle, Math.min(BLOCK_BYTES, due ?? BLOCK_BYTES));
  try {
    return await saving.run();
  } finally {
    body.onGivenUp = null;
    if (target.handle === null) {
      const closed = handle.close();
      // A write that hangs in a FIFO is waited for by nobody; Node closes the file behind it.
      if (saving.writing) closed.catch(ignore);
      else await closed;
    }
  }
}

/** Opening a FIFO waits for its reader: the body may be given up meanwhile. */
function openFor(body: BodyBuffer, { path, flags, mode }: SaveTarget): Promise<FileHandle> {
  return new Promise((resolve, reject) => {
    let gone = false;
    body.onGivenUp = (error) => {
      gone = true;
      reject(error);
    };
    open(path as string | URL, flags, mode).then(
      (handle) => {
        if (gone) handle.close().catch(ignore);
        else resolve(handle);
      },
      (error: unknown) => {
        body.onGivenUp = null;
        reject(error);
        // Flags or a path that cannot be: nothing has happened, and the body can still be read.
        if (!(error instanceof TypeError)) body.giveUp(error as Error);
      },
    );
  });
}

class Saving {
  /** Whether a write is under way. */
  writing = false;

  readonly #body: BodyBuffer;
  readonly #handle: FileHandle;
  readonly #blockBytes: number;
  readonly #free: Buffer[] = [];
  /** Received and not yet written, in order: a buffer of the ring and what is left of its bytes. */
  readonly #full: { block: Buffer; bytes: Buffer }[] = [];
  #blocks = 0;
  #receiving = false;
  /** Nothing more comes. */
  #ended = false;
  /** Whether writes come to an end by themselves: in a FIFO they may not. */
  #regular = false;
  #written = 0;
  #failure: { error: unknown } | null = null;
  #resolve: (written: number) => void = ignore;
  #reject: (error: unknown) => void = ignore;

  constructor(body: BodyBuffer, handle: FileHandle, blockBytes: number) {
    this.#body = body;
    this.#handle = handle;
    this.#blockBytes = blockBytes;
  }

  async run(): Promise<number> {
    const done = new Promise<number>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#body.onGivenUp = (error) => {
      this.#onGivenUp(error);
    };
    this.#handle.stat().then(
      (stats) => {
        this.#regular = stats.isFile();
        this.#receive();
      },
      (error: unknown) => {
        this.#onFileFailed(error);
      },
    );
    return done;
  }

  #receive(): void {
    if (this.#receiving || this.#ended) return;
    const block = this.#free.pop() ?? this.#newBlock();
    if (block === null) return;
    this.#receiving = true;
    const fill = new ViewFill(block);
    this.#body.fillView(fill).then(
      (count) => {
        this.#receiving = false;
        if (count < block.length || count === 0) this.#ended = true;
        this.#queue(block, count);
        this.#receive();
      },
      (error: unknown) => {
        this.#receiving = false;
        this.#ended = true;
        this.#failure ??= { error };
        // What had come belongs to the file; into a FIFO that nobody may read, nothing is written behind an abort.
        this.#queue(block, this.#regular || !this.#body.givenUp ? fill.filled : 0);
      },
    );
  }

  #newBlock(): Buffer | null {
    if (this.#blocks === BLOCKS) return null;
    this.#blocks++;
    return Buffer.allocUnsafeSlow(this.#blockBytes);
  }

  #queue(block: Buffer, count: number): void {
    if (count > 0) this.#full.push({ block, bytes: block.subarray(0, count) });
    this.#write();
  }

  #write(): void {
    if (this.writing) return;
    const next = this.#full[0];
    if (next === undefined) {
      this.#settle();
      return;
    }
    this.writing = true;
    this.#handle.write(next.bytes).then(
      ({ bytesWritten }) => {
        this.writing = false;
        this.#written += bytesWritten;
        if (bytesWritten < next.bytes.length) {
          next.bytes = next.bytes.subarray(bytesWritten);
        } else {
          this.#full.shift();
          this.#free.push(next.block);
          this.#receive();
        }
        this.#write();
      },
      (error: unknown) => {
        this.writing = false;
        this.#onFileFailed(error);
      },
    );
  }

  #settle(): void {
    if (!this.#ended || this.#receiving || this.writing || this.#full.length > 0) return;
    if (this.#failure === null) this.#resolve(this.#written);
    else this.#reject(this.#failure.error);
  }

  #onFileFailed(error: unknown): void {
    this.#failure ??= { error };
    this.#ended = true;
    this.#full.length = 0;
    this.#reject(this.#failure.error);
    this.#body.giveUp(error as Error);
  }

  /** At once, unless the writes that are under way end by themselves. */
  #onGivenUp(error: Error): void {
    this.#failure ??= { error };
    this.#ended = true;
    if (this.#regular) {
      this.#settle();
    } else {
      this.#full.length = 0;
      this.#reject(this.#failure.error);
    }
  }
}

/** By its class: anything may have an `fd`. */
function isFileHandle(file: unknown): file is FileHandle {
  if (typeof file !== 'object' || file === null) return false;
  const { fd, write, stat } = file as Partial<FileHandle>;
  return typeof fd === 'number' && typeof write === 'function' && typeof stat === 'function';
}

function ignore(): void {}
