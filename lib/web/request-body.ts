/**
 * The body of a web `Request`, which shows every body as a stream: what was text or bytes is found again, so that it is sent with its
 * length, and once more where that is allowed. A real stream stays one, of which no more than two pieces are asked ahead.
 */
import type { RequestBody } from '../request/body.js';

/** The bytes, if the stream ends within this turn of the event loop; otherwise its pieces. */
export async function bodyAtHand(stream: ReadableStream): Promise<RequestBody> {
  const reader = stream.getReader() as ReadableStreamDefaultReader<Uint8Array>;
  const turn = new Promise<null>((resolve) => setImmediate(resolve, null));
  const asked = [reader.read()];
  const first = await Promise.race([...asked, turn]);
  if (first?.done === true) return Buffer.alloc(0);
  if (first !== null) {
    const second = reader.read();
    asked.push(second);
    if ((await Promise.race([second, turn]))?.done === true) return first.value;
  }
  const pieces = {
    next: () => asked.shift() ?? reader.read(),
    // Not a generator's: that would not be told before its read is answered, which may never be.
    async return() {
      await reader.cancel();
      return { done: true as const, value: undefined };
    },
  };
  return { [Symbol.asyncIterator]: () => pieces };
}
