/**
 * Redirects (RFC 9110 §15.4): which statuses lead on, with which method, body and fields, and what is never followed.
 *
 * It owns the rules and the trail of one call; it sends nothing. A redirect is an instruction from a stranger: credentials are for the
 * origin that they were given for, and once dropped they stay dropped, as the way back could be somebody's way to have them sent.
 */
import { RedirectError } from '../errors.js';
import { hideUserInfo, withoutUserInfo } from '../opening/user-info.js';

/** What becomes of the method: it stays; POST becomes GET; everything but HEAD becomes GET. */
type Rule = 'keep' | 'POST becomes GET' | 'GET';

/** The statuses that are followed. 300 leaves the choice to a person, 304 is an answer, 305 and 306 are no longer used. */
export const REDIRECTS: ReadonlyMap<number, Rule> = new Map([
  [301, 'POST becomes GET'],
  [302, 'POST becomes GET'],
  [303, 'GET'],
  [307, 'keep'],
  [308, 'keep'],
]);

/** One request on the way. */
export interface Hop {
  readonly method: string;
  /** Absolute, without user information and fragment. */
  readonly url: URL;
  /** The caller's fields and the client's: `[name, value, …]`. */
  readonly fields: readonly string[];
  /** Whether the body of the request before goes with it. */
  readonly keepsBody: boolean;
}

/** How far redirects are followed. */
export interface RedirectPolicy {
  /** So many at the most. */
  readonly redirects: number;
  /** Whether one may lead from https to http. */
  readonly allowDowngrade: boolean;
}

/** Where one call has been, and where it may go. */
export class Trail {
  /** The URLs that were asked, the one that is being asked included. */
  readonly urls: string[] = [];
  readonly #policy: RedirectPolicy;
  readonly #seen = new Set<string>();

  constructor(policy: RedirectPolicy, first: Hop) {
    this.#policy = policy;
    this.#note(first);
  }

  /** Whether the status of a response leads on, if it says where. */
  leadsOn(status: number): boolean {
    return this.#policy.redirects > 0 && REDIRECTS.has(status);
  }

  /**
   * What to ask next.
   *
   * @param hop - the request that was answered
   * @param locations - the values of Location; not empty
   * @param bodyAgain - whether the body, if there is one, can be sent again
   * @throws RedirectError for what is not followed
   */
  next(hop: Hop, status: number, locations: readonly string[], bodyAgain: boolean): Hop {
    const method = methodBehind(status, hop.method);
    const keepsBody = hop.keepsBody && !losesBody(status, hop.method);
    const [location = ''] = locations;
    const refuse = (reason: string): RedirectError =>
      new RedirectError(reason, status, hideUserInfo(locations.join(', ')), [...this.urls]);
    if (locations.length > 1) throw refuse('it names several locations');
    const url = resolve(location, hop.url);
    if (url === null) throw refuse('its location is no URL');
    if (url.protocol !== 'http:' && url.protocol !== 'https:') throw refuse(`it leads to ${url.protocol}`);
    if (hop.url.protocol === 'https:' && url.protocol === 'http:' && !this.#policy.allowDowngrade)
      throw refuse('it leads from https to http');
    if (keepsBody && !bodyAgain) throw refuse('the body cannot be sent again');
    if (this.#seen.has(`${method} ${url.href}`)) throw refuse('it leads in a circle');
    if (this.urls.length > this.#policy.redirects)
      throw refuse(`${String(this.#policy.redirects)} redirects have been followed`);
    let { fields } = hop;
    if (hop.keepsBody && !keepsBody) fields = without(fields, isOfBody);
    else if (method !== hop.method) fields = without(fields, isOfBody);
    if (url.origin !== hop.url.origin) fields = without(fields, isForOrigin);
    const next = { method, url, fields, keepsBody };
    this.#note(next);
    return next;
  }

  #note({ method, url }: Hop): void {
    this.urls.push(url.href);
    this.#seen.add(`${method} ${url.href}`);
  }
}

/** The method of the request that a redirect leads to. */
export function methodBehind(status: number, method: string): string {
  const rule = REDIRECTS.get(status);
  const name = method.toUpperCase();
  if (rule === 'GET') return name === 'HEAD' ? method : 'GET';
  if (rule === 'POST becomes GET') return name === 'POST' ? 'GET' : method;
  return method;
}

/** Whether the method becomes GET, so that there is nothing left to send. */
function losesBody(status: number, method: string): boolean {
  const rule = REDIRECTS.get(status);
  const name = method.toUpperCase();
  return rule === 'GET' ? name !== 'HEAD' : rule === 'POST becomes GET' && name === 'POST';
}

/** The place a Location names, seen from where it came; null for none. Bytes beyond ASCII go on as they came. */
function resolve(location: string, base: URL): URL | null {
  const text = location.replace(
    /[\x80-\xff]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return URL.canParse(text, base.href) ? withoutUserInfo(new URL(text, base.href)) : null;
}

/** Fields that describe a body or how it is sent. */
function isOfBody(name: string): boolean {
  return (
    name.startsWith('content-') || name === 'transfer-encoding' || name === 'trailer' || name === 'expect'
  );
}

/** Fields that are for one origin. */
function isForOrigin(name: string): boolean {
  return name === 'authorization' || name === 'cookie' || name === 'proxy-authorization' || name === 'host';
}

function without(fields: readonly string[], isDropped: (name: string) => boolean): string[] {
  const kept: string[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] ?? '';
    if (!isDropped(name.toLowerCase())) kept.push(name, fields[i + 1] ?? '');
  }
  return kept;
}
