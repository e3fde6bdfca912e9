/**
 * Retries over connections: what is tried again, after how long, what the caller is told, and what ends the waiting.
 */
import { setTimeout as wait } from 'node:timers/promises';

import { expect } from 'chai';

import { HTTPConnectionPool, NotConnected, RemoteDisconnected, TimeoutError } from '../../lib/index.js';
import type { Attempt, PoolOptions } from '../../lib/index.js';
import { okWith, TCP, TLS, until } from '../support/pools.js';
import { identity, rawServer, rawTLSServer } from '../support/raw-server.js';
import type { Script } from '../support/raw-server.js';
import { rejection } from '../support/rejection.js';

type Failed = Error & { attempts: Attempt[]; code?: string };

const status = (code: number, fields = '', body = ''): string =>
  `HTTP/1.1 ${String(code)} Status\r\n${fields}Content-Length: ${String(body.length)}\r\n\r\n${body}`;

/** Answers one request after the other, whatever the connection; the last answer is for all that follow. */
function inTurn(...steps: (string | ((...args: Parameters<Script>) => unknown))[]): Script {
  let at = 0;
  return (socket, request, peer) => {
    const step = steps[Math.min(at++, steps.length - 1)];
    if (typeof step === 'function') step(socket, request, peer);
    else socket.write(step ?? '');
  };
}

const dies: Script = (socket) => socket.destroy();
const FAST = { limit: 3, minDelay: 1, maxDelay: 2 };

for (const way of [TCP, TLS]) {
  describe(`a retry over ${way.name}`, () => {
    for (const code of [408, 429, 502, 503, 504]) {
      it(`follows on ${String(code)}, on the same connection once the body was drained`, async () => {
        const server = await way.serve(
          inTurn(status(code, '', 'x'.repeat(1000)), status(code), okWith('at last')),
        );
        const pool = way.pool(server, { retries: FAST });
        expect(await (await pool.request('GET', '/')).text()).to.equal('at last');
        expect(server.requests).to.have.length(3);
        expect(server.connections).to.equal(1);
      });
    }

    it('follows on a connection that dies on its first request', async () => {
      const server = await way.serve(inTurn(dies, dies, okWith('at last')));
      const pool = way.pool(server, { retries: FAST });
      expect(await (await pool.request('GET', '/')).text()).to.equal('at last');
      expect(server.requests).to.have.length(3);
    });
  });
}

