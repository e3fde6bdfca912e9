// The rows that are there for information: every client we know of at the same two pieces of work, and what TLS
// inside a tunnel costs, where the socket cannot be read by `onread`. No targets.
import { SMALL_BODY_BYTES } from '../servers/bodies.mjs';
import { go, python } from '../subjects/foreign.mjs';

const GIB = 2 ** 30;
const MIB = 2 ** 20;

const peers = (workload, options) => [
  { label: 'millrace', module: 'millrace', workload, options },
  { label: 'undici request', module: 'undici', workload, options },
  { label: 'node:http', module: 'node-http', workload: 'get', options },
  { label: 'fetch', module: 'fetch', workload: 'get', options, share: options.share },
  { label: 'got', module: 'got', workload: 'get', options, share: options.share },
  { label: 'axios', module: 'axios', workload: 'get', options, share: options.share },
  { ...python, options, share: options.share },
  { ...go, options },
];

const withEach = (subjects) => subjects.slice(1).map(({ label }) => ({ against: label }));

const small = peers('get', { connections: 32, bytes: SMALL_BODY_BYTES, path: '/', share: 0.25 });
const bytesOf = (quick) => (quick ? 32 * MIB : 256 * MIB);
const large = peers('download', { connections: 1 });

export const peerRows = [
  {
    name: 'peers-get-small',
    title: 'small GET, 32 connections: all clients (CPython: one connection)',
    figure: 'requests per CPU second',
    better: 'more',
    full: { rounds: 5, units: 20_000, warmUp: 20_000 },
    quick: { rounds: 1, units: 1_200, warmUp: 1_200 },
    sample: (cost, units) => units / (cost.cpu / 1e6),
    subjects: small,
    comparisons: withEach(small),
  },
  {
    name: 'peers-download',
    title: 'download by length: all clients',
    figure: 'CPU per GiB, s',
    better: 'less',
    full: { rounds: 5, units: 1, warmUp: 3 },
    quick: { rounds: 2, units: 1, warmUp: 1 },
    sample: (cost, units, _, bench) => cost.cpu / 1e6 / ((units * bytesOf(bench.quick)) / GIB),
    options: ({ quick }) => ({ bytes: bytesOf(quick), path: `/length/${bytesOf(quick)}` }),
    subjects: large,
    comparisons: withEach(large),
  },
  {
    name: 'tunnel-tls',
    title: 'download over TLS inside a CONNECT tunnel, against TLS without one',
    figure: 'CPU per GiB, s',
    better: 'less',
    full: { rounds: 5, units: 1, warmUp: 3 },
    quick: { rounds: 2, units: 1, warmUp: 1 },
    sample: (cost, units, _, bench) => cost.cpu / 1e6 / ((units * bytesOf(bench.quick)) / GIB),
    tls: true,
    options: ({ quick, server }) => ({
      bytes: bytesOf(quick),
      path: `/length/${bytesOf(quick)}`,
      plainPort: server.port,
    }),
    subjects: [
      { label: 'millrace, tunnel', module: 'millrace', workload: 'download', options: { tunnel: true } },
      { label: 'millrace, direct', module: 'millrace', workload: 'download' },
      { label: 'undici, direct', module: 'undici', workload: 'download' },
    ],
    comparisons: [
      { of: 'millrace, tunnel', against: 'millrace, direct' },
      { of: 'millrace, tunnel', against: 'undici, direct' },
    ],
  },
];
