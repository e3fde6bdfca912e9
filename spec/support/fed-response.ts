/**
 * A response without a connection: its body comes from a script that behaves as a link does (it delivers when it is resumed, and
 * waits when it is told to), in pieces that the spec has cut.
 */
import type { BodySource } from '../../lib/response/body-sink.js';
import { decideFraming } from '../../lib/protocol/framing.js';
import { HTTPResponse } from '../../lib/response/response.js';
import type { ResponseContext } from '../../lib/response/response.js';
import { Timing } from '../../lib/timing.js';

/** How a piece is handed over: as the stream's own, lent, or received straight into a waiting view where there is one. */
export type Handover = 'owned' | 'lent' | 'direct';

export interface BodyScript {
  pieces: readonly Buffer[];
  /** What comes behind the pieces: the end, a failure, or nothing. Default: the end. */
  end?: 'end' | 'nothing' | Error;
  /** Default: owned. */
  handover?: Handover;
  /** So many pieces (and the end, if that is all) are there before anything is read. Default: none. */
  ahead?: number;
  /** Fields of the head, `[name, value, …]`; `Content-Length` is not added. */
  fields?: readonly string[];
  /** Fields behind the body. */
  trailers?: string[];
  status?: number;
  method?: string;
  /** Whether the connection can be used again. Default: true. */
  reusable?: boolean;
}

export class FedResponse implements BodySource {
  readonly response: HTTPResponse;
  /** What `abort` was called with, each time. */
  readonly aborts: (Error | null)[] = [];
  /** How often the reader asked. */
  resumes = 0;
  /** How often it was said that the reader has reached the end. */
  dones = 0;
  /** Bytes handed over so far. */
  deliveredBytes = 0;

  readonly #script: BodyScript;
  #next = 0;
  #scheduled = false;
  #over = false;

  constructor(script: BodyScript) {
    this.#script = script;
    const { fields = [], status = 200, method = 'GET' } = script;
    const head = { version: 11 as const, status, reason: 'OK', fields: [...fields] };
    const context: ResponseContext = {
      method,
      url: '/fed',
      debugLevel: 0,
      reused: false,
      remoteAddress: null,
      timing: new Timing(undefined),
      fileno: () => -1,
      reusable: () => script.reusable ?? true,
    };
    this.response = new HTTPResponse(head, decideFraming(method, head, head.fields), context, this);
    for (let i = 0; i < (script.ahead ?? 0); i++) this.step();
  }

  /** Delivers the next piece, or what comes behind the last; returns false when the reader wants no more for now. */
  step(): boolean {
    if (this.#over) return false;
    const { pieces, end = 'end', handover = 'owned', trailers = [] } = this.#script;
    const piece = pieces[this.#next++];
    let more = true;
    if (piece !== undefined) {
      this.deliveredBytes += piece.length;
      more = this.#hand(Buffer.from(piece), handover);
    }
    if (this.#next >= pieces.length && end !== 'nothing') {
      this.#over = true;
      if (end === 'end') {
        this.response.setTrailers(trailers);
        this.response.finish();
      } else {
        this.response.fail(end);
      }
      return false;
    }
    return more && this.#next < pieces.length;
  }

  resume(): void {
    this.resumes++;
    this.#schedule();
  }

  consumed(): void {
    this.dones++;
  }

  abort(error: Error | null): void {
    this.aborts.push(error);
    this.#over = true;
  }

  /** As a socket does: never within the call that asks. */
  #schedule(): void {
    if (this.#scheduled || this.#over) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (this.step()) this.#schedule();
    });
  }

  #hand(piece: Buffer, handover: Handover): boolean {
    if (handover === 'owned') return this.response.deliver(piece);
    if (handover === 'lent') {
      const more = this.response.deliverLent(piece);
      // What was lent is used for something else at once.
      piece.fill(0x21);
      return more;
    }
    let rest = piece;
    for (let view = this.response.directTarget(); view !== null && rest.length > 0;) {
      const count = rest.copy(view);
      this.response.received(count);
      rest = rest.subarray(count);
      view = this.response.directTarget();
    }
    return rest.length === 0 || this.response.deliver(rest);
  }
}

/** The response of a script. */
export function responseOf(script: BodyScript): HTTPResponse {
  return new FedResponse(script).response;
}
