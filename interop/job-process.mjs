// The run's side of the process in which the jobs run: starts it when there is none, asks it for one job at a time, and
// kills it when it does not answer. A job that hangs its process costs that job and nothing else.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const RUNNER = fileURLToPath(new URL('job-runner.mjs', import.meta.url));
const START_LIMIT_MS = 20_000;
// How much longer than the job's own limit the process may be silent.
const GRACE_MS = 3_000;

export class JobProcess {
  #child;
  #hello;

  /** `library` is the URL of the module under test; `world` is what the jobs find there. */
  constructor(library, world) {
    const { dir, files, certificates, endpoints, deadPort } = world;
    this.#hello = { library, world: { dir, files, certificates, endpoints, deadPort } };
  }

  async #ask(message, limitMs) {
    const child = this.#child;
    try {
      return await new Promise((resolve, reject) => {
        const clock = setTimeout(() => reject(new Error(`silent for ${limitMs} ms, and killed`)), limitMs);
        const settle = (act) => (value) => {
          clearTimeout(clock);
          child.removeAllListeners();
          act(value);
        };
        child.once('message', settle(resolve));
        child.once('error', settle(reject));
        child.once('exit', (code, signal) =>
          settle(reject)(new Error(`its process ended with ${signal ?? `status ${code}`}`)),
        );
        child.send(message);
      });
    } catch (error) {
      this.stop();
      throw error;
    }
  }

  /** Starts the process if need be. */
  async start() {
    if (this.#child !== undefined) return;
    this.#child = fork(RUNNER, { serialization: 'advanced' });
    await this.#ask(this.#hello, START_LIMIT_MS);
  }

  /** Runs job number `job` and resolves with its { outcome, words }. */
  async run(job, limitMs) {
    try {
      await this.start();
      return await this.#ask({ job, limitMs }, limitMs + GRACE_MS);
    } catch (error) {
      return { outcome: 'FAIL', words: error.message };
    }
  }

  stop() {
    this.#child?.removeAllListeners();
    this.#child?.on('error', () => {});
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
  }
}
