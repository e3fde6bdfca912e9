/**
 * A FormData as it goes out: its length is known, the platform's own parser reads it, and it can be read again.
 */
import { expect } from 'chai';

import { encodeForm } from '../../lib/request/form-data.js';
import type { EncodedForm } from '../../lib/request/form-data.js';
import { patternBytes } from '../support/body-sources.js';
import { answer, connectionTo, NO_CONTENT, rawServer } from '../support/raw-server.js';
import { fieldOf } from '../support/received-request.js';
import { rejection } from '../support/rejection.js';

async function read({ pieces }: EncodedForm): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for (;;) {
    const { done, value } = (await pieces.next()) as IteratorResult<Uint8Array>;
    if (done === true) return Buffer.concat(all);
    all.push(value);
  }
}

function form(): FormData {
  const data = new FormData();
  data.append('te"xt\n', 'gr\xfc\xdfe €\n\r\nx\r');
  data.append('none', '');
  data.append('file', new Blob([patternBytes(200_000)], { type: 'image/png' }), 'a "b"\r\n.png');
  data.append('plain', new Blob([]));
  return data;
}

describe('a FormData as a body', () => {
  it('is as long as it says, and is what the platform would have sent', async () => {
    const encoded = encodeForm(form());
    const bytes = await read(encoded);
    expect(bytes.length).to.equal(encoded.length);
    const theirs = new Response(form());
    const boundaryOf = (type: string): string => type.slice(type.indexOf('boundary=') + 9);
    const expected = Buffer.from(await theirs.arrayBuffer()).toString('latin1');
    const theirBoundary = boundaryOf(theirs.headers.get('content-type') ?? '');
    expect(
      bytes.toString('latin1').replaceAll(boundaryOf(encoded.contentType), theirBoundary).trim(),
    ).to.equal(expected.trim());
  });

  it('can be read again, from its start, also when it was not read to its end', async () => {
    const encoded = encodeForm(form());
    const first = await read(encoded);
    await encoded.pieces.next();
    await encoded.pieces.return?.(undefined);
    expect((await read(encoded)).equals(first)).to.equal(true);
  });

  it('is what it was when the request was made', async () => {
    const data = form();
    const encoded = encodeForm(data);
    data.append('late', 'x');
    expect((await read(encoded)).includes('late')).to.equal(false);
  });

  it('is sent with its length', async () => {
    const server = await rawServer(answer(NO_CONTENT));
    const connection = connectionTo(server);
    await connection.request('POST', '/', form());
    await connection.getResponse();
    expect(fieldOf(server.request, 'Content-Length')).to.equal(String(server.request.body.length));
    expect(fieldOf(server.request, 'Transfer-Encoding')).to.equal(null);
  });

  it('fails when a file of it is not as long as it said', async () => {
    const liar = Object.defineProperty(new Blob(['longer than that']), 'size', { value: 5 });
    const server = await rawServer(answer(NO_CONTENT));
    const sent = connectionTo(server).request('POST', '/', liar);
    expect((await rejection(sent)).name).to.equal('ContentLengthMismatch');
  });

  it('is refused when the size of a file is no number of bytes', async () => {
    const smuggler = Object.defineProperty(new Blob(['a']), 'size', { value: '5\r\nX-Smuggled: y' });
    const server = await rawServer(answer(NO_CONTENT));
    const error = await rejection(connectionTo(server).request('POST', '/', smuggler));
    expect(error).to.be.instanceOf(TypeError);
    expect(server.connections).to.equal(0);
  });
});
