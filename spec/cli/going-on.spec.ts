/**
 * Downloads that were broken off, by the network or by the user, and how they go on.
 */
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { expect } from 'chai';

import { FILE, PIECE, startCommandServer, type CommandServer } from '../support/command-server.js';
import {
  CURL,
  curl,
  concurrently,
  millrace,
  ownDirectory,
  shell,
  type Outcome,
} from '../support/millrace-command.js';
import { onTerminal } from '../support/pseudo-terminal.js';

/** What a run leaves beside a part of `/file`. */
const VALIDATOR = '"one"';

describe('the command: going on', () => {
  const directory = ownDirectory();
  let server: CommandServer;
  let places = 0;

  before(async () => {
    server = await startCommandServer();
  });

  after(() => server.close());

  const test = concurrently();

  /** A directory of its own, with a part of the file in it. */
  function place(part: Uint8Array | null = null, validator: string | null = VALIDATOR): string {
    const path = join(directory.path, String(places++));
    mkdirSync(path);
    if (part !== null) writeFileSync(join(path, 'copy.part'), part);
    if (part !== null && validator !== null) {
      writeFileSync(join(path, 'copy.part.json'), JSON.stringify({ validator }));
    }
    return path;
  }

  const contentOf = (cwd: string): Buffer => readFileSync(join(cwd, 'copy'));

  /** Runs until the question is answered with true, and sends Ctrl-C then. */
  function interrupted(args: readonly string[], cwd: string, until: () => boolean): Promise<Outcome> {
    return millrace(args, {
      cwd,
      onChild: (child) => {
        void (async () => {
          while (!until() && child.exitCode === null) await sleep(20);
          await sleep(100);
          child.kill('SIGINT');
        })();
      },
    });
  }

  /** Whether the head was received: the part is there. */
  const begun = (cwd: string) => (): boolean => existsSync(join(cwd, 'copy.part'));

  /** Whether the server was asked for it. */
  const asked = (target: string) => (): boolean => server.requests.some(({ url }) => url === target);

  test('-C asks for what is missing, and puts it behind the part', async () => {
    const cwd = place(FILE.subarray(0, 100_000));
    const outcome = await millrace(['-C', '-v', '-o', 'copy', `${server.origin}/file`], { cwd });
    expect(outcome.status, outcome.stderr).to.equal(0);
    expect(outcome.stderr).to.include('> Range: bytes=100000-');
    expect(outcome.stderr).to.include(`> If-Range: ${VALIDATOR}`);
    expect(contentOf(cwd).equals(FILE)).to.equal(true);
    expect(readdirSync(cwd)).to.deep.equal(['copy']);
    if (!CURL) return;
    const theirs = place();
    writeFileSync(join(theirs, 'copy'), FILE.subarray(0, 100_000));
    await curl(['-C', '-', '-o', 'copy', `${server.origin}/file`], { cwd: theirs });
    expect(contentOf(theirs).equals(contentOf(cwd))).to.equal(true);
  });

  test('-C of what is there already only gives it its name', async () => {
    const cwd = place(FILE);
    const outcome = await millrace(['-C', '-o', 'copy', `${server.origin}/file`], { cwd });
    expect([outcome.status, outcome.stderr]).to.deep.equal([0, '']);
    expect(contentOf(cwd).equals(FILE)).to.equal(true);
    expect(readdirSync(cwd)).to.deep.equal(['copy']);
  });

  test('-C without a part, or with one of which nothing is known, begins anew', async () => {
    const cwds = [place(), place(Buffer.from('something'), null), place(Buffer.alloc(0))];
    const outcomes = await Promise.all(
      cwds.map((cwd) => millrace(['-C', '-O', `${server.origin}/file/copy`], { cwd })),
    );
    for (const [index, { status, stderr }] of outcomes.entries()) {
      expect([status, stderr]).to.deep.equal([0, '']);
      expect(contentOf(cwds[index] ?? '').equals(FILE)).to.equal(true);
      expect(readdirSync(cwds[index] ?? '')).to.deep.equal(['copy']);
    }
  });

  test('without -C a part that is there is not gone on with', async () => {
    const cwd = place(Buffer.from('something'));
    const outcome = await millrace(['-o', 'copy', `${server.origin}/file`], { cwd });
    expect(outcome.status).to.equal(0);
    expect(contentOf(cwd).equals(FILE)).to.equal(true);
    expect(readdirSync(cwd)).to.deep.equal(['copy']);
  });

  test('-C of a thing that has changed is status 3, and the part stays', async () => {
    const cwd = place(FILE.subarray(0, 1000), '"zero"');
    const outcome = await millrace(['-C', '-o', 'copy', `${server.origin}/file`], { cwd });
    expect(outcome.status).to.equal(3);
    expect(outcome.stderr).to.match(/^millrace: GET .*\/file : .+\n$/);
    expect(readdirSync(cwd)).to.deep.equal(['copy.part', 'copy.part.json']);
    expect(readFileSync(join(cwd, 'copy.part'))).to.have.length(1000);
  });

  test('an error status while going on touches no file', async () => {
    const cwd = place(FILE.subarray(0, 1000));
    const outcome = await millrace(['-C', '-o', 'copy', `${server.origin}/status/404`], { cwd });
    expect(outcome.status).to.equal(4);
    expect(outcome.stderr).to.match(/^millrace: GET .* : 404 Not Found instead of the rest, .*\n$/);
    expect(readdirSync(cwd)).to.deep.equal(['copy.part', 'copy.part.json']);
    expect(readFileSync(join(cwd, 'copy.part'))).to.have.length(1000);
  });

  test('a redirect while going on touches no file either', async () => {
    const cwd = place(FILE.subarray(0, 1000));
    const outcome = await millrace(['-C', '-o', 'copy', `${server.origin}/moved?to=/file`], { cwd });
    expect(outcome.status).to.equal(3);
    expect(readdirSync(cwd)).to.deep.equal(['copy.part', 'copy.part.json']);
    const followed = await millrace(['-L', '-C', '-o', 'copy', `${server.origin}/moved?to=/file`], { cwd });
    expect(followed.status, followed.stderr).to.equal(0);
    expect(contentOf(cwd).equals(FILE)).to.equal(true);
  });

  test('a lost connection is gone on with in the same run', async () => {
    const cwd = place();
    const outcome = await millrace(['-v', '-o', 'copy', `${server.origin}/torn`], { cwd });
    expect(outcome.status, outcome.stderr).to.equal(0);
    expect(contentOf(cwd).equals(FILE)).to.equal(true);
    expect(outcome.stderr).to.match(new RegExp(`^\\* Going on at byte ${String(PIECE)}: `, 'm'));
    expect(outcome.stderr).to.include(`> Range: bytes=${String(PIECE)}-`);
  });

  test('Ctrl-C keeps the part, and says how to go on: the whole command', async () => {
    const cwd = place();
    const args = ['-H', 'X-It\'s: a "b" $c', '-o', 'copy', `${server.origin}/slow?a=1&b=2`];
    const stopped = await interrupted(args, cwd, begun(cwd));
    expect(stopped.status).to.equal(130);
    const [line, hint, ...rest] = stopped.stderr.split('\n');
    expect(line).to.match(
      new RegExp(
        `^millrace: GET .*/slow\\?a=1&b=2 : interrupted, ${String(PIECE)} of ${String(FILE.length)} bytes received$`,
      ),
    );
    expect(rest).to.deep.equal(['']);
    expect(readdirSync(cwd)).to.deep.equal(['copy.part', 'copy.part.json']);
    expect(readFileSync(join(cwd, 'copy.part'))).to.have.length(PIECE);
    expect(hint).to.match(/^To go on: millrace -C /);
    const command = (hint ?? '').slice('To go on: '.length);
    const again = await shell(command, { cwd });
    expect(again.status, again.stderr).to.equal(0);
    expect(contentOf(cwd).equals(FILE)).to.equal(true);
    const gone = server.requests.filter(({ url }) => url === '/slow?a=1&b=2');
    expect(gone.map(({ headers }) => headers["x-it's"])).to.deep.equal(['a "b" $c', 'a "b" $c']);
  });

  test('Ctrl-C says so when the server gave nothing to go on by', async () => {
    const cwd = place();
    const stopped = await interrupted(['-o', 'copy', `${server.origin}/untold`], cwd, begun(cwd));
    expect(stopped.status).to.equal(130);
    expect(stopped.stderr).to.match(
      /\nTo go on \(from the beginning: the server gave no validator\): millrace -C -o copy /,
    );
    expect(readdirSync(cwd)).to.deep.equal(['copy.part']);
  });

  test('Ctrl-C is one line where it cannot be gone on with', async () => {
    const cwd = place();
    const outcomes = await Promise.all([
      interrupted([`${server.origin}/slow?none`], cwd, asked('/slow?none')),
      interrupted(['-d', 'x', `${server.origin}/silent`], cwd, asked('/silent')),
      interrupted(['-d', 'x', '-o', 'copy', `${server.origin}/slow?posted`], cwd, begun(cwd)),
    ]);
    for (const { status, stderr } of outcomes) {
      expect(status).to.equal(130);
      expect(stderr).to.match(/^millrace: (?:GET|POST) .* : interrupted, .*\n$/);
    }
  });

  test('Ctrl-C on a terminal leaves a tidy screen', async () => {
    const cwd = place();
    const { status, screen } = await onTerminal(['-o', 'copy', `${server.origin}/slow`], {
      cwd,
      columns: 200,
      onTerminal: (say) => {
        void (async () => {
          while (!existsSync(join(cwd, 'copy.part'))) await sleep(20);
          await sleep(300);
          say('type \\x03');
        })();
      },
    });
    expect(status).to.equal(130);
    expect(screen.join('\n')).to.match(
      /^(?:\^C)?millrace: GET .* : interrupted, .* received\nTo go on: millrace -C -o copy /,
    );
  });

  test('Ctrl-C ends a FIFO that nobody writes to', async () => {
    const cwd = place();
    execFileSync('mkfifo', ['idle'], { cwd });
    const writers: number[] = [];
    const outcome = await interrupted(['-T', 'idle', `${server.origin}/count`], cwd, () => {
      try {
        if (writers.length === 0)
          writers.push(openSync(join(cwd, 'idle'), constants.O_WRONLY | constants.O_NONBLOCK));
      } catch {
        // Nobody reads yet.
      }
      return writers.length > 0;
    });
    for (const writer of writers) closeSync(writer);
    // A thread hangs in the FIFO. Where nothing else ends the process the signal does, and shells say 130 of that too.
    expect(outcome.status ?? outcome.signal).to.equal('execve' in process ? 130 : 'SIGINT');
    expect(outcome.stderr).to.match(/ : interrupted, /);
  });
});
