/**
 * The page for Python programmers, held against the library: each name of http.client has a row, each row's counterpart exists on the
 * real objects, and each row has a spec here that shows what it does.
 */
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import * as millrace from '../../lib/index.js';
import { CONNECTION, SECURE_CONNECTION } from './from-python/connection-names.js';
import { responseOf } from './from-python/exchange.js';
import type { Showings } from './from-python/exchange.js';
import { EXCEPTIONS, MESSAGE, MODULE } from './from-python/module-names.js';
import { RESPONSE } from './from-python/response-names.js';
import { codeSpans, tableRows } from '../support/markdown.js';
import { NO_CONTENT } from '../support/raw-server.js';

const page = readFileSync(new URL('../../../docs/from-python.md', import.meta.url), 'utf8');

const SECTIONS: Readonly<Record<string, Showings>> = {
  Module: MODULE,
  HTTPConnection: CONNECTION,
  HTTPSConnection: SECURE_CONNECTION,
  HTTPResponse: RESPONSE,
  HTTPMessage: MESSAGE,
  Exceptions: EXCEPTIONS,
};

/** Every name in Python's documentation of http.client. Where a name is common, its section says whose it is. */
const DOCUMENTED: Readonly<Record<string, string>> = {
  Module: 'parse_headers HTTP_PORT HTTPS_PORT responses NOT_FOUND',
  HTTPConnection:
    'HTTPConnection host port timeout source_address blocksize request method url body headers encode_chunked getresponse ' +
    'set_debuglevel set_tunnel get_proxy_response_headers connect close putrequest skip_host skip_accept_encoding putheader ' +
    'header argument endheaders message_body send data level',
  HTTPSConnection: 'HTTPSConnection key_file cert_file context check_hostname',
  HTTPResponse:
    'HTTPResponse sock debuglevel method url read amt readinto getheader name default getheaders fileno msg version headers ' +
    'status reason closed with',
  HTTPMessage: 'HTTPMessage',
  Exceptions:
    'HTTPException NotConnected InvalidURL UnknownProtocol UnknownTransferEncoding UnimplementedFileMode IncompleteRead ' +
    'ImproperConnectionState CannotSendRequest CannotSendHeader ResponseNotReady BadStatusLine LineTooLong RemoteDisconnected',
};

/** The rows of a table of names, by the text of their first cell without its backticks. */
function rowsOf(section: string): Map<string, string> {
  const rows = tableRows(page, section).map((cells): [string, string] => [
    (cells[0] ?? '').replaceAll('`', ''),
    cells[1] ?? '',
  ]);
  expect(new Set(rows.map(([name]) => name)), `names in ${section}`).to.have.property('size', rows.length);
  return new Map(rows);
}

const exported = millrace as unknown as Record<string, object>;

function declarations(file: string): string {
  return readFileSync(new URL(`../../lib/${file}.d.ts`, import.meta.url), 'utf8');
}

/** Throws unless what a code span of the middle column names is there. */
async function expectToExist(span: string): Promise<void> {
  const named = /^(?:new )?(\w+)(?:\.(\w+)|\[(Symbol\.\w+)\])?(\()?/.exec(span);
  const [, owner = '', member, symbol, call] = named ?? [];
  if (owner === 'options' || owner === 'requestOptions') {
    const source =
      owner === 'options'
        ? declarations('opening/connection-options') + declarations('opening/tls-options')
        : declarations('request/request-options');
    expect(source, span).to.match(new RegExp(`^ +${String(member)}\\?: `, 'm'));
    return;
  }
  const objects: Record<string, () => object | Promise<object>> = {
    conn: () => new millrace.HTTPConnection('h'),
    response: () => responseOf(NO_CONTENT),
    message: () => new millrace.HTTPMessage(),
  };
  const make = objects[owner];
  const object = make === undefined ? exported[owner] : await make();
  expect(object, span).not.to.equal(undefined);
  if (member === undefined && symbol === undefined) {
    if (call !== undefined) expect(object, span).to.be.a('function');
    return;
  }
  const key = symbol === undefined ? (member ?? '') : Symbol.asyncDispose;
  expect(key in Object(object), `${span} exists`).to.equal(true);
  if (call !== undefined) expect(Reflect.get(Object(object), key), span).to.be.a('function');
}

describe('the names of http.client', () => {
  for (const [section, showings] of Object.entries(SECTIONS)) {
    describe(section, () => {
      it('has a row for each documented name', () => {
        const words = [...rowsOf(section).keys()].flatMap((name) => name.match(/\w+/g) ?? []);
        for (const name of (DOCUMENTED[section] ?? '').split(' ')) expect(words, name).to.include(name);
      });

      it('has a spec for each row, and a row for each spec', () => {
        expect(Object.keys(showings).toSorted()).to.deep.equal([...rowsOf(section).keys()].toSorted());
      });

      it('names counterparts that exist', async () => {
        for (const [name, counterpart] of rowsOf(section)) {
          const spans = codeSpans(counterpart);
          expect(spans, name).not.to.have.length(0);
          for (const span of spans) await expectToExist(span);
        }
      });

      for (const [name, show] of Object.entries(showings)) it(`${name} has a counterpart that works`, show);
    });
  }

  it('has rows of behaviour with an answer each', () => {
    const rows = tableRows(page, 'Behaviour');
    expect(rows).to.have.length.above(100);
    for (const cells of rows) {
      expect(cells, cells.join(' | ')).to.have.length(3);
      expect(cells[0], cells.join(' | ')).not.to.equal('');
      expect(cells[1], cells.join(' | ')).not.to.equal('');
    }
  });
});
