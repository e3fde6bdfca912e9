/**
 * What the property tests and the fuzzer have found, each as the smallest case that showed it.
 */
import { expect } from 'chai';
import { HTTPConnection, InvalidURL } from '../../lib/index.js';
import { DEFAULT_LIMITS } from '../../lib/limits.js';
import { HeadReader } from '../../lib/protocol/head-reader.js';
import { NO_CONTENT, answer, rawServer } from '../support/raw-server.js';
import { rejection } from '../support/rejection.js';

describe('findings', () => {
  for (const coding of ['', 'gzip', 'chunked, gzip', 'chunked, chunked', 'xchunked', 'chunked,']) {
    it(`refuses a request with Transfer-Encoding: ${coding}, which would have no end`, async () => {
      const server = await rawServer(answer(NO_CONTENT));
      const connection = new HTTPConnection('127.0.0.1', server.port);
      const fields = { 'Transfer-Encoding': coding };
      const error = await rejection(connection.request('POST', '/', 'body', fields, { encodeChunked: true }));
      expect(error).to.be.instanceOf(TypeError);
      expect(server.connections).to.equal(0);
    });
  }

  for (const coding of ['chunked', 'Chunked', 'gzip, chunked']) {
    it(`sends a request with Transfer-Encoding: ${coding}`, async () => {
      const server = await rawServer(answer(NO_CONTENT));
      const connection = new HTTPConnection('127.0.0.1', server.port);
      const fields = { 'Transfer-Encoding': coding };
      await connection.request('POST', '/', 'body', fields, { encodeChunked: true });
      await connection.getResponse();
      connection.close();
      expect(server.request.fields).to.deep.include(['Transfer-Encoding', coding]);
      expect(server.request.body.toString()).to.equal('body');
    });
  }

  it('refuses a second Transfer-Encoding, which would be read in two ways', async () => {
    const connection = new HTTPConnection('127.0.0.1', 1);
    const fields: [string, string][] = [
      ['Transfer-Encoding', 'gzip'],
      ['transfer-encoding', 'chunked'],
    ];
    const error = await rejection(connection.request('POST', '/', 'body', fields, { encodeChunked: true }));
    expect(error).to.be.instanceOf(TypeError);
  });

  for (const host of [
    '{',
    'a"b',
    '<a>',
    'a|b',
    'a^b',
    'a`b',
    'a%',
    'a%2',
    'a%zz.example',
    'b\u00fccher\uff02.example',
  ]) {
    it(`refuses the host ${JSON.stringify(host)}, which could not stand in Host`, async () => {
      expect(() => new HTTPConnection(host)).to.throw(InvalidURL);
      const connection = new HTTPConnection('127.0.0.1', 1);
      expect(() => connection.setTunnel(host)).to.throw(InvalidURL);
      const target = Buffer.from(`http://${host}/`).toString('latin1');
      expect(await rejection(connection.request('GET', target))).to.be.instanceOf(InvalidURL);
    });
  }

  it('joins a value that is folded over many lines as it is, empty lines included', () => {
    const reader = new HeadReader('fields', { ...DEFAULT_LIMITS, fields: 10_000 });
    reader.write(Buffer.from(`A: \r\n b\r\n \r\n\tc\r\nD: ${'e\r\n '.repeat(5000)}f\r\n\r\n`), 0);
    expect(reader.fields()).to.deep.equal(['A', 'b c', 'D', `${'e '.repeat(5000)}f`]);
  });
});
