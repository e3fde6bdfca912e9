/**
 * Upload a file and show how far it has got.
 *
 *   node upload-progress.mjs http://localhost:8080/upload big.iso
 */
import { open } from 'node:fs/promises';
import { request } from 'millrace';

const [url, path] = process.argv.slice(2);
const file = await open(path);
const { size } = await file.stat();

// A generator is resumed when the socket wants more: what was yielded before is on its way.
async function* counted() {
  let sent = 0;
  for await (const piece of file.createReadStream()) {
    yield piece;
    sent += piece.length;
    process.stderr.write(`\r${Math.floor((100 * sent) / size)} %`);
  }
}

const response = await request('PUT', url, counted(), { 'Content-Length': size });
console.log(`\n${response.status} ${await response.text()}`);
