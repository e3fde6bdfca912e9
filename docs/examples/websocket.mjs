/**
 * A WebSocket over a connection of your own (through a tunnel, a Unix socket, with a certificate): the handshake is HTTP, and behind it
 * `ws` reads and writes the frames.
 *
 *   npm install ws
 *   node websocket.mjs localhost 8080 /chat
 */
import { createHash, randomBytes } from 'node:crypto';
import { HTTPConnection } from 'millrace';
import { Receiver, Sender } from 'ws';

const [host, port, path] = process.argv.slice(2);
const key = randomBytes(16).toString('base64');
const conn = new HTTPConnection(host, Number(port));
await conn.request('GET', path, null, {
  Connection: 'Upgrade',
  Upgrade: 'websocket',
  'Sec-WebSocket-Key': key,
  'Sec-WebSocket-Version': 13,
});
const response = await conn.getResponse();
const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
if (response.status !== 101 || response.getHeader('sec-websocket-accept') !== accept) {
  throw new Error(`no WebSocket: ${response.status} ${response.reason}`);
}

// What the server sent right behind its head comes first out of the stream.
const stream = conn.detach();
const receiver = new Receiver({ isServer: false, maxPayload: 1024 * 1024 });
const sender = new Sender(stream);
receiver.on('message', (data) => console.log(`received: ${data}`));
receiver.on('ping', (data) => sender.pong(data, true));
receiver.on('conclude', (code) => sender.close(code, undefined, true, () => stream.end()));
receiver.on('error', (error) => stream.destroy(error));
stream.pipe(receiver);

sender.send('hello', { binary: false, compress: false, fin: true, mask: true });
