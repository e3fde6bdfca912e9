// TLS: what the own authority signed is trusted, everything else is refused before a request goes out, and over the
// encrypted connection everything works as over a plain one.
import assert from 'node:assert/strict';
import { assertFile, downloadAll, get } from './reading.mjs';
import { TARGETS } from './targets.mjs';
import { FILE_HANDLE, GENERATOR, putAndGetBack, refusedUpload } from './uploads.mjs';

const UNKNOWN_AUTHORITY = [
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'SELF_SIGNED_CERT_IN_CHAIN',
];

const trusted = TARGETS.map(({ server, byLength, store }) => ({
  server,
  title: 'TLS with the own authority: downloads, uploads and 100 requests on one socket',
  run: async (context) => {
    const connection = context.https(context.port(server, 'tls'));
    const ports = new Set();
    const detail = await downloadAll(context, connection, byLength, () =>
      ports.add(connection.socket?.localPort),
    );
    for (let number = 0; number < 100; number++) {
      const response = await get(connection, byLength(1_000));
      ports.add(connection.socket?.localPort);
      assert.equal(connection.socket?.encrypted, true);
      await assertFile(response, context.files.get(1_000));
    }
    assert.equal(ports.size, 1, 'sockets used');
    for (const source of [GENERATOR, FILE_HANDLE]) {
      await putAndGetBack(context, connection, `${store}tls.bin`, source);
    }
    return detail;
  },
}));

const refused = [
  ...TARGETS.map(({ server, byLength }) => ({
    server,
    title: 'TLS from an unknown authority is refused',
    run: async (context) => {
      const connection = context.https(context.port(server, 'tls'), { context: {} });
      await assert.rejects(get(connection, byLength(1_000)), (error) => {
        assert.ok(UNKNOWN_AUTHORITY.includes(error.code), `${error.code}: ${error.message}`);
        return true;
      });
      assert.ok(connection.socket === null, 'no socket is left');
    },
  })),
  {
    server: 'nginx',
    title:
      'TLS for another name is refused with ERR_TLS_CERT_ALTNAME_INVALID, unless that name was asked for',
    run: async (context) => {
      const port = context.port('nginx', 'wrongName');
      await assert.rejects(get(context.https(port), '/files/1000.bin'), {
        code: 'ERR_TLS_CERT_ALTNAME_INVALID',
      });
      const response = await get(context.https(port, { servername: 'elsewhere.test' }), '/files/1000.bin');
      await assertFile(response, context.files.get(1_000));
    },
  },
  ...['apache2', 'haproxy', 'lighttpd'].map((server) => ({
    server,
    title: 'TLS for another name is refused with ERR_TLS_CERT_ALTNAME_INVALID',
    run: async (context) => {
      const connection = context.https(context.port(server, 'tls'), { servername: 'elsewhere.test' });
      await assert.rejects(get(connection, '/files/1000.bin'), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
    },
  })),
];

const mutual = {
  server: 'nginx',
  title: 'TLS with a client certificate: the server knows who asks, and refuses who shows none',
  run: async (context) => {
    const port = context.port('nginx', 'mutual');
    const anonymous = await get(context.https(port), '/files/1000.bin');
    assert.equal(anonymous.status, 400);
    assert.match(await anonymous.text(), /No required SSL certificate was sent/);

    const credentials = { cert: context.read('client', 'cert'), key: context.read('client', 'key') };
    const known = context.https(port, { context: { ca: context.authority, ...credentials } });
    const response = await get(known, '/files/1000.bin');
    assert.equal(response.getHeader('X-Client'), 'CN=client');
    await assertFile(response, context.files.get(1_000));
  },
};

const ROUNDS = 10;

const refusals = TARGETS.map(({ server, byLength, small, complaint }) => ({
  server,
  title: '413 in mid-upload over TLS arrives with its body, and the next request on the same object works',
  run: async (context) => {
    const connection = context.https(context.port(server, 'tls'));
    for (let round = 0; round < ROUNDS; round++) {
      const next = byLength(1_000);
      const declared = round % 2 === 1;
      await refusedUpload(context, connection, { url: small, status: 413, complaint, declared, next });
    }
    return `${ROUNDS} uploads`;
  },
}));

export const tls = [...trusted, ...refused, mutual, ...refusals];
