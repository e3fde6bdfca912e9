/**
 * Which way a request of the command goes: redirects, retries, proxies, sockets, TLS, and content codings. Where curl has the option it
 * is run beside the command and must come to the same.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

import { expect } from 'chai';

import { startCommandServer, type CommandServer, type Seen } from '../support/command-server.js';
import {
  CURL,
  curl,
  concurrently,
  millrace,
  ownDirectory,
  type Outcome,
} from '../support/millrace-command.js';
import { freePath } from '../support/raw-server.js';

const TLS = fileURLToPath(new URL('../../../spec/support/tls/', import.meta.url));

describe('the command: which way it goes', () => {
  const directory = ownDirectory();
  const socket = freePath();
  let server: CommandServer;
  let other: CommandServer;

  before(async () => {
    [server, other] = await Promise.all([startCommandServer(socket), startCommandServer()]);
    writeFileSync(join(directory.path, 'notes'), 'not a certificate');
    writeFileSync(join(directory.path, 'upload'), 'up and away');
  });

  after(() => Promise.all([server.close(), other.close()]));

  const test = concurrently();

  const moved = (to: string, status: number): string =>
    `${server.origin}/moved?status=${String(status)}&to=${encodeURIComponent(to)}`;

  /** What both have sent, or ours where there is no curl. */
  async function both(args: readonly string[], theirs: readonly string[] = args): Promise<Outcome[]> {
    const options = { cwd: directory.path };
    return Promise.all([millrace(args, options), ...(CURL ? [curl(theirs, options)] : [])]);
  }

  const seen = ({ stdout }: Outcome): Seen => JSON.parse(stdout.toString()) as Seen;

  test('gives a redirect as it is, without -L', async () => {
    for (const outcome of await both([moved('/seen', 302)])) {
      expect([outcome.status, outcome.text]).to.deep.equal([0, 'moved\n']);
    }
  });

  test('-L makes a GET of a POST, but keeps method and body at 307', async () => {
    for (const [status, method, body] of [
      [303, 'GET', ''],
      [307, 'POST', 'a=1'],
    ] as const) {
      for (const outcome of await both(['-L', '-d', 'a=1', moved('/seen', status)])) {
        const { method: sent, body: came } = seen(outcome);
        expect([sent, came]).to.deep.equal([method, body]);
      }
    }
  });

  test('-L sends a file again', async () => {
    for (const outcome of await both(['-L', '-T', 'upload', moved('/seen', 307)])) {
      const { method, body } = seen(outcome);
      expect([method, body]).to.deep.equal(['PUT', 'up and away']);
    }
  });

  test('-L leaves credentials behind at another origin', async () => {
    const args = [
      '-L',
      '-u',
      'user:secret',
      '-H',
      'Cookie: a=b',
      '-H',
      'X-Mine: 1',
      moved(`${other.origin}/seen`, 302),
    ];
    const { fields } = seen(await millrace(args));
    const names = fields.map(([name]) => name);
    expect(names).to.include('X-Mine');
    expect(names).not.to.include.any.members(['Authorization', 'Cookie']);
  });

  test('-L -i shows every head, as curl does', async () => {
    const outcomes = await both(['-L', '-i', moved('/hello', 302)]);
    for (const { text } of outcomes) {
      const lines = text.split('\r\n').filter((line) => line.startsWith('HTTP/'));
      expect(lines).to.deep.equal(['HTTP/1.1 302 Found', 'HTTP/1.1 200 OK']);
      expect(text).to.match(/\r\n\r\nhello\n$/);
    }
  });

  test('-L -v shows every request', async () => {
    const { stderr } = await millrace(['-L', '-v', '-d', 'a=1', moved('/hello', 303)]);
    const heads = stderr.split('\n').filter((line) => /^[<>] (?:HTTP|[A-Z]+ \/)/.test(line));
    expect(heads.map((line) => line.replace(/\?\S*/, '?'))).to.deep.equal([
      '> POST /moved? HTTP/1.1',
      '< HTTP/1.1 303 See Other',
      '> GET /hello HTTP/1.1',
      '< HTTP/1.1 200 OK',
    ]);
  });

  test('a redirect that may not be followed is status 3', async () => {
    const outcomes = await Promise.all([
      millrace(['-L', '--max-redirs', '2', `${server.origin}/round`]),
      millrace(['-L', moved('ftp://a/', 302)]),
      millrace(['-L', '-T', '-', moved('/seen', 307)], { input: 'x'.repeat(200_000) }),
    ]);
    for (const outcome of outcomes) {
      expect(outcome.status, outcome.stderr).to.equal(3);
      expect(outcome.stderr).to.match(/^millrace: (?:GET|PUT) http:.* : .+\n$/);
    }
  });

  test('--retry tries again what may be sent twice, and says so with -v', async () => {
    const outcome = await millrace(['-v', '--retry', '2', `${server.origin}/flaky`]);
    expect([outcome.status, outcome.text]).to.deep.equal([0, 'third time lucky\n']);
    expect(outcome.stderr.match(/^> GET \/flaky/gm)).to.have.length(3);
    expect(outcome.stderr).to.match(/^\* Attempt 1: status 503; the next one in 0 ms$/m);
  });

  test('--retry repeats no POST, and without it nothing is repeated', async () => {
    const outcomes = await Promise.all([
      millrace(['--retry', '3', '-d', 'x', `${server.origin}/status/503`]),
      millrace([`${server.origin}/status/503/once`]),
      millrace(['--retry', '1', '-T', 'upload', `${server.origin}/status/503/twice`], {
        cwd: directory.path,
      }),
    ]);
    expect(outcomes.map(({ status }) => status)).to.deep.equal([4, 4, 4]);
    const count = (target: string): number => server.requests.filter(({ url }) => url === target).length;
    expect(['/status/503', '/status/503/once', '/status/503/twice'].map(count)).to.deep.equal([1, 1, 2]);
  });

  test('-x goes through a proxy, and through its tunnel for https', async () => {
    const outcomes = await Promise.all([
      millrace(['-x', server.proxy, `${other.origin}/hello?plain`]),
      millrace(['-x', server.proxy.replace('http://', ''), '-k', `${other.secure}/hello`]),
    ]);
    expect(outcomes.map(({ text }) => text)).to.deep.equal(['hello\n', 'hello\n']);
    expect(server.proxied).to.include.members([
      `GET ${other.origin}/hello?plain`,
      `CONNECT ${other.secure.replace('https://', '')}`,
    ]);
  });

  test("takes the environment's proxy, unless --noproxy, no_proxy or --unix-socket says no", async () => {
    const env = { http_proxy: server.proxy };
    const target = `${other.origin}/hello?environment`;
    const asked = (): number => server.proxied.filter((line) => line.includes('?environment')).length;
    expect((await millrace([target], { env })).text).to.equal('hello\n');
    expect(asked()).to.equal(1);
    const outcomes = await Promise.all([
      millrace(['--noproxy', target], { env }),
      millrace([target], { env: { ...env, no_proxy: '127.0.0.1' } }),
      millrace(['--unix-socket', socket, 'http://anything/hello?environment'], { env }),
    ]);
    expect(outcomes.map(({ text }) => text)).to.deep.equal(['hello\n', 'hello\n', 'hello\n']);
    expect(asked()).to.equal(1);
  });

  test('-v shows a request to a proxy as it goes out, without its credentials', async () => {
    const proxy = server.proxy.replace('//', '//user:secret@');
    const { stderr, text } = await millrace(['-v', '-x', proxy, `${other.origin}/hello`]);
    expect(text).to.equal('hello\n');
    expect(stderr).to.include(`> GET ${other.origin}/hello HTTP/1.1`);
    expect(stderr).to.include('> Proxy-Authorization: Basic ***');
    expect(stderr).not.to.match(/secret|dXNlcjpzZWNyZXQ/);
  });

  test('a tunnel that is refused, and a proxy that is not there, are status 2', async () => {
    const outcomes = await Promise.all([
      millrace(['-x', server.origin, 'https://127.0.0.1:1/']),
      millrace(['-x', 'http://127.0.0.1:1', `${other.origin}/hello`]),
    ]);
    expect(outcomes.map(({ status, stderr }) => [status, stderr.split('\n').length])).to.deep.equal([
      [2, 2],
      [2, 2],
    ]);
  });

  test('a proxy that cannot be used is a usage error', async () => {
    const outcome = await millrace(['-x', 'gopher://a', `${server.origin}/hello`]);
    expect(outcome.status).to.equal(1);
    expect(outcome.stderr).to.match(/^millrace: .*gopher.*\n$/);
  });

  test('--unix-socket takes the Host from the URL', async () => {
    for (const outcome of await both(['--unix-socket', socket, 'http://some.example/seen'])) {
      expect(seen(outcome).fields).to.deep.include(['Host', 'some.example']);
    }
  });

  test('verifies a certificate, believes --cacert, and with -k everybody', async () => {
    const url = `${server.secure}/hello`;
    const [refused, believed, anybody] = await Promise.all([
      both([url]),
      both(['--cacert', join(TLS, 'authority.pem'), url]),
      both(['-k', url]),
    ]);
    for (const { status } of refused) expect(status).not.to.equal(0);
    expect(refused[0]?.status).to.equal(2);
    for (const { text } of [...believed, ...anybody]) expect(text).to.equal('hello\n');
  });

  test('--cert and --key say who it is', async () => {
    const [cert, key] = [join(TLS, 'server.pem'), join(TLS, 'server.key.pem')];
    for (const { text } of await both(['-k', '--cert', cert, '--key', key, `${server.secure}/who`])) {
      expect(text).to.equal('localhost (test only)\n');
    }
  });

  test('files of TLS that are not there, or hold something else, are status 6', async () => {
    const cwd = directory.path;
    const outcomes = await Promise.all([
      millrace(['--cacert', 'missing', `${server.secure}/hello`], { cwd }),
      millrace(['--cert', 'notes', `${server.secure}/hello`], { cwd }),
    ]);
    expect(outcomes.map(({ status }) => status)).to.deep.equal([6, 6]);
    expect(outcomes[0].stderr).to.match(/cannot read missing: ENOENT/);
    expect(outcomes[1].stderr).to.match(/^millrace: GET .* : cannot use .*, nothing sent\n$/);
  });

  test('credentials in the URL are sent, and -u goes before them', async () => {
    const url = `${server.origin.replace('//', '//user:p%20w@')}/seen`;
    const [own] = await both([url]);
    const [given] = await both(['-u', 'a:b', url]);
    const sent = (outcome: Outcome | undefined): string | undefined =>
      outcome && seen(outcome).fields.find(([name]) => name === 'Authorization')?.[1];
    expect(sent(own)).to.equal(`Basic ${Buffer.from('user:p w').toString('base64')}`);
    expect(sent(given)).to.equal(`Basic ${Buffer.from('a:b').toString('base64')}`);
  });

  test('--compressed asks for content codings and undoes them', async () => {
    for (const outcome of await both(['--compressed', `${server.origin}/packed`])) {
      expect(outcome.text).to.equal('unpacked text\n');
    }
    const ours = server.requests.filter(
      ({ url, headers }) => url === '/packed' && headers['user-agent']?.startsWith('millrace') === true,
    );
    expect(ours.map(({ headers }) => headers['accept-encoding'])[0]).to.match(/gzip.*br|br.*gzip/);
    const packed = await millrace(['-H', 'Accept-Encoding: gzip', `${server.origin}/packed`]);
    expect(gunzipSync(packed.stdout).toString()).to.equal('unpacked text\n');
    expect((await millrace([`${server.origin}/packed`])).text).to.equal('unpacked text\n');
  });
});
