/**
 * Every case of the response corpus, ours and the shared ones, over real sockets and over streams in memory: the outcome of the response,
 * then a second request through the same connection object, which shows reuse, poisoning, and that a failure leaves the object usable.
 *
 * Where the policy leaves a choice, its own comes first. What we do otherwise has to be one of the deliberate rows below.
 */
import { assert } from 'chai';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Duplex } from 'node:stream';
import { HTTPConnection } from '../../lib/index.js';
import type { HTTPConnectionOptions } from '../../lib/index.js';
import { describeObserved, endsHTTP, judge, octetsOf, ownCases, sharedCases } from '../support/corpus.js';
import type { CorpusCase, Observed, Place, Verdict } from '../support/corpus.js';
import { CorpusServer, LATER_BODY } from '../support/corpus-server.js';

const CONCURRENCY = 48;
/** Without sockets a case is mostly waiting. */
const CONCURRENCY_IN_MEMORY = 400;
const CASE_LIMIT_MS = 6000;
const SETTLING_MS = 80;
const SETTLING_IN_MEMORY_MS = 20;

/** What one case showed: the outcome, how that compares, and what was wrong with the second request, if anything. */
interface Played {
  readonly observed: Observed;
  readonly verdict: Verdict;
  readonly afterwards: string | null;
}

/** The rules where we deliberately take another choice than the first, each with how its cases are known. */
const DELIBERATE: readonly {
  rule: string;
  holds: (corpusCase: CorpusCase, observed: Observed) => boolean;
}[] = [
  {
    rule: 'rule 6: an HTTP/0.9 status line is another major version',
    holds: (corpusCase, observed) =>
      failureNamed(observed, 'UnknownProtocol') && wireOf(corpusCase).startsWith('HTTP/0.'),
  },
  {
    rule: 'rule 6: what cannot become a status line is refused by its first octets, not when it has become too long',
    holds: (corpusCase, observed) =>
      failureNamed(observed, 'BadStatusLine') && !wireOf(corpusCase).startsWith('HTTP/'),
  },
  {
    rule: 'rule 5: the CRLF counts among the 65536 octets of a line',
    holds: (corpusCase, observed) => {
      const lengths = wireOf(corpusCase)
        .split('\r\n')
        .map((line) => line.length);
      return failureNamed(observed, 'LineTooLong') && Math.max(...lengths) <= 65_536;
    },
  },
  {
    rule: 'rule 5: chunk-size lines are bounded by the data they frame, where the policy allows a cap and asks for none',
    holds: ({ group }, observed) => failureNamed(observed, 'LimitExceeded') && group === 'chunk-ext',
  },
];

function failureNamed(observed: Observed, name: string): boolean {
  return observed.kind === 'failure' && observed.error instanceof Error && observed.error.name === name;
}

function wireOf(corpusCase: CorpusCase): string {
  return corpusCase.wire.map((element) => octetsOf(element).toString('latin1')).join('');
}

const sources: readonly { name: string; cases: CorpusCase[] }[] = [
  { name: 'the corpus of this repository', cases: ownCases() },
  { name: 'the shared corpus', cases: sharedCases() },
];

describe('the corpus of this repository', () => {
  const own = ownCases();

  it('gives each case an id and a wire of its own', () => {
    const all = [...own, ...sharedCases()];
    const played = all.map(({ method, wire, end }) => JSON.stringify([method, wire, end]));
    assert.equal(new Set(all.map(({ id }) => id)).size, all.length);
    assert.equal(new Set(played).size, all.length);
  });

  it('has at least as many cases of each group as the shared corpus', () => {
    const count = (cases: readonly CorpusCase[], group: string): number =>
      cases.filter((corpusCase) => corpusCase.group === group).length;
    const groups = new Set([...own, ...sharedCases()].map(({ group }) => group));
    const short = [...groups].filter((group) => count(own, group) < Math.max(1, count(sharedCases(), group)));
    assert.deepEqual(short, []);
    assert.isAtLeast(groups.size, 26);
  });
});

for (const { name, cases } of sources.filter((source) => source.cases.length > 0)) {
  describe(`${name} over sockets`, function () {
    const played = new Map<CorpusCase, Played>();

    before(async function () {
      this.timeout(120_000);
      await playAll(cases, CONCURRENCY, overSocket, played);
    });

    for (const corpusCase of cases) {
      it(`${corpusCase.group}: ${corpusCase.id}: ${corpusCase.why}`, () => {
        const result = played.get(corpusCase);
        assert.isDefined(result);
        assert.notEqual(result.verdict.choice, -1, result.verdict.difference);
        assert.isNull(result.afterwards);
      });
    }

    it('meets the first choice of the policy but where a deliberate row says otherwise', () => {
      assert.equal(played.size, cases.length);
      const unexplained: string[] = [];
      const explained: string[] = [];
      for (const [corpusCase, { observed, verdict }] of played) {
        if (verdict.choice <= 0) continue;
        const row = DELIBERATE.find(({ holds }) => holds(corpusCase, observed));
        const line = `choice ${String(verdict.choice + 1)} of ${corpusCase.id}: ${describeObserved(observed)}`;
        if (row === undefined) unexplained.push(line);
        else explained.push(`${line} (${row.rule})`);
      }
      for (const line of explained) console.log(`      ${line}`);
      assert.deepEqual(unexplained, []);
    });
  });
}

