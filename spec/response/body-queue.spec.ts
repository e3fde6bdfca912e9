/**
 * The queue of received bytes, against the simplest thing that could hold them: one buffer.
 */
import { expect } from 'chai';
import fc from 'fast-check';

import { BodyQueue } from '../../lib/response/body-queue.js';

function queueOf(...texts: string[]): BodyQueue {
  const queue = new BodyQueue();
  for (const text of texts) queue.push(Buffer.from(text));
  return queue;
}

describe('BodyQueue', () => {
  it('is empty at first, and says so in every way', () => {
    const queue = new BodyQueue();
    expect(queue.length).to.equal(0);
    expect(queue.take(5)).to.have.lengthOf(0);
    expect(queue.takeAll()).to.have.lengthOf(0);
    expect(queue.takePiece()).to.equal(null);
    expect(queue.peek(5)).to.have.lengthOf(0);
    expect(queue.takeInto(Buffer.alloc(3))).to.equal(0);
    expect(queue.lineLength(0)).to.equal(-1);
  });

  it('drops empty pieces', () => {
    const queue = queueOf('', 'a', '');
    queue.unshift(Buffer.alloc(0));
    expect(String(queue.takePiece())).to.equal('a');
    expect(queue.takePiece()).to.equal(null);
  });

  it('hands out a piece as it is, without a copy', () => {
    const piece = Buffer.from('abc');
    const queue = new BodyQueue();
    queue.push(piece);
    expect(queue.peek(3).buffer).to.equal(piece.buffer);
    expect(queue.take(3)).to.equal(piece);
  });

  it('takes across pieces', () => {
    const queue = queueOf('ab', 'cd', 'ef');
    expect(String(queue.take(3))).to.equal('abc');
    expect(queue.length).to.equal(3);
    expect(String(queue.takeAll())).to.equal('def');
  });

  it('peeks across pieces, and the bytes stay', () => {
    const queue = queueOf('ab', 'cd', 'ef');
    expect(String(queue.peek(3))).to.equal('abc');
    expect(String(queue.peek(Infinity))).to.equal('abcdef');
    expect(queue.length).to.equal(6);
  });

  it('finds the first LF, and does not look again at bytes that hold none', () => {
    const queue = queueOf('ab', 'c\nd', '\n');
    expect(queue.lineLength(0)).to.equal(4);
    expect(queue.lineLength(3)).to.equal(4);
    expect(queue.lineLength(4)).to.equal(6);
    expect(queue.lineLength(6)).to.equal(-1);
  });

  it('puts bytes back in front of a piece that was begun', () => {
    const queue = queueOf('abcd', 'ef');
    queue.unshift(queue.take(2));
    expect(String(queue.takePiece())).to.equal('ab');
    expect(String(queue.takeAll())).to.equal('cdef');
  });

  it('does not keep what was taken while it never runs empty', () => {
    const queue = new BodyQueue();
    queue.push(Buffer.from([0]));
    for (let i = 1; i <= 10_000; i++) {
      queue.push(Buffer.from([i & 0xff]));
      expect(queue.takePiece()?.[0]).to.equal((i - 1) & 0xff);
      expect(queue.length).to.equal(1);
    }
    expect(queue.takeAll()[0]).to.equal(10_000 & 0xff);
  });

  it('is empty after clear', () => {
    const queue = queueOf('ab', 'cd');
    queue.take(1);
    queue.clear();
    expect(queue.length).to.equal(0);
    queue.push(Buffer.from('x'));
    expect(String(queue.takeAll())).to.equal('x');
  });

  it('behaves as one buffer does, whatever is done to it', () => {
    const bytes = fc
      .uint8Array({ maxLength: 12 })
      .map((array) => Buffer.from(array).map((octet) => octet % 12));
    const count = fc.nat({ max: 20 });
    const step = fc.oneof(
      fc.record({ kind: fc.constantFrom('push' as const, 'unshift' as const), bytes }),
      fc.record({ kind: fc.constantFrom('take' as const, 'peek' as const, 'takeInto' as const), count }),
      fc.record({ kind: fc.constantFrom('takeAll' as const, 'takePiece' as const, 'line' as const) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const queue = new BodyQueue();
        let model = Buffer.alloc(0);
        const cut = (size: number): string => {
          const taken = model.subarray(0, size).toString('hex');
          model = model.subarray(size);
          return taken;
        };
        for (const what of steps) {
          switch (what.kind) {
            case 'push':
              queue.push(Buffer.from(what.bytes));
              model = Buffer.concat([model, what.bytes]);
              break;
            case 'unshift':
              queue.unshift(Buffer.from(what.bytes));
              model = Buffer.concat([what.bytes, model]);
              break;
            case 'take':
              expect(queue.take(what.count).toString('hex')).to.equal(cut(what.count));
              break;
            case 'peek':
              expect(queue.peek(what.count).toString('hex')).to.equal(
                model.subarray(0, what.count).toString('hex'),
              );
              break;
            case 'takeInto': {
              const view = Buffer.alloc(what.count);
              const filled = queue.takeInto(view);
              expect(filled).to.equal(Math.min(what.count, model.length));
              expect(view.subarray(0, filled).toString('hex')).to.equal(cut(what.count));
              break;
            }
            case 'takeAll':
              expect(queue.takeAll().toString('hex')).to.equal(cut(model.length));
              break;
            case 'takePiece': {
              const piece = queue.takePiece();
              expect(piece === null).to.equal(model.length === 0);
              expect((piece ?? Buffer.alloc(0)).toString('hex')).to.equal(cut(piece?.length ?? 0));
              break;
            }
            case 'line': {
              const at = model.indexOf(0x0a);
              expect(queue.lineLength(0)).to.equal(at === -1 ? -1 : at + 1);
            }
          }
          expect(queue.length).to.equal(model.length);
        }
      }),
      { seed: 1, numRuns: 1500 },
    );
  });
});
