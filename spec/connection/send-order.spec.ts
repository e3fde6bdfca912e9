/**
 * What `send()` puts on the wire: in the order of the calls, never more than the head has declared, and in any state of the connection.
 */
import { Readable } from 'node:stream';
import { expect } from 'chai';
import { ContentLengthMismatch } from '../../lib/index.js';
import type { HTTPConnection } from '../../lib/index.js';
import { patternBytes } from '../support/body-sources.js';
import { sleep } from '../support/expiry.js';
import { answer, OK } from '../support/raw-server.js';
import { rejection } from '../support/rejection.js';
import { TCP, TLS, TUNNEL } from '../support/transports.js';

async function* slowly(...pieces: string[]): AsyncGenerator<string> {
  for (const piece of pieces) {
    yield piece;
    await sleep(5);
  }
}

async function begun(connection: HTTPConnection, bytes: number): Promise<void> {
  connection.putRequest('POST', '/up');
  connection.putHeader('Content-Length', bytes);
  await connection.endHeaders();
}

for (const way of [TCP, TLS, TUNNEL]) {
  describe(`send() over ${way.name}`, () => {
    it('sends call after call, never one between the pieces of another', async () => {
      const server = await way.serve(answer(OK));
      const connection = await way.connect(server);
      await begun(connection, 18);
      const order: number[] = [];
      await Promise.all([
        connection.send(slowly('aa', 'bb', 'cc')).then(() => order.push(1)),
        connection.send('dd').then(() => order.push(2)),
        connection.send(Readable.from([Buffer.from('ee'), Buffer.from('ff')])).then(() => order.push(3)),
        connection.send(slowly('gg', 'hh')).then(() => order.push(4)),
        connection.send(new Blob(['ii'])).then(() => order.push(5)),
      ]);
      expect(order).to.deep.equal([1, 2, 3, 4, 5]);
      expect(await (await connection.getResponse()).text()).to.equal('ok');
      expect(server.requests[0]?.body.toString()).to.equal('aabbccddeeffgghhii');
    });

    it('waits behind the body that endHeaders() is sending', async () => {
      const server = await way.serve(answer(OK));
      const connection = await way.connect(server);
      connection.putRequest('POST', '/up');
      connection.putHeader('Content-Length', 8);
      const sent = connection.endHeaders(slowly('aa', 'bb', 'cc', 'dd')).catch((error: unknown) => error);
      const more = connection.send('ee').catch((error: unknown) => error);
      expect(await sent).to.equal(undefined);
      expect(await more).to.be.instanceOf(ContentLengthMismatch);
      expect(await (await connection.getResponse()).text()).to.equal('ok');
      expect(server.requests[0]?.body.toString()).to.equal('aabbccdd');
    });

    it('sends what is owed behind an early success on a connection that is kept, and the connection goes on', async () => {
      const server = await way.serve(
        (socket, _request, peer) => {
          if (peer.requests.length === 1) socket.write(OK);
        },
        { atHead: true },
      );
      const connection = await way.connect(server);
      await begun(connection, 10);
      const response = await connection.getResponse();
      expect(await response.text()).to.equal('ok');
      await connection.send('01234');
      await connection.send('56789');
      await server.until(() => server.peer(server.connections - 1).text.endsWith('0123456789'));
      const { socket } = connection;
      expect(socket).to.not.equal(null);
      await connection.connect();
      expect(connection.socket).to.equal(socket);
    });
  });
}

