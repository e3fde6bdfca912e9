/**
 * The response corpus: raw server answers and what a client has to make of them, read from `spec/corpus/` and, where it lies
 * beside the repository, from `../shared/corpus/open.json` (its README is the policy both follow).
 *
 * Owns the schema, its check, and the comparison of an outcome with what was observed. It plays nothing: the specs do, over
 * sockets and over the bare parser.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import * as errors from '../../lib/errors.js';

/** One write: text whose characters are octets, or such a text a number of times. */
export type WireElement = string | { readonly repeat: readonly [text: string, count: number] };
export type Field = readonly [name: string, value: string];
export type Place = 'head' | 'body';

/** A response as it has to come out. A member that is absent is not checked. */
export interface ResponseOutcome {
  readonly status: number;
  readonly version: number;
  readonly reason?: string;
  readonly headers?: readonly Field[];
  readonly collapseWs?: boolean;
  readonly body?: string;
  readonly bodySha256?: string;
  readonly bodyLength?: number;
  readonly trailers?: readonly Field[];
  readonly informational?: readonly number[];
  readonly tunnel?: string;
  readonly reusable?: boolean;
}

/** A failure as it has to come out. Subclasses of the class match too. */
export interface FailureOutcome {
  readonly error: string;
  readonly at: Place;
  readonly partial?: string;
  readonly partialSha256?: string;
  readonly partialLength?: number;
}

export type Outcome = ResponseOutcome | FailureOutcome;

export interface CorpusCase {
  readonly id: string;
  readonly group: string;
  readonly why: string;
  readonly method?: string;
  readonly wire: readonly WireElement[];
  readonly end: 'close' | 'keep' | 'reset';
  readonly expect: Outcome | { readonly either: readonly Outcome[] };
}

/** What a client made of a case. */
export type Observed = ObservedResponse | ObservedFailure | { readonly kind: 'hang'; readonly at: Place };

export interface ObservedResponse {
  readonly kind: 'response';
  readonly status: number;
  readonly version: number;
  readonly reason: string;
  readonly headers: readonly Field[];
  readonly body: Buffer;
  readonly trailers: readonly Field[];
  readonly informational: readonly number[];
  /** What came behind the head of a 101 or a 2xx to CONNECT; null for any other response. */
  readonly tunnel: Buffer | null;
  /** Whether the connection served another request. */
  readonly reused: boolean;
}

export interface ObservedFailure {
  readonly kind: 'failure';
  readonly at: Place;
  readonly error: unknown;
}

/** How an observation compares: the index of the outcome it meets, or -1 and why it meets none. */
export interface Verdict {
  readonly choice: number;
  readonly difference: string;
}

const ROOT = new URL('../../../', import.meta.url);

const SHARED = 'open.json';

/** The cases kept in this repository. */
export function ownCases(): CorpusCase[] {
  const folder = new URL('spec/corpus/', ROOT);
  const files = readdirSync(folder).filter((name) => name.endsWith('.json') && name !== SHARED);
  return files.toSorted().flatMap((name) => readCases(new URL(name, folder)));
}

/** The cases shared between projects: a copy, so that a checkout that stands alone runs all of them. */
export function sharedCases(): CorpusCase[] {
  return readCases(new URL(`spec/corpus/${SHARED}`, ROOT));
}

/** Where the copy was taken from; null where the checkout stands alone. */
export function sharedOriginal(): URL | null {
  const file = new URL('../shared/corpus/open.json', ROOT);
  return existsSync(file) ? file : null;
}

/** The outcomes that are right, the policy's own choice first. */
export function outcomesOf(corpusCase: CorpusCase): readonly Outcome[] {
  const { expect } = corpusCase;
  return 'either' in expect ? expect.either : [expect];
}

/** The octets of one write. */
export function octetsOf(element: WireElement): Buffer {
  if (typeof element === 'string') return Buffer.from(element, 'latin1');
  const [text, count] = element.repeat;
  return Buffer.alloc(text.length * count, text, 'latin1');
}

/** The fields of a flat `[name, value, …]` array as pairs. */
export function pairsOf(flat: readonly string[]): Field[] {
  const pairs: Field[] = [];
  for (let i = 0; i < flat.length; i += 2) pairs.push([flat[i] ?? '', flat[i + 1] ?? '']);
  return pairs;
}