describe('a retry', () => {
  for (const code of [200, 400, 401, 404, 500, 501]) {
    it(`does not follow on ${String(code)}`, async () => {
      const server = await rawServer(inTurn(status(code)));
      const pool = TCP.pool(server, { retries: FAST });
      expect((await pool.request('GET', '/')).status).to.equal(code);
      expect(server.requests).to.have.length(1);
    });
  }

  it('is not made unless it was asked for', async () => {
    const server = await rawServer(inTurn(status(503)));
    expect((await TCP.pool(server).request('GET', '/')).status).to.equal(503);
    expect(server.requests).to.have.length(1);
  });

  for (const method of ['POST', 'PATCH', 'BREW']) {
    it(`is not made of ${method}, unless the caller says so`, async () => {
      const server = await rawServer(inTurn(status(503), status(200)));
      const pool = TCP.pool(server, { retries: FAST });
      expect((await pool.request(method, '/', 'x')).status).to.equal(503);
      const allowed = { retries: { ...FAST, methods: [method] } };
      const other = TCP.pool(await rawServer(inTurn(status(503), status(200))));
      expect((await other.request(method, '/', 'x', {}, allowed)).status).to.equal(200);
      expect(server.requests).to.have.length(1);
    });
  }

  it('gives the last response when the attempts are used up', async () => {
    const server = await rawServer(
      inTurn(status(503, '', 'first'), status(502, '', 'second'), status(504, '', 'third')),
    );
    const response = await TCP.pool(server).request('GET', '/', null, {}, { retries: { ...FAST, limit: 2 } });
    expect(response.status).to.equal(504);
    expect(await response.text()).to.equal('third');
    expect(server.requests).to.have.length(3);
  });

  it('gives the last error when the attempts are used up, with all attempts', async () => {
    const server = await rawServer(inTurn(status(503), dies));
    const pool = TCP.pool(server, { retries: { ...FAST, limit: 2 } });
    const error = await rejection<Failed>(pool.request('GET', '/'));
    expect(error).to.be.instanceOf(RemoteDisconnected);
    expect(error.attempts.map(({ number, status: code }) => [number, code])).to.deep.equal([
      [1, 503],
      [2, null],
      [3, null],
    ]);
    expect(error.attempts.map((attempt) => attempt.error !== null)).to.deep.equal([false, true, true]);
    expect(error.attempts[2]?.error).to.equal(error);
    expect(error.attempts[0]?.delay).to.be.within(0.5, 2);
    expect(error.attempts[2]?.delay).to.equal(0);
    expect(Object.keys(error)).not.to.include('attempts');
    expect(error.message).to.match(/\(attempt 3\)$/);
  });

  it('follows on a refused connection, and a server that is there by then is reached', async () => {
    const first = await rawServer(() => undefined);
    const { port } = first;
    await first.close();
    const pool = new HTTPConnectionPool(`http://127.0.0.1:${String(port)}`, { retries: FAST });
    const error = await rejection<Failed>(pool.request('GET', '/'));
    expect(error.code).to.equal('ECONNREFUSED');
    expect(error.attempts).to.have.length(4);
    expect(pool.stats).to.deep.equal({ open: 0, busy: 0, idle: 0, waiting: 0 });
  });

  it('follows on a connect and on a response timeout, not on one of the body or of send', async () => {
    const silent = await rawServer(inTurn(() => undefined, okWith('at last')));
    const pool = TCP.pool(silent, { retries: FAST, timeout: { response: 50 } });
    expect(await (await pool.request('GET', '/')).text()).to.equal('at last');
    const stuck = await rawServer(inTurn('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe'));
    const response = await TCP.pool(stuck, { retries: FAST, timeout: { body: 50 } }).request('GET', '/');
    expect(await rejection(response.text())).to.include({ timer: 'body' });
    expect(stuck.requests).to.have.length(1);
    let dials = 0;
    const named = new HTTPConnectionPool('http://somewhere.test', {
      retries: FAST,
      timeout: { connect: 30 },
      lookup: () => void dials++,
    });
    expect(await rejection(named.request('GET', '/'))).to.include({ timer: 'connect' });
    expect(dials).to.equal(4);
  });

  const NEVER: readonly (readonly [name: string, reply: string])[] = [
    ['garbage', 'garbage\r\n\r\n'],
    ['a bad field', 'HTTP/1.1 503 X\r\na b: c\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 503 X\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n'],
    ['another protocol', 'HTTP/2.0 503 X\r\n\r\n'],
  ];
  for (const [name, reply] of NEVER) {
    it(`never follows on a violation of the protocol: ${name}`, async () => {
      const server = await rawServer(inTurn(reply));
      const error = await rejection<Failed>(TCP.pool(server, { retries: FAST }).request('GET', '/'));
      expect(server.requests).to.have.length(1);
      expect(error.attempts).to.have.length(1);
    });
  }

  it('never follows on a certificate that is not trusted', async () => {
    const server = await rawTLSServer(() => undefined, { tls: identity('self-signed') });
    const pool = new HTTPConnectionPool(`https://127.0.0.1:${String(server.port)}`, { retries: FAST });
    const error = await rejection<Failed>(pool.request('GET', '/'));
    expect(error.code).to.match(/CERT/);
    expect(error.attempts).to.have.length(1);
  });

  it('never follows on an abort or a `total` timeout', async () => {
    const server = await rawServer(() => undefined);
    const pool = TCP.pool(server, { retries: FAST });
    const error = await rejection<Failed>(pool.request('GET', '/', null, {}, { timeout: { total: 50 } }));
    expect(error).to.include({ timer: 'total' });
    const reason = Object.assign(new Error('stop'), { code: 'ECONNRESET' });
    const controller = new AbortController();
    setTimeout(() => controller.abort(reason), 20);
    expect(await rejection(pool.request('GET', '/', null, {}, { signal: controller.signal }))).to.equal(
      reason,
    );
    expect(Object.getOwnPropertyNames(reason)).not.to.include('attempts');
    expect(server.requests).to.have.length(2);
  });

  it('never follows on an error of the body, whatever its code, and leaves that error as it is', async () => {
    const own = Object.assign(new Error('from another connection'), { code: 'ECONNRESET' });
    const server = await rawServer(() => undefined, { atHead: true });
    const pool = TCP.pool(server, { retries: FAST });
    const body = async function* (): AsyncGenerator<string> {
      yield 'x';
      await wait(10);
      throw own;
    };
    expect(await rejection(pool.request('PUT', '/', () => body()))).to.equal(own);
    expect(Object.getOwnPropertyNames(own)).not.to.include('attempts');
    expect(server.connections).to.equal(1);
  });

  it('is not made of a body that cannot be sent again: the failure is given as it is', async () => {
    const server = await rawServer(inTurn(status(503, '', 'as it is')));
    const pool = TCP.pool(server, { retries: FAST });
    const response = await pool.request(
      'PUT',
      '/',
      (function* () {
        yield 'x';
      })(),
    );
    expect(await response.text()).to.equal('as it is');
    expect(server.requests).to.have.length(1);
  });

  it('has a factory make a body for each attempt', async () => {
    const server = await rawServer(inTurn(status(503), dies, okWith('at last')));
    let made = 0;
    const pool = TCP.pool(server, { retries: FAST });
    const body = (): Iterable<string> => [`body ${String(++made)}`];
    expect(await (await pool.request('PUT', '/', body)).text()).to.equal('at last');
    // The second died on a used connection, and was sent again by itself before it counted.
    expect(server.requests.map((request) => request.body.toString()).slice(0, 2)).to.deep.equal([
      'body 1',
      'body 2',
    ]);
    expect(made).to.equal(server.requests.length);
  });

  it('closes a connection whose retried body is too long or does not end, and goes on', async () => {
    for (const body of [
      'HTTP/1.1 503 X\r\nContent-Length: 100000\r\n\r\n',
      'HTTP/1.1 503 X\r\nContent-Length: 10\r\n\r\n1',
    ]) {
      const server = await rawServer(inTurn(body, okWith('at last')));
      const pool = TCP.pool(server, { retries: FAST, maxConnections: 1 });
      expect(await (await pool.request('GET', '/')).text()).to.equal('at last');
      expect(server.connections).to.equal(2);
    }
  });
});

