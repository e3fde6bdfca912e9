/**
 * CPython's http.client as one of those compared: a child process that reads what it is given, line for line.
 */
import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Exhibit } from './exhibits.js';
import type { Client, ClientOutcome } from './outcome.js';

const SCRIPT = fileURLToPath(
  new URL('../../../../spec/hostile/differential/http_client_reader.py', import.meta.url),
);

export class PythonClient implements Client {
  readonly name: string;
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;

  private constructor(
    name: string,
    child: ChildProcessByStdio<Writable, Readable, null>,
    lines: AsyncIterator<string>,
  ) {
    this.name = name;
    this.#child = child;
    this.#lines = lines;
  }

  /** Null where there is no python3. */
  static async start(): Promise<PythonClient | null> {
    const child = spawn('python3', [SCRIPT], { stdio: ['pipe', 'pipe', 'inherit'] });
    const missing = new Promise<null>((resolve) => {
      child.once('error', () => {
        resolve(null);
      });
    });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const first = await Promise.race([lines.next(), missing]);
    if (first === null || first.done === true) return null;
    const { python } = JSON.parse(first.value) as { python: string };
    return new PythonClient(`http.client of CPython ${python}`, child, lines);
  }

  async read(exhibits: readonly Exhibit[]): Promise<(ClientOutcome | null)[]> {
    // A CONNECT goes another way there, past HTTPResponse.
    const shown = exhibits.filter(({ method }) => method !== 'CONNECT');
    const input = shown
      .map(({ method, wire }) => `${JSON.stringify({ method, wire: wire.toString('base64') })}\n`)
      .join('');
    this.#child.stdin.write(input);
    const outcomes = new Map<Exhibit, ClientOutcome>();
    for (const exhibit of shown) {
      const line = await this.#lines.next();
      if (line.done === true) throw new Error('python3 ended early');
      outcomes.set(exhibit, JSON.parse(line.value) as ClientOutcome);
    }
    return exhibits.map((exhibit) => outcomes.get(exhibit) ?? null);
  }

  close(): void {
    this.#child.stdin.end();
  }
}
