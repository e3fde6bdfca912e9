// The child process in which the jobs run: gets the world once, then the numbers of jobs, one at a time, and answers each
// with its outcome. It owns the limit of a job, errors that nobody took, and what an error looks like in the report.
// Being a process of its own, it can be killed when the library under test spins or takes the process down with it.
import { setTimeout as sleep } from 'node:timers/promises';
import { JobContext } from './job-context.mjs';
import { JOBS } from './jobs/index.mjs';

// Where in the jobs it went wrong, from the stack of the error.
const placeOf = (error) => /interop\/(jobs\/[\w-]+\.mjs:\d+)/.exec(error?.stack ?? '')?.[1];

function describe(error) {
  const words = String(error?.message ?? error).replace(/\s*\n\s*/g, ' ');
  const place = placeOf(error);
  return [error?.code ?? error?.name, words.slice(0, 400), place && `(${place})`].filter(Boolean).join(' ');
}

// An error that no promise and no listener took is the library's fault, and charged to the job that is running.
let blame = () => {};
for (const event of ['uncaughtException', 'unhandledRejection']) {
  process.on(event, (error) => blame(`uncaught ${describe(error)}`));
}

async function runJob(job, millrace, world, limitMs) {
  const context = new JobContext(millrace, world);
  let stray;
  let clock;
  try {
    const outside = new Promise((_, reject) => {
      blame = (words) => {
        stray ??= words;
        reject(new Error(words));
      };
      clock = setTimeout(() => reject(new Error(`not done within ${limitMs} ms`)), limitMs);
    });
    const words = await Promise.race([job.run(context), outside]);
    context.closeAll();
    // What closing stirs up comes a moment later, and counts.
    await sleep(5);
    return stray === undefined ? { outcome: 'ok', words } : { outcome: 'FAIL', words: stray };
  } catch (error) {
    return { outcome: 'FAIL', words: stray ?? describe(error) };
  } finally {
    clearTimeout(clock);
    context.closeAll();
  }
}

let millrace;
let world;
process.on('message', async (message) => {
  if (message.world !== undefined) {
    ({ world } = message);
    millrace = await import(message.library);
    process.send({ ready: true });
  } else {
    process.send(await runJob(JOBS[message.job], millrace, world, message.limitMs));
  }
});
process.on('disconnect', () => process.exit());