/** Whether HTTP ends with the head of such a response, so that what follows is the caller's. */
export function endsHTTP(method: string, status: number): boolean {
  return status === 101 || (method === 'CONNECT' && status >= 200 && status < 300);
}

/** Which of a case's outcomes was met. */
export function judge(corpusCase: CorpusCase, observed: Observed): Verdict {
  const differences: string[] = [];
  for (const [choice, outcome] of outcomesOf(corpusCase).entries()) {
    const difference = differenceFrom(outcome, observed, corpusCase.end === 'reset');
    if (difference === null) return { choice, difference: '' };
    differences.push(difference);
  }
  return { choice: -1, difference: differences.join('; or ') };
}

/** What was observed, on one line. */
export function describeObserved(observed: Observed): string {
  if (observed.kind === 'hang') return `no end in time, waiting in the ${observed.at}`;
  if (observed.kind === 'failure') return `${nameOf(observed.error)} in the ${observed.at}`;
  const { status, reason, headers, body, trailers, reused } = observed;
  const parts = [`${String(status)} ${show(reason)}`, show(headers), `body ${show(body.toString('latin1'))}`];
  if (trailers.length > 0) parts.push(`trailers ${show(trailers)}`);
  return `${parts.join(', ')}, ${reused ? 'reused' : 'not reused'}`;
}

function differenceFrom(outcome: Outcome, observed: Observed, reset: boolean): string | null {
  if (observed.kind === 'hang')
    return `expected ${describeOutcome(outcome)}, got ${describeObserved(observed)}`;
  if ('error' in outcome) {
    if (observed.kind === 'response') {
      return `expected ${outcome.error} in the ${outcome.at}, got ${describeObserved(observed)}`;
    }
    return failureDifference(outcome, observed, reset);
  }
  if (observed.kind === 'failure') {
    return `expected ${describeOutcome(outcome)}, got ${describeObserved(observed)}`;
  }
  return responseDifference(outcome, observed);
}

function failureDifference(
  outcome: FailureOutcome,
  observed: ObservedFailure,
  reset: boolean,
): string | null {
  const { error, at } = observed;
  const expected = classNamed(outcome.error);
  const resetByPeer = reset && error instanceof Error && 'code' in error && error.code === 'ECONNRESET';
  if (!(error instanceof expected) && !resetByPeer) return `expected ${outcome.error}, got ${nameOf(error)}`;
  if (at !== outcome.at) return `expected ${outcome.error} in the ${outcome.at}, it came in the ${at}`;
  if (outcome.partial === undefined && outcome.partialLength === undefined) return null;
  if (!(error instanceof errors.IncompleteRead)) return `expected a partial body, got ${nameOf(error)}`;
  return bytesDifference(
    'partial',
    error.partial,
    outcome.partial,
    outcome.partialLength,
    outcome.partialSha256,
  );
}

function responseDifference(outcome: ResponseOutcome, observed: ObservedResponse): string | null {
  const {
    collapseWs: collapse = false,
    reason,
    headers,
    trailers,
    informational,
    tunnel,
    reusable,
  } = outcome;
  const seen = { ...observed, reason: trimBlanks(observed.reason) };
  if (seen.status !== outcome.status) return unlike('status', outcome.status, seen.status);
  if (seen.version !== outcome.version) return unlike('version', outcome.version, seen.version);
  if (reason !== undefined && trimBlanks(reason) !== seen.reason)
    return unlike('reason', reason, seen.reason);
  if (headers !== undefined && !sameFields(headers, seen.headers, collapse)) {
    return unlike('headers', headers, seen.headers);
  }
  const body = bytesDifference('body', seen.body, outcome.body, outcome.bodyLength, outcome.bodySha256);
  if (body !== null) return body;
  if (trailers !== undefined && !sameFields(trailers, seen.trailers, collapse)) {
    return unlike('trailers', trailers, seen.trailers);
  }
  if (informational !== undefined && String(informational) !== String(seen.informational)) {
    return unlike('informational', informational, seen.informational);
  }
  if (tunnel !== undefined && tunnel !== seen.tunnel?.toString('latin1')) {
    return unlike('tunnel', tunnel, seen.tunnel?.toString('latin1'));
  }
  if (reusable !== undefined && reusable !== seen.reused) return unlike('reusable', reusable, seen.reused);
  return null;
}

