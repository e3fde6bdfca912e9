/**
 * HTTPS: whom a connection believes, what it asks for in the handshake, and that nothing around it weakens the check.
 */

import { execFile } from 'node:child_process';
import * as net from 'node:net';
import * as tls from 'node:tls';
import { promisify } from 'node:util';

import { expect } from 'chai';

import { HTTPSConnection } from '../../lib/index.js';
import type { HTTPSConnectionOptions } from '../../lib/index.js';
import {
  answer,
  authority,
  identity,
  NO_CONTENT,
  OK,
  rawServer,
  rawTLSServer,
} from '../support/raw-server.js';
import type { RawServer } from '../support/raw-server.js';
import { fieldOf } from '../support/received-request.js';
import { rejection } from '../support/rejection.js';

const TRUSTING: HTTPSConnectionOptions = { context: { ca: authority() } };

function secureTo(
  server: RawServer,
  options: HTTPSConnectionOptions = TRUSTING,
  host = '127.0.0.1',
): HTTPSConnection {
  return new HTTPSConnection(host, server.port, options);
}

/** A proxy that opens every tunnel, whatever it is asked for, to one server. */
function forwardingProxy(origin: RawServer): Promise<RawServer> {
  const open = (client: net.Socket): void => {
    const upstream = net.connect(origin.port, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connected\r\n\r\n');
      upstream.pipe(client);
      client.pipe(upstream);
    });
    upstream.on('error', () => client.destroy());
    client.on('close', () => upstream.destroy());
  };
  return rawServer(open, { atHead: true });
}

async function get(conn: HTTPSConnection): Promise<string> {
  await conn.request('GET', '/');
  return String(await (await conn.getResponse()).readall());
}

