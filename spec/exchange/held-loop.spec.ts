/**
 * An event loop that the caller's own code held for longer than a limit: what lay in the kernel meanwhile came in time, so no clock may
 * count it as missing. A clock that ran out for something fires all the same.
 */
import { Worker } from 'node:worker_threads';
import { expect } from 'chai';
import { HTTPConnection, TimeoutError } from '../../lib/index.js';
import type { Timeouts } from '../../lib/index.js';
import { patternBytes } from '../support/body-sources.js';
import { LIMIT_MS } from '../support/expiry.js';
import { rejection } from '../support/rejection.js';

/** A server in a thread of its own, because this one's loop is held. */
const SERVER = `
const net = require('node:net');
const { parentPort } = require('node:worker_threads');
const server = net.createServer((socket) => {
  socket.on('error', () => {});
  let text = '';
  let taken = 0;
  const reply = (head, body) => {
    setTimeout(() => socket.write(head), 15);
    if (body !== '') setTimeout(() => socket.write(body), 30);
  };
  socket.on('data', (bytes) => {
    taken += bytes.length;
    text += bytes.toString('latin1').slice(0, 2000);
    if (!text.includes('\\r\\n\\r\\n')) return;
    if (text.startsWith('GET /head')) reply('HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok', '');
    else if (text.startsWith('GET /body')) reply('HTTP/1.1 200 OK\\r\\nContent-Length: 4\\r\\n\\r\\nok', 'ok');
    else if (text.startsWith('GET /stall')) reply('HTTP/1.1 200 OK\\r\\nContent-Length: 4\\r\\n\\r\\nok', '');
    else if (text.startsWith('POST /up') && taken > 8e6) reply('HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok', '');
    else return;
    text = text.startsWith('POST') ? text : '';
  });
});
server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
`;

/** Holds the loop. */
function hold(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

describe('a loop held for longer than a limit', () => {
  let worker: Worker;
  let port: number;
  let connection: HTTPConnection;

  before(async () => {
    worker = new Worker(SERVER, { eval: true });
    port = await new Promise<number>((resolve) => worker.once('message', resolve));
  });

  after(async () => {
    await worker.terminate();
  });

  function open(timeout: Timeouts): HTTPConnection {
    connection = new HTTPConnection('127.0.0.1', port, { timeout });
    return connection;
  }

  afterEach(() => {
    connection.close();
  });

  it('does not fire connect for a connection that was accepted meanwhile', async () => {
    open({ connect: LIMIT_MS });
    const connecting = connection.connect();
    await new Promise(setImmediate);
    hold(3 * LIMIT_MS);
    await connecting;
    expect(connection.socket).to.not.equal(null);
  });

  it('does not fire connect for a request that dials', async () => {
    open({ connect: LIMIT_MS });
    const sent = connection.request('GET', '/head');
    hold(3 * LIMIT_MS);
    await sent;
    expect(await (await connection.getResponse()).text()).to.equal('ok');
  });

  it('does not fire response for a head that came meanwhile', async () => {
    open({ response: LIMIT_MS });
    await connection.connect();
    await connection.request('GET', '/head');
    const head = connection.getResponse();
    hold(3 * LIMIT_MS);
    expect(await (await head).text()).to.equal('ok');
  });

  it('does not fire body for bytes that came meanwhile', async () => {
    open({ body: LIMIT_MS });
    await connection.request('GET', '/body');
    const response = await connection.getResponse();
    const reading = response.readall();
    hold(3 * LIMIT_MS);
    expect((await reading).toString()).to.equal('okok');
  });

  it('does not fire send for bytes that the peer has taken meanwhile', async () => {
    open({ send: LIMIT_MS });
    await connection.connect();
    const sent = connection.request('POST', '/up', patternBytes(8_500_000));
    for (let i = 0; i < 3; i++) {
      await new Promise(setImmediate);
      hold(2 * LIMIT_MS);
    }
    await sent;
    expect(await (await connection.getResponse()).text()).to.equal('ok');
  });

  for (const timer of ['response', 'body'] as const) {
    it(`fires ${timer} all the same when nothing came`, async () => {
      open({ [timer]: LIMIT_MS });
      await connection.request('GET', timer === 'body' ? '/stall' : '/never');
      const reading = connection.getResponse().then((response) => response.readall());
      const failed = rejection<TimeoutError>(reading);
      if (timer === 'body') await new Promise((resolve) => setTimeout(resolve, 25));
      hold(3 * LIMIT_MS);
      const error = await failed;
      expect(error).to.be.instanceOf(TimeoutError);
      expect(error.timer).to.equal(timer);
    });
  }
});
