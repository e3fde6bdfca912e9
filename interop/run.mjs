// npm run interop: starts real servers on loopback and does real jobs with them through the built library.
// This file owns the order of things, the report and the clean-up; what is started is in servers.mjs, what is done in jobs/.
// Prints a line for each job and a closing line; status 1 if a job failed. Whatever ends the run, normal or not, every
// process it started is stopped and its temp folder is removed.
// Options: --only nginx,squid (these servers' jobs), --keep (leave the temp folder), --no-install.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { findProgram, provide } from './install.mjs';
import { JobProcess } from './job-process.mjs';
import { JOBS, REPORTED } from './jobs/index.mjs';
import { freePort, killAll, stopAll } from './process.mjs';
import { startServer, withNeeds } from './servers.mjs';
import { makeWorld } from './world.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const LIBRARY = new URL('../dist/index.mjs', import.meta.url);
const JOB_LIMIT_MS = 20_000;
const RUN_LIMIT_MS = 150_000;

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    keep: { type: 'boolean', default: false },
    'no-install': { type: 'boolean', default: false },
  },
});

const counts = { ok: 0, FAIL: 0, skip: 0 };

function report({ outcome, words }, server, title) {
  counts[outcome] += 1;
  console.log([`${outcome} ${server}`, title, words].filter(Boolean).join(': '));
}

// A reader that went away (a pipe into head) is no reason to leave servers behind.
process.stdout.on('error', () => {});

function chosenJobs() {
  const only = options.only?.split(',').map((name) => name.trim());
  const unknown = only?.find((name) => !REPORTED.includes(name));
  if (unknown !== undefined) throw new Error(`--only ${unknown}: there are ${REPORTED.join(', ')}`);
  return JOBS.filter((job) => only?.includes(job.server) ?? true);
}

const needsOf = (job) => job.needs ?? [job.server];

function buildLibrary() {
  if (existsSync(LIBRARY)) return;
  console.log('interop: building the library');
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] });
}

/** Starts all servers in order; resolves with a Map from name to the reason why one is not there. */
async function startAll(servers, reasons) {
  const absent = new Map();
  for (const server of servers) {
    const missing = (server.needs ?? []).find((need) => absent.has(need));
    const reason =
      reasons.get(server.name) ?? (missing && `it needs ${missing}: ${absent.get(missing).words}`);
    if (reason !== undefined) {
      absent.set(server.name, { outcome: 'skip', words: reason });
      continue;
    }
    try {
      await startServer(server, world);
    } catch (error) {
      absent.set(server.name, { outcome: 'FAIL', words: `cannot be started: ${error.message}` });
    }
  }
  return absent;
}

function whyNot(job, absent) {
  const down = needsOf(job).find((name) => absent.has(name));
  return down === undefined ? undefined : absent.get(down);
}

async function runAll(jobs, absent) {
  const deadline = Date.now() + RUN_LIMIT_MS;
  await jobProcess?.start();
  const told = new Set();
  for (const job of jobs) {
    const obstacle = whyNot(job, absent);
    const limitMs = Math.min(job.limitMs ?? JOB_LIMIT_MS, deadline - Date.now());
    if (obstacle !== undefined) {
      // A server that is not there is one line, not one for each of its jobs.
      const key = `${job.server} ${obstacle.words}`;
      if (!told.has(key)) report(obstacle, job.server);
      told.add(key);
    } else if (limitMs <= 0) {
      report(
        { outcome: 'FAIL', words: `not begun: ${RUN_LIMIT_MS} ms for all are over` },
        job.server,
        job.title,
      );
    } else {
      report(await jobProcess.run(JOBS.indexOf(job), limitMs), job.server, job.title);
    }
  }
}

let world;
let jobProcess;
async function cleanUp() {
  jobProcess?.stop();
  await stopAll();
  if (world === undefined) return;
  if (options.keep) console.log(`interop: kept ${world.dir}`);
  else world.remove();
  world = undefined;
}

for (const [signal, number] of [
  ['SIGINT', 2],
  ['SIGTERM', 15],
]) {
  process.once(signal, () => {
    console.log(`interop: ${signal}, stopping`);
    void cleanUp().finally(() => process.exit(128 + number));
  });
}
// The last resort, when something ended the process without the clean-up above.
process.once('exit', () => {
  jobProcess?.stop();
  killAll();
  if (world !== undefined && !options.keep) world.remove();
});

try {
  const jobs = chosenJobs();
  buildLibrary();
  const servers = withNeeds([...new Set(jobs.flatMap(needsOf))]);
  const tools = { name: 'openssl', packages: ['openssl'], programs: ['openssl'] };
  const reasons = await provide([tools, ...servers], {
    allowed: !options['no-install'],
    report: (words) => console.log(`interop: ${words}`),
  });
  const noTools = reasons.get('openssl');
  if (noTools !== undefined) {
    for (const { name } of servers) reasons.set(name, `no certificates: ${noTools}`);
  } else {
    world = await makeWorld(findProgram('openssl'));
    world.deadPort = await freePort();
  }
  const absent = await startAll(servers, reasons);
  if (world !== undefined) jobProcess = new JobProcess(LIBRARY.href, world);
  await runAll(jobs, absent);
} catch (error) {
  report({ outcome: 'FAIL', words: error.message }, 'interop');
} finally {
  await cleanUp();
}
console.log(`interop: ${counts.ok} passed, ${counts.FAIL} failed, ${counts.skip} skipped`);
process.exit(counts.FAIL === 0 ? 0 : 1);
