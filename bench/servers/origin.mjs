// One server side of one connection, over any Duplex (TCP, TLS, the inside of a tunnel): reads request heads,
// counts upload bytes (Content-Length, or a real de-chunking), and answers bytes built beforehand by path:
//   GET  /                     a small reply             GET  /length/BYTES     a body by length
//   GET  /chunked/BYTES/CHUNK  a chunked body            PUT|POST /sink         200 with the count of body bytes
//   PUT|POST /echo             a chunked body back as it comes
//   …?slow=MS&every=BYTES      the same, but sending or reading pauses for MS after each BYTES
//   CONNECT                    200, and then TLS by the `tunnel` function on the very same socket
// Only good enough for the clients of this bench: not a server to learn from.
import { chunkedReply, countReply, lengthReply, notFoundReply, smallReply } from './bodies.mjs';
import { ChunkCounter } from './chunk-counter.mjs';

const SPACE = 0x20;
const SLASH = 0x2f;
const LF = 0x0a;

export class OriginConnection {
  constructor(socket, tunnel) {
    this.socket = socket;
    this.tunnel = tunnel;
    this.head = null; // bytes of an unfinished head
    this.counter = null; // the request body being counted
    this.pace = null;
    this.echoes = false;
    this.sincePause = 0;
    socket.on('data', (bytes) => this.#read(bytes));
    socket.on('error', () => socket.destroy());
  }

  #read(bytes) {
    if (this.counter !== null) this.#readBody(bytes);
    else if (
      this.head === null &&
      bytes.length > 18 &&
      bytes[4] === SLASH &&
      bytes[5] === SPACE &&
      bytes[bytes.length - 1] === LF &&
      bytes[bytes.length - 3] === LF
    ) {
      this.socket.write(smallReply); // a whole `GET / …` in one piece: nothing to look for
    } else this.#readHead(bytes);
  }

  #readHead(bytes) {
    const all = this.head === null ? bytes : Buffer.concat([this.head, bytes]);
    const end = all.indexOf('\r\n\r\n');
    if (end < 0) {
      this.head = all;
      return;
    }
    this.head = null;
    const text = all.latin1Slice(0, end);
    const [method, target] = text.slice(0, text.indexOf('\r\n')).split(' ');
    if (method === 'CONNECT') {
      this.socket.removeAllListeners('data');
      this.socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      this.tunnel(this.socket);
      return;
    }
    const [path, query] = target.split('?');
    const pace = new URLSearchParams(query);
    this.echoes = path === '/echo';
    if (this.echoes) this.socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
    this.pace = query ? { ms: Number(pace.get('slow')), every: Number(pace.get('every')) } : null;
    const length = /\r\ncontent-length: *(\d+)/i.exec(text);
    if (/\r\ntransfer-encoding: *chunked/i.test(text)) this.counter = new ChunkCounter();
    else if (length !== null && Number(length[1]) > 0) this.counter = new LengthCounter(Number(length[1]));
    if (this.counter === null) this.#answer(method, path);
    else if (end + 4 < all.length) this.#readBody(all.subarray(end + 4));
  }

  #readBody(bytes) {
    this.counter.write(bytes);
    if (this.echoes) {
      if (this.counter.done) this.counter = null;
      if (this.socket.write(bytes)) return;
      this.socket.pause();
      this.socket.once('drain', () => this.socket.resume());
      return;
    }
    if (this.counter.done) {
      this.socket.write(countReply(this.counter.count), 'latin1');
      this.counter = null;
      return;
    }
    if (this.pace === null) return;
    this.sincePause += bytes.length;
    if (this.sincePause < this.pace.every) return;
    this.sincePause = 0;
    this.socket.pause();
    setTimeout(() => this.socket.resume(), this.pace.ms);
  }

  #answer(method, path) {
    const [, kind, bytes, chunk] = path.split('/');
    if (path === '/') this.socket.write(smallReply);
    else if (kind === 'length') this.#send(lengthReply(Number(bytes)));
    else if (kind === 'chunked') this.#send(chunkedReply(Number(bytes), Number(chunk)));
    else if (kind === 'sink') this.socket.write(countReply(0), 'latin1');
    else this.socket.write(notFoundReply, 'latin1');
  }

  #send(pieces) {
    const { socket, pace } = this;
    // Not for…of: leaving such a loop would end the generator, which goes on after the pause.
    for (let next; !(next = pieces.next()).done;) {
      const piece = next.value;
      const more = socket.write(piece);
      this.sincePause += piece.length;
      if (pace !== null && this.sincePause >= pace.every) {
        this.sincePause = 0;
        setTimeout(() => this.#send(pieces), pace.ms);
        return;
      }
      if (!more) {
        socket.once('drain', () => this.#send(pieces));
        return;
      }
    }
  }
}

class LengthCounter {
  constructor(expected) {
    this.expected = expected;
    this.count = 0;
    this.done = false;
  }

  write(bytes) {
    this.count += bytes.length;
    this.done = this.count >= this.expected;
  }
}
