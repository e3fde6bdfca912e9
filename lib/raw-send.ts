/**
 * `send`: a body's bytes into a transport as they are, without framing.
 */
import { planBody } from './request-body.js';
import type { RequestBody } from './request-body.js';
import type { Transport } from './transport/transport.js';
import { Upload } from './upload.js';

/** @param count - told of each piece before it is written; may throw to refuse it */
export async function sendRaw(
  transport: Transport,
  data: RequestBody,
  blocksize: number,
  count: (bytes: number) => void,
): Promise<void> {
  const body = await planBody(data, null, blocksize);
  if (body === null) return;
  if (body.bytes !== null) count(body.bytes.length);
  await new Promise<void>((resolve, reject) => {
    const upload = new Upload(body, {
      target: {
        write: (bytes) => {
          if (body.bytes === null) count(bytes.length);
          const room = transport.write(bytes);
          if (!room) transport.onceFlushed(() => upload.resume());
          return room;
        },
      },
      encoder: null,
      declared: null,
      onFinish: resolve,
      onFailure: reject,
    });
    upload.start();
  });
}
