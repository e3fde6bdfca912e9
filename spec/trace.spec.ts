/**
 * The lines of debug output: what is sent is shown byte for byte.
 */

import { expect } from 'chai';

import { traceBytes, traceHead } from '../lib/trace.js';

function shown(bytes: Uint8Array): string {
  let line = '';
  traceBytes((text) => (line += text), bytes);
  return line;
}

describe('a send: line', () => {
  it('shows the bytes themselves, quoted, on one line', () => {
    expect(shown(Buffer.from('a"b\\u0041\r\n\t\0\x7f\xe9\xff', 'latin1'))).to.equal(
      'send: "a\\"b\\\\u0041\\r\\n\\t\\x00\\x7f\\xe9\\xff"',
    );
    expect(shown(new Uint8Array([0x68, 0x69]))).to.equal('send: "hi"');
    expect(shown(Buffer.alloc(0))).to.equal('send: ""');
  });

  it('shows the first 1,024 of them, and how many there were', () => {
    expect(shown(Buffer.alloc(1024, 'a'))).to.equal(`send: "${'a'.repeat(1024)}"`);
    expect(shown(Buffer.alloc(70_000, 'a'))).to.equal(`send: "${'a'.repeat(1024)}"… (70000 bytes)`);
  });

  it('shows a head in the same way', () => {
    let line = '';
    traceHead((text) => (line += text), 'GET / HTTP/1.1\r\nX: \xe9\r\n\r\n');
    expect(line).to.equal('send: "GET / HTTP/1.1\\r\\nX: \\xe9\\r\\n\\r\\n"');
  });
});
