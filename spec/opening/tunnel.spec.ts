/**
 * Tunnels through a proxy: the CONNECT request, what the proxy may answer, where it may fail, and HTTP and TLS inside, TLS around.
 */
import type { Socket } from 'node:net';
import { expect } from 'chai';
import { HTTPConnection, HTTPMessage, HTTPSConnection, TunnelError } from '../../lib/index.js';
import { patternBytes } from '../support/body-sources.js';
import { answer, authority, identity, OK, rawServer, rawTLSServer } from '../support/raw-server.js';
import type { RawServer } from '../support/raw-server.js';
import { rejection } from '../support/rejection.js';
import { handOver, proxyTo } from '../support/transports.js';

const OPENED = 'HTTP/1.1 200 Connection established\r\n\r\n';
const CONTEXT = { ca: authority() };

async function get(connection: HTTPConnection): Promise<string> {
  await connection.request('GET', '/');
  return (await connection.getResponse()).text();
}

/** A proxy that answers each CONNECT with these bytes and then goes on as told. */
function proxyAnswering(bytes: string, then?: (socket: Socket) => void): Promise<RawServer> {
  return rawServer(
    (socket) => {
      socket.write(Buffer.from(bytes, 'latin1'), () => then?.(socket));
    },
    { atHead: true },
  );
}

async function refused(
  proxy: RawServer,
  connectionClass: typeof HTTPConnection = HTTPConnection,
): Promise<Error> {
  const connection = new connectionClass('127.0.0.1', proxy.port);
  connection.setTunnel('example.test', 8080);
  const sent = connection.request('GET', '/page');
  const head = connection.getResponse();
  const error = await rejection(sent);
  expect(await rejection(head)).to.equal(error);
  expect(connection.state).to.equal('Idle');
  expect(connection.socket).to.equal(null);
  return error;
}

