/**
 * Where the request's side and the response's meet: an early answer to a request that owes, an answer in the place of a 100, a connection
 * whose HTTP is over, and a file whose first block never comes.
 */
import { getEventListeners } from 'node:events';
import { open } from 'node:fs/promises';
import { expect } from 'chai';
import { CannotSendRequest, ImproperConnectionState, NotConnected, TimeoutError } from '../../lib/index.js';
import { generatorBody } from '../support/body-sources.js';
import { sleep } from '../support/expiry.js';
import { OK } from '../support/raw-server.js';
import { rejection, unhandledRejections } from '../support/rejection.js';
import { TCP, TLS, TUNNEL } from '../support/transports.js';

const SWITCH = 'HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n';

function stuckFile(): never {
  return { fd: 1000, createReadStream: () => null, read: () => new Promise(() => undefined) } as never;
}

for (const way of [TCP, TLS, TUNNEL]) {
  describe(`over ${way.name}`, () => {
    it('a request that owes is let go of when another is made behind its early success: on a new connection', async () => {
      const server = await way.serve((socket) => socket.write(OK), { atHead: true });
      const connection = await way.connect(server);
      connection.putRequest('POST', '/owing');
      connection.putHeader('Content-Length', 10);
      await connection.endHeaders();
      await connection.send('half');
      expect(await (await connection.getResponse()).text()).to.equal('ok');
      expect(connection.state).to.equal('Idle');
      await connection.request('GET', '/next');
      expect(await (await connection.getResponse()).text()).to.equal('ok');
      expect(server.requests.map(({ target }) => target)).to.deep.equal(['/owing', '/next']);
      expect(server.connections).to.equal(2);
    });

    it('a request that owes keeps its connection when the rest was sent behind its early success', async () => {
      const server = await way.serve((socket, { method }) => method === 'GET' && socket.write(OK), {
        onConnection: (socket) => socket.once('data', () => socket.write(OK)),
      });
      const connection = await way.connect(server);
      connection.putRequest('POST', '/owing');
      connection.putHeader('Content-Length', 8);
      await connection.endHeaders();
      const response = await connection.getResponse();
      expect(await response.text()).to.equal('ok');
      await connection.send('half');
      await connection.send('half');
      await connection.request('GET', '/next');
      expect(await (await connection.getResponse()).text()).to.equal('ok');
      expect(server.requests.map(({ body }) => body.toString())).to.deep.equal(['halfhalf', '']);
      expect(server.connections).to.equal(1);
    });

    for (const [name, status, closes] of [
      ['a refusal', '417 No', false],
      ['a success', '200 OK', false],
      ['a success that closes', '200 OK', true],
      ['a redirect', '307 There', false],
    ] as const) {
      it(`${name} in the place of 100 sends no byte of the body, and the connection is not used again`, async () => {
        const server = await way.serve(
          (socket, { target }) =>
            socket.write(
              target === '/next'
                ? OK
                : `HTTP/1.1 ${status}\r\n${closes ? 'Connection: close\r\n' : ''}Content-Length: 2\r\n\r\nno`,
            ),
          { atHead: true },
        );
        const connection = await way.connect(server);
        const { body, watch } = generatorBody(1000);
        const sent = connection.request(
          'POST',
          '/',
          body,
          { Expect: '100-continue' },
          { expectTimeout: 5000 },
        );
        const response = await connection.getResponse();
        await sent;
        expect(await response.text()).to.equal('no');
        expect(watch.given).to.equal(0);
        await connection.request('GET', '/next');
        expect(await (await connection.getResponse()).text()).to.equal('ok');
        expect(server.connections).to.equal(2);
        expect(server.peer(0).text.endsWith('\r\n\r\n')).to.equal(true);
      });
    }

    it('after a 101 requests are refused until detach(), which gives what was glued, and then dial anew', async () => {
      const server = await way.serve(
        (socket, { target }) => socket.write(target === '/up' ? `${SWITCH}glued` : OK),
        {
          atHead: true,
        },
      );
      const connection = await way.connect(server);
      await connection.request('GET', '/up', null, { Connection: 'upgrade', Upgrade: 'x' });
      const response = await connection.getResponse();
      expect(await response.text()).to.equal('');
      for (const refused of [() => connection.request('GET', '/'), () => connection.putRequest('GET', '/')]) {
        const error = await rejection(Promise.resolve().then(refused));
        expect(error).to.be.instanceOf(CannotSendRequest);
        expect(error.message).to.include('detach()');
        expect(error.message).to.include('GET /up');
      }
      const raw = connection.detach();
      expect([connection.state, connection.socket]).to.deep.equal(['Idle', null]);
      const [bytes] = await new Promise<[Buffer]>((resolve) =>
        raw.once('data', (piece: Buffer) => resolve([piece])),
      );
      expect(bytes.toString()).to.equal('glued');
      expect(() => connection.detach()).to.throw(ImproperConnectionState);
      await connection.request('GET', '/');
      expect(await (await connection.getResponse()).text()).to.equal('ok');
      raw.destroy();
    });

    it('after a 101 close() ends it, and the next request dials anew', async () => {
      const server = await way.serve((socket, { target }) => socket.write(target === '/up' ? SWITCH : OK), {
        atHead: true,
      });
      const connection = await way.connect(server);
      const aborter = new AbortController();
      await connection.request('GET', '/up', null, {}, { signal: aborter.signal, timeout: { total: 60 } });
      await connection.getResponse();
      await sleep(100);
      connection.close();
      await server.peer(0).closed;
      expect(() => connection.detach()).to.throw(ImproperConnectionState);
      await connection.request('GET', '/');
      expect(await (await connection.getResponse()).text()).to.equal('ok');
      expect(getEventListeners(aborter.signal, 'abort')).to.have.length(0);
    });

    it('a body that ran when 101 came is stopped, and its source told', async () => {
      const server = await way.serve((socket) => socket.write(SWITCH), { atHead: true });
      const connection = await way.connect(server);
      const { body, watch } = generatorBody(50_000_000, 1000);
      await connection.request('POST', '/up', body);
      expect((await connection.getResponse()).status).to.equal(101);
      await sleep(5);
      expect(watch.cancelled).to.equal(true);
      connection.detach().destroy();
    });
  });
}

