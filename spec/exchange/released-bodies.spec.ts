/**
 * What an exchange that is over still holds of its request: nothing, so that a response that somebody keeps does not keep a body, a
 * signal or an option alive with it.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import type { HTTPResponse } from '../../lib/index.js';
import { OK } from '../support/raw-server.js';
import { TCP, TLS, TUNNEL } from '../support/transports.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

async function isCollected(ref: WeakRef<object>): Promise<boolean> {
  for (let i = 0; i < 20 && ref.deref() !== undefined; i++) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    collect();
  }
  return ref.deref() === undefined;
}

const KINDS: Record<string, () => object> = {
  bytes: () => Buffer.alloc(100_000, 'x'),
  'large bytes': () => Buffer.alloc(3_000_000, 'x'),
  'an array of pieces': () => [Buffer.alloc(100_000, 'x'), Buffer.alloc(10, 'y')],
  'a generator': () =>
    (async function* pieces(): AsyncGenerator<Buffer> {
      yield Buffer.alloc(1000);
      await Promise.resolve();
      yield Buffer.alloc(1000);
    })(),
  'a Blob': () => new Blob(['x'.repeat(1000)]),
};

for (const way of [TCP, TLS, TUNNEL]) {
  describe(`a response that is kept over ${way.name}`, () => {
    for (const [name, make] of Object.entries(KINDS)) {
      it(`pins no body: ${name}`, async () => {
        const server = await way.serve((socket) => socket.write(OK));
        const connection = await way.connect(server);
        let body: WeakRef<object> | null = null;
        let signal: WeakRef<object> | null = null;
        const kept: HTTPResponse[] = [];
        const exchange = async (): Promise<void> => {
          const made = make();
          const aborter = new AbortController();
          body = new WeakRef(made);
          signal = new WeakRef(aborter.signal);
          await connection.request('POST', '/', made as never, {}, { signal: aborter.signal });
          const response = await connection.getResponse();
          await response.readall();
          kept.push(response);
        };
        await exchange();
        expect(await isCollected(body as never)).to.equal(true);
        expect(await isCollected(signal as never)).to.equal(true);
        expect(kept[0]?.status).to.equal(200);
        expect(connection.socket).to.not.equal(null);
      });
    }

    it('pins no piece that send() brought', async () => {
      const server = await way.serve((socket) => socket.write(OK));
      const connection = await way.connect(server);
      let piece: WeakRef<object> | null = null;
      const kept: HTTPResponse[] = [];
      const exchange = async (): Promise<void> => {
        const bytes = Buffer.alloc(200_000, 'x');
        piece = new WeakRef(bytes);
        connection.putRequest('POST', '/');
        connection.putHeader('Content-Length', 200_000);
        await connection.endHeaders();
        await connection.send(bytes);
        const response = await connection.getResponse();
        await response.readall();
        kept.push(response);
      };
      await exchange();
      expect(await isCollected(piece as never)).to.equal(true);
      expect(kept).to.have.length(1);
    });
  });
}
