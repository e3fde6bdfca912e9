/**
 * A file under a server that cuts connections at random, in every way of reading. The size, the number of cuts and of seeds come from the
 * environment for the long run: `MILLRACE_CUTS_MIB=200 MILLRACE_CUTS=200 MILLRACE_CUTS_SEEDS=20`.
 */
import { expect } from 'chai';
import { download } from '../support/download.js';
import { FileCheck, fileServer, randomCuts, seeded } from '../support/file-server.js';
import { READING_WAYS } from '../support/reading-ways.js';

const SIZE = Number(process.env['MILLRACE_CUTS_MIB'] ?? 3) * 1_048_576 + 12_345;
const CUTS = Number(process.env['MILLRACE_CUTS'] ?? 20);
const SEEDS = Number(process.env['MILLRACE_CUTS_SEEDS'] ?? 1);

describe(`a file of ${String(SIZE)} bytes under a server that cuts ${String(CUTS)} times at random`, function () {
  this.timeout(120_000);

  for (let seed = 1; seed <= SEEDS; seed++) {
    for (const [number, { name, read }] of READING_WAYS.entries()) {
      const chunked = number % 3 === 2;

      it(`comes byte for byte by ${name}${chunked ? ', in chunks' : ''} (seed ${String(seed)})`, async () => {
        const cuts = randomCuts(SIZE, CUTS, seeded(seed * 1000 + number));
        // The first answer has to come, to have something to go on with.
        for (const cut of cuts) if (cut === cuts[0]) cut.kind = 'reset';
        const { url, cuts: left } = await fileServer({ size: SIZE, cuts, chunked });
        const body = await download(url, { timeout: { body: 60, response: 1000 }, maxDelay: 2 });
        const check = new FileCheck();
        await read(body, (bytes) => {
          check.add(bytes);
        });
        expect(check.position).to.equal(SIZE);
        expect(body.position).to.equal(SIZE);
        expect(body.total).to.equal(SIZE);
        expect(body.length).to.equal(0);
        expect(left).to.have.length(0);
        expect(body.resumes).to.be.above(CUTS / 4);
        expect(body.readableEnded).to.equal(true);
      });
    }
  }
});
