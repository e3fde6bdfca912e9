// A self-signed certificate for 127.0.0.1, made anew for each server process by the openssl command, so that no
// private key stands in the repository. Answers null where openssl is not installed: the TLS rows are skipped.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export function makeCertificate() {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
  const keyFile = join(folder, 'key.pem');
  const certFile = join(folder, 'cert.pem');
  try {
    const made = spawnSync(
      'openssl',
      ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost'].concat([
        '-addext',
        'subjectAltName=DNS:localhost,IP:127.0.0.1',
        '-keyout',
        keyFile,
        '-out',
        certFile,
      ]),
      { stdio: 'ignore' },
    );
    if (made.status !== 0) return null;
    return { key: readFileSync(keyFile, 'latin1'), cert: readFileSync(certFile, 'latin1') };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
