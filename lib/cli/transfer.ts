/**
 * The request itself: what a {@link Command} comes to in the terms of the library, and the response to it.
 */
import { readFile } from 'node:fs/promises';
import {
  HTTPClient,
  type Attempt,
  type ClientOptions,
  type HTTPResponse,
  type InformationalResponse,
} from '../index.js';
import type { Command } from './arguments.js';
import { LocalFileError, textOf, UsageError } from './failure.js';
import type { Part } from './file-output.js';
import type { HeadWatch } from './head-watch.js';
import { version } from './help.js';
import type { Meter } from './meter.js';
import type { RequestSource } from './request-source.js';

/** What a transfer needs beside the command. */
export interface TransferOptions {
  readonly source: RequestSource | null;
  /** Counts what is sent. */
  readonly up: Meter | null;
  /** Whether a lost connection may be gone on with: the body goes to a file. */
  readonly resumable: boolean;
  /** Where an earlier run stopped. */
  readonly from: Part | null;
  readonly signal: AbortSignal;
  readonly watch: HeadWatch | null;
}

/** Sends the request and resolves with the head of the response, its body still to come. */
export async function transfer(command: Command, options: TransferOptions): Promise<HTTPResponse> {
  const { method, url } = command;
  const { source, signal, watch, from, resumable } = options;
  const client = makeClient(command, await contextOf(command), watch);
  const headers = fieldsOf(command, source);
  const common = {
    signal,
    ...(watch === null
      ? {}
      : { onInformational: (interim: InformationalResponse) => watch.interim(interim) }),
  };
  if (!resumable) return client.request(method, url, source?.body(options.up) ?? null, headers, common);
  return client.resumable(url, {
    ...common,
    headers,
    ...(from === null ? {} : { from }),
    onResume: ({ position, error }) => {
      watch?.remark(`Going on at byte ${String(position)}: ${textOf(error)}`);
    },
  });
}

/** Whether it can be gone on with behind a lost connection: what comes is the file, byte for byte. */
export function mayGoOn({ method, body, range, compressed }: Command): boolean {
  return method === 'GET' && body === null && range === null && !compressed;
}

type Context = NonNullable<ClientOptions['context']>;

function makeClient(command: Command, context: Context | null, watch: HeadWatch | null): HTTPClient {
  const { socketPath, connectMs, proxy, redirects, retries, compressed, insecure } = command;
  const onRetry = ({ number, error, status, delay }: Attempt): void => {
    const what = error === null ? `status ${String(status)}` : textOf(error);
    watch?.remark(`Attempt ${String(number)}: ${what}; the next one in ${String(Math.round(delay))} ms`);
  };
  const options: ClientOptions = {
    proxy,
    redirects,
    decompress: compressed,
    retries: { limit: retries, onRetry },
    rejectUnauthorized: !insecure,
    ...(context === null ? {} : { context }),
    ...(socketPath === null ? {} : { socketPath }),
    ...(connectMs === null ? {} : { timeout: { connect: connectMs } }),
  };
  try {
    return new HTTPClient(options);
  } catch (error) {
    if (context !== null) throw new LocalFileError('cannot use the certificates or the key', error);
    throw new UsageError(proxy === null ? textOf(error) : `-x: ${textOf(error)}`);
  }
}

/** The files of the TLS options. */
async function contextOf({ authorities, certificate, key }: Command): Promise<Context | null> {
  if (authorities === null && certificate === null) return null;
  const cert = certificate === null ? null : await read(certificate);
  return {
    ...(authorities === null ? {} : { ca: await read(authorities) }),
    // Without a file of its own, the key stands in that of the certificate.
    ...(cert === null ? {} : { cert, key: key === null ? cert : await read(key) }),
  };
}

async function read(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new LocalFileError(`cannot read ${path}`, error);
  }
}

/** The fields that are sent, those of `-H` in the place of ours. */
function fieldsOf(command: Command, source: RequestSource | null): [name: string, value: string][] {
  const { body, fields } = command;
  const given = new Set(fields.map(([name]) => name.toLowerCase()));
  // The library knows the length of bytes, but not of what is read from files.
  const declares = source?.hasFiles === true && source.length !== null && !given.has('transfer-encoding');
  const ours: [string, string | null][] = [
    ['User-Agent', `millrace/${version()}`],
    ['Accept', body?.kind === 'data' && body.json ? 'application/json' : null],
    ['Authorization', command.user === null ? null : `Basic ${Buffer.from(command.user).toString('base64')}`],
    ['Range', command.range === null ? null : `bytes=${command.range}`],
    ['Content-Type', source?.contentType ?? null],
    ['Content-Length', declares ? String(source.length) : null],
  ];
  return [...ours.filter(([name]) => !given.has(name.toLowerCase())), ...fields].flatMap(([name, value]) =>
    // As bytes: what a terminal gives as UTF-8 goes out as UTF-8.
    value === null ? [] : [[name, Buffer.from(value).toString('latin1')] as [string, string]],
  );
}
