/**
 * Thousands of exchanges in which everything that can go wrong does, at both ends, chosen by a seed: each settles, with the right bytes
 * or an error that the documentation has for it, and nothing is left when all are done.
 *
 * `CHAOS_SEED=…` plays a run again, `CHAOS_EXCHANGES=…` makes it longer.
 */
import { expect } from 'chai';
import { HTTPConnection, HTTPSConnection } from '../../lib/index.js';
import type { LookupFunction } from 'node:net';
import { lookupFor, runExchange } from './chaos/client.js';
import { planExchange } from './chaos/plan.js';
import type { LookupLie } from './chaos/plan.js';
import { ChaosServer } from './chaos/server.js';
import { judge, leavesBrittle } from './chaos/verdict.js';
import { TRUSTING } from '../support/transports.js';

const SEED = Number(process.env['CHAOS_SEED'] ?? Math.floor(Math.random() * 2 ** 32));
const EXCHANGES = Number(process.env['CHAOS_EXCHANGES'] ?? 3000);
const WORKERS = 48;

const WAYS = ['TCP', 'TCP', 'TCP', 'TLS', 'TCP', 'TCP', 'garbled TLS', 'a tunnel'] as const;

function connect(
  way: (typeof WAYS)[number],
  lookup: LookupFunction,
  plain: ChaosServer,
  encrypted: ChaosServer,
): HTTPConnection {
  if (way === 'TCP') return new HTTPConnection('localhost', plain.port, { lookup });
  const port =
    way === 'TLS' ? encrypted.port : way === 'a tunnel' ? encrypted.proxyPort : encrypted.garblingPort;
  const connection = new HTTPSConnection('localhost', port, { context: TRUSTING, lookup });
  if (way === 'a tunnel') connection.setTunnel('localhost', encrypted.port);
  return connection;
}

function countResources(kind: string): number {
  return process.getActiveResourcesInfo().filter((name) => name === kind).length;
}

describe('chaos', () => {
  it(`${String(EXCHANGES)} exchanges under CHAOS_SEED=${String(SEED)} each settle rightly and leave nothing behind`, async function () {
    this.timeout(60_000 + EXCHANGES * 20);
    const plain = new ChaosServer(false, (number) => planExchange(SEED, number));
    const encrypted = new ChaosServer(true, (number) => planExchange(SEED, number));
    await Promise.all([plain.listen(), encrypted.listen()]);
    // Not earlier: mocha starts its own timer at the first await.
    const base = { sockets: countResources('TCPSocketWrap'), timers: countResources('Timeout') };
    const wrong: string[] = [];
    let next = 0;
    const worker = async (_: unknown, index: number): Promise<void> => {
      const way = WAYS[index % WAYS.length] as (typeof WAYS)[number];
      const current: { lie: LookupLie | null } = { lie: null };
      const connection = connect(way, lookupFor(current), plain, encrypted);
      let brittle = false;
      while (next < EXCHANGES) {
        const plan = planExchange(SEED, next++);
        current.lie = plan.client.lookup;
        const report = await runExchange(connection, plan);
        for (const what of judge(plan, report, { brittle, garbles: way === 'garbled TLS' })) {
          wrong.push(`exchange ${String(plan.number)} over ${way}: ${what}`);
        }
        brittle = leavesBrittle(plan);
      }
      connection.close();
    };
    await Promise.all(Array.from({ length: WORKERS }, worker));
    await Promise.all([plain.close(), encrypted.close()]);
    expect([...wrong, ...plain.violations, ...encrypted.violations].slice(0, 20)).to.deep.equal([]);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(countResources('TCPSocketWrap')).to.equal(base.sockets);
    expect(countResources('Timeout')).to.equal(base.timers);
  });
});
