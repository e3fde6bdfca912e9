// Getting files: framed by length and by chunks, parts of them, their heads alone, only when changed, and compressed.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { LARGE, MEDIUM, SIZES, sha256 } from '../fixtures.mjs';
import { assertFile, digest, downloadAll, get } from './reading.mjs';
import { forTargets } from './targets.mjs';

const byLength = forTargets(['byLength'], ({ server, byLength: url }) => ({
  title: 'downloads by length arrive whole in every way of reading',
  run: async (context) =>
    await downloadAll(context, context.http(context.port(server)), url, (response, size) => {
      assert.equal(response.getHeader('Content-Length'), String(size));
      assert.equal(response.chunked, false);
      assert.equal(response.length, size);
    }),
}));

const chunked = forTargets(['chunked'], ({ server, chunked: url }) => ({
  title: 'chunked downloads arrive whole in every way of reading',
  run: async (context) => {
    // A CGI reply that is complete at once may be given a length: there only big ones must be chunked.
    const least = server === 'apache2' || server === 'lighttpd' ? MEDIUM : 1;
    let inChunks = 0;
    const check = (response, size) => {
      if (response.chunked) inChunks += 1;
      else assert.ok(size < least, `${response.url}: not chunked`);
    };
    const detail = await downloadAll(context, context.http(context.port(server)), url, check);
    return `${detail}, ${inChunks} in chunks`;
  },
}));

const trailers = ['nginx', 'haproxy'].map((server) => ({
  server,
  title: 'the trailers after a chunked body are there at its end and not before',
  run: async (context) => {
    const response = await get(context.http(context.port(server)), `/chunked/${MEDIUM}.bin`);
    assert.equal(response.trailers.size, 0);
    await assertFile(response, context.files.get(MEDIUM));
    assert.equal(response.trailers.get('X-Served-By'), 'nginx');
  },
}));

const PARTS = [
  ['bytes=0-99', 0, 100],
  ['bytes=65530-131080', 65_530, 131_081],
  [`bytes=${LARGE - 700_000}-`, LARGE - 700_000, LARGE],
  ['bytes=-500', LARGE - 500, LARGE],
];

const ranges = forTargets(['byLength'], ({ server, byLength: url }) => ({
  title:
    'ranges are answered with 206, the right Content-Range and the right bytes, and put together they are the file',
  run: async (context) => {
    const connection = context.http(context.port(server));
    const file = context.files.get(LARGE);
    const bytes = readFileSync(file.path);
    for (const [range, from, to] of PARTS) {
      const response = await get(connection, url(LARGE), { Range: range });
      assert.equal(response.status, 206, range);
      assert.equal(response.getHeader('Content-Range'), `bytes ${from}-${to - 1}/${LARGE}`);
      assert.equal((await digest(response)).sha256, sha256([bytes.subarray(from, to)]), range);
    }

    const parts = [];
    for (let from = 0; from < LARGE; from += 6_000_000) {
      const response = await get(connection, url(LARGE), { Range: `bytes=${from}-${from + 5_999_999}` });
      assert.equal(response.status, 206);
      parts.push(await response.readall());
    }
    assert.equal(sha256(parts), file.sha256);

    const beyond = await get(connection, url(LARGE), { Range: `bytes=${LARGE}-` });
    assert.equal(beyond.status, 416);
    // The field is a SHOULD, and two of the servers leave it out.
    assert.equal(beyond.getHeader('Content-Range', `bytes */${LARGE}`), `bytes */${LARGE}`);
    await beyond.readall();
    return `${PARTS.length} ranges, the file in ${parts.length} parts, and 416`;
  },
}));

const heads = forTargets(['byLength'], ({ server, byLength: url }) => ({
  title: 'HEAD gives the length and no body, and the socket stays in use',
  run: async (context) => {
    const connection = context.http(context.port(server));
    const ports = new Set();
    for (const size of SIZES) {
      await connection.request('HEAD', url(size));
      const response = await connection.getResponse();
      ports.add(connection.socket?.localPort);
      assert.equal(response.status, 200);
      // Some servers leave the length out of an answer about an empty file.
      if (size > 0) assert.equal(response.getHeader('Content-Length'), String(size));
      assert.equal((await response.readall()).length, 0);
      await assertFile(await get(connection, url(1_000)), context.files.get(1_000));
    }
    assert.equal(ports.size, 1, 'sockets used');
    return `${SIZES.length} heads, each followed by a GET on the same socket`;
  },
}));

const conditional = forTargets(['byLength'], ({ server, byLength: url }) => ({
  title: 'a conditional GET is answered with 304 and no body, and the socket stays in use',
  run: async (context) => {
    const connection = context.http(context.port(server));
    const first = await get(connection, url(MEDIUM));
    await assertFile(first, context.files.get(MEDIUM));
    const [etag, modified] = [first.getHeader('ETag'), first.getHeader('Last-Modified')];
    assert.ok(etag !== null && modified !== null, 'the server gives both validators');
    const port = connection.socket?.localPort;
    for (const condition of [{ 'If-None-Match': etag }, { 'If-Modified-Since': modified }]) {
      const response = await get(connection, url(MEDIUM), condition);
      assert.equal(response.status, 304);
      assert.equal((await response.readall()).length, 0);
    }
    const changed = await get(connection, url(MEDIUM), { 'If-None-Match': '"another"' });
    assert.equal(changed.status, 200);
    await assertFile(changed, context.files.get(MEDIUM));
    assert.equal(connection.socket?.localPort, port, 'the socket');
  },
}));

const packed = forTargets(['packed'], ({ server, packed: url }) => ({
  title: 'a gzip reply, piped through node:zlib, is the very file',
  run: async (context) => {
    const connection = context.http(context.port(server));
    for (const size of SIZES.filter((each) => each >= 1_000)) {
      const response = await get(connection, url(size), { 'Accept-Encoding': 'gzip' });
      assert.equal(response.getHeader('Content-Encoding'), 'gzip', response.url);
      const hashed = await digest(response.pipe(createGunzip()));
      assert.deepEqual(hashed, { sha256: context.files.get(size).sha256, size });
    }
  },
}));

export const downloads = [
  ...[byLength, chunked, trailers, ranges, heads, conditional, packed].flat(),
  {
    server: 'python3',
    needs: ['http10'],
    title: 'a server without ranges answers 200 with the whole file',
    run: async (context) => {
      const response = await get(context.http(context.port('http10')), `/${MEDIUM}.bin`, {
        Range: 'bytes=0-9',
      });
      assert.equal(response.status, 200);
      assert.equal(response.getHeader('Content-Range'), null);
      await assertFile(response, context.files.get(MEDIUM));
    },
  },
];
