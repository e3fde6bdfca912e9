/**
 * How the command ends: its exit status and the one line of a failure.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';

import { parseCommand } from '../../lib/cli/arguments.js';
import { exitStatus } from '../../lib/cli/failure.js';
import { startCommandServer, type CommandServer } from '../support/command-server.js';
import {
  concurrently,
  millrace,
  ownDirectory,
  shell,
  type Outcome,
  type RunOptions,
} from '../support/millrace-command.js';

interface Case {
  readonly name: string;
  /** `@` in front of a path stands for the server. */
  readonly args: readonly string[];
  readonly options?: RunOptions;
  readonly status: number;
  /** Behind `millrace: METHOD URL : `, without the escapes of the URL. */
  readonly line: RegExp;
}

const CASES: readonly Case[] = [
  {
    name: 'a name that nobody has',
    args: ['http://nobody.invalid/'],
    status: 2,
    line: /^GET http:\/\/nobody\.invalid\/ : .*(?:ENOTFOUND|EAI_AGAIN).*, nothing sent$/,
  },
  {
    name: 'a refusal',
    args: ['http://127.0.0.1:1/a?b'],
    status: 2,
    line: /^GET http:\/\/127\.0\.0\.1:1\/a\?b : .*ECONNREFUSED.*, nothing sent$/,
  },
  {
    name: 'a certificate that nobody signed',
    args: ['%secure/file'],
    status: 2,
    line: /^GET https:.* : .*certificate.*, nothing sent$/,
  },
  { name: 'a server that does not speak TLS', args: ['%tls/file'], status: 2, line: /^GET https:.* : .+$/ },
  {
    name: 'an answer that is not HTTP',
    args: ['@/garbage'],
    status: 3,
    line: /^GET .*\/garbage : not a status line: "this is not HTTP.*", \d+ bytes sent, \d+ received$/,
  },
  {
    name: 'a connection closed without an answer',
    args: ['@/hang-up'],
    status: 3,
    line: /^GET .*\/hang-up : .*(?:closed|reset).*, \d+ bytes sent, 0 received$/i,
  },
  {
    name: 'a body cut short',
    args: ['@/cut'],
    status: 3,
    line: /^GET .*\/cut : .*600 more expected.*, 400 of 1000 bytes received$/,
  },
  {
    name: 'a status of 404',
    args: ['@/status/404'],
    status: 4,
    line: /^GET .*\/status\/404 : 404 Not Found, 12 bytes received$/,
  },
  {
    name: 'a status of 500 to a POST',
    args: ['-d', 'x', '@/status/500'],
    status: 4,
    line: /^POST .*\/status\/500 : 500 Internal Server Error, 12 bytes received$/,
  },
  {
    name: '-m without an answer',
    args: ['-m', '0.3', '@/silent'],
    status: 5,
    line: /^GET .*\/silent : .*0\.3 s.*, .*$/,
  },
  {
    name: '-m in the middle of the body',
    args: ['-m', '1.5', '@/stall'],
    status: 5,
    line: /^GET .*\/stall : .*1\.5 s.*, 400 of 1000 bytes received$/,
  },
  {
    name: '-T of a file that is not there',
    args: ['-T', 'missing', '@/count'],
    status: 6,
    line: /^PUT .*\/count : cannot read missing: ENOENT.*, nothing sent$/,
  },
  {
    name: '-T of a directory',
    args: ['-T', '.', '@/count'],
    status: 6,
    line: /^PUT .* : cannot read \.: it is a directory, nothing sent$/,
  },
  {
    name: '-d of a file that is not there',
    args: ['-d', '@missing', '@/count'],
    status: 6,
    line: /cannot read missing/,
  },
  {
    name: '-F of a file that is not there',
    args: ['-F', 'a=@missing', '@/count'],
    status: 6,
    line: /cannot read missing/,
  },
  {
    name: '-o in a directory that is not there',
    args: ['-o', 'missing/copy', '@/file'],
    status: 6,
    line: /cannot write missing\/copy: ENOENT.*, nothing sent$/,
  },
  {
    name: '-o to a directory',
    args: ['-o', 'directory', '@/file'],
    status: 6,
    line: /cannot write directory: it is a directory, nothing sent$/,
  },
  {
    name: '-o to a full device',
    args: ['-o', '/dev/full', '@/file'],
    status: 6,
    line: /cannot write \/dev\/full: ENOSPC.*, .*received$/,
  },
  {
    name: 'credentials of a URL are not shown',
    args: ['http://user:secret@127.0.0.1:1/'],
    status: 2,
    line: /^GET http:\/\/127\.0\.0\.1:1\/ : /,
  },
];

