/**
 * Keep cookies, also those that a redirect sets. `tough-cookie` decides which go where; redirects are followed by hand, because each hop
 * may set some.
 *
 *   npm install tough-cookie
 *   node cookies.mjs http://localhost:8080/login
 */
import { request } from 'millrace';
import { CookieJar } from 'tough-cookie';

const jar = new CookieJar();

async function withCookies(method, url, body, fields = {}) {
  for (let hops = 0; hops <= 20; hops++) {
    const cookie = await jar.getCookieString(url);
    const response = await request(method, url, body, cookie === '' ? fields : { ...fields, Cookie: cookie });
    for (const line of response.headers.getAll('set-cookie'))
      await jar.setCookie(line, url, { ignoreError: true });
    const location = response.getHeader('location');
    if (![301, 302, 303].includes(response.status) || location === null) return response;
    await response.drain({ maxBytes: 65_536 });
    [method, body, url] = ['GET', null, new URL(location, url).href];
  }
  throw new Error(`too many redirects: ${url}`);
}

const [url] = process.argv.slice(2);
const response = await withCookies('POST', url, new URLSearchParams({ user: 'me' }));
console.log(response.url, await response.text());
