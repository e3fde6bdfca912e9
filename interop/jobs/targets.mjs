// Where each server keeps what the jobs ask for. A job that fits several servers is written once and runs over this table.
//   byLength, chunked  the payload files, framed by Content-Length or by chunks
//   packed             the same, gzip on request
//   store              takes PUT and gives the bytes back
//   small              takes no more than 64 KiB, and says so with 413
//   impatient          the connection is closed by the server when it has been idle for a second or less

const named = (folder) => (size) => `${folder}${size}.bin`;

export const TARGETS = [
  {
    server: 'nginx',
    byLength: named('/files/'),
    chunked: named('/chunked/'),
    packed: named('/packed/'),
    impatient: named('/impatient/'),
    store: '/dav/',
    small: '/small/upload',
    complaint: /413 Request Entity Too Large/,
  },
  {
    server: 'apache2',
    byLength: named('/files/'),
    chunked: (size) => `/cgi/file.cgi?${size}`,
    packed: named('/packed/'),
    impatient: named('/files/'),
    store: '/dav/',
    small: '/small/upload',
    complaint: /413 Request Entity Too Large/,
  },
  {
    server: 'haproxy',
    byLength: named('/files/'),
    chunked: named('/chunked/'),
    impatient: named('/files/'),
    store: '/dav/haproxy-',
    small: '/small/haproxy-upload',
    complaint: /413 Request Entity Too Large/,
  },
  {
    server: 'lighttpd',
    byLength: named('/files/'),
    chunked: (size) => `/cgi/file.cgi?${size}`,
    impatient: named('/files/'),
    store: '/dav/',
    small: '/small/upload',
    complaint: /413 Payload Too Large/,
  },
  {
    server: 'caddy',
    byLength: named('/files/'),
    packed: named('/packed/'),
    impatient: named('/files/'),
    store: '/dav/caddy-',
    small: '/small/caddy-upload',
    // Its own words from the head, none when the body grew too big.
    complaint: /^$|^too much for caddy$/,
  },
];

/** One job for each target that has all of `features`; `make` gets the target and gives the rest of the job. */
export const forTargets = (features, make) =>
  TARGETS.filter((target) => features.every((feature) => target[feature] !== undefined)).map((target) => ({
    server: target.server,
    ...make(target),
  }));
