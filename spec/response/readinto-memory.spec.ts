/**
 * readinto into memory that is taken away while the read waits: transferred, detached, resized. The read fails, the connection is
 * closed, nothing is thrown where nobody can catch it, and no byte goes where the memory went.
 */
import { expect } from 'chai';
import { setTimeout as sleep } from 'node:timers/promises';

import { FedResponse } from '../support/fed-response.js';
import type { Handover } from '../support/fed-response.js';
import { connectionTo, OK, rawServer } from '../support/raw-server.js';
import { rejection } from '../support/rejection.js';
import { uncaughtErrors } from '../support/uncaught.js';

type ResizableBuffer = ArrayBuffer & { resize(bytes: number): void };

function resizable(bytes: number, most: number): ResizableBuffer {
  const Resizable = ArrayBuffer as unknown as new (bytes: number, options: object) => ResizableBuffer;
  return new Resizable(bytes, { maxByteLength: most });
}

interface Theft {
  name: string;
  memory: () => ArrayBuffer;
  /** Takes the memory away; gives who has it then. */
  take: (memory: ArrayBuffer) => ArrayBuffer;
}

/** The ES library of the compiler does not list it. */
interface WasmMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

const { Memory } = (
  globalThis as unknown as Record<'WebAssembly', Record<'Memory', new (o: object) => WasmMemory>>
).WebAssembly;

const wasm = new Memory({ initial: 1, maximum: 16 });

const THEFTS: Theft[] = [
  {
    name: 'transferred',
    memory: () => new ArrayBuffer(1000),
    take: (memory) => structuredClone(memory, { transfer: [memory] }),
  },
  {
    name: 'shrunk',
    memory: () => resizable(1000, 2000),
    take: (memory) => {
      (memory as ResizableBuffer).resize(10);
      return memory;
    },
  },
  {
    name: 'grown',
    memory: () => resizable(1000, 2000),
    take: (memory) => {
      (memory as ResizableBuffer).resize(2000);
      return memory;
    },
  },
  {
    name: 'detached by the growth of a WebAssembly memory',
    memory: () => wasm.buffer,
    take: () => {
      wasm.grow(1);
      return wasm.buffer;
    },
  },
];

describe('readinto', () => {
  for (const given of [null, undefined, 5, 'text', new ArrayBuffer(4), [1, 2]]) {
    it(`refuses ${JSON.stringify(given)}, and the body can still be read`, async () => {
      const source = new FedResponse({ pieces: [Buffer.from('body')] });
      const error = await rejection(source.response.readinto(given as never));
      expect(error).to.match(/^TypeError: readinto\(\) fills a Buffer, a typed array or a DataView, got /);
      expect(await source.response.text()).to.equal('body');
    });
  }

  for (const { name, memory, take } of THEFTS) {
    for (const handover of ['owned', 'lent', 'direct'] as const satisfies Handover[]) {
      it(`fails when its memory is ${name} while it waits (${handover})`, async () => {
        const thrown = await uncaughtErrors(async () => {
          const source = new FedResponse({
            pieces: [Buffer.alloc(100, 1), Buffer.alloc(500, 2), Buffer.alloc(500, 3)],
            handover,
            end: 'nothing',
          });
          const buffer = memory();
          const view = new Uint8Array(buffer, 0, 1000);
          view.fill(0);
          const read = rejection(source.response.readinto(view));
          const behind = rejection(source.response.readall());
          await new Promise(setImmediate);
          const thief = take(buffer);
          expect(await read).to.match(/^TypeError: readinto\(\): its memory was /);
          expect(await behind).to.equal(await read);
          expect(source.aborts).to.have.lengthOf(1);
          expect(new Uint8Array(thief).subarray(0, 1000).some((byte) => byte > 1)).to.equal(false);
        });
        expect(thrown).to.deep.equal([]);
      });
    }
  }

  it('fails on a connection, which is closed, and the memory stays as it was', async () => {
    for (const before of [[], [10], [10, 10], [70_000, 10, 10], [150_000, 1]]) {
      const thrown = await uncaughtErrors(async () => {
        let tell = (): void => undefined;
        const taken = new Promise<void>((resolve) => {
          tell = resolve;
        });
        const server = await rawServer(async (socket, { target }) => {
          if (target === '/ok') {
            socket.write(OK);
            return;
          }
          socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n');
          for (const count of before) {
            socket.write(Buffer.alloc(count, 1));
            await sleep(10);
          }
          await taken;
          socket.write(Buffer.alloc(200_000, 2));
        });
        const connection = connectionTo(server);
        await connection.request('GET', '/');
        const response = await connection.getResponse();
        const view = new Uint8Array(500_000);
        const read = rejection(response.readinto(view));
        await sleep(80);
        const { buffer } = view;
        const thief = new Uint8Array(structuredClone(buffer, { transfer: [buffer] }));
        tell();
        expect(await read).to.be.instanceOf(TypeError);
        await sleep(20);
        expect(thief.indexOf(2), 'what came afterwards').to.equal(-1);
        expect(connection.socket).to.equal(null);
        await connection.request('GET', '/ok');
        expect(await (await connection.getResponse()).text()).to.equal('ok');
        connection.close();
      });
      expect(thrown).to.deep.equal([]);
    }
  });
});
