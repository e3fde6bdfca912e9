/**
 * The demo's command line: reads it, checks it, explains it. Opens nothing and prints nothing.
 */
import { parseArgs } from 'node:util';

/** What the demo was asked to do. */
export interface Options {
  readonly help: boolean;
  /** A file to send, or `-` for standard input. */
  readonly path: string;
  /** Where to send it; null for the demo's own server. */
  readonly url: URL | null;
}

export const usage: string = `Usage: npm run demo -- [--url URL] [PATH]

Sends a file to an HTTP server with PUT, as a stream, fetches it again with GET,
and checks by SHA-256 that it came back unchanged. Reports the throughput each
way, files and digests at both ends included, and the peak memory of the client.

  PATH       the file to send; '-' reads standard input;
             without it: the node executable
  --url URL  an http: or https: URL that takes PUT and GET;
             without it: a server that the demo starts on loopback and stops again
  --help     this text

Space for the file is needed in the temporary directory: once with --url, twice
without. Nothing is left there afterwards.
`;

/** Throws an Error with a message for the user when the arguments make no sense. */
export function parseOptions(args: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { help: { type: 'boolean' }, url: { type: 'string' } },
    allowPositionals: true,
  });
  if (positionals.length > 1) throw new Error('one file at a time, please (--help explains)');
  return {
    help: values.help ?? false,
    path: positionals[0] ?? process.execPath,
    url: values.url === undefined ? null : parseURL(values.url),
  };
}

function parseURL(text: string): URL {
  if (!URL.canParse(text)) throw new Error(`--url ${text}: not an absolute URL`);
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new Error(`--url ${text}: neither http: nor https:`);
  }
  if (url.username !== '' || url.password !== '') {
    throw new Error('--url: a user name or password in the URL is not supported');
  }
  return url;
}
