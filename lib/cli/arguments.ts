/**
 * Reads the command line into a {@link Command}, and refuses what makes no sense before anything is opened or dialled. It looks at no
 * file and at no environment; what the values mean is decided where they are used.
 */
import { basename } from 'node:path';
import { UsageError } from './failure.js';
import { parseFormField, type FormField } from './form.js';
import { Given, shown } from './given.js';

/** What is to be sent: a file as it is, data, or a form. `-` stands for standard input. */
export type BodyWish =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'data'; readonly pieces: readonly DataPiece[]; readonly json: boolean }
  | { readonly kind: 'form'; readonly fields: readonly FormField[] };

/** A value of `-d` or `--json`: itself, or what a file holds. */
export type DataPiece = { readonly text: string } | { readonly path: string };

/** How progress is shown; null where the terminal decides. */
export type ProgressMode = 'bar' | 'plain' | 'none';

/** What the command line asks for. */
export interface Command {
  readonly method: string;
  /** Absolute, with the credentials that were in it. */
  readonly url: URL;
  /** The fields of `-H`, in their order. */
  readonly fields: readonly FieldWish[];
  readonly body: BodyWish | null;
  /** Where the body goes; null for standard output. */
  readonly file: string | null;
  readonly goOn: boolean;
  /** `USER:PASSWORD`. */
  readonly user: string | null;
  readonly range: string | null;
  readonly compressed: boolean;
  readonly redirects: number;
  readonly retries: number;
  /** A URL, `'env'`, or null for none. */
  readonly proxy: string | null;
  readonly socketPath: string | null;
  readonly insecure: boolean;
  readonly authorities: string | null;
  readonly certificate: string | null;
  readonly key: string | null;
  readonly totalMs: number | null;
  readonly connectMs: number | null;
  /** Show the head on standard output. */
  readonly include: boolean;
  readonly verbose: boolean;
  readonly quiet: boolean;
  readonly progress: ProgressMode | null;
  readonly fail: boolean;
}

/** A field of `-H`: with a null in the place of its value, none of that name is sent. */
export type FieldWish = readonly [name: string, value: string | null];

/** The whole command, or what was asked instead of it. */
export type Wish = Command | 'help' | 'version';

const DEFAULT_REDIRECTS = 20;

/** Methods that are written in lower case as well; any other is taken as it is. */
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE']);

/** Reads the arguments; throws a {@link UsageError} that says what is wrong in one line. */
export function parseCommand(args: readonly string[]): Wish {
  const given = new Given(args);
  if (given.has('help')) return 'help';
  if (given.has('version')) return 'version';
  const [method, url] = methodAndURL(given.positionals);
  const body = bodyWish(given);
  // As for curl: a URL that names a directory gets the file's name.
  if (body?.kind === 'file' && body.path !== '-' && url.pathname.endsWith('/')) {
    url.pathname += encodeURIComponent(basename(body.path));
  }
  const chosen = chooseMethod(method, body, given);
  const command: Command = {
    method: chosen,
    url,
    fields: given.all('header').map(parseField),
    body,
    file: fileOf(given, url),
    goOn: given.has('continue'),
    user: given.checked('user', /^[^:]*:/, 'USER:PASSWORD'),
    range: given.checked('range', /^(?:\d+-\d*|-\d+)(?:,(?:\d+-\d*|-\d+))*$/, 'A-B, A- or -N'),
    compressed: given.has('compressed'),
    redirects: given.has('location') ? (given.count('max-redirs') ?? DEFAULT_REDIRECTS) : 0,
    retries: given.count('retry') ?? 0,
    proxy: proxyOf(given),
    socketPath: given.one('unix-socket'),
    insecure: given.has('insecure'),
    authorities: given.one('cacert'),
    certificate: given.one('cert'),
    key: given.one('key'),
    totalMs: given.milliseconds('max-time'),
    connectMs: given.milliseconds('connect-timeout'),
    include: given.has('include') || given.has('head'),
    verbose: given.has('verbose'),
    quiet: given.has('quiet'),
    progress: progressOf(given),
    fail: !given.has('no-fail'),
  };
  checkTogether(command);
  return command;
}

/** What may not stand together. */
function checkTogether(command: Command): void {
  if (command.key !== null && command.certificate === null) throw new UsageError('--key needs --cert');
  if (usesOfStandardInput(command.body) > 1) {
    throw new UsageError("standard input can be read once: '-' and '@-' stand for it");
  }
  if (!command.goOn) return;
  if (command.file === null) throw new UsageError('-C goes on with a file: it needs -o FILE or -O');
  if (command.method !== 'GET' || command.body !== null) throw new UsageError('-C goes on with a GET only');
  if (command.range !== null) throw new UsageError('-C finds the range by itself: leave -r out');
  if (command.compressed)
    throw new UsageError('-C goes on with the bytes as they are: leave --compressed out');
}

