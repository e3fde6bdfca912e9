/**
 * A reverse proxy: bodies stream both ways, as fast as the slower side takes them, and nothing is kept in memory.
 *
 *   node reverse-proxy.mjs http://localhost:3000 8080
 */
import { createServer } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { HTTPConnectionPool } from 'millrace';

const [origin, port] = process.argv.slice(2);
const pool = new HTTPConnectionPool(origin, {
  maxConnections: 100,
  timeout: { connect: 5000, response: 60_000 },
});

// Fields that are for one connection only (RFC 9110 §7.6.1), and so are those that Connection names. The body is framed anew.
const HOP_BY_HOP = [
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
];

function forwarded(fields) {
  const dropped = new Set(HOP_BY_HOP);
  for (const [name, value] of fields) {
    if (name.toLowerCase() === 'connection')
      for (const named of value.split(',')) dropped.add(named.trim().toLowerCase());
  }
  return fields.filter(([name]) => !dropped.has(name.toLowerCase()));
}

const server = createServer(async (incoming, outgoing) => {
  // A client that goes away takes its request with it. Behind the end of an exchange the signal does nothing.
  const gone = new AbortController();
  outgoing.once('close', () => gone.abort());
  try {
    const fields = [];
    for (let i = 0; i < incoming.rawHeaders.length; i += 2) fields.push(incoming.rawHeaders.slice(i, i + 2));
    const hasBody = 'content-length' in incoming.headers || 'transfer-encoding' in incoming.headers;
    // When the origin answers early (a 413, say), the rest of the body is not sent. The client's connection must survive that.
    const body = hasBody ? incoming.iterator({ destroyOnReturn: false }) : null;

    const response = await pool.request(incoming.method, incoming.url, body, forwarded(fields), {
      signal: gone.signal,
    });
    outgoing.writeHead(response.status, response.reason, forwarded(response.getHeaders()).flat());
    await pipeline(response, outgoing);
  } catch (error) {
    if (gone.signal.aborted) return;
    console.error(error.message);
    // Once the head is out, only a broken connection tells the client that the body is not whole.
    if (outgoing.headersSent) outgoing.destroy();
    else outgoing.writeHead(502, { Connection: 'close' }).end('bad gateway\n');
  } finally {
    // What the client still sends behind an early answer is dropped, so that its next request is seen. (The iterator may hold on to
    // the stream for one piece more, and resume() would do nothing until then.)
    incoming.on('data', () => {});
  }
});
server.listen(Number(port), '127.0.0.1', () => console.log(`listening on ${server.address().port}`));
