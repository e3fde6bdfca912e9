/**
 * `ResumableDownload`: one body that is brought by as many responses as it takes.
 *
 * Its source reads one response after the other. A connection that is lost or stands still is a pause: as soon as the reader wants more,
 * the rest is asked for, and an answer is used once it was verified (`continuation.ts`). It opens nothing: who asks is a function.
 */
import { describeFailure, IncompleteRead, BadHeader, shownByStreams, TimeoutError } from '../errors.js';
import { MAX_MS } from '../options.js';
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

/** Asks for the download, or for the rest of it. */
export type Ask = (fields: [string, string][], options: ClientRequestOptions) => Promise<HTTPResponse>;

const EMPTY = Buffer.alloc(0);

/** A response whose body goes on after its connection was lost. What its head shows is that of the first answer. */
export class ResumableDownload extends HTTPResponse {
  readonly #source: DownloadSource;

  /** @internal */
  constructor({ head, framing, context }: ResponseOrigin, source: DownloadSource) {
    super(head, framing, context, source);
    this.#source = source;
  }

  /** The size of the whole file; null while no answer has said it. */
  get total(): number | null {
    return this.#source.total;
  }

  /** The offset in the file of the next byte that the reader gets. */
  get position(): number {
    return this.#source.begin + this.readBytes;
  }

  /** A strong ETag, or the date of Last-Modified, by which the file is known again; null when nothing tells it for sure. */
  get validator(): string | null {
    return this.#source.validator;
  }

  /** How many continuations were used. */
  get resumes(): number {
    return this.#source.resumes;
  }

  /** Bytes still to be read; null while the total is not known. */
  override get length(): number | null {
    return this.total === null ? null : this.total - this.position;
  }
}

/** Begins a download. */
export async function beginDownload(ask: Ask, plan: DownloadPlan): Promise<ResumableDownload> {
  const { from } = plan;
  const begunAt = performance.now();
  const fields = requestFields(plan, from?.position ?? 0, from?.validator ?? null);
  const response = await ask(fields, plan.first);
  const source = new DownloadSource(ask, plan, begunAt, response);
  try {
    return await source.begun();
  } catch (error) {
    response.destroy();
    throw error;
  }
}

class DownloadSource implements BodySource {
  /** The offset of the first byte. */
  begin = 0;
  total: number | null;
  validator: string | null = null;
  resumes = 0;

  readonly #ask: Ask;
  readonly #plan: DownloadPlan;
  readonly #begunAt: number;
  readonly #backoff: Retries;
  /** Null once it is over. */
  #target: ResumableDownload | null = null;
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
  #wake: (() => void) | null = null;
  #delay: NodeJS.Timeout | undefined;
  #totalTimer: NodeJS.Timeout | undefined;
  #onAbort: (() => void) | null = null;

  constructor(ask: Ask, plan: DownloadPlan, begunAt: number, first: HTTPResponse) {
    this.#ask = ask;
    this.#plan = plan;
    this.#begunAt = begunAt;
    const { minDelay, maxDelay } = plan;
    this.#backoff = { ...resolveRetries(null), minDelay, maxDelay };
    this.#current = first;
    this.total = first.length;
  }

  /** The download, once the first answer was looked at. */
  async begun(): Promise<ResumableDownload> {
    const { from } = this.#plan;
    const first = this.#current;
    const { status, headers } = first;
    const ends = from !== null && status === 416 && headers.has('content-range');
    let whole = false;
    if (from !== null && (ends || (status >= 200 && status < 300))) {
      this.begin = this.#received = from.position;
      this.validator = from.validator;
      this.#etag = isTag(from.validator) ? from.validator : null;
      this.total = null;
      whole = await this.#accept(first, from.validator);
    } else if (status >= 200 && status < 300) {
      this.validator = validatorOf(headers);
      this.#etag = headers.get('etag');
      this.#coding = codingOf(headers);
      // A 206 that nobody has asked for is some part of some file.
      this.#resumable = this.validator !== null && status !== 206 && !refusesRanges(headers);
    }
    const { head, framing, context } = first.origin;
    const target = new ResumableDownload(
      {
        head,
        framing,
        context: {
          ...context,
          fileno: () => this.#current.fileno(),
          reusable: () => this.#current.origin.context.reusable(),
        },
      },
      this,
    );
    this.#target = target;
    if (whole) this.#finish();
    else this.#use(first);
    return target;
  }

  get #over(): boolean {
    return this.#target === null;
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
    this.#watch();
  }

  async #goOn(error: Error): Promise<void> {
    const wait = this.#dueAt - performance.now();
    if (wait > 0) {
      await this.#sleep(wait);
      return;
    }
    this.#fruitless++;
    this.#report(error);
    const validator = this.validator as string;
    if (this.#over) return;
    this.#asking = new AbortController();
    let answer: HTTPResponse;
    try {
      const fields = requestFields(this.#plan, this.#received, validator);
      answer = await this.#ask(fields, { ...this.#plan.again, signal: this.#asking.signal });
    } catch (failure) {
      this.#onInterrupted(failure as Error);
      return;
    }
    if (this.#over) {
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
    const target = this.#target as ResumableDownload;
    this.#current = response;
    response.readFor = target;
    const giveUp = (error: Error): void => {
      // A clock that ran out is met by reading on.
      if (this.#current === response && !(this.#resumable && isInterruption(error))) this.#giveUp(error);
    };
    if (response.destroyed && response.errored !== null) giveUp(response.errored);
    else response.whenGivenUp(giveUp);
  }

  #report(error: Error): void {
    const answered = this.#plan.onResume?.({ position: this.#received, error, number: this.#fruitless });
    // An async function is taken as well; what it rejects with ends the download as what it throws does.
    if (answered instanceof Promise)
      answered.catch((failure: unknown) => {
        this.#giveUp(failure);
      });
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
      this.#delay = setTimeout(resolve, Math.min(Math.ceil(ms), MAX_MS));
    });
  }

  // The end.

  /** From the first interruption on nobody else hears of an abort, or sees `total` run out, at all times. */
  #watch(): void {
    if (this.#onAbort !== null) return;
    const { total, first } = this.#plan;
    const { signal } = first;
    this.#onAbort = () => {
      this.#giveUp(signal?.reason);
    };
    if (signal?.aborted === true) this.#onAbort();
    else signal?.addEventListener('abort', this.#onAbort);
    if (total === Infinity || this.#target === null) return;
    const left = this.#begunAt + total - performance.now();
    this.#totalTimer = setTimeout(
      () => {
        this.#giveUp(describe(new TimeoutError('total', 'body', total), this.#target));
      },
      Math.ceil(Math.max(0, left)),
    );
  }

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
    clearTimeout(this.#delay);
    clearTimeout(this.#totalTimer);
    this.#wake?.();
    if (this.#onAbort !== null) this.#plan.first.signal?.removeEventListener('abort', this.#onAbort);
  }

  #cutShort(reason: string): IncompleteRead {
    const due = this.total === null ? null : this.total - this.#received;
    return describe(new IncompleteRead(EMPTY, due, reason), this.#current);
  }
}

function describe<T>(error: T, response: HTTPResponse | null): T {
  if (response !== null)
    describeFailure(error, { method: response.method, url: response.url, phase: 'body' });
  return error;
}

function ignore(): void {}
