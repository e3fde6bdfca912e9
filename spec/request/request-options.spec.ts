/**
 * The options of a request: read once, by their own members, and refused when nobody knows them.
 */
import { expect } from 'chai';

import { HTTPConnection } from '../../lib/index.js';
import type { RequestOptions } from '../../lib/index.js';
import { readRequestOptions } from '../../lib/request/request-options.js';
import { rejection } from '../support/rejection.js';

describe('the options of a request', () => {
  it('are their own members, those that are undefined left out', () => {
    const inherited = Object.create({ timeout: 1 }) as RequestOptions;
    expect(readRequestOptions(inherited).timeout).to.equal(undefined);
    expect('signal' in readRequestOptions({ signal: undefined })).to.equal(false);
    expect(readRequestOptions({ timeout: 5 }).timeout).to.equal(5);
  });

  const REFUSED: [name: string, options: unknown, says: RegExp][] = [
    ['a name that is nearly right', { timeOut: 5 }, /'timeOut'.*'timeout'/],
    ['fields in their place', { Accept: '*/*' }, /unknown option 'Accept'/],
    ['a signal in their place', new AbortController().signal, /AbortSignal/],
    ['null', null, /null/],
    ['a signal that is none', { signal: {} }, /signal/],
    ['an onInformational that is no function', { onInformational: 5 }, /onInformational/],
  ];
  for (const [name, options, says] of REFUSED) {
    it(`are refused before anything is dialled: ${name}`, async () => {
      const connection = new HTTPConnection('127.0.0.1', 1);
      const error = await rejection(connection.request('GET', '/', null, {}, options as RequestOptions));
      expect(error).to.be.instanceOf(TypeError);
      expect(error.message).to.match(says);
    });
  }

  it('say what send() needs when it is given nothing', async () => {
    const error = await rejection(new HTTPConnection('127.0.0.1', 1).send(null as unknown as string));
    expect(error).to.be.instanceOf(TypeError);
    expect(error.message).to.match(/send\(\) needs data.*got null/);
  });
});
