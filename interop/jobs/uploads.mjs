// Putting files by every kind of source and getting them back; being refused in the middle of it; Expect: 100-continue.
import assert from 'node:assert/strict';
import { createReadStream } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { LARGE, MEDIUM, payload } from '../fixtures.mjs';
import { assertFile, get } from './reading.mjs';
import { forTargets } from './targets.mjs';

async function* pieces(size) {
  // Odd pieces, so that no chunk border falls on a buffer border.
  yield* payload(size, { pieceBytes: 40_961 });
}

const SOURCES = [
  { name: 'generator', size: LARGE, body: ({ size }) => pieces(size) },
  { name: 'read stream', size: LARGE, body: ({ path }) => createReadStream(path) },
  { name: 'FileHandle', size: LARGE, open: true },
  { name: 'declared length', size: MEDIUM, body: ({ size }) => pieces(size), declared: true },
  { name: 'Buffer', size: MEDIUM, body: async ({ path }) => await readFile(path) },
  { name: 'empty generator', size: 0, body: ({ size }) => pieces(size) },
];

/** PUTs `file` from one kind of source, then gets it back over the same connection object. */
export async function putAndGetBack(context, connection, url, source) {
  const file = context.files.get(source.size);
  const handle = source.open ? await open(file.path) : undefined;
  try {
    const body = handle ?? (await source.body(file));
    const headers = source.declared ? { 'Content-Length': source.size } : {};
    await connection.request('PUT', url, body, headers);
    const stored = await connection.getResponse();
    await stored.readall();
    assert.ok(
      [200, 201, 204].includes(stored.status),
      `${source.name}: PUT was answered with ${stored.status}`,
    );
  } finally {
    await handle?.close();
  }
  const back = await get(connection, url);
  assert.equal(back.status, 200);
  await assertFile(back, file);
}

export const [GENERATOR, READ_STREAM, FILE_HANDLE] = SOURCES;

const puts = forTargets(['store'], ({ server, store }) => ({
  title: 'WebDAV PUT from every kind of source, and the same bytes come back',
  run: async (context) => {
    const connection = context.http(context.port(server));
    for (const [index, source] of SOURCES.entries()) {
      await putAndGetBack(context, connection, `${store}put-${index}.bin`, source);
    }
    return SOURCES.map(({ name }) => name).join(', ');
  },
}));

const MIB = Buffer.alloc(2 ** 20, 'x');
const ENDLESS_MIB = 512;

/** A source far bigger than any limit, that notes how far it was pulled and whether it was told to stop. */
export function endlessSource() {
  const seen = { pulled: 0, told: false };
  async function* source() {
    try {
      for (; seen.pulled < ENDLESS_MIB; seen.pulled++) yield MIB;
    } finally {
      seen.told = true;
    }
  }
  return { seen, body: source(), size: ENDLESS_MIB * MIB.length };
}

/** One upload that the server refuses while it runs: the refusal arrives whole, the source is told, and the object goes on. */
export async function refusedUpload(context, connection, { url, status, complaint, declared, next }) {
  const { seen, body, size } = endlessSource();
  await connection.request('PUT', url, body, declared ? { 'Content-Length': size } : {});
  const refusal = await connection.getResponse();
  assert.equal(refusal.status, status);
  assert.match(await refusal.text(), complaint);
  assert.ok(seen.told, 'the source was told that nobody wants more');
  assert.ok(seen.pulled < ENDLESS_MIB, 'the source was not read to its end');
  await assertFile(await get(connection, next), context.files.get(1_000));
}

const ROUNDS = 10;

const refusals = forTargets(['small'], ({ server, small, complaint, byLength }) => ({
  title: '413 in mid-upload arrives with its body, and the next request on the same object works',
  run: async (context) => {
    const connection = context.http(context.port(server));
    for (let round = 0; round < ROUNDS; round++) {
      const declared = round % 2 === 1;
      const next = byLength(1_000);
      await refusedUpload(context, connection, { url: small, status: 413, complaint, declared, next });
    }
    return `${ROUNDS} uploads, chunked and with a declared length`;
  },
}));

const fromTheHead = {
  server: 'haproxy',
  title: 'a refusal from the head alone (413, 403) arrives whole while the body is on its way',
  run: async (context) => {
    const connection = context.http(context.port('haproxy'));
    const next = '/files/1000.bin';
    for (let round = 0; round < ROUNDS; round++) {
      const declared = round % 2 === 1;
      const [status, complaint] = declared ? [413, /^too much for haproxy$/] : [403, /^not here$/];
      await refusedUpload(context, connection, { url: '/refuse', status, complaint, declared, next });
    }
    return `${ROUNDS} uploads`;
  },
};

const expectations = forTargets(['store'], ({ server, store, byLength }) => ({
  title: 'Expect: 100-continue: the body follows the 100',
  run: async (context) => {
    const connection = context.http(context.port(server));
    const events = [];
    async function* noted() {
      events.push('body');
      yield* payload(MEDIUM);
    }
    // A minute of patience: only the server's 100 can release the body within this job.
    await connection.request(
      'PUT',
      `${store}expect.bin`,
      noted(),
      { Expect: '100-continue' },
      {
        expectTimeout: 60_000,
        onInformational: ({ status }) => events.push(status),
      },
    );
    const stored = await connection.getResponse();
    await stored.readall();
    assert.ok([201, 204].includes(stored.status), `PUT was answered with ${stored.status}`);
    // A reverse proxy may pass on a second 100 from the server behind it.
    assert.deepEqual(events.slice(0, 2), [100, 'body']);
    await assertFile(await get(connection, `${store}expect.bin`), context.files.get(MEDIUM));
    await assertFile(await get(connection, byLength(1_000)), context.files.get(1_000));
  },
}));

const refusedExpectations = ['nginx', 'apache2', 'lighttpd'].map((server) => ({
  server,
  title: 'Expect: 100-continue: a 413 instead of the 100, and not a byte of the body is asked for',
  run: async (context) => {
    const connection = context.http(context.port(server));
    const { seen, body, size } = endlessSource();
    const headers = { Expect: '100-continue', 'Content-Length': size };
    const interim = [];
    await connection.request('PUT', '/small/expect', body, headers, {
      expectTimeout: 60_000,
      onInformational: ({ status }) => interim.push(status),
    });
    const refusal = await connection.getResponse();
    assert.equal(refusal.status, 413);
    assert.match(await refusal.text(), /413/);
    assert.deepEqual([interim, seen.pulled], [[], 0]);
    await assertFile(await get(connection, '/files/1000.bin'), context.files.get(1_000));
  },
}));

export const uploads = [puts, refusals, fromTheHead, expectations, refusedExpectations].flat();
