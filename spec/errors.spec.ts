/**
 * The exceptions: their ancestry, names, codes and members, and how data about an exchange is added.
 */

import { expect } from 'chai';

import * as millrace from '../lib/index.js';
import type { ExchangeData } from '../lib/index.js';
import { attachTo, describeFailure, describeSocketError } from '../lib/errors.js';

const {
  BadChunk,
  BadEncoding,
  BadHeader,
  BadStatusLine,
  CannotSendHeader,
  CannotSendRequest,
  ContentLengthMismatch,
  HTTPException,
  HTTPMessage,
  ImproperConnectionState,
  IncompleteRead,
  InvalidURL,
  LimitExceeded,
  LineTooLong,
  NotConnected,
  RedirectError,
  RemoteDisconnected,
  ResourceChanged,
  ResponseNotReady,
  TimeoutError,
  TunnelError,
  UnimplementedFileMode,
  UnknownProtocol,
  UnknownTransferEncoding,
} = millrace;

interface Kind {
  error: Error;
  name: string;
  code: string;
  /** The classes it is an instance of, besides its own, from the nearest. */
  parents: (abstract new (...args: never[]) => Error)[];
  /** Members of its own. */
  members?: Record<string, unknown>;
  /** What its message says. */
  says?: RegExp;
}

