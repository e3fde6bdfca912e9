/**
 * The pools of a client: one for each origin, made when it is first asked and let go when it has had nothing to do for a minute.
 *
 * One timer for all that have nothing to do, which keeps no process alive. It sends nothing.
 */
import { Chain } from '../pool/chain.js';
import type { Member } from '../pool/chain.js';
import { Pool } from '../pool/pool.js';
import type { PoolOptions } from '../pool/pool-options.js';

/** A pool without connections and requests is let go after so long. */
const EMPTY_MS = 60_000;

class Entry implements Member<Entry> {
  before: Entry | null = null;
  behind: Entry | null = null;
  chain: object | null = null;
  readonly pool: Pool;
  emptySince = 0;

  constructor(pool: Pool) {
    this.pool = pool;
  }
}

/** How a client stands, at this moment: sums over its pools. */
export interface ClientStats {
  /** Origins that have a pool. */
  origins: number;
  /** Connections, those being opened included. */
  open: number;
  /** Connections that a request has. */
  busy: number;
  /** Connections that wait for a request. */
  idle: number;
  /** Requests that wait for a connection. */
  waiting: number;
}

export class Pools {
  readonly #options: PoolOptions;
  readonly #entries = new Map<string, Entry>();
  /** Pools that have nothing to do; the one that has had nothing for longest comes first. */
  readonly #empty = new Chain<Entry>();
  #timer: NodeJS.Timeout | null = null;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /**
   * The pool of an origin.
   *
   * @param origin - as `URL.origin`
   */
  for(origin: string): Pool {
    let entry = this.#entries.get(origin);
    if (entry === undefined) {
      const made = new Entry(new Pool(origin, this.#options));
      made.pool.onEmpty = () => {
        this.#onEmpty(made);
      };
      this.#entries.set(origin, made);
      // Until its first request: that may be refused.
      this.#onEmpty(made);
      entry = made;
    }
    return entry.pool;
  }

  /** How they stand, at this moment. */
  get stats(): ClientStats {
    const sum = { origins: this.#entries.size, open: 0, busy: 0, idle: 0, waiting: 0 };
    for (const { pool } of this.#entries.values()) {
      const { open, busy, idle, waiting } = pool.stats;
      sum.open += open;
      sum.busy += busy;
      sum.idle += idle;
      sum.waiting += waiting;
    }
    return sum;
  }

  async close(): Promise<void> {
    await Promise.all(Array.from(this.#entries.values(), ({ pool }) => pool.close()));
    this.#forgetAll();
  }

  destroy(error: Error): void {
    for (const { pool } of this.#entries.values()) pool.destroy(error);
    this.#forgetAll();
  }

  #onEmpty(entry: Entry): void {
    entry.emptySince = performance.now();
    this.#empty.remove(entry);
    this.#empty.push(entry);
    if (this.#timer === null) this.#arm(EMPTY_MS);
  }

  #arm(ms: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#letGo();
    }, Math.ceil(ms));
    this.#timer.unref();
  }

  #letGo(): void {
    const now = performance.now();
    for (let entry = this.#empty.first; entry !== null; entry = this.#empty.first) {
      const left = entry.emptySince + EMPTY_MS - now;
      if (left > 1) {
        this.#arm(left);
        return;
      }
      this.#empty.remove(entry);
      // One that is in use comes back when it is not.
      if (!entry.pool.inUse) this.#entries.delete(entry.pool.origin);
    }
  }

  #forgetAll(): void {
    for (let entry = this.#empty.shift(); entry !== null; entry = this.#empty.shift());
    this.#entries.clear();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
