/**
 * `fromResponse`: the platform's `Response` as one of this library's, with all its ways of reading.
 *
 * It is a source of bytes like any other: it asks the web stream while the reader wants more, and tells it when nobody does.
 */
import { kindOf } from '../options.js';
import type { BodySink, BodySource } from '../response/body-sink.js';
import { HTTPResponse } from '../response/response.js';
import type { ResponseContext } from '../response/response.js';
import { Timing } from '../timing.js';

/** What a fetched response says of the bytes on the wire, which are not those of its body: that has been decoded. */
const OF_THE_WIRE = new Set(['content-encoding', 'content-length', 'transfer-encoding']);

/**
 * A response with the head and the body of a web `Response`, of `fetch` or made by hand. `destroy` cancels the web stream; its failure is
 * the reader's error, behind what came before. What is not known there is empty here: `remoteAddress` is null, the `method` GET.
 *
 * `fetch` undoes content codings and leaves the fields that speak of them; here they are left out, so that what is forwarded is true.
 *
 * @param response - its body is locked from here on
 * @throws TypeError for anything else, an error response, and one whose body was read or is locked
 */
export function fromResponse(response: Response): HTTPResponse {
  if (Object.prototype.toString.call(response) !== '[object Response]')
    throw new TypeError(`fromResponse() takes a Response, got ${kindOf(response)}`);
  const { status, statusText: reason, url, body, type, headers } = response;
  if (type === 'error') throw new TypeError('an error response has no head');
  if (response.bodyUsed || body?.locked === true)
    throw new TypeError("the Response's body has been read or is locked to a reader");
  const fetched = type !== 'default';
  const fields: string[] = [];
  for (const [name, value] of headers) if (!fetched || !OF_THE_WIRE.has(name)) fields.push(name, value);
  const head = { version: 11 as const, status, reason, fields };
  const kind = body === null ? 'none' : 'until close';
  const framing = { kind, length: body === null ? 0 : null, keepAlive: true, closes: false } as const;
  const source = new WebBody(body);
  const made = new HTTPResponse(head, framing, contextOf(url), source);
  source.feed(made);
  return made;
}

function contextOf(url: string): ResponseContext {
  return {
    method: 'GET',
    url,
    debugLevel: 0,
    reused: false,
    remoteAddress: null,
    timing: new Timing(undefined),
    fileno: () => -1,
    reusable: () => true,
  };
}

/** The stream is another's: it may fail, bring what are no bytes, or never answer. Each is the reader's to see. */
class WebBody implements BodySource {
  readonly #reader: ReadableStreamDefaultReader<unknown> | null;
  #sink: BodySink & { finish(): void; fail(error: Error): void } = NOWHERE;
  #reading = false;

  constructor(body: ReadableStream | null) {
    this.#reader = body?.getReader() ?? null;
  }

  feed(response: HTTPResponse): void {
    if (this.#reader === null) response.finish();
    else this.#sink = response;
  }

  resume(): void {
    if (this.#reading || this.#reader === null) return;
    this.#reading = true;
    void this.#read(this.#reader);
  }

  abort(error: Error | null): void {
    this.#sink = NOWHERE;
    this.#reader?.cancel(error ?? undefined).catch(ignore);
  }

  consumed(): void {
    this.#sink = NOWHERE;
  }

  async #read(reader: ReadableStreamDefaultReader<unknown>): Promise<void> {
    try {
      for (let more = true; more;) {
        const { done, value } = await reader.read();
        if (done) {
          this.#sink.finish();
          return;
        }
        if (!(value instanceof Uint8Array))
          throw new TypeError(`a Response's body must bring Uint8Arrays, it brought ${kindOf(value)}`);
        const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
        more = bytes.length === 0 || this.#sink.deliver(bytes);
      }
      this.#reading = false;
    } catch (error) {
      reader.cancel(error).catch(ignore);
      this.#sink.fail(error as Error);
    }
  }
}

/** Where the bytes of a response go that was given up. */
const NOWHERE = {
  deliver: () => false,
  deliverLent: () => false,
  directTarget: () => null,
  received() {},
  fillsViews: false,
  finish() {},
  fail() {},
};

function ignore(): void {}