/** The whole line behind `millrace: `. */
const USAGE: readonly { readonly args: readonly string[]; readonly line: RegExp }[] = [
  { args: [], line: /^there is no URL: millrace \[METHOD\] URL \[options\], or --help$/ },
  { args: ['GET'], line: /^there is no URL behind GET$/ },
  { args: ['http://a/', 'http://b/'], line: /'http:\/\/a\/' is no method/ },
  { args: ['--noproxy', '*', 'http://a/'], line: /^'\*' is no method/ },
  { args: ['GET', 'http://a/', 'b'], line: /one URL at a time: .*'b'$/ },
  { args: ['http://a:port/'], line: /this is no URL: http:\/\/a:port\/$/ },
  { args: ['http://user:secret@a:port/'], line: /this is no URL: http:\/\/\*\*\*@a:port\/$/ },
  { args: ['ftp://a/'], line: /the scheme of the URL is ftp:/ },
  { args: ['CONNECT', 'http://a/'], line: /CONNECT makes tunnels: say -x URL/ },
  { args: ['--compresed', 'http://a/'], line: /no option --compresed: did you mean --compressed\?$/ },
  { args: ['--outptu', 'a', 'http://a/'], line: /did you mean --output\?$/ },
  { args: ['-l', 'http://a/'], line: /no option -l: did you mean -L\?$/ },
  {
    args: ['-X', 'POST', 'http://a/'],
    line: /no option -X: the method stands before the URL: millrace POST URL$/,
  },
  { args: ['-s', 'http://a/'], line: /no option -s: say -q$/ },
  { args: ['-é', 'http://a/'], line: /no option -é: millrace --help lists them$/ },
  { args: ['http://a/', '-o'], line: /^-o needs FILE$/ },
  { args: ['--compressed=yes', 'http://a/'], line: /^--compressed takes no value$/ },
  { args: ['-o', '', 'http://a/'], line: /^-o FILE: the name of the file is empty$/ },
  { args: ['-O', 'http://a/b/'], line: /^-O: the URL's path ends without a name/ },
  { args: ['-O', '-o', 'b', 'http://a/b'], line: /one place: -o FILE or -O/ },
  { args: ['-T', 'a', '-d', 'b', 'http://a/'], line: /one body: -T or -d/ },
  { args: ['-I', '-d', 'b', 'http://a/'], line: /^-I asks for a head: it sends no body$/ },
  { args: ['-I', 'GET', 'http://a/'], line: /^-I sends HEAD, not GET$/ },
  { args: ['-d', '@-', '-d', '@-', 'http://a/'], line: /standard input can be read once/ },
  { args: ['-d', '@', 'http://a/'], line: /name of the file is empty/ },
  { args: ['-F', 'name', 'http://a/'], line: /^-F takes NAME=VALUE, not 'name'$/ },
  { args: ['-F', 'name=@', 'http://a/'], line: /name of the file is empty/ },
  { args: ['-H', 'secret', 'http://a/'], line: /^-H takes 'Name: value'$/ },
  { args: ['-u', 'secret', 'http://a/'], line: /^-u takes USER:PASSWORD$/ },
  { args: ['-r', '5', 'http://a/'], line: /^-r takes A-B, A- or -N$/ },
  { args: ['-m', 'soon', 'http://a/'], line: /^-m takes a number of seconds$/ },
  { args: ['--connect-timeout', '-1', 'http://a/'], line: /^--connect-timeout takes a number of seconds$/ },
  { args: ['--retry', 'x', 'http://a/'], line: /^--retry takes a whole number$/ },
  { args: ['--max-redirs', '-1', '-L', 'http://a/'], line: /^--max-redirs takes a whole number$/ },
  { args: ['--progress', 'dots', 'http://a/'], line: /^--progress takes bar, plain or none$/ },
  { args: ['--noproxy', '-x', 'p', 'http://a/'], line: /-x URL or --noproxy/ },
  { args: ['--key', 'k', 'https://a/'], line: /^--key needs --cert$/ },
  { args: ['-C', 'http://a/'], line: /^-C goes on with a file: it needs -o FILE or -O$/ },
  { args: ['-C', '-o', 'b', '-d', 'x', 'http://a/'], line: /^-C goes on with a GET only$/ },
  { args: ['-C', '-o', 'b', '-r', '1-2', 'http://a/'], line: /leave -r out$/ },
  { args: ['-C', '-o', 'b', '--compressed', 'http://a/'], line: /leave --compressed out$/ },
];

describe('the command: failures', () => {
  const directory = ownDirectory();
  let server: CommandServer;
  let outcomes: Promise<Outcome>[];

  before(async () => {
    server = await startCommandServer();
    mkdirSync(join(directory.path, 'directory'));
    const named = (word: string): string =>
      word
        .replace(/^@\//, `${server.origin}/`)
        .replace(/^%secure/, server.secure)
        .replace(/^%tls/, server.origin.replace('http:', 'https:'));
    outcomes = CASES.map(({ args, options }) =>
      millrace(args.map(named), { cwd: directory.path, ...options }),
    );
  });

  after(() => server.close());

  const test = concurrently();

  for (const [index, { name, status, line }] of CASES.entries()) {
    it(`${name}: status ${String(status)}`, async function () {
      this.timeout(30_000);
      const outcome = await outcomes[index];
      expect(oneLine(outcome)).to.match(line);
      expect(outcome?.status).to.equal(status);
      expect(outcome?.stderr).not.to.include('secret');
    });
  }

  for (const { args, line } of USAGE) {
    it(`millrace ${args.join(' ')}: is refused by the command line alone`, () => {
      let message = '';
      try {
        parseCommand(args);
      } catch (error) {
        expect(exitStatus(error)).to.equal(1);
        message = (error as Error).message;
      }
      expect(message).to.match(line);
      expect(message).not.to.include('secret');
    });
  }

  test('a usage error is one line, status 1, and nothing on standard output', async () => {
    const refused = await Promise.all([
      millrace([]),
      millrace(['--compresed', 'http://a/']),
      millrace(['-H', 'Bad Name: x', 'http://127.0.0.1:1/']),
    ]);
    const lines = [/^there is no URL/, /did you mean --compressed\?$/, /Bad Name/];
    for (const [index, outcome] of refused.entries()) {
      expect(oneLine(outcome)).to.match(lines[index] ?? /^$/);
      expect([outcome.status, outcome.text]).to.deep.equal([1, '']);
    }
  });

  test('--no-fail: a status of 404 is none', async () => {
    const outcome = await millrace(['--no-fail', `${server.origin}/status/404`]);
    expect([outcome.status, outcome.text, outcome.stderr]).to.deep.equal([0, 'this is 404\n', '']);
  });

  test('-q silences no failure', async () => {
    const outcome = await millrace(['-q', `${server.origin}/status/404`]);
    expect(oneLine(outcome)).to.match(/404 Not Found/);
  });

  test('a full disk behind standard output is status 6', async () => {
    const outcome = await shell(`millrace ${server.origin}/file > /dev/full; echo $?`);
    expect(outcome.text).to.equal('6\n');
    expect(oneLine(outcome)).to.match(/cannot write to standard output: ENOSPC/);
  });

  test('a directory as standard input is status 6', async () => {
    const outcome = await shell(`millrace -T - ${server.origin}/count < /; echo $?`);
    expect(outcome.text).to.equal('6\n');
    expect(oneLine(outcome)).to.match(/cannot read standard input: it is a directory/);
  });

  test('-m also ends a FIFO that nobody writes to', async () => {
    execFileSync('mkfifo', ['idle'], { cwd: directory.path });
    const outcome = await millrace(['-m', '0.3', '-T', 'idle', `${server.origin}/count`], {
      cwd: directory.path,
    });
    expect(oneLine(outcome)).to.match(/PUT .* : .*0\.3 s/);
    // A thread hangs in the FIFO, and holds up any other end of a Node that cannot become another program.
    expect(outcome.status ?? outcome.signal).to.equal('execve' in process ? 5 : 'SIGKILL');
  });

  test('--connect-timeout ends a server that takes no connection', async () => {
    // A listener whose queue is full answers nothing to one more.
    const outcome = await shell(
      `node -e '
        const server = require("net").createServer().listen(0, "127.0.0.1", 1, () => {
          console.log(server.address().port);
          process.kill(process.pid, "SIGSTOP");
        });' > port & sleep 0.3; while [ ! -s port ]; do sleep 0.05; done
       node -e 'for (let i = 0; i < 8; i++) require("net").connect(+process.argv[1], "127.0.0.1").on("error", () => {}); setTimeout(() => {}, 4000)' "$(cat port)" & filler=$!
       sleep 0.3; millrace --connect-timeout 0.4 http://127.0.0.1:$(cat port)/; echo $?; kill -9 $filler %1`,
      { cwd: directory.path },
    );
    expect(outcome.text).to.equal('5\n');
    expect(oneLine({ ...outcome, stderr: outcome.stderr.replace(/^bash:.*\n/gm, '') })).to.match(
      /connect timeout of 400 ms/,
    );
  });
});

/** What the one line of standard error says behind the name of the command. */
function oneLine(outcome: Outcome | undefined): string {
  const [line = '', ...rest] = (outcome?.stderr ?? '').split('\n');
  expect(rest, outcome?.stderr).to.deep.equal(['']);
  expect(line).to.match(/^millrace: /);
  return line.slice('millrace: '.length);
}
