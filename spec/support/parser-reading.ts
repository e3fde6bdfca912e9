/**
 * What the library's own parser makes of bytes, delivered in any pieces, in the form the strict reading has, and how the two compare.
 *
 * It also checks what any delivery has to keep to: the order of events, that no byte is used twice or left, and that nothing but the
 * library's own exceptions comes out.
 */
import { HTTPException } from '../../lib/errors.js';
import type { Limits } from '../../lib/limits.js';
import type { Framing } from '../../lib/protocol/framing.js';
import { ResponseParser } from '../../lib/protocol/response-parser.js';
import type { ResponseHandler, ResponseHead } from '../../lib/protocol/response-parser.js';
import type { Field, Head, Reading, StrictReading } from './strict-response.js';

/** Reads one response from the pieces. The pieces are left as they are. */
export function readPieces(
  pieces: readonly Buffer[],
  method: string,
  closed: boolean,
  limits: Readonly<Limits>,
): Reading {
  const seen = new Events();
  return readOne(new ResponseParser(method, limits, seen), seen, pieces, closed);
}

/** Reads responses with one parser, as on a connection that is kept: each from its own pieces, to the first that is not complete. */
export function readInTurn(
  responses: readonly { readonly method: string; readonly pieces: readonly Buffer[] }[],
  limits: Readonly<Limits>,
): Reading[] {
  let seen = new Events();
  const parser = new ResponseParser('', limits, {
    onInterim(head): void {
      seen.onInterim(head);
    },
    onHead(head, framing): void {
      seen.onHead(head, framing);
    },
    onBody(bytes): void {
      seen.onBody(bytes);
    },
    onEndOfResponse(trailers): void {
      seen.onEndOfResponse(trailers);
    },
  });
  const readings: Reading[] = [];
  for (const { method, pieces } of responses) {
    seen = new Events();
    parser.reset(method);
    const reading = readOne(parser, seen, pieces, false);
    readings.push(reading);
    if (reading.outcome !== 'complete') break;
  }
  return readings;
}

function readOne(parser: ResponseParser, seen: Events, pieces: readonly Buffer[], closed: boolean): Reading {
  const surplus: Buffer[] = [];
  let failure: string | null = null;
  try {
    for (const piece of pieces) {
      // A copy, since chunks are decoded in place.
      const bytes = Buffer.from(piece);
      const used = parser.write(bytes, 0);
      inOrder(
        used === bytes.length || (parser.done && used >= 0),
        `${String(used)} of ${String(bytes.length)}`,
      );
      if (used < bytes.length) surplus.push(Buffer.from(bytes.subarray(used)));
      // They were lent: whoever looks at them from here on, as for fields not yet asked for, sees this.
      bytes.fill('?');
    }
    if (closed) parser.end();
  } catch (error) {
    if (!(error instanceof HTTPException)) throw error;
    failure = error.name;
  }
  inOrder(seen.ended === (parser.done && failure === null), 'the end was not told');
  const rest = Buffer.concat(surplus);
  let outcome: Reading['outcome'] = seen.ended ? 'complete' : 'waiting';
  if (failure !== null) outcome = 'rejected';
  return {
    outcome,
    interims: seen.interims.map(headOf),
    head: seen.head === null ? null : headOf(seen.head),
    body: Buffer.concat(seen.body),
    trailers: seen.trailers,
    surplus: rest,
    reusable: seen.ended && seen.keepAlive && rest.length === 0,
    classes: failure === null ? [] : [failure],
  };
}

/** Keeps what the parser tells, and checks its order. */
class Events implements ResponseHandler {
  readonly interims: ResponseHead[] = [];
  readonly body: Buffer[] = [];
  head: ResponseHead | null = null;
  keepAlive = false;
  trailers: readonly Field[] = [];
  ended = false;

  onInterim(head: ResponseHead): void {
    inOrder(this.head === null, 'an interim head behind the final one');
    this.interims.push(head);
  }

  onHead(head: ResponseHead, framing: Framing): void {
    inOrder(this.head === null, 'a second final head');
    this.head = head;
    this.keepAlive = framing.keepAlive;
  }

  onBody(bytes: Buffer): void {
    inOrder(this.head !== null && !this.ended, 'body outside of a body');
    inOrder(bytes.length > 0, 'an empty piece of body');
    this.body.push(Buffer.from(bytes));
  }

  onEndOfResponse(trailers: string[]): void {
    inOrder(this.head !== null && !this.ended, 'an end without a head, or a second end');
    this.ended = true;
    this.trailers = pairsOf(trailers);
  }
}

function inOrder(holds: boolean, what: string): void {
  if (!holds) throw new Error(`events out of order: ${what}`);
}

/** How a reading by the library differs from the strict one; null when it does not. */
export function differenceFromStrict(reading: Reading, strict: StrictReading): string | null {
  const undecided = strict.loose && strict.outcome === 'waiting' && reading.outcome === 'rejected';
  if (reading.outcome !== strict.outcome && !undecided) {
    return `${describe(reading)}, strictly ${describe(strict)}`;
  }
  if (reading.outcome === 'rejected') {
    const [name = ''] = reading.classes;
    if (!strict.classes.includes(name)) return `${name}, strictly ${strict.classes.join(' or ')}`;
  }
  const same =
    contentOf(reading) === contentOf(strict) &&
    reading.surplus.equals(strict.surplus) &&
    reading.reusable === strict.reusable;
  return same ? null : `${textOf(reading)}\nstrictly\n${textOf(strict)}`;
}

/** A reading as text that can be compared: everything in it. */
export function textOf(reading: Reading): string {
  const surplus = reading.surplus.toString('latin1');
  return `${describe(reading)} ${contentOf(reading)} ${JSON.stringify({ surplus, reusable: reading.reusable })}`;
}

function contentOf({ interims, head, body, trailers }: Reading): string {
  return JSON.stringify({ interims, head, body: body.toString('latin1'), trailers });
}

function describe({ outcome, classes }: Reading): string {
  return [outcome, ...classes].join(' ');
}

function headOf({ version, status, reason, fields }: ResponseHead): Head {
  return { version, status, reason, fields: pairsOf(fields) };
}

function pairsOf(flat: readonly string[]): Field[] {
  const pairs: Field[] = [];
  for (let i = 0; i < flat.length; i += 2) pairs.push([flat[i] ?? '', flat[i + 1] ?? '']);
  return pairs;
}

/** Cuts the bytes at the places, which are fractions. */
export function cutAt(bytes: Buffer, places: readonly number[]): Buffer[] {
  const cuts = places.map((place) => Math.floor(place * bytes.length)).toSorted((a, b) => a - b);
  const pieces: Buffer[] = [];
  let from = 0;
  for (const cut of [...cuts, bytes.length]) {
    if (cut > from) pieces.push(bytes.subarray(from, cut));
    from = Math.max(from, cut);
  }
  return pieces;
}

/** Every byte a piece of its own. */
export function singleBytes(bytes: Buffer): Buffer[] {
  return Array.from({ length: bytes.length }, (_, i) => bytes.subarray(i, i + 1));
}
