/**
 * Upload a stream of unknown length in parts, as S3 and its like want it: a generator cuts the parts, and each is sent with its length, again
 * if need be. (Signing is left out; a signer gives the fields of each request.)
 *
 *   tar c folder | node s3-multipart.mjs http://localhost:9000/bucket/folder.tar
 */
import { HTTPClient } from 'millrace';

const [url, partSize = 8 * 1024 * 1024] = process.argv.slice(2);
const client = new HTTPClient({ retries: 3 });

async function* parts(source, size) {
  let held = [];
  let length = 0;
  for await (let piece of source) {
    while (length + piece.length >= size) {
      const rest = size - length;
      yield Buffer.concat([...held, piece.subarray(0, rest)]);
      piece = piece.subarray(rest);
      held = [];
      length = 0;
    }
    held.push(piece);
    length += piece.length;
  }
  if (length > 0) yield Buffer.concat(held);
}

async function send(method, query, body) {
  const response = await client.request(method, `${url}?${query}`, body);
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${method} ?${query}: ${response.status} ${text}`);
  return { text, etag: response.getHeader('etag') };
}

const { text } = await send('POST', 'uploads');
const id = /<UploadId>(.*?)<\/UploadId>/.exec(text)[1];
try {
  let list = '';
  let number = 0;
  for await (const part of parts(process.stdin, Number(partSize))) {
    number++;
    // Bytes can be sent again, and PUT may be: the client does so by itself after a failure or a 503.
    const { etag } = await send('PUT', `partNumber=${number}&uploadId=${id}`, part);
    list += `<Part><PartNumber>${number}</PartNumber><ETag>${etag}</ETag></Part>`;
  }
  await send('POST', `uploadId=${id}`, `<CompleteMultipartUpload>${list}</CompleteMultipartUpload>`);
  console.log(`${number} parts`);
} catch (error) {
  // Parts that are left behind are paid for.
  await send('DELETE', `uploadId=${id}`).catch(() => undefined);
  throw error;
} finally {
  await client.close();
}
