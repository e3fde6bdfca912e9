/**
 * The demo as its user meets it: the compiled program in a child process, with its output, its exit code and what it leaves in
 * the temporary directory. Where a peer must misbehave, it is a node:http server in this process.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../../demo/demo.js', import.meta.url));

interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
  /** Names left in the directory that the demo was given for temporary files. */
  left: string[];
}

describe('the demo', () => {
  let directory: string;
  let temporary: string;
  const servers: Server[] = [];

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'demo-spec-'));
    temporary = await mkdtemp(join(directory, 'temporary-'));
  });

  afterEach(async () => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      server.close();
    }
    await rm(directory, { recursive: true, force: true });
  });

  async function demo(args: string[], input: Buffer | null = null): Promise<Outcome> {
    const child = spawn(process.execPath, [program, ...args], {
      env: { ...process.env, TMPDIR: temporary, TEMP: temporary, TMP: temporary },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    // A child that has seen enough may end before it reads its input, as `head` does.
    child.stdin.on('error', () => {});
    child.stdin.end(input ?? '');
    const [stdout, stderr, [code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close') as Promise<[number | null]>,
    ]);
    return { code, stdout, stderr, left: await readdir(temporary) };
  }

  async function file(name: string, content: Buffer): Promise<string> {
    const path = join(directory, name);
    await writeFile(path, content);
    return path;
  }

  async function serve(listener: RequestListener): Promise<string> {
    const server = createServer(listener).listen(0, '127.0.0.1');
    servers.push(server);
    await once(server, 'listening');
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/place?of=things`;
  }

  function sha256(content: Buffer): string {
    return createHash('sha256').update(content).digest('hex');
  }

  function assertFailed(outcome: Outcome, message: RegExp): void {
    assert.match(outcome.stderr, message);
    assert.equal(outcome.stderr.split('\n').length, 2, `one line, not: ${outcome.stderr}`);
    assert.equal(outcome.code, 1);
    assert.deepEqual(outcome.left, []);
  }

  it('sends a file to its own server and back, and reports digest, throughput and peak memory', async () => {
    const content = randomBytes(300_001);
    const outcome = await demo([await file('small.bin', content)]);
    assert.equal(outcome.stderr, '');
    assert.equal(outcome.code, 0);
    const [heading, up, down, digest, memory, ...rest] = outcome.stdout.split('\n');
    assert.match(heading ?? '', /^small\.bin, 300001 bytes, to http:\/\/127\.0\.0\.1:\d+\/demo and back$/);
    assert.match(up ?? '', /^up +300001 bytes in \d+\.\d\d s, \d+\.\d MiB\/s$/);
    assert.match(down ?? '', /^down +300001 bytes in \d+\.\d\d s, \d+\.\d MiB\/s$/);
    assert.equal(digest, `SHA-256 ${sha256(content)} (sent = stored = came back)`);
    assert.match(memory ?? '', /^peak memory \d+\.\d MiB, \d+\.\d MiB of it before the first byte$/);
    assert.deepEqual(rest, ['']);
    assert.deepEqual(outcome.left, []);
  });

  it('sends standard input when the path is -', async () => {
    const content = randomBytes(100_003);
    const outcome = await demo(['-'], content);
    assert.equal(outcome.stderr, '');
    assert.equal(outcome.code, 0);
    assert.match(outcome.stdout, /^standard input, to /);
    assert.ok(outcome.stdout.includes(`SHA-256 ${sha256(content)} (sent = stored = came back)`));
  });

  it('sends an empty file', async () => {
    const outcome = await demo([await file('empty', Buffer.alloc(0))]);
    assert.equal(outcome.stderr, '');
    assert.equal(outcome.code, 0);
    assert.ok(outcome.stdout.includes(`SHA-256 ${sha256(Buffer.alloc(0))} (sent = stored = came back)`));
  });

  it('runs against any server that takes PUT and GET, chunked and with the whole target', async () => {
    let stored = Buffer.alloc(0);
    const seen: unknown[] = [];
    const url = await serve((request, response) => {
      seen.push([request.method, request.url, request.headers['transfer-encoding']]);
      if (request.method === 'GET') {
        response.end(stored);
        return;
      }
      void buffer(request).then((content) => {
        stored = content;
        response.writeHead(204).end();
      });
    });
    const content = randomBytes(200_000);
    const outcome = await demo(['--url', url, await file('small.bin', content)]);
    assert.equal(outcome.stderr, '');
    assert.equal(outcome.code, 0);
    assert.ok(outcome.stdout.includes(`SHA-256 ${sha256(content)} (sent = came back)`));
    assert.deepEqual(seen, [
      ['PUT', '/place?of=things', 'chunked'],
      ['GET', '/place?of=things', undefined],
    ]);
    assert.deepEqual(outcome.left, []);
  });

  it('explains itself on --help', async () => {
    const outcome = await demo(['--help']);
    assert.match(outcome.stdout, /^Usage: npm run demo -- \[--url URL\] \[PATH\]\n/);
    assert.equal(outcome.code, 0);
  });

  it('refuses a file that is not there', async () => {
    assertFailed(await demo([join(directory, 'missing.bin')]), /^demo: cannot read .*missing\.bin: ENOENT/);
  });

  it('refuses a directory', async () => {
    assertFailed(await demo([directory]), /^demo: .* is a directory$/m);
  });

  it('refuses an option that it does not know, and a URL that is not one', async () => {
    assertFailed(await demo(['--fast']), /^demo: .*--fast/);
    assertFailed(await demo(['--url', 'example']), /^demo: --url example: not an absolute URL$/m);
    assertFailed(await demo(['--url', 'ftp://127.0.0.1/']), /^demo: --url .*: neither http: nor https:$/m);
  });

  it('says that a connection was refused', async () => {
    const url = await serve(() => {});
    const [server] = servers.splice(0);
    server?.close();
    assertFailed(
      await demo(['--url', url, await file('small.bin', randomBytes(10))]),
      /^demo: .*ECONNREFUSED/,
    );
  });

  it('says that a server takes no PUT, even when it answers before it has read the body', async () => {
    const url = await serve((_request, response) => {
      response.writeHead(405, { Allow: 'GET' }).end();
    });
    const outcome = await demo(['--url', url, await file('large.bin', randomBytes(4 * 1024 * 1024))]);
    assertFailed(outcome, /^demo: PUT http:.*: the server answered 405 Method Not Allowed$/m);
  });

  it('says that the server hung up in the middle of the upload', async () => {
    const url = await serve((request) => {
      request.once('data', () => request.socket.resetAndDestroy());
    });
    const outcome = await demo(['--url', url, await file('large.bin', randomBytes(4 * 1024 * 1024))]);
    assertFailed(outcome, /^demo: .*(ECONNRESET|EPIPE)/);
  });

  it('notices that something else came back', async () => {
    const url = await serve((request, response) => {
      request.resume().on('end', () => response.end('something else'));
    });
    const outcome = await demo(['--url', url, await file('small.bin', randomBytes(10))]);
    assertFailed(
      outcome,
      /^demo: what came back is not what was sent: SHA-256 [0-9a-f]{64}, sent [0-9a-f]{64}$/m,
    );
  });

  it('notices that a download was cut off', async () => {
    const url = await serve((request, response) => {
      if (request.method === 'PUT') {
        request.resume().on('end', () => response.end());
        return;
      }
      response.writeHead(200, { 'Content-Length': 1000 });
      response.write(Buffer.alloc(400), () => response.socket?.end());
    });
    const outcome = await demo(['--url', url, await file('small.bin', Buffer.alloc(1000))]);
    assertFailed(outcome, /^demo: .*\b600\b/);
  });
});
