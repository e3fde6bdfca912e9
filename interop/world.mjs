// One run's own corner of the machine: a fresh temp folder with the payloads, the certificates, the password file and the
// folders that servers write to. All of it belongs to an unprivileged user when the run is root's, since several
// servers refuse to serve as root, and none of them needs to.
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeCertificates } from './certificates.mjs';
import { writeFixtures } from './fixtures.mjs';
import { makeFolder } from './servers.mjs';

export const CREDENTIALS = { user: 'miller', password: 'grist-to-the-mill' };

function unprivilegedOwner() {
  if (process.getuid?.() !== 0) return undefined;
  const entry = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((line) => line.startsWith('nobody:'));
  const [, , uid, gid] = entry?.split(':') ?? [];
  return uid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) };
}

/** Builds the folder; `remove()` takes it away again. */
export async function makeWorld(openssl) {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-interop-'));
  const remove = () => rmSync(dir, { recursive: true, force: true });
  try {
    const world = { dir, remove, owner: unprivilegedOwner(), endpoints: new Map(), values: new Map() };
    await furnish(world, openssl);
    return world;
  } catch (error) {
    remove();
    throw error;
  }
}

async function furnish(world, openssl) {
  const { dir, owner } = world;
  chmodSync(dir, 0o755);
  if (owner !== undefined) chownSync(dir, owner.uid, owner.gid);

  world.web = makeFolder(world, join(dir, 'web'));
  world.cgi = makeFolder(world, join(dir, 'cgi'));
  world.store = makeFolder(world, join(dir, 'store'));
  for (const name of ['dav', 'small', 'registry']) makeFolder(world, join(world.store, name));
  world.files = writeFixtures(makeFolder(world, join(world.web, 'files')));

  const folder = makeFolder(world, join(dir, 'certificates'));
  world.certificates = await makeCertificates(openssl, folder);
  for (const [name, { cert, key, both }] of Object.entries(world.certificates)) {
    world.values.set(`cert.${name}`, cert).set(`key.${name}`, key);
    if (both === undefined) continue;
    writeFileSync(both, readFileSync(cert, 'utf8') + readFileSync(key, 'utf8'));
    world.values.set(`both.${name}`, both);
  }
  const hash = execFileSync(openssl, ['passwd', '-apr1', CREDENTIALS.password], { encoding: 'utf8' }).trim();
  const passwords = join(folder, 'passwords');
  writeFileSync(passwords, `${CREDENTIALS.user}:${hash}\n`);
  world.values.set('passwords', passwords);
  world.values.set('user', CREDENTIALS.user).set('password', CREDENTIALS.password);
  if (owner !== undefined) {
    for (const name of readdirSync(folder)) chownSync(join(folder, name), owner.uid, owner.gid);
  }
}
