/**
 * The clocks of an exchange under a faked time: one timer for all, deadlines that move cheaply, and each expiry told once.
 */
import { expect } from 'chai';
import sinon from 'sinon';
import { Clock } from '../../lib/exchange/clock.js';
import type { TimeLimits } from '../../lib/options.js';

describe('Clock', () => {
  let time: sinon.SinonFakeTimers;
  let expiries: [timer: string, limit: number, at: number][];

  beforeEach(() => {
    time = sinon.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    expiries = [];
  });

  afterEach(() => {
    time.restore();
  });

  function clockOf(limits: TimeLimits): Clock {
    return new Clock(limits, (timer, ms) => expiries.push([timer, ms, performance.now()]));
  }

  it('fires a limit when it has passed, not before, and once', () => {
    clockOf({ response: 100 }).start('response');
    time.tick(99);
    expect(expiries).to.deep.equal([]);
    time.tick(1);
    expect(expiries).to.deep.equal([['response', 100, 100]]);
    time.tick(1000);
    expect(expiries).to.have.length(1);
  });

  it('starts anew with each start', () => {
    const clock = clockOf({ body: 100 });
    for (let i = 0; i < 10; i++) {
      clock.start('body');
      time.tick(90);
    }
    expect(expiries).to.deep.equal([]);
    time.tick(10);
    expect(expiries).to.deep.equal([['body', 100, 910]]);
  });

  it('stands still after stop, and counts from nothing when started again', () => {
    const clock = clockOf({ body: 100 });
    clock.start('body');
    time.tick(80);
    clock.stop('body');
    time.tick(500);
    clock.start('body');
    time.tick(99);
    expect(expiries).to.deep.equal([]);
    time.tick(1);
    expect(expiries).to.deep.equal([['body', 100, 680]]);
  });

  it('tells a shorter limit that was started later in time', () => {
    const clock = clockOf({ total: 1000, response: 50 });
    clock.start('total');
    time.tick(500);
    clock.start('response');
    time.tick(50);
    expect(expiries).to.deep.equal([['response', 50, 550]]);
  });

  it('goes on with the other limits behind an expiry that its owner ignores', () => {
    const clock = clockOf({ total: 200, send: 50, body: 80 });
    clock.start('total');
    clock.start('body');
    clock.start('send');
    time.tick(1000);
    expect(expiries).to.deep.equal([
      ['send', 50, 50],
      ['body', 80, 80],
      ['total', 200, 200],
    ]);
  });

  it('tells limits that end together one after the other', () => {
    const clock = clockOf({ total: 50, send: 50 });
    clock.start('total');
    clock.start('send');
    time.tick(60);
    expect(expiries.map(([timer]) => timer)).to.have.members(['total', 'send']);
  });

  it('takes a limit that its owner restarts from within the expiry', () => {
    const clock: Clock = new Clock({ send: 50 }, (timer, ms) => {
      expiries.push([timer, ms, performance.now()]);
      if (expiries.length < 3) clock.start('send');
    });
    clock.start('send');
    time.tick(1000);
    expect(expiries.map(([, , at]) => at)).to.deep.equal([50, 100, 150]);
  });

  it('ends for good with clear: no timer is left, and none starts again', () => {
    const clock = clockOf({ total: 100, body: 100 });
    clock.start('total');
    clock.clear();
    clock.start('body');
    expect(time.countTimers()).to.equal(0);
    time.tick(1000);
    expect(expiries).to.deep.equal([]);
  });

  it('arms one timer, however many clocks run and however often they are restarted', () => {
    const clock = clockOf({ connect: 100, send: 200, response: 300, body: 400, total: 500 });
    for (let i = 0; i < 50; i++) {
      for (const timer of ['connect', 'send', 'response', 'body', 'total'] as const) clock.start(timer);
      time.tick(1);
    }
    expect(time.countTimers()).to.equal(1);
  });

  it('arms nothing without a limit, nor for one that no timer can wait for', () => {
    const clock = clockOf({ body: Infinity, send: 2 ** 31 });
    for (const timer of ['connect', 'send', 'response', 'body', 'total'] as const) clock.start(timer);
    expect(time.countTimers()).to.equal(0);
  });

  it('fires a limit of 0 with the next timers', () => {
    clockOf({ connect: 0 }).start('connect');
    time.tick(1);
    expect(expiries.map(([timer]) => timer)).to.deep.equal(['connect']);
  });
});
