/**
 * Where the bytes of a download come from: one response after the other, each going on where the one before was lost.
 *
 * A connection that is lost or stands still is a pause: as soon as the reader wants more, the rest is asked for, and an answer is used once
 * it was verified (`continuation.ts`). It opens nothing: who asks is a function. What there is to be read is in the one response that it
 * feeds, and nothing is asked for while nobody reads there.
 */
import { describeFailure, IncompleteRead, BadHeader, shownByStreams, TimeoutError } from '../errors.js';
import { DRAIN } from '../pool/call.js';
import { backoffMs, resolveRetries, retryAfterMs } from '../pool/retry.js';
import type { Retries } from '../pool/retry.js';
import type { BodySource } from '../response/body-sink.js';
import { HTTPResponse } from '../response/response.js';
import type { ResponseOrigin } from '../response/response.js';
import type { ClientRequestOptions } from './client-options.js';
import { codingOf, isInterruption, isTag, judge, refusesRanges, validatorOf } from './continuation.js';
import type { ContentRange, Known } from './continuation.js';
import { requestFields } from './download-options.js';
import type { DownloadPlan } from './download-options.js';
import { DownloadWatch } from './download-watch.js';

/** Asks for the download, or for the rest of it. */
export type Ask = (fields: [string, string][], options: ClientRequestOptions) => Promise<HTTPResponse>;

const EMPTY = Buffer.alloc(0);

/** One body out of as many responses as it takes. */
export class DownloadSource implements BodySource {
  /** The offset of the first byte. */
  first = 0;
  total: number | null;
  validator: string | null = null;
  resumes = 0;

  readonly #ask: Ask;
  readonly #plan: DownloadPlan;
  readonly #backoff: Retries;
  readonly #watch: DownloadWatch;
  /** Null once it is over. */
  #target: HTTPResponse | null = null;
  /** Nothing is left to come. */
  #whole = false;
  #current: HTTPResponse;
  #resumable = false;
  #etag: string | null = null;
  #coding = '';
  /** The offset of the next byte that is received. */
  #received = 0;
  /** Behind the last byte of the range that is being read; null where all of a body is. */
  #rangeEnd: number | null = null;
  /** Requests since the last byte. */
  #fruitless = 0;
  /** What keeps it from going on; null while a response is read. */
  #lost: Error | null = null;
  /** When the next request may be made. */
  #dueAt = 0;
  #running = false;
  #asking: AbortController | null = null;

