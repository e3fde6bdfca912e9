// Measures one row: starts a client process per subject, warms each up, then lets them take turns (A B C A B C …)
// so that whatever disturbs the machine disturbs all of them. Subjects that cannot run here are skipped by name.
import { startClient, Unavailable } from './children.mjs';

/** What a row may ask for beside its own options: the server's addresses and the library under test. */
function optionsFor(subject, row, bench) {
  const { server, library } = bench;
  const own = typeof subject.options === 'function' ? subject.options(bench) : subject.options;
  return {
    library,
    port: row.tls ? server.tlsPort : server.port,
    ...(row.tls && { ca: server.ca }),
    ...row.options?.(bench),
    ...own,
  };
}

export async function startSubjects(row, bench) {
  const started = [];
  const figures = {};
  if (row.tls && bench.server.tlsPort === null) {
    for (const { label } of row.subjects) figures[label] = { skipped: 'openssl was not found' };
    return { started, figures };
  }
  const starts = row.subjects.map((subject) => startClient(subject, optionsFor(subject, row, bench)));
  const results = await Promise.allSettled(starts);
  results.forEach(({ status, value, reason }, i) => {
    const subject = row.subjects[i];
    if (status === 'fulfilled') started.push({ child: value, subject });
    else if (!(reason instanceof Unavailable)) throw reason;
    figures[subject.label] =
      status === 'fulfilled' ? { samples: [], walls: [] } : { skipped: reason.message };
  });
  return { started, figures };
}

/** Samples of every subject of a row whose unit is a piece of work done by `run(units)`. */
export async function measureRounds(row, bench) {
  const { started, figures } = await startSubjects(row, bench);
  const plan = bench.quick ? row.quick : row.full;
  const unitsOf = (subject, units) => Math.max(1, Math.round(units * (subject.share ?? 1)));
  try {
    for (const { child, subject } of started) await child.call({ run: unitsOf(subject, plan.warmUp) });
    for (let round = 0; round < Math.min(plan.rounds, bench.rounds); round++) {
      for (const { child, subject } of started) {
        const units = unitsOf(subject, plan.units);
        const cost = await child.call({ run: units });
        figures[subject.label].samples.push(row.sample(cost, units, subject, bench));
        figures[subject.label].walls.push(cost.wall / 1e6);
      }
    }
  } finally {
    await Promise.all(started.map(({ child }) => child.stop()));
  }
  return figures;
}
