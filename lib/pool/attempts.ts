/**
 * The attempts of one call: what they came to, whether there may be another, and after how long. It makes none itself.
 */
import { CHANNELS } from '../channels.js';
import { attachTo, HTTPException } from '../errors.js';
import type { HTTPResponse } from '../response/response.js';
import type { BodyKind } from './resend.js';
import { backoffMs, retryAfterMs } from './retry.js';
import type { Attempt, Retries } from './retry.js';

/** What the caller said to another attempt; `over` when that has ended the call. */
export type Answer = 'go on' | 'enough' | 'over';

export class Attempts {
  readonly #retries: Retries;
  readonly #mayMethod: boolean;
  #list: Attempt[] | null = null;

  constructor(retries: Retries, method: string) {
    this.#retries = retries;
    this.#mayMethod = retries.limit > 0 && retries.methods.has(method);
  }

  /** Every one so far. */
  get list(): Attempt[] {
    return (this.#list ??= []);
  }

  /** Whether there may be another one, as far as their number, the method and the body go. */
  mayGoOn(body: BodyKind): boolean {
    return this.#mayMethod && this.#made < this.#retries.limit && body !== 'spent';
  }

  /** How long to wait for another one behind this response; null for a response that is the caller's. */
  delayBehind(response: HTTPResponse, body: BodyKind): number | null {
    if (!this.#mayMethod || !this.#retries.statuses.has(response.status) || !this.mayGoOn(body)) return null;
    const value = response.headers.get('retry-after');
    const asked = value === null ? null : retryAfterMs(value, Date.now());
    if (asked === null) return this.backoffMs();
    return asked > this.#retries.maxRetryAfter ? null : asked;
  }

  /** How long to wait for another one behind a failure. */
  backoffMs(): number {
    return backoffMs(this.#retries, this.#made + 1, Math.random());
  }

  note(attempt: Omit<Attempt, 'number'>): Attempt {
    const noted = { number: this.#made + 1, ...attempt };
    this.list.push(noted);
    return noted;
  }

  /** The last attempt has failed: the error has all of them, and says so. Not for an error of the caller's. */
  describe(error: Error): void {
    const { list } = this;
    attachTo(error, 'attempts', list);
    if (list.length > 1) addToMessage(error, `attempt ${String(list.length)}`);
  }

  /**
   * Tells the caller of an attempt that another one is to follow.
   *
   * @param id - what the channels call the attempt
   * @param fail - ends the call with what the caller's function threw, or rejects with
   */
  report(attempt: Omit<Attempt, 'number'>, id: number, fail: (error: unknown) => void): Answer {
    const noted = this.note(attempt);
    const { onRetry } = this.#retries;
    let answer: unknown;
    try {
      answer = onRetry?.(noted);
    } catch (error) {
      fail(error);
      return 'over';
    }
    // An async function is taken as well.
    if (answer instanceof Promise) answer.catch(fail);
    if (answer === false) return 'enough';
    if (CHANNELS.requestRetry.hasSubscribers) CHANNELS.requestRetry.publish({ id, attempt: noted });
    return 'go on';
  }

  get #made(): number {
    return this.#list?.length ?? 0;
  }
}

/** Says more in an exception of ours, behind what it says. */
export function addToMessage(error: unknown, text: string): void {
  if (!(error instanceof HTTPException)) return;
  try {
    error.message += ` (${text})`;
  } catch {
    // A subclass may have made it read-only. It says what it wants to say.
  }
}
