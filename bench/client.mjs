// A client process: runs one workload of one subject, on command, and says what it cost. CPU time is user and
// system time of this whole process (every thread of it, garbage collection included) around the measured
// section alone; the command lines arrive before and the answer leaves after it.
//   {"run": N}      does N units of work: { cpu, wall } in microseconds, and the workload's own figures
//   {"memory": 1}   after a garbage collection: { heapUsed, external, rss } in bytes
//   {"profile": N}  does N units under the CPU profiler: { profile, cpu, wall }
import { createInterface } from 'node:readline';
import { Session } from 'node:inspector/promises';

const { module, workload, options } = JSON.parse(process.argv[2]);

async function run(units) {
  const cpu = process.cpuUsage();
  const start = process.hrtime.bigint();
  const figures = await work.run(units);
  const wall = Number(process.hrtime.bigint() - start) / 1000;
  const used = process.cpuUsage(cpu);
  return { cpu: used.user + used.system, wall, ...figures };
}

async function profile(units) {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: 200 });
  await session.post('Profiler.start');
  const cost = await run(units);
  const { profile } = await session.post('Profiler.stop');
  session.disconnect();
  return { profile, ...cost };
}

async function memory() {
  for (let i = 0; i < 4; i++) {
    globalThis.gc();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heapUsed, external, rss };
}

function answer(value) {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

let work;
try {
  work = await (await import(`./subjects/${module}.mjs`))[workload](options);
  answer({ ready: true });
} catch (error) {
  answer(error.unavailable ? { unavailable: error.message } : { error: String(error.stack) });
}

for await (const line of createInterface({ input: process.stdin })) {
  const call = JSON.parse(line);
  try {
    if (call.run !== undefined) answer(await run(call.run));
    else if (call.profile !== undefined) answer(await profile(call.profile));
    else answer(await memory());
  } catch (error) {
    answer(error.unavailable ? { unavailable: error.message } : { error: String(error.stack) });
  }
}
process.exit(0);