describe('a file whose first block never comes', () => {
  for (const by of ['close()', 'the signal', 'total', 'connect'] as const) {
    it(`does not outlive ${by}, with getResponse() beside it`, async () => {
      const server = await TCP.serve((socket) => socket.write(OK));
      const connection = await TCP.connect(server);
      const aborter = new AbortController();
      const reason = new Error('enough');
      const timeout = by === 'total' ? { total: 60 } : by === 'connect' ? { connect: 20, total: 80 } : {};
      const left = await unhandledRejections(async () => {
        const sent = rejection(
          connection.request('POST', '/', stuckFile(), {}, { signal: aborter.signal, timeout }),
        );
        const head = rejection(connection.getResponse());
        await sleep(10);
        if (by === 'close()') connection.close();
        if (by === 'the signal') aborter.abort(reason);
        const error = await sent;
        expect(await head).to.equal(error);
        if (by === 'close()') expect(error).to.be.instanceOf(NotConnected);
        else if (by === 'the signal') expect(error).to.equal(reason);
        else expect((error as TimeoutError).timer).to.equal('total');
      });
      expect(left).to.deep.equal([]);
      expect([connection.state, server.connections]).to.deep.equal(['Idle', 0]);
      expect(getEventListeners(aborter.signal, 'abort')).to.have.length(0);
      await connection.request('GET', '/next');
      expect(await (await connection.getResponse()).text()).to.equal('ok');
    });
  }

  it('lets no other request begin meanwhile, and says why', async () => {
    const server = await TCP.serve((socket) => socket.write(OK));
    const connection = await TCP.connect(server);
    const sent = rejection(connection.request('POST', '/stuck', stuckFile()));
    const error = await rejection(connection.request('GET', '/other'));
    expect(error).to.be.instanceOf(CannotSendRequest);
    expect(error.message).to.include('POST /stuck');
    connection.close();
    await sent;
  });

  it('whose handle is closed under it fails as a file, and leaves Idle', async () => {
    const server = await TCP.serve((socket) => socket.write(OK));
    const connection = await TCP.connect(server);
    const handle = await open(new URL(import.meta.url));
    await handle.close();
    expect(await rejection(connection.request('POST', '/', handle))).to.have.property(
      'code',
      'ERR_UNIMPLEMENTED_FILE_MODE',
    );
    expect([connection.state, server.connections]).to.deep.equal(['Idle', 0]);
  });
});
