/**
 * `for await` over a body: a piece is asked for only when the loop wants one, so the time spent in the loop body counts for no clock,
 * and a piece that lies ready is handed over without a wait.
 */
import { StringDecoder } from 'node:string_decoder';

/** What is iterated: a stream that hands out its pieces. */
export interface PieceSource {
  /** A piece that lies ready, null at the end, undefined when there is neither. */
  takePiece(): Buffer | null | undefined;
  /** The next piece, or null at the end. */
  nextPiece(): Promise<Buffer | null>;
  destroy(): unknown;
}

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };

export class BodyIterator implements NodeJS.AsyncIterator<Buffer, undefined> {
  readonly #source: PieceSource;
  #left = false;

  constructor(source: PieceSource) {
    this.#source = source;
  }

  next(): Promise<IteratorResult<Buffer, undefined>> {
    if (this.#left) return Promise.resolve(DONE);
    const piece = this.#source.takePiece();
    if (piece === undefined) return this.#source.nextPiece().then(asResult);
    return Promise.resolve(asResult(piece));
  }

  /** The loop was left: what is unread is given up, as with Node's own iterator. */
  return(): Promise<IteratorResult<Buffer, undefined>> {
    this.#left = true;
    this.#source.destroy();
    return Promise.resolve(DONE);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.return().then(ignore);
  }
}

/** The pieces as the strings that `setEncoding` asks for; a character that is cut in two waits for its rest. */
export async function* decodedPieces(
  pieces: AsyncIterable<Buffer>,
  encoding: BufferEncoding,
): AsyncGenerator<string, undefined> {
  const decoder = new StringDecoder(encoding);
  for await (const piece of pieces) {
    const text = decoder.write(piece);
    if (text !== '') yield text;
  }
  const rest = decoder.end();
  if (rest !== '') yield rest;
}

function asResult(piece: Buffer | null): IteratorResult<Buffer, undefined> {
  return piece === null ? DONE : { done: false, value: piece };
}

function ignore(): void {}
