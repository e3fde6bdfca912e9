/**
 * The one link of a connection: a dial that is shared, given up, or out of time.
 */
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { HTTPConnection, TimeoutError } from '../../lib/index.js';
import { rejection } from '../support/rejection.js';

/** A server that accepts TCP and never says a word, so that a TLS handshake or a tunnel does not end. */
async function silentServer(): Promise<{ port: number; close: () => void }> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return { port, close: () => server.close() };
}

describe('a dial that runs out of time', () => {
  for (const how of ['request()', 'connect()'] as const) {
    it(`names no address where none was tried, in ${how}`, async () => {
      const connection = new HTTPConnection('slow.test', 80, { lookup: () => {}, timeout: { connect: 30 } });
      const error = await rejection<TimeoutError>(
        how === 'connect()' ? connection.connect() : connection.request('GET', '/'),
      );
      expect(error).to.be.instanceOf(TimeoutError);
      expect(error).to.include({ timer: 'connect', phase: 'connect' });
      expect(error.addresses).to.deep.equal([]);
    });

    it(`names the address that it had reached, in ${how}`, async () => {
      const { port, close } = await silentServer();
      const connection = new HTTPConnection('127.0.0.1', port, { timeout: { connect: 40 } });
      connection.setTunnel('example.test', 443);
      const error = await rejection<TimeoutError>(
        how === 'connect()' ? connection.connect() : connection.request('GET', '/'),
      );
      expect(error).to.include({ timer: 'connect', phase: 'tunnel' });
      expect(error.addresses?.map(({ address }) => address)).to.deep.equal(['127.0.0.1']);
      expect(error.message).to.include('127.0.0.1');
      close();
    });
  }

  it('of connect() alone leaves the request that shares it alone', async () => {
    let answer: (() => void) | null = null;
    const { port, close } = await silentServer();
    const connection = new HTTPConnection('slow.test', port, {
      timeout: { connect: 30 },
      lookup: (_host, _options, callback) => {
        answer = () => {
          callback(null, [{ address: '127.0.0.1', family: 4 }]);
        };
      },
    });
    const opening = rejection(connection.connect());
    const sent = connection.request('GET', '/', null, {}, { timeout: { connect: 5000 } });
    expect(await opening).to.be.instanceOf(TimeoutError);
    (answer as (() => void) | null)?.();
    await sent;
    connection.close();
    close();
  });
});
