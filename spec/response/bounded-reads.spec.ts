/**
 * readall, text and json with `maxBytes`: a body that is longer fails as soon as that is known, and its connection is closed.
 */
import { expect } from 'chai';

import { LimitExceeded } from '../../lib/errors.js';
import type { HTTPResponse } from '../../lib/response/response.js';
import { octets, whole } from '../support/cuttings.js';
import { FedResponse } from '../support/fed-response.js';
import { connectionTo, OK, rawServer } from '../support/raw-server.js';
import { rejection } from '../support/rejection.js';

const BODY = Buffer.from('[1,2,3,4]\n');
const LENGTH = ['Content-Length', String(BODY.length)];
const CHUNKED = ['Transfer-Encoding', 'chunked'];

type Bounded = (response: HTTPResponse, maxBytes: number) => Promise<unknown>;

const WAYS: Record<string, Bounded> = {
  readall: (response, maxBytes) => response.readall({ maxBytes }),
  text: (response, maxBytes) => response.text({ maxBytes }),
  json: (response, maxBytes) => response.json({ maxBytes }),
};

describe('maxBytes', () => {
  for (const [name, read] of Object.entries(WAYS)) {
    for (const fields of [LENGTH, CHUNKED]) {
      it(`of ${name} lets a body of just so many bytes pass, and none longer (${fields.join(': ')})`, async () => {
        const whole10 = new FedResponse({ pieces: octets(BODY), fields });
        await read(whole10.response, 10);
        expect(whole10.aborts).to.deep.equal([]);
        const source = new FedResponse({ pieces: octets(BODY), fields });
        const error = await rejection<LimitExceeded>(read(source.response, 9));
        expect(error).to.be.instanceOf(LimitExceeded);
        expect(error).to.include({ limit: 'maxBytes', allowed: 9 });
        expect(source.aborts).to.deep.equal([error]);
        expect(source.response.destroyed).to.equal(true);
      });
    }
  }

  it('is known by a Content-Length before a byte is asked for', async () => {
    const source = new FedResponse({ pieces: [], fields: ['Content-Length', '1000000'], end: 'nothing' });
    expect(await rejection(source.response.readall({ maxBytes: 999_999 }))).to.be.instanceOf(LimitExceeded);
    expect(source.resumes).to.equal(0);
  });

  it('is known by the bytes that came, although the body goes on', async () => {
    const source = new FedResponse({ pieces: octets(BODY), fields: CHUNKED, end: 'nothing' });
    expect(await rejection(source.response.readall({ maxBytes: 3 }))).to.be.instanceOf(LimitExceeded);
    expect(source.deliveredBytes).to.be.below(BODY.length);
  });

  it('counts what this call would return, not what was read before', async () => {
    for (const fields of [LENGTH, CHUNKED]) {
      const { response } = new FedResponse({ pieces: octets(BODY), fields });
      await response.readbytes(6);
      expect(String(await response.readall({ maxBytes: 4 }))).to.equal(',4]\n');
      expect(await response.readall({ maxBytes: 0 })).to.have.lengthOf(0);
    }
  });

  it('holds for what lies ready, and for what Node has buffered', async () => {
    const { response } = new FedResponse({ pieces: whole(BODY), fields: CHUNKED, ahead: 1 });
    response.once('readable', () => undefined);
    await new Promise(setImmediate);
    expect(await rejection(response.readall({ maxBytes: 9 }))).to.be.instanceOf(LimitExceeded);
  });

  it('must be a number that is not negative, under its own name', async () => {
    for (const maxBytes of [-1, NaN, '5', {}]) {
      const source = new FedResponse({ pieces: whole(BODY) });
      const error = await rejection(source.response.readall({ maxBytes: maxBytes as number }));
      expect(error, String(maxBytes)).to.be.instanceOf(TypeError);
      expect(source.aborts).to.deep.equal([]);
      expect(await source.response.text({ maxBytes: undefined })).to.equal(String(BODY));
    }
    const { response } = new FedResponse({ pieces: whole(BODY) });
    const misspelt = { maxbytes: 5 } as { maxBytes?: number };
    expect(await rejection(response.text(misspelt))).to.match(/TypeError: .*maxBytes/);
    expect(await response.json<number[]>()).to.deep.equal([1, 2, 3, 4]);
  });

  it('closes the connection, and the next request dials anew', async () => {
    const server = await rawServer((socket, { target }) => {
      socket.write(target === '/ok' ? OK : 'HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nsome');
    });
    const connection = connectionTo(server);
    await connection.request('GET', '/');
    const response = await connection.getResponse();
    expect(await rejection(response.text({ maxBytes: 10 }))).to.be.instanceOf(LimitExceeded);
    expect(connection.socket).to.equal(null);
    await connection.request('GET', '/ok');
    expect(await (await connection.getResponse()).text({ maxBytes: 2 })).to.equal('ok');
    expect(server.connections).to.equal(2);
    connection.close();
  });
});