describe('the wait before a retry', () => {
  it('is what Retry-After says, in seconds', async () => {
    const server = await rawServer(inTurn(status(503, 'Retry-After: 1\r\n'), okWith('at last')));
    const begun = performance.now();
    await (await TCP.pool(server, { retries: FAST }).request('GET', '/')).text();
    expect(performance.now() - begun).to.be.within(980, 1500);
  });

  it('is none with Retry-After: 0, or a date that is past', async () => {
    for (const value of ['0', 'Sun, 06 Nov 1994 08:49:37 GMT']) {
      const server = await rawServer(inTurn(status(503, `Retry-After: ${value}\r\n`), okWith('at last')));
      const begun = performance.now();
      const pool = TCP.pool(server, { retries: { minDelay: 5000 } });
      await (await pool.request('GET', '/')).text();
      expect(performance.now() - begun).to.be.below(1000);
    }
  });

  it('is not made when Retry-After is longer than maxRetryAfter: the response is given as it is', async () => {
    const server = await rawServer(inTurn(status(503, 'Retry-After: 31\r\n', 'later')));
    const response = await TCP.pool(server, { retries: FAST }).request('GET', '/');
    expect(await response.text()).to.equal('later');
    expect(server.requests).to.have.length(1);
  });

  it('gives the connection back, so that others can use it', async () => {
    const server = await rawServer((socket, request) => {
      socket.write(request.target === '/' ? status(503, 'Retry-After: 1\r\n') : okWith('other'));
    });
    const pool = TCP.pool(server, { maxConnections: 1, retries: { ...FAST, limit: 1 } });
    const retried = pool.request('GET', '/');
    await until(() => pool.stats.idle === 1);
    expect(await (await pool.request('GET', '/other')).text()).to.equal('other');
    expect(server.connections).to.equal(1);
    expect((await retried).status).to.equal(503);
  });

  const ENDS: readonly (readonly [
    name: string,
    options: (signal: AbortSignal) => object,
    end: (pool: HTTPConnectionPool, abort: () => void) => void,
    expected: (error: Error) => unknown,
  ])[] = [
    [
      'an abort',
      (signal) => ({ signal }),
      (_pool, abort) => abort(),
      (error) => expect(error.message).to.equal('stop'),
    ],
    [
      'destroy()',
      () => ({}),
      (pool) => pool.destroy(),
      (error) => expect(error).to.be.instanceOf(NotConnected),
    ],
    [
      '`total`',
      () => ({ timeout: { total: 100 } }),
      () => undefined,
      (error) => {
        expect(error).to.be.instanceOf(TimeoutError);
        expect(error).to.include({ timer: 'total' });
      },
    ],
  ];
  for (const [name, options, end, expected] of ENDS) {
    it(`is ended at once by ${name}`, async () => {
      const server = await rawServer(inTurn(status(503, 'Retry-After: 20\r\n')));
      const pool = TCP.pool(server, { retries: FAST });
      const controller = new AbortController();
      const begun = performance.now();
      const failed = rejection(pool.request('GET', '/', null, {}, options(controller.signal)));
      await until(() => pool.stats.idle === 1);
      end(pool, () => controller.abort(new Error('stop')));
      expected(await failed);
      expect(performance.now() - begun).to.be.below(1000);
      expect(server.requests).to.have.length(1);
    });
  }

  it('is let pass by close(), which waits for the attempts', async () => {
    const server = await rawServer(inTurn(status(503), okWith('at last')));
    const pool = TCP.pool(server, { retries: { minDelay: 50, maxDelay: 50 } });
    const call = pool.request('GET', '/').then((response) => response.text());
    await until(() => pool.stats.idle === 1);
    await Promise.all([pool.close(), call]);
    expect(await call).to.equal('at last');
  });
});

