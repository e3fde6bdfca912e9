/**
 * The body of the request: bytes and files in a row, opened before anything is dialled, so that a file that is not there is noticed
 * first. Holds no more of a file than the piece that is being sent, counts what was taken, and closes what it opened.
 *
 * A body of regular files can be sent again (a redirect, a retry): each time it is opened anew. Standard input and what is like it can not.
 */
import { fstatSync } from 'node:fs';
import { constants, open, type FileHandle } from 'node:fs/promises';
import type { RequestBody } from '../index.js';
import type { BodyWish, DataPiece } from './arguments.js';
import { mayBlock } from './blocking.js';
import { LocalFileError } from './failure.js';
import { formOf } from './form.js';
import type { Meter } from './meter.js';

/** Larger pieces save calls; larger than this and the kernel's copies leave the cache. */
const PIECE_BYTES = 131_072;

type Part = Uint8Array | { readonly path: string };

interface OpenFile {
  readonly path: string;
  readonly handle: FileHandle;
  /** Null for what has no length: a FIFO, a device. */
  readonly size: number | null;
}

type OpenPart = Uint8Array | OpenFile | 'standard input';

/** The body of a request, ready to be sent. */
export class RequestSource {
  /** The type of the content, where the way it was given says one. */
  readonly contentType: string | null;
  /** Bytes in all; null where only the end will tell. */
  readonly length: number | null;
  /** Whether there are files in it, or nothing but what stood on the command line. */
  readonly hasFiles: boolean;
  readonly #parts: readonly OpenPart[];
  /** What was opened and is not closed. */
  readonly #handles: Set<FileHandle>;
  /** The files that were handed out once: their position is no longer at the beginning. */
  readonly #taken = new Set<OpenFile>();

  private constructor(parts: readonly OpenPart[], contentType: string | null) {
    this.#parts = parts;
    this.contentType = contentType;
    this.#handles = new Set(parts.flatMap((part) => (isFile(part) ? [part.handle] : [])));
    this.hasFiles = parts.some((part) => !(part instanceof Uint8Array));
    this.length = parts.reduce<number | null>((sum, part) => {
      const size = sizeOf(part);
      return sum === null || size === null ? null : sum + size;
    }, 0);
  }

  /** Opens the files of a body; throws a {@link LocalFileError} when one cannot be read. */
  static async open(wish: BodyWish): Promise<RequestSource> {
    const { parts, contentType } = planOf(wish);
    const opened: OpenPart[] = [];
    try {
      for (const part of parts) {
        if (part instanceof Uint8Array) opened.push(part);
        else opened.push(part.path === '-' ? standardInput() : await openFile(part.path));
      }
    } catch (error) {
      for (const part of opened) if (isFile(part)) await part.handle.close();
      throw error;
    }
    return new RequestSource(opened, contentType);
  }

  /**
   * What to send. A function where it can be sent again, called for each attempt.
   *
   * @param meter - told what is taken; without one, a file goes to the library as it is, which costs less
   */
  body(meter: Meter | null): RequestBody | (() => RequestBody | Promise<RequestBody>) {
    const [only, ...others] = this.#parts;
    if (!this.hasFiles) return Buffer.concat(this.#parts.filter((part) => part instanceof Uint8Array));
    if (others.length === 0 && meter === null) {
      if (only === 'standard input') return process.stdin;
      if (only !== undefined && isFile(only) && only.size !== null)
        return async () => (await this.#fresh(only)).handle;
    }
    if (this.#parts.some((part) => sizeOf(part) === null)) return this.#pieces(meter);
    return () => this.#pieces(meter);
  }

  /** Closes every file. What is being sent fails. */
  async close(): Promise<void> {
    const handles = [...this.#handles];
    this.#handles.clear();
    await Promise.allSettled(handles.map((handle) => handle.close()));
  }

  async *#pieces(meter: Meter | null): AsyncGenerator<Uint8Array, void, undefined> {
    meter?.restart();
    for (const part of this.#parts) {
      const pieces = part instanceof Uint8Array ? [part] : this.#piecesOf(part);
      for await (const piece of pieces) {
        // Before it is sent: whoever has all that was declared may not ask for more.
        meter?.add(piece.length);
        yield piece;
      }
    }
    meter?.finish();
  }

  async *#piecesOf(part: OpenFile | 'standard input'): AsyncGenerator<Uint8Array, void, undefined> {
    if (part === 'standard input') {
      try {
        for await (const piece of process.stdin) yield piece as Buffer;
      } catch (error) {
        throw new LocalFileError('cannot read standard input', error);
      }
      return;
    }
    const { path, handle } = await this.#fresh(part);
    for (;;) {
      const reading = handle.read(Buffer.allocUnsafe(PIECE_BYTES), 0, PIECE_BYTES, null);
      const { bytesRead, buffer } = await (part.size === null ? mayBlock(reading) : reading).catch(
        (error: unknown) => {
          throw new LocalFileError(`cannot read ${path}`, error);
        },
      );
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  }

  /** The file at its beginning: as it was opened for the first time, opened again afterwards. */
  async #fresh(file: OpenFile): Promise<OpenFile> {
    if (file.size === null || !this.#taken.has(file)) {
      this.#taken.add(file);
      return file;
    }
    const again = await openFile(file.path);
    this.#handles.add(again.handle);
    return again;
  }
}

function planOf(wish: BodyWish): { parts: readonly Part[]; contentType: string | null } {
  switch (wish.kind) {
    case 'file':
      return { parts: [{ path: wish.path }], contentType: null };
    case 'form':
      return formOf(wish.fields);
    case 'data':
      return wish.json
        ? { parts: wish.pieces.map(partOf), contentType: 'application/json' }
        : { parts: joined(wish.pieces), contentType: 'application/x-www-form-urlencoded' };
  }
}

function joined(pieces: readonly DataPiece[]): Part[] {
  return pieces.flatMap((piece, index) =>
    index === 0 ? [partOf(piece)] : [Buffer.from('&'), partOf(piece)],
  );
}

function partOf(piece: DataPiece): Part {
  return 'text' in piece ? Buffer.from(piece.text) : piece;
}

function isFile(part: OpenPart): part is OpenFile {
  return part !== 'standard input' && !(part instanceof Uint8Array);
}

function sizeOf(part: OpenPart): number | null {
  if (part instanceof Uint8Array) return part.length;
  return part === 'standard input' ? null : part.size;
}

function standardInput(): 'standard input' {
  // Node takes a directory for an empty stream.
  if (fstatSync(0).isDirectory()) throw new LocalFileError('cannot read standard input: it is a directory');
  return 'standard input';
}

async function openFile(path: string): Promise<OpenFile> {
  let handle: FileHandle | null = null;
  try {
    handle = await mayBlock(open(path, constants.O_RDONLY));
    const stats = await handle.stat();
    if (stats.isDirectory()) throw new Error('it is a directory');
    return { path, handle, size: stats.isFile() ? stats.size : null };
  } catch (error) {
    await handle?.close();
    throw new LocalFileError(`cannot read ${path}`, error);
  }
}
