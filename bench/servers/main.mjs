// The server process of the bench: one plain and one TLS origin on free loopback ports. Says where they are in
// one line of JSON and serves until its standard input ends. Runs alone on its core, apart from the clients.
import net from 'node:net';
import tls from 'node:tls';
import { makeCertificate } from './certificate.mjs';
import { OriginConnection } from './origin.mjs';

const certificate = makeCertificate();
const secure = certificate && tls.createServer(certificate);
const tunnel = secure ? (socket) => secure.emit('connection', socket) : (socket) => socket.destroy();
secure?.on('secureConnection', (socket) => new OriginConnection(socket, tunnel));
secure?.on('tlsClientError', () => {});

const plain = net.createServer({ noDelay: true }, (socket) => new OriginConnection(socket, tunnel));

const listen = (server) =>
  new Promise((resolve) => server.listen(0, '127.0.0.1', 4096, () => resolve(server.address().port)));

const port = await listen(plain);
const tlsPort = secure ? await listen(secure) : null;
process.stdout.write(`${JSON.stringify({ port, tlsPort, ca: certificate?.cert ?? null })}\n`);
process.stdin.on('end', () => process.exit(0)).resume();