describe('onRetry', () => {
  async function attemptsOf(
    options: PoolOptions,
    ...steps: Parameters<typeof inTurn>
  ): Promise<{ told: Attempt[]; status: number }> {
    const told: Attempt[] = [];
    const server = await rawServer(inTurn(...steps));
    const { onRetry } = (options.retries ?? {}) as { onRetry?: (attempt: Attempt) => boolean | void };
    const retries = {
      ...FAST,
      onRetry: (attempt: Attempt) => {
        told.push(attempt);
        return onRetry?.(attempt);
      },
    };
    const response = await TCP.pool(server).request('GET', '/', null, {}, { retries });
    return { told, status: response.status };
  }

  it('is told of each attempt that is followed by another', async () => {
    const { told } = await attemptsOf({}, status(503), status(429), status(200));
    expect(told.map(({ number, status: code, error }) => [number, code, error])).to.deep.equal([
      [1, 503, null],
      [2, 429, null],
    ]);
    for (const { delay } of told) expect(delay).to.be.within(0.5, 2);
  });

  it('that says false ends the attempts, with the response whole', async () => {
    const { told, status: code } = await attemptsOf(
      { retries: { onRetry: ({ number }) => number < 2 } },
      status(503),
      status(502),
      status(200),
    );
    expect(code).to.equal(502);
    expect(told).to.have.length(2);
    const server = await rawServer(inTurn(status(503, '', 'whole')));
    const pool = TCP.pool(server, { retries: { ...FAST, onRetry: () => false } });
    expect(await (await pool.request('GET', '/')).text()).to.equal('whole');
  });

  it('is not made when `total` runs out while the body before it is drained', async () => {
    const server = await rawServer(inTurn('HTTP/1.1 503 X\r\nContent-Length: 9\r\n\r\n', okWith('late')));
    const pool = TCP.pool(server, { retries: FAST });
    const options = { timeout: { total: 100 } };
    const error = await rejection<Failed>(pool.request('GET', '/', null, {}, options));
    expect(error).to.include({ timer: 'total' });
    expect(error.attempts).to.have.length(2);
    expect(server.requests).to.have.length(1);
  });

  it('that says false behind an error gives that error', async () => {
    const server = await rawServer(dies);
    const pool = TCP.pool(server, { retries: { ...FAST, onRetry: () => false } });
    const error = await rejection<Failed>(pool.request('GET', '/'));
    expect(error).to.be.instanceOf(RemoteDisconnected);
    expect(error.attempts).to.have.length(1);
  });

  it('that throws rejects with its error, and no connection stays busy', async () => {
    const own = new Error('mine');
    const server = await rawServer(inTurn(status(503, '', 'body')));
    for (const onRetry of [
      () => {
        throw own;
      },
      () => Promise.reject(own) as never,
    ]) {
      const pool = TCP.pool(server, { retries: { ...FAST, minDelay: 1000, maxDelay: 1000, onRetry } });
      expect(await rejection(pool.request('GET', '/'))).to.equal(own);
      await until(() => pool.stats.busy === 0);
    }
  });
});
