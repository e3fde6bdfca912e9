/**
 * What can be watched: each channel's data, one end or error behind each start, fields that a subscriber adds, timings.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { expect } from 'chai';
import { HTTPConnection, NotConnected } from '../../lib/index.js';
import type { RequestStart } from '../../lib/index.js';
import { answer, connectionTo, OK, rawServer } from '../support/raw-server.js';
import { rejection } from '../support/rejection.js';
import { uncaughtErrors } from '../support/uncaught.js';
import { TCP, TLS, TUNNEL } from '../support/transports.js';

type Message = Record<string, unknown>;

const NAMES = [
  'connection:open',
  'connection:close',
  'request:start',
  'request:sent',
  'request:headers',
  'request:end',
  'request:error',
];

/** Records every event until it is stopped. */
class Recorder {
  readonly events: { name: string; message: Message }[] = [];
  readonly #stops: (() => void)[] = [];

  constructor(onStart?: (event: RequestStart) => void) {
    for (const name of NAMES) {
      const listener = (message: unknown): void => {
        this.events.push({ name, message: message as Message });
        if (name === 'request:start') onStart?.(message as RequestStart);
      };
      subscribe(`millrace:${name}`, listener);
      this.#stops.push(() => unsubscribe(`millrace:${name}`, listener));
    }
  }

  get names(): string[] {
    return this.events.map(({ name }) => name);
  }

  of(name: string): Message[] {
    return this.events.filter((event) => event.name === name).map(({ message }) => message);
  }

