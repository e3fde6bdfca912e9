// How the bench calls axios: `responseType: 'stream'` with a keep-alive agent, nothing decompressed, `for await`.
import http from 'node:http';
import axios from 'axios';
import { BodyCheck } from '../body-check.mjs';
import { inLoops } from './loops.mjs';

export function get(options) {
  const httpAgent = new http.Agent({ keepAlive: true, maxSockets: options.connections });
  const client = axios.create({ httpAgent, responseType: 'stream', decompress: false, proxy: false });
  const url = `http://127.0.0.1:${options.port}${options.path}`;
  const checks = Array.from(
    { length: options.connections },
    () => new BodyCheck(options.bytes, options.period),
  );
  return {
    run: (count) =>
      inLoops(checks, count, async (check, budget) => {
        while (budget.left-- > 0) {
          const { data } = await client.get(url);
          for await (const piece of data) check.piece(piece);
          check.end();
        }
      }),
  };
}
