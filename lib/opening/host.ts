/**
 * Hosts and ports: reading `host:port` as http.client does, and writing the authority of `Host`, `CONNECT` and
 * absolute-form targets (RFC 9110 §7.2, RFC 3986 §3.2).
 *
 * A host is kept as the caller spelled it, without brackets; it takes its wire form only here. Nothing resolves or dials.
 * More is refused than by http.client where a host would be read differently by the next parser (brackets around something
 * that is no IPv6 address, a colon in a name, a `/` or `@`), since such disagreements are what request forgery lives on.
 */

import { isIPv6 } from 'node:net';
import { domainToASCII } from 'node:url';

import { InvalidURL } from '../errors.js';
import { kindOf } from '../options.js';
import { describeCharacter } from '../protocol/grammar.js';
import { HTTP_PORT, HTTPS_PORT } from '../status.js';

/* Controls, space, DEL, the delimiters that would end the host in an authority or a URL (CVE-2019-18348), and what else RFC 3986
 * has in no host. A percent sign has to encode something. */
// oxlint-disable-next-line no-control-regex -- control characters are what this looks for
const BAD_HOST_CHARACTER = /[\0-\x20\x7f-\x9f/?#@\\[\]"<>^`{|}]|%(?![0-9A-Fa-f]{2})/;

// oxlint-disable-next-line no-control-regex -- the class is all of ASCII
const NOT_ASCII = /[^\0-\x7f]/;

/** A host without brackets, and the port that goes with it. */
export interface HostPort {
  host: string;
  port: number;
}

/**
 * Splits a host argument. `'name:8080'`, `'[::1]:80'` and `'[::1]'` are understood; a text that is an IPv6 address as it
 * stands (`'::1'`, `'fe80::1%eth0'`) is taken as one, never as address and port. A port inside the text is looked for only
 * when no port is given, as in http.client; giving both is an error. The empty host is accepted, as there; it dials localhost.
 *
 * @param host - The host, perhaps with a port.
 * @param port - The port: an integer of 0 to 65535, or its decimal digits. Absent or empty: see above, else the default.
 * @param defaultPort - The port when neither names one.
 * @param validate - The check of the host alone; throws. {@link validateHost} unless a testing tool wants to send anything.
 * @throws InvalidURL for a port or host that cannot be used; TypeError for arguments of the wrong type.
 */
export function parseHostPort(
  host: string,
  port: number | string | null | undefined,
  defaultPort: number,
  validate: (host: string) => void = validateHost,
): HostPort {
  const given: unknown = host;
  if (typeof given !== 'string') {
    const cure = given instanceof URL ? `: ${hostOfURL(given)}` : '';
    throw new TypeError(`host must be a string, got ${kindOf(given)}${cure}`);
  }
  if (URL_START.test(given)) throw new InvalidURL(`host is a URL: ${hostOfURL(given)}`);
  const split = splitPort(host);
  validate(split.host);
  if (port === null || port === undefined)
    return { host: split.host, port: toPort(split.port ?? '', defaultPort) };
  if (split.port !== null) {
    throw new InvalidURL(
      `host ${JSON.stringify(host)} names a port, and port ${String(port)} was given as well`,
    );
  }
  return { host: split.host, port: toPort(port, defaultPort) };
}

const URL_START = /^[a-z][a-z0-9+.-]*:\/\//i;

/** What to do with a URL that was given as host. Its user information is not shown. */
function hostOfURL(url: string | URL): string {
  const { hostname, port, protocol } = new URL(URL.canParse(String(url)) ? url : 'http://host');
  const kind = protocol === 'https:' ? 'HTTPSConnection' : 'HTTPConnection';
  const target = JSON.stringify(hostname) + (port === '' ? '' : `, ${port}`);
  return `pass its host and port, as in new ${kind}(${target}), or use an HTTPClient, which takes URLs`;
}

/** The host without brackets, and the text behind its colon, if there is one. */
function splitPort(text: string): { host: string; port: string | null } {
  if (isIPv6(text)) return { host: text, port: null };
  if (text.startsWith('[')) {
    const end = text.indexOf(']');
    const host = text.slice(1, Math.max(end, 1));
    const rest = text.slice(end + 1);
    if (!isIPv6(host) || (rest !== '' && !rest.startsWith(':'))) {
      throw new InvalidURL(
        `invalid host ${JSON.stringify(text)}: brackets are for one IPv6 address, as in '[::1]:80'`,
      );
    }
    return { host, port: rest === '' ? null : rest.slice(1) };
  }
  const colon = text.lastIndexOf(':');
  return colon === -1
    ? { host: text, port: null }
    : { host: text.slice(0, colon), port: text.slice(colon + 1) };
}

/** A port from a number or decimal digits. Signs, blanks, underscores and fractions are refused. */
function toPort(port: number | string, defaultPort: number): number {
  if (typeof port !== 'string' && typeof port !== 'number')
    throw new TypeError(
      `port must be a number, or null for the default one, got ${kindOf(port)}; options, or a tunnel's fields, are the third argument`,
    );
  if (port === '') return defaultPort;
  const number = typeof port === 'number' || /^[0-9]+$/.test(port) ? Number(port) : Number.NaN;
  if (Number.isNaN(number)) throw new InvalidURL(`nonnumeric port: ${JSON.stringify(String(port))}`);
  if (!Number.isInteger(number) || number < 0 || number > 65_535) {
    throw new InvalidURL(`port out of range: ${String(port)} is not an integer of 0 to 65535`);
  }
  return number;
}

/**
 * Checks a host without brackets and port. Any name, address, or the empty text passes that has no control character, space,
 * DEL, URL delimiter or lone percent sign in it, no colon unless it is an IPv6 address, and can be written in ASCII.
 *
 * @throws InvalidURL that names the character and its index.
 */
export function validateHost(host: string): void {
  // With a zone id, whose percent sign stands alone.
  if (isIPv6(host)) return;
  checkHostCharacters(host, host);
  if (host.includes(':')) {
    throw new InvalidURL(`host ${JSON.stringify(host)} has a colon but is not an IPv6 address`);
  }
  // IDNA maps full-width and other forms of the same characters to ASCII.
  checkHostCharacters(host, toASCIIHost(host));
}

/** @param form - the host itself, or its ASCII form */
function checkHostCharacters(host: string, form: string): void {
  const index = form.search(BAD_HOST_CHARACTER);
  if (index === -1) return;
  throw new InvalidURL(
    `host ${JSON.stringify(host)} holds ${describeCharacter(form, index)}, which no host may`,
  );
}

/**
 * The host as resolvers and TLS want it: internationalized names in ASCII form (IDNA 2008 as browsers apply it, UTS #46, where
 * http.client uses IDNA 2003), everything else, addresses and zone ids included, as it is.
 *
 * @throws InvalidURL for a name that has no ASCII form.
 */
export function toASCIIHost(host: string): string {
  if (!NOT_ASCII.test(host)) return host;
  const ascii = domainToASCII(host);
  if (ascii === '')
    throw new InvalidURL(`host ${JSON.stringify(host)} is not a valid internationalized name`);
  return ascii;
}

/**
 * The host as it stands in an authority: ASCII, an IPv6 address in brackets. A zone id is left out, since it means something
 * to this machine only (RFC 6874 §4).
 *
 * @throws InvalidURL for a name that has no ASCII form.
 */
export function formatHost(host: string): string {
  if (!host.includes(':')) return toASCIIHost(host);
  const zone = host.indexOf('%');
  return `[${zone === -1 ? host : host.slice(0, zone)}]`;
}

/**
 * `host:port`, or the host alone when the port is the default one.
 *
 * @param defaultPort - Without it the port is always written, as CONNECT wants it.
 * @throws InvalidURL for a name that has no ASCII form.
 */
export function formatAuthority(host: string, port: number, defaultPort?: number): string {
  return port === defaultPort ? formatHost(host) : `${formatHost(host)}:${String(port)}`;
}

const ABSOLUTE = /^http(s?):\/\/([^/?#]*)/i;

/**
 * The authority of an absolute-form target, for `Host`: without user information, which must not leak into it (RFC 9110
 * §4.2.4), and without the port when it is the scheme's default. `null` when the target is not an absolute `http` or
 * `https` URL.
 *
 * @throws InvalidURL when the URL's host is empty, or its host or port cannot be used. The message holds no credentials.
 */
export function authorityOf(url: string): string | null {
  const match = ABSOLUTE.exec(url);
  if (match === null) return null;
  const [, secure, authority = ''] = match;
  if (authority.includes('\\')) {
    throw new InvalidURL(
      'the authority of an absolute target holds a backslash, where browsers would end it',
    );
  }
  const defaultPort = secure === '' ? HTTP_PORT : HTTPS_PORT;
  const { host, port } = parseHostPort(authority.slice(authority.lastIndexOf('@') + 1), null, defaultPort);
  if (host === '') throw new InvalidURL('an absolute target must name a host');
  return formatAuthority(host, port, defaultPort);
}
