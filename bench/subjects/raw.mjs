// The floors: a bare socket that knows what is coming. Reads by `onread` into one static buffer, looks for the end
// of the head and nothing else in it, checks the body and counts it to the length it expects. No client can be
// much cheaper; none does less checking.
import net from 'node:net';
import tls from 'node:tls';
import { BodyCheck } from '../body-check.mjs';
import { checkCount, generated, inLoops, latencies } from './loops.mjs';

const READ_BYTES = 65536;
const shared = Buffer.allocUnsafeSlow(READ_BYTES);

/** One connection; `bytes` is the length of every body on it. */
class RawConnection {
  constructor(options) {
    this.check = new BodyCheck(options.bytes, options.period);
    this.bytes = options.bytes;
    this.left = -1; // body bytes still to come; -1 while reading a head
    this.received = null;
    const where = {
      host: '127.0.0.1',
      port: options.port,
      noDelay: true,
      onread: { buffer: shared, callback: (size, buffer) => this.#read(buffer.subarray(0, size)) },
    };
    this.socket = options.ca ? tls.connect({ ...where, ca: options.ca }) : net.connect(where);
    this.socket.on('error', (error) => this.reject(error));
  }

  #read(bytes) {
    let body = bytes;
    if (this.left < 0) {
      const end = bytes.indexOf('\r\n\r\n');
      if (end < 0) this.reject(new Error('the head came in more than one read'));
      body = bytes.subarray(end + 4);
      this.left = this.bytes;
    }
    this.check.piece(body);
    this.left -= body.length;
    if (this.left === 0) {
      this.left = -1;
      this.resolve();
    }
    return true;
  }

  exchange(head) {
    return new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
      this.socket.write(head, 'latin1');
    });
  }

  async once(path) {
    await this.exchange(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
    this.check.end();
  }
}

export function get(options) {
  const all = Array.from({ length: options.connections }, () => new RawConnection(options));
  return {
    run: (count) =>
      inLoops(all, count, async (connection, budget) => {
        while (budget.left-- > 0) await connection.once('/');
      }),
  };
}

export function latency(options) {
  const connection = new RawConnection(options);
  return { run: (count) => latencies(() => connection.once('/'), count) };
}

export function download(options) {
  const connection = new RawConnection(options);
  return {
    async run(count) {
      for (let i = 0; i < count; i++) await connection.once(options.path);
    },
  };
}

/** Writes by hand: `socket.write` for every piece, 'drain' whenever it says so; by length, so no framing at all. */
async function uploadOnce(socket, options, mayWriteMore) {
  const reply = new Promise((resolve, reject) => {
    let text = '';
    socket.on('error', reject);
    socket.on('data', function collect(bytes) {
      text += bytes.latin1Slice();
      const [, body] = text.split('\r\n\r\n');
      if (body === undefined || body.length < Number(/content-length: (\d+)/i.exec(text)[1])) return;
      socket.off('data', collect);
      socket.off('error', reject);
      resolve(body);
    });
  });
  socket.write(`PUT /sink HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${options.bytes}\r\n\r\n`, 'latin1');
  for await (const piece of generated(options.bytes, options.pieceBytes)) {
    if (!mayWriteMore(socket, socket.write(piece)))
      await new Promise((resolve) => socket.once('drain', resolve));
  }
  checkCount(await reply, options.bytes);
}

function uploadBy(mayWriteMore) {
  return (options) => {
    const socket = net.connect({ host: '127.0.0.1', port: options.port, noDelay: true });
    return {
      async run(count) {
        for (let i = 0; i < count; i++) await uploadOnce(socket, options, mayWriteMore);
      },
    };
  };
}

/** As the documentation of `write` says. */
export const upload = uploadBy((socket, more) => more);

/** Waits only when bytes are really left in the socket: `write` says false even when the kernel took them all. */
export const uploadByLength = uploadBy((socket) => socket.writableLength < 65536);

/** Each unit opens one more connection, does one exchange on it and leaves it idle. */
export function idle(options) {
  const kept = [];
  return {
    async run(count) {
      for (let i = 0; i < count; i++) {
        const connection = new RawConnection(options);
        kept.push(connection);
        await connection.once('/');
      }
    },
  };
}
