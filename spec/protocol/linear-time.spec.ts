/**
 * Reading takes work in proportion to the bytes, however they are cut: counted, not timed. `bench/parser.mjs` has the times.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import type { Work } from '../support/count-work.js';

/** Blocks run for each byte of the longest road there is: one byte a call. */
const MOST_STEPS_A_BYTE = 40;

describe('the work of reading', function () {
  this.timeout(60_000);
  let works: Work[] = [];

  before(async () => {
    const program = fileURLToPath(new URL('../support/count-work.js', import.meta.url));
    const { NODE_V8_COVERAGE: _coverage, ...env } = process.env;
    const { stdout } = await promisify(execFile)(process.execPath, [program], { env });
    works = JSON.parse(stdout) as Work[];
  });

  it('doubles when the bytes double, for every way to make a response long', () => {
    expect(works.length).to.be.above(40);
    for (let i = 0; i < works.length; i += 2) {
      const [once, twice] = works.slice(i, i + 2) as [Work, Work];
      const what = `${once.name}, ${once.single ? 'one byte at a time' : 'at once'}`;
      const factor = (twice.bytes / once.bytes) * 1.1;
      expect(twice.steps, `steps for ${what}`).to.be.at.most(once.steps * factor);
      expect(twice.moved, `bytes moved for ${what}`).to.be.at.most(once.moved * factor + 1024);
    }
  });

  it('is a constant for each byte, also one byte at a time', () => {
    for (const { name, single, bytes, steps, moved } of works) {
      const what = `${name}, ${single ? 'one byte at a time' : 'at once'}`;
      expect(steps, `no steps were counted for ${what}`).to.be.above(0);
      expect(steps / bytes, `steps for ${what}`).to.be.below(MOST_STEPS_A_BYTE);
      // Kept once, moved when its room grows by doubling, and turned into text.
      expect(moved / bytes, `bytes moved for ${what}`).to.be.below(8);
    }
  });
});
