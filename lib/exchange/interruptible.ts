/**
 * A wait that can be given up: for work that cannot be stopped, such as the read of a file, while its caller can be.
 */

export interface Interruptible<T> {
  /** Settles with the work, or with what ended the wait first. */
  result: Promise<T>;
  /** Gives the wait up. */
  end: (reason: unknown) => void;
}

/** @param signal - ends the wait with its reason; nothing stays on it */
export function interruptible<T>(work: Promise<T>, signal: AbortSignal | undefined): Interruptible<T> {
  let end: (reason: unknown) => void = ignore;
  const ended = new Promise<never>((_resolve, reject) => {
    end = reject;
  });
  const onAbort = (): void => {
    end(signal?.reason);
  };
  signal?.addEventListener('abort', onAbort);
  const result = Promise.race([work, ended]).finally(() => {
    signal?.removeEventListener('abort', onAbort);
  });
  return { result, end };
}

function ignore(): void {}
