/**
 * Attacks that `docs/security.md` names and no other spec is about: each shows what the attacker would have had, and that it is not there.
 */
import { expect } from 'chai';
import { HTTPConnection } from '../../lib/index.js';
import { OK, answer, rawServer } from '../support/raw-server.js';
import { rejection } from '../support/rejection.js';

describe('an attacker', () => {
  it('gets no credentials by a redirect: it is delivered, and nothing follows it', async () => {
    const elsewhere = await rawServer(answer(OK));
    const location = `http://127.0.0.1:${String(elsewhere.port)}/`;
    const server = await rawServer(
      answer(`HTTP/1.1 302 Found\r\nLocation: ${location}\r\nContent-Length: 0\r\n\r\n`),
    );
    const connection = new HTTPConnection('127.0.0.1', server.port);
    await connection.request('GET', '/', null, { Authorization: 'Basic x', Cookie: 'a=b' });
    const response = await connection.getResponse();
    await response.readall();
    connection.close();
    expect([response.status, response.getHeader('location')]).to.deep.equal([302, location]);
    expect(server.requests).to.have.length(1);
    expect(elsewhere.connections).to.equal(0);
  });

  it('does not choose the server by a target that begins with two slashes', async () => {
    const server = await rawServer(answer(OK));
    const connection = new HTTPConnection('127.0.0.1', server.port);
    await connection.request('GET', '//other.example/x');
    await connection.getResponse();
    connection.close();
    expect(server.request.line).to.equal('GET //other.example/x HTTP/1.1');
    expect(server.request.fields[0]).to.deep.equal(['Host', `127.0.0.1:${String(server.port)}`]);
  });

  for (const [first, second] of [
    ['Content-Length', 'content-length'],
    ['Host', 'HOST'],
    ['Transfer-Encoding', 'transfer-Encoding'],
  ] as const) {
    it(`cannot have ${first} sent twice under two spellings`, async () => {
      const server = await rawServer(answer(OK));
      const connection = new HTTPConnection('127.0.0.1', server.port);
      const value = first === 'Transfer-Encoding' ? 'chunked' : '1';
      const fields: [string, string][] = [
        [first, value],
        [second, value],
      ];
      const error = await rejection(connection.request('POST', '/', 'a', fields, { encodeChunked: true }));
      expect(error).to.be.instanceOf(TypeError);
      expect(server.connections).to.equal(0);
    });
  }

  for (const name of ['Upgrade', 'Connection', 'Content-Type', 'Host', 'Expect']) {
    it(`cannot end the line of ${name}`, async () => {
      const server = await rawServer(answer(OK));
      const connection = new HTTPConnection('127.0.0.1', server.port);
      const fields = { [name]: 'a\r\nX-Injected: 1' };
      expect(await rejection(connection.request('POST', '/', 'a', fields))).to.be.instanceOf(TypeError);
      expect(server.connections).to.equal(0);
    });
  }

  it('reaches no prototype by the names of fields', async () => {
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty'];
    const lines = names.map((name) => `${name}: 1\r\n`).join('');
    const server = await rawServer(
      answer(`HTTP/1.1 200 OK\r\n${lines}Transfer-Encoding: chunked\r\n\r\n0\r\n${lines}\r\n`),
    );
    const connection = new HTTPConnection('127.0.0.1', server.port);
    await connection.request('GET', '/');
    const response = await connection.getResponse();
    await response.readall();
    connection.close();
    for (const name of names) {
      expect(response.getHeader(name)).to.equal('1');
      expect(response.trailers.getAll(name)).to.deep.equal(['1']);
    }
    expect(Object.keys(Object.prototype)).to.deep.equal([]);
  });

  it('does not have a body decompressed that nobody asked to', async () => {
    const codings = Array.from({ length: 1000 }, () => 'gzip').join(', ');
    const server = await rawServer(
      answer(`HTTP/1.1 200 OK\r\nContent-Encoding: ${codings}\r\nContent-Length: 2\r\n\r\nab`),
    );
    const connection = new HTTPConnection('127.0.0.1', server.port);
    await connection.request('GET', '/');
    const response = await connection.getResponse();
    expect((await response.readall()).toString()).to.equal('ab');
    connection.close();
  });

  it('behind a proxy does not see the credentials that were for the proxy', async () => {
    const proxy = await rawServer((socket, { method }) => {
      socket.write(method === 'CONNECT' ? 'HTTP/1.1 200 OK\r\n\r\n' : OK);
    });
    const connection = new HTTPConnection('127.0.0.1', proxy.port);
    connection.setTunnel('server.example', 80, { 'Proxy-Authorization': 'Basic secret' });
    await connection.request('GET', '/');
    await (await connection.getResponse()).readall();
    connection.close();
    const [connect, inside] = proxy.requests;
    expect(connect?.head).to.include('Proxy-Authorization: Basic secret');
    expect(inside?.method).to.equal('GET');
    expect(inside?.head).to.not.match(/proxy-authorization|secret/i);
  });

  it('learns nothing of the user information in an absolute target from Host', async () => {
    const server = await rawServer(answer(OK));
    const connection = new HTTPConnection('127.0.0.1', server.port);
    await connection.request('GET', 'http://user:secret@server.example/');
    await connection.getResponse();
    connection.close();
    expect(server.request.fields[0]).to.deep.equal(['Host', 'server.example']);
  });
});
