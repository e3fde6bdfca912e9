/**
 * The body of a pool's request, planned anew for each attempt that needs it: from the body itself, its source, or the caller's factory.
 *
 * It knows whether there can be another attempt as far as the body goes. A factory's answer is looked at as a caller's argument is.
 */
import type { RequestBody } from '../request/body.js';
import type { RequestPlan } from '../request/plan.js';
import { cancelSource } from '../request/source.js';
import { kindOf } from '../options.js';
import { HeldSource } from './held-source.js';
import type { BodyKind } from './resend.js';

/** A body, or a function that makes one for each attempt. */
export type PoolBody = RequestBody | (() => RequestBody | Promise<RequestBody>);

/** The call that a body is for. */
export interface BodyOwner {
  /** @throws what a request with such a body is refused with */
  planWith(body: RequestBody | null | undefined): RequestPlan;
  /** The source has failed, read or not. */
  onSourceFailed(error: unknown): void;
}

export class BodyMaker {
  readonly #body: PoolBody | null | undefined;
  readonly #owner: BodyOwner;
  /** Made when the call was, so that bad input is refused at once; null for a factory. */
  #first: RequestPlan | null = null;
  #held: HeldSource | null = null;
  #used = false;
  /** What the factory made last. */
  #made: unknown = null;

  /** @throws what `planWith` throws for a body that is no factory */
  constructor(body: PoolBody | null | undefined, owner: BodyOwner) {
    this.#body = body;
    this.#owner = owner;
    if (typeof body === 'function') return;
    const plan = owner.planWith(body);
    this.#first = plan;
    const source = plan.body?.source ?? null;
    if (plan.body === null || source === null || plan.body.replayable) return;
    if (source.stream !== null && typeof source.stream.read !== 'function') return;
    this.#held = new HeldSource(source, (error) => {
      owner.onSourceFailed(error);
    });
  }

  /** Whether there can be another attempt. */
  get kind(): BodyKind {
    const body = this.#first?.body ?? null;
    if (body === null || body.replayable) return 'repeatable';
    return this.#held !== null && !this.#held.taken ? 'untouched' : 'spent';
  }

  /**
   * The request of the next attempt.
   *
   * @throws TypeError for what a factory must not return, and what the factory throws
   */
  plan(): RequestPlan | Promise<RequestPlan> {
    if (typeof this.#body !== 'function') {
      const first = (this.#first ??= this.#owner.planWith(this.#body));
      this.#used = true;
      return this.#held === null ? first : heldPlan(first, this.#held);
    }
    const made: unknown = this.#body();
    if (typeof (made as { then?: unknown } | null | undefined)?.then !== 'function')
      return this.#planMade(made);
    return Promise.resolve(made as PromiseLike<unknown>).then((body) => this.#planMade(body));
  }

  /** The call waits: a plan that can be made again is not kept, since ten thousand may wait. */
  rest(): void {
    if (this.#body === null || this.#body === undefined) this.#first = null;
  }

  /** The call is over without a response. */
  cancel(): void {
    if (this.#held !== null) {
      this.#held.cancel();
      return;
    }
    const source = this.#first?.body?.source ?? null;
    if (source !== null && !this.#used) cancelSource(source);
  }

  /** There will be no other attempt. */
  settle(): void {
    this.#held?.settle();
  }

  #planMade(made: unknown): RequestPlan {
    if (made === undefined || made === null)
      throw new TypeError(`the function given as body returned ${kindOf(made)}; it has to make a body`);
    const plan = this.#owner.planWith(made as RequestBody);
    const { body } = plan;
    const last = this.#made;
    this.#made = made;
    // What an attempt before has read would be sent without its beginning.
    if (made === last && body !== null && !body.replayable && !startsAnew(made, body.source?.pieces)) {
      throw new TypeError(
        'the function given as body returned the same object again, which has been read; it has to make a new one each time',
      );
    }
    return plan;
  }
}

/** The plan of one attempt over a source that outlives it. */
function heldPlan(plan: RequestPlan, { pieces }: HeldSource): RequestPlan {
  const { body } = plan;
  if (body === null || body.source === null) return plan;
  const source = { stream: null, pieces, giveBack: body.source.giveBack, cancelled: false };
  return { ...plan, body: { ...body, source, touched: false } };
}

/** Whether each iteration of it is one of its own, as that of an array is. */
function startsAnew(made: unknown, pieces: unknown): boolean {
  const iterable = made as { [Symbol.iterator]?: unknown; [Symbol.asyncIterator]?: unknown; pipe?: unknown };
  const iterates =
    typeof iterable[Symbol.iterator] === 'function' || typeof iterable[Symbol.asyncIterator] === 'function';
  const isRead = typeof iterable.pipe === 'function' || 'fd' in iterable || 'getReader' in iterable;
  return iterates && pieces !== null && pieces !== made && !isRead;
}
