/**
 * How TLS peers are verified is settled when a connection is made: what cannot be used is refused then, what a caller's function throws
 * later fails the handshake, and nothing that an object inherits counts.
 */
import * as tls from 'node:tls';
import { expect } from 'chai';
import { HTTPConnection, HTTPSConnection } from '../../lib/index.js';
import type { HTTPConnectionOptions, HTTPSConnectionOptions } from '../../lib/index.js';
import { answer, authority, identity, OK, rawServer, rawTLSServer } from '../support/raw-server.js';
import { rejection, unhandledRejections } from '../support/rejection.js';
import { DUPLEX, lineTo, proxyTo, TRUSTING } from '../support/transports.js';

async function get(connection: HTTPConnection): Promise<string> {
  await connection.request('GET', '/');
  return (await connection.getResponse()).text();
}

describe('a TLS context that cannot be used', () => {
  const TABLE: [name: string, context: unknown][] = [
    ['a key that is none', { key: 'no key', cert: 'no certificate' }],
    ['a key without its certificate’s', { key: identity('server').key, cert: identity('other').cert }],
    ['ciphers that do not exist', { ciphers: 'NO-SUCH-CIPHER' }],
    ['a version that does not exist', { minVersion: 'TLSv9' }],
    ['a text', 'trust me'],
    ['null', null],
  ];
  for (const [name, context] of TABLE) {
    it(`is refused by the constructor: ${name}`, () => {
      const options = { context } as HTTPSConnectionOptions;
      expect(() => new HTTPSConnection('x.test', 443, options)).to.throw(Error);
      const proxied = { proxyTLS: { context } } as HTTPConnectionOptions;
      expect(() => new HTTPConnection('x.test', 80, proxied)).to.throw(Error);
      if (typeof context !== 'object' || context === null) return;
      const flat = { proxyTLS: context } as HTTPConnectionOptions;
      expect(() => new HTTPConnection('x.test', 80, flat)).to.throw(Error);
    });
  }
});

describe('an option of the wrong kind', () => {
  const SECURE: Record<string, unknown>[] = [
    { servername: 1 },
    { checkServerIdentity: true },
    { rejectUnauthorized: 'no' },
    { rejectUnauthorized: null },
    { session: 'ticket' },
  ];
  const PLAIN: Record<string, unknown>[] = [
    { lookup: 'dns' },
    { createConnection: {} },
    { createConnection: null },
    { onInformational: 1 },
    { socketPath: 7 },
    { socketPath: '' },
    { defaultCharset: 'utf-16' },
    { proxyTLS: 'yes' },
    { proxyTLS: null },
    { proxyTLS: { rejectUnauthorized: 0 } },
    { sourceAddress: 7 },
    { sourceAddress: [] },
    { sourceAddress: ['127.0.0.1', 65_536] },
    { sourceAddress: ['127.0.0.1', -1] },
    { sourceAddress: ['127.0.0.1', 1.5] },
    { sourceAddress: ['127.0.0.1', '80'] },
  ];
  for (const options of SECURE) {
    it(`is a TypeError of the constructor: ${JSON.stringify(options)}`, () => {
      expect(() => new HTTPSConnection('x.test', 443, options)).to.throw(TypeError);
    });
  }
  for (const options of PLAIN) {
    it(`is a TypeError of both constructors: ${JSON.stringify(options)}`, () => {
      expect(() => new HTTPConnection('x.test', 80, options)).to.throw(TypeError);
      expect(() => new HTTPSConnection('x.test', 443, options)).to.throw(TypeError);
    });
  }

  it('does not include undefined, in any option', () => {
    const names = [
      'timeout',
      'sourceAddress',
      'blocksize',
      'limits',
      'socketPath',
      'lookup',
      'createConnection',
    ];
    names.push('defaultCharset', 'proxyTLS', 'onInformational');
    const none = Object.fromEntries(names.map((name) => [name, undefined]));
    expect(() => new HTTPConnection('x.test', 80, none)).not.to.throw();
    const secure = ['context', 'servername', 'checkServerIdentity', 'rejectUnauthorized', 'session'];
    const all = { ...none, ...Object.fromEntries(secure.map((name) => [name, undefined])) };
    expect(() => new HTTPSConnection('x.test', 443, all)).not.to.throw();
  });

  it('says the nearest name of one that is not known, and TLS is none of a plain connection', () => {
    const misspelt = { createConection: () => undefined } as HTTPConnectionOptions;
    expect(() => new HTTPConnection('x.test', 80, misspelt)).to.throw(TypeError, /createConnection/);
    const secure = { rejectUnauthorized: false } as HTTPConnectionOptions;
    expect(() => new HTTPConnection('x.test', 80, secure)).to.throw(TypeError);
  });
});

