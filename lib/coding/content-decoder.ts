/**
 * Content codings undone (RFC 9110 §8.4.1), piece by piece and only as fast as the pieces are asked for: what is decoded and not taken is
 * bounded, whatever the ratio.
 *
 * Node's zlib does the arithmetic, loaded when the first coding is met. It is stricter here than its own streams are: gzip is taken apart
 * member by member, because Node swallows NULs behind the last one; a coding that ends early, and bytes behind its end, are errors.
 */
import type { Transform } from 'node:stream';
import type * as zlib from 'node:zlib';
import { BadEncoding, IncompleteRead } from '../errors.js';
import { listMembers } from '../protocol/grammar.js';

/** Zstandard came with Node 22.15. */
type Zlib = typeof zlib & {
  createZstdDecompress?: (options: zlib.ZlibOptions) => Engine;
  zstdDecompressSync?: (bytes: Buffer) => Buffer;
};

/** A decompressing stream of Node's. */
type Engine = Transform & { readonly bytesWritten: number };

type Pieces = AsyncGenerator<Buffer, undefined>;

type Decode = (input: Input, library: Zlib) => Pieces;

/** What is decoded at a time, and so what lies decoded in an engine at the most. */
const PIECE_BYTES = 65_536;

const OPTIONS: zlib.ZlibOptions = { chunkSize: PIECE_BYTES };

const EMPTY = Buffer.alloc(0);

const DECODERS: ReadonlyMap<string, Decode> = new Map<string, Decode>([
  ['gzip', decodeGzip],
  ['x-gzip', decodeGzip],
  ['deflate', decodeDeflate],
  ['br', (input, library) => run(input, library.createBrotliDecompress(OPTIONS), 'br')],
  ['zstd', decodeZstd],
]);

/**
 * The codings of a Content-Encoding in the order in which they were applied, `identity` left out.
 *
 * @param value - null without the field
 * @param most - how many there may be
 * @throws BadEncoding for one that this Node cannot decode, and for more than `most`
 */
export function contentCodings(value: string | null, most: number): string[] {
  const codings = value === null ? [] : listMembers(value).filter((coding) => coding !== 'identity');
  if (codings.length > most)
    throw new BadEncoding(`${String(codings.length)} content codings, of which ${String(most)} are allowed`);
  const unknown = codings.find((coding) => !isKnown(coding));
  if (unknown === undefined) return codings;
  throw new BadEncoding(`the content coding ${JSON.stringify(unknown.slice(0, 80))} cannot be decoded`);
}

/** What an Accept-Encoding may ask for: the codings that this Node decodes. */
export function acceptedCodings(): string {
  return isKnown('zstd') ? 'gzip, deflate, br, zstd' : 'gzip, deflate, br';
}

/**
 * Decodes a body. Nothing is read before the first piece is asked for.
 *
 * @param codings - as `contentCodings` gives them; the last was applied last, and is undone first
 * @returns the pieces; they fail with BadEncoding for what does not decode or follows the end, IncompleteRead for a coding that ends early
 */
export async function* decodeContent(body: AsyncIterator<Buffer>, codings: readonly string[]): Pieces {
  const input = new Input(body);
  try {
    // An empty body is one, although no coding of nothing is empty.
    if (await input.atEnd()) return undefined;
    yield* codings.reduceRight(decodeOne, input.rest());
    return undefined;
  } finally {
    await body.return?.();
  }
}

async function* decodeOne(pieces: Pieces, coding: string): Pieces {
  const input = new Input(pieces);
  try {
    yield* (DECODERS.get(coding) as Decode)(input, loadZlib());
    if (!(await input.atEnd())) throw new BadEncoding(`bytes follow the end of the content coding ${coding}`);
    return undefined;
  } finally {
    await pieces.return(undefined);
  }
}

/** The bytes of a body, of which a decoder may use as many as it likes. */
class Input {
  readonly #pieces: AsyncIterator<Buffer>;
  #back: Buffer = EMPTY;

  constructor(pieces: AsyncIterator<Buffer>) {
    this.#pieces = pieces;
  }

  /** The next bytes, empty at the end. */
  async next(): Promise<Buffer> {
    for (let piece = this.#takeBack(); ;) {
      if (piece.length > 0) return piece;
      const result = await this.#pieces.next();
      if (result.done === true) return EMPTY;
      piece = result.value;
    }
  }

  /** Puts back what was not used. */
  putBack(bytes: Buffer): void {
    this.#back = bytes;
  }

  async *rest(): Pieces {
    for (let bytes = await this.next(); bytes.length > 0; bytes = await this.next()) yield bytes;
    return undefined;
  }

  async atEnd(): Promise<boolean> {
    this.putBack(await this.next());
    return this.#back.length === 0;
  }

  /** @throws IncompleteRead when there are fewer */
  async take(count: number, coding: string): Promise<Buffer> {
    const parts: Buffer[] = [];
    for (let missing = count; missing > 0;) {
      const bytes = await this.next();
      if (bytes.length === 0) throw endedEarly(coding);
      this.putBack(bytes.subarray(missing));
      parts.push(bytes.subarray(0, missing));
      missing -= Math.min(missing, bytes.length);
    }
    return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
  }

  #takeBack(): Buffer {
    const bytes = this.#back;
    this.#back = EMPTY;
    return bytes;
  }
}

interface EngineState {
  /** Pieces that it has not used yet, as far as it will. */
  pending: number;
  ended: boolean;
  failure: NodeJS.ErrnoException | null;
  wake: () => void;
}

