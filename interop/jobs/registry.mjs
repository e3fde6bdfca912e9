// A container registry: the push and pull of a 200 MiB blob as its clients do them, plus a manifest and its tag.
// The blob exists nowhere as a whole: it is generated while it is sent, and hashed while it comes back.
import assert from 'node:assert/strict';
import { payload, sha256 } from '../fixtures.mjs';
import { digest, get } from './reading.mjs';

const BLOB_MIB = 200;
const BLOB_BYTES = BLOB_MIB * 2 ** 20;
const REPOSITORY = '/v2/interop/wheel';
const MANIFEST_TYPE = 'application/vnd.docker.distribution.manifest.v2+json';

async function exchange(connection, method, url, body, headers) {
  await connection.request(method, url, body, headers);
  const response = await connection.getResponse();
  const text = await response.text();
  return { status: response.status, response, text };
}

/** The registry names the next step by an absolute URL; the connection wants its path. */
function nextStep({ response }) {
  const { pathname, search } = new URL(response.getHeader('Location'));
  return { path: pathname + search, mark: search === '' ? '?' : '&' };
}

async function* spaced(size) {
  yield* payload(size);
}

async function push(connection, size, hash) {
  const started = await exchange(connection, 'POST', `${REPOSITORY}/blobs/uploads/`);
  assert.equal(started.status, 202, started.text);
  const headers = { 'Content-Type': 'application/octet-stream' };
  const sent = await exchange(connection, 'PATCH', nextStep(started).path, spaced(size), headers);
  assert.equal(sent.status, 202, sent.text);
  const { path, mark } = nextStep(sent);
  const sealed = await exchange(connection, 'PUT', `${path}${mark}digest=sha256:${hash}`);
  assert.equal(sealed.status, 201, sealed.text);
  assert.equal(sealed.response.getHeader('Docker-Content-Digest'), `sha256:${hash}`);
}

async function pull(connection, size, hash) {
  const response = await get(connection, `${REPOSITORY}/blobs/sha256:${hash}`);
  assert.equal(response.status, 200);
  assert.equal(response.getHeader('Content-Length'), String(size));
  assert.deepEqual(await digest(response), { sha256: hash, size });
}

const blob = {
  server: 'docker-registry',
  title: `a blob of ${BLOB_MIB} MiB is pushed in chunks and pulled`,
  limitMs: 60_000,
  run: async (context) => {
    const connection = context.http(context.port('docker-registry'));
    const hash = sha256(payload(BLOB_BYTES));
    await push(connection, BLOB_BYTES, hash);
    const port = connection.socket?.localPort;

    await connection.request('HEAD', `${REPOSITORY}/blobs/sha256:${hash}`);
    const head = await connection.getResponse();
    assert.equal(head.status, 200);
    assert.equal(head.getHeader('Content-Length'), String(BLOB_BYTES));

    await pull(connection, BLOB_BYTES, hash);
    assert.equal(connection.socket?.localPort, port, 'the socket');
    return 'POST, PATCH, PUT, HEAD and GET over one socket';
  },
};

const manifest = {
  server: 'docker-registry',
  title: 'an image (config, layer, manifest) is pushed under a tag and pulled by it',
  run: async (context) => {
    const connection = context.http(context.port('docker-registry'));
    const [config, layer] = [1_000, 65_537].map((size) => ({ size, hash: context.files.get(size).sha256 }));
    for (const { size, hash } of [config, layer]) await push(connection, size, hash);
    const described = ({ size, hash }, mediaType) => ({ mediaType, size, digest: `sha256:${hash}` });
    const text = JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST_TYPE,
      config: described(config, 'application/vnd.docker.container.image.v1+json'),
      layers: [described(layer, 'application/vnd.docker.image.rootfs.diff.tar.gzip')],
    });
    const stored = await exchange(connection, 'PUT', `${REPOSITORY}/manifests/stone`, text, {
      'Content-Type': MANIFEST_TYPE,
    });
    assert.equal(stored.status, 201, stored.text);

    const pulled = await get(connection, `${REPOSITORY}/manifests/stone`, { Accept: MANIFEST_TYPE });
    const read = await pulled.json();
    assert.deepEqual(read, JSON.parse(text));
    for (const { size, digest: name } of [read.config, ...read.layers]) {
      await pull(connection, size, name.replace('sha256:', ''));
    }
    const tags = await get(connection, `${REPOSITORY}/tags/list`);
    assert.deepEqual(await tags.json(), { name: 'interop/wheel', tags: ['stone'] });
  },
};

const wrongDigest = {
  server: 'docker-registry',
  title: 'a blob under a wrong digest is refused, and the connection goes on',
  run: async (context) => {
    const connection = context.http(context.port('docker-registry'));
    const started = await exchange(connection, 'POST', `${REPOSITORY}/blobs/uploads/`);
    const { path, mark } = nextStep(started);
    const wrong = `${path}${mark}digest=sha256:${'0'.repeat(64)}`;
    const refused = await exchange(connection, 'PUT', wrong, 'not that blob', {
      'Content-Type': 'application/octet-stream',
    });
    assert.equal(refused.status, 400);
    assert.equal(JSON.parse(refused.text).errors[0].code, 'DIGEST_INVALID');
    assert.equal((await exchange(connection, 'GET', '/v2/')).status, 200);
  },
};

const many = {
  server: 'docker-registry',
  title: '500 requests go over one socket',
  run: async (context) => {
    const connection = context.http(context.port('docker-registry'));
    const sockets = new Set();
    for (let number = 0; number < 500; number++) {
      const response = await get(connection, '/v2/');
      sockets.add(connection.socket);
      assert.deepEqual(await response.json(), {});
    }
    assert.equal(sockets.size, 1, 'sockets used');
  },
};

export const registry = [blob, manifest, wrongDigest, many];
