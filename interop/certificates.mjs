// Makes the run's own certificate authority and the certificates under it with the openssl program, fresh at each start
// and valid for two days: no private key is ever kept in the repository.
// localhost.pem names what the servers really are; elsewhere.pem names another host, for the check that must fail.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);

const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

async function makeAuthority(openssl, folder, name) {
  const [cert, key] = [join(folder, `${name}.pem`), join(folder, `${name}.key`)];
  await execute(openssl, [
    ...['req', '-x509', ...KEY, '-days', '2', '-subj', `/CN=millrace interop ${name}`],
    ...['-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign'],
    ...['-keyout', key, '-out', cert],
  ]);
  return { cert, key };
}

async function makeCertificate(openssl, folder, name, authority, subjectAltName) {
  const [cert, key, both] = ['pem', 'key', 'both.pem'].map((end) => join(folder, `${name}.${end}`));
  await execute(openssl, [
    ...['req', '-x509', ...KEY, '-days', '2', '-subj', `/CN=${name}`],
    ...['-CA', authority.cert, '-CAkey', authority.key],
    ...['-addext', `subjectAltName=${subjectAltName}`, '-addext', 'basicConstraints=critical,CA:FALSE'],
    ...['-keyout', key, '-out', cert],
  ]);
  return { cert, key, both };
}

/** Resolves with the paths of all files made in `folder`: { authority, localhost, elsewhere, client }. */
export async function makeCertificates(openssl, folder) {
  const authority = await makeAuthority(openssl, folder, 'authority');
  const [localhost, elsewhere, client] = await Promise.all([
    makeCertificate(openssl, folder, 'localhost', authority, 'DNS:localhost,IP:127.0.0.1'),
    makeCertificate(openssl, folder, 'elsewhere', authority, 'DNS:elsewhere.test'),
    makeCertificate(openssl, folder, 'client', authority, 'DNS:client.test'),
  ]);
  return { authority, localhost, elsewhere, client };
}
