/**
 * Every case of the response corpus through the bare parser, without sockets and under many cuttings: a byte stream has no
 * pieces, so all cuttings have to give the same events, and those the outcome of the case.
 *
 * What only a connection can show (a reset, a second request) is taken from the framing here: the sockets have a spec of
 * their own.
 */
import { assert } from 'chai';
import { createHash } from 'node:crypto';
import { IncompleteRead } from '../../lib/errors.js';
import { DEFAULT_LIMITS } from '../../lib/limits.js';
import { ResponseParser } from '../../lib/protocol/response-parser.js';
import type { ResponseHead } from '../../lib/protocol/response-parser.js';
import type { Framing } from '../../lib/protocol/framing.js';
import { endsHTTP, judge, octetsOf, ownCases, pairsOf, sharedCases } from '../support/corpus.js';
import type { CorpusCase, Observed } from '../support/corpus.js';

/** Wires beyond this length are cut octet by octet near their ends only, and in two at no place. */
const LONG_WIRE_BYTES = 20_000;
const LONG_WIRE_ENDS = 2000;
/** The work of cutting in two at every place grows with the square of the length. */
const CUT_IN_TWO_BYTES = 1500;
const SEEDS = [1, 2, 3];

/** Everything that the parser said about one delivery. */
interface Reading {
  readonly interims: ResponseHead[];
  head: ResponseHead | null;
  framing: Framing | null;
  readonly body: Buffer[];
  trailers: string[];
  readonly surplus: Buffer[];
  ended: boolean;
  error: unknown;
}

const groups = new Map<string, CorpusCase[]>();
for (const corpusCase of [...ownCases(), ...sharedCases()]) {
  const group = groups.get(corpusCase.group) ?? [];
  group.push(corpusCase);
  groups.set(corpusCase.group, group);
}

describe('the corpus through the parser without sockets', function () {
  this.timeout(60_000);

  for (const [group, cases] of groups) {
    it(`${group}: ${String(cases.length)} wires, delivered whole, give the outcome of the policy`, () => {
      const failures = cases.map((corpusCase) => {
        const reading = read(corpusCase, [wireOf(corpusCase)]);
        const verdict = judge(corpusCase, observe(corpusCase, reading));
        return verdict.choice === -1 ? `${corpusCase.id}: ${verdict.difference}` : '';
      });
      assert.deepEqual(failures.filter(Boolean), []);
    });

    it(`${group}: any cut of a wire gives the same events`, () => {
      const failures: string[] = [];
      for (const corpusCase of cases) {
        const whole = digestOf(read(corpusCase, [wireOf(corpusCase)]));
        for (const [name, pieces] of cuttingsOf(corpusCase)) {
          const cut = digestOf(read(corpusCase, pieces));
          if (cut === whole) continue;
          failures.push(`${corpusCase.id}, ${name}:\n  ${cut}\nwhole:\n  ${whole}`);
          break;
        }
      }
      assert.deepEqual(failures, []);
    });
  }
});

function wireOf(corpusCase: CorpusCase): Buffer {
  return Buffer.concat(corpusCase.wire.map(octetsOf));
}

/** The deliveries to compare with the whole wire, each with its name. */
function* cuttingsOf(corpusCase: CorpusCase): Generator<[name: string, pieces: Buffer[]]> {
  const wire = wireOf(corpusCase);
  yield ['as written', corpusCase.wire.map(octetsOf)];
  yield ['octet by octet', octetByOctet(wire)];
  for (const seed of SEEDS) yield [`seed ${String(seed)}`, atRandom(wire, seed)];
  if (wire.length > CUT_IN_TWO_BYTES) return;
  for (let at = 1; at < wire.length; at++) {
    yield [`in two at ${String(at)}`, [wire.subarray(0, at), wire.subarray(at)]];
  }
}

function octetByOctet(wire: Buffer): Buffer[] {
  const long = wire.length > LONG_WIRE_BYTES;
  const front = long ? LONG_WIRE_ENDS : wire.length;
  const back = long ? wire.length - LONG_WIRE_ENDS : wire.length;
  const pieces: Buffer[] = [];
  for (let i = 0; i < front; i++) pieces.push(wire.subarray(i, i + 1));
  pieces.push(wire.subarray(front, back));
  for (let i = back; i < wire.length; i++) pieces.push(wire.subarray(i, i + 1));
  return pieces;
}

