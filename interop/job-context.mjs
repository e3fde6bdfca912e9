// What a job gets to work with: the library under test, the addresses of the servers, the payloads, and connections that
// are closed when the job is over, whatever became of it. It holds no expectation of its own.
import { readFileSync } from 'node:fs';

export class JobContext {
  #open = [];

  constructor(millrace, world) {
    this.millrace = millrace;
    this.world = world;
  }

  /** The payload files: size → { size, name, path, sha256 }. */
  get files() {
    return this.world.files;
  }

  /** The certificate authority that signed every server's certificate, as PEM. */
  get authority() {
    return this.read('authority', 'cert');
  }

  read(certificate, part) {
    return readFileSync(this.world.certificates[certificate][part], 'utf8');
  }

  /** The loopback port `name` of `server`. */
  port(server, name = 'plain') {
    return this.world.endpoints.get(server).ports[name];
  }

  socketPath(server) {
    return this.world.endpoints.get(server).socket;
  }

  http(port, options) {
    return this.#keep(new this.millrace.HTTPConnection('127.0.0.1', port, options));
  }

  /** TLS to localhost, trusting the run's own authority. */
  https(port, options) {
    return this.#keep(
      new this.millrace.HTTPSConnection('localhost', port, { context: { ca: this.authority }, ...options }),
    );
  }

  pool(origin, options) {
    const pool = new this.millrace.HTTPConnectionPool(origin, {
      context: { ca: this.authority },
      ...options,
    });
    this.#open.push(() => pool.destroy());
    return pool;
  }

  client(options) {
    const client = new this.millrace.HTTPClient({ context: { ca: this.authority }, ...options });
    this.#open.push(() => client.destroy());
    return client;
  }

  #keep(connection) {
    this.#open.push(() => connection.close());
    return connection;
  }

  closeAll() {
    for (const close of this.#open.splice(0)) close();
  }
}
