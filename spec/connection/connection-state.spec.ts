/**
 * The three states of http.client over the real object: every call in every state, what a refusal changes (nothing), what a failure
 * leaves behind (Idle), and which promise tells of it.
 */

import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { inspect } from 'node:util';

import { expect } from 'chai';

import { HTTPConnection } from '../../lib/index.js';
import type { HTTPResponse } from '../../lib/index.js';
import { CALLS } from '../../lib/protocol/exchange-table.js';
import type { Call, ConnectionState } from '../../lib/protocol/exchange-table.js';
import { answer, connectionTo, NO_CONTENT, OK, rawServer } from '../support/raw-server.js';
import type { RawServer } from '../support/raw-server.js';
import { rejection, unhandledRejections } from '../support/rejection.js';

const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n';

const ENTER: Record<ConnectionState, (conn: HTTPConnection) => Promise<void>> = {
  Idle: () => Promise.resolve(),
  'Request-started': (conn) => {
    conn.putRequest('GET', '/entered');
    return Promise.resolve();
  },
  'Request-sent': (conn) => conn.request('GET', '/entered'),
};

const CALL: Record<Call, (conn: HTTPConnection) => unknown> = {
  putRequest: (conn) => conn.putRequest('GET', '/called'),
  putHeader: (conn) => conn.putHeader('X-A', '1'),
  endHeaders: (conn) => conn.endHeaders(),
  request: (conn) => conn.request('GET', '/called'),
  getResponse: (conn) => conn.getResponse(),
};

/** Finishes what a state has begun, and another exchange, on one connection. */
async function finish(conn: HTTPConnection, server: RawServer): Promise<void> {
  if (conn.state === 'Request-started') await conn.endHeaders();
  if (conn.state === 'Request-sent') expect((await conn.getResponse()).status).to.equal(204);
  expect(conn.state).to.equal('Idle');
  await conn.request('GET', '/last');
  expect((await conn.getResponse()).status).to.equal(204);
  expect(server.connections).to.equal(1);
}

describe('a call on a connection', () => {
  for (const state of Object.keys(CALLS) as ConnectionState[]) {
    for (const call of Object.keys(CALLS[state]) as Call[]) {
      const outcome = CALLS[state][call];
      const refused = !(outcome in CALLS);
      it(`${call} in ${state} ${refused ? `is refused with ${outcome} and changes nothing` : `leads to ${outcome}`}`, async () => {
        const server = await rawServer(answer(NO_CONTENT));
        const conn = connectionTo(server);
        await ENTER[state](conn);
        expect(conn.state).to.equal(state);
        const action = async (): Promise<unknown> => CALL[call](conn);
        if (refused) {
          const error = await rejection(action());
          expect(error).to.include({ name: outcome });
          const which = state === 'Idle' ? '' : 'GET /entered ';
          expect(error.message.startsWith(`${state}: ${which}`), error.message).to.equal(true);
          expect(error.message).to.match(/\w+\(\)/);
          expect(conn.state).to.equal(state);
        } else {
          await action();
          expect(conn.state).to.equal(outcome);
        }
        await finish(conn, server);
        const targets = server.requests.map(({ target }) => target);
        expect(targets).to.deep.equal(
          state === 'Idle'
            ? refused || call === 'getResponse'
              ? ['/last']
              : ['/called', '/last']
            : ['/entered', '/last'],
        );
      });
    }

    it(`send in ${state} is allowed`, async () => {
      const server = await rawServer(() => undefined);
      const conn = connectionTo(server);
      await ENTER[state](conn);
      await conn.send('raw bytes\r\n');
      expect(conn.state).to.equal(state);
      await server.until(() => server.peers.some(({ text }) => text.includes('raw bytes')));
    });

    it(`connect in ${state} is allowed`, async () => {
      const server = await rawServer(answer(NO_CONTENT));
      const conn = connectionTo(server);
      await ENTER[state](conn);
      await conn.connect();
      expect(conn.state).to.equal(state);
      expect(conn.socket).not.to.equal(null);
      await finish(conn, server);
    });

    it(`close in ${state} leads to Idle, and nothing that was put survives it`, async () => {
      const server = await rawServer((socket, { target }) => {
        if (target !== '/entered') socket.write(NO_CONTENT);
      });
      const conn = connectionTo(server);
      await ENTER[state](conn);
      conn.close();
      expect([conn.state, conn.socket]).to.deep.equal(['Idle', null]);
      await conn.request('GET', '/fresh');
      expect((await conn.getResponse()).status).to.equal(204);
      expect(server.peers.at(-1)?.text).to.match(/^GET \/fresh HTTP\/1\.1\r\n/);
    });
  }

  it('throws what is synchronous and rejects what returns a promise', async () => {
    const conn = connectionTo(await rawServer(() => undefined));
    expect(() => conn.putHeader('A', '1')).to.throw('Idle');
    conn.putRequest('GET', '/');
    expect(() => conn.putRequest('GET', '/')).to.throw('Request-started');
    const promises = [conn.request('GET', '/'), conn.getResponse()];
    for (const promise of promises) {
      expect((await rejection(promise)).message).to.equal(
        `Request-started: GET / was begun and not sent; call endHeaders()${promise === promises[0] ? ' or close()' : ''} first`,
      );
    }
  });

  it('getResponse twice for one request is ResponseNotReady, and the first is served', async () => {
    const server = await rawServer(answer(NO_CONTENT));
    const conn = connectionTo(server);
    await conn.request('GET', '/');
    const first = conn.getResponse();
    expect((await rejection(conn.getResponse())).name).to.equal('ResponseNotReady');
    expect((await first).status).to.equal(204);
    expect((await rejection(conn.getResponse())).name).to.equal('ResponseNotReady');
  });

  it('putRequest that is refused for its input leaves the state alone', () => {
    const conn = connectionTo({ port: 1 } as RawServer);
    expect(() => conn.putRequest('G T', '/')).to.throw(TypeError);
    expect(() => conn.putRequest('GET', '/ '))
      .to.throw()
      .with.property('name', 'InvalidURL');
    expect(conn.state).to.equal('Idle');
  });

  it('endHeaders that is refused for its input leaves Idle, and drops what was put', async () => {
    const server = await rawServer(answer(NO_CONTENT));
    const conn = connectionTo(server);
    conn.putRequest('PUT', '/');
    conn.putHeader('Content-Length', 3);
    conn.putHeader('Transfer-Encoding', 'chunked');
    expect(await rejection(conn.endHeaders('abc'))).to.be.instanceOf(TypeError);
    expect([conn.state, server.connections]).to.deep.equal(['Idle', 0]);
    await conn.request('GET', '/');
    await conn.getResponse();
    expect(server.request.fields.length).to.equal(2);
  });
});

