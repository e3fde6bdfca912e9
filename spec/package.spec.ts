/**
 * What the package promises before it is built: its surface and its manifest. What the packed tarball does in a program that
 * installed it is checked by spec/package/tarball.ts, which needs a build and takes longer.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import * as millrace from '../lib/index.js';

const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as Record<
  string,
  unknown
>;

describe('the package', () => {
  it('exports the names of its contract and no others', () => {
    assert.deepEqual(
      Object.keys(millrace).toSorted(),
      [
        'BadChunk',
        'BadHeader',
        'BadStatusLine',
        'CannotSendHeader',
        'CannotSendRequest',
        'ChunkedDecoder',
        'ChunkedEncoder',
        'ContentLengthMismatch',
        'HTTPConnection',
        'HTTPException',
        'HTTPMessage',
        'HTTPResponse',
        'HTTPSConnection',
        'HTTPS_PORT',
        'HTTPStatus',
        'HTTP_PORT',
        'ImproperConnectionState',
        'IncompleteRead',
        'InvalidURL',
        'LimitExceeded',
        'LineTooLong',
        'NotConnected',
        'RemoteDisconnected',
        'ResponseNotReady',
        'TimeoutError',
        'TunnelError',
        'UnimplementedFileMode',
        'UnknownProtocol',
        'UnknownTransferEncoding',
        'parseHeaders',
        'responses',
      ].toSorted(),
    );
  });

  it('installs nothing besides itself', () => {
    for (const kind of ['dependencies', 'peerDependencies', 'optionalDependencies', 'bundleDependencies']) {
      assert.equal(manifest[kind], undefined, kind);
    }
    const scripts = Object.keys(manifest['scripts'] as Record<string, string>);
    assert.deepEqual(
      scripts.filter((name) => /^(pre|post)?install$|^prepare$/.test(name)),
      [],
    );
  });
});
