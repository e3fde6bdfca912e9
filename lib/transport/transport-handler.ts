/**
 * What a transport tells whoever uses it, and the handler of one that nobody uses.
 */

/** What happens on a transport. Each is called in the socket's own callback; none may throw. */
export interface TransportHandler {
  /**
   * Where the next bytes shall be read into; null for the shared scratch buffer. Asked right after each `onBytes`.
   */
  target(): Uint8Array | null;
  /** Bytes arrived. Unless `owned` they lie in the scratch buffer and are lent for the call. */
  onBytes(bytes: Buffer, owned: boolean): void;
  /** The peer sends no more (FIN, close_notify). Comes once, before `onClose`, and not behind an error. */
  onEnd(): void;
  /** Everything written has been taken by the socket, and a writer was told to wait. */
  onDrain(): void;
  /** A write failed: nothing more can be sent, what arrives is still read. */
  onWriteError(error: Error): void;
  /**
   * The socket is gone, with the error that ended it if there was one. Without an `onEnd` before it, that was no end: somebody closed.
   * Not called for `close()`.
   */
  onClose(error: Error | null): void;
}

/** The handler of a transport nobody uses: whatever happens on it ends it. */
export const NOBODY: TransportHandler = {
  target: () => null,
  onBytes() {},
  onEnd() {},
  onDrain() {},
  onWriteError() {},
  onClose() {},
};
