/**
 * The table of legal events, cell by cell: every state and call, every state and event of both axes, every verdict.
 */

import { expect } from 'chai';

import {
  CALLS,
  makesSendingPointless,
  REQUEST_STEPS,
  RESPONSE_STEPS,
  verdict,
} from '../../lib/protocol/exchange-table.js';
import type {
  Call,
  ConnectionState,
  RequestEvent,
  RequestState,
  ResponseEvent,
  ResponseState,
  Verdict,
} from '../../lib/protocol/exchange-table.js';

const REQUEST_STATES: readonly RequestState[] = ['preparing', 'waiting', 'sending', 'owing', 'sent', 'cut'];
const REQUEST_EVENTS: readonly RequestEvent[] = [
  'head',
  'head and wait',
  'continue',
  'owe',
  'more',
  'finish',
  'stop',
];
const RESPONSE_STATES: readonly ResponseState[] = ['awaited', 'body', 'complete', 'switched', 'failed'];
const RESPONSE_EVENTS: readonly ResponseEvent[] = ['head', 'end', 'switch', 'fail'];

describe('the calls of a connection', () => {
  const STATES: readonly ConnectionState[] = ['Idle', 'Request-started', 'Request-sent'];

  /** In the order of STATES: the state behind the call, or the exception. */
  const TABLE: Readonly<Record<Call, readonly [string, string, string]>> = {
    putRequest: ['Request-started', 'CannotSendRequest', 'CannotSendRequest'],
    putHeader: ['CannotSendHeader', 'Request-started', 'CannotSendHeader'],
    endHeaders: ['CannotSendHeader', 'Request-sent', 'CannotSendHeader'],
    request: ['Request-sent', 'CannotSendRequest', 'CannotSendRequest'],
    getResponse: ['ResponseNotReady', 'ResponseNotReady', 'Idle'],
  };

  for (const [call, row] of Object.entries(TABLE)) {
    for (const [column, state] of STATES.entries()) {
      it(`${call} in ${state} is ${String(row[column])}`, () => {
        expect(CALLS[state][call as Call]).to.equal(row[column]);
      });
    }
  }

  it('are all there are', () => {
    expect(Object.keys(CALLS)).to.have.members(STATES);
    for (const state of STATES) expect(Object.keys(CALLS[state])).to.have.members(Object.keys(TABLE));
  });
});

describe('the request axis', () => {
  /** Empty: the event changes nothing. */
  const TABLE: Readonly<Record<RequestState, Partial<Record<RequestEvent, RequestState>>>> = {
    preparing: { head: 'sending', 'head and wait': 'waiting', stop: 'cut' },
    waiting: { continue: 'sending', stop: 'cut' },
    sending: { owe: 'owing', finish: 'sent', stop: 'cut' },
    owing: { more: 'sending', stop: 'cut' },
    sent: { more: 'sending' },
    cut: {},
  };
  for (const state of REQUEST_STATES) {
    for (const event of REQUEST_EVENTS) {
      const next = TABLE[state][event];
      it(`'${event}' when ${state} ${next === undefined ? 'changes nothing' : `leads to ${next}`}`, () => {
        expect(REQUEST_STEPS[state][event]).to.equal(next);
      });
    }
  }

  it('has no other state, and every state is reached from the first', () => {
    expect(Object.keys(REQUEST_STEPS)).to.have.members([...REQUEST_STATES]);
    expect(reachedFrom('preparing', REQUEST_STEPS)).to.have.members([...REQUEST_STATES]);
  });

  it('ends: nothing leads out of cut, and only what send() adds out of sent', () => {
    expect(REQUEST_STEPS.sent).to.deep.equal({ more: 'sending' });
    expect(REQUEST_STEPS.cut).to.deep.equal({});
  });
});