describe('send()', () => {
  it('of more than is declared is refused, nothing of it is sent, and the rest can still be', async () => {
    const server = await TCP.serve(answer(OK));
    const connection = await TCP.connect(server);
    await begun(connection, 5);
    await connection.send('abc');
    for (const more of ['defg', Buffer.from('defg'), new Blob(['defg']), new URLSearchParams('a=b')]) {
      const error = await rejection<ContentLengthMismatch>(connection.send(more));
      expect(error).to.be.instanceOf(ContentLengthMismatch);
      expect([error.declared, error.sent]).to.deep.equal([5, 3]);
      expect(error.message).to.match(/^POST \/up: /);
      expect(error).to.include({ method: 'POST', url: '/up', phase: 'send' });
    }
    expect(connection.state).to.equal('Request-sent');
    await connection.send('de');
    expect(await (await connection.getResponse()).text()).to.equal('ok');
    expect(server.request.body.toString()).to.equal('abcde');
  });

  it('of pieces that exceed in the middle sends none beyond, and fails the exchange', async () => {
    const server = await TCP.serve(answer(OK));
    const connection = await TCP.connect(server);
    await begun(connection, 5);
    const head = rejection(connection.getResponse());
    const error = await rejection(connection.send(slowly('ab', 'cd', 'ef')));
    expect(error).to.be.instanceOf(ContentLengthMismatch);
    expect(await head).to.equal(error);
    await server.peer(0).closed;
    expect(server.peer(0).text.endsWith('\r\n\r\nabcd')).to.equal(true);
    await connection.request('GET', '/');
    expect(await (await connection.getResponse()).text()).to.equal('ok');
  });

  it('of a first piece that exceeds is refused like bytes that do', async () => {
    const server = await TCP.serve(answer(OK));
    const connection = await TCP.connect(server);
    await begun(connection, 2);
    expect(await rejection(connection.send(slowly('abc')))).to.be.instanceOf(ContentLengthMismatch);
    await connection.send('ok');
    expect(await (await connection.getResponse()).text()).to.equal('ok');
    expect(server.request.body.toString()).to.equal('ok');
  });

  it('of nothing at all is a TypeError that says what it takes, and dials nothing', async () => {
    const server = await TCP.serve(answer(OK));
    const connection = await TCP.connect(server);
    for (const nothing of [null, undefined]) {
      const error = await rejection(connection.send(nothing as never));
      expect(error).to.be.instanceOf(TypeError);
      expect(error.message).to.match(/^send\(\) (takes|needs)/);
    }
    expect(connection.socket).to.equal(null);
    expect(server.connections).to.equal(0);
  });

  it('of empty bytes settles, in every state', async () => {
    const server = await TCP.serve(answer(OK));
    const connection = await TCP.connect(server);
    await connection.send('');
    await connection.send([]);
    await begun(connection, 2);
    await connection.send(Buffer.alloc(0));
    await connection.send([]);
    await connection.send('hi');
    await connection.send('');
    expect(await (await connection.getResponse()).text()).to.equal('ok');
  });

  it('in Request-started goes out alone, and the request that was put still works', async () => {
    const server = await TCP.serve(answer(OK));
    const connection = await TCP.connect(server);
    connection.putRequest('GET', '/mine');
    await connection.send('GET /raw HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(connection.state).to.equal('Request-started');
    await connection.endHeaders();
    expect(await (await connection.getResponse()).text()).to.equal('ok');
    expect(server.requests.map(({ target }) => target)).to.deep.equal(['/raw', '/mine']);
    expect(server.connections).to.equal(2);
  });

  it('behind a request that has failed begins anew, and the next request works', async () => {
    const server = await TCP.serve((socket, { target }) => {
      if (target === '/cut') socket.destroy();
      else socket.write(OK);
    });
    const connection = await TCP.connect(server);
    await connection.request('GET', '/cut');
    await rejection(connection.getResponse());
    await connection.send('GET /raw HTTP/1.1\r\nHost: x\r\n\r\n');
    await connection.request('GET', '/mine');
    expect(await (await connection.getResponse()).text()).to.equal('ok');
    expect(server.requests.map(({ target }) => target)).to.deep.equal(['/cut', '/raw', '/mine']);
  });

  it('behind a response that was read begins anew: its answer is no other request’s', async () => {
    const server = await TCP.serve(answer(OK));
    const connection = await TCP.connect(server);
    await connection.request('GET', '/one');
    await (await connection.getResponse()).readall();
    await connection.send('GET /raw HTTP/1.1\r\nHost: x\r\n\r\n');
    await connection.request('GET', '/two');
    const response = await connection.getResponse();
    expect(response.url).to.equal('/two');
    expect(await response.text()).to.equal('ok');
    expect(server.requests.map(({ target }) => target)).to.deep.equal(['/one', '/raw', '/two']);
    expect(server.connections).to.equal(2);
  });

  it('twice in Idle uses one connection, in order', async () => {
    const server = await TCP.serve(() => undefined);
    const connection = await TCP.connect(server);
    await Promise.all([
      connection.send(slowly('GET ', '/a ', 'HTTP/1.1\r\n')),
      connection.send('Host: x\r\n\r\n'),
    ]);
    await server.until(() => server.requests.length === 1);
    expect(server.request.target).to.equal('/a');
  });

  it('of more than the socket takes at once is sent whole', async () => {
    const server = await TCP.serve(answer(OK));
    const connection = await TCP.connect(server);
    const body = patternBytes(5_000_000);
    await begun(connection, body.length);
    await connection.send(body.subarray(0, 3_000_000));
    await connection.send([body.subarray(3_000_000, 3_000_001), body.subarray(3_000_001)]);
    expect(await (await connection.getResponse()).text()).to.equal('ok');
    expect(server.request.body.equals(body)).to.equal(true);
  });

  it('without a connection is NotConnected when autoOpen is false, and its source is told', async () => {
    const server = await TCP.serve(answer(OK));
    const connection = await TCP.connect(server);
    connection.autoOpen = false;
    const source = Readable.from([Buffer.from('a')]);
    expect(await rejection(connection.send(source))).to.have.property('code', 'ERR_NOT_CONNECTED');
    expect(source.destroyed).to.equal(true);
    expect(server.connections).to.equal(0);
  });

  it('chunked by hand goes out as it is given, request after request', async () => {
    const server = await TCP.serve(answer(OK));
    const connection = await TCP.connect(server);
    for (let i = 0; i < 2; i++) {
      connection.putRequest('POST', '/up');
      connection.putHeader('Transfer-Encoding', 'chunked');
      await connection.endHeaders();
      await connection.send('2\r\nhi\r\n');
      await connection.send('0\r\n\r\n');
      expect(await (await connection.getResponse()).text()).to.equal('ok');
    }
    expect(server.requests.map(({ body }) => body.toString())).to.deep.equal(['hi', 'hi']);
  });
});
