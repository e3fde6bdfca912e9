/**
 * What a client made of a response, in the one form in which clients are compared, and millrace's own outcome in it.
 */
import { DEFAULT_LIMITS } from '../../../lib/limits.js';
import { readPieces } from '../../support/parser-reading.js';
import type { Field } from '../../support/strict-response.js';
import type { Exhibit } from './exhibits.js';

/** A response that was taken. What a client does not show is null. */
export interface Accepted {
  readonly error: null;
  readonly status: number;
  readonly version: number;
  readonly reason: string;
  readonly fields: readonly Field[];
  /** Octets as ISO-8859-1. */
  readonly body: string;
  readonly trailers: readonly Field[] | null;
  readonly interims: readonly number[] | null;
  /** Whether the client would have used the connection again, had nothing more come. */
  readonly keepAlive: boolean | null;
}

/** A response that was refused, and how the client puts it. */
export interface Refused {
  readonly error: string;
}

export type ClientOutcome = Accepted | Refused;

/** A client under comparison. */
export interface Client {
  readonly name: string;
  /** Null for an exhibit that this client cannot be shown. */
  read(exhibits: readonly Exhibit[]): Promise<(ClientOutcome | null)[]>;
  close(): void;
}

/** What millrace makes of an exhibit. */
export function ownOutcome({ method, wire }: Exhibit): ClientOutcome {
  const reading = readPieces([wire], method, true, DEFAULT_LIMITS);
  const { head, outcome } = reading;
  if (head === null || outcome !== 'complete') return { error: reading.classes.join() };
  const { status, version, reason, fields } = head;
  return {
    error: null,
    status,
    version,
    reason,
    fields,
    body: reading.body.toString('latin1'),
    trailers: reading.trailers,
    interims: reading.interims.map((interim) => interim.status),
    keepAlive: reading.surplus.length > 0 ? null : reading.reusable,
  };
}

/** Which parts of two outcomes differ; of a refusal against a response, only that. */
export function differencesOf(ours: ClientOutcome, theirs: ClientOutcome): string[] {
  if (ours.error !== null || theirs.error !== null) {
    if (ours.error !== null && theirs.error !== null) return [];
    return [ours.error === null ? 'only we accept' : 'only they accept'];
  }
  const same: Readonly<Record<string, boolean>> = {
    status: ours.status === theirs.status,
    version: ours.version === theirs.version,
    reason: ours.reason === theirs.reason.replace(/^[ \t]+|[ \t]+$/g, ''),
    fields: sameFields(ours.fields, theirs.fields),
    body: ours.body === theirs.body,
    trailers: theirs.trailers === null || sameFields(ours.trailers ?? [], theirs.trailers),
    interims: theirs.interims === null || String(ours.interims) === String(theirs.interims),
    reuse: ours.keepAlive === null || theirs.keepAlive === null || ours.keepAlive === theirs.keepAlive,
  };
  return Object.keys(same).filter((part) => same[part] === false);
}

function sameFields(ours: readonly Field[], theirs: readonly Field[]): boolean {
  return JSON.stringify(ours) === JSON.stringify(theirs);
}