describe('checkServerIdentity', () => {
  const own = new Error('I do not know you');
  const TABLE: [name: string, check: () => unknown, expected: (error: unknown) => boolean][] = [
    [
      'throws',
      () => {
        throw own;
      },
      (error) => error === own,
    ],
    [
      'throws what is no error',
      () => {
        // oxlint-disable-next-line typescript/only-throw-error -- what callers do
        throw 'no';
      },
      (error) => error instanceof TypeError,
    ],
    ['gives an error', () => own, (error) => error === own],
    ['gives a promise', () => Promise.resolve(), (error) => error instanceof TypeError],
    ['gives true', () => true, (error) => error instanceof TypeError],
  ];
  for (const [name, check, expected] of TABLE) {
    it(`that ${name} fails the opening, dialled, in a tunnel and over a stream, and nothing is uncaught`, async () => {
      const server = await rawTLSServer(answer(OK));
      const proxy = await proxyTo(server);
      const options = { context: TRUSTING, checkServerIdentity: check } as unknown as HTTPSConnectionOptions;
      const tunnelled = new HTTPSConnection('127.0.0.1', proxy.port, options);
      tunnelled.setTunnel('localhost', 443);
      const left = await unhandledRejections(async () => {
        for (const connection of [
          new HTTPSConnection('127.0.0.1', server.port, options),
          tunnelled,
          new HTTPSConnection('x.test', 443, { ...options, createConnection: () => lineTo(server) }),
        ]) {
          const error = await rejection(connection.request('GET', '/'));
          expect(expected(error), String(error)).to.equal(true);
          expect(connection.state).to.equal('Idle');
          expect(connection.socket).to.equal(null);
        }
      });
      expect(left).to.deep.equal([]);
      expect(server.requests).to.have.length(0);
    });
  }
});

describe('a polluted Object.prototype', () => {
  const prototype = Object.prototype as unknown as Record<string, unknown>;

  afterEach(() => {
    for (const name of ['rejectUnauthorized', 'checkServerIdentity', 'proxyTLS', 'createConnection']) {
      Reflect.deleteProperty(prototype, name);
    }
  });

  it('does not switch verification off, for a server, a proxy, or a server over a stream', async () => {
    const server = await rawTLSServer(answer(OK), { tls: identity('self-signed') });
    const proxy = await proxyTo(await rawServer(answer(OK)), { tls: identity('self-signed') });
    prototype['rejectUnauthorized'] = false;
    prototype['checkServerIdentity'] = () => undefined;
    const proxied = new HTTPConnection('localhost', proxy.port, { proxyTLS: {} });
    proxied.setTunnel('example.test', 80);
    const over = { createConnection: () => lineTo(server) };
    for (const connection of [
      new HTTPSConnection('localhost', server.port),
      new HTTPSConnection('localhost', server.port, {}),
      new HTTPSConnection('localhost', 443, over),
      proxied,
    ]) {
      expect(await rejection(connection.connect())).to.have.property('code', 'DEPTH_ZERO_SELF_SIGNED_CERT');
    }
  });

  it('gives a connection no options', async () => {
    const server = await DUPLEX.serve(answer(OK));
    prototype['createConnection'] = () => {
      throw new Error('polluted');
    };
    const connection = new HTTPConnection('127.0.0.1', server.port, {});
    expect(await get(connection)).to.equal('ok');
    connection.close();
  });
});

describe('proxyTLS', () => {
  it('takes everything that tls.connect takes', async () => {
    const server = await rawServer(answer(OK));
    const seen: {
      name: string | false;
      version: string | null;
      protocol: string | false;
      client: boolean;
    }[] = [];
    const proxy = await proxyTo(server, {
      tls: {
        ...identity('server'),
        requestCert: true,
        rejectUnauthorized: false,
        ca: authority(),
        ALPNProtocols: ['special', 'http/1.1'],
      },
      onConnection: (socket) => {
        const secure = socket as tls.TLSSocket & { servername: string | false };
        seen.push({
          name: secure.servername,
          version: secure.getProtocol(),
          protocol: secure.alpnProtocol ?? false,
          client: Object.keys(secure.getPeerCertificate()).length > 0,
        });
      },
    });
    const names: string[] = [];
    const connection = new HTTPConnection('127.0.0.1', proxy.port, {
      proxyTLS: {
        ca: authority(),
        ...identity('other'),
        maxVersion: 'TLSv1.2',
        servername: 'localhost',
        ALPNProtocols: ['special'],
        checkServerIdentity: (name) => {
          names.push(name);
          return undefined;
        },
        // Where to connect is the connection's own.
        host: 'elsewhere.test',
        port: 1,
        path: '/nowhere',
      },
    });
    connection.setTunnel('example.test', 80);
    expect(await get(connection)).to.equal('ok');
    expect(seen).to.deep.equal([
      { name: 'localhost', version: 'TLSv1.2', protocol: 'special', client: true },
    ]);
    expect(names).to.deep.equal(['localhost']);
    connection.close();
  });

  it('takes a secureContext, and runs over a stream that was given', async () => {
    const proxy = await proxyTo(await rawServer(answer(OK)), { tls: identity('server') });
    const connection = new HTTPConnection('localhost', 3128, {
      proxyTLS: { secureContext: TRUSTING },
      createConnection: () => lineTo(proxy),
    });
    connection.setTunnel('example.test', 80);
    await connection.connect();
    expect(connection.socket).to.be.instanceOf(tls.TLSSocket);
    connection.close();
  });
});
