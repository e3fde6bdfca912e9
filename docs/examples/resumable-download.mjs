/**
 * Download a file that must arrive: a connection that is lost or stands still is made anew, and the download goes on where it stopped.
 *
 *   node resumable-download.mjs http://localhost:8080/big.iso big.iso
 */
import { resumable } from 'millrace';

const [url, path] = process.argv.slice(2);
const download = await resumable(url, {
  timeout: { connect: 10_000, response: 10_000, body: 10_000 },
  onResume: ({ position, error }) => console.error(`at ${position}: ${error.message}; going on`),
});
if (download.status !== 200) throw new Error(`${url}: ${download.status} ${download.reason}`);
const bytes = await download.save(path);
console.log(`${bytes} bytes, gone on with ${download.resumes} times`);
