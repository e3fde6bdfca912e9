/**
 * The one automatic resend, as a table: what died, when, with which kind of body and method, and whether the request goes out again.
 *
 * A server may close an idle connection in the very moment in which a request is written to it (RFC 9112 §9.3.1 calls for a client that
 * is ready for that). Such a request has failed through nobody's fault, and is repeated once on a new connection, provided that it can
 * be sent again as it was and that nothing can have been processed twice (RFC 9110 §9.2.2). Whatever else is repeated, `retries` says.
 * It owns this decision and nothing around it: it sends nothing and counts nothing.
 */

/** What ended the exchange. */
export type Death =
  /** The connection closed or was reset, and it had carried a request before. */
  | 'used connection'
  /** It closed or was reset on its first request: then closing is an answer. */
  | 'new connection'
  /** A clock, an abort, a violation of the protocol, the body's own failure. */
  | 'other';

/** How far the exchange had come. */
export type Moment =
  /** Not one byte of the request was handed to the socket. */
  | 'unsent'
  /** Bytes were handed over and not one came back. */
  | 'unanswered'
  /** A byte of an answer came, an interim one too. */
  | 'answered';

/** Whether the body can be sent again as it was. */
export type BodyKind =
  /** None, or at hand, or made by a factory. */
  | 'repeatable'
  /** A source that nothing was taken from: as good as new. */
  | 'untouched'
  /** A source that has given some of its bytes. */
  | 'spent';

/** `idempotent` by RFC 9110 §9.2.2, as the method was given. */
export type MethodKind = 'idempotent' | 'other';

export type Outcome = 'resend' | 'error';

/** Methods that may be repeated without doing more than they do once. */
export const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

type ByMethod = Readonly<Record<MethodKind, Outcome>>;
type ByBody = Readonly<Record<BodyKind, ByMethod>>;

const NEVER: ByMethod = { idempotent: 'error', other: 'error' };
const IF_IDEMPOTENT: ByMethod = { idempotent: 'resend', other: 'error' };
const ALWAYS: ByMethod = { idempotent: 'resend', other: 'resend' };
const NOTHING: ByBody = { repeatable: NEVER, untouched: NEVER, spent: NEVER };

export const RESENDS: Readonly<Record<Death, Readonly<Record<Moment, ByBody>>>> = {
  'used connection': {
    unsent: { repeatable: ALWAYS, untouched: ALWAYS, spent: NEVER },
    unanswered: { repeatable: IF_IDEMPOTENT, untouched: IF_IDEMPOTENT, spent: NEVER },
    answered: NOTHING,
  },
  'new connection': { unsent: NOTHING, unanswered: NOTHING, answered: NOTHING },
  other: { unsent: NOTHING, unanswered: NOTHING, answered: NOTHING },
};

/** Whether a request that failed so is sent once more by itself. */
export function resends(death: Death, moment: Moment, body: BodyKind, method: string): boolean {
  const kind = IDEMPOTENT.has(method.toUpperCase()) ? 'idempotent' : 'other';
  return RESENDS[death][moment][body][kind] === 'resend';
}
