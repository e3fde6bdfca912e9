// How the bench calls curl: one process per body, discarded, saved to a file or sent from one, with the size counted checked. Its CPU time
// is what bash's `time` says of that process, less the same for an empty body: starting curl is not counted.
import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import { uploadFile } from './loops.mjs';

const execute = promisify(execFile);

async function timed(args) {
  const { stdout, stderr } = await execute(
    'bash',
    ['-c', 'TIMEFORMAT="%U %S"; time curl -s "$@"', 'bash', ...args],
    {
      env: { ...process.env, LC_ALL: 'C' },
    },
  );
  const [user, system] = stderr.trim().split(/\s+/).map(Number);
  return { count: Number(stdout), cpu: (user + system) * 1e6 };
}

/** The workload whose command prints how many bytes went over; `empty` is the same for nothing. */
async function workload(bytes, args, empty) {
  for (const tool of ['bash', 'curl']) {
    if (spawnSync(tool, ['--version'], { stdio: 'ignore' }).status !== 0) {
      throw Object.assign(new Error(`${tool} was not found`), { unavailable: true });
    }
  }
  const starts = [];
  for (let i = 0; i < 5; i++) starts.push((await timed(empty)).cpu);
  const start = Math.min(...starts);
  return {
    async run(count) {
      let cpu = 0;
      for (let i = 0; i < count; i++) {
        const one = await timed(args);
        if (one.count !== bytes) throw new Error(`curl moved ${one.count} bytes of ${bytes}`);
        cpu += one.cpu - start;
      }
      return { cpu }; // instead of this process's own
    },
  };
}

export function download(options) {
  const origin = `http://127.0.0.1:${options.port}`;
  const into = (file, path) => ['-o', file, '-w', '%{size_download}', origin + path];
  return workload(
    options.bytes,
    into(options.file ?? '/dev/null', options.path),
    into('/dev/null', '/length/0'),
  );
}

/** A file by length. Without `Expect`, as the others send it, so that curl does not wait for a 100. */
export function upload(options) {
  const file = uploadFile(options.bytes);
  process.on('exit', file.remove);
  const url = `http://127.0.0.1:${options.port}/sink`;
  return workload(
    options.bytes,
    ['-H', 'Expect:', '-T', file.path, url],
    ['-H', 'Expect:', '-T', '/dev/null', url],
  );
}
