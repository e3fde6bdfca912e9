/**
 * One body delivered in every way that is told apart: how it is cut, how its pieces are handed over, how much of it was there before
 * the first read. And what every way of reading says behind the end.
 */
import { expect } from 'chai';

import type { HTTPResponse } from '../../lib/response/response.js';
import { cuttings } from './cuttings.js';
import { FedResponse } from './fed-response.js';
import type { BodyScript, Handover } from './fed-response.js';

const HANDOVERS: readonly Handover[] = ['owned', 'lent', 'direct'];

/** Calls `check` with the body delivered in every way: cut, handed over, and arrived before the first read or not. */
export async function inEveryDelivery(
  body: Buffer,
  check: (response: HTTPResponse, source: FedResponse) => Promise<void>,
  script: Partial<BodyScript> = {},
): Promise<void> {
  for (const [name, pieces] of cuttings(body)) {
    for (const handover of HANDOVERS) {
      for (const ahead of new Set([0, Math.ceil(pieces.length / 2), pieces.length])) {
        const source = new FedResponse({ ...script, pieces, handover, ahead });
        try {
          await check(source.response, source);
        } catch (error) {
          throw new Error(`${name}, ${handover}, ${String(ahead)} ahead: ${String(error)}`, { cause: error });
        }
      }
    }
  }
}

/** Fails unless every way of reading says that the body has ended. */
export async function expectTheEnd(response: HTTPResponse): Promise<void> {
  expect(await response.readbytes(5)).to.have.lengthOf(0);
  expect(await response.readbytes()).to.have.lengthOf(0);
  expect(await response.readall()).to.have.lengthOf(0);
  expect(await response.read1()).to.have.lengthOf(0);
  expect(await response.peek()).to.have.lengthOf(0);
  expect(await response.readline()).to.have.lengthOf(0);
  expect(await response.readlines()).to.deep.equal([]);
  expect(await response.readinto(Buffer.alloc(4))).to.equal(0);
  expect(await response.text()).to.equal('');
  expect(await response.lines().next()).to.deep.equal({ done: true, value: undefined });
  expect(response.read()).to.equal(null);
  expect(await response[Symbol.asyncIterator]().next()).to.deep.equal({ done: true, value: undefined });
  expect(await response.drain()).to.equal(true);
}
