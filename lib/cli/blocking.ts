/**
 * The end of the process, which Node holds up until the threads of its pool come back: one that hangs in a FIFO, in a device or in a
 * look-up of a name may not do so for long, or ever. So operations that may hang are counted, and the process is ended past its threads.
 */
import { STATUS, type ExitStatus } from './failure.js';

let pending = 0;

/** Waits for an operation that may never end. */
export async function mayBlock<Value>(operation: Promise<Value>): Promise<Value> {
  pending++;
  try {
    return await operation;
  } finally {
    pending--;
  }
}

/** Node 22.15 and later, not on Windows: becomes another program, threads and all. */
type Execve = (file: string, args: readonly string[], environment: NodeJS.ProcessEnv) => never;

/** Ends the process. Where a thread hangs for ever and Node has no way past it, the signal says that it was ended. */
export function exit(status: ExitStatus): void {
  const { execve } = process as { execve?: Execve };
  // Whoever ran out of time or of patience does not wait for a name server either.
  const hurried = pending > 0 || status === STATUS.timeRanOut || status === STATUS.interrupted;
  if (hurried && execve !== undefined && process.platform !== 'win32') {
    try {
      execve.call(process, '/bin/sh', ['sh', '-c', `exit ${String(status)}`], {});
    } catch {
      // Not allowed, or no shell: the other ways are left.
    }
  }
  if (pending > 0) {
    // Nobody listens any more, so the signal does what it does.
    process.removeAllListeners('SIGINT');
    process.kill(process.pid, status === STATUS.interrupted ? 'SIGINT' : 'SIGKILL');
  }
  process.exit(status);
}
