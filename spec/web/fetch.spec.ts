/**
 * `createFetch`: what programs written against `fetch` do with it. ky and the reader of server-sent events are the real ones.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import { EventSourceParserStream } from 'eventsource-parser/stream';
import ky, { HTTPError } from 'ky';
import { createFetch, HTTPClient, RedirectError } from '../../lib/index.js';
import type { FetchClient, FetchOptions } from '../../lib/index.js';
import { rejection } from '../support/rejection.js';

type Serve = (request: IncomingMessage, response: ServerResponse) => unknown;

const servers: Server[] = [];
const clients: HTTPClient[] = [];

/** Starts a server; resolves with its URL and a fetch. */
async function serve(handler: Serve): Promise<{ url: string; fetch: typeof globalThis.fetch }> {
  const server = createServer((request, response) => void handler(request, response)).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  const client = new HTTPClient();
  clients.push(client);
  return { url, fetch: createFetch(client) };
}

/** Answers with what came. */
const echo: Serve = async (request, response) => {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  const { method, url, headers } = request;
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ method, url, headers, body: Buffer.concat(pieces).toString() }));
};

interface Seen {
  method: string;
  url: string;
  headers: Record<string, string>;
  body: string;
}

async function seen(response: Promise<Response>): Promise<Seen> {
  return (await (await response).json()) as Seen;
}

/** A client that answers nothing, and keeps what it was asked for. */
function listener(): { client: FetchClient; options: FetchOptions[] } {
  const options: FetchOptions[] = [];
  const client: FetchClient = {
    request(_method, _url, _body, _headers, given) {
      options.push(given);
      return Promise.reject(new Error('no answer'));
    },
  };
  return { client, options };
}

