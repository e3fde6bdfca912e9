/**
 * Give up for one of several reasons: the user's, a time limit's, the program's end. The error is the reason itself.
 *
 *   node cancel.mjs http://localhost:8080/slow 5000
 */
import { request } from 'millrace';

const [url, ms] = process.argv.slice(2);
const user = new AbortController();
process.once('SIGINT', () => user.abort(new Error('interrupted by the user')));
const signal = AbortSignal.any([user.signal, AbortSignal.timeout(Number(ms))]);

try {
  const response = await request('GET', url, null, {}, { signal });
  // The signal holds for the body as well.
  console.log(await response.text());
} catch (error) {
  if (error !== signal.reason) throw error;
  console.log(`given up: ${error.message}`);
}
