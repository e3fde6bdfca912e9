import { expect } from 'chai';
import { SlicedWriter } from '../../lib/request/sliced-writer.js';
import { answer, connectionTo, NO_CONTENT, rawServer } from '../support/raw-server.js';

describe('how large pieces are handed over', () => {
  for (const { name, sliceBytes, most } of [
    { name: 'where a clock judges, in slices of 64 KiB', sliceBytes: undefined, most: 65_536 },
    { name: 'where none does, in slices of 512 KiB', sliceBytes: 524_288, most: 524_288 },
  ]) {
    it(`${name}, whole and in order`, () => {
      const written: Buffer[] = [];
      const write = (bytes: Uint8Array): boolean => written.push(Buffer.from(bytes)) % 3 !== 0;
      const writer = new SlicedWriter(sliceBytes === undefined ? { write } : { write, sliceBytes });
      const body = Buffer.from(Array.from({ length: 1_500_001 }, (_, i) => i % 251));
      let taken = 0;
      writer.write(body, () => taken++);
      while (writer.blocked) {
        writer.blocked = false;
        writer.writeWaiting();
      }
      expect(Buffer.concat(written).equals(body)).to.equal(true);
      expect(Math.max(...written.map(({ length }) => length))).to.equal(most);
      expect(taken, 'told by the target, not by the writer').to.equal(0);
    });
  }

  it('is by what the exchange is timed with', async () => {
    const server = await rawServer(answer(NO_CONTENT));
    for (const [timeout, most] of [
      [null, 524_288],
      [60_000, 65_536],
    ] as const) {
      const connection = connectionTo(server);
      await connection.connect();
      const { socket } = connection;
      if (socket === null) throw new Error('not connected');
      const sizes: number[] = [];
      const write = socket.write.bind(socket) as (...given: unknown[]) => boolean;
      socket.write = (...given: unknown[]): boolean => {
        sizes.push((given[0] as Uint8Array).length);
        return write(...given);
      };
      await connection.request('PUT', '/', Buffer.alloc(2_000_000), {}, { timeout });
      await (await connection.getResponse()).readall();
      expect(Math.max(...sizes)).to.equal(most);
      connection.close();
    }
  });
});
