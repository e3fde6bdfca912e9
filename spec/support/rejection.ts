/**
 * The error of a promise that has to reject, so that a spec can look at it. Owns nothing else.
 */

/** Resolves with what the promise was rejected with; fails when it was not. */
export async function rejection<Failure = Error>(promise: PromiseLike<unknown>): Promise<Failure> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    return error as Failure;
  }
  throw new Error(`expected a rejection, the promise resolved with ${String(value)}`);
}

/**
 * What an action leaves as unhandled rejections: looked for until the event loop has gone round twice after it.
 * While it runs, the test runner does not see them.
 */
export async function unhandledRejections(action: () => unknown): Promise<unknown[]> {
  const seen: unknown[] = [];
  const note = (reason: unknown): void => {
    seen.push(reason);
  };
  process.on('unhandledRejection', note);
  try {
    await action();
    for (let turn = 0; turn < 2; turn++) await new Promise(setImmediate);
  } finally {
    process.removeListener('unhandledRejection', note);
  }
  return seen;
}
