/**
 * `Expect: 100-continue`: the head goes out alone, and the body follows a 100 or a wait, or not at all.
 */
import { expect } from 'chai';
import { generatorBody, silentBody, streamBody } from '../support/body-sources.js';
import { NO_CONTENT, OK } from '../support/raw-server.js';
import { rejection } from '../support/rejection.js';
import { TCP, TLS } from '../support/transports.js';

const EXPECT = { Expect: '100-continue' };
const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** What was received behind the head. */
function behindHead(text: string): string {
  return text.slice(text.indexOf('\r\n\r\n') + 4);
}

describe('Expect: 100-continue', () => {
  for (const way of [TCP, TLS]) {
    it(`over ${way.name} sends the head alone and the body on 100`, async () => {
      const server = await way.serve(() => undefined, { atHead: true });
      const connection = await way.connect(server);
      const sent = connection.request('PUT', '/', 'the body', EXPECT, { expectTimeout: 60_000 });
      await server.until(({ requests }) => requests.length === 1);
      await sleep(30);
      expect(behindHead(server.peer().text)).to.equal('');
      server.peer().socket.write(CONTINUE);
      await sent;
      await server.until(({ peers }) => behindHead(peers[0]?.text ?? '') === 'the body');
      server.peer().socket.write(OK);
      expect(await (await connection.getResponse()).text()).to.equal('ok');
    });

    it(`over ${way.name} sends no byte of the body when a final status comes first`, async () => {
      const server = await way.serve(
        (socket, request) => {
          if (request.method === 'GET') socket.write(OK);
          else socket.write('HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno');
        },
        { atHead: true },
      );
      const connection = await way.connect(server);
      const { body, watch } = generatorBody(1_000_000);
      await connection.request('PUT', '/', body, EXPECT, { expectTimeout: 60_000 });
      const response = await connection.getResponse();
      expect(response.status).to.equal(417);
      expect(await response.text()).to.equal('no');
      expect(watch.given).to.equal(0);
      // The head promised a body: what would follow on this connection would be read as one.
      await server.peer().closed;
      expect(behindHead(server.peer().text)).to.equal('');
      await connection.request('GET', '/');
      expect(await (await connection.getResponse()).text()).to.equal('ok');
      expect(server.connections).to.equal(2);
    });
  }

  it('does not send the body behind a success that comes first either', async () => {
    const server = await TCP.serve(
      (socket) => {
        socket.write(OK);
      },
      { atHead: true },
    );
    const connection = await TCP.connect(server);
    await connection.request('PUT', '/', 'a body nobody wants', EXPECT, { expectTimeout: 60_000 });
    expect(await (await connection.getResponse()).text()).to.equal('ok');
    await server.peer().closed;
    expect(behindHead(server.peer().text)).to.equal('');
  });

  it('sends the body after expectTimeout when the server says nothing', async () => {
    const server = await TCP.serve(() => undefined, { atHead: true });
    const connection = await TCP.connect(server);
    const startedAt = performance.now();
    const sent = connection.request('PUT', '/', 'late', EXPECT, { expectTimeout: 80 });
    await server.until(({ peers }) => behindHead(peers[0]?.text ?? '') === 'late');
    expect(performance.now() - startedAt).to.be.at.least(78);
    await sent;
    server.peer().socket.write(CONTINUE + OK);
    expect(await (await connection.getResponse()).text()).to.equal('ok');
  });

  it('sends the body at once with expectTimeout 0, and waits for ever with Infinity', async () => {
    const server = await TCP.serve(() => undefined, { atHead: true });
    const [hasty, patient] = [await TCP.connect(server), await TCP.connect(server)];
    await hasty.request('PUT', '/', 'at once', EXPECT, { expectTimeout: 0 });
    await server.until(({ peers }) => behindHead(peers[0]?.text ?? '') === 'at once');
    const sent = patient.request('PUT', '/', 'never', EXPECT, { expectTimeout: Infinity });
    await server.until(({ requests }) => requests.length === 2);
    await sleep(60);
    expect(behindHead(server.peer(1).text)).to.equal('');
    patient.close();
    expect(await rejection(sent)).to.have.property('code', 'ERR_NOT_CONNECTED');
  });

  it('takes a second 100, a 102 and a 103 as they come', async () => {
    const server = await TCP.serve(
      (socket) => {
        socket.write('HTTP/1.1 102 Processing\r\n\r\n');
      },
      { atHead: true },
    );
    const connection = await TCP.connect(server);
    const seen: number[] = [];
    const sent = connection.request('PUT', '/', 'b', EXPECT, {
      expectTimeout: 60_000,
      onInformational: ({ status }) => seen.push(status),
    });
    await server.until(({ requests }) => requests.length === 1);
    await sleep(30);
    expect(behindHead(server.peer().text)).to.equal('');
    server
      .peer()
      .socket.write(`${CONTINUE}${CONTINUE}HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${NO_CONTENT}`);
    await sent;
    expect((await connection.getResponse()).status).to.equal(204);
    expect(seen).to.deep.equal([102, 100, 100, 103]);
    await server.until(({ peers }) => behindHead(peers[0]?.text ?? '') === 'b');
  });

  it('waits no more once it was aborted, and cancels the source', async () => {
    const server = await TCP.serve(() => undefined, { atHead: true });
    const connection = await TCP.connect(server);
    const { body, watch } = streamBody(1000);
    const controller = new AbortController();
    const sent = connection.request('PUT', '/', body, EXPECT, {
      signal: controller.signal,
      expectTimeout: 50,
    });
    await server.until(({ requests }) => requests.length === 1);
    const reason = new Error('changed my mind');
    controller.abort(reason);
    expect(await rejection(sent)).to.equal(reason);
    expect(watch.cancelled).to.equal(true);
    await server.peer().closed;
    await sleep(80);
    expect(behindHead(server.peer().text)).to.equal('');
  });

  it('fails when the server closes instead of answering', async () => {
    const server = await TCP.serve(
      (socket) => {
        socket.end();
      },
      { atHead: true },
    );
    const connection = await TCP.connect(server);
    const { body, watch } = silentBody();
    const error = await rejection(connection.request('PUT', '/', body, EXPECT, { expectTimeout: 60_000 }));
    expect(error).to.include({ code: 'ECONNRESET', phase: 'send' });
    expect(watch.cancelled).to.equal(true);
  });

  it('is not waited for without a body', async () => {
    const server = await TCP.serve((socket) => {
      socket.write(OK);
    });
    const connection = await TCP.connect(server);
    await connection.request('PUT', '/', null, EXPECT, { expectTimeout: 60_000 });
    expect(await (await connection.getResponse()).text()).to.equal('ok');
    await connection.request('PUT', '/', '', EXPECT, { expectTimeout: 60_000 });
    expect(await (await connection.getResponse()).text()).to.equal('ok');
    expect(server.connections).to.equal(1);
  });
});
