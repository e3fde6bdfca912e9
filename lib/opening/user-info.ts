/**
 * The user information of a URL: as credentials, and out of sight.
 *
 * Credentials in a URL are for one field of one request (RFC 9110 §4.2.4); whatever is shown, kept or sent on goes without them.
 */

/**
 * The value of `Authorization` or `Proxy-Authorization` for a URL's user information: percent-decoded, UTF-8 (RFC 7617 §2.1).
 *
 * @returns null for a URL without any
 */
export function basicCredentials(url: URL): string | null {
  if (url.username === '' && url.password === '') return null;
  const bytes = [percentDecoded(url.username), Buffer.from(':'), percentDecoded(url.password)];
  return `Basic ${Buffer.concat(bytes).toString('base64')}`;
}

/** The URL as it may be shown and sent: without user information and fragment. */
export function withoutUserInfo(url: URL): URL {
  if (url.username === '' && url.password === '' && url.hash === '') return url;
  const plain = new URL(url);
  plain.username = '';
  plain.password = '';
  plain.hash = '';
  return plain;
}

/** The same for text that may be no URL: whatever stands before an `@` in front of the first `/` is left out. */
export function hideUserInfo(text: string): string {
  if (!text.includes('@')) return text;
  return text.replace(/^([a-z][a-z0-9+.-]*:)?([/\\]*)[^/?#\\]*@/i, '$1$2');
}

/** A percent sign that encodes nothing stands for itself. */
function percentDecoded(text: string): Buffer {
  const bytes = text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  // The URL parser has encoded everything beyond ASCII.
  return Buffer.from(bytes, 'latin1');
}
