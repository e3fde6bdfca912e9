/**
 * How options are read: own members only, unknown names refused with the nearest, and what a time limit may be.
 */

import { expect } from 'chai';

import { HTTPConnection, HTTPSConnection } from '../lib/index.js';
import { resolveLimits } from '../lib/limits.js';
import type { LimitOverrides } from '../lib/limits.js';
import { checkMs, namesOf, readOptions, resolveTimeouts } from '../lib/options.js';
import { rejection } from './support/rejection.js';
import { TLS } from './support/transports.js';

interface Options {
  timeout?: number | undefined;
  sourceAddress?: string | undefined;
  rejectUnauthorized?: boolean | undefined;
}

const KNOWN = namesOf<Options>({ timeout: true, sourceAddress: true, rejectUnauthorized: true });

const read = (options: unknown): Options => readOptions(options as Options, KNOWN);

describe('options', () => {
  it('are what the object itself has: nothing that it inherits, nor what is written into Object.prototype', () => {
    const inherited = Object.create({ rejectUnauthorized: false }) as Options;
    const polluted = Object.prototype as Options;
    polluted.rejectUnauthorized = false;
    polluted.timeout = 1;
    try {
      for (const options of [undefined, {}, { sourceAddress: 'a' }, { timeout: undefined }, inherited]) {
        const { timeout = 5, rejectUnauthorized = true } = read(options);
        expect([timeout, rejectUnauthorized]).to.deep.equal([5, true]);
      }
    } finally {
      delete polluted.rejectUnauthorized;
      delete polluted.timeout;
    }
  });

  it('may be undefined, each and all of them', () => {
    expect(Object.keys(read({ timeout: undefined, sourceAddress: 'x' }))).to.deep.equal(['sourceAddress']);
    expect(Object.keys(read(undefined))).to.deep.equal([]);
    expect(read(undefined)).to.equal(read(undefined));
  });

  it('are read once: what is changed afterwards changes nothing', () => {
    let asked = 0;
    const options = {
      get timeout() {
        return ++asked;
      },
      sourceAddress: 'a',
    };
    const { timeout, sourceAddress } = read(options);
    options.sourceAddress = 'b';
    expect([timeout, sourceAddress, asked]).to.deep.equal([1, 'a', 1]);
  });

  const unknown: Record<string, RegExp> = {
    timout: /^unknown option 'timout', did you mean 'timeout'\?$/,
    timeOut: /did you mean 'timeout'/,
    tiemout: /did you mean 'timeout'/,
    sourceAdress: /did you mean 'sourceAddress'/,
    rejectUnauthorised: /did you mean 'rejectUnauthorized'/,
    keepAlive: /^unknown option 'keepAlive', known: timeout, sourceAddress, rejectUnauthorized$/,
    ['__proto__']: /unknown option '__proto__'/,
    ["a'\n"]: /unknown option 'a'\\n'/,
    ['x'.repeat(5000)]: /^unknown option 'x{40}…'/,
  };
  for (const [name, says] of Object.entries(unknown)) {
    it(`of an unknown name are refused, saying the nearest: ${JSON.stringify(name.slice(0, 20))}`, () => {
      expect(() => read({ [name]: 1 })).to.throw(TypeError, says);
      // Undefined or not: a wrong name is a wrong name.
      expect(() => read({ [name]: undefined })).to.throw(TypeError, says);
    });
  }

  const wrong: [given: unknown, kind: string][] = [
    [5, 'number'],
    ['x', 'string'],
    [true, 'boolean'],
    [null, 'null'],
    [[], 'Array'],
    [() => null, 'function'],
    [new Map(), 'Map'],
    [Promise.resolve(), 'Promise'],
    [new AbortController().signal, 'AbortSignal'],
  ];
  for (const [given, kind] of wrong) {
    it(`are an object, not ${kind}`, () => {
      expect(() => read(given)).to.throw(TypeError, `options must be an object, got ${kind}`);
    });
  }
});

