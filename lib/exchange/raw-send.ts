/**
 * `send`: a body's bytes into a transport as they are, without framing. It ends with its connection, and tells its source.
 */
import { NotConnected } from '../errors.js';
import type { BodyPlan } from '../request/body.js';
import type { Transport } from '../transport/transport.js';
import { Upload } from '../request/upload.js';

export class RawSend {
  /** Settles when all was handed to the socket, or with what ended it. */
  readonly done: Promise<void>;
  readonly #upload: Upload;
  #settle: ((error: Error | null) => void) | null = null;

  /** @param count - told of each piece before it is written; may throw to refuse it */
  constructor(body: BodyPlan, transport: Transport, count: (bytes: number) => void) {
    this.done = new Promise((resolve, reject) => {
      this.#settle = (error) => {
        if (error === null) resolve();
        else reject(error);
      };
    });
    const write = (bytes: Uint8Array): boolean => {
      if (transport.closed || transport.writeError !== null) {
        this.stop(transport.writeError ?? new NotConnected('the connection was closed'));
        return false;
      }
      const room = transport.write(bytes);
      if (!room) transport.onceFlushed(() => this.#upload.resume());
      return room;
    };
    this.#upload = new Upload(body, {
      target: { write },
      encoder: null,
      declared: null,
      count,
      onFinish: () => this.#end(null),
      onFailure: (error) => this.#end(error),
    });
  }

  start(): this {
    this.#upload.start();
    return this;
  }

  /** Nothing more is sent; `null` when that is no failure. */
  stop(error: Error | null): void {
    this.#upload.stop();
    this.#end(error);
  }

  #end(error: Error | null): void {
    const settle = this.#settle;
    this.#settle = null;
    settle?.(error);
  }
}
