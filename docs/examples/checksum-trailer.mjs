/**
 * Send a checksum behind a body, computed while the body goes by (a trailer, RFC 9530), and check the one behind the answer.
 *
 *   node checksum-trailer.mjs http://localhost:8080/store file.bin
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { request } from 'millrace';

const [url, path] = process.argv.slice(2);

const sent = createHash('sha256');
async function* hashed() {
  for await (const piece of createReadStream(path)) {
    sent.update(piece);
    yield piece;
  }
}
// The function is called when the body has ended.
const trailers = () => ({ 'Content-Digest': `sha-256=:${sent.digest('base64')}:` });
const response = await request('POST', url, hashed(), { Trailer: 'Content-Digest' }, { trailers });

const received = createHash('sha256');
for await (const piece of response) received.update(piece);
const claimed = response.trailers.get('content-digest');
if (claimed !== `sha-256=:${received.digest('base64')}:`)
  throw new Error(`the answer is damaged: ${claimed}`);
console.log(`${response.status}, both checksums are right`);
