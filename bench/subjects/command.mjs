// How the bench calls the commands, ours and curl: one process per body, from a file and into a file. The CPU time is what bash's
// `time` says of that process, less the same for an empty body: what the row is about is the bytes, as in curl.mjs.
import { execFile, spawnSync } from 'node:child_process';
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** The command line of each: what it does with a URL, a file to send, and a file to write. */
const PROGRAMS = {
  millrace: ({ library }) => [process.execPath, join(dirname(library), 'cli.mjs')],
  curl: () => ['curl', '-s', '-f'],
};

async function timed(command) {
  const script = 'TIMEFORMAT="%U %S"; time "$@"';
  const { stdout, stderr } = await execute('bash', ['--norc', '-c', script, 'bash', ...command], {
    env: { ...process.env, LC_ALL: 'C' },
  });
  const [user, system] = stderr.trim().split(/\s+/).map(Number);
  return { stdout, cpu: (user + system) * 1e6 };
}

function prepare(options) {
  for (const tool of ['bash', ...(options.program === 'curl' ? ['curl'] : [])]) {
    if (spawnSync(tool, ['--version'], { stdio: 'ignore' }).status !== 0) {
      throw Object.assign(new Error(`${tool} was not found`), { unavailable: true });
    }
  }
  const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return { program: PROGRAMS[options.program](options), folder };
}

/** What the process costs before the first byte, the best of a few. */
async function startOf(command) {
  const starts = [];
  for (let i = 0; i < 5; i++) starts.push((await timed(command)).cpu);
  return Math.min(...starts);
}

/** A body by length into a file. */
export async function commandDownload(options) {
  const { program, folder } = prepare(options);
  const file = join(folder, 'down');
  const origin = `http://127.0.0.1:${options.port}`;
  const start = await startOf([...program, '-o', file, `${origin}/length/0`]);
  return {
    async run(count) {
      let cpu = 0;
      for (let i = 0; i < count; i++) {
        const one = await timed([...program, '-o', file, origin + options.path]);
        const { size } = statSync(file);
        if (size !== options.bytes) throw new Error(`the file has ${size} bytes of ${options.bytes}`);
        rmSync(file);
        cpu += one.cpu - start;
      }
      return { cpu };
    },
  };
}

/** A file by length; what it holds is a hole, which costs the least to read. */
export async function commandUpload(options) {
  const { program, folder } = prepare(options);
  const file = join(folder, 'up');
  const descriptor = openSync(file, 'w');
  ftruncateSync(descriptor, options.bytes);
  closeSync(descriptor);
  const sink = `http://127.0.0.1:${options.port}/sink`;
  const start = await startOf([...program, '-d', 'x', sink]);
  return {
    async run(count) {
      let cpu = 0;
      for (let i = 0; i < count; i++) {
        const one = await timed([...program, '-T', file, sink]);
        if (one.stdout.trim() !== String(options.bytes)) throw new Error(`the server counted ${one.stdout}`);
        cpu += one.cpu - start;
      }
      return { cpu };
    },
  };
}
