/**
 * What an action throws outside of any call: in a listener, a timer, a callback. While it runs, the test runner does not see it.
 */

/** Runs the action and gives what was thrown outside of it until the event loop has gone round a few times. */
export async function uncaughtErrors(action: () => unknown): Promise<unknown[]> {
  const others = process.listeners('uncaughtException');
  const seen: unknown[] = [];
  const note = (error: unknown): void => {
    seen.push(error);
  };
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', note);
  try {
    await action();
    for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
  } finally {
    process.removeListener('uncaughtException', note);
    for (const other of others) process.on('uncaughtException', other);
  }
  return seen;
}
