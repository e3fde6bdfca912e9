/**
 * Interim responses (1xx): reported, skipped, bounded, and harmless when nobody asked for them.
 */
import { expect } from 'chai';
import type { InformationalResponse } from '../../lib/index.js';
import { NO_CONTENT, OK, answer } from '../support/raw-server.js';
import { rejection } from '../support/rejection.js';
import { TCP, TLS } from '../support/transports.js';

function interim(count: number, status = 102): string {
  return `HTTP/1.1 ${String(status)} Wait\r\n\r\n`.repeat(count);
}

describe('informational responses', () => {
  for (const way of [TCP, TLS]) {
    it(`over ${way.name} are reported with reason and fields, in order, and skipped`, async () => {
      const server = await way.serve(
        answer(`HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\nlink: </font>\r\n\r\n${interim(1)}${OK}`),
      );
      const seen: InformationalResponse[] = [];
      const connection = await way.connect(server, { onInformational: (response) => seen.push(response) });
      await connection.request('GET', '/');
      const response = await connection.getResponse();
      expect(response.status).to.equal(200);
      expect(await response.text()).to.equal('ok');
      expect(seen.map(({ status, reason }) => [status, reason])).to.deep.equal([
        [103, 'Early Hints'],
        [102, 'Wait'],
      ]);
      expect(seen[0]?.headers.getAll('LINK')).to.deep.equal(['</style.css>', '</font>']);
      expect(response.headers.has('Link')).to.equal(false);
    });
  }

  it('go to the request that has a listener of its own, not to the connection', async () => {
    const server = await TCP.serve(answer(interim(1) + NO_CONTENT));
    const calls: string[] = [];
    const connection = await TCP.connect(server, { onInformational: () => calls.push('connection') });
    await connection.request('GET', '/', null, {}, { onInformational: () => calls.push('request') });
    await connection.getResponse();
    await connection.request('GET', '/');
    await connection.getResponse();
    expect(calls).to.deep.equal(['request', 'connection']);
  });

  it('do no harm when nobody asked: 100, 102, 103 and unknown ones before the answer, without any listener', async () => {
    const server = await TCP.serve(
      answer(interim(1, 100) + interim(2) + interim(1, 103) + interim(1, 199) + OK),
    );
    const connection = await TCP.connect(server);
    for (let i = 0; i < 3; i++) {
      await connection.request('GET', '/');
      expect(await (await connection.getResponse()).text()).to.equal('ok');
    }
    expect(server.connections).to.equal(1);
  });

  it('are accepted 100 times, and refused the 101st', async () => {
    const server = await TCP.serve((socket, { target }) =>
      socket.write(interim(Number(target.slice(1))) + OK),
    );
    const connection = await TCP.connect(server);
    await connection.request('GET', '/100');
    expect((await connection.getResponse()).status).to.equal(200);
    connection.close();
    await connection.request('GET', '/101');
    const error = await rejection(connection.getResponse());
    expect(error).to.include({
      code: 'ERR_LIMIT_EXCEEDED',
      limit: 'interimResponses',
      allowed: 100,
      url: '/101',
    });
    expect(connection.state).to.equal('Idle');
    expect(connection.socket).to.equal(null);
  });

  it('that arrive behind a complete response close the connection: they belong to no request', async () => {
    const server = await TCP.serve(answer(OK + interim(1)));
    const connection = await TCP.connect(server);
    for (let i = 1; i <= 2; i++) {
      await connection.request('GET', '/');
      expect(await (await connection.getResponse()).text()).to.equal('ok');
      expect(server.connections).to.equal(i);
    }
  });

  it('fail the exchange and nothing else when the listener throws', async () => {
    const server = await TCP.serve(answer(interim(1) + OK));
    const connection = await TCP.connect(server);
    const reason = new Error('the listener threw');
    await connection.request(
      'GET',
      '/',
      null,
      {},
      {
        onInformational: () => {
          throw reason;
        },
      },
    );
    expect(await rejection(connection.getResponse())).to.equal(reason);
    expect(connection.state).to.equal('Idle');
    await connection.request('GET', '/');
    expect(await (await connection.getResponse()).text()).to.equal('ok');
    expect(server.connections).to.equal(2);
  });

  it('may close the connection from within the listener', async () => {
    const server = await TCP.serve(answer(interim(1, 100) + interim(1) + OK), { atHead: true });
    const connection = await TCP.connect(server);
    let calls = 0;
    const sent = connection.request(
      'POST',
      '/',
      'x',
      { Expect: '100-continue' },
      {
        onInformational: () => {
          calls++;
          connection.close();
        },
      },
    );
    const failures = await Promise.all([rejection(sent), rejection(connection.getResponse())]);
    for (const failure of failures) expect(failure).to.have.property('code', 'ERR_NOT_CONNECTED');
    expect(calls).to.equal(1);
    expect(connection.socket).to.equal(null);
  });
});