describe('the response axis', () => {
  const TABLE: Readonly<Record<ResponseState, Partial<Record<ResponseEvent, ResponseState>>>> = {
    awaited: { head: 'body', switch: 'switched', fail: 'failed' },
    body: { end: 'complete', fail: 'failed' },
    complete: { fail: 'failed' },
    switched: { fail: 'failed' },
    failed: {},
  };
  for (const state of RESPONSE_STATES) {
    for (const event of RESPONSE_EVENTS) {
      const next = TABLE[state][event];
      it(`'${event}' when ${state} ${next === undefined ? 'changes nothing' : `leads to ${next}`}`, () => {
        expect(RESPONSE_STEPS[state][event]).to.equal(next);
      });
    }
  }

  it('has no other state, and every state is reached from the first', () => {
    expect(Object.keys(RESPONSE_STEPS)).to.have.members([...RESPONSE_STATES]);
    expect(reachedFrom('awaited', RESPONSE_STEPS)).to.have.members([...RESPONSE_STATES]);
  });
});

const SURPLUS = 'bytes followed the response';

describe('the verdict on a connection', () => {
  type Row = readonly [alive: Verdict, aliveSurplus: Verdict, closing: Verdict, closingSurplus: Verdict];
  const every = (one: Verdict): Row => [one, one, one, one];
  const FAILED = 'the exchange failed';
  const WILL_CLOSE = 'the peer will close';

  /** What a complete response makes of each request state; the columns are keep-alive and surplus. */
  const COMPLETE: Readonly<Record<RequestState, Row>> = {
    preparing: ['unfinished', SURPLUS, WILL_CLOSE, SURPLUS],
    waiting: ['unfinished', SURPLUS, WILL_CLOSE, SURPLUS],
    sending: ['unfinished', SURPLUS, WILL_CLOSE, SURPLUS],
    owing: ['unfinished', SURPLUS, WILL_CLOSE, SURPLUS],
    sent: ['reuse', SURPLUS, WILL_CLOSE, SURPLUS],
    cut: ['the request was cut short', SURPLUS, WILL_CLOSE, SURPLUS],
  };
  const rowOf = (request: RequestState, response: ResponseState): Row => {
    if (response === 'switched') return every('hand over');
    if (response === 'failed') return [FAILED, SURPLUS, FAILED, SURPLUS];
    return response === 'complete' ? COMPLETE[request] : every('unfinished');
  };

  for (const request of REQUEST_STATES) {
    for (const response of RESPONSE_STATES) {
      const row = rowOf(request, response);
      it(`with the request ${request} and the response ${response} is ${[...new Set(row)].join(' / ')}`, () => {
        const columns = [
          [true, false],
          [true, true],
          [false, false],
          [false, true],
        ] as const;
        expect(
          columns.map(([keepAlive, surplus]) =>
            verdict(request, response, keepAlive, surplus ? SURPLUS : null),
          ),
        ).to.deep.equal(row);
      });
    }
  }

  it('lets a connection live in one cell of all of them', () => {
    let reused = 0;
    for (const request of REQUEST_STATES)
      for (const response of RESPONSE_STATES)
        for (const keepAlive of [true, false])
          for (const surplus of [true, false])
            if (verdict(request, response, keepAlive, surplus ? SURPLUS : null) === 'reuse') reused++;
    expect(reused).to.equal(1);
  });
});

describe('a final head', () => {
  const TABLE: { status: number; keepAlive: boolean; pointless: boolean }[] = [
    { status: 200, keepAlive: true, pointless: false },
    { status: 299, keepAlive: true, pointless: false },
    { status: 300, keepAlive: true, pointless: true },
    { status: 413, keepAlive: true, pointless: true },
    { status: 500, keepAlive: true, pointless: true },
    { status: 200, keepAlive: false, pointless: true },
    { status: 413, keepAlive: false, pointless: true },
  ];
  for (const { status, keepAlive, pointless } of TABLE) {
    it(`${String(status)}${keepAlive ? '' : ' with close'} ${pointless ? 'ends' : 'does not end'} the upload`, () => {
      expect(makesSendingPointless(status, !keepAlive)).to.equal(pointless);
    });
  }
});

function reachedFrom<State extends string>(
  first: State,
  steps: Readonly<Record<State, Partial<Record<string, State>>>>,
): State[] {
  const reached = new Set<State>([first]);
  for (const state of reached) {
    const next: (State | undefined)[] = Object.values(steps[state]);
    for (const one of next) if (one !== undefined) reached.add(one);
  }
  return [...reached];
}
