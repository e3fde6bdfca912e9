/**
 * The request itself: what a {@link Command} comes to in the terms of the library, and the response to it.
 */
import { HTTPConnection, HTTPSConnection, type HTTPResponse, type InformationalResponse } from '../index.js';
import type { Command } from './arguments.js';
import type { Part } from './file-output.js';
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
  /** Told of the head that is going to be sent. */
  readonly onRequest: (target: string, fields: readonly (readonly [string, string])[]) => void;
  readonly onInformational: (response: InformationalResponse) => void;
}

/** Sends the request and resolves with the head of the response, its body still to come. */
export async function transfer(command: Command, options: TransferOptions): Promise<HTTPResponse> {
  const { url, method } = command;
  const fields = fieldsOf(command, options.source);
  const port = url.port === '' ? null : Number(url.port);
  const settings = {
    ...(command.socketPath === null ? {} : { socketPath: command.socketPath }),
    ...(command.connectMs === null ? {} : { timeout: { connect: command.connectMs } }),
  };
  const connection =
    url.protocol === 'http:'
      ? new HTTPConnection(url.hostname, port, settings)
      : new HTTPSConnection(url.hostname, port, { ...settings, rejectUnauthorized: !command.insecure });
  options.onRequest(url.pathname + url.search, sentFields(command, fields, options.source));
  const body = options.source?.body(options.up) ?? null;
  const made = typeof body === 'function' ? await body() : body;
  const { signal, onInformational } = options;
  connection
    .request(method, url.pathname + url.search, made, fields, { signal, onInformational })
    .catch(() => undefined);
  return connection.getResponse();
}

/** The fields that are sent, those of `-H` in the place of ours. */
export function fieldsOf(command: Command, source: RequestSource | null): [name: string, value: string][] {
  const { body, fields } = command;
  const given = new Set(fields.map(([name]) => name.toLowerCase()));
  const ours: [string, string | null][] = [
    ['User-Agent', `millrace/${version()}`],
    ['Accept', body?.kind === 'data' && body.json ? 'application/json' : null],
    ['Authorization', command.user === null ? null : `Basic ${Buffer.from(command.user).toString('base64')}`],
    ['Range', command.range === null ? null : `bytes=${command.range}`],
    ['Content-Type', source?.contentType ?? null],
    // The library knows the length of bytes, but not of what is read from files.
    [
      'Content-Length',
      source?.hasFiles === true && source.length !== null && !given.has('transfer-encoding')
        ? String(source.length)
        : null,
    ],
  ];
  return [...ours.filter(([name]) => !given.has(name.toLowerCase())), ...fields].flatMap(([name, value]) =>
    // As bytes: what a terminal gives as UTF-8 goes out as UTF-8.
    value === null ? [] : [[name, Buffer.from(value).toString('latin1')] as [string, string]],
  );
}

/** The head as the library completes it: what stands before the fields that are given. */
function sentFields(
  { url, method, compressed }: Command,
  fields: readonly (readonly [string, string])[],
  source: RequestSource | null,
): (readonly [string, string])[] {
  const given = new Set(fields.map(([name]) => name.toLowerCase()));
  const framed = given.has('content-length') || given.has('transfer-encoding');
  const framing: (readonly [string, string])[] =
    source === null
      ? [['Content-Length', ['PUT', 'POST', 'PATCH'].includes(method) ? '0' : '']]
      : source.length === null
        ? [['Transfer-Encoding', 'chunked']]
        : [['Content-Length', String(source.length)]];
  const ours: (readonly [string, string])[] = [
    ['Host', url.host],
    ['Accept-Encoding', compressed ? '' : 'identity'],
    ...(framed ? [] : framing),
  ];
  return [...ours.filter(([name, value]) => value !== '' && !given.has(name.toLowerCase())), ...fields];
}
