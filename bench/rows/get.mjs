// The rows of many small exchanges: requests per CPU second and latency, plain, over TLS and through pools.
import { SMALL_BODY_BYTES } from '../servers/bodies.mjs';
import { go } from '../subjects/foreign.mjs';

const perCpuSecond = {
  figure: 'requests per CPU second',
  better: 'more',
  sample: (cost, units) => units / (cost.cpu / 1e6),
};
const small = (connections) => () => ({ connections, bytes: SMALL_BODY_BYTES, path: '/' });
const plan = {
  full: { rounds: 7, units: 60_000, warmUp: 40_000 },
  quick: { rounds: 3, units: 5_000, warmUp: 5_000 },
};

export const getRows = [
  {
    name: 'get-small-32',
    title: 'small GET, 32 connections each in a loop',
    ...perCpuSecond,
    ...plan,
    options: small(32),
    subjects: [
      { label: 'millrace', module: 'millrace', workload: 'get' },
      { label: 'undici request', module: 'undici', workload: 'get' },
      { label: 'undici dispatch', module: 'undici', workload: 'dispatch' },
      { label: 'raw socket', module: 'raw', workload: 'get' },
    ],
    comparisons: [
      { against: 'undici request', atLeast: 1.6 },
      { against: 'undici dispatch', atLeast: 1.15 },
      { against: 'raw socket' },
    ],
  },
  {
    name: 'get-latency-1',
    title: 'small GET, 1 connection',
    figure: 'p50 latency, µs',
    better: 'less',
    full: { rounds: 7, units: 10_000, warmUp: 10_000 },
    quick: { rounds: 3, units: 1_500, warmUp: 2_000 },
    sample: (cost) => cost.p50,
    options: small(1),
    subjects: [
      { label: 'millrace', module: 'millrace', workload: 'latency' },
      { label: 'undici request', module: 'undici', workload: 'latency' },
      { label: 'raw socket', module: 'raw', workload: 'latency' },
    ],
    comparisons: [{ against: 'undici request', atMost: 1.0 }, { against: 'raw socket' }],
  },
  {
    name: 'get-cpu-1',
    title: 'small GET, 1 connection',
    figure: 'CPU per request, µs',
    better: 'less',
    full: { rounds: 7, units: 10_000, warmUp: 10_000 },
    quick: { rounds: 3, units: 1_500, warmUp: 2_000 },
    sample: (cost, units) => cost.cpu / units,
    options: small(1),
    subjects: [{ label: 'millrace', module: 'millrace', workload: 'get' }, go],
    comparisons: [{ against: go.label, atMost: 1.0 }],
  },
  {
    name: 'watched',
    title: 'small GET, 32 connections: with a subscriber to every channel of requests against none',
    figure: 'CPU per request, µs',
    better: 'less',
    ...plan,
    sample: (cost, units) => cost.cpu / units,
    options: small(32),
    subjects: [
      { label: 'millrace watched', module: 'millrace', workload: 'watched' },
      { label: 'millrace', module: 'millrace', workload: 'get' },
    ],
    comparisons: [{ of: 'millrace watched', against: 'millrace' }],
  },
  {
    name: 'tls-get-small-32',
    title: 'small GET over TLS, 32 connections',
    figure: 'CPU per request, µs',
    better: 'less',
    full: { rounds: 7, units: 40_000, warmUp: 20_000 },
    quick: { rounds: 3, units: 5_000, warmUp: 5_000 },
    sample: (cost, units) => cost.cpu / units,
    tls: true,
    options: small(32),
    subjects: [
      { label: 'millrace', module: 'millrace', workload: 'get' },
      { label: 'undici request', module: 'undici', workload: 'get' },
      { label: 'raw TLS socket', module: 'raw', workload: 'get' },
    ],
    comparisons: [{ against: 'undici request', atMost: 0.75 }, { against: 'raw TLS socket' }],
  },
  {
    name: 'pool-32',
    title: 'small GET through a pool of 32',
    ...perCpuSecond,
    ...plan,
    options: small(32),
    subjects: [
      { label: 'millrace', module: 'millrace', workload: 'pool' },
      { label: 'undici Pool', module: 'undici', workload: 'pool' },
    ],
    comparisons: [{ against: 'undici Pool', atLeast: 1.5 }],
  },
  {
    name: 'pool-32-p99',
    title: 'small GET through a pool of 32',
    figure: 'p99 latency, µs',
    better: 'less',
    full: { rounds: 5, units: 40_000, warmUp: 20_000 },
    quick: { rounds: 2, units: 5_000, warmUp: 5_000 },
    sample: (cost) => cost.p99,
    options: small(32),
    subjects: [
      { label: 'millrace', module: 'millrace', workload: 'poolLatency' },
      { label: 'undici Pool', module: 'undici', workload: 'poolLatency' },
    ],
    comparisons: [{ against: 'undici Pool', atMost: 1.0 }],
  },
  {
    name: 'pool-overhead',
    title: 'small GET, a pool of 1 against the connection',
    figure: 'CPU per request, µs',
    better: 'less',
    full: { rounds: 7, units: 20_000, warmUp: 20_000 },
    quick: { rounds: 3, units: 3_000, warmUp: 3_000 },
    sample: (cost, units) => cost.cpu / units,
    options: small(1),
    subjects: [
      { label: 'millrace pool', module: 'millrace', workload: 'pool' },
      { label: 'millrace connection', module: 'millrace', workload: 'get' },
    ],
    comparisons: [{ of: 'millrace pool', against: 'millrace connection', atMost: 1.1 }],
  },
  {
    name: 'client-hosts',
    title: 'small GET, one client over 100 origins',
    ...perCpuSecond,
    ...plan,
    options: () => ({ ...small(100)(), hosts: 100 }),
    subjects: [
      { label: 'millrace', module: 'millrace', workload: 'hosts' },
      { label: 'undici Agent', module: 'undici', workload: 'hosts' },
    ],
    comparisons: [{ against: 'undici Agent', atLeast: 1.3 }],
  },
  {
    name: 'scale-connections',
    title: 'small GET, 1,000 connections against 100 and 10',
    figure: 'CPU per request, µs',
    better: 'less',
    full: { rounds: 5, units: 60_000, warmUp: 60_000 },
    quick: { rounds: 2, units: 5_000, warmUp: 5_000 },
    sample: (cost, units) => cost.cpu / units,
    subjects: [
      { label: 'millrace, 1,000', module: 'millrace', workload: 'get', options: small(1000)() },
      { label: 'millrace, 100', module: 'millrace', workload: 'get', options: small(100)() },
      { label: 'millrace, 10', module: 'millrace', workload: 'get', options: small(10)() },
      { label: 'undici, 1,000', module: 'undici', workload: 'get', options: small(1000)() },
      { label: 'undici, 10', module: 'undici', workload: 'get', options: small(10)() },
    ],
    comparisons: [
      { of: 'millrace, 1,000', against: 'millrace, 100', atMost: 1.25 },
      { of: 'millrace, 1,000', against: 'millrace, 10' },
      { of: 'undici, 1,000', against: 'undici, 10' },
    ],
  },
];
