/**
 * What keeps the process alive: an exchange that runs or a dial does, a connection that is idle does not.
 */
import { spawn } from 'node:child_process';
import * as net from 'node:net';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { sleep } from '../support/expiry.js';
import { answer, identity, OK, rawServer, rawTLSServer } from '../support/raw-server.js';
import type { Script } from '../support/raw-server.js';
import { proxyTo } from '../support/transports.js';

const LIBRARY = new URL('../../lib/index.js', import.meta.url).href;

interface Ended {
  output: string;
  code: number | null;
  ms: number;
}

/** Runs a program in a process of its own. `open(…)` opens a connection to the port; what it prints is what is given. */
function run(port: number, over: 'TCP' | 'TLS' | 'tunnel', program: string): Promise<Ended> {
  const source = `
    import { HTTPConnection, HTTPSConnection } from ${JSON.stringify(LIBRARY)};
    import { setTimeout as sleep } from 'node:timers/promises';
    const over = ${JSON.stringify(over)};
    const options = over === 'TCP' ? {} : { rejectUnauthorized: false };
    const conn = new (over === 'TCP' ? HTTPConnection : HTTPSConnection)('127.0.0.1', ${String(port)}, options);
    if (over === 'tunnel') conn.setTunnel('localhost', 443);
    process.on('exit', () => console.log('exit'));
    ${program}
  `;
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    let startedAt = performance.now();
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (output === '') startedAt = performance.now();
      output += text;
    });
    const guard = setTimeout(() => child.kill('SIGKILL'), 6000);
    child.on('close', (code) => {
      clearTimeout(guard);
      resolve({ output: output.trim().split('\n').join(' '), code, ms: performance.now() - startedAt });
    });
  });
}

async function portOf(over: 'TCP' | 'TLS' | 'tunnel', script: Script): Promise<number> {
  if (over === 'TCP') return (await rawServer(script)).port;
  const server = await rawTLSServer(script, { tls: identity('server') });
  return over === 'TLS' ? server.port : (await proxyTo(server)).port;
}

for (const over of ['TCP', 'TLS', 'tunnel'] as const) {
  describe(`a process with a connection over ${over}`, () => {
    it('ends although the connection stays open after a body was read, and after connect() alone', async () => {
      const port = await portOf(over, answer(OK));
      const [read, connected, empty] = await Promise.all([
        run(
          port,
          over,
          `for (let i = 0; i < 3; i++) { await conn.request('GET', '/'); await (await conn.getResponse()).text(); }
           console.log(conn.socket !== null);`,
        ),
        run(port, over, `await conn.connect(); console.log(conn.socket !== null);`),
        run(port, over, `await conn.send(''); console.log(conn.state);`),
      ]);
      for (const ended of [read, connected]) {
        expect([ended.output, ended.code]).to.deep.equal(['true exit', 0]);
        expect(ended.ms).to.be.below(3000);
      }
      expect([empty.output, empty.code]).to.deep.equal(['Idle exit', 0]);
    });

    it('does not end while an exchange runs, on a new connection or a kept one', async () => {
      const port = await portOf(over, (socket) => setTimeout(() => socket.write(OK), 400));
      const program = `console.log('running');
        const ask = async () => { await conn.request('GET', '/'); console.log(await (await conn.getResponse()).text()); };
        ask().then(ask);`;
      const ended = await run(port, over, program);
      expect([ended.output, ended.code]).to.deep.equal(['running ok ok exit', 0]);
    });

    it('does not end while the body is still to come', async () => {
      const port = await portOf(over, (socket) => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nok');
        setTimeout(() => socket.write('ok'), 400);
      });
      const program = `conn.request('GET', '/').then(() => conn.getResponse()).then((r) => r.text()).then(console.log);`;
      const ended = await run(port, over, program);
      expect([ended.output, ended.code]).to.deep.equal(['okok exit', 0]);
    });

    it('does not end while a slow body is sent', async () => {
      const port = await portOf(over, answer(OK));
      const program = `
        async function* slow() { yield 'a'; await sleep(200); yield 'b'; await sleep(200); }
        conn.connect().then(() => conn.request('POST', '/', slow())).then(() => conn.getResponse())
          .then((r) => r.text()).then(console.log);`;
      const ended = await run(port, over, program);
      expect([ended.output, ended.code]).to.deep.equal(['ok exit', 0]);
    });
  });
}

describe('a process with a dial', () => {
  it('does not end before it is over', async () => {
    // A proxy that answers late: the dial lasts.
    const proxy = net.createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => setTimeout(() => socket.end('HTTP/1.1 403 No\r\n\r\n'), 400));
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const { port } = proxy.address() as AddressInfo;
    try {
      const [connecting, requesting] = await Promise.all([
        run(port, 'tunnel', `conn.connect().catch((error) => console.log(error.code));`),
        run(port, 'tunnel', `conn.request('GET', '/').catch((error) => console.log(error.code));`),
      ]);
      expect(connecting.output).to.equal('ERR_TUNNEL_ERROR exit');
      expect(requesting.output).to.equal('ERR_TUNNEL_ERROR exit');
    } finally {
      proxy.close();
    }
  });

  it('does not end before its limit has', async () => {
    const silent = net.createServer((socket) => socket.on('error', () => undefined).resume());
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as AddressInfo;
    try {
      const program = `conn.request('GET', '/', null, {}, { timeout: 300 }).catch((error) => console.log(error.timer));`;
      const ended = await run(port, 'TLS', program);
      expect(ended.output).to.equal('connect exit');
    } finally {
      silent.close();
      await sleep(1);
    }
  });
});