const KINDS: Kind[] = [
  { error: new HTTPException('m'), name: 'HTTPException', code: 'ERR_HTTP_EXCEPTION', parents: [Error] },
  { error: new NotConnected('m'), name: 'NotConnected', code: 'ERR_NOT_CONNECTED', parents: [HTTPException] },
  { error: new InvalidURL('m'), name: 'InvalidURL', code: 'ERR_INVALID_URL', parents: [HTTPException] },
  {
    error: new UnknownProtocol('HTTP/2.0'),
    name: 'UnknownProtocol',
    code: 'ERR_UNKNOWN_PROTOCOL',
    parents: [HTTPException],
    members: { version: 'HTTP/2.0' },
    says: /"HTTP\/2\.0"/,
  },
  {
    error: new UnknownTransferEncoding('m'),
    name: 'UnknownTransferEncoding',
    code: 'ERR_UNKNOWN_TRANSFER_ENCODING',
    parents: [HTTPException],
  },
  {
    error: new UnimplementedFileMode('m'),
    name: 'UnimplementedFileMode',
    code: 'ERR_UNIMPLEMENTED_FILE_MODE',
    parents: [HTTPException],
  },
  {
    error: new IncompleteRead(Buffer.from('1234567'), 3),
    name: 'IncompleteRead',
    code: 'ERR_INCOMPLETE_READ',
    parents: [HTTPException],
    members: { partial: Buffer.from('1234567'), expected: 3 },
    says: /7 bytes read, 3 more expected/,
  },
  {
    error: new IncompleteRead(Buffer.alloc(0), null),
    name: 'IncompleteRead',
    code: 'ERR_INCOMPLETE_READ',
    parents: [HTTPException],
    members: { partial: Buffer.alloc(0), expected: null },
    says: /\(0 bytes read\)/,
  },
  {
    error: new IncompleteRead(Buffer.from('1234567'), 3, 'the body ended early', 65_543),
    name: 'IncompleteRead',
    code: 'ERR_INCOMPLETE_READ',
    parents: [HTTPException],
    members: { partial: Buffer.from('1234567'), expected: 3 },
    says: /\(65543 bytes had come, 7 of them to this call, 3 more expected\)/,
  },
  {
    error: new IncompleteRead(Buffer.alloc(0), null).forCall(Buffer.alloc(0), 9),
    name: 'IncompleteRead',
    code: 'ERR_INCOMPLETE_READ',
    parents: [HTTPException],
    says: /\(9 bytes had come\)/,
  },
  {
    error: new ImproperConnectionState('m'),
    name: 'ImproperConnectionState',
    code: 'ERR_IMPROPER_CONNECTION_STATE',
    parents: [HTTPException],
  },
  {
    error: new CannotSendRequest('m'),
    name: 'CannotSendRequest',
    code: 'ERR_CANNOT_SEND_REQUEST',
    parents: [ImproperConnectionState, HTTPException],
  },
  {
    error: new CannotSendHeader('m'),
    name: 'CannotSendHeader',
    code: 'ERR_CANNOT_SEND_HEADER',
    parents: [ImproperConnectionState, HTTPException],
  },
  {
    error: new ResponseNotReady('m'),
    name: 'ResponseNotReady',
    code: 'ERR_RESPONSE_NOT_READY',
    parents: [ImproperConnectionState, HTTPException],
  },
  {
    error: new BadStatusLine('SSH-2.0\0'),
    name: 'BadStatusLine',
    code: 'ERR_BAD_STATUS_LINE',
    parents: [HTTPException],
    members: { line: 'SSH-2.0\0' },
    says: /"SSH-2\.0\\u0000"/,
  },
  {
    error: new RemoteDisconnected(),
    name: 'RemoteDisconnected',
    code: 'ECONNRESET',
    parents: [BadStatusLine, HTTPException],
    members: { line: '' },
  },
  {
    error: new LineTooLong('chunk size', 65_536),
    name: 'LineTooLong',
    code: 'ERR_LINE_TOO_LONG',
    parents: [HTTPException],
    members: { lineType: 'chunk size' },
    says: /65536.*chunk size/,
  },
  {
    error: new BadHeader('a b: c', 'not a field'),
    name: 'BadHeader',
    code: 'ERR_BAD_HEADER',
    parents: [HTTPException],
    members: { line: 'a b: c' },
    says: /not a field: "a b: c"/,
  },
  { error: new BadChunk('m'), name: 'BadChunk', code: 'ERR_BAD_CHUNK', parents: [HTTPException] },
  {
    error: new LimitExceeded('fields', 100),
    name: 'LimitExceeded',
    code: 'ERR_LIMIT_EXCEEDED',
    parents: [HTTPException],
    members: { limit: 'fields', allowed: 100 },
    says: /limits\.fields.*100/,
  },
  {
    error: new LimitExceeded('maxBytes', 5),
    name: 'LimitExceeded',
    code: 'ERR_LIMIT_EXCEEDED',
    parents: [HTTPException],
    members: { limit: 'maxBytes', allowed: 5 },
    says: /^the body is longer than maxBytes allows \(5\)$/,
  },
  {
    error: new LimitExceeded('maxWaiting', 8),
    name: 'LimitExceeded',
    code: 'ERR_LIMIT_EXCEEDED',
    parents: [HTTPException],
    members: { limit: 'maxWaiting', allowed: 8 },
    says: /^as many requests as maxWaiting allows .* \(8\)$/,
  },
  {
    error: new RedirectError('that is a loop', 302, 'http://user:secret@a/b', ['http://a/']),
    name: 'RedirectError',
    code: 'ERR_REDIRECT_ERROR',
    parents: [HTTPException],
    members: { status: 302, location: 'http://a/b', urls: ['http://a/'] },
    says: /not followed, that is a loop: 302 to "http:\/\/a\/b"/,
  },
  {
    error: new ResourceChanged(7, '"a"', null),
    name: 'ResourceChanged',
    code: 'ERR_RESOURCE_CHANGED',
    parents: [HTTPException],
    members: { position: 7, was: '"a"', now: null },
    says: /changed at byte 7: it was "\\"a\\"", it is unnamed now/,
  },
  { error: new BadEncoding('m'), name: 'BadEncoding', code: 'ERR_BAD_ENCODING', parents: [HTTPException] },
  {
    error: new ContentLengthMismatch(5, 3, false),
    name: 'ContentLengthMismatch',
    code: 'ERR_CONTENT_LENGTH_MISMATCH',
    parents: [HTTPException],
    members: { declared: 5, sent: 3 },
    says: /declares 5 bytes.*ended after 3/,
  },
  {
    error: new TunnelError(407, 'Proxy Authentication Required', new HTTPMessage()),
    name: 'TunnelError',
    code: 'ERR_TUNNEL_ERROR',
    parents: [HTTPException],
    members: { status: 407, reason: 'Proxy Authentication Required' },
    says: /407 Proxy Authentication Required/,
  },
  {
    error: new TimeoutError('connect', 'tunnel', 50),
    name: 'TimeoutError',
    code: 'ERR_TIMEOUT_ERROR',
    parents: [HTTPException],
    members: { timer: 'connect', phase: 'tunnel' },
    says: /connect timeout of 50 ms.*tunnel/,
  },
];

