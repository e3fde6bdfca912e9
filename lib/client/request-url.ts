/**
 * The URL of a call: resolved, without what is not for the server, and with its user information turned into a field.
 *
 * It owns which URLs are taken. No error of it shows user information, not even of a text that is no URL.
 */
import { InvalidURL, UnknownProtocol } from '../errors.js';
import { basicCredentials, hideUserInfo, withoutUserInfo } from '../opening/user-info.js';
import { kindOf } from '../options.js';
import { describeCharacter } from '../protocol/grammar.js';

/** Where a call goes. */
export interface RequestURL {
  /** Absolute, without user information and fragment. */
  readonly url: URL;
  /** The value of Authorization that its user information makes; null without any. */
  readonly authorization: string | null;
}

/* Line ends and tabs are dropped by the URL parser, so that what is asked would not be what the caller wrote. */
// oxlint-disable-next-line no-control-regex -- control characters are what this looks for
const CONTROL = /[\0-\x1f\x7f]/;

/**
 * @param base - what a relative URL is relative to; null for nothing
 * @throws InvalidURL for what is no URL; UnknownProtocol for a scheme that is not http or https; TypeError for what is no text
 */
export function resolveURL(given: string | URL, base: URL | null): RequestURL {
  const url = given instanceof URL ? given : parse(given, base);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw unknownScheme(url.protocol);
  return { url: withoutUserInfo(url), authorization: basicCredentials(url) };
}

/**
 * The base of relative URLs, its user information included: it is for every call that is relative to it.
 *
 * @throws as {@link resolveURL}
 */
export function resolveBase(base: string | URL): URL {
  resolveURL(base, null);
  return new URL(base);
}

function parse(text: unknown, base: URL | null): URL {
  if (typeof text !== 'string') throw new TypeError(`url must be a string or a URL, got ${kindOf(text)}`);
  const control = text.search(CONTROL);
  if (control !== -1)
    throw new InvalidURL(`the URL holds ${describeCharacter(text, control)}; percent-encode it`);
  if (URL.canParse(text, base?.href)) return new URL(text, base?.href);
  const hint = base === null && !/^[a-z][a-z0-9+.-]*:/i.test(text) ? '; a relative one needs a baseURL' : '';
  throw new InvalidURL(`${JSON.stringify(hideUserInfo(text).slice(0, 200))} is no absolute URL${hint}`);
}

function unknownScheme(protocol: string): UnknownProtocol {
  const error = new UnknownProtocol(protocol.replace(/:$/, ''));
  error.message = `the URL has the scheme ${protocol} and must have http: or https:`;
  return error;
}
