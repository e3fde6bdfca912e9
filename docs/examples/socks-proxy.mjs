/**
 * Requests through a SOCKS proxy, such as `ssh -D 1080 somewhere` or Tor. The package `socks` opens the streams; anything else that gives a
 * Duplex can stand in its place.
 *
 *   npm install socks
 *   node socks-proxy.mjs 127.0.0.1:1080 http://example.org/
 */
import { HTTPClient } from 'millrace';
import { SocksClient } from 'socks';

const [proxy, url] = process.argv.slice(2);
const [proxyHost, proxyPort] = proxy.split(':');

const client = new HTTPClient({
  // Asked for each new connection. The name is resolved by the proxy; TLS, when it is https, runs over what is given.
  createConnection: async ({ host, port, signal }) => {
    const { socket } = await SocksClient.createConnection({
      proxy: { host: proxyHost, port: Number(proxyPort), type: 5 },
      command: 'connect',
      destination: { host, port },
    });
    // Too late: nobody waits for it any more.
    if (signal.aborted) socket.destroy();
    return socket;
  },
});

const response = await client.request('GET', url);
console.log(response.status, await response.text());
await client.close();
