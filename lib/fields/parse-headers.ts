/**
 * `parseHeaders`: the fields of a message from a reader, which is left at the first byte behind the blank line.
 */
import { Readable } from 'node:stream';
import { BadHeader } from '../errors.js';
import { resolveLimits } from '../limits.js';
import type { LimitOverrides } from '../limits.js';
import { messageOf } from './message.js';
import type { HTTPMessage } from './message.js';
import { HeadReader } from '../protocol/head-reader.js';

/**
 * Reads field lines through the blank line (http.client.parse_headers). The start line has been read before.
 *
 * @param source - bytes; an async iterable of bytes, which is read no further than the piece that holds the blank line; or a
 *   Readable, which is left at the first byte behind it
 * @param limits - overrides of the bounds on lines, fields and the whole section
 * @throws BadHeader for a malformed field, and when the source ends before the blank line
 * @throws LineTooLong, LimitExceeded at the limits
 * @throws TypeError for a source of another kind
 */
export async function parseHeaders(
  source: Readable | AsyncIterable<Uint8Array> | Uint8Array,
  limits?: LimitOverrides,
): Promise<HTTPMessage> {
  const reader = new HeadReader('fields', resolveLimits(limits));
  if (source instanceof Uint8Array) {
    reader.write(asBuffer(source), 0);
  } else if (source instanceof Readable) {
    await readFrom(source, reader);
  } else if (isAsyncIterable(source)) {
    await readPieces(source[Symbol.asyncIterator](), reader);
  } else {
    throw new TypeError('parseHeaders reads a Readable, an async iterable of bytes, or a Uint8Array');
  }
  if (!reader.done) throw new BadHeader('', 'the source ended within the fields');
  return messageOf(reader.fields());
}

/** Reads an iterator to the blank line and leaves it there; after a malformed field it is told that nothing more is wanted. */
async function readPieces(pieces: AsyncIterator<Uint8Array>, reader: HeadReader): Promise<void> {
  while (!reader.done) {
    const piece = await pieces.next();
    if (piece.done === true) return;
    try {
      reader.write(asBuffer(piece.value), 0);
    } catch (error) {
      await pieces.return?.();
      throw error;
    }
  }
}

/** Reads a Readable to the blank line, and gives back what came with it. */
function readFrom(source: Readable, reader: HeadReader): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (finish: () => void): void => {
      source.off('readable', onReadable).off('end', onEnd).off('error', onError).off('close', onEnd);
      finish();
    };
    const onReadable = (): void => {
      for (;;) {
        const piece = source.read() as Uint8Array | string | null;
        if (piece === null) return;
        try {
          const bytes =
            typeof piece === 'string'
              ? Buffer.from(piece, source.readableEncoding ?? 'utf8')
              : asBuffer(piece);
          const used = reader.write(bytes, 0);
          if (!reader.done) continue;
          // In the same tick as read(): a source that has ended meanwhile takes nothing back.
          if (used < bytes.length) source.unshift(bytes.subarray(used));
          settle(resolve);
        } catch (error) {
          settle(() => {
            reject(error);
          });
        }
        return;
      }
    };
    const onEnd = (): void => {
      settle(resolve);
    };
    const onError = (error: Error): void => {
      settle(() => {
        reject(error);
      });
    };
    source.on('readable', onReadable).on('end', onEnd).on('error', onError).on('close', onEnd);
    // Of a stream that is over already, nothing will be heard.
    if (source.errored !== null) onError(source.errored);
    else if (source.readableEnded || source.destroyed) onEnd();
    else onReadable();
  });
}

function isAsyncIterable(source: unknown): source is AsyncIterable<Uint8Array> {
  return typeof source === 'object' && source !== null && Symbol.asyncIterator in source;
}

function asBuffer(bytes: Uint8Array): Buffer {
  if (!(bytes instanceof Uint8Array))
    throw new TypeError(`fields are read from bytes, the source yielded ${typeof bytes}`);
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
