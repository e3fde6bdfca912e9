// How the bench calls curl: one process per body, discarded or saved to a file, with the size curl counted checked. Its CPU time
// is what bash's `time` says of that process, less the same for an empty body: starting curl is not counted.
import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';

const execute = promisify(execFile);

async function timed(url, file) {
  const command = 'TIMEFORMAT="%U %S"; time curl -s -o "$2" -w "%{size_download}" "$1"';
  const { stdout, stderr } = await execute('bash', ['-c', command, 'bash', url, file], {
    env: { ...process.env, LC_ALL: 'C' },
  });
  const [user, system] = stderr.trim().split(/\s+/).map(Number);
  return { size: Number(stdout), cpu: (user + system) * 1e6 };
}

export async function download(options) {
  for (const tool of ['bash', 'curl']) {
    if (spawnSync(tool, ['--version'], { stdio: 'ignore' }).status !== 0) {
      throw Object.assign(new Error(`${tool} was not found`), { unavailable: true });
    }
  }
  const origin = `http://127.0.0.1:${options.port}`;
  const starts = [];
  for (let i = 0; i < 5; i++) starts.push((await timed(`${origin}/length/0`, '/dev/null')).cpu);
  const start = Math.min(...starts);
  return {
    async run(count) {
      let cpu = 0;
      for (let i = 0; i < count; i++) {
        const one = await timed(origin + options.path, options.file ?? '/dev/null');
        if (one.size !== options.bytes) throw new Error(`curl read ${one.size} bytes of ${options.bytes}`);
        cpu += one.cpu - start;
      }
      return { cpu }; // instead of this process's own
    },
  };
}
