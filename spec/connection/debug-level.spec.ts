/**
 * What a debug level above 0 prints to standard output, and that nothing is printed without one.
 */

import { expect } from 'chai';
import sinon from 'sinon';

import type { HTTPConnection } from '../../lib/index.js';
import { answer, connectionTo, rawServer } from '../support/raw-server.js';

const REPLY = 'HTTP/1.1 200 Fine\r\nContent-Length: 2\r\nX-A: 1\r\nx-a: 2\r\n\r\nok';

/** The lines that are printed while the action runs. */
async function printedBy(action: () => Promise<unknown>): Promise<string[]> {
  const write = sinon.stub(process.stdout, 'write').returns(true);
  try {
    await action();
    return write.getCalls().flatMap(({ args: [text] }) => String(text).split('\n').slice(0, -1));
  } finally {
    write.restore();
  }
}

async function exchange(conn: HTTPConnection, body?: string | Iterable<string>): Promise<number> {
  await conn.request('PUT', '/x', body, { 'X-Q': 'a"b' });
  const response = await conn.getResponse();
  await response.readall();
  return response.debugLevel;
}

describe('the debug level', () => {
  it('is 0 by itself, and nothing is printed', async () => {
    const conn = connectionTo(await rawServer(answer(REPLY)));
    let level: number | undefined;
    const printed = await printedBy(async () => {
      level = await exchange(conn, 'body');
    });
    expect([conn.debugLevel, level, printed]).to.deep.equal([0, 0, []]);
  });

  it('has the head that is sent printed, the reply, and each of its fields', async () => {
    const server = await rawServer(answer(REPLY));
    const conn = connectionTo(server);
    conn.setDebugLevel(1);
    const printed = await printedBy(() => exchange(conn));
    expect(printed).to.deep.equal([
      `send: "PUT /x HTTP/1.1\\r\\nHost: 127.0.0.1:${String(server.port)}\\r\\nAccept-Encoding: identity\\r\\n` +
        'Content-Length: 0\\r\\nX-Q: a\\"b\\r\\n\\r\\n"',
      'reply: "HTTP/1.1 200 Fine\\r\\n"',
      'header: Content-Length: 2',
      'header: X-A: 1',
      'header: x-a: 2',
    ]);
  });

  it('has what is sent of a body printed, and interim responses', async () => {
    const conn = connectionTo(
      await rawServer(answer(`HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${REPLY}`)),
    );
    conn.debugLevel = 1;
    const printed = await printedBy(() => exchange(conn, ['piece']));
    expect(printed.filter((line) => line.startsWith('send: '))).to.have.length.above(1);
    expect(printed.filter((line) => line.startsWith('reply: '))).to.deep.equal([
      'reply: "HTTP/1.1 103 Early Hints\\r\\n"',
      'reply: "HTTP/1.1 200 Fine\\r\\n"',
    ]);
    expect(printed).to.include('header: Link: </a>');
  });

  it('prints one line for each line, whatever the peer sends', async () => {
    const conn = connectionTo(
      await rawServer(answer('HTTP/1.1 200 a\x85b\r\nX: \xe9\x9b\r\nContent-Length: 0\r\n\r\n')),
    );
    conn.setDebugLevel(1);
    const printed = await printedBy(() => exchange(conn));
    expect(printed.length).to.equal(4);
  });

  it('is copied to responses, and may be taken back', async () => {
    const conn = connectionTo(await rawServer(answer(REPLY)));
    conn.setDebugLevel(2);
    let level: number | undefined;
    await printedBy(async () => {
      level = await exchange(conn);
    });
    expect(level).to.equal(2);
    conn.setDebugLevel(0);
    expect(await printedBy(() => exchange(conn))).to.deep.equal([]);
  });
});
