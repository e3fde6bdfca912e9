/**
 * Why a link is closed, cause by cause, as its watchers are told; and that what ended it is heard where the page about the architecture
 * says so (`request()`, `getResponse()`, the reader, the source).
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { expect } from 'chai';
import type { HTTPConnection, RequestOptions } from '../../lib/index.js';
import type { CloseReason } from '../../lib/protocol/exchange-table.js';
import { connectionTo, NO_CONTENT, OK, rawServer } from '../support/raw-server.js';

interface Outcome {
  request?: string;
  response?: string;
  body?: string;
  /** Whether the source was told that the rest is not wanted. */
  told?: boolean;
}

interface Row extends Outcome {
  cause: string;
  reason: CloseReason;
  /** What the server answers; nothing, or a beginning, to leave the exchange unfinished. */
  wire?: string;
  /** Whether the body of the request never ends. */
  uploads?: boolean;
  options?: RequestOptions;
  source?: () => AsyncIterable<string>;
  /** Done once the exchange runs, and its head has come where there is one. */
  act?: (conn: HTTPConnection, socket: Socket) => unknown;
}

const PART = 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome';
const REFUSAL = 'HTTP/1.1 413 No\r\nContent-Length: 3\r\n\r\nbig';
const own = Object.assign(new Error('own'), { name: 'Own' });

const controller = new AbortController();

function* failing(): Generator<string> {
  yield 'a piece';
  throw own;
}

const ROWS: readonly Row[] = [
  { cause: 'HTTP/1.0', reason: 'the peer will close', wire: 'HTTP/1.0 204 x\r\n\r\n', response: '204' },
  {
    cause: 'an early refusal',
    reason: 'the request was cut short',
    wire: REFUSAL,
    uploads: true,
    request: 'resolves',
    response: '413',
    body: 'big',
    told: true,
  },
  {
    cause: 'surplus while the request is still being sent',
    reason: 'bytes followed the response',
    wire: `${OK}more`,
    uploads: true,
    request: 'resolves',
    response: '200',
    body: 'ok',
    told: true,
  },
  {
    cause: 'surplus that ends with the exchange',
    reason: 'bytes came while idle',
    wire: `${OK}more`,
    response: '200',
    body: 'ok',
  },
  {
    cause: 'the signal',
    reason: 'the exchange failed',
    uploads: true,
    options: { signal: controller.signal },
    act: () => {
      controller.abort(own);
    },
    request: 'Own',
    response: 'Own',
    told: true,
  },
  {
    cause: 'a clock',
    reason: 'the exchange failed',
    wire: PART,
    options: { timeout: { body: 30 } },
    response: '200',
    body: 'TimeoutError',
  },
  {
    cause: 'close() before the head',
    reason: 'the exchange failed',
    uploads: true,
    act: (conn) => {
      conn.close();
    },
    request: 'NotConnected',
    response: 'NotConnected',
    told: true,
  },
  {
    cause: 'close() in the body',
    reason: 'the exchange failed',
    wire: PART,
    act: (conn) => {
      conn.close();
    },
    response: '200',
    body: 'IncompleteRead',
  },
  {
    cause: 'the source',
    reason: 'the exchange failed',
    source: failing as unknown as () => AsyncIterable<string>,
    request: 'Own',
    response: 'Own',
  },
  {
    cause: 'onInformational that throws',
    reason: 'the exchange failed',
    wire: `HTTP/1.1 103 Hints\r\n\r\n${OK}`,
    options: {
      onInformational: () => {
        throw own;
      },
    },
    response: 'Own',
  },
  {
    cause: 'a violation',
    reason: 'the exchange failed',
    wire: 'what is this',
    uploads: true,
    request: 'BadStatusLine',
    response: 'BadStatusLine',
    told: true,
  },
  {
    cause: 'a body cut short',
    reason: 'the exchange failed',
    wire: PART,
    act: (_conn, socket) => socket.end(),
    response: '200',
    body: 'IncompleteRead',
  },
  {
    cause: 'the peer, while idle',
    reason: 'the peer closed',
    wire: NO_CONTENT,
    act: (_conn, socket) => socket.end(),
    response: '204',
  },
  {
    cause: 'bytes while idle',
    reason: 'bytes came while idle',
    wire: NO_CONTENT,
    act: (_conn, socket) => socket.write(OK),
    response: '204',
  },
  {
    cause: 'close() while idle',
    reason: 'closed by its owner',
    wire: NO_CONTENT,
    act: (conn) => {
      conn.close();
    },
    response: '204',
  },
];

describe('the reason to close a connection', () => {
  for (const { cause, reason, wire = '', uploads = false, options, source, act, ...expected } of ROWS) {
    it(`is "${reason}" behind ${cause}`, async () => {
      const server = await rawServer(() => undefined, {
        atHead: true,
        onConnection: (socket) => socket.once('data', () => socket.write(wire, 'latin1')),
      });
      const closed = reasonAt(server.port);
      const conn = connectionTo(server);
      let told = false;
      const endless: AsyncIterable<string> = {
        [Symbol.asyncIterator]: () => ({
          next: () => new Promise((resolve) => setTimeout(resolve, 5, { done: false, value: 'piece' })),
          return: () => {
            told = true;
            return Promise.resolve({ done: true as const, value: undefined });
          },
        }),
      };
      const body = source?.() ?? (uploads ? endless : null);
      const outcome: Outcome = {};
      const sent = nameOf(conn.request('POST', '/', body, {}, options));
      const head = conn.getResponse();
      const status = nameOf(head.then((response) => String(response.status)));
      if (wire !== '') await status;
      setTimeout(() => act?.(conn, server.peers[0]?.socket as Socket), 20);
      outcome.response = await status;
      if (expected.body !== undefined) outcome.body = await nameOf(head.then((response) => response.text()));
      if (expected.request !== undefined) outcome.request = await sent;
      if (expected.told !== undefined) outcome.told = told;
      expect(await closed).to.equal(reason);
      expect(outcome).to.deep.equal(expected);
    });
  }
});

/** What it resolves with as text, or the name of its error. */
function nameOf(promise: Promise<string | void>): Promise<string> {
  return promise.then(
    (value) => value ?? 'resolves',
    (error: unknown) => (error as Error).name,
  );
}

/** Why the link to this port was closed, once it is. */
function reasonAt(port: number): Promise<unknown> {
  return new Promise((resolve) => {
    let link: unknown = null;
    const onOpen = (message: unknown): void => {
      const opened = message as { id: unknown; port: unknown };
      if (opened.port === port) link = opened.id;
    };
    const onClose = (message: unknown): void => {
      const { id, reason } = message as { id: unknown; reason: unknown };
      if (id !== link) return;
      unsubscribe('millrace:connection:open', onOpen);
      unsubscribe('millrace:connection:close', onClose);
      resolve(reason);
    };
    subscribe('millrace:connection:open', onOpen);
    subscribe('millrace:connection:close', onClose);
  });
}
