/**
 * `ResumableDownload`: a response whose body goes on after its connection was lost, and how one begins.
 *
 * It shows where its reader stands in the file. What brings the bytes is its source (`download-source.ts`).
 */
import { HTTPResponse } from '../response/response.js';
import { requestFields } from './download-options.js';
import type { DownloadPlan } from './download-options.js';
import { DownloadSource } from './download-source.js';
import type { Ask } from './download-source.js';

/** A response whose body goes on after its connection was lost. What its head shows is that of the first answer. */
export class ResumableDownload extends HTTPResponse {
  readonly #source: DownloadSource;

  /** @internal */
  constructor(source: DownloadSource) {
    const { head, framing, context } = source.origin;
    super(head, framing, context, source);
    this.#source = source;
    source.feed(this);
  }

  /** The size of the whole file; null while no answer has said it. */
  get total(): number | null {
    return this.#source.total;
  }

  /** The offset in the file of the next byte that the reader gets. */
  get position(): number {
    return this.#source.first + this.readBytes;
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
  const begunAt = performance.now();
  const { position, validator } = plan.from ?? { position: 0, validator: null };
  const first = await ask(requestFields(plan, position, validator), plan.first);
  const source = new DownloadSource(ask, plan, begunAt, first);
  try {
    await source.begin();
  } catch (error) {
    first.destroy();
    throw error;
  }
  return new ResumableDownload(source);
}
