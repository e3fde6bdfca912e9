/**
 * A file that the body goes to: written as FILE.part, with the validator of its bytes beside it in FILE.part.json, and renamed to FILE
 * when it is complete. So FILE is always whole, and a part can be gone on with. What is no regular file (a device, a FIFO, a link, which
 * stays one) is written directly.
 */
import {
  access,
  constants,
  lstat,
  open,
  readFile,
  rename,
  rm,
  writeFile,
  type FileHandle,
} from 'node:fs/promises';
import { dirname } from 'node:path';
import type { HTTPResponse } from '../index.js';
import { mayBlock } from './blocking.js';
import { LocalFileError } from './failure.js';
import type { Meter } from './meter.js';

/** Where to go on: so many bytes are there, of the thing that had this validator. */
export interface Part {
  readonly position: number;
  readonly validator: string;
}

/** A part that stays when the rest of it does not come. */
export interface KeptPart {
  /** Whether it can be found out that the rest belongs to it. */
  readonly verifiable: boolean;
}

/** FILE, before, while and after it is written. */
export class FileOutput {
  /** What is there to go on with; null to begin anew. */
  readonly from: Part | null;
  readonly #path: string;
  /** The file that is written: FILE.part, or FILE itself. */
  readonly #target: string;
  readonly #mode: number | null;
  #handle: FileHandle | null = null;
  #verifiable = false;

  private constructor(path: string, target: string, mode: number | null, from: Part | null) {
    this.#path = path;
    this.#target = target;
    this.#mode = mode;
    this.from = from;
  }

  /** Looks at what is there, and whether it may be written; throws a {@link LocalFileError} if not. Changes nothing. */
  static async prepare(path: string, goOn: boolean): Promise<FileOutput> {
    try {
      const stats = await lstat(path).catch(absent);
      if (stats?.isDirectory() === true) throw new Error('it is a directory');
      if (stats !== null && !stats.isFile()) {
        if (goOn) throw new Error('it is no regular file, which cannot be gone on with');
        return new FileOutput(path, path, null, null);
      }
      await access(dirname(path), constants.W_OK);
      const target = `${path}.part`;
      const part = await lstat(target).catch(absent);
      if (part !== null && !part.isFile()) throw new Error(`${target} is no regular file`);
      const from = goOn && part !== null && part.size > 0 ? await readPart(target, part.size) : null;
      return new FileOutput(path, target, stats === null ? null : stats.mode & 0o7777, from);
    } catch (error) {
      throw cannotWrite(path, error);
    }
  }

  /** The name under which it is written. */
  get target(): string {
    return this.#target;
  }

  /** Whether it is written under another name first. */
  get partial(): boolean {
    return this.#target !== this.#path;
  }

  /** Opens the file for what is going to come. Nothing was touched before. */
  async begin(validator: string | null, total: number | null): Promise<void> {
    try {
      if (this.from === null && this.partial) {
        // First of all, so that never a validator stands beside bytes of another thing.
        await rm(`${this.#target}.json`, { force: true });
      }
      const opened = open(this.#target, this.from === null ? 'w' : 'a');
      this.#handle = await (this.partial ? opened : mayBlock(opened));
      if (this.#mode !== null) await this.#handle.chmod(this.#mode);
      this.#verifiable = this.from !== null || validator !== null;
      if (this.from === null && this.partial && validator !== null) {
        await writeFile(`${this.#target}.json`, `${JSON.stringify({ validator, total })}\n`);
      }
    } catch (error) {
      throw cannotWrite(this.#target, error);
    }
  }

  /** Writes what is left of a body. */
  async receive(response: HTTPResponse, meter: Meter): Promise<void> {
    const handle = this.#handle;
    if (handle === null) return;
    // A body with a length is a file, and saved in large blocks; one without may be a feed that somebody follows, and is written as it comes.
    if (this.partial && response.length !== null) {
      await response.save(handle);
      return;
    }
    for await (const bytes of response) {
      for (let written = 0; written < bytes.length;) {
        const { bytesWritten } = await mayBlock(handle.write(bytes, written)).catch((error: unknown) => {
          throw cannotWrite(this.#target, error);
        });
        written += bytesWritten;
      }
      meter.add(bytes.length);
    }
  }

  /** Brings a meter up to date with what is in the file. */
  async measure(meter: Meter): Promise<void> {
    if (this.#handle === null || !this.partial) return;
    const stats = await this.#handle.stat().catch(() => null);
    if (stats !== null) meter.set(stats.size);
  }

  /** It is all there: FILE is what was received. */
  async complete(): Promise<void> {
    try {
      await this.#close();
      if (!this.partial) return;
      await rename(this.#target, this.#path);
      await rm(`${this.#target}.json`, { force: true });
    } catch (error) {
      throw cannotWrite(this.#path, error);
    }
  }

  /** It is not all there: the part stays, unless there is nothing in it. Null where nothing was written, or directly. */
  async abandon(): Promise<KeptPart | null> {
    const handle = this.#handle;
    if (handle === null) return null;
    const size = await handle.stat().then(
      (stats) => stats.size,
      () => null,
    );
    await this.#close().catch(() => undefined);
    if (!this.partial) return null;
    if (size !== 0) return { verifiable: this.#verifiable };
    for (const name of [this.#target, `${this.#target}.json`]) {
      await rm(name, { force: true }).catch(() => undefined);
    }
    return null;
  }

  async #close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = null;
    await handle?.close();
  }
}

/** What stands beside a part; null when it does not say of what it is a part, which may be of anything then. */
async function readPart(target: string, position: number): Promise<Part | null> {
  const text = await readFile(`${target}.json`, 'utf8').catch(absent);
  if (text === null) return null;
  try {
    const found: unknown = JSON.parse(text);
    if (typeof found !== 'object' || found === null || !('validator' in found)) return null;
    return typeof found.validator === 'string' ? { position, validator: found.validator } : null;
  } catch {
    return null;
  }
}

function absent(error: unknown): null {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
  throw error;
}

function cannotWrite(path: string, error: unknown): LocalFileError {
  return error instanceof LocalFileError ? error : new LocalFileError(`cannot write ${path}`, error);
}