describe('the options of a connection and of its requests', () => {
  const CLASSES = { HTTPConnection, HTTPSConnection };
  for (const [name, connectionClass] of Object.entries(CLASSES)) {
    it(`are refused by ${name} when they are unknown or none, before anything is dialled`, async () => {
      const make = (options: unknown): unknown => new connectionClass('h', 1, options as object);
      expect(() => make({ timout: 1 })).to.throw(
        TypeError,
        "unknown option 'timout', did you mean 'timeout'?",
      );
      expect(() => make(5)).to.throw(TypeError, 'options must be an object, got number');
      expect(() => make({ timeout: 0 })).to.throw(RangeError, 'timeout must be a positive number');
      const connection = new connectionClass('127.0.0.1', 1);
      const request = (options: unknown): Promise<unknown> =>
        rejection(connection.request('GET', '/', null, {}, options as object));
      expect(await request({ singal: null })).to.be.instanceOf(TypeError).with.property('message', "unknown option 'singal', did you mean 'signal'?"); // prettier-ignore
      expect(await request(true)).to.be.instanceOf(TypeError);
      expect(await request({ timeout: { body: 0 } })).to.be.instanceOf(RangeError);
      expect(connection.state).to.equal('Idle');
    });
  }

  it('are not those of Object.prototype: verification of the peer stays on', async () => {
    const server = await TLS.serve(() => undefined);
    const polluted = Object.prototype as Options;
    polluted.rejectUnauthorized = false;
    try {
      const connection = new HTTPSConnection('localhost', server.port);
      expect(await rejection(connection.connect())).to.have.property(
        'code',
        'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      );
      connection.close();
    } finally {
      delete polluted.rejectUnauthorized;
    }
  });
});

describe('a time limit', () => {
  it('is a number for all clocks but total, an object for each, and null or undefined for none', () => {
    expect(resolveTimeouts(5)).to.deep.equal({ connect: 5, send: 5, response: 5, body: 5 });
    expect(resolveTimeouts({ total: 7, send: null, body: undefined, response: Infinity })).to.deep.equal({
      total: 7,
      response: Infinity,
    });
    expect([resolveTimeouts(undefined), resolveTimeouts(null)]).to.deep.equal([null, null]);
  });

  for (const ms of [0, -0, -1, NaN, -Infinity]) {
    it(`of ${String(ms)} is a RangeError`, () => {
      expect(() => resolveTimeouts(ms)).to.throw(RangeError, /timeout must be a positive number/);
      expect(() => resolveTimeouts({ body: ms })).to.throw(RangeError, /timeout\.body must be a positive/);
      expect(() => checkMs('idleTimeout', ms)).to.throw(RangeError, /idleTimeout/);
    });
  }

  const wrong: [given: unknown, says: RegExp][] = [
    ['5', /timeout must be a number or an object, got string/],
    [[5], /got Array/],
    [5n, /got bigint/],
    [{ body: '5' }, /timeout\.body must be .*got string/],
    [{ idle: 5 }, /unknown option 'idle' in timeout, known: connect, send, response, body, total/],
    [{ conect: 5 }, /'conect' in timeout, did you mean 'connect'/],
  ];
  for (const [given, says] of wrong) {
    it(`is a TypeError when it is ${JSON.stringify(given, (_, value: unknown) => (typeof value === 'bigint' ? `${String(value)}n` : value))}`, () => {
      expect(() => resolveTimeouts(given as number)).to.throw(TypeError, says);
    });
  }
});

describe('limits', () => {
  it('have their defaults where they are absent or undefined', () => {
    expect(resolveLimits({ fields: undefined, lineBytes: 100 })).to.include({ fields: 100, lineBytes: 100 });
  });

  it('are refused when unknown, with the nearest, and when they are no count', () => {
    expect(() => resolveLimits({ headbytes: 1 } as LimitOverrides)).to.throw(
      TypeError,
      "unknown option 'headbytes' in limits, did you mean 'headBytes'?",
    );
    for (const fields of [-1, 1.5, NaN, Infinity, '5' as unknown as number]) {
      expect(() => resolveLimits({ fields })).to.throw(TypeError, /limits\.fields must be/);
    }
    expect(() => resolveLimits(5 as LimitOverrides)).to.throw(
      TypeError,
      'limits must be an object, got number',
    );
  });
});