describe('an exception', () => {
  it('of every class that is exported is in this table', () => {
    const exported = Object.entries(millrace)
      .filter(([, value]) => typeof value === 'function' && value.prototype instanceof Error)
      .map(([name]) => name);
    expect(exported).to.have.members([...new Set(KINDS.map(({ name }) => name))]);
  });

  for (const { error, name, code, parents, members = {}, says = /./ } of KINDS) {
    it(`${name} has its name, code and ancestry (${error.message})`, () => {
      expect(error).to.include({ name, code });
      expect(error.constructor.name).to.equal(name);
      const ancestry: unknown[] = [];
      let above: unknown = Object.getPrototypeOf(error.constructor);
      for (; above !== Function.prototype; above = Object.getPrototypeOf(above)) ancestry.push(above);
      expect(ancestry).to.deep.equal([...new Set([...parents, Error])]);
      expect(error).to.deep.include(members);
      expect(error.message).to.match(says);
      expect(String(error)).to.equal(`${name}: ${error.message}`);
      expect(error.stack).to.contain(name);
    });
  }

  it('has the code of its own name in snake case, so that one follows from the other', () => {
    for (const { name, code } of KINDS) {
      if (name === 'RemoteDisconnected') continue;
      const words = name.match(/[A-Z]+(?![a-z])|[A-Z][a-z]+/g) ?? [];
      expect(code).to.equal(`ERR_${words.join('_').toUpperCase()}`);
    }
  });

  it('shows text of the peer escaped and cut, on one line', () => {
    for (const error of [
      new BadStatusLine(`\r\n${'x'.repeat(500)}`),
      new BadHeader(`\n${'y'.repeat(500)}`, 'bad'),
    ]) {
      expect(error.message.length).to.be.below(200);
      expect(error.message).to.match(/^[\x20-\x7e…]+$/);
      expect(error.line.length).to.be.above(500);
    }
  });
});

describe('describeFailure', () => {
  const DATA: ExchangeData = {
    method: 'GET',
    url: '/',
    phase: 'body',
    bytesSent: 1,
    bytesReceived: 2,
    reused: false,
  };

  it('keeps what the error has already', () => {
    const error = new TimeoutError('connect', 'tunnel', 5);
    describeFailure(error, DATA);
    describeFailure(error, { ...DATA, method: 'PUT', bytesSent: 9 });
    expect(error).to.include({ phase: 'tunnel', method: 'GET', bytesSent: 1 });
    expect(error.message.match(/bytes sent/g)).to.have.length(1);
  });

  it('completes the message also where it is shown, in the stack', () => {
    const error = new millrace.BadChunk('not a size');
    describeFailure(error, DATA);
    expect(error.stack).to.match(/^BadChunk: GET \/: not a size \(1 bytes sent, 2 received\)\n +at /);
    expect(error.stack?.match(/not a size/g)).to.have.length(1);
  });

  it("writes to no error of a caller's, whatever it is: neither a source's nor a signal's reason", () => {
    const plain = new Error('mine');
    const reasons: unknown[] = [
      plain,
      new DOMException('m', 'AbortError'),
      'text',
      null,
      undefined,
      5,
      { plain: true },
    ];
    for (const reason of reasons) describeFailure(reason, DATA);
    expect(Object.keys(plain)).to.deep.equal([]);
  });

  it("adds to a socket's error, and keeps its text", () => {
    const error = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    describeSocketError(error, DATA);
    expect(error).to.include({ ...DATA, message: 'connect ECONNREFUSED', code: 'ECONNREFUSED' });
  });

  const hostile: Record<string, () => unknown> = {
    'a frozen error': () => Object.freeze(new NotConnected('m')),
    'a frozen socket error': () => Object.freeze(new Error('m')),
    'a read-only member': () =>
      Object.defineProperty(new NotConnected('m'), 'url', { value: 1, writable: false }),
    'a read-only message': () =>
      Object.defineProperty(new NotConnected('m'), 'message', { value: 'm', writable: false }),
    'members that throw': () =>
      Object.defineProperties(new NotConnected('m'), {
        stack: { get: fails, set: fails },
        method: { get: fails, set: fails },
        message: { get: fails, set: fails },
      }),
    'a proxy that throws': () =>
      new Proxy(new Error('m'), {
        get: fails,
        set: fails,
        getPrototypeOf: fails,
        defineProperty: fails,
        has: fails,
      }),
  };
  for (const [name, make] of Object.entries(hostile)) {
    it(`never throws: ${name}`, () => {
      for (const describeIt of [describeFailure, describeSocketError]) describeIt(make(), DATA);
      attachTo(make(), 'attempts', []);
    });
  }

  it('adds what can be added beside a member that cannot', () => {
    const error = Object.defineProperty(new NotConnected('m'), 'url', { value: 'x', writable: false });
    describeFailure(error, DATA);
    expect(error).to.include({ method: 'GET', url: 'x', phase: 'body' });
  });

  it('attaches what a log need not show', () => {
    const error = new NotConnected('m');
    attachTo(error, 'attempts', [error]);
    expect(error).to.have.property('attempts').that.deep.equals([error]);
    expect(Object.keys(error)).not.to.include('attempts');
    for (const reason of ['text', null, undefined]) attachTo(reason, 'attempts', []);
  });
});

function fails(): never {
  throw new Error('a member that throws');
}