describe('HTTPS', () => {
  it('carries exchanges, and is used again for the next', async () => {
    const server = await rawTLSServer(answer(OK));
    const conn = secureTo(server);
    expect([await get(conn), await get(conn)]).to.deep.equal(['ok', 'ok']);
    expect(server.connections).to.equal(1);
    expect(conn.socket).to.be.instanceOf(tls.TLSSocket);
    expect((conn.socket as tls.TLSSocket).authorized).to.equal(true);
    expect(fieldOf(server.requests[0] ?? server.request, 'Host')).to.equal(
      `127.0.0.1:${String(server.port)}`,
    );
  });

  it('carries large bodies both ways', async () => {
    const large = Buffer.alloc(1_000_000, 'abcdefg');
    const server = await rawTLSServer((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${String(large.length)}\r\n\r\n`);
      socket.write(large);
    });
    const conn = secureTo(server);
    await conn.request('PUT', '/', [large.subarray(0, 300_000), large.subarray(300_000)]);
    const response = await conn.getResponse();
    expect((await response.readall()).equals(large)).to.equal(true);
    expect(server.request.body.equals(large)).to.equal(true);
  });

  for (const host of ['localhost', '127.0.0.1']) {
    it(`verifies the certificate against ${host}`, async () => {
      const server = await rawTLSServer(answer(OK));
      const lookup: HTTPSConnectionOptions['lookup'] = (_host, _options, done) =>
        done(null, [{ address: '127.0.0.1', family: 4 }]);
      expect(await get(secureTo(server, { ...TRUSTING, lookup }, host))).to.equal('ok');
    });
  }

  it('takes a SecureContext as well as its options', async () => {
    const server = await rawTLSServer(answer(OK));
    const context = tls.createSecureContext({ ca: authority() });
    expect(await get(secureTo(server, { context }))).to.equal('ok');
  });
});

describe('a certificate that does not hold', () => {
  const TABLE: {
    name: string;
    serves: 'server' | 'other' | 'self-signed';
    options: HTTPSConnectionOptions;
    code: string;
  }[] = [
    {
      name: 'an authority nobody knows',
      serves: 'server',
      options: {},
      code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    },
    { name: 'signed by itself', serves: 'self-signed', options: {}, code: 'DEPTH_ZERO_SELF_SIGNED_CERT' },
    {
      name: 'signed by itself, among trusted ones',
      serves: 'self-signed',
      options: TRUSTING,
      code: 'DEPTH_ZERO_SELF_SIGNED_CERT',
    },
    { name: 'for another name', serves: 'other', options: TRUSTING, code: 'ERR_TLS_CERT_ALTNAME_INVALID' },
    {
      name: 'not for the servername asked for',
      serves: 'server',
      options: { ...TRUSTING, servername: 'wrong.example' },
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    },
    {
      name: 'refused by the caller',
      serves: 'server',
      options: {
        ...TRUSTING,
        checkServerIdentity: () => Object.assign(new Error('pinned otherwise'), { code: 'PIN' }),
      },
      code: 'PIN',
    },
    {
      name: 'signed by itself, with undefined for rejectUnauthorized',
      serves: 'self-signed',
      options: { rejectUnauthorized: undefined },
      code: 'DEPTH_ZERO_SELF_SIGNED_CERT',
    },
  ];
  for (const { name, serves, options, code } of TABLE) {
    it(`ends the connection before a byte of the request is sent: ${name}`, async () => {
      const server = await rawTLSServer(answer(OK), { tls: identity(serves) });
      const conn = secureTo(server, options);
      const error = await rejection(conn.request('PUT', '/secret', 'body', { Authorization: 'x' }));
      expect(error).to.include({ code, method: 'PUT', url: '/secret', phase: 'connect', bytesSent: 0 });
      expect([conn.state, conn.socket]).to.deep.equal(['Idle', null]);
      await new Promise((resolve) => setTimeout(resolve, 20));
      for (const peer of server.peers) expect(peer.received.length).to.equal(0);
    });
  }

  it('is taken when the caller says so, and only then', async () => {
    const server = await rawTLSServer(answer(OK), { tls: identity('self-signed') });
    expect(await get(secureTo(server, { rejectUnauthorized: false }))).to.equal('ok');
  });

  it('is taken for another name when that is the servername', async () => {
    const server = await rawTLSServer(answer(OK), { tls: identity('other') });
    expect(await get(secureTo(server, { ...TRUSTING, servername: 'other.example' }))).to.equal('ok');
  });

  it('is still verified when the authority of the caller is the certificate itself', async () => {
    const own = identity('self-signed');
    const server = await rawTLSServer(answer(OK), { tls: own });
    expect(await get(secureTo(server, { context: { ca: own.cert } }))).to.equal('ok');
  });

  it('is not taken because of NODE_TLS_REJECT_UNAUTHORIZED=0', async () => {
    const server = await rawTLSServer(answer(OK), { tls: identity('self-signed') });
    const script = `
      import { HTTPSConnection } from ${JSON.stringify(new URL('../../lib/index.js', import.meta.url).href)};
      const conn = new HTTPSConnection('127.0.0.1', ${String(server.port)});
      await conn.request('GET', '/').then(() => console.log('taken'), (error) => console.log(error.code));
      conn.close();
    `;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
      env: { ...process.env, NODE_TLS_REJECT_UNAUTHORIZED: '0', NODE_NO_WARNINGS: '1' },
    });
    expect(stdout.trim()).to.equal('DEPTH_ZERO_SELF_SIGNED_CERT');
    expect(server.requests).to.deep.equal([]);
  });
});

describe('the handshake', () => {
  /** What a server saw of the client's hello. */
  async function helloOf(
    host: string,
    options: HTTPSConnectionOptions,
    prepare: (conn: HTTPSConnection) => void = () => undefined,
    settings: tls.TlsOptions = {},
  ): Promise<{ servername: string | false; alpn: string | false }> {
    const server = await rawTLSServer(answer(NO_CONTENT), {
      tls: { ALPNProtocols: ['h2', 'http/1.1'], ...settings },
    });
    const lookup: HTTPSConnectionOptions['lookup'] = (_host, _options, done) =>
      done(null, [{ address: '127.0.0.1', family: 4 }]);
    const conn = secureTo(server, { ...TRUSTING, lookup, ...options }, host);
    prepare(conn);
    await conn.request('GET', '/');
    await conn.getResponse();
    const socket = server.peer().socket as tls.TLSSocket & { servername: string | false };
    return { servername: socket.servername, alpn: socket.alpnProtocol ?? false };
  }

  it('asks for the host by name, and for http/1.1 alone', async () => {
    expect(await helloOf('localhost', {})).to.deep.equal({ servername: 'localhost', alpn: 'http/1.1' });
  });

  it('asks for no name where the host is an address', async () => {
    expect((await helloOf('127.0.0.1', {})).servername).to.equal(false);
  });

  it('asks for the servername the caller gave', async () => {
    const { servername } = await helloOf('127.0.0.1', { servername: 'localhost' });
    expect(servername).to.equal('localhost');
  });

  it('asks for http/1.1 with a context of the caller too', async () => {
    const context = tls.createSecureContext({ ca: authority() });
    expect((await helloOf('localhost', { context })).alpn).to.equal('http/1.1');
  });

  it('presents the certificate of the caller', async () => {
    const client = identity('server');
    const server = await rawTLSServer(answer(OK), {
      tls: { requestCert: true, rejectUnauthorized: true, ca: authority() },
    });
    expect(await rejection(get(secureTo(server)))).to.have.property('code');
    expect(await rejection(get(secureTo(server)))).to.be.instanceOf(Error);
    // The test certificate is for servers only; what matters is that it arrives.
    const lenient = await rawTLSServer(answer(OK), {
      tls: { requestCert: true, rejectUnauthorized: false, ca: authority() },
    });
    expect(await get(secureTo(lenient, { context: { ca: authority(), ...client } }))).to.equal('ok');
    const presented = (lenient.peer().socket as tls.TLSSocket).getPeerCertificate();
    expect(presented.subject.CN).to.contain('localhost');
  });

  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    it(`resumes the session when it dials again (${version})`, async () => {
      const reused: boolean[] = [];
      const server = await rawTLSServer(
        (socket) => {
          reused.push((socket as tls.TLSSocket).isSessionReused());
          socket.write(OK);
        },
        { tls: { minVersion: version, maxVersion: version } },
      );
      const conn = secureTo(server);
      for (let i = 0; i < 3; i++) {
        expect(await get(conn)).to.equal('ok');
        conn.close();
      }
      expect(reused).to.deep.equal([false, true, true]);
    });

    it(`resumes no session with another name, whose certificate would not be looked at (${version})`, async () => {
      const origin = await rawTLSServer(answer(OK), { tls: { minVersion: version, maxVersion: version } });
      const proxy = await forwardingProxy(origin);
      const conn = new HTTPSConnection('127.0.0.1', proxy.port, TRUSTING);
      conn.setTunnel('localhost', origin.port);
      expect(await get(conn)).to.equal('ok');
      conn.close();
      conn.setTunnel('other.example', origin.port);
      expect(await rejection(get(conn))).to.have.property('code', 'ERR_TLS_CERT_ALTNAME_INVALID');
    });
  }

  it('resumes a session the caller brought', async () => {
    const server = await rawTLSServer(answer(OK), { tls: { maxVersion: 'TLSv1.2' } });
    const first = secureTo(server);
    await get(first);
    const session = (first.socket as tls.TLSSocket).getSession();
    first.close();
    expect(session).to.be.instanceOf(Buffer);
    await get(secureTo(server, { ...TRUSTING, ...(session === undefined ? {} : { session }) }));
    expect((server.peer(1).socket as tls.TLSSocket).isSessionReused()).to.equal(true);
  });

  const FAILING: { name: string; serve: () => Promise<RawServer> }[] = [
    {
      name: 'speaks no TLS',
      serve: () =>
        rawServer(() => undefined, { onConnection: (socket) => socket.write('HTTP/1.1 400 no\r\n\r\n') }),
    },
    {
      name: 'closes in the middle of it',
      serve: () =>
        rawServer(() => undefined, { onConnection: (socket) => socket.once('data', () => socket.end()) }),
    },
    {
      name: 'resets in the middle of it',
      serve: () =>
        rawServer(() => undefined, {
          onConnection: (socket) => socket.once('data', () => socket.resetAndDestroy()),
        }),
    },
    {
      name: 'has no version in common',
      serve: () => rawTLSServer(answer(OK), { tls: { maxVersion: 'TLSv1.2' } }),
    },
  ];
  for (const { name, serve } of FAILING) {
    it(`rejects when the peer ${name}, and the connection is Idle without a socket`, async () => {
      const server = await serve();
      const conn = secureTo(server, { context: { ca: authority(), minVersion: 'TLSv1.3' } });
      const error = await rejection(conn.request('GET', '/'));
      expect(error).to.be.instanceOf(Error).and.to.include({ method: 'GET', phase: 'connect' });
      expect(error).to.have.property('code').that.is.a('string');
      expect([conn.state, conn.socket]).to.deep.equal(['Idle', null]);
    });
  }

  it('runs inside a tunnel, to the name behind it', async () => {
    const origin = await rawTLSServer(answer(OK));
    const proxy = await forwardingProxy(origin);
    const conn = new HTTPSConnection('127.0.0.1', proxy.port, TRUSTING);
    conn.setTunnel('localhost', origin.port);
    expect([await get(conn), await get(conn)]).to.deep.equal(['ok', 'ok']);
    const socket = origin.peer().socket as tls.TLSSocket & { servername?: string | false };
    expect(socket.servername).to.equal('localhost');
    expect(proxy.request.line).to.equal(`CONNECT localhost:${String(origin.port)} HTTP/1.1`);
    expect(proxy.peer().text).not.to.contain('GET /');
    conn.close();
  });
});