describe('a request while the last response is unread', () => {
  const READ = [
    { name: 'readall', read: (response: HTTPResponse) => response.readall() },
    { name: 'drain', read: (response: HTTPResponse) => response.drain() },
  ];
  for (const { name, read } of READ) {
    it(`is refused, saying how many bytes there are and what to call, and goes after ${name}`, async () => {
      const server = await rawServer(answer('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789'));
      const conn = connectionTo(server);
      await conn.request('GET', '/first');
      const response = await conn.getResponse();
      await response.readbytes(3);
      for (const attempt of [() => conn.request('GET', '/'), async () => conn.putRequest('GET', '/')]) {
        const error = await rejection(attempt());
        expect(error.name).to.equal('CannotSendRequest');
        expect(error.message).to.match(/GET \/first.*\b7 unread bytes.*drain\(\).*destroy\(\)/);
      }
      await read(response);
      await conn.request('GET', '/second');
      expect((await conn.getResponse()).status).to.equal(200);
      expect(server.connections).to.equal(1);
    });
  }

  it('counts what is still to come, not only what has arrived', async () => {
    const server = await rawServer(answer('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n0123456789'));
    const conn = connectionTo(server);
    await conn.request('GET', '/');
    await conn.getResponse();
    expect((await rejection(conn.request('GET', '/'))).message).to.match(/\b1000 unread bytes/);
  });

  it('says so when the number is not known', async () => {
    const server = await rawServer(answer(CHUNKED));
    const conn = connectionTo(server);
    await conn.request('GET', '/');
    await conn.getResponse();
    expect((await rejection(conn.request('GET', '/'))).message).to.match(/an unknown number of unread bytes/);
  });

  it('may go at once on a new connection when that response was destroyed', async () => {
    const server = await rawServer(answer('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234'));
    const conn = connectionTo(server);
    await conn.request('GET', '/');
    (await conn.getResponse()).destroy();
    await conn.request('GET', '/second');
    expect((await conn.getResponse()).status).to.equal(200);
    expect(server.connections).to.equal(2);
    expect(server.peer(1).text).to.match(/^GET \/second /);
  });

  it('changes nothing for that response', async () => {
    const server = await rawServer(answer('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789'));
    const conn = connectionTo(server);
    await conn.request('GET', '/');
    const response = await conn.getResponse();
    await rejection(conn.request('GET', '/'));
    await rejection(conn.getResponse());
    expect(String(await response.readall())).to.equal('0123456789');
  });

  for (const [name, wire, method] of [
    ['204', NO_CONTENT, 'GET'],
    ['304 with a length', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n', 'GET'],
    ['Content-Length: 0', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', 'GET'],
    ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n', 'HEAD'],
    ['HEAD and chunked', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', 'HEAD'],
    ['an empty chunked body', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 'GET'],
  ] as const) {
    it(`is not held up by a response that has no body: ${name}`, async () => {
      const server = await rawServer(answer(wire));
      const conn = connectionTo(server);
      for (let i = 0; i < 3; i++) {
        await conn.request(method, '/');
        await conn.getResponse();
      }
      expect([server.connections, server.requests.length]).to.deep.equal([1, 3]);
    });
  }
});

describe('a request while the body of the last one is being sent', () => {
  it('is refused although the response has come', async () => {
    const server = await rawServer(answer(NO_CONTENT), { atHead: true });
    const conn = connectionTo(server);
    let release: () => void = () => undefined;
    const body = (async function* (): AsyncGenerator<string> {
      yield 'abc';
      await new Promise<void>((resolve) => {
        release = resolve;
      });
    })();
    const sent = conn.request('PUT', '/slow', body);
    expect((await conn.getResponse()).status).to.equal(204);
    expect(conn.state).to.equal('Idle');
    const error = await rejection(conn.request('GET', '/'));
    expect(error).to.have.property('name', 'CannotSendRequest');
    expect(error.message).to.contain('PUT /slow');
    release();
    await sent;
  });
});

describe('getResponse called beside request', () => {
  it('waits for the upload and the answer', async () => {
    const server = await rawServer(answer(OK));
    const conn = connectionTo(server);
    const sent = conn.request('POST', '/', ['a', 'b']);
    const response = await conn.getResponse();
    await sent;
    expect(String(await response.readall())).to.equal('ok');
  });

  type Start = (conn: HTTPConnection, handle: FileHandle) => Promise<void>;
  const FAILURES: { name: string; start: Start; fails: string; autoOpen?: false }[] = [
    { name: 'a bad method', start: (conn) => conn.request('G T', '/'), fails: 'TypeError' },
    { name: 'a bad url', start: (conn) => conn.request('GET', '/ '), fails: 'InvalidURL' },
    {
      name: 'a bad body',
      start: (conn) => conn.request('PUT', '/', 5 as unknown as string),
      fails: 'TypeError',
    },
    {
      name: 'a wrong length',
      start: (conn) => conn.request('PUT', '/', 'abc', { 'Content-Length': 2 }),
      fails: 'ContentLengthMismatch',
    },
    {
      name: 'no connection',
      start: (conn) => conn.request('GET', '/'),
      fails: 'NotConnected',
      autoOpen: false,
    },
    {
      name: 'a signal that is aborted already',
      start: (conn) =>
        conn.request('GET', '/', null, {}, { signal: AbortSignal.abort(new RangeError('no')) }),
      fails: 'RangeError',
    },
    {
      name: 'a source that throws at once',
      start: (conn) => {
        const next = (): never => {
          throw new RangeError('no');
        };
        return conn.request('PUT', '/', { [Symbol.iterator]: () => ({ next }) });
      },
      fails: 'RangeError',
    },
    {
      name: 'a file that cannot be read',
      start: (conn, handle) => conn.request('PUT', '/', handle),
      fails: 'UnimplementedFileMode',
    },
    {
      name: 'fields that endHeaders refuses',
      start: (conn) => {
        conn.putRequest('PUT', '/');
        conn.putHeader('Content-Length', 'x');
        return conn.endHeaders('abc');
      },
      fails: 'TypeError',
    },
  ];
  for (const { name, start, fails, autoOpen } of FAILURES) {
    it(`rejects with the request's error, and nothing is left unhandled: ${name}`, async () => {
      const server = await rawServer(answer(NO_CONTENT));
      const conn = connectionTo(server);
      if (autoOpen === false) conn.autoOpen = false;
      const handle = await open(new URL(import.meta.url));
      await handle.close();
      let error: Error | undefined;
      const unhandled = await unhandledRejections(async () => {
        void start(conn, handle);
        error = await rejection(conn.getResponse());
      });
      expect(error?.name).to.equal(fails);
      expect(unhandled).to.deep.equal([]);
      expect(conn.state).to.equal('Idle');
      conn.autoOpen = true;
      await conn.request('GET', '/');
      expect((await conn.getResponse()).status).to.equal(204);
    });

    it(`is not served after the request's caller was told: ${name}`, async () => {
      const server = await rawServer(answer(NO_CONTENT));
      const conn = connectionTo(server);
      if (autoOpen === false) conn.autoOpen = false;
      const handle = await open(new URL(import.meta.url));
      await handle.close();
      expect((await rejection(start(conn, handle))).name).to.equal(fails);
      expect(conn.state).to.equal('Idle');
      expect((await rejection(conn.getResponse())).name).to.equal('ResponseNotReady');
    });
  }

  it('rejects both with the one error of a refused connection, and nothing is left unhandled', async () => {
    const server = await rawServer(answer(NO_CONTENT));
    const conn = connectionTo(server);
    await server.close();
    let both: Error[] = [];
    const unhandled = await unhandledRejections(async () => {
      const sent = conn.request('GET', '/');
      const error = await rejection(conn.getResponse());
      both = [error, await rejection(sent)];
    });
    expect(both[0]).to.equal(both[1]);
    expect(both[0]).to.have.property('code', 'ECONNREFUSED');
    expect(unhandled).to.deep.equal([]);
  });

  it('does not keep a request nobody asks about from being an unhandled rejection', async () => {
    const conn = connectionTo(await rawServer(answer(NO_CONTENT)));
    const unhandled = await unhandledRejections(() => {
      void conn.request('G T', '/');
    });
    expect(unhandled).not.to.deep.equal([]);
  });

  it('rejects with what failed after the request had been sent, and only once', async () => {
    const server = await rawServer((socket) => socket.resetAndDestroy());
    const conn = connectionTo(server);
    await conn.request('GET', '/');
    while (conn.state !== 'Idle') await new Promise((resolve) => setTimeout(resolve, 5));
    expect(await rejection(conn.getResponse())).to.have.property('code', 'ECONNRESET');
    expect((await rejection(conn.getResponse())).name).to.equal('ResponseNotReady');
  });

  it('may come after a file was looked at, and waits for it', async () => {
    const server = await rawServer(answer(OK));
    const conn = connectionTo(server);
    const handle = await open(new URL(import.meta.url));
    try {
      const sent = conn.request('PUT', '/', handle);
      expect(conn.state).to.equal('Request-sent');
      expect((await rejection(conn.request('GET', '/'))).name).to.equal('CannotSendRequest');
      const response = await conn.getResponse();
      await sent;
      expect(String(await response.readall())).to.equal('ok');
    } finally {
      await handle.close();
    }
  });

  it('is rejected by close() while a file is looked at, and the next request is not disturbed', async () => {
    const server = await rawServer(answer(NO_CONTENT));
    const conn = connectionTo(server);
    const handle = await open(new URL(import.meta.url));
    try {
      const sent = rejection(conn.request('PUT', '/file', handle));
      const response = rejection(conn.getResponse());
      conn.close();
      expect(conn.state).to.equal('Idle');
      await conn.request('GET', '/next');
      expect((await sent).name).to.equal('NotConnected');
      expect((await response).name).to.equal('NotConnected');
      expect((await conn.getResponse()).status).to.equal(204);
      expect(server.request.target).to.equal('/next');
    } finally {
      await handle.close();
    }
  });
});

describe('what a connection shows of itself', () => {
  it('is whom it reaches and its state, and no option of it', () => {
    const key = 'a secret key';
    const conn = new HTTPConnection('proxy.test', 8080, { lookup: () => key });
    conn.setTunnel('server.test', 443, { 'Proxy-Authorization': 'Basic c2VjcmV0' });
    const shown = inspect(conn);
    expect(shown).to.equal(
      "HTTPConnection {\n  host: 'server.test',\n  port: 443,\n  proxy: 'proxy.test:8080',\n  state: 'Idle',\n  connected: false\n}",
    );
    expect(inspect({ conn }, { depth: 0 })).to.equal('{ conn: [HTTPConnection] }');
  });

  it('is in the error of a target that cannot be used: which request, and that nothing was sent', async () => {
    const conn = new HTTPConnection('h');
    expect(await rejection(conn.request('GET', '/a b'))).to.include({
      code: 'ERR_INVALID_URL',
      method: 'GET',
      url: '/a b',
      bytesSent: 0,
    });
    expect(() => conn.putRequest('GET', '/\n'))
      .to.throw()
      .with.property('url', '/\n');
  });
});