describe('a tunnel', () => {
  it('is asked for in one write: CONNECT, Host, and the given fields; the request inside names the server', async () => {
    const server = await rawServer(answer(OK));
    const proxy = await proxyTo(server);
    const connection = new HTTPConnection('127.0.0.1', proxy.port);
    connection.setTunnel('example.test', 8080, { 'Proxy-Authorization': 'Basic eDp5', 'X-Trace': '1' });
    expect(await get(connection)).to.equal('ok');
    expect(proxy.request.head).to.equal(
      'CONNECT example.test:8080 HTTP/1.1\r\nHost: example.test:8080\r\nProxy-Authorization: Basic eDp5\r\nX-Trace: 1\r\n\r\n',
    );
    expect(server.request.head).to.include('\r\nHost: example.test:8080\r\n');
    expect(server.request.head).not.to.include('Proxy-Authorization');
    expect(await get(connection)).to.equal('ok');
    expect(proxy.connections).to.equal(1);
    connection.close();
  });

  it('to an IPv6 address has brackets in the target and in Host, and gives way to a Host of the caller’s', async () => {
    const proxy = await proxyAnswering('HTTP/1.1 403 No\r\n\r\n');
    for (const fields of [{}, { host: 'mine' }]) {
      const connection = new HTTPConnection('127.0.0.1', proxy.port);
      connection.setTunnel('::1', 443, fields);
      await rejection(connection.connect());
    }
    expect(proxy.peer(0).text).to.equal('CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n\r\n');
    expect(proxy.peer(1).text).to.equal('CONNECT [::1]:443 HTTP/1.1\r\nhost: mine\r\n\r\n');
  });

  for (const status of [200, 202, 299]) {
    it(`is open after a ${String(status)}, whatever its framing fields say, and interim responses before it`, async () => {
      const server = await rawServer(answer(OK));
      const proxy = await proxyAnswering(
        `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 ${String(status)} Open\r\nContent-Length: 500\r\nVia: 1.1 p\r\n\r\n`,
        (socket) => handOver(socket, server),
      );
      const connection = new HTTPConnection('127.0.0.1', proxy.port);
      connection.setTunnel('example.test');
      expect(connection.getProxyResponseHeaders()).to.equal(null);
      expect(await get(connection)).to.equal('ok');
      expect(connection.getProxyResponseHeaders()?.get('via')).to.equal('1.1 p');
      connection.close();
    });
  }

  it('that is refused fails with a TunnelError that has status, reason and fields, and no TLS is begun', async () => {
    const proxy = await proxyAnswering(
      'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="x"\r\nProxy-Authenticate: Digest\r\nContent-Length: 6\r\n\r\nsecret',
    );
    for (const connectionClass of [HTTPConnection, HTTPSConnection]) {
      const error = (await refused(proxy, connectionClass)) as TunnelError;
      expect(error).to.be.instanceOf(TunnelError);
      expect(error).to.include({
        code: 'ERR_TUNNEL_ERROR',
        status: 407,
        reason: 'Proxy Authentication Required',
        phase: 'tunnel',
        method: 'GET',
        url: '/page',
      });
      expect(error.headers).to.be.instanceOf(HTTPMessage);
      expect(error.headers.getAll('proxy-authenticate')).to.deep.equal(['Basic realm="x"', 'Digest']);
    }
    for (const peer of proxy.peers) {
      await peer.closed;
      expect(peer.text.startsWith('CONNECT ') && peer.text.endsWith('\r\n\r\n')).to.equal(true);
    }
  });

  it('can be asked for again with credentials on the same object', async () => {
    const server = await rawServer(answer(OK));
    const proxy = await rawServer(
      (socket, { head }) => {
        if (head.includes('Proxy-Authorization')) socket.write(OPENED, () => handOver(socket, server));
        else socket.end('HTTP/1.1 407 Who?\r\nProxy-Authenticate: Basic\r\n\r\n');
      },
      { atHead: true },
    );
    const connection = new HTTPConnection('127.0.0.1', proxy.port);
    connection.setTunnel('example.test');
    expect(await rejection(connection.request('GET', '/'))).to.have.property('status', 407);
    expect(connection.getProxyResponseHeaders()?.get('Proxy-Authenticate')).to.equal('Basic');
    connection.setTunnel('example.test', null, { 'Proxy-Authorization': 'Basic eDp5' });
    expect(await get(connection)).to.equal('ok');
    connection.close();
  });

  const failures: Record<string, { bytes: string; end?: 'FIN' | 'reset'; expect: Record<string, unknown> }> =
    {
      'closes without an answer': {
        bytes: '',
        end: 'FIN',
        expect: { code: 'ECONNRESET', name: 'RemoteDisconnected' },
      },
      'resets without an answer': { bytes: '', end: 'reset', expect: { code: 'ECONNRESET' } },
      'closes within the status line': {
        bytes: 'HTTP/1.1 20',
        end: 'FIN',
        expect: { name: 'BadStatusLine' },
      },
      'closes within the fields': {
        bytes: 'HTTP/1.1 200 OK\r\nVia',
        end: 'FIN',
        expect: { name: 'BadHeader' },
      },
      'answers with something else': { bytes: 'SSH-2.0-OpenSSH\r\n', expect: { name: 'BadStatusLine' } },
      'answers 101': {
        bytes: 'HTTP/1.1 101 Switching Protocols\r\n\r\n',
        expect: { name: 'TunnelError', status: 101 },
      },
      'never stops with interim responses': {
        bytes: 'HTTP/1.1 102 Wait\r\n\r\n'.repeat(101),
        expect: { code: 'ERR_LIMIT_EXCEEDED', limit: 'interimResponses' },
      },
    };
  for (const [name, { bytes, end, expect: expected }] of Object.entries(failures)) {
    it(`fails in phase tunnel when the proxy ${name}`, async () => {
      const proxy = await rawServer(
        (socket) => {
          socket.write(Buffer.from(bytes, 'latin1'), () => {
            if (end === 'FIN') socket.end();
            else if (end === 'reset') socket.resetAndDestroy();
          });
        },
        { atHead: true },
      );
      expect(await refused(proxy)).to.include({ ...expected, phase: 'tunnel', url: '/page' });
      await proxy.peer().closed;
    });
  }

  it('refuses bytes behind its 200 that nobody asked for', async () => {
    const proxy = await proxyAnswering(`${OPENED}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged`);
    expect(await refused(proxy)).to.include({ name: 'BadStatusLine' });
  });

  it('takes bytes behind its 200 for TLS, whose business they are', async () => {
    const proxy = await proxyAnswering(`${OPENED}not a TLS record at all`);
    const error = await refused(proxy, HTTPSConnection);
    expect((error as NodeJS.ErrnoException).code).to.match(/^ERR_SSL_|^EPROTO/);
    expect(error).to.have.property('phase', 'connect');
  });

  it('verifies the server inside, by the tunnel’s name or by an explicit servername', async () => {
    const server = await rawTLSServer(answer(OK));
    const proxy = await proxyTo(server);
    const attempt = async (host: string, servername?: string): Promise<string> => {
      const options = { context: CONTEXT, ...(servername === undefined ? {} : { servername }) };
      const connection = new HTTPSConnection('127.0.0.1', proxy.port, options);
      connection.setTunnel(host, 443);
      try {
        return await get(connection);
      } finally {
        connection.close();
      }
    };
    expect(await attempt('localhost')).to.equal('ok');
    expect(await rejection(attempt('other.example'))).to.have.property(
      'code',
      'ERR_TLS_CERT_ALTNAME_INVALID',
    );
    expect(await attempt('other.example', 'localhost')).to.equal('ok');
  });

  it('reports a peer that closes in the handshake inside', async () => {
    const proxy = await rawServer((socket) => socket.write(OPENED), {
      atHead: true,
      onConnection: (socket, peer) => {
        socket.on('data', () => {
          if (peer.text.includes('\x16\x03')) socket.end();
        });
      },
    });
    const error = await refused(proxy, HTTPSConnection);
    expect(error).to.include({ code: 'ECONNRESET', phase: 'connect' });
    await proxy.peer().closed;
  });

  it('carries a large body under a reader that pauses, inside TLS, without loss', async () => {
    const body = patternBytes(3 * 1_048_576);
    const server = await rawTLSServer((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${String(body.length)}\r\n\r\n`);
      socket.write(body);
    });
    const proxy = await proxyTo(server);
    const connection = new HTTPSConnection('127.0.0.1', proxy.port, { context: CONTEXT });
    connection.setTunnel('localhost', 443);
    await connection.request('GET', '/');
    const response = await connection.getResponse();
    const pieces: Buffer[] = [];
    for await (const piece of response) {
      pieces.push(piece);
      if (pieces.length % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    }
    expect(Buffer.concat(pieces).equals(body)).to.equal(true);
    expect(await get(connection).then((text) => text.length)).to.be.above(0);
    expect(proxy.connections).to.equal(1);
    connection.close();
  });

  for (const end of ['FIN', 'reset'] as const) {
    it(`keeps for a reader that pauses, inside TLS, what came before a ${end}`, async () => {
      const server = await rawTLSServer((socket, { target }) => {
        const size = Number(target.slice(1));
        socket.write(`HTTP/1.1 200 OK\r\n${end === 'FIN' ? '' : `Content-Length: ${String(size)}\r\n`}\r\n`);
        if (end === 'FIN') socket.end(patternBytes(size));
        else socket.write(patternBytes(size));
      });
      const sizes = Array.from({ length: 20 }, (_, i) => 60_000 + i * 7000);
      const tries = sizes.map(async (size) => {
        const proxy = await proxyTo(server);
        const connection = new HTTPSConnection('127.0.0.1', proxy.port, { context: CONTEXT });
        connection.setTunnel('localhost', 443);
        await connection.request('GET', `/${String(size)}`);
        const response = await connection.getResponse();
        const first = await response.read1();
        await new Promise((resolve) => setTimeout(resolve, 100));
        if (end === 'reset') proxy.peer().socket.resetAndDestroy();
        const rest = await response.readall();
        expect(Buffer.concat([first, rest]).equals(patternBytes(size))).to.equal(true);
        connection.close();
      });
      await Promise.all(tries);
    });
  }

  it('reports a body that the proxy cuts short inside TLS as IncompleteRead or a reset, never as an end', async () => {
    const server = await rawTLSServer((socket) =>
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome'),
    );
    const proxy = await proxyTo(server);
    const connection = new HTTPSConnection('127.0.0.1', proxy.port, { context: CONTEXT });
    connection.setTunnel('localhost', 443);
    await connection.request('GET', '/');
    const response = await connection.getResponse();
    expect((await response.read1()).toString()).to.equal('some');
    proxy.peer().socket.destroy();
    expect(await rejection(response.readall()))
      .to.have.property('code')
      .that.is.oneOf(['ERR_INCOMPLETE_READ', 'ECONNRESET']);
    connection.close();
  });

  describe('with proxyTLS', () => {
    it('speaks TLS to the proxy, verified by the proxy’s name, and plain HTTP inside', async () => {
      const server = await rawServer(answer(OK));
      const proxy = await proxyTo(server, { tls: identity('server') });
      const connection = new HTTPConnection('127.0.0.1', proxy.port, { proxyTLS: { context: CONTEXT } });
      connection.setTunnel('example.test', 80);
      expect(await get(connection)).to.equal('ok');
      expect(await get(connection)).to.equal('ok');
      expect(proxy.connections).to.equal(1);
      connection.close();
    });

    it('speaks TLS inside TLS for https, each verified by its own name', async () => {
      const server = await rawTLSServer(answer(OK), { tls: identity('other') });
      const proxy = await proxyTo(server, { tls: identity('server') });
      const connection = new HTTPSConnection('127.0.0.1', proxy.port, {
        context: CONTEXT,
        proxyTLS: { context: CONTEXT },
      });
      connection.setTunnel('other.example', 443);
      expect(await get(connection)).to.equal('ok');
      connection.close();
    });

    it('fails in phase connect when the proxy is not trusted, and asks it nothing', async () => {
      const proxy = await proxyTo(await rawServer(answer(OK)), { tls: identity('self-signed') });
      const connection = new HTTPConnection('127.0.0.1', proxy.port, { proxyTLS: true });
      connection.setTunnel('example.test', 80);
      const error = await rejection(connection.request('GET', '/'));
      expect(error).to.include({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT', phase: 'connect' });
      expect(proxy.requests).to.have.length(0);
    });
  });
});