function bytesDifference(
  what: string,
  seen: Buffer,
  text: string | undefined,
  length: number | undefined,
  sha256: string | undefined,
): string | null {
  if (text !== undefined && text !== seen.toString('latin1'))
    return unlike(what, text, seen.toString('latin1'));
  if (length !== undefined && length !== seen.length) return unlike(`${what} length`, length, seen.length);
  if (sha256 !== undefined && sha256 !== createHash('sha256').update(seen).digest('hex')) {
    return `${what}: other octets than expected`;
  }
  return null;
}

function sameFields(expected: readonly Field[], seen: readonly Field[], collapse: boolean): boolean {
  const form = (value: string): string => (collapse ? value.replace(/[ \t]+/g, ' ') : value);
  return (
    expected.length === seen.length &&
    expected.every(([name, value], i) => {
      const [seenName, seenValue] = seen[i] ?? ['', ''];
      return name.toLowerCase() === seenName.toLowerCase() && form(value) === form(seenValue);
    })
  );
}

function trimBlanks(text: string): string {
  return text.replace(/^[ \t]+|[ \t]+$/g, '');
}

function unlike(what: string, expected: unknown, seen: unknown): string {
  return `${what}: expected ${show(expected)}, got ${show(seen)}`;
}

function show(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  return text.length > 200 ? `${text.slice(0, 200)}… (${String(text.length)} characters)` : text;
}

function nameOf(error: unknown): string {
  return error instanceof Error
    ? `${error.name} (${error.message.slice(0, 120)})`
    : `a thrown ${typeof error}`;
}

function describeOutcome(outcome: Outcome): string {
  return 'error' in outcome
    ? `${outcome.error} in the ${outcome.at}`
    : `a response ${String(outcome.status)}`;
}

/** The exception class of that name. */
function classNamed(name: string): abstract new (...args: never[]) => Error {
  const found: unknown = Object.entries(errors).find(([key]) => key === name)?.[1];
  if (typeof found !== 'function' || !(found.prototype instanceof Error)) {
    throw new TypeError(`the corpus names an exception ${name} that does not exist`);
  }
  return found as abstract new (...args: never[]) => Error;
}

const CASE_KEYS = new Set(['id', 'group', 'why', 'method', 'wire', 'end', 'expect']);
const RESPONSE_KEYS = new Set(
  'status version reason headers collapseWs body bodySha256 bodyLength trailers informational tunnel reusable'.split(
    ' ',
  ),
);
const FAILURE_KEYS = new Set(['error', 'at', 'partial', 'partialSha256', 'partialLength']);

function readCases(file: URL): CorpusCase[] {
  const cases: unknown = JSON.parse(readFileSync(file, 'utf8'));
  if (!Array.isArray(cases)) throw new TypeError(`${file.pathname} holds no array of cases`);
  return cases.map((value: unknown) => checkCase(value, file));
}

/** The case if it has the form above: a misspelt key would be a check that never runs. */
function checkCase(value: unknown, file: URL): CorpusCase {
  const corpusCase = value as CorpusCase;
  const fail = (what: string): never => {
    throw new TypeError(`${file.pathname}: case ${show(corpusCase.id)} has ${what}`);
  };
  for (const key of Object.keys(corpusCase)) if (!CASE_KEYS.has(key)) fail(`an unknown key ${key}`);
  for (const text of [corpusCase.id, corpusCase.group, corpusCase.why]) {
    if (typeof text !== 'string' || text === '') fail('no id, group or why');
  }
  if (!['close', 'keep', 'reset'].includes(corpusCase.end)) fail(`an unknown end ${show(corpusCase.end)}`);
  if (!Array.isArray(corpusCase.wire)) fail('no wire');
  const outcomes = outcomesOf(corpusCase);
  if (outcomes.length === 0) fail('no outcome');
  for (const outcome of outcomes) {
    const known = 'error' in outcome ? FAILURE_KEYS : RESPONSE_KEYS;
    for (const key of Object.keys(outcome)) if (!known.has(key)) fail(`an unknown key ${key} in an outcome`);
    if ('error' in outcome) classNamed(outcome.error);
    else if (typeof outcome.status !== 'number') fail('an outcome without status and without error');
  }
  return corpusCase;
}
