/**
 * A TLS server's side of a connection whose plain socket stays in reach, so that a forged record can be put between its own.
 */
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import * as tls from 'node:tls';
import { FORGED_RECORD } from '../../support/garbling-relay.js';
import { identity } from '../../support/raw-server.js';

const CONTEXT = tls.createSecureContext(identity('server'));

const raws = new WeakMap<object, Socket>();

/** Speaks TLS over the socket. */
export function garblable(raw: Socket): tls.TLSSocket {
  raw.on('error', () => undefined);
  const line = new Duplex({
    allowHalfOpen: true,
    read() {
      raw.resume();
    },
    write(bytes: Buffer, _encoding, done) {
      if (raw.writable) raw.write(bytes, () => done());
      else done();
    },
    final(done) {
      raw.end(() => done());
    },
    destroy(error, done) {
      raw.destroy();
      done(error);
    },
  });
  raw.on('data', (bytes: Buffer) => {
    if (!line.push(bytes)) raw.pause();
  });
  raw.on('end', () => line.push(null));
  raw.on('close', () => line.destroy());
  line.on('error', () => undefined);
  const secure = new tls.TLSSocket(line, { isServer: true, secureContext: CONTEXT });
  raws.set(secure, raw);
  return secure;
}

/** Puts a forged record behind what was written; false where that cannot be. */
export function garble(socket: Socket): boolean {
  const raw = raws.get(socket);
  if (raw === undefined) return false;
  setImmediate(() => {
    if (raw.writable) raw.end(FORGED_RECORD);
  });
  return true;
}
