/**
 * The constants as a program sees them. The registry itself is not repeated here: samples of each
 * class, the odd names, the counts.
 */

import { expect } from 'chai';

import { HTTPStatus, HTTP_PORT, HTTPS_PORT, responses } from '../lib/status.js';

describe('status constants', () => {
  it('name the default ports of both schemes', () => {
    expect([HTTP_PORT, HTTPS_PORT]).to.deep.equal([80, 443]);
  });

  const NAMES: [name: keyof typeof HTTPStatus, code: number, phrase: string][] = [
    ['CONTINUE', 100, 'Continue'],
    ['OK', 200, 'OK'],
    ['NON_AUTHORITATIVE_INFORMATION', 203, 'Non-Authoritative Information'],
    ['MULTI_STATUS', 207, 'Multi-Status'],
    ['IM_USED', 226, 'IM Used'],
    ['PERMANENT_REDIRECT', 308, 'Permanent Redirect'],
    ['NOT_FOUND', 404, 'Not Found'],
    ['CONTENT_TOO_LARGE', 413, 'Content Too Large'],
    ['URI_TOO_LONG', 414, 'URI Too Long'],
    ['IM_A_TEAPOT', 418, "I'm a Teapot"],
    ['UNAVAILABLE_FOR_LEGAL_REASONS', 451, 'Unavailable For Legal Reasons'],
    ['HTTP_VERSION_NOT_SUPPORTED', 505, 'HTTP Version Not Supported'],
    ['NETWORK_AUTHENTICATION_REQUIRED', 511, 'Network Authentication Required'],
  ];
  for (const [name, code, phrase] of NAMES) {
    it(`gives ${name} the code ${String(code)} and its phrase`, () => {
      expect(HTTPStatus[name]).to.equal(code);
      expect(responses[code]).to.equal(phrase);
    });
  }

  it('keep the four names that RFC 9110 replaced', () => {
    expect(HTTPStatus.REQUEST_ENTITY_TOO_LARGE).to.equal(413);
    expect(HTTPStatus.REQUEST_URI_TOO_LONG).to.equal(414);
    expect(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE).to.equal(416);
    expect(HTTPStatus.UNPROCESSABLE_ENTITY).to.equal(422);
  });

  it('hold 62 codes, each with a phrase and a name, and 66 names', () => {
    const codes = Object.keys(responses).map(Number);
    expect(codes).to.have.length(62);
    expect(new Set<number>(Object.values(HTTPStatus))).to.deep.equal(new Set(codes));
    expect(Object.keys(HTTPStatus)).to.have.length(66);
  });

  it('have no phrase for a code that is not registered', () => {
    expect(responses[299]).to.equal(undefined);
    expect(responses[306]).to.equal(undefined);
  });

  it('can be used as types, of one code and of any', () => {
    const teapot: 418 = HTTPStatus.IM_A_TEAPOT;
    const status: HTTPStatus = teapot;
    expect(status).to.equal(418);
  });

  it('cannot be changed', () => {
    expect(() => Object.assign(HTTPStatus, { OK: 201 })).to.throw(TypeError);
    expect(() => Object.assign(responses, { 200: 'Fine' })).to.throw(TypeError);
  });
});
