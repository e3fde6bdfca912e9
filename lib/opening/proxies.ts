/**
 * Which proxy an origin is reached through: a URL that was given, or what the environment says, read as curl reads it.
 *
 * It owns proxy URLs, the names of the variables and the rules of `no_proxy`. It opens nothing. What it reads may hold credentials, so
 * no error shows it.
 */
import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net';
import { InvalidURL } from '../errors.js';
import { basicCredentials } from './user-info.js';

/** A proxy, ready to be dialled. */
export interface Proxy {
  /** Whether TLS is spoken with it. */
  readonly secure: boolean;
  /** Without brackets. */
  readonly host: string;
  readonly port: number;
  /** The value of Proxy-Authorization; null without credentials. */
  readonly authorization: string | null;
}

/** Variables by name; `process.env` is one. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** curl's port of a proxy that names none. */
const CURL_PROXY_PORT = 1080;

/**
 * The proxy for an origin.
 *
 * @param option - a URL, `'env'`, or null for none; a URL is used whatever `no_proxy` says
 * @param origin - scheme, host and port; nothing else of it is read
 * @throws InvalidURL for a URL that is none of a proxy; TypeError for an option of another kind
 */
export function proxyFor(
  option: string | URL | null | undefined,
  origin: URL,
  environment: Environment = process.env,
): Proxy | null {
  if (option === null || option === undefined) return null;
  if (option === 'env') return proxyOf(environment, origin);
  if (typeof option !== 'string' && !(option instanceof URL))
    throw new TypeError(`proxy must be a URL, 'env' or null, got ${typeof option}`);
  return parseProxy(String(option), 'the option proxy', false);
}

/**
 * What the environment says: the scheme's own variable, then `all_proxy`; lower case before upper case, an empty one is none. In a CGI
 * script `HTTP_PROXY` is a request's field `Proxy`, so it does not count where `REQUEST_METHOD` is set (CVE-2016-5385).
 */
function proxyOf(environment: Environment, origin: URL): Proxy | null {
  const read = (name: string): string | null => {
    const value = Object.hasOwn(environment, name) ? environment[name] : undefined;
    return value === undefined || value === '' ? null : value;
  };
  const scheme = origin.protocol === 'https:' ? 'https' : 'http';
  const ignoresUpper = scheme === 'http' && environment['REQUEST_METHOD'] !== undefined;
  const names = [`${scheme}_proxy`, ...(ignoresUpper ? [] : [`${scheme.toUpperCase()}_PROXY`])];
  const name = [...names, 'all_proxy', 'ALL_PROXY'].find((each) => read(each) !== null);
  if (name === undefined) return null;
  const exceptions = read('no_proxy') ?? read('NO_PROXY');
  if (exceptions !== null && isExcepted(exceptions, origin)) return null;
  return parseProxy(read(name) ?? '', `the environment's ${name}`, true);
}

/** @param asCurl - whether a scheme may be missing, and the port is curl's then */
function parseProxy(text: string, name: string, asCurl: boolean): Proxy {
  const hasScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text);
  const full = asCurl && !hasScheme ? `http://${text}` : text;
  const url = URL.canParse(full) ? new URL(full) : null;
  if (url === null || url.hostname === '')
    throw new InvalidURL(`${name} is no URL of a proxy, as in http://host:port`);
  const secure = url.protocol === 'https:';
  if (!secure && url.protocol !== 'http:')
    throw new InvalidURL(`${name} has the scheme ${url.protocol} and must have http: or https:`);
  const host = unbracketed(url.hostname);
  let port = url.port === '' ? (secure ? 443 : 80) : Number(url.port);
  // The URL parser drops a port that is the scheme's default, so that text has to be asked whether it named one.
  if (asCurl && url.port === '' && !secure && !/:0*80(?:[/?#]|$)/.test(full)) port = CURL_PROXY_PORT;
  return { secure, host, port, authorization: basicCredentials(url) };
}

/**
 * Whether `no_proxy` excepts an origin: `*` alone excepts all; else names that mean themselves and what lies under them, addresses, and
 * blocks of addresses, between commas or blanks. A port behind one restricts it to that port, which curl does not know.
 */
export function isExcepted(exceptions: string, origin: URL): boolean {
  if (exceptions.trim() === '*') return true;
  const host = unbracketed(origin.hostname).toLowerCase();
  const port = origin.port === '' ? (origin.protocol === 'https:' ? '443' : '80') : origin.port;
  return exceptions.split(/[,\s]+/).some((item) => {
    const rule = splitPort(item.toLowerCase());
    if (rule.port !== null && Number(rule.port) !== Number(port)) return false;
    return isIP(host) === 0 ? matchesName(host, rule.host) : matchesAddress(host, rule.host);
  });
}

function matchesName(host: string, rule: string): boolean {
  const name = host.replace(/\.$/, '');
  const domain = rule.replace(/\.$/, '').replace(/^\./, '');
  if (domain === '') return false;
  return name === domain || name.endsWith(`.${domain}`);
}

function matchesAddress(address: string, rule: string): boolean {
  const slash = rule.indexOf('/');
  const network = unbracketed(slash === -1 ? rule : rule.slice(0, slash));
  if (isIP(network) === 0 || isIP(network) !== isIP(address)) return false;
  const family = isIPv4(address) ? 'ipv4' : 'ipv6';
  const most = family === 'ipv4' ? 32 : 128;
  const bits = slash === -1 ? String(most) : rule.slice(slash + 1);
  if (!/^[0-9]{1,3}$/.test(bits) || Number(bits) > most) return false;
  // Compares values, not spellings: one IPv6 address has many.
  const block = new BlockList();
  block.addSubnet(network, Number(bits), family);
  return block.check(address, family);
}

/** `name:port`, `[address]:port`, or either without a port. A bare IPv6 address has colons and no port. */
function splitPort(item: string): { host: string; port: string | null } {
  if (isIPv6(item.replace(/\/[0-9]+$/, ''))) return { host: item, port: null };
  const match = /^(.*):([0-9]+)$/.exec(item);
  return match === null ? { host: item, port: null } : { host: match[1] ?? '', port: match[2] ?? null };
}

function unbracketed(host: string): string {
  return host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
}