describe('both corpora over streams in memory', () => {
  it('have the outcomes that they have over sockets', async function () {
    this.timeout(60_000);
    const cases = [...ownCases(), ...sharedCases()];
    const played = new Map<CorpusCase, Played>();
    await playAll(cases, CONCURRENCY_IN_MEMORY, inMemory, played);
    const wrong: string[] = [];
    for (const [corpusCase, { observed, verdict, afterwards }] of played) {
      const choice = verdict.choice > 0 && !DELIBERATE.some(({ holds }) => holds(corpusCase, observed));
      if (verdict.choice !== -1 && !choice && afterwards === null) continue;
      wrong.push(`${corpusCase.id}: ${verdict.difference} ${afterwards ?? ''} ${describeObserved(observed)}`);
    }
    assert.deepEqual(wrong, []);
    assert.equal(played.size, cases.length);
  });
});

/** A server that plays a case, and the way to it. */
interface Stage {
  server: CorpusServer;
  port: number | null;
  settlingMs: number;
  options: HTTPConnectionOptions;
}

async function overSocket(corpusCase: CorpusCase): Promise<Stage> {
  const server = await CorpusServer.start(corpusCase);
  return { server, port: server.port, settlingMs: SETTLING_MS, options: {} };
}

function inMemory(corpusCase: CorpusCase): Promise<Stage> {
  const server = new CorpusServer(corpusCase);
  const options = { createConnection: () => server.line() };
  return Promise.resolve({ server, port: null, settlingMs: SETTLING_IN_MEMORY_MS, options });
}

async function playAll(
  cases: readonly CorpusCase[],
  concurrency: number,
  stage: (corpusCase: CorpusCase) => Promise<Stage>,
  played: Map<CorpusCase, Played>,
): Promise<void> {
  const waiting = cases.values();
  const worker = async (): Promise<void> => {
    for (const corpusCase of waiting) {
      const { observed, afterwards } = await play(corpusCase, await stage(corpusCase));
      played.set(corpusCase, { observed, afterwards, verdict: judge(corpusCase, observed) });
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
}

/** Plays a case; never rejects. */
async function play(
  corpusCase: CorpusCase,
  { server, port, settlingMs, options }: Stage,
): Promise<Omit<Played, 'verdict'>> {
  const informational: number[] = [];
  const connection = new HTTPConnection('127.0.0.1', port, {
    ...options,
    onInformational: (interim) => informational.push(interim.status),
  });
  let at: Place = 'head';
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<'hang'>((resolve) => {
    timer = setTimeout(resolve, CASE_LIMIT_MS, 'hang');
  });
  const exchange = async (): Promise<Observed> => {
    try {
      const method = corpusCase.method ?? 'GET';
      await connection.request(method, method === 'CONNECT' ? 'example.com:443' : '/');
      const response = await connection.getResponse();
      at = 'body';
      const body = await response.readall();
      const switched = endsHTTP(method, response.status);
      const tunnel = switched ? await tunnelBytes(connection.detach(), server, corpusCase, settlingMs) : null;
      return {
        kind: 'response',
        status: response.status,
        version: response.version,
        reason: response.reason,
        headers: [...response.headers],
        body,
        trailers: [...response.trailers],
        informational,
        tunnel,
        reused: false,
      };
    } catch (error) {
      return { kind: 'failure', at, error };
    }
  };
  try {
    const observed = await Promise.race([exchange(), limit]);
    if (observed === 'hang') return { observed: { kind: 'hang', at }, afterwards: null };
    const afterwards = await Promise.race([requestAgain(connection, server, settlingMs), limit]);
    if (afterwards === 'hang') return { observed, afterwards: 'a second request had no end' };
    const { failure, reused } = afterwards;
    if (observed.kind === 'response') return { observed: { ...observed, reused }, afterwards: failure };
    return { observed, afterwards: reused ? 'a connection was used again after a failure' : failure };
  } finally {
    clearTimeout(timer);
    connection.close();
    await server.close();
  }
}

/** A second request through the same object, once what the server still had to say has arrived. */
async function requestAgain(
  connection: HTTPConnection,
  server: CorpusServer,
  settlingMs: number,
): Promise<{ failure: string | null; reused: boolean }> {
  await server.scriptDone;
  await sleep(settlingMs);
  try {
    await connection.request('GET', '/');
    const response = await connection.getResponse();
    const body = (await response.readall()).toString('latin1');
    const reused = server.laterRequests[0] === 1;
    if (response.status !== 200 || body !== LATER_BODY) {
      return {
        failure: `poisoned: the second request got ${String(response.status)} ${body.slice(0, 80)}`,
        reused,
      };
    }
    return { failure: null, reused };
  } catch (error) {
    return { failure: `the second request failed: ${String(error)}`, reused: false };
  }
}

/** What comes through a detached connection: all until the peer ends it, or what was there soon after its script ended. */
async function tunnelBytes(
  tunnel: Duplex,
  server: CorpusServer,
  { end }: CorpusCase,
  settlingMs: number,
): Promise<Buffer> {
  const pieces: Buffer[] = [];
  const closed = new Promise<void>((resolve) => {
    tunnel.on('data', (bytes: Buffer) => pieces.push(bytes));
    tunnel.on('end', resolve);
  });
  await server.scriptDone;
  await (end === 'close' ? closed : sleep(settlingMs));
  tunnel.destroy();
  return Buffer.concat(pieces);
}
