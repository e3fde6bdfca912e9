/**
 * Run a command in a container through Docker's socket: JSON calls first, then the connection becomes the terminal's byte stream.
 *
 *   node docker-exec.mjs my-container ls -l /
 */
import { HTTPConnection } from 'millrace';

const [container, ...command] = process.argv.slice(2);
const socketPath = process.env.DOCKER_SOCKET ?? '/var/run/docker.sock';
const docker = new HTTPConnection('localhost', null, { socketPath });

async function call(path, body, fields = {}) {
  await docker.request('POST', path, JSON.stringify(body), { 'Content-Type': 'application/json', ...fields });
  return docker.getResponse();
}

const exec = { AttachStdin: true, AttachStdout: true, AttachStderr: true, Tty: true, Cmd: command };
const created = await call(`/containers/${container}/exec`, exec);
const { Id, message } = await created.json();
if (created.status !== 201) throw new Error(message);

const started = await call(`/exec/${Id}/start`, { Tty: true }, { Connection: 'Upgrade', Upgrade: 'tcp' });
if (started.status !== 101) throw new Error(await started.text());

const terminal = docker.detach();
process.stdin.pipe(terminal);
terminal.pipe(process.stdout);
