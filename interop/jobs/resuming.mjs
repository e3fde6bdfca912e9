// Downloads that go on: through a proxy of ours that cuts every connection, by the servers' own validators and ranges.
import assert from 'node:assert/strict';
import { readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import * as net from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LARGE, MEDIUM, sha256 } from '../fixtures.mjs';
import { assertFile, WAYS } from './reading.mjs';
import { forTargets } from './targets.mjs';

const CUTS = 40;

/** The same small numbers at every run. */
function seeded(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 4_294_967_296;
  };
}

/** Passes bytes both ways, and ends each of the first `cuts` connections after some of them: by a reset, an end, or silence. */
async function cuttingRelay(port, cuts, random) {
  const sockets = new Set();
  const relay = { cuts: 0, url: '', close: () => sockets.forEach((socket) => socket.destroy()) };
  const server = net.createServer((client) => {
    const origin = net.connect(port, '127.0.0.1');
    for (const socket of [client, origin]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        origin.destroy();
        client.destroy();
      });
    }
    client.pipe(origin);
    if (relay.cuts === cuts) {
      origin.pipe(client);
      return;
    }
    const kind = relay.cuts++ % 3;
    let left = Math.floor(((2 * LARGE) / cuts) * random());
    origin.on('data', (bytes) => {
      const passed = bytes.subarray(0, left);
      left -= passed.length;
      if (!client.write(passed)) {
        origin.pause();
        client.once('drain', () => origin.resume());
      }
      if (left > 0) return;
      if (kind === 0) client.resetAndDestroy();
      else if (kind === 1) client.end();
      else origin.pause();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  relay.url = `http://127.0.0.1:${server.address().port}`;
  const { close } = relay;
  relay.close = () => {
    close();
    server.close();
  };
  return relay;
}

const resumed = forTargets(['byLength'], ({ server, byLength: url }) => ({
  title: `a download whose connections are cut ${CUTS} times goes on, whole in every way of reading`,
  limitMs: 120_000,
  run: async (context) => {
    const client = context.client();
    let resumes = 0;
    for (const [number, [, read]] of WAYS.entries()) {
      const relay = await cuttingRelay(context.port(server), CUTS, seeded(number + 1));
      try {
        const body = await client.resumable(relay.url + url(LARGE), {
          // A server, or the first connection, that is cut before it has begun an answer.
          retries: { limit: CUTS, minDelay: 1 },
          timeout: { body: 200, response: 2000 },
          minDelay: 1,
          maxDelay: 10,
        });
        assert.equal(body.total, LARGE);
        assert.notEqual(body.validator, null, 'a strong validator');
        await assertFile(body, context.files.get(LARGE), read);
        assert.equal(body.position, LARGE);
        assert.equal(relay.cuts, CUTS);
        resumes += body.resumes;
      } finally {
        relay.close();
      }
    }
    return `${WAYS.length} ways, ${resumes} continuations`;
  },
}));

const continued = forTargets(['byLength'], ({ server, byLength: url }) => ({
  title:
    'a download goes on where another program stopped, is empty at its end, and tells when the file has changed',
  run: async (context) => {
    const { ResourceChanged } = context.millrace;
    const client = context.client();
    const origin = `http://127.0.0.1:${context.port(server)}`;
    const bytes = readFileSync(context.files.get(MEDIUM).path);

    const first = await client.resumable(origin + url(MEDIUM));
    const begin = await first.readbytes(700_000);
    const { position, validator } = first;
    first.destroy();
    const second = await client.resumable(origin + url(MEDIUM), { from: { position, validator } });
    assert.equal(second.status, 206);
    assert.equal(second.length, MEDIUM - position);
    assert.equal(sha256([begin, await second.readall()]), sha256([bytes]));

    const whole = await client.resumable(origin + url(MEDIUM), { from: { position: MEDIUM, validator } });
    // The field that says so is a SHOULD, and two of the servers leave it out: their 416 is shown as it is.
    if (whole.headers.has('Content-Range')) {
      assert.equal(whole.total, MEDIUM);
      assert.equal((await whole.readall()).length, 0);
    } else {
      assert.equal(whole.status, 416);
      await whole.drain();
    }

    const name = `changing-${server}`;
    const path = join(dirname(context.files.get(MEDIUM).path), `${name}.bin`);
    // Written long ago: a new file has a weak validator only, with some servers.
    const write = (fill, hour) => {
      writeFileSync(path, Buffer.alloc(MEDIUM, fill), { mode: 0o644 });
      utimesSync(path, hour * 3600, hour * 3600);
    };
    write('a', 400_000);
    const before = await client.resumable(origin + url(name));
    await before.readbytes(1000);
    const from = { position: before.position, validator: before.validator };
    before.destroy();
    write('b', 400_001);
    // Some servers remember for a second or two what a file was.
    for (let tag = from.validator; tag === from.validator; await sleep(100)) {
      const now = await client.request('HEAD', origin + url(name));
      tag = now.getHeader('ETag');
    }
    await assert.rejects(client.resumable(origin + url(name), { from }), (error) => {
      assert.ok(error instanceof ResourceChanged, String(error));
      assert.equal(error.was, from.validator);
      return true;
    });
    return `validator ${validator}`;
  },
}));

export const resuming = [...resumed, ...continued];
