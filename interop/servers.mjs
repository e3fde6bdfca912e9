// What each server is: its Debian packages, the programs it needs, its ports, its configuration and its command line.
// startServer() renders the configuration into the run's folder and starts the process; it knows nothing of the jobs.
// Servers that need another one (a proxy its origin) name it under `needs`: it is started first, and its ports can be
// used in the configuration as {{name.port}}.
import { chmodSync, chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { findProgram } from './install.mjs';
import { freePort, startProcess } from './process.mjs';

const MODULES = '/usr/lib/apache2/modules';
const LIGHTTPD = '/usr/lib/lighttpd';
const BASIC_AUTH = '/usr/lib/squid/basic_ncsa_auth';

const PYTHON = { packages: ['python3'], programs: ['python3'] };

export const SERVERS = [
  {
    name: 'http10',
    ...PYTHON,
    ports: ['plain'],
    command: ({ port, world }) => [
      ...['python3', '-m', 'http.server', port('plain'), '--bind', '127.0.0.1'],
      ...['--directory', join(world.web, 'files')],
    ],
  },
  {
    name: 'http11',
    ...PYTHON,
    ports: ['plain'],
    command: ({ port, world }) => [
      ...['python3', '-m', 'http.server', port('plain'), '--bind', '127.0.0.1'],
      ...['--directory', join(world.web, 'files'), '--protocol', 'HTTP/1.1'],
    ],
  },
  {
    name: 'stream',
    ...PYTHON,
    templates: ['stream.py'],
    ports: ['plain'],
    command: ({ file, port }) => ['python3', file('stream.py'), port('plain')],
  },
  {
    name: 'nginx',
    packages: ['nginx'],
    programs: ['nginx'],
    needs: ['http10', 'stream'],
    templates: ['nginx.conf'],
    ports: ['plain', 'tls', 'wrongName', 'mutual'],
    socket: true,
    command: ({ file, dir }) => ['nginx', '-e', join(dir, 'error.log'), '-p', dir, '-c', file('nginx.conf')],
  },
  {
    name: 'apache2',
    packages: ['apache2'],
    programs: ['apache2'],
    files: [`${MODULES}/mod_proxy_connect.so`],
    templates: ['apache2.conf', 'file.cgi'],
    values: { modules: MODULES },
    ports: ['plain', 'tls', 'proxy', 'guarded'],
    command: ({ file }) => ['apache2', '-D', 'FOREGROUND', '-f', file('apache2.conf')],
  },
  {
    name: 'haproxy',
    packages: ['haproxy'],
    programs: ['haproxy'],
    needs: ['nginx', 'http10', 'stream'],
    templates: ['haproxy.cfg'],
    ports: ['plain', 'tls'],
    command: ({ file }) => ['haproxy', '-db', '-f', file('haproxy.cfg')],
  },
  {
    name: 'lighttpd',
    packages: ['lighttpd', 'lighttpd-mod-openssl', 'lighttpd-mod-webdav'],
    programs: ['lighttpd'],
    files: [`${LIGHTTPD}/mod_openssl.so`, `${LIGHTTPD}/mod_webdav.so`],
    templates: ['lighttpd.conf', 'file.cgi'],
    ports: ['plain', 'tls'],
    command: ({ file }) => ['lighttpd', '-D', '-f', file('lighttpd.conf')],
  },
  {
    name: 'caddy',
    packages: ['caddy'],
    programs: ['caddy'],
    needs: ['nginx', 'http10', 'stream'],
    templates: ['Caddyfile'],
    ports: ['plain', 'tls'],
    command: ({ file }) => ['caddy', 'run', '--adapter', 'caddyfile', '--config', file('Caddyfile')],
  },
  {
    name: 'squid',
    packages: ['squid'],
    programs: ['squid'],
    files: [BASIC_AUTH],
    needs: ['nginx'],
    templates: ['squid.conf'],
    values: { basicAuth: BASIC_AUTH },
    ports: ['proxy', 'guarded'],
    command: ({ file }) => ['squid', '-N', '-f', file('squid.conf')],
  },
  {
    name: 'tinyproxy',
    packages: ['tinyproxy'],
    programs: ['tinyproxy'],
    needs: ['nginx'],
    templates: ['tinyproxy.conf'],
    ports: ['proxy'],
    command: ({ file }) => ['tinyproxy', '-d', '-c', file('tinyproxy.conf')],
  },
  {
    name: 'tinyproxy-guarded',
    packages: ['tinyproxy'],
    programs: ['tinyproxy'],
    needs: ['nginx'],
    templates: ['tinyproxy-guarded.conf'],
    ports: ['guarded'],
    command: ({ file }) => ['tinyproxy', '-d', '-c', file('tinyproxy-guarded.conf')],
  },
  {
    name: 'docker-registry',
    packages: ['docker-registry'],
    programs: ['docker-registry'],
    templates: ['docker-registry.yml'],
    ports: ['plain'],
    command: ({ file }) => ['docker-registry', 'serve', file('docker-registry.yml')],
  },
];

/** `names` and everything they need, in an order in which they can be started. */
export function withNeeds(names) {
  const wanted = new Set();
  const want = (name) => {
    for (const need of SERVERS.find((server) => server.name === name)?.needs ?? []) want(need);
    wanted.add(name);
  };
  names.forEach(want);
  return SERVERS.filter((server) => wanted.has(server.name));
}

function render(text, values, template) {
  return text.replace(/\{\{([\w.-]+)\}\}/g, (_, name) => {
    const value = values.get(name);
    if (value === undefined) throw new Error(`${template} asks for {{${name}}}, which nothing provides`);
    return String(value);
  });
}

/** Makes a folder that the servers may write to. */
export function makeFolder(world, path) {
  mkdirSync(path, { recursive: true });
  if (world.owner !== undefined) chownSync(path, world.owner.uid, world.owner.gid);
  return path;
}

function writeFor(world, path, text) {
  writeFileSync(path, text);
  if (world.owner !== undefined) chownSync(path, world.owner.uid, world.owner.gid);
}

function renderTemplates(server, values, dir, world) {
  for (const template of server.templates ?? []) {
    const source = readFileSync(new URL(`config/${template}`, import.meta.url), 'utf8');
    const isScript = template.endsWith('.cgi');
    const path = join(isScript ? world.cgi : dir, basename(template));
    writeFor(world, path, render(source, values, template));
    if (isScript) chmodSync(path, 0o755);
  }
}

async function tryToStart(server, world) {
  const dir = makeFolder(world, join(world.dir, server.name));
  const ports = {};
  for (const name of server.ports) ports[name] = await freePort();
  const socket = server.socket === true ? join(dir, 'listen.sock') : undefined;

  const values = new Map([
    ...world.values,
    ['dir', dir],
    ['web', world.web],
    ['store', world.store],
    ['cgi', world.cgi],
  ]);
  for (const [name, value] of Object.entries({ ...server.values, ...ports })) values.set(name, value);
  for (const [name, endpoint] of world.endpoints) {
    for (const [port, number] of Object.entries(endpoint.ports)) values.set(`${name}.${port}`, number);
  }
  if (socket !== undefined) values.set('socket', socket);
  renderTemplates(server, values, dir, world);

  const [program, ...args] = server.command({
    dir,
    world,
    port: (name) => String(ports[name]),
    file: (name) => join(dir, name),
  });
  await startProcess({
    name: server.name,
    command: findProgram(program),
    args,
    // HOME and the rest: an unprivileged user may have no home of its own, and the caller's would be unreadable.
    env: {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      LANG: 'C.UTF-8',
      HOME: dir,
      XDG_DATA_HOME: dir,
      XDG_CONFIG_HOME: dir,
    },
    cwd: dir,
    logFile: join(dir, 'output.log'),
    addresses: [
      ...Object.values(ports).map((port) => ({ port, host: '127.0.0.1' })),
      ...(socket === undefined ? [] : [{ path: socket }]),
    ],
    owner: world.owner,
  });
  return { ports, socket };
}

/** Starts one server of SERVERS; `world.endpoints` gains its { ports, socket }. A port lost to a stranger costs a second try. */
export async function startServer(server, world) {
  const endpoint = await tryToStart(server, world).catch(() => tryToStart(server, world));
  world.endpoints.set(server.name, endpoint);
}
