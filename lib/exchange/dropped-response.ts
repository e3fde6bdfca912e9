/**
 * Responses that can be dropped: the exchange holds its response only while a reader waits for bytes, and hears of it when the garbage
 * collector has found a response that was not read to its end.
 *
 * Whoever waits is held by what it waits for: the promise of a read lives in the response, so that must not go while one is pending.
 */
import type { BodySink } from '../response/body-sink.js';
import type { HTTPResponse } from '../response/response.js';

/** An exchange whose response may be dropped. */
export interface Droppable {
  /** Whether the response was read to its end, or given up. */
  readonly isConsumed: boolean;
  /** The response is gone, unread. */
  onDropped(): void;
}

let registry: FinalizationRegistry<Droppable> | null = null;

/** Responses made in this turn of the loop: most small ones have been read when it ends, and need no watching. */
let fresh: DroppableBody[] = [];

function look(): void {
  const bodies = fresh;
  fresh = [];
  for (const body of bodies) body.watch();
}

/** A response that is held weakly, as the place where its body goes. */
export class DroppableBody implements BodySink {
  readonly #weak: WeakRef<HTTPResponse>;
  readonly #exchange: Droppable;
  #held: HTTPResponse | null;

  constructor(response: HTTPResponse, exchange: Droppable) {
    this.#held = response;
    this.#weak = new WeakRef(response);
    this.#exchange = exchange;
    fresh.push(this);
    if (fresh.length === 1) setImmediate(look);
  }

  /** The response; null once it was dropped. */
  get response(): HTTPResponse | null {
    return this.#held ?? this.#weak.deref() ?? null;
  }

  /** A reader waits: the response stays until it is served. */
  hold(): void {
    this.#held ??= this.#weak.deref() ?? null;
  }

  /** Lets the response go unless a reader waits. */
  letGo(): void {
    if (this.#held?.waiting !== true) this.#held = null;
  }

  /** From now on its exchange hears when it is gone. */
  watch(): void {
    const { response } = this;
    if (response === null || this.#exchange.isConsumed) return;
    registry ??= new FinalizationRegistry((exchange) => {
      if (!exchange.isConsumed) exchange.onDropped();
    });
    registry.register(response, this.#exchange);
    this.letGo();
  }

  deliver(bytes: Buffer): boolean {
    const more = this.response?.deliver(bytes) ?? false;
    this.letGo();
    return more;
  }

  deliverLent(bytes: Buffer): boolean {
    const more = this.response?.deliverLent(bytes) ?? false;
    this.letGo();
    return more;
  }

  directTarget(): Buffer | null {
    return this.#held?.directTarget() ?? null;
  }

  received(count: number): void {
    this.response?.received(count);
    this.letGo();
  }

  get fillsViews(): boolean {
    return this.response?.fillsViews === true;
  }
}