describe('createFetch', () => {
  afterEach(async () => {
    for (const client of clients.splice(0)) client.destroy();
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    }
  });

  it('gives a Response, with its URL', async () => {
    const { url, fetch } = await serve((_request, response) => response.writeHead(404).end('none'));
    const response = await fetch(`${url}/a?b`);
    expect([response.status, response.ok, response.url]).to.deep.equal([404, false, `${url}/a?b`]);
    expect(await response.text()).to.equal('none');
  });

  it('sends every kind of body with the Content-Type that fetch gives it', async () => {
    const { url, fetch } = await serve(echo);
    const form = new FormData();
    form.set('name', 'value');
    const bodies: [RequestInit['body'], string | undefined, string][] = [
      ['tëxt', 'text/plain;charset=UTF-8', 'tëxt'],
      [new URLSearchParams({ a: 'ü' }), 'application/x-www-form-urlencoded;charset=UTF-8', 'a=%C3%BC'],
      [new Blob(['{}'], { type: 'application/json' }), 'application/json', '{}'],
      [new TextEncoder().encode('bytes'), undefined, 'bytes'],
      [new TextEncoder().encode('buffer').buffer, undefined, 'buffer'],
    ];
    for (const [body, type, text] of bodies) {
      const { headers, body: came } = await seen(fetch(url, { method: 'post', body: body ?? null }));
      expect([headers['content-type'], headers['content-length'], came]).to.deep.equal([
        type,
        String(Buffer.byteLength(text)),
        text,
      ]);
    }
    const sent = await seen(fetch(url, { method: 'POST', body: form }));
    expect(sent.headers['content-type']).to.match(/^multipart\/form-data; ?boundary=/);
    expect(sent.body).to.include('name="name"\r\n\r\nvalue\r\n');
  });

  it("keeps the caller's Content-Type, and encodes text in UTF-8 all the same", async () => {
    const { url, fetch } = await serve(echo);
    const headers = { 'Content-Type': 'text/plain;charset=iso-8859-1' };
    const sent = await seen(fetch(url, { method: 'POST', body: 'ü', headers }));
    expect([sent.headers['content-type'], sent.body]).to.deep.equal(['text/plain;charset=iso-8859-1', 'ü']);
  });

  it('streams a body, its own or that of a Request', async () => {
    const { url, fetch } = await serve(echo);
    const slowly = (): ReadableStream => {
      let number = 0;
      return new ReadableStream({
        async pull(controller) {
          await new Promise((resolve) => setTimeout(resolve, 5));
          if (number++ < 3) controller.enqueue(Buffer.from(`piece ${String(number)}. `));
          else controller.close();
        },
      });
    };
    const init = { method: 'PUT', duplex: 'half' as const };
    for (const request of [
      fetch(url, { ...init, body: slowly() }),
      fetch(new Request(url, { ...init, body: slowly() })),
    ]) {
      const sent = await seen(request);
      expect(sent.headers['transfer-encoding']).to.equal('chunked');
      expect(sent.body).to.equal('piece 1. piece 2. piece 3. ');
    }
  });

  it('takes a Request, and what its init says instead', async () => {
    const { url, fetch } = await serve(echo);
    const request = new Request(`${url}/r`, { method: 'PATCH', body: 'same', headers: { 'X-A': '1' } });
    const sent = await seen(fetch(request));
    expect([sent.method, sent.url, sent.body, sent.headers['x-a']]).to.deep.equal([
      'PATCH',
      '/r',
      'same',
      '1',
    ]);
    expect(sent.headers['content-length']).to.equal('4');
    expect(request.bodyUsed).to.equal(true);
    expect(await rejection(fetch(request))).to.be.instanceOf(TypeError);
    const other = await seen(fetch(new Request(`${url}/r`), { method: 'POST', body: 'other', headers: {} }));
    expect([other.method, other.body, other.headers['x-a']]).to.deep.equal(['POST', 'other', undefined]);
  });

  it('sends an empty Request body with its length', async () => {
    const { url, fetch } = await serve(echo);
    const sent = await seen(fetch(new Request(url, { method: 'POST', body: '' })));
    expect([sent.headers['content-length'], sent.body]).to.deep.equal(['0', '']);
  });

  it('cancels the stream of a Request that is answered before it was sent', async () => {
    const { url, fetch } = await serve((_request, response) => response.writeHead(413).end('too large'));
    let cancelled = false;
    const body = new ReadableStream({
      start: (controller) => controller.enqueue(Buffer.from('first')),
      cancel: () => {
        cancelled = true;
      },
    });
    const response = await fetch(new Request(url, { method: 'PUT', body, duplex: 'half' }));
    expect([response.status, await response.text()]).to.deep.equal([413, 'too large']);
    expect(cancelled).to.equal(true);
  });

  it('keeps several Set-Cookie apart', async () => {
    const { url, fetch } = await serve((_request, response) =>
      response.writeHead(200, { 'Set-Cookie': ['a=1, 2', 'b=2'] }).end(),
    );
    expect((await fetch(url)).headers.getSetCookie()).to.deep.equal(['a=1, 2', 'b=2']);
  });

  it('refuses what fetch refuses, before anything is sent', async () => {
    const { url, fetch } = await serve(echo);
    const { client, options } = listener();
    const wrong: [string, RequestInit][] = [
      [url, { method: 'GET', body: 'x' }],
      [url, { headers: { 'a b': 'c' } }],
      [url, { integrity: 'sha256-x' }],
    ];
    for (const [target, init] of wrong)
      expect(await rejection(createFetch(client)(target, init))).to.be.instanceOf(TypeError);
    expect(options).to.deep.equal([]);
    const bad = await rejection(fetch('http://a b/'));
    expect(bad).to.be.instanceOf(TypeError);
  });

  it('says fetch failed, with our error as cause', async () => {
    const { url, fetch } = await serve((request) => request.socket.destroy());
    const failure = await rejection(fetch(url));
    expect([failure.constructor, failure.message]).to.deep.equal([TypeError, 'fetch failed']);
    expect(failure.cause).to.have.property('name', 'RemoteDisconnected');
  });

  describe('with a signal', () => {
    it('rejects with its reason as it is', async () => {
      const { url, fetch } = await serve(() => undefined);
      const controller = new AbortController();
      const reason = { any: 'thing' };
      const pending = rejection(fetch(url, { signal: controller.signal }));
      setTimeout(() => controller.abort(reason), 30);
      expect(await pending).to.equal(reason);
      expect(await rejection(fetch(url, { signal: AbortSignal.abort() }))).to.have.property(
        'name',
        'AbortError',
      );
    });

    it('fails the body with it', async () => {
      const { url, fetch } = await serve((_request, response) => response.write('some'));
      const controller = new AbortController();
      const response = await fetch(url, { signal: controller.signal });
      const text = rejection(response.text());
      controller.abort();
      expect(await text).to.have.property('name', 'AbortError');
    });

    it('hears that of a Request as long as the body is read, and null is none', async () => {
      setFlagsFromString('--expose-gc');
      const collect = runInNewContext('gc') as () => void;
      const { url, fetch } = await serve((_request, response) => response.write('some'));
      const controller = new AbortController();
      const response = await fetch(new Request(url, { signal: controller.signal }));
      for (let i = 0; i < 3; i++) {
        await new Promise(setImmediate);
        collect();
      }
      const text = rejection(response.text());
      controller.abort();
      expect(await text).to.have.property('name', 'AbortError');
      const { client, options } = listener();
      await rejection(createFetch(client)(new Request(url), { signal: null }));
      expect(options[0]).not.to.have.property('signal');
    });
  });

  describe('with redirects', () => {
    const hop: Serve = (request, response) =>
      request.url === '/to' ? response.end('there') : response.writeHead(302, { Location: '/to' }).end();

    it('follows them unless told otherwise', async () => {
      const { url, fetch } = await serve(hop);
      const response = await fetch(`${url}/from`);
      expect([response.url, response.redirected]).to.deep.equal([`${url}/to`, true]);
      expect(await response.text()).to.equal('there');
    });

    it('gives them as they are in the mode manual', async () => {
      const { url, fetch } = await serve(hop);
      const response = await fetch(`${url}/from`, { redirect: 'manual' });
      expect([response.status, response.headers.get('location')]).to.deep.equal([302, '/to']);
    });

    it('fails in the mode error', async () => {
      const { url, fetch } = await serve(hop);
      const failure = await rejection(fetch(new Request(`${url}/from`, { redirect: 'error' })));
      expect([failure.constructor, failure.message]).to.deep.equal([TypeError, 'fetch failed']);
    });
  });

  it('fails when there are too many redirects, or one that cannot be followed', async () => {
    const { url, fetch } = await serve((request, response) => {
      request.resume();
      response.writeHead(307, { Location: `${request.url ?? ''}a` }).end();
    });
    expect((await rejection(fetch(url))).cause).to.be.instanceOf(RedirectError);
    const body = new ReadableStream({ pull: (controller) => controller.close() });
    const init = { method: 'PUT', body, duplex: 'half' as const };
    expect((await rejection(fetch(url, init))).cause).to.be.instanceOf(RedirectError);
  });

  it('serves ky: JSON both ways, retries, errors with their body, hooks, time limits', async () => {
    let tries = 0;
    const { url, fetch } = await serve((request, response) => {
      if (request.url === '/slow') return undefined;
      if (request.url === '/flaky' && tries++ === 0) return response.writeHead(503).end();
      if (request.url === '/bad') return response.writeHead(422).end('{"error":"field"}');
      return echo(request, response);
    });
    const api = ky.create({
      fetch,
      prefixUrl: url,
      retry: { delay: () => 1 },
      hooks: { beforeRequest: [(request) => request.headers.set('x-hook', 'yes')] },
    });
    const sent = await api.post('things', { json: { a: 1 }, searchParams: { q: 'x' } }).json<Seen>();
    expect([sent.method, sent.url, sent.body]).to.deep.equal(['POST', '/things?q=x', '{"a":1}']);
    expect([sent.headers['x-hook'], sent.headers['content-length']]).to.deep.equal(['yes', '7']);
    expect((await api('flaky').json<Seen>()).url).to.equal('/flaky');
    const bad = await rejection<HTTPError>(api('bad'));
    expect(bad).to.be.instanceOf(HTTPError);
    expect(await bad.response.json()).to.deep.equal({ error: 'field' });
    const slow = await rejection(api('slow', { timeout: 50, retry: 0 }));
    expect(slow).to.have.property('name', 'TimeoutError');
  });

  it('serves a reader of server-sent events, which stops at [DONE]', async () => {
    let closed: Promise<unknown> = Promise.resolve();
    const { url, fetch } = await serve(async (request, response) => {
      closed = once(response, 'close');
      request.resume();
      response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      for (const word of ['Hel', 'lo', ' wörld'])
        response.write(`data: ${JSON.stringify({ choices: [{ delta: { content: word } }] })}\n\n`);
      response.write('data: [DONE]\n\n');
      await new Promise(() => undefined);
    });
    const body = JSON.stringify({ model: 'any', stream: true, messages: [] });
    const response = await fetch(`${url}/v1/chat/completions`, { method: 'POST', body });
    const events = (response.body as ReadableStream<Uint8Array>)
      .pipeThrough(new TextDecoderStream())
      .pipeThrough(new EventSourceParserStream());
    let text = '';
    for await (const { data } of events) {
      if (data === '[DONE]') break;
      const { choices } = JSON.parse(data) as { choices: { delta: { content: string } }[] };
      text += choices[0]?.delta.content ?? '';
    }
    expect(text).to.equal('Hello wörld');
    await closed;
  });
});
