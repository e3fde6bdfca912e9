/**
 * Show the server a certificate of yours, and trust one authority only (mutual TLS).
 *
 *   node mutual-tls.mjs https://localhost:8443/ authority.pem client.pem client.key.pem
 */
import { readFile } from 'node:fs/promises';
import { HTTPClient } from 'millrace';

const [url, ...files] = process.argv.slice(2);
const [ca, cert, key] = await Promise.all(files.map((file) => readFile(file)));
const client = new HTTPClient({ context: { ca, cert, key, minVersion: 'TLSv1.3' } });

const response = await client.request('GET', url);
console.log(response.status, await response.text());
await client.close();
