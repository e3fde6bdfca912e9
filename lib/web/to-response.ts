/**
 * `toResponse`: a response as the platform's own `Response`, for whatever is written against `fetch`.
 *
 * The body is passed on as it is asked for, and giving up either is giving up the other. Nothing is gathered, nothing decoded. The
 * platform's classes are reached when a call is made: to load them takes longer than all of this library.
 */
import type { HTTPResponse } from '../response/response.js';

/** Statuses whose `Response` may have no body (the Fetch standard's null body statuses). */
const NULL_BODY = new Set([101, 103, 204, 205, 304]);

/** What a 205 sends against the rules is dropped, within these bounds, so that its connection can be used again. */
const STRAY = { maxBytes: 65_536, timeout: 1000 };

/**
 * A web `Response` with the head, and what is left of the body, of a response. The body is a byte stream, which is read from the socket
 * only as it is asked for; `cancel` destroys the response, and what fails or destroys the response fails the stream with that error.
 * Trailers have no place in it.
 *
 * @param response - belongs to what is returned from here on; it is untouched when this throws
 * @throws RangeError for a status that a `Response` cannot have: below 200 or above 599
 */
export function toResponse(response: HTTPResponse): Response {
  const { status, reason: statusText, method, url } = response;
  const headers = new Headers(response.getHeaders());
  const empty = method === 'HEAD' || NULL_BODY.has(status);
  const made = new Response(empty ? null : bodyOf(response), { status, statusText, headers });
  if (empty && response.length !== 0) response.drain(STRAY).catch(ignore);
  // The constructor has no place for it. A connection on its own does not know its URL, only the target.
  if (URL.canParse(url)) {
    const redirected = response.redirectedFrom.length > 0;
    Object.defineProperties(made, { url: { value: url }, redirected: { value: redirected } });
  }
  return made;
}

function bodyOf(response: HTTPResponse): ReadableStream<Uint8Array> {
  const pieces = response[Symbol.asyncIterator]();
  return new ReadableStream({
    type: 'bytes',
    start(controller) {
      // An abort is seen by a reader that holds nothing as well: by its `closed`, and by whoever the stream is piped to.
      response.once('close', () => {
        if (!response.readableEnded) pieces.next().catch((error: unknown) => controller.error(error));
      });
    },
    async pull(controller) {
      const request = controller.byobRequest;
      const view = request?.view as Uint8Array | null | undefined;
      const piece = view ? await response.read1(view.byteLength) : (await pieces.next()).value;
      const length = piece?.length ?? 0;
      if (length === 0) controller.close();
      // Copied, because a byte stream takes the memory away from whoever gives it, and others hold parts of it.
      else if (!view) controller.enqueue(new Uint8Array(piece));
      else view.set(piece);
      request?.respond(length);
    },
    cancel(reason: unknown) {
      response.destroy(reason instanceof Error ? reason : undefined);
    },
  });
}

function ignore(): void {}