/** Pieces of many sizes, small ones most often; the same for the same seed. */
function atRandom(wire: Buffer, seed: number): Buffer[] {
  const random = seededRandom(seed);
  const largest = Math.max(8, wire.length / 20);
  const pieces: Buffer[] = [];
  for (let at = 0; at < wire.length;) {
    const size = 1 + Math.floor(random() ** 3 * largest);
    pieces.push(wire.subarray(at, at + size));
    at += size;
  }
  return pieces;
}

/** Numbers in [0, 1): a xorshift generator, so that a failure can be repeated. */
function seededRandom(seed: number): () => number {
  let state = seed * 0x9e3779b1 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** A head as its interface shows it, however it is kept. */
function seen({ version, status, reason, fields }: ResponseHead): ResponseHead {
  return { version, status, reason, fields };
}

/** Delivers the pieces, then the end of the case. */
function read(corpusCase: CorpusCase, pieces: readonly Buffer[]): Reading {
  const reading: Reading = {
    interims: [],
    head: null,
    framing: null,
    body: [],
    trailers: [],
    surplus: [],
    ended: false,
    error: null,
  };
  const parser = new ResponseParser(corpusCase.method ?? 'GET', DEFAULT_LIMITS, {
    onInterim: (head) => reading.interims.push(seen(head)),
    onHead: (head, framing) => {
      reading.head = seen(head);
      reading.framing = framing;
    },
    onBody: (bytes) => reading.body.push(Buffer.from(bytes)),
    onEndOfResponse: (trailers) => {
      reading.ended = true;
      reading.trailers = trailers;
    },
  });
  try {
    for (const piece of pieces) {
      // A copy, because the parser may overwrite what it is given.
      const bytes = Buffer.from(piece);
      const used = parser.write(bytes, 0);
      if (used < bytes.length) reading.surplus.push(bytes.subarray(used));
    }
    if (corpusCase.end === 'close') parser.end();
    else if (corpusCase.end === 'reset' && !parser.done) throw connectionReset();
  } catch (error) {
    reading.error = error;
  }
  return reading;
}

function connectionReset(): Error {
  return Object.assign(new Error('the peer reset the connection'), { code: 'ECONNRESET' });
}

/** The reading as a client without anything of its own to add would show it. */
function observe(corpusCase: CorpusCase, reading: Reading): Observed {
  const { head, framing, error } = reading;
  const at = head === null ? 'head' : 'body';
  const body = Buffer.concat(reading.body);
  if (error instanceof IncompleteRead) {
    return { kind: 'failure', at, error: new IncompleteRead(body, error.expected) };
  }
  if (error !== null) return { kind: 'failure', at, error };
  if (head === null || framing === null || !reading.ended) return { kind: 'hang', at };
  const surplus = Buffer.concat(reading.surplus);
  return {
    kind: 'response',
    status: head.status,
    version: head.version,
    reason: head.reason,
    headers: pairsOf(head.fields),
    body,
    trailers: pairsOf(reading.trailers),
    informational: reading.interims.map((interim) => interim.status),
    tunnel: endsHTTP(corpusCase.method ?? 'GET', head.status) ? surplus : null,
    reused: framing.keepAlive && surplus.length === 0,
  };
}

/** All that a reading holds but for where its body was cut, as text that can be compared. */
function digestOf(reading: Reading): string {
  const { interims, head, framing, trailers, ended, error } = reading;
  const failure = error instanceof Error ? error.name : null;
  return JSON.stringify({
    interims,
    head,
    framing,
    body: fingerprint(reading.body),
    trailers,
    ended,
    surplus: fingerprint(reading.surplus),
    failure,
  });
}

function fingerprint(pieces: readonly Buffer[]): string {
  const bytes = Buffer.concat(pieces);
  if (bytes.length < 64) return bytes.toString('latin1');
  return `${String(bytes.length)} octets, ${createHash('sha256').update(bytes).digest('hex').slice(0, 16)}`;
}
