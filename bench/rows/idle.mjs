// The row of what an idle keep-alive connection holds: each round takes a fresh process, opens some connections,
// collects garbage, opens many more, collects again; the difference is divided by the number of the latter.
import { SMALL_BODY_BYTES } from '../servers/bodies.mjs';
import { startSubjects } from '../rounds.mjs';

const WARM_UP = 100;

async function measure(row, bench) {
  const plan = bench.quick ? row.quick : row.full;
  const figures = {};
  for (let round = 0; round < plan.rounds; round++) {
    const { started, figures: skips } = await startSubjects(row, bench);
    try {
      for (const [label, { skipped }] of Object.entries(skips)) {
        for (const what of ['heap and buffers', 'resident']) {
          figures[`${label}, ${what}`] ??= skipped ? { skipped } : { samples: [] };
        }
      }
      for (const { child, subject } of started) {
        await child.call({ run: WARM_UP });
        const before = await child.call({ memory: 1 });
        await child.call({ run: plan.units });
        const after = await child.call({ memory: 1 });
        const each = (name) => (after[name] - before[name]) / plan.units;
        figures[`${subject.label}, heap and buffers`].samples.push(
          (each('heapUsed') + each('external')) / 1000,
        );
        figures[`${subject.label}, resident`].samples.push(each('rss') / 1000);
      }
    } finally {
      await Promise.all(started.map(({ child }) => child.stop()));
    }
  }
  return figures;
}

export const idleRows = [
  {
    name: 'idle-memory',
    title: 'an idle keep-alive connection: heap and buffers, resident bytes',
    figure: 'kB per idle connection',
    better: 'less',
    full: { rounds: 3, units: 1500 },
    quick: { rounds: 1, units: 500 },
    options: () => ({ bytes: SMALL_BODY_BYTES, path: '/' }),
    subjects: [
      { label: 'millrace', module: 'millrace', workload: 'idle' },
      { label: 'undici', module: 'undici', workload: 'idle' },
      { label: 'raw socket', module: 'raw', workload: 'idle' },
    ],
    comparisons: [
      { of: 'millrace, heap and buffers', against: 'undici, heap and buffers', atMost: 0.6 },
      { of: 'millrace, heap and buffers', against: 'raw socket, heap and buffers' },
      { of: 'millrace, resident', atMost: 32 },
      { of: 'millrace, resident', against: 'undici, resident' },
    ],
    measure,
  },
];
