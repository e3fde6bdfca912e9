// How the bench calls undici: one Client with pipelining 1 per connection (its cheapest dispatcher), default
// timeouts, and `request` with `for await` unless the workload says otherwise; `dispatch` gets the handler with
// raw headers, which it passes on without any conversion. `Pool` only where a pool is compared.
import { BodyCheck } from '../body-check.mjs';
import { Agent, Client, Pool, request } from 'undici';
import {
  bodyChecks,
  bodySource,
  checkCount,
  hostURLs,
  inLoops,
  latencies,
  lookUpLocal,
  loopLatencies,
} from './loops.mjs';

const scheme = (options) => (options.ca ? 'https' : 'http');
const origin = (options) => `${scheme(options)}://127.0.0.1:${options.port}`;
const settings = (options) => ({
  pipelining: 1,
  keepAliveTimeout: 600_000, // undici would close an idle connection after 4 s, in the middle of the idle row
  ...(options.ca && { connect: { ca: options.ca } }),
});

function clients(options, count) {
  return Array.from({ length: count }, () => ({
    client: new Client(origin(options), settings(options)),
    check: new BodyCheck(options.bytes, options.period),
  }));
}

async function getOnce({ client, check }, path) {
  const { body } = await client.request({ method: 'GET', path });
  for await (const piece of body) check.piece(piece);
  check.end();
}

async function getLoop({ client, check }, budget) {
  while (budget.left-- > 0) {
    const { body } = await client.request({ method: 'GET', path: '/' });
    for await (const piece of body) check.piece(piece);
    check.end();
  }
}

export function get(options) {
  const all = clients(options, options.connections);
  return { run: (count) => inLoops(all, count, getLoop) };
}

export function latency(options) {
  const [client] = clients(options, 1);
  return { run: (count) => latencies(() => getOnce(client, '/'), count) };
}

export function download(options) {
  const [client] = clients(options, 1);
  return {
    async run(count) {
      for (let i = 0; i < count; i++) await getOnce(client, options.path);
    },
  };
}

export function upload(options) {
  const [{ client }] = clients(options, 1);
  const source = bodySource(options);
  return {
    async run(count) {
      for (let i = 0; i < count; i++) {
        const { body } = await client.request({ method: 'PUT', path: '/sink', body: source() });
        checkCount(await body.text(), options.bytes);
      }
    },
  };
}

export function pool(options) {
  const shared = new Pool(origin(options), { ...settings(options), connections: options.connections });
  const all = Array.from({ length: options.connections }, () => ({
    client: shared,
    check: new BodyCheck(options.bytes, options.period),
  }));
  return { run: (count) => inLoops(all, count, getLoop) };
}

/** How long each of many loops on one pool waits for its bodies. */
export function poolLatency(options) {
  const shared = new Pool(origin(options), { ...settings(options), connections: options.connections });
  return {
    run: (count) =>
      loopLatencies(bodyChecks(options), (check) => getOnce({ client: shared, check }, '/'), count),
  };
}

/** One agent for many origins: names that all lead to the one server. */
export function hosts(options) {
  const dispatcher = new Agent({ ...settings(options), connect: { lookup: lookUpLocal } });
  const urls = hostURLs(options);
  const checks = bodyChecks(options);
  let next = 0;
  return {
    run: (count) =>
      inLoops(checks, count, async (check, budget) => {
        while (budget.left-- > 0) {
          const { body } = await request(urls[next++ % urls.length], { dispatcher });
          for await (const piece of body) check.piece(piece);
          check.end();
        }
      }),
  };
}

/** One handler per connection, used again for each of its requests. */
class LoopHandler {
  constructor({ client, check }, budget, resolve, reject) {
    Object.assign(this, { client, check, budget, resolve });
    this.onError = reject;
  }

  next() {
    if (this.budget.left-- > 0) this.client.dispatch({ method: 'GET', path: '/' }, this);
    else this.resolve();
  }

  onConnect() {}

  onHeaders(status) {
    if (status !== 200) throw new Error(`status ${status}`);
    return true;
  }

  onData(piece) {
    this.check.piece(piece);
    return true;
  }

  onComplete() {
    this.check.end();
    this.next();
  }
}

export function dispatch(options) {
  const all = clients(options, options.connections);
  return {
    run: (count) =>
      inLoops(all, count, (client, budget) => {
        return new Promise((resolve, reject) => new LoopHandler(client, budget, resolve, reject).next());
      }),
  };
}

/** Each unit opens one more connection, does one exchange on it and leaves it idle. */
export function idle(options) {
  const kept = [];
  return {
    async run(count) {
      for (let i = 0; i < count; i++) {
        const [client] = clients(options, 1);
        kept.push(client);
        await getOnce(client, '/');
      }
    },
  };
}
