/**
 * Where the body and the heads go: standard output, files, and what is no regular file.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { expect } from 'chai';

import { FILE, startCommandServer, type CommandServer } from '../support/command-server.js';
import { CURL, curl, concurrently, millrace, ownDirectory, shell } from '../support/millrace-command.js';

describe('the command: where the body goes', () => {
  const directory = ownDirectory();
  let server: CommandServer;

  before(async () => {
    server = await startCommandServer();
  });

  after(() => server.close());

  const test = concurrently();

  /** A directory of its own for one test. */
  function place(name: string): string {
    const path = join(directory.path, name);
    mkdirSync(path);
    return path;
  }

  test('to standard output, byte for byte, and nothing else to anywhere', async () => {
    const outcome = await millrace([`${server.origin}/file`]);
    expect(outcome.status).to.equal(0);
    expect(outcome.stdout.equals(FILE)).to.equal(true);
    expect(outcome.stderr).to.equal('');
  });

  test('to a pipe, a file and a device alike', async () => {
    const cwd = place('redirected');
    const url = `${server.origin}/large?bytes=3000000`;
    const outcome = await shell(
      `millrace ${url} | cksum; millrace ${url} > file; cksum < file; echo first > both; millrace ${url} >> both; tail -c 3000000 both | cksum; millrace ${url} > /dev/null && echo done`,
      { cwd },
    );
    const [piped, file, appended, device] = outcome.text.trim().split('\n');
    expect(piped).to.match(/^\d+ 3000000$/);
    expect([file, appended, device]).to.deep.equal([piped, piped, 'done']);
    expect(outcome.stderr).to.equal('');
  });

  test('-o writes a file, which is there only when it is whole', async () => {
    const cwd = place('whole');
    const outcome = await millrace(['-o', 'copy', `${server.origin}/file`], { cwd });
    expect(outcome.status, outcome.stderr).to.equal(0);
    expect(outcome.stdout).to.have.length(0);
    expect(readdirSync(cwd)).to.deep.equal(['copy']);
    expect(readFileSync(join(cwd, 'copy')).equals(FILE)).to.equal(true);
  });

  test('-o writes a body without a length, and an empty one', async () => {
    const cwd = place('lengths');
    await Promise.all([
      millrace(['-o', 'chunked', `${server.origin}/large?bytes=300001`], { cwd }),
      millrace(['-o', 'empty', `${server.origin}/status/200/`, '-I'], { cwd }),
    ]);
    expect(statSync(join(cwd, 'chunked')).size).to.equal(300_001);
    expect(statSync(join(cwd, 'empty')).size).to.equal(0);
  });

  test('-o FILE.part is what is written until then', async () => {
    const cwd = place('partial');
    writeFileSync(join(cwd, 'copy'), 'what was there');
    const outcome = await millrace(['-o', 'copy', `${server.origin}/cut`], { cwd });
    expect(outcome.status).to.equal(3);
    expect(readFileSync(join(cwd, 'copy'), 'utf8')).to.equal('what was there');
    expect(statSync(join(cwd, 'copy.part')).size).to.equal(400);
  });

  test('-o writes a body without a length as it comes', async () => {
    const cwd = place('feed');
    const part = join(cwd, 'copy.part');
    const running = millrace(['-o', 'copy', `${server.origin}/feed`], { cwd });
    while (!existsSync(part) || statSync(part).size === 0) await sleep(20);
    expect(readFileSync(part, 'utf8')).to.equal('first\n');
    await millrace([`${server.origin}/end-of-feeds`]);
    expect((await running).status).to.equal(0);
    expect(readFileSync(join(cwd, 'copy'), 'utf8')).to.equal('first\nlast\n');
  });

  test('-o keeps the permissions of the file that it replaces', async () => {
    const cwd = place('mode');
    writeFileSync(join(cwd, 'copy'), 'before');
    chmodSync(join(cwd, 'copy'), 0o600);
    await millrace(['-o', 'copy', `${server.origin}/file`], { cwd });
    expect(statSync(join(cwd, 'copy')).mode & 0o777).to.equal(0o600);
  });

  test('-o - is standard output', async () => {
    const cwd = place('dash');
    const outcome = await millrace(['-o', '-', `${server.origin}/file`], { cwd });
    expect(outcome.stdout.equals(FILE)).to.equal(true);
    expect(readdirSync(cwd)).to.deep.equal([]);
  });

  test('-O names the file like the last segment of the path', async () => {
    const cwd = place('remote');
    const outcome = await millrace(['-O', `${server.origin}/file/a%20b.txt?c=/d`], { cwd });
    expect(outcome.status, outcome.stderr).to.equal(0);
    const names = ['a%20b.txt'];
    expect(readdirSync(cwd)).to.deep.equal(names);
    if (!CURL) return;
    const beside = place('remote-curl');
    await curl(['-O', `${server.origin}/file/a%20b.txt?c=/d`], { cwd: beside });
    expect(readdirSync(beside)).to.deep.equal(names);
  });

  test('a refused connection leaves no file, nor does an answer that never came', async () => {
    const cwd = place('refused');
    const outcomes = await Promise.all([
      millrace(['-o', 'copy', 'http://127.0.0.1:1/'], { cwd }),
      millrace(['-o', 'copy', `${server.origin}/hang-up`], { cwd }),
    ]);
    expect(outcomes.map(({ status }) => status)).to.deep.equal([2, 3]);
    expect(readdirSync(cwd)).to.deep.equal([]);
  });

  test('an error status is written all the same', async () => {
    const cwd = place('error');
    const outcome = await millrace(['-o', 'copy', `${server.origin}/status/404`], { cwd });
    expect(outcome.status).to.equal(4);
    expect(readdirSync(cwd)).to.deep.equal(['copy']);
    expect(readFileSync(join(cwd, 'copy'), 'utf8')).to.equal('this is 404\n');
  });

  test('a device is written directly', async () => {
    const cwd = place('device');
    const outcome = await millrace(['-o', '/dev/null', `${server.origin}/file`], { cwd });
    expect(outcome.status, outcome.stderr).to.equal(0);
    expect(existsSync('/dev/null.part')).to.equal(false);
    expect(lstatSync('/dev/null').isCharacterDevice()).to.equal(true);
  });

  test('a FIFO is written directly, and read from', async () => {
    const cwd = place('fifo');
    execFileSync('mkfifo', ['pipe'], { cwd });
    const url = server.origin;
    const down = await shell(`millrace -o pipe ${url}/file & cksum < pipe; wait $!; echo $?`, { cwd });
    const up = await shell(`(printf abc > pipe) & millrace -T pipe ${url}/count`, { cwd });
    expect(down.text).to.equal(`${cksum(cwd, FILE)}\n0\n`);
    expect(up.text).to.equal(`3 ${createHash('sha256').update('abc').digest('hex')}\n`);
    expect(readdirSync(cwd)).to.have.members(['pipe', 'reference']);
  });

  test('a link stays a link', async () => {
    const cwd = place('link');
    writeFileSync(join(cwd, 'target'), 'before');
    symlinkSync('target', join(cwd, 'link'));
    await millrace(['-o', 'link', `${server.origin}/file`], { cwd });
    expect(lstatSync(join(cwd, 'link')).isSymbolicLink()).to.equal(true);
    expect(readFileSync(join(cwd, 'target')).equals(FILE)).to.equal(true);
  });

  test('a reader that goes away ends it quietly', async () => {
    const outcome = await shell(
      `millrace "${server.origin}/large?bytes=20000000" | head -c 5; echo "\${PIPESTATUS[0]}"`,
    );
    expect(outcome.text).to.equal('large0\n');
    expect(outcome.stderr).to.equal('');
  });

  test('what came before a failure reaches a slow reader', async () => {
    const outcome = await shell(`millrace "${server.origin}/cut?bytes=70000" | { sleep 2; wc -c; }`);
    expect(outcome.text.trim()).to.equal('70000');
    expect(outcome.stderr).to.match(/, 70000 of 70600 bytes received\n$/);
  });

  test('both directions stream: an answer comes while the question is asked', async () => {
    const outcome = await shell(
      `mkfifo question; (exec 3> question; echo one >&3; read -r first < answered; echo two >&3) & ` +
        `mkfifo answered; millrace POST -T - ${server.origin}/echo < question | { read -r line; echo "$line" > answered; echo "$line"; cat; }`,
      { cwd: place('duplex') },
    );
    expect(outcome.text).to.equal('one\ntwo\n');
  });
});

