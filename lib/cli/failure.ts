/**
 * What becomes of a failure: its exit status, and its one line. Owns the classes of what is wrong on this side, and prints nothing.
 *
 * Texts of a peer may be in a message. The library quotes them; control characters that come another way (a path, an argument, OpenSSL)
 * are escaped here, because the line goes to a terminal.
 */
import { ContentLengthMismatch, HTTPException, InvalidURL, TimeoutError, TunnelError } from '../index.js';
import type { ExchangeData } from '../index.js';

/** The exit statuses. */
export const STATUS = {
  done: 0,
  usage: 1,
  noConnection: 2,
  broken: 3,
  refused: 4,
  timeRanOut: 5,
  localFile: 6,
  interrupted: 130,
} as const;

/** An exit status. */
export type ExitStatus = (typeof STATUS)[keyof typeof STATUS];

/** The command line makes no sense. */
export class UsageError extends Error {}

/** A file on this side cannot be read or written. */
export class LocalFileError extends Error {
  /** @param what - what was tried, with the name of the file */
  constructor(what: string, cause?: unknown) {
    super(cause === undefined ? what : `${what}: ${textOf(cause)}`, { cause });
  }
}

/** The reader of standard output went away: nobody's failure. */
export class ReaderGone extends Error {}

/** The user has stopped it. */
export class Interrupted extends Error {
  constructor() {
    super('interrupted');
  }
}

/** The time for all of it ran out. */
export class TimeRanOut extends Error {
  constructor(ms: number, doing: string) {
    super(`the ${String(ms / 1000)} s for all of it ran out ${doing}`);
  }
}

/** The server refused: a status of 400 or more. */
export class Refused extends Error {
  constructor(status: number, reason: string) {
    super(`${String(status)} ${reason}`.trimEnd());
  }
}

/** The rest of a file was asked for, and the answer is something else. */
export class NotTheRest extends Error {
  readonly status: number;

  constructor(status: number, reason: string) {
    super(`${`${String(status)} ${reason}`.trimEnd()} instead of the rest`);
    this.status = status;
  }
}

/** How far a transfer got: bytes of the body. */
export interface Reached {
  readonly received: number;
  /** What is to be received in all, where that is known. */
  readonly total: number | null;
}

/** What only a file says, no socket: `save()` gives the error of either side as it is. */
const FILE_CODES = new Set([
  'ENOSPC',
  'EDQUOT',
  'EFBIG',
  'EIO',
  'EROFS',
  'EBADF',
  'EISDIR',
  'ENOENT',
  'EACCES',
  'EPERM',
]);

/** The exit status for a failure. */
export function exitStatus(error: unknown): ExitStatus {
  if (error instanceof UsageError) return STATUS.usage;
  if (error instanceof ReaderGone) return STATUS.done;
  if (error instanceof Interrupted) return STATUS.interrupted;
  if (error instanceof LocalFileError) return STATUS.localFile;
  // What was declared is the size of the file when it was opened: somebody changed it.
  if (error instanceof ContentLengthMismatch) return STATUS.localFile;
  if (error instanceof Refused || (error instanceof NotTheRest && error.status >= 400)) return STATUS.refused;
  if (error instanceof TimeoutError || error instanceof TimeRanOut) return STATUS.timeRanOut;
  if (error instanceof TunnelError) return STATUS.noConnection;
  const { phase, code, addresses } = dataOf(error);
  if (phase === 'connect' || phase === 'tunnel' || addresses !== undefined) return STATUS.noConnection;
  if (error instanceof InvalidURL || error instanceof RangeError) return STATUS.usage;
  if (error instanceof HTTPException) return STATUS.broken;
  if (code !== undefined && FILE_CODES.has(code)) return STATUS.localFile;
  // An argument that the library refuses, before anything is sent.
  if (error instanceof TypeError && phase === undefined) return STATUS.usage;
  return STATUS.broken;
}

/** The line of a failure, without its end: what was asked, what happened, how far it got. */
export function failureLine(request: string, error: unknown, reached: Reached | null): string {
  return `millrace: ${printable(`${requestOf(error) ?? request} : ${whatHappened(error)}, ${howFar(error, reached)}`)}`;
}

/** The text of anything thrown. Several causes behind one failure, say one for each address of a name, are told together. */
export function textOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(textOf).join('; ');
  if (!(error instanceof Error)) return String(error);
  return error.message === '' ? error.name : error.message;
}

/** How many bytes came, of how many. */
export function receivedText({ received, total }: Reached): string {
  return `${String(received)}${total === null ? '' : ` of ${String(total)}`} bytes received`;
}

interface FailureData extends ExchangeData {
  readonly code?: string | undefined;
  readonly addresses?: unknown;
}

function dataOf(error: unknown): FailureData {
  return error instanceof Error ? (error as FailureData) : {};
}

/** Which request failed, when the error knows it better: behind a redirect it is another one. */
function requestOf(error: unknown): string | null {
  const { method, url } = dataOf(error);
  return method !== undefined && url !== undefined && /^https?:/.test(url) ? `${method} ${url}` : null;
}

/** The message of the error without what the line says anyway. */
function whatHappened(error: unknown): string {
  const text = textOf(error);
  const { method, url } = dataOf(error);
  const prefix = `${method ?? ''} ${url ?? ''}: `;
  return (text.startsWith(prefix) ? text.slice(prefix.length) : text).replace(
    / \(\d+ bytes sent, \d+ received[^()]*\)$/,
    '',
  );
}

function howFar(error: unknown, reached: Reached | null): string {
  if (reached !== null) return receivedText(reached);
  const { bytesSent = 0, bytesReceived = 0 } = dataOf(error);
  if (bytesSent === 0 && bytesReceived === 0) return 'nothing sent';
  return `${String(bytesSent)} bytes sent, ${String(bytesReceived)} received`;
}

/** One line without control characters. */
export function printable(text: string): string {
  return text
    .trim()
    .replaceAll(/\s*\r?\n\s*/g, ' ')
    .replaceAll(/\p{Cc}/gu, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
