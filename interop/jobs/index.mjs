// All jobs, in the order in which the report names them: by server, then by theme.
// A job is { server, title, run, needs?, limitMs? }: `server` is its name in the report, `needs` the processes it
// talks to (by default the one of that name).
import { connections } from './connections.mjs';
import { downloads } from './downloads.mjs';
import { events } from './events.mjs';
import { pools } from './pools.mjs';
import { proxies } from './proxies.mjs';
import { registry } from './registry.mjs';
import { resuming } from './resuming.mjs';
import { tls } from './tls.mjs';
import { uploads } from './uploads.mjs';

export const REPORTED = [
  'nginx',
  'apache2',
  'haproxy',
  'lighttpd',
  'caddy',
  'python3',
  'squid',
  'tinyproxy',
  'docker-registry',
];

const themes = [downloads, resuming, uploads, connections, pools, tls, proxies, events, registry].flat();

export const JOBS = REPORTED.flatMap((server) => themes.filter((job) => job.server === server));
