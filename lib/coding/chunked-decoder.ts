/**
 * The chunked transfer coding undone, as a Transform over the protocol's reader: chunks in, the bytes of the body out.
 */
import { Transform } from 'node:stream';
import type { TransformCallback } from 'node:stream';
import { BadChunk } from '../errors.js';
import { resolveLimits } from '../limits.js';
import type { LimitOverrides } from '../limits.js';
import { namesOf, readOptions } from '../options.js';
import { HTTPMessage, messageOf } from '../fields/message.js';
import { ChunkedReader } from '../protocol/chunked.js';

/** Options of {@link ChunkedDecoder}. */
export interface ChunkedDecoderOptions {
  /** Overrides of the bounds on size lines, extensions and trailers. */
  limits?: LimitOverrides | undefined;
}

const NAMES = namesOf<ChunkedDecoderOptions>({ limits: true });

/**
 * Decodes a chunked body (RFC 9112 §7.1) as strictly as responses are read.
 *
 * Fails with `IncompleteRead` when its input ends before the last chunk, `BadChunk` for malformed framing or bytes behind the body,
 * `BadHeader` for a malformed trailer, `LineTooLong` and `LimitExceeded` at the limits.
 */
export class ChunkedDecoder extends Transform {
  readonly #reader: ChunkedReader;
  #trailers = new HTTPMessage();

  /** @throws TypeError for an unknown option, and an unknown or unusable limit */
  constructor(options?: ChunkedDecoderOptions) {
    super();
    this.#reader = new ChunkedReader(resolveLimits(readOptions(options, NAMES).limits));
  }

  /** The trailer fields; empty until the last of them was read. */
  get trailers(): HTTPMessage {
    return this.#trailers;
  }

  /** @internal */
  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    // The reader moves bytes about in what it is given, and these are the caller's.
    const bytes = Buffer.from(chunk);
    let failure: Error | null = null;
    try {
      const used = this.#reader.write(bytes, 0, (data) => {
        this.push(data);
      });
      if (this.#reader.done) this.#trailers = messageOf(this.#reader.trailers());
      if (used < bytes.length) failure = new BadChunk('bytes behind the end of the chunked body');
    } catch (error) {
      failure = error as Error;
    }
    done(failure);
  }

  /** @internal */
  override _flush(done: TransformCallback): void {
    try {
      this.#reader.end();
    } catch (error) {
      done(error as Error);
      return;
    }
    done();
  }
}