function usesOfStandardInput(body: BodyWish | null): number {
  switch (body?.kind) {
    case 'file':
      return Number(body.path === '-');
    case 'data':
      return body.pieces.filter((piece) => 'path' in piece && piece.path === '-').length;
    case 'form':
      return body.fields.filter(({ content }) => 'path' in content && content.path === '-').length;
    case undefined:
      return 0;
  }
}

function methodAndURL(positionals: readonly string[]): [method: string | null, url: URL] {
  const [first, second, third] = positionals;
  if (first === undefined)
    throw new UsageError('there is no URL: millrace [METHOD] URL [options], or --help');
  if (third !== undefined) throw new UsageError(`one URL at a time: there is a word too many, '${third}'`);
  if (second === undefined) {
    if (METHODS.has(first)) throw new UsageError(`there is no URL behind ${first}`);
    return [null, parseURL(first)];
  }
  if (!/^[a-z][\w!#$%&'*+.^`|~-]*$/i.test(first))
    throw new UsageError(`'${first}' is no method: millrace METHOD URL`);
  const method = METHODS.has(first.toUpperCase()) ? first.toUpperCase() : first;
  if (method === 'CONNECT') throw new UsageError('CONNECT makes tunnels: say -x URL');
  return [method, parseURL(second)];
}

/** `http://` where there is no scheme. */
function parseURL(text: string): URL {
  const absolute = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text.replace(/^\/\//, '')}`;
  const url = URL.canParse(absolute) ? new URL(absolute) : null;
  // The text may hold a password: only what cannot be one is shown.
  if (url === null || url.hostname === '')
    throw new UsageError(`this is no URL: ${withoutCredentials(text)}`);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new UsageError(`the scheme of the URL is ${url.protocol}, not http: or https:`);
  }
  return url;
}

function withoutCredentials(text: string): string {
  return text.replace(/^((?:[a-z][a-z0-9+.-]*:)?(?:\/\/)?).*@/i, '$1***@');
}

function chooseMethod(method: string | null, body: BodyWish | null, given: Given): string {
  if (given.has('head')) {
    if (body !== null) throw new UsageError('-I asks for a head: it sends no body');
    if (method !== null && method !== 'HEAD') throw new UsageError(`-I sends HEAD, not ${method}`);
    return 'HEAD';
  }
  if (method !== null) return method;
  if (body === null) return 'GET';
  return body.kind === 'file' ? 'PUT' : 'POST';
}

function bodyWish(given: Given): BodyWish | null {
  const kinds = ['upload-file', 'data', 'json', 'form'].filter((name) => given.has(name));
  const [kind, other] = kinds;
  if (kind === undefined) return null;
  if (other !== undefined) throw new UsageError(`there is one body: ${shown(kind)} or ${shown(other)}`);
  switch (kind) {
    case 'upload-file':
      return { kind: 'file', path: named(given.one(kind) ?? '', '-T FILE') };
    case 'form':
      return { kind: 'form', fields: given.all(kind).map(parseFormField) };
    default:
      return { kind: 'data', pieces: given.all(kind).map(parseData), json: kind === 'json' };
  }
}

function parseData(value: string): DataPiece {
  return value.startsWith('@') ? { path: named(value.slice(1), '@FILE') } : { text: value };
}

function named(path: string, wanted: string): string {
  if (path === '') throw new UsageError(`${wanted}: the name of the file is empty`);
  return path;
}

function parseField(text: string): FieldWish {
  const found = /^([^:;]+)(?::(.*)|;\s*)$/s.exec(text);
  const name = found?.[1]?.trim();
  // The value is not shown: it may be a password.
  if (name === undefined || name === '') throw new UsageError("-H takes 'Name: value'");
  const value = found?.[2]?.trim();
  // As for curl: 'Name:' takes away what would be sent, 'Name;' is how an empty value is said.
  return [name, value === undefined ? '' : value === '' ? null : value];
}

function fileOf(given: Given, url: URL): string | null {
  const path = given.one('output');
  if (!given.has('remote-name')) return path === '-' ? null : path === null ? null : named(path, '-o FILE');
  if (path !== null) throw new UsageError('the body goes to one place: -o FILE or -O');
  // The segment as it stands in the URL, like curl: decoded, it could name a place outside of this directory.
  const name = url.pathname.slice(url.pathname.lastIndexOf('/') + 1);
  if (name === '') throw new UsageError("-O: the URL's path ends without a name; say -o FILE");
  return name;
}

function proxyOf(given: Given): string | null {
  const proxy = given.one('proxy');
  if (given.has('noproxy') && proxy !== null) throw new UsageError('a proxy or none: -x URL or --noproxy');
  // Behind a Unix domain socket there is no host to ask a proxy for.
  if (given.has('noproxy') || proxy === '' || given.has('unix-socket')) return null;
  if (proxy === null) return 'env';
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(proxy) ? proxy : `http://${proxy}`;
}

function progressOf(given: Given): ProgressMode | null {
  const value = given.one('progress');
  if (value === null || value === 'bar' || value === 'plain' || value === 'none') return value;
  throw new UsageError('--progress takes bar, plain or none');
}