/** Feeds an engine until it has seen its end. What it did not use is put back. */
async function* run(input: Input, engine: Engine, coding: string): Pieces {
  const state: EngineState = { pending: 0, ended: false, failure: null, wake() {} };
  engine.on('readable', () => {
    state.wake();
  });
  engine.on('end', () => {
    state.ended = true;
    state.wake();
  });
  engine.on('error', (error: NodeJS.ErrnoException) => {
    state.failure = error;
    state.wake();
  });
  try {
    for (;;) {
      const piece = await input.next();
      const before = engine.bytesWritten;
      state.pending = 1;
      if (piece.length === 0) {
        engine.end();
      } else {
        engine.write(piece, (error) => {
          // A failure is what 'error' says.
          if ((error ?? null) === null) state.pending = 0;
          state.wake();
        });
      }
      while (state.pending > 0 || engine.readableLength > 0) {
        const bytes = engine.read() as Buffer | null;
        if (bytes !== null) yield bytes;
        else if (state.failure !== null) throw decodeFailure(state.failure, coding);
        else if (state.ended) return undefined;
        else if (state.pending > 0) await new Promise<void>((resolve) => (state.wake = resolve));
      }
      // An engine that leaves bytes has met the end of its coding. One that used all may have, too: it then leaves the next.
      const used = engine.bytesWritten - before;
      if (used === piece.length) continue;
      input.putBack(piece.subarray(used));
      return undefined;
    }
  } finally {
    engine.destroy();
  }
}

/** One or more members (RFC 1952): a head, a raw deflate stream, its checksum and length. */
async function* decodeGzip(input: Input, { createInflateRaw, crc32 }: Zlib): Pieces {
  do {
    await readGzipHead(input, crc32);
    let sum = 0;
    let length = 0;
    for await (const bytes of run(input, createInflateRaw(OPTIONS), 'gzip')) {
      sum = crc32(bytes, sum);
      length = (length + bytes.length) % 2 ** 32;
      yield bytes;
    }
    const tail = await input.take(8, 'gzip');
    if (tail.readUInt32LE(0) !== sum) throw new BadEncoding('the checksum of the gzip coding does not match');
    if (tail.readUInt32LE(4) !== length)
      throw new BadEncoding('the length in the gzip coding does not match');
  } while (!(await input.atEnd()));
}

const GZIP_MAGIC = [0x1f, 0x8b, 0x08];

async function readGzipHead(input: Input, crc32: Zlib['crc32']): Promise<void> {
  let sum = 0;
  const take = async (count: number): Promise<Buffer> => {
    const bytes = await input.take(count, 'gzip');
    sum = crc32(bytes, sum);
    return bytes;
  };
  // One by one: two bytes that are no gzip are not the beginning of a longer head.
  for (const byte of GZIP_MAGIC) {
    if ((await take(1))[0] !== byte) throw new BadEncoding('no gzip member where one is due');
  }
  const flags = (await take(7))[0] as number;
  if ((flags & 0xe0) !== 0) throw new BadEncoding('reserved flags in a gzip member');
  if ((flags & 0x04) !== 0) await take((await take(2)).readUInt16LE(0));
  // A name and a comment, each through its NUL.
  for (const flag of [0x08, 0x10]) {
    while ((flags & flag) !== 0 && (await take(1))[0] !== 0);
  }
  if ((flags & 0x02) === 0) return;
  const expected = sum & 0xffff;
  if ((await take(2)).readUInt16LE(0) !== expected)
    throw new BadEncoding('the checksum of a gzip head does not match');
}

/** With zlib's header (RFC 1950), as it should be, or without, as some send it. No raw stream begins with the header's method. */
async function* decodeDeflate(input: Input, library: Zlib): Pieces {
  const first = await input.next();
  input.putBack(first);
  const wrapped = ((first[0] ?? 0) & 0x0f) === 8;
  yield* run(input, wrapped ? library.createInflate(OPTIONS) : library.createInflateRaw(OPTIONS), 'deflate');
}

/** One or more frames (RFC 8878 §3.1). Node's engine goes on by itself only where a piece ends with a frame. */
async function* decodeZstd(input: Input, { createZstdDecompress }: Zlib): Pieces {
  if (createZstdDecompress === undefined) return undefined;
  do yield* run(input, createZstdDecompress(OPTIONS), 'zstd');
  while (!(await input.atEnd()));
  return undefined;
}

function isKnown(coding: string): boolean {
  return DECODERS.has(coding) && (coding !== 'zstd' || (zstdIsSafe ??= findZstd()));
}

let zstdIsSafe: boolean | null = null;

/** Node 22 has Zstandard, but takes a body that was cut for a whole one: there it counts as a coding that is not known. */
function findZstd(): boolean {
  const { zstdDecompressSync } = loadZlib();
  if (zstdDecompressSync === undefined) return false;
  try {
    // The first byte of a frame.
    zstdDecompressSync(Buffer.from([0x28]));
    return false;
  } catch {
    return true;
  }
}

function loadZlib(): Zlib {
  return process.getBuiltinModule('node:zlib');
}

/** Z_BUF_ERROR is how Node says that the input ended within the coding. */
function decodeFailure(cause: NodeJS.ErrnoException, coding: string): Error {
  if (cause.code === 'Z_BUF_ERROR') return endedEarly(coding);
  const error = new BadEncoding(`the content coding ${coding} cannot be decoded: ${cause.message}`);
  error.cause = cause;
  return error;
}

function endedEarly(coding: string): IncompleteRead {
  return new IncompleteRead(EMPTY, null, `the content coding ${coding} ended early`);
}
