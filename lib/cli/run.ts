/**
 * One run of the command: the course of events from the arguments to the exit status. It owns the order in which things happen and what
 * is tidied up when they do not; how each is done is elsewhere.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { ResumableDownload, type HTTPResponse } from '../index.js';
import { parseCommand, type Command, type Wish } from './arguments.js';
import { shellLine } from './command-line.js';
import {
  exitStatus,
  failureLine,
  Interrupted,
  NotTheRest,
  printable,
  Refused,
  STATUS,
  textOf,
  TimeRanOut,
  type ExitStatus,
} from './failure.js';
import { FileOutput, type KeptPart } from './file-output.js';
import { HeadWatch } from './head-watch.js';
import { helpText, version } from './help.js';
import { Meter } from './meter.js';
import { Progress } from './progress.js';
import { RequestSource } from './request-source.js';
import { StandardOutput } from './standard-output.js';
import { Terminal } from './terminal.js';
import { mayGoOn, transfer } from './transfer.js';

/** How long a stopped transfer is waited for: a thread that hangs in a FIFO never comes back. */
const STOP_MS = 500;

/** Does what the arguments say; resolves with the exit status, when everything is written. */
export async function run(args: readonly string[]): Promise<ExitStatus> {
  const terminal = new Terminal(process.stderr, process.env);
  let status: ExitStatus;
  try {
    const wish = parseCommand(args);
    status = typeof wish === 'string' ? await tell(wish) : await new Run(wish, args, terminal).perform();
  } catch (error) {
    status = exitStatus(error);
    if (status !== STATUS.done) terminal.line(`millrace: ${printable(textOf(error))}`);
  }
  await terminal.flush();
  return status;
}

/** Answers what is no request. */
async function tell(wish: Exclude<Wish, Command>): Promise<ExitStatus> {
  const output = new StandardOutput(() => undefined);
  await output.write(Buffer.from(wish === 'help' ? helpText() : `millrace ${version()}\n`));
  await output.flush();
  return STATUS.done;
}

/** A request, from the first file that is opened to the last one that is closed. */
class Run {
  readonly #command: Command;
  readonly #args: readonly string[];
  readonly #terminal: Terminal;
  readonly #stop = new AbortController();
  readonly #output: StandardOutput;
  readonly #down = new Meter();
  readonly #ways: { up: Meter | null; down: Meter | null } = { up: null, down: null };
  readonly #progress: Progress;
  readonly #watch: HeadWatch | null;
  #file: FileOutput | null = null;
  #source: RequestSource | null = null;
  #response: HTTPResponse | null = null;

  constructor(command: Command, args: readonly string[], terminal: Terminal) {
    this.#command = command;
    this.#args = args;
    this.#terminal = terminal;
    this.#output = new StandardOutput((error) => this.#stop.abort(error));
    const { quiet, progress, file, verbose } = command;
    const show = verbose ? (lines: Uint8Array) => terminal.bytes(lines) : null;
    this.#watch = verbose || command.include ? new HeadWatch(show) : null;
    // A body that a person reads as it comes is its own progress, and nothing may be drawn into it; what is sent before is shown.
    const visible = file !== null || command.body !== null || !this.#shared;
    this.#progress = new Progress(terminal, quiet || !visible ? 'none' : progress, this.#ways);
    this.#progress.refresh = () => this.#measure();
  }

