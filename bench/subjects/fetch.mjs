// How the bench calls Node's own fetch: the global one, with the connection pool it has by itself.
import { BodyCheck } from '../body-check.mjs';
import { inLoops } from './loops.mjs';

export function get(options) {
  const url = `http://127.0.0.1:${options.port}${options.path}`;
  const checks = Array.from(
    { length: options.connections },
    () => new BodyCheck(options.bytes, options.period),
  );
  return {
    run: (count) =>
      inLoops(checks, count, async (check, budget) => {
        while (budget.left-- > 0) {
          const response = await fetch(url);
          for await (const piece of response.body) check.piece(piece);
          check.end();
        }
      }),
  };
}
