/**
 * A response whose body is free of its content codings: the same head, and another source of bytes over the body of the first.
 *
 * It pulls from the first response only as fast as it is read, so that backpressure reaches the connection. Whatever ends one of the two
 * ends the other: destroying, a cut body, content that does not decode.
 */
import { contentCodings, decodeContent } from '../coding/content-decoder.js';
import { describeFailure, LimitExceeded } from '../errors.js';
import { kindOf, namesOf, readOptions } from '../options.js';
import { checkBound } from './body-readers.js';
import type { BodySource } from './body-sink.js';
import { HTTPResponse } from './response.js';

/** Bounds on {@link decoded}. */
export interface DecodedOptions {
  /** Decoded bytes at the most. Default: no bound; what is decoded and unread is bounded always. */
  maxBytes?: number | undefined;
  /** Codings at the most. Default: 5. */
  codings?: number | undefined;
}

const DECODED_OPTIONS = namesOf<DecodedOptions>({ maxBytes: true, codings: true });

/**
 * The response with its body decoded, in every way of reading: `gzip`, `x-gzip`, `deflate`, `br`, `zstd` where Node has it, and several in
 * their order. `headers` stay as received, `length` is null. Read only what is returned from then on.
 *
 * Reading fails with `BadEncoding` for bytes that do not decode or follow the end of the coding, with `IncompleteRead` for a coding that
 * ends early, with `LimitExceeded` (limit `'maxBytes'`) for more decoded bytes; the connection is closed then, unless the body had been
 * received whole.
 *
 * @returns the response itself when there is nothing to decode
 * @throws BadEncoding for a coding that is not known, and for more than `codings`
 * @throws TypeError for anything but a response, and for options that cannot be
 */
export function decoded(response: HTTPResponse, options?: DecodedOptions): HTTPResponse {
  if (!(response instanceof HTTPResponse))
    throw new TypeError(`decoded() takes an HTTPResponse, got ${kindOf(response)}`);
  const bounds = readOptions(options, DECODED_OPTIONS);
  const maxBytes = checkBound('maxBytes', bounds.maxBytes);
  const most = bounds.codings === undefined ? 5 : checkBound('codings', bounds.codings);
  const { head, framing, context } = response.origin;
  if (framing.length === 0) return response;
  let codings: string[];
  try {
    codings = contentCodings(response.getHeader('content-encoding'), most);
  } catch (error) {
    throw describe(error, response);
  }
  if (codings.length === 0 && maxBytes === Infinity) return response;
  const source = new DecodedBody(response, codings, maxBytes);
  const shown = codings.length === 0 ? framing : { ...framing, length: null };
  return source.feed(new HTTPResponse(head, shown, context, source));
}

class DecodedBody implements BodySource {
  readonly #original: HTTPResponse;
  readonly #pieces: AsyncIterator<Buffer>;
  readonly #maxBytes: number;
  #target: HTTPResponse | null = null;
  #pulling = false;
  #decodedBytes = 0;

  constructor(original: HTTPResponse, codings: readonly string[], maxBytes: number) {
    this.#original = original;
    this.#pieces = decodeContent(piecesOf(original), codings);
    this.#maxBytes = maxBytes;
  }

  feed(target: HTTPResponse): HTTPResponse {
    this.#target = target;
    const { destroyed, errored } = this.#original;
    const giveUp = (error: Error): void => {
      if (this.#target === null) return;
      this.#target = null;
      target.destroy(error);
    };
    if (destroyed && errored !== null) giveUp(errored);
    else this.#original.whenGivenUp(giveUp);
    return target;
  }

  resume(): void {
    if (!this.#pulling) void this.#pull();
  }

  abort(error: Error | null): void {
    this.#target = null;
    this.#original.destroy(error ?? undefined);
    this.#stop();
  }

  consumed(): void {
    this.#target = null;
  }

  /** Decodes until the reader has enough. Never rejects. */
  async #pull(): Promise<void> {
    this.#pulling = true;
    try {
      for (let more = true; more;) {
        const { done, value } = await this.#pieces.next();
        const target = this.#target;
        if (target === null) break;
        if (done === true) {
          this.#original.passTrailersTo(target);
          target.finish();
          break;
        }
        this.#decodedBytes += value.length;
        if (this.#decodedBytes > this.#maxBytes) throw new LimitExceeded('maxBytes', this.#maxBytes);
        more = target.deliver(value);
      }
    } catch (error) {
      this.#fail(error as Error);
    } finally {
      this.#pulling = false;
    }
  }

  /** Shown behind what was decoded before. */
  #fail(error: Error): void {
    const target = this.#target;
    if (target === null) return;
    this.#target = null;
    describe(error, target);
    this.#original.dismiss(error);
    target.fail(error);
    this.#stop();
  }

  #stop(): void {
    this.#pieces.return?.().catch(ignore);
  }
}

/** The body as it comes. Unlike a loop over it, leaving it early destroys nothing: how it ends is decided above. */
async function* piecesOf(response: HTTPResponse): AsyncGenerator<Buffer, undefined> {
  for (;;) {
    let piece = response.takePiece();
    if (piece === undefined) piece = await response.nextPiece();
    if (piece === null) return undefined;
    yield piece;
  }
}

function describe(error: unknown, { method, url }: HTTPResponse): unknown {
  describeFailure(error, { method, url, phase: 'body' });
  return error;
}

function ignore(): void {}
