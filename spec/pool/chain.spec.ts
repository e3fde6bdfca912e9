/**
 * The chain of those who wait: order and count under any sequence of joining and leaving, and its price.
 */

import { expect } from 'chai';
import * as fc from 'fast-check';

import { Chain } from '../../lib/pool/chain.js';
import type { Member } from '../../lib/pool/chain.js';

class Waiter implements Member<Waiter> {
  before: Waiter | null = null;
  behind: Waiter | null = null;
  chain: object | null = null;
  readonly number: number;

  constructor(number: number) {
    this.number = number;
  }
}

const numbers = (chain: Chain<Waiter>): number[] => Array.from(chain, ({ number }) => number);

describe('a chain', () => {
  it('keeps the order of joining, whoever leaves from wherever', () => {
    const step = fc.oneof(
      fc.constant('push' as const),
      fc.constant('shift' as const),
      fc.constant('pop' as const),
      fc.nat(20),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const chain = new Chain<Waiter>();
        const model: Waiter[] = [];
        let made = 0;
        for (const each of steps) {
          if (each === 'push') {
            const waiter = new Waiter(made++);
            chain.push(waiter);
            model.push(waiter);
          } else if (each === 'shift') {
            expect(chain.shift()).to.equal(model.shift() ?? null);
          } else if (each === 'pop') {
            expect(chain.pop()).to.equal(model.pop() ?? null);
          } else {
            const waiter = model[each];
            if (waiter === undefined) continue;
            expect(chain.remove(waiter)).to.equal(true);
            model.splice(each, 1);
          }
          expect(numbers(chain)).to.deep.equal(model.map(({ number }) => number));
          expect(chain.size).to.equal(model.length);
          expect(chain.first).to.equal(model[0] ?? null);
          expect(chain.last).to.equal(model.at(-1) ?? null);
        }
      }),
    );
  });

  it('takes nobody in twice and lets nobody out who is not in it', () => {
    const [one, other] = [new Chain<Waiter>(), new Chain<Waiter>()];
    const waiter = new Waiter(1);
    one.push(waiter);
    one.push(waiter);
    other.push(waiter);
    expect([one.size, other.size]).to.deep.equal([1, 0]);
    expect(other.remove(waiter)).to.equal(false);
    expect(one.remove(waiter)).to.equal(true);
    expect(one.remove(waiter)).to.equal(false);
    other.push(waiter);
    expect(numbers(other)).to.deep.equal([1]);
  });

  it('may be left by each while it is gone through', () => {
    const chain = new Chain<Waiter>();
    for (let number = 0; number < 5; number++) chain.push(new Waiter(number));
    const seen: number[] = [];
    for (const waiter of chain) {
      seen.push(waiter.number);
      chain.remove(waiter);
    }
    expect(seen).to.deep.equal([0, 1, 2, 3, 4]);
    expect(chain.size).to.equal(0);
  });

  it('is left from the middle without a scan: a hundred thousand leave in a random order in well under a second', () => {
    const chain = new Chain<Waiter>();
    const waiters = Array.from({ length: 100_000 }, (_, number) => new Waiter(number));
    for (const waiter of waiters) chain.push(waiter);
    const begun = performance.now();
    for (let i = 0; i < waiters.length; i++) chain.remove(waiters[(i * 7919) % waiters.length] as Waiter);
    expect(performance.now() - begun).to.be.below(1000);
    expect(chain.size).to.equal(0);
  });
});
