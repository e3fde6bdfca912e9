/**
 * What the command shows while it works: on a real pseudo-terminal, and line by line.
 */
import { writeFileSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

import { expect } from 'chai';
import sinon from 'sinon';

import { Meter } from '../../lib/cli/meter.js';
import { closingLine, progressLine, sizeText, timeText } from '../../lib/cli/progress-line.js';
import { millrace, ownDirectory, shell } from '../support/millrace-command.js';
import { onTerminal, type Screening } from '../support/pseudo-terminal.js';

const MIB = 1024 * 1024;

/** How long the slow server takes for all of it, in steps. */
const STEPS = 6;
const STEP_MS = 130;

describe('the command: progress on a terminal', function () {
  this.timeout(30_000);

  const directory = ownDirectory();
  let server: Server;
  let origin: string;
  let narrow: () => void;
  let runs: Record<string, Promise<Screening>>;

  before(async () => {
    server = createServer((request, response) => {
      // Slow to take and slow to give, so that there is something to see.
      let bytes = 0;
      request.on('data', (piece: Buffer) => {
        bytes += piece.length;
        if (bytes % MIB < piece.length) {
          request.pause();
          setTimeout(() => request.resume(), STEP_MS);
        }
      });
      request.on('end', () => {
        const length = request.url?.startsWith('/chunked') === true ? {} : { 'Content-Length': STEPS * MIB };
        if (request.method === 'PUT' && request.url !== '/both') response.end('stored\n');
        else give(response.writeHead(200, length), STEPS, request.url === '/resized');
      });
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    origin = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
    writeFileSync(join(directory.path, 'upload'), Buffer.alloc(3 * MIB));
    const cwd = directory.path;
    runs = {
      down: onTerminal(['-o', 'down', `${origin}/`], { cwd }),
      chunked: onTerminal(['-o', 'chunked', `${origin}/chunked`], { cwd }),
      up: onTerminal(['-T', 'upload', `${origin}/store`], { cwd }),
      both: onTerminal(['-T', 'upload', '-o', 'both', `${origin}/both`], { cwd }),
      narrow: onTerminal(['-o', 'narrow', `${origin}/`], { cwd, columns: 24 }),
      resized: onTerminal(['-o', 'resized', `${origin}/resized`], {
        cwd,
        columns: 100,
        onTerminal: (say) => {
          narrow = () => say('size 30');
        },
      }),
      monochrome: onTerminal(['-o', 'mono', `${origin}/`], { cwd, env: { NO_COLOR: '1' } }),
      dumb: onTerminal(['-o', 'dumb', `${origin}/`], { cwd, env: { TERM: 'dumb' } }),
      quiet: onTerminal(['-q', '-o', 'quiet', `${origin}/`], { cwd }),
      none: onTerminal(['--progress', 'none', '-o', 'none', `${origin}/`], { cwd }),
      plain: onTerminal(['--progress', 'plain', '-o', 'plain', `${origin}/`], { cwd }),
      body: onTerminal([`${origin}/text`], { cwd }),
      piped: onTerminal([], { cwd, line: `millrace ${origin}/ | wc -c` }),
      failed: onTerminal(['-o', 'missing/copy', `${origin}/`], { cwd }),
      verbose: onTerminal(['-v', '-o', 'verbose', `${origin}/`], { cwd }),
    };
  });

  after(() => {
    server.closeAllConnections();
    server.close();
  });

  async function screening(name: string): Promise<Screening> {
    const run = runs[name];
    if (run === undefined) throw new Error(name);
    return run;
  }

  it('is one line with a bar, percent, bytes, rate and time left, and leaves one tidy line', async () => {
    const { status, pictures, screen } = await screening('down');
    expect(status).to.equal(0);
    expect(screen).to.have.length(1);
    expect(screen[0]).to.match(/^down 6\.00 MiB, 100%, 0:0\d, [\d.]+ MiB\/s$/);
    const middle = pictures.find((line) => line.includes('left')) ?? '';
    expect(middle).to.match(
      /^down +\d+% {2}\[=*> *\] {2}[\d.]+(?: \w+)? of 6\.00 MiB {2}[\d.]+ \w+\/s {2}0:\d\d left$/,
    );
    for (const picture of pictures) expect(picture.length, picture).to.be.below(80);
  });

  it('counts a body without a length', async () => {
    const { pictures, screen } = await screening('chunked');
    expect(screen[0]).to.match(/^down 6\.00 MiB, 0:0\d, [\d.]+ MiB\/s$/);
    expect(pictures.some((line) => /^down {2}[\d.]+ \w+ {2}[\d.]+ \w+\/s$/.test(line))).to.equal(true);
    expect(pictures.join('')).not.to.include('[');
  });

  it('shows an upload whose answer goes to the terminal, and is gone before that comes', async () => {
    const { pictures, screen } = await screening('up');
    expect(pictures.some((line) => /^up +\d+% {2}\[/.test(line))).to.equal(true);
    expect(screen).to.have.length(2);
    expect(screen[0]).to.match(/^up 3\.00 MiB, 100%, /);
    expect(screen[1]).to.equal('stored');
  });

  it('shows both directions in one line', async () => {
    const { pictures, screen } = await screening('both');
    expect(pictures.some((line) => /^up 3\.00 MiB {2}down +\d+% {2}\[/.test(line))).to.equal(true);
    expect(screen).to.have.length(1);
    expect(screen[0]).to.match(/^up 3\.00 MiB, 100%, .*; down 6\.00 MiB, 100%, /);
  });

  it('keeps to a narrow terminal', async () => {
    const { pictures, screen } = await screening('narrow');
    for (const picture of pictures) expect(picture.length, picture).to.be.below(24);
    expect(pictures.some((line) => /^down +\d+%/.test(line))).to.equal(true);
    expect(screen).to.have.length(1);
  });

  it('follows the width while it runs', async () => {
    const { pictures, screen } = await screening('resized');
    const widths = pictures.map((line) => line.length);
    expect(Math.max(...widths)).to.be.above(60);
    expect(pictures.at(-2)?.length ?? 0).to.be.within(5, 29);
    expect(screen.at(-1)?.length ?? 0).to.be.within(5, 29);
  });

  it('has colours, and none with NO_COLOR', async () => {
    const colour = '\u001B[32m';
    expect((await screening('down')).raw).to.include(colour);
    expect((await screening('monochrome')).raw).not.to.include(`${colour.slice(0, 2)}3`);
    expect((await screening('monochrome')).pictures.some((line) => line.includes('['))).to.equal(true);
  });

  it('gives a dumb terminal no codes', async () => {
    const { raw, status } = await screening('dumb');
    expect(status).to.equal(0);
    expect(raw).not.to.include('\u001B');
    expect(raw.replaceAll('\r\n', '\n')).not.to.include('\r');
  });

  it('is silenced by -q and by --progress none', async () => {
    expect((await screening('quiet')).raw).to.equal('');
    expect((await screening('none')).raw).to.equal('');
  });

  it('comes in whole lines with --progress plain', async () => {
    const { raw, screen } = await screening('plain');
    expect(raw).not.to.include('\u001B');
    expect(screen.at(-1)).to.match(/^down 6\.00 MiB, 100%, /);
  });

  it('is not drawn into a body that goes to the same terminal', async () => {
    const { raw } = await screening('body');
    expect(raw).not.to.include('\u001B');
    expect(raw).to.have.length(STEPS * MIB);
  });

  it('is drawn when the body goes through a pipe', async () => {
    const { pictures, screen } = await screening('piped');
    expect(pictures.some((line) => /^down +\d+% {2}\[/.test(line))).to.equal(true);
    expect(screen.map((line) => line.trim())).to.include.members([String(STEPS * MIB)]);
  });

  it('gives way to a failure', async () => {
    const { status, screen } = await screening('failed');
    expect(status).to.equal(6);
    expect(screen.join('')).to.match(/^millrace: GET .* : cannot write missing\/copy: .*, nothing sent$/);
  });

  it('gives way to the heads of -v', async () => {
    const { screen } = await screening('verbose');
    expect(screen[1]).to.equal('> GET / HTTP/1.1');
    expect(screen).to.include('< HTTP/1.1 200 OK');
    expect(screen.at(-1)).to.match(/^down 6\.00 MiB, 100%/);
  });

  it('is absent where standard error is no terminal, and told in lines where it is asked for', async () => {
    const [silent, asked] = await Promise.all([
      millrace(['-o', 'silent', `${origin}/`], { cwd: directory.path }),
      shell(`millrace --progress bar ${origin}/ 2>&1 >/dev/null`),
    ]);
    expect(silent.stderr).to.equal('');
    expect(asked.text).to.match(/^(?:down .*\n)*down 6\.00 MiB, 100%, 0:0\d, .*\/s\n$/);
    expect(asked.text).not.to.include('\u001B');
    expect(asked.text).not.to.include('\r');
  });

  function give(response: ServerResponse, steps: number, resized: boolean): void {
    if (resized && steps === STEPS / 2) narrow();
    if (steps === 0) response.end();
    else {
      response.write(Buffer.alloc(MIB, 'x'), () =>
        setTimeout(() => give(response, steps - 1, resized), STEP_MS),
      );
    }
  }
});

describe('the command: a line of progress', () => {
  let clock: sinon.SinonFakeTimers;

  beforeEach(() => {
    clock = sinon.useFakeTimers({ toFake: ['performance'] });
  });

  afterEach(() => clock.restore());

  function meterAt(bytes: number, total: number | null, ms: number): Meter {
    const meter = new Meter(total);
    meter.start();
    meter.add(bytes);
    clock.tick(ms);
    return meter;
  }

  it('leaves out what is needed least, and is never longer than it may be', () => {
    const down = meterAt(10 * MIB, 40 * MIB, 2000);
    const lines = Array.from({ length: 100 }, (_, width) =>
      progressLine({ up: null, down }, { width, bar: true, colours: false }),
    );
    for (const [width, line] of lines.entries()) expect(line.length).to.be.at.most(width);
    expect(lines[99]).to.equal(
      'down   25%  [==========>                             ]  10.0 of 40.0 MiB  5.00 MiB/s  0:06 left',
    );
    expect(lines[50]).to.equal('down   25%  10.0 of 40.0 MiB  5.00 MiB/s');
    expect(lines[10]).to.equal('down   25%');
    expect(lines[5]).to.equal('down');
    expect(lines[0]).to.equal('');
  });

  it('smooths the rate, and forgets the past', () => {
    const meter = meterAt(0, null, 0);
    const rates: number[] = [];
    for (let i = 0; i < 200; i++) {
      clock.tick(100);
      // As fast before as after, but in bursts.
      if (i % 5 === 0) meter.add(i < 100 ? 5000 : 50_000);
      rates.push(meter.rate() ?? 0);
    }
    for (const rate of rates.slice(60, 99)) expect(rate).to.be.within(7500, 12_500);
    expect(rates.at(-1)).to.be.within(75_000, 125_000);
    expect(rates[105]).to.be.below(60_000);
  });

  it('counts what was there before as done, but not as fast', () => {
    const meter = new Meter(1000);
    meter.start(900);
    meter.add(50);
    clock.tick(1000);
    expect([meter.bytes, meter.gained, meter.rate()]).to.deep.equal([950, 50, 50]);
    expect(closingLine({ up: null, down: meter })).to.equal('down 950 of 1000 B, 95%, 0:01, 50 B/s');
  });

  it('says sizes and times as people do', () => {
    expect([0, 1023, 1024, 10_240, 1_048_575, 5e6, 5e9, 5e12, 5e15].map(sizeText)).to.deep.equal([
      '0 B',
      '1023 B',
      '1.00 KiB',
      '10.0 KiB',
      '1.00 MiB',
      '4.77 MiB',
      '4.66 GiB',
      '4.55 TiB',
      '4.44 PiB',
    ]);
    expect([0, 499, 61_000, 3_599_000, 3_723_000].map(timeText)).to.deep.equal([
      '0:00',
      '0:00',
      '1:01',
      '59:59',
      '1:02:03',
    ]);
  });
});
