/**
 * Runs a program on a pseudo-terminal, as a person does: with a width that may change, and keys. Python makes the terminal, because Node
 * cannot without a compiled module; what the program writes comes back byte for byte, and the screen that it leaves can be asked for.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { buffer } from 'node:stream/consumers';

import { commandFile, plainEnvironment, sideBySide } from './millrace-command.js';

/** Opens a terminal of that size for the program; `size N`, `type TEXT` on standard input; its status is the program's. */
const PYTHON = `
import fcntl, os, pty, select, signal, struct, sys, termios
def size(columns): fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack('HHHH', 24, columns, 0, 0))
pid, master = pty.fork()
if pid == 0:
    os.read(0, 1)
    os.execvp(sys.argv[2], sys.argv[2:])
size(int(sys.argv[1]))
os.write(master, b'\\n')
inputs = [master, 0]
while True:
    ready, _, _ = select.select(inputs, [], [])
    if 0 in ready:
        text = os.read(0, 4096)
        if not text: inputs.remove(0)
        for line in text.decode().split('\\n'):
            if line.startswith('size '):
                size(int(line[5:]))
                os.kill(pid, signal.SIGWINCH)
            if line.startswith('type '): os.write(master, line[5:].encode().decode('unicode_escape').encode())
    if master in ready:
        try: text = os.read(master, 65536)
        except OSError: break
        if not text: break
        os.write(1, text)
_, status = os.waitpid(pid, 0)
sys.exit(os.waitstatus_to_exitcode(status) & 255)
`;

/** What a program left on a terminal. */
export interface Screening {
  readonly status: number | null;
  /** Everything that was written, as it came. */
  readonly raw: string;
  /** Each picture of each line, in order: what stood there when it was drawn anew or ended. */
  readonly pictures: readonly string[];
  /** The lines that stand on the screen at the end, without the empty one that the cursor is on. */
  readonly screen: readonly string[];
}

export interface TerminalOptions {
  readonly columns?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Called with a function that talks to the terminal: `size 40`, `type \\x03`. */
  readonly onTerminal?: (say: (line: string) => void) => void;
  /** A line for the shell, in which `millrace` is the command, in the place of its arguments. */
  readonly line?: string;
}

/** Runs the command on a terminal. */
export function onTerminal(args: readonly string[], options: TerminalOptions = {}): Promise<Screening> {
  const { columns = 80, env, cwd, line } = options;
  const program =
    line === undefined
      ? [process.execPath, commandFile(), ...args]
      : ['bash', '--norc', '-c', `${prelude()}\n${line}`];
  return sideBySide(async () => {
    const child = spawn('python3', ['-c', PYTHON, String(columns), ...program], {
      cwd,
      env: { ...plainEnvironment(), TERM: 'xterm-256color', ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    child.stdin.on('error', () => undefined);
    options.onTerminal?.((text) => child.stdin.write(`${text}\n`));
    const [bytes, [status]] = await Promise.all([
      buffer(child.stdout),
      once(child, 'close') as Promise<[number | null]>,
    ]);
    // The line that the program was started with is echoed first.
    const raw = bytes.toString().replace(/^\r\n/, '');
    return { status, raw, ...drawn(raw) };
  });
}

function prelude(): string {
  return `millrace() { "${process.execPath}" "${commandFile()}" "$@"; }`;
}

/** Plays what was written on a screen that knows as much as the command may use. */
function drawn(raw: string): { pictures: string[]; screen: string[] } {
  const pictures: string[] = [];
  const screen: string[] = [];
  let line = '';
  let column = 0;
  // oxlint-disable-next-line no-control-regex
  for (const [token] of raw.matchAll(/\u001B\[[0-9;]*[A-Za-z]|\r|\n|[^\r\n\u001B]+/g)) {
    if (token === '\r') column = 0;
    else if (token === '\n') {
      pictures.push(line);
      screen.push(line);
      line = '';
    } else if (token === '\u001B[K') {
      if (line !== '') pictures.push(line);
      line = line.slice(0, column);
    } else if (token.startsWith('\u001B') && token.endsWith('m')) continue;
    else if (token.startsWith('\u001B')) throw new Error(`the screen does not know ${JSON.stringify(token)}`);
    else {
      line = line.slice(0, column) + token + line.slice(column + token.length);
      column += token.length;
    }
  }
  if (line !== '') screen.push(line);
  return { pictures, screen };
}