  async perform(): Promise<ExitStatus> {
    const { totalMs } = this.#command;
    // Once: a second Ctrl-C ends the process at once.
    process.once('SIGINT', () => this.#stop.abort(new Interrupted()));
    const timer =
      totalMs === null
        ? undefined
        : setTimeout(() => this.#stop.abort(new TimeRanOut(totalMs, this.#doing)), totalMs);
    const running = this.#transfer();
    const settled = running.then(
      () => undefined,
      () => undefined,
    );
    try {
      await Promise.race([running, stopped(this.#stop.signal)]);
      return STATUS.done;
    } catch (error) {
      await Promise.race([settled, sleep(STOP_MS)]);
      return await this.#fail(this.#stop.signal.aborted ? this.#stop.signal.reason : error);
    } finally {
      clearTimeout(timer);
      this.#watch?.stop();
      // Not waited for: a read that hangs in a FIFO holds up the closing too, and the process ends anyway.
      void this.#source?.close();
    }
  }

  async #transfer(): Promise<void> {
    const command = this.#command;
    if (command.file !== null) this.#file = await FileOutput.prepare(command.file, command.goOn);
    if (command.body !== null) this.#source = await RequestSource.open(command.body);
    if (this.#source?.hasFiles === true && this.#progress.active)
      this.#ways.up = new Meter(this.#source.length);
    this.#progress.start();
    const from = this.#file?.from ?? null;
    const response = await transfer(command, {
      source: this.#source,
      up: this.#ways.up,
      resumable: this.#file?.partial === true && mayGoOn(command),
      from,
      signal: this.#stop.signal,
      watch: this.#watch,
    });
    this.#response = response;
    this.#watch?.final(response);
    // What came is no part of the file: neither FILE nor its part is touched.
    if (from !== null && !isRest(response)) throw new NotTheRest(response.status, response.reason);
    await this.#receive(response);
    this.#progress.end(true);
    if (from === null && response.status >= 400 && command.fail) {
      throw new Refused(response.status, response.reason);
    }
  }

  async #receive(response: HTTPResponse): Promise<void> {
    const file = this.#file;
    const before = file?.from?.position ?? 0;
    this.#down.total = response.length === null ? null : before + response.length;
    this.#down.start(before);
    const validator = response instanceof ResumableDownload ? response.validator : null;
    if (this.#command.include) {
      if (this.#shared) this.#progress.end(true);
      await this.#output.write(Buffer.concat(this.#watch?.heads ?? []));
    }
    if (file !== null) {
      this.#ways.down = this.#down;
      await file.begin(validator, this.#down.total);
      await file.receive(response, this.#down);
      await file.measure(this.#down);
      await file.complete();
    } else {
      if (this.#shared) this.#progress.end(true);
      else this.#ways.down = this.#down;
      for await (const piece of response) {
        await this.#output.write(piece);
        this.#down.add(piece.length);
      }
    }
    this.#down.finish();
    await this.#output.flush();
  }

  /** Brings the count of what was received up to date, while a file is written without our seeing the pieces. */
  #measure(): void {
    const response = this.#response;
    if (this.#file?.partial !== true || response === null) return;
    const { total } = this.#down;
    if (response instanceof ResumableDownload) this.#down.set(response.position);
    else if (total !== null && response.length !== null) this.#down.set(total - response.length);
  }

  async #fail(error: unknown): Promise<ExitStatus> {
    this.#progress.end(false);
    this.#watch?.stop();
    const status = exitStatus(error);
    await this.#file?.measure(this.#down);
    const kept = (await this.#file?.abandon()) ?? null;
    if (status === STATUS.done) return status;
    // What has come is the reader's, however slow it is; unless somebody has had enough.
    await Promise.race([this.#output.flush(), stopped(this.#stop.signal)]).catch(() => undefined);
    const { method, url } = this.#command;
    const reached = this.#response === null ? null : { received: this.#down.bytes, total: this.#down.total };
    this.#terminal.line(failureLine(`${method} ${shownURL(url)}`, error, reached));
    if (status === STATUS.interrupted && kept !== null && mayGoOn(this.#command)) {
      this.#terminal.line(this.#hint(kept));
    }
    return status;
  }

  /** Whether the body and the progress go to one terminal. */
  get #shared(): boolean {
    return this.#command.file === null && this.#output.isTerminal && process.stderr.isTTY;
  }

  get #doing(): string {
    return this.#response === null ? 'before there was a response' : 'while the body was read';
  }

  /** How to go on after an interruption: a line for the shell, the whole command. */
  #hint({ verifiable }: KeptPart): string {
    const words = this.#command.goOn ? this.#args : ['-C', ...this.#args];
    const caveat = verifiable ? '' : ' (from the beginning: the server gave no validator)';
    return `To go on${caveat}: ${shellLine(['millrace', ...words])}`;
  }
}

/** Whether an answer is what is missing of a file, or says that nothing is. */
function isRest(response: HTTPResponse): boolean {
  return response.status === 206 || (response.status === 416 && response.length === 0);
}

/** Rejects with the reason, once there is one. */
function stopped(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason as Error);
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}

/** The URL without what is nobody else's business. */
function shownURL(url: URL): string {
  const shown = new URL(url);
  shown.username = '';
  shown.password = '';
  shown.hash = '';
  return shown.href;
}
