/**
 * Takes out of a Readable what Node's machinery has buffered in it, without anybody noticing.
 *
 * Node's read() also shows what it gives to 'data' listeners, and asks for more before it gives. Here it runs on a stand-in for the
 * stream that does neither; only public methods are used.
 */
import { Readable } from 'node:stream';

/**
 * @param highWaterBytes - the stream's high-water mark
 * @param asked - called when Node asks for more
 */
export function takeBuffered(stream: Readable, highWaterBytes: number, asked: () => void): Buffer {
  const quiet = Object.create(stream, {
    emit: { value: () => false },
    _read: { value: asked },
  }) as Readable;
  const encoding = stream.readableEncoding;
  const taken: Buffer[] = [];
  while (stream.readableLength > 0) {
    // By exact amounts: without one, and with one above its high-water mark, Node takes the last byte for the end or raises the mark.
    const amount = Math.min(stream.readableLength, highWaterBytes);
    const bytes = Readable.prototype.read.call(quiet, amount) as Buffer | string;
    taken.push(typeof bytes === 'string' ? Buffer.from(bytes, encoding ?? 'utf8') : bytes);
  }
  return taken.length === 1 ? (taken[0] as Buffer) : Buffer.concat(taken);
}