  stop(): void {
    for (const stop of this.#stops.splice(0)) stop();
  }
}

describe('what can be watched', () => {
  let recorder: Recorder;

  afterEach(() => {
    recorder.stop();
  });

  for (const way of [TCP, TLS, TUNNEL]) {
    it(`shows a connection and its requests from their start to their end over ${way.name}`, async () => {
      const server = await way.serve(answer(OK));
      recorder = new Recorder();
      const conn = await way.connect(server);
      for (const target of ['/one', '/two']) {
        await conn.request('GET', target, null, { 'X-A': 'b' });
        await (await conn.getResponse()).readall();
      }
      conn.close();
      const perRequest = ['request:start', 'request:sent', 'request:headers', 'request:end'];
      expect(recorder.names).to.deep.equal([
        'connection:open',
        ...perRequest,
        ...perRequest,
        'connection:close',
      ]);
      const [open] = recorder.of('connection:open');
      const [close] = recorder.of('connection:close');
      const [first, second] = recorder.of('request:start') as unknown as RequestStart[];
      expect(open).to.include({ tls: way !== TCP, address: '127.0.0.1' });
      expect(open?.['proxy'] === null).to.equal(way !== TUNNEL);
      expect(open?.['ms']).to.be.at.least(0);
      expect(first).to.include({ connection: open?.['id'], method: 'GET', url: '/one', reused: false });
      expect(first?.headers.get('x-a')).to.equal('b');
      expect(first?.headers.get('host')).to.be.a('string');
      expect(second).to.include({ connection: open?.['id'], url: '/two', reused: true });
      expect(second?.id).not.to.equal(first?.id);
      expect(recorder.of('request:headers')[0]).to.include({ id: first?.id, status: 200, reason: 'OK' });
      const [end] = recorder.of('request:end');
      expect(end?.['bytesReceived']).to.equal(OK.length);
      expect(end?.['bytesSent']).to.be.above(20);
      expect(end?.['timings']).to.have.keys('start', 'connected', 'sent', 'headers', 'end');
      expect(close).to.include({ id: open?.['id'], reason: 'closed by its owner', requests: 2 });
    });
  }

  it('sends the fields that a subscriber adds, and refuses those that frame or route', async () => {
    const server = await rawServer(answer(OK));
    const refused: unknown[] = [];
    let late: RequestStart | null = null;
    recorder = new Recorder((event) => {
      late = event;
      event.addHeader('traceparent', '00-abc-01');
      for (const [name, value] of [
        ['Content-Length', '5'],
        ['Transfer-Encoding', 'chunked'],
        ['Host', 'evil'],
        ['X-Bad', 'a\r\nb: c'],
        ['Bad Name', 'x'],
      ] as const) {
        try {
          event.addHeader(name, value);
        } catch (error) {
          refused.push(error);
        }
      }
    });
    const conn = connectionTo(server);
    await conn.request('POST', '/', 'body', { 'X-A': '1' });
    await (await conn.getResponse()).readall();
    conn.close();
    expect(refused).to.have.length(5);
    for (const error of refused) expect(error).to.be.instanceOf(TypeError);
    const [request] = server.requests;
    expect(request?.fields).to.deep.include(['traceparent', '00-abc-01']);
    expect(request?.body.toString()).to.equal('body');
    expect(() => late?.addHeader('x', 'y')).to.throw(TypeError);
  });

  it('ends each start once: read, destroyed by its reader, failed, closed', async () => {
    const server = await rawServer((socket, { target }) => {
      if (target === '/whole') socket.write(OK);
      if (target === '/part') socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc');
      if (target === '/cut') socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc');
    });
    recorder = new Recorder();
    const conn = connectionTo(server);
    await conn.request('GET', '/whole');
    await (await conn.getResponse()).readall();
    await conn.request('GET', '/part');
    (await conn.getResponse()).destroy();
    await conn.request('GET', '/cut');
    await rejection((await conn.getResponse()).readall());
    await conn.request('GET', '/silent');
    const head = rejection(conn.getResponse());
    conn.close();
    expect(await head).to.be.instanceOf(NotConnected);
    const ends = recorder.events.filter(({ name }) => /end|error/.test(name)).map(({ name }) => name);
    expect(ends).to.deep.equal(['request:end', 'request:end', 'request:error', 'request:error']);
    const started = recorder.of('request:start').map(({ id }) => id);
    const ended = [...recorder.of('request:end'), ...recorder.of('request:error')].map(({ id }) => id);
    expect(ended).to.have.members(started);
    expect(recorder.of('connection:close').map(({ reason }) => reason)).to.include.members([
      'the response was destroyed',
      'the exchange failed',
    ]);
  });

  it('has no start for a dial that fails, nor for send() in Idle', async () => {
    const server = await rawServer(() => undefined);
    recorder = new Recorder();
    const refused = new HTTPConnection('127.0.0.1', 1);
    await rejection(refused.request('GET', '/'));
    const conn = connectionTo(server);
    await conn.send('raw bytes');
    conn.close();
    expect(recorder.names).to.deep.equal(['connection:open', 'connection:close']);
  });

  it('goes on under a subscriber that throws, which Node reports', async () => {
    const server = await rawServer(answer(OK));
    recorder = new Recorder(() => {
      throw new Error('a bad subscriber');
    });
    const thrown = await uncaughtErrors(async () => {
      const conn = connectionTo(server);
      await conn.request('GET', '/');
      expect(await (await conn.getResponse()).text()).to.equal('ok');
      conn.close();
    });
    expect(thrown.map((error) => (error as Error).message)).to.deep.equal(['a bad subscriber']);
  });

  it('lets a subscriber end the request before a byte is sent', async () => {
    const server = await rawServer(answer(OK));
    const controller = new AbortController();
    const reason = new Error('not this one');
    recorder = new Recorder(() => {
      controller.abort(reason);
    });
    const conn = connectionTo(server);
    const sent = conn.request('GET', '/', null, {}, { signal: controller.signal });
    expect(await rejection(sent)).to.equal(reason);
    expect(server.requests).to.have.length(0);
    conn.close();
  });
});

describe('the timings of a response', () => {
  it('grow from the start to the end, and name what did not happen', async () => {
    const server = await rawServer((socket) => {
      setTimeout(() => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab'), 30);
      setTimeout(() => socket.write('cd'), 80);
    });
    const conn = connectionTo(server);
    await conn.request('GET', '/');
    const first = await conn.getResponse();
    expect(first.timings.end).to.equal(null);
    expect(first.reused).to.equal(false);
    expect(first.remoteAddress).to.equal('127.0.0.1');
    await first.readall();
    const { start, connected, sent, headers, end } = first.timings;
    expect(start).to.equal(0);
    expect(connected).to.be.at.least(0);
    expect(sent).to.be.at.least(connected as number);
    expect(headers).to.be.at.least((sent as number) + 20);
    expect(end).to.be.at.least((headers as number) + 30);
    await conn.request('GET', '/');
    const second = await conn.getResponse();
    await second.readall();
    expect(second.timings.connected).to.equal(null);
    expect(second.reused).to.equal(true);
    conn.close();
  });
});