  /** @param begunAt - when the call was made, by `performance.now()`: `total` runs from then on */
  constructor(ask: Ask, plan: DownloadPlan, begunAt: number, first: HTTPResponse) {
    this.#ask = ask;
    this.#plan = plan;
    const { minDelay, maxDelay, total } = plan;
    this.#backoff = { ...resolveRetries(null), minDelay, maxDelay };
    this.#watch = new DownloadWatch(
      plan.first.signal,
      begunAt + total,
      () => {
        this.#giveUp(describe(new TimeoutError('total', 'body', total), this.#current));
      },
      (reason) => {
        this.#giveUp(reason);
      },
    );
    this.#current = first;
    this.total = first.length;
  }

  /**
   * Looks at the first answer.
   *
   * @throws BadHeader, BadEncoding, ResourceChanged when it is not what `from` wants
   */
  async begin(): Promise<void> {
    const { from } = this.#plan;
    const first = this.#current;
    const { status, headers } = first;
    const success = status >= 200 && status < 300;
    if (from !== null && (success || (status === 416 && headers.has('content-range')))) {
      this.first = this.#received = from.position;
      this.total = null;
      this.validator = from.validator;
      this.#etag = isTag(from.validator) ? from.validator : null;
      this.#whole = await this.#accept(first, from.validator);
    } else if (success) {
      this.validator = validatorOf(headers);
      this.#etag = headers.get('etag');
      this.#coding = codingOf(headers);
      // A 206 that nobody has asked for is some part of some file.
      this.#resumable = this.validator !== null && status !== 206 && !refusesRanges(headers);
    }
  }

  /** What a response is made of that shows the head of the first answer. */
  get origin(): ResponseOrigin {
    const { head, framing, context } = this.#current.origin;
    const fileno = (): number => this.#current.fileno();
    const reusable = (): boolean => this.#current.origin.context.reusable();
    return { head, framing, context: { ...context, fileno, reusable } };
  }

  /** Where the bytes go from now on. */
  feed(target: HTTPResponse): void {
    this.#target = target;
    if (this.#whole) this.#finish();
    else this.#use(this.#current);
  }

  // Of the reader.

  resume(): void {
    if (this.#running) this.#current.onAsk();
    else if (this.#target !== null) void this.#run();
  }

  abort(error: Error | null): void {
    this.#release();
    this.#asking?.abort(error ?? undefined);
    this.#current.destroy(error ?? undefined);
  }

  consumed(): void {
    this.#release();
  }

  /** Reads for as long as the reader wants more, and goes on as often as it takes. Never rejects. */
  async #run(): Promise<void> {
    this.#running = true;
    try {
      // What is asked for is brought, whether its reader still waits or not; more than that, and a continuation, only while it does.
      let asked = true;
      for (let target = this.#target; target !== null; target = this.#target) {
        if (this.#lost !== null) {
          if (!target.waiting) break;
          await this.#goOn(this.#lost);
          continue;
        }
        if (!asked && !target.waiting && this.#current.pendingBytes !== 0) break;
        asked = false;
        let piece: Buffer | null | undefined;
        try {
          piece = this.#current.takePiece();
          if (piece === undefined) piece = await this.#current.nextPiece();
        } catch (error) {
          this.#onInterrupted(error as Error);
          continue;
        }
        if (piece === null) this.#onEnd();
        else this.#deliver(piece);
      }
    } catch (error) {
      this.#fail(error as Error);
    } finally {
      this.#running = false;
    }
  }

  #deliver(piece: Buffer): void {
    const next = this.#received + piece.length;
    if (this.#rangeEnd !== null) {
      if (next > this.#rangeEnd) {
        const range = this.#current.getHeader('content-range', '');
        throw describe(new BadHeader(range, 'a 206 with more bytes than its range'), this.#current);
      }
      if (this.#fruitless > 0) this.resumes++;
    }
    this.#fruitless = 0;
    this.#received = next;
    this.#target?.deliver(piece);
  }

  /** A response was read to its end. */
  #onEnd(): void {
    const end = this.#rangeEnd;
    const complete = end === null || (this.#received === end && (this.total ?? end) === end);
    if (complete) this.#finish();
    else this.#onInterrupted(this.#cutShort('a continuation brought less than what is left'));
  }

  // Going on.

  /** @throws the failure when nothing can come of it */
  #onInterrupted(error: Error): void {
    if (this.#target === null) return;
    // All is there, and only the end of its framing is missing.
    if (this.#resumable && this.#received === this.total) {
      this.#finish();
      return;
    }
    const { attempts } = this.#plan;
    if (!this.#resumable || !isInterruption(error) || this.#fruitless >= attempts) throw error;
    this.#lost = error;
    this.#dueAt = performance.now() + backoffMs(this.#backoff, this.#fruitless + 1, Math.random());
    this.#watch.start();
  }

  async #goOn(error: Error): Promise<void> {
    const wait = this.#dueAt - performance.now();
    if (wait > 0) {
      await this.#watch.sleep(wait);
      return;
    }
    this.#fruitless++;
    this.#report(error);
    const validator = this.validator as string;
    if (this.#target === null) return;
    const asking = new AbortController();
    this.#asking = asking;
    let answer: HTTPResponse;
    try {
      const fields = requestFields(this.#plan, this.#received, validator);
      answer = await this.#ask(fields, { ...this.#plan.again, signal: asking.signal });
    } catch (failure) {
      this.#onInterrupted(failure as Error);
      return;
    }
    if (asking.signal.aborted) {
      answer.destroy();
      return;
    }
    this.#current = answer;
    if (await this.#accept(answer, validator)) this.#finish();
    else if (this.#lost === null) this.#use(answer);
  }

  /**
   * Judges an answer.
   *
   * @returns whether nothing is left to come; `#lost` says whether to ask again
   * @throws BadHeader, BadEncoding, ResourceChanged, with the interruption as cause
   */
  async #accept(answer: HTTPResponse, validator: string): Promise<boolean> {
    const known: Known = {
      position: this.#received,
      total: this.total,
      validator,
      etag: this.#etag,
      coding: this.#coding,
    };
    let judgement: ReturnType<typeof judge>;
    try {
      judgement = judge(answer, known);
    } catch (error) {
      if (this.#lost !== null) (error as Error).cause = this.#lost;
      describe(error, answer);
      throw error;
    }
    if (judgement === 'end') {
      await answer.drain(DRAIN).catch(ignore);
      return true;
    }
    if (judgement === 'later') {
      await this.#putOff(answer);
      return false;
    }
    const range: ContentRange = judgement.use;
    this.total ??= range.total;
    this.#etag ??= answer.headers.get('etag');
    this.#rangeEnd = range.last + 1;
    this.#resumable = true;
    this.#lost = null;
    return false;
  }

  /** The server is busy: once more, when it says so. */
  async #putOff(answer: HTTPResponse): Promise<void> {
    const { status, reason, headers } = answer;
    const value = headers.get('retry-after');
    const asked = value === null ? null : retryAfterMs(value, Date.now());
    this.#onInterrupted(
      this.#cutShort(`a continuation was answered with ${String(status)} ${reason}`.trimEnd()),
    );
    if (asked !== null) this.#dueAt = performance.now() + asked;
    await answer.drain(DRAIN).catch(ignore);
  }

  #use(response: HTTPResponse): void {
    const target = this.#target as HTTPResponse;
    this.#current = response;
    response.readFor = target;
    const giveUp = (error: Error): void => {
      // A clock that ran out is met by reading on.
      if (this.#current === response && !(this.#resumable && isInterruption(error))) this.#giveUp(error);
    };
    if (response.destroyed && response.errored !== null) giveUp(response.errored);
    else response.whenGivenUp(giveUp);
    if (!this.#resumable) return;
    response.whenCutShort(() => {
      // Its exchange is over and watches no more, while this goes on as soon as somebody reads.
      if (this.#target !== null) this.#watch.start();
    });
  }

  #report(error: Error): void {
    const answered = this.#plan.onResume?.({ position: this.#received, error, number: this.#fruitless });
    // An async function is taken as well; what it rejects with ends the download as what it throws does.
    if (answered instanceof Promise)
      answered.catch((failure: unknown) => {
        this.#giveUp(failure);
      });
  }

  // The end.

  #finish(): void {
    const target = this.#target;
    this.#release();
    if (target === null) return;
    this.total ??= this.#received;
    this.#current.passTrailersTo(target);
    target.finish();
  }

  /** Met by the reader behind what came before. */
  #fail(error: Error): void {
    const target = this.#target;
    if (target === null) return;
    this.#release();
    this.#current.destroy();
    target.fail(error);
  }

  /** At once. */
  #giveUp(error: unknown): void {
    this.#target?.destroy(shownByStreams(error));
  }

  #release(): void {
    this.#target = null;
    this.#watch.stop();
  }

  #cutShort(reason: string): IncompleteRead {
    const due = this.total === null ? null : this.total - this.#received;
    return describe(new IncompleteRead(EMPTY, due, reason), this.#current);
  }
}

function describe<T>(error: T, { method, url }: HTTPResponse): T {
  describeFailure(error, { method, url, phase: 'body' });
  return error;
}

function ignore(): void {}
