// Pools and clients: connections that the server ends all the time, redirects, retries, and the same through real proxies.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { CREDENTIALS } from '../world.mjs';
import { assertFile } from './reading.mjs';

const CALLERS = 32;
const REQUESTS = 3_000;

const plain = (context, server = 'nginx') => `http://127.0.0.1:${context.port(server)}`;
const secure = (context) => `https://localhost:${context.port('nginx', 'tls')}`;

/** Many callers, each with pauses that come close to the server's patience now and then. */
async function loseNothing(context, pool) {
  const file = context.files.get(1_000);
  const failures = [];
  let next = 0;
  const caller = async () => {
    while (next < REQUESTS) {
      const number = next++;
      const method = number % 2 === 0 ? 'GET' : 'POST';
      try {
        const response = await pool.request(
          method,
          `/stale/1000.bin?${number}`,
          method === 'POST' ? 'x' : null,
        );
        if (method === 'GET') await assertFile(response, file);
        else assert.equal((await response.readall()).length, 0);
      } catch (error) {
        failures.push(`${method} ${number}: ${error.message}`);
      }
      if (number % 97 === 0) await sleep(990 + (number % 20));
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  assert.deepEqual(failures, []);
  return `${REQUESTS} requests, none lost`;
}

const stale = [
  ['plain', plain],
  ['TLS', secure],
].map(([name, origin]) => ({
  server: 'nginx',
  title: `${CALLERS} callers on a pool whose connections carry 5 requests and 1 s of idleness (${name})`,
  run: async (context) =>
    await loseNothing(context, context.pool(origin(context), { maxConnections: CALLERS })),
}));

const redirects = [
  {
    server: 'nginx',
    title: 'redirects are followed to the file, a circle is refused, and no connection stays busy',
    run: async (context) => {
      const client = context.client({ redirects: 5 });
      for (const origin of [plain(context), secure(context)]) {
        const response = await client.request('GET', `${origin}/moved/`);
        assert.deepEqual(response.redirectedFrom, [`${origin}/moved/`]);
        await assertFile(response, context.files.get(1_000));
      }
      await assert.rejects(client.request('PUT', `${plain(context)}/around/`, 'x'), {
        name: 'RedirectError',
      });
      assert.equal(client.stats.busy, 0);
    },
  },
];

const retries = [
  {
    server: 'nginx',
    title: 'an overloaded server is asked again as often as allowed, on the same connection',
    run: async (context) => {
      let told = 0;
      const pool = context.pool(plain(context), {
        retries: { limit: 3, minDelay: 10, onRetry: () => void told++ },
      });
      const response = await pool.request('GET', '/overloaded');
      assert.equal(response.status, 503);
      const [, count] = response.getHeader('X-Connection').split(' ');
      assert.equal(count, '4', 'requests on the connection');
      assert.equal(told, 3);
      await response.drain();
    },
  },
];

const PROXIES = [
  { server: 'squid', open: ['squid', 'proxy'], guarded: ['squid', 'guarded'] },
  { server: 'tinyproxy', open: ['tinyproxy', 'proxy'], guarded: ['tinyproxy-guarded', 'guarded'] },
  { server: 'apache2', open: ['apache2', 'proxy'], guarded: ['apache2', 'guarded'] },
];

const proxied = PROXIES.map(({ server, open, guarded }) => ({
  server,
  needs: ['nginx', open[0], guarded[0]],
  title: 'a client behind the proxy, open and guarded, for http and https',
  run: async (context) => {
    const { user, password } = CREDENTIALS;
    const userInfo = `${encodeURIComponent(user)}:${encodeURIComponent(password)}@`;
    for (const [port, info] of [
      [context.port(...open), ''],
      [context.port(...guarded), userInfo],
    ]) {
      const client = context.client({ proxy: `http://${info}127.0.0.1:${port}` });
      for (const origin of [plain(context), secure(context)]) {
        for (let i = 0; i < 10; i++)
          await assertFile(await client.request('GET', `${origin}/files/1000.bin`), context.files.get(1_000));
      }
    }
  },
}));

export const pools = [...stale, ...redirects, ...retries, ...proxied];
