// Replies that come in their own time: server-sent events read line by line and aborted, and interim responses.
import assert from 'node:assert/strict';
import { get } from './reading.mjs';

// The same origin by itself and behind three proxies: [server in the report, process, prefix of the path].
const ROUTES = [
  ['python3', 'stream', ''],
  ['nginx', 'nginx', '/stream'],
  ['haproxy', 'haproxy', '/stream'],
  ['caddy', 'caddy', '/stream'],
];

const eventLines = (number) => [`id: ${number}`, 'event: tick', `data: grüße ${number}`, ''];

const finite = ROUTES.map(([server, process, prefix]) => ({
  server,
  needs: [process, 'stream'],
  title: 'server-sent events are read by lines() to their end, characters cut by chunks included',
  run: async (context) => {
    const connection = context.http(context.port(process));
    const response = await get(connection, `${prefix}/events?count=60&pause=2`, {
      Accept: 'text/event-stream',
    });
    assert.equal(response.headers.getContentType(), 'text/event-stream');
    const lines = [];
    for await (const line of response.lines()) lines.push(line);
    assert.deepEqual(lines, Array.from({ length: 60 }, (_, number) => eventLines(number)).flat());
    return `${lines.length} lines`;
  },
}));

const aborted = ROUTES.map(([server, process, prefix]) => ({
  server,
  needs: [process, 'stream'],
  title:
    'server-sent events without end are aborted by a signal, and the next request on the same object works',
  run: async (context) => {
    const connection = context.http(context.port(process));
    for (let round = 0; round < 3; round++) {
      const controller = new AbortController();
      const reason = new Error('enough events');
      await connection.request('GET', `${prefix}/events`, null, {}, { signal: controller.signal });
      const response = await connection.getResponse();
      const lines = [];
      const reading = async () => {
        for await (const line of response.lines()) {
          lines.push(line);
          // Half of the rounds abort while the reader waits for the next line.
          if (lines.length === 12) {
            if (round % 2 === 0) controller.abort(reason);
            else setTimeout(() => controller.abort(reason), 5);
          }
        }
      };
      await assert.rejects(reading(), (error) => error === reason);
      assert.deepEqual(lines.slice(0, 12), [0, 1, 2].flatMap(eventLines));
      assert.ok(connection.socket === null, 'no socket is left');
    }
    const next = await get(connection, `${prefix}/events?count=1`);
    assert.equal(await next.text(), `${eventLines(0).join('\n')}\n`);
    return '3 streams';
  },
}));

const INTERIM_ROUTES = ROUTES.filter(([server]) => server !== 'nginx');

const interim = INTERIM_ROUTES.map(([server, process, prefix]) => ({
  server,
  needs: [process, 'stream'],
  title: 'three 103 Early Hints are reported, then the final response',
  run: async (context) => {
    const connection = context.http(context.port(process));
    const hints = [];
    await connection.request(
      'GET',
      `${prefix}/interim`,
      null,
      {},
      {
        onInformational: ({ status, headers }) => hints.push([status, headers.get('Link')]),
      },
    );
    const response = await connection.getResponse();
    assert.deepEqual(
      hints,
      [0, 1, 2].map((number) => [103, `</style-${number}.css>; rel=preload`]),
    );
    assert.equal(response.status, 200);
    assert.equal(await response.text(), 'after three early hints');
  },
}));

export const events = [...finite, ...aborted, ...interim];