describe('the command: heads', () => {
  let server: CommandServer;

  before(async () => {
    server = await startCommandServer();
  });

  after(() => server.close());

  const test = concurrently();

  /** The date differs from run to run. */
  const steady = (text: string): string => text.replaceAll(/^((?:< )?Date: ).*?(\r?)$/gm, '$1now$2');

  test('-I asks with HEAD and shows the head, on standard output, as curl does', async () => {
    const ours = await millrace(['-I', `${server.origin}/file`]);
    expect(ours.status, ours.stderr).to.equal(0);
    expect(steady(ours.text)).to.equal(
      'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nETag: "one"\r\nAccept-Ranges: bytes\r\n' +
        `Content-Length: ${String(FILE.length)}\r\nDate: now\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n\r\n`,
    );
    expect(ours.stderr).to.equal('');
    if (CURL) expect(steady((await curl(['-I', `${server.origin}/file`])).text)).to.equal(steady(ours.text));
  });

  test('-i shows the head before the body, as curl does', async () => {
    const ours = await millrace(['-i', `${server.origin}/status/404`]);
    expect(steady(ours.text)).to.equal(
      'HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nDate: now\r\nConnection: keep-alive\r\n' +
        'Keep-Alive: timeout=5\r\nTransfer-Encoding: chunked\r\n\r\nthis is 404\n',
    );
    if (CURL)
      expect(steady((await curl(['-i', `${server.origin}/status/404`])).text)).to.equal(steady(ours.text));
  });

  test('-i shows interim heads too, as curl does', async () => {
    const ours = await millrace(['-i', `${server.origin}/hints`]);
    expect(ours.text).to.match(
      /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/style\.css>; rel=preload\r\n\r\nHTTP\/1\.1 200 OK\r\n/,
    );
    if (CURL) expect(steady((await curl(['-i', `${server.origin}/hints`])).text)).to.equal(steady(ours.text));
  });

  test('-i -o puts the head on standard output and the body into the file', async () => {
    const outcome = await millrace(['-i', '-o', '/dev/null', `${server.origin}/file`]);
    expect(outcome.text).to.match(/^HTTP\/1\.1 200 OK\r\n/);
    expect(outcome.text).to.match(/\r\n\r\n$/);
  });

  test('-v shows the heads of both directions on standard error, as curl shows them', async () => {
    const args = ['-v', '-H', 'X-One: 1', '-d', 'a=1', `${server.origin}/hints`];
    const ours = await millrace(args);
    expect(ours.status).to.equal(0);
    expect(ours.text).to.equal('hinted\n');
    const lines = linesOf(ours.stderr);
    expect(lines.find((line) => line.startsWith('>'))).to.equal('> POST /hints HTTP/1.1');
    expect(lines[0]).to.equal(`* Connected to 127.0.0.1 port ${String(server.port)}`);
    expect(lines).to.include.members([
      `> Host: 127.0.0.1:${String(server.port)}`,
      '> X-One: 1',
      '> Content-Length: 3',
      '> Content-Type: application/x-www-form-urlencoded',
      '< HTTP/1.1 103 Early Hints',
      '< Link: </style.css>; rel=preload',
      '< HTTP/1.1 200 OK',
      '< Date: now',
    ]);
    if (!CURL) return;
    const received = (all: readonly string[]): string[] => all.filter((line) => /^< ./.test(line));
    const theirs = linesOf((await curl(args)).stderr);
    expect(received(theirs)).to.deep.equal(received(lines));
    expect(lines.filter((line) => line.startsWith('>')).slice(0, 2)).to.deep.equal(
      theirs.filter((line) => line.startsWith('>')).slice(0, 2),
    );
  });

  test('-v shows what was sent, field by field', async () => {
    const outcome = await millrace(['-v', '--json', '{}', '-H', 'X-One: 1', `${server.origin}/seen`]);
    const { fields } = JSON.parse(outcome.text) as { fields: [string, string][] };
    const shown = linesOf(outcome.stderr).filter((line) => line.startsWith('> ') && line.includes(': '));
    expect(shown).to.deep.equal(fields.map(([name, value]) => `> ${name}: ${value}`));
  });

  test('-v shows no credentials', async () => {
    const outcomes = await Promise.all(
      [
        ['-u', 'user:secret'],
        ['-H', 'Authorization: Bearer secret'],
        ['-H', 'Authorization: secret and more'],
        ['-H', 'Proxy-Authorization: Basic secret'],
        ['-H', 'Cookie: a=secret; secret; b="secret"'],
      ].map((args) => millrace(['-v', ...args, `${server.origin}/file`])),
    );
    const secret = /secret|dXNlcjpzZWNyZXQ/;
    for (const { stderr } of outcomes) {
      expect(stderr).not.to.match(secret);
      expect(stderr).to.include('***');
    }
    expect(outcomes[0]?.stderr).to.match(/^> Authorization: Basic \*\*\*$/m);
    expect(outcomes[4]?.stderr).to.match(/^> Cookie: a=\*\*\*; \*\*\*; b=\*\*\*$/m);
  });

  function linesOf(stderr: string): string[] {
    return steady(stderr)
      .split('\n')
      .map((line) => line.trimEnd());
  }
});

function cksum(cwd: string, bytes: Buffer): string {
  const path = join(cwd, 'reference');
  writeFileSync(path, bytes);
  return execFileSync('sh', ['-c', 'cksum < reference'], { cwd, encoding: 'utf8' }).trim();
}
