/**
 * Where TLS is set up, for a dialled address as over another stream; and `node:tls` itself, loaded when it is first needed: it takes
 * longer to load than the whole of the rest.
 *
 * It decides nothing about who is verified. Node calls a caller's functions inside its own callbacks, where what they throw would end
 * the process: here it fails the handshake.
 */
import type { Duplex } from 'node:stream';
import type * as tls from 'node:tls';

export function loadTLS(): typeof tls {
  return process.getBuiltinModule('node:tls');
}

/**
 * @param where - what is dialled, or the stream that it runs over; wins over what `options` say about it
 * @param onThrow - told what a function of the caller's has thrown; the handshake is to be given up. Never called synchronously
 * @throws what Node throws for options that cannot be used
 */
export function startTLS(
  options: tls.ConnectionOptions,
  where: tls.ConnectionOptions | { socket: Duplex },
  onThrow: (error: Error) => void,
): tls.TLSSocket {
  const { socket: _socket, path: _path, lookup: _lookup, ...settings } = options;
  const { checkServerIdentity: check, pskCallback: psk } = settings;
  const guarded: tls.ConnectionOptions = { ...settings };
  if (check !== undefined) {
    guarded.checkServerIdentity = (host, certificate) => {
      try {
        const answer: unknown = check(host, certificate);
        return answer === undefined || answer === null ? undefined : refusal(answer);
      } catch (error) {
        return refusal(error);
      }
    };
  }
  if (psk !== undefined) {
    guarded.pskCallback = (hint): tls.PSKCallbackNegotation | null => {
      try {
        return psk(hint);
      } catch (error) {
        process.nextTick(onThrow, error);
        return null;
      }
    };
  }
  return loadTLS().connect({ ...guarded, ...where });
}

/** Whatever a check of names gives that is not "all right" refuses, a promise too: Node does not wait for one. */
function refusal(answer: unknown): Error {
  // Not `instanceof`: under Jest, the program's errors are of another realm.
  if (Object.prototype.toString.call(answer) === '[object Error]') return answer as Error;
  const kind = typeof answer === 'object' ? 'an object' : String(answer);
  return new TypeError(`checkServerIdentity must return undefined or an Error, it gave ${kind}`, {
    cause: answer,
  });
}
