// How the bench calls got: `got.stream` with a keep-alive agent, no retries, nothing decompressed, `for await`.
import http from 'node:http';
import got from 'got';
import { BodyCheck } from '../body-check.mjs';
import { inLoops } from './loops.mjs';

export function get(options) {
  const agent = { http: new http.Agent({ keepAlive: true, maxSockets: options.connections }) };
  const client = got.extend({ agent, retry: { limit: 0 }, decompress: false });
  const url = `http://127.0.0.1:${options.port}${options.path}`;
  const checks = Array.from(
    { length: options.connections },
    () => new BodyCheck(options.bytes, options.period),
  );
  return {
    run: (count) =>
      inLoops(checks, count, async (check, budget) => {
        while (budget.left-- > 0) {
          for await (const piece of client.stream(url)) check.piece(piece);
          check.end();
        }
      }),
  };
}
