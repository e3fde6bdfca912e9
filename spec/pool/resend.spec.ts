/**
 * The table of the automatic resend, walked cell by cell. What it says of real connections stands in `pool-resend.spec.ts`.
 */

import { expect } from 'chai';

import { RESENDS, resends } from '../../lib/pool/resend.js';
import type { BodyKind, Death, Moment } from '../../lib/pool/resend.js';

const DEATHS: readonly Death[] = ['used connection', 'new connection', 'other'];
const MOMENTS: readonly Moment[] = ['unsent', 'unanswered', 'answered'];
const BODIES: readonly BodyKind[] = ['repeatable', 'untouched', 'spent'];
const METHODS = ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE', 'POST', 'PATCH', 'CONNECT', 'BREW'];
const IDEMPOTENT = METHODS.slice(0, 6);

/** What section 7 of the contract says, in its own words. */
function expected(death: Death, moment: Moment, body: BodyKind, method: string): boolean {
  const onReusedConnection = death === 'used connection';
  const beforeAnyResponseByte = moment !== 'answered';
  const canBeSentAgain = body !== 'spent';
  const nothingTwice = IDEMPOTENT.includes(method) || moment === 'unsent';
  return onReusedConnection && beforeAnyResponseByte && canBeSentAgain && nothingTwice;
}

describe('the table of the automatic resend', () => {
  it('has every cell', () => {
    expect(Object.keys(RESENDS)).to.have.members(DEATHS);
    for (const moments of Object.values(RESENDS)) {
      expect(Object.keys(moments)).to.have.members(MOMENTS);
      for (const bodies of Object.values(moments)) expect(Object.keys(bodies)).to.have.members(BODIES);
    }
  });

  for (const death of DEATHS) {
    for (const moment of MOMENTS) {
      for (const body of BODIES) {
        for (const method of METHODS) {
          const again = expected(death, moment, body, method);
          it(`${death}, ${moment}, ${body} body, ${method}: ${again ? 'sent again' : 'the error'}`, () => {
            expect(resends(death, moment, body, method)).to.equal(again);
          });
        }
      }
    }
  }
});
