/**
 * Operations on FIFOs and devices, which may block a thread of Node's pool for ever, and the end of the process, which Node holds up until
 * those threads come back. So they are counted, and where one hangs the process ends itself the hard way.
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

/** Ends the process. Where a thread hangs no status can be given: the signal says then that it was ended. */
export function exit(status: ExitStatus): void {
  if (pending > 0) {
    // Nobody listens any more, so the signal does what it does.
    process.removeAllListeners('SIGINT');
    process.kill(process.pid, status === STATUS.interrupted ? 'SIGINT' : 'SIGKILL');
  }
  process.exit(status);
}
