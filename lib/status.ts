/**
 * The status codes of the IANA registry as Python 3.14's http.client has them, and the two default ports.
 *
 * One table, code to phrase; the names of `HTTPStatus` follow from the phrases, both at run time and as types, so no code is
 * written twice. Nothing here decides what a status means for framing or reuse.
 */

/** The default port of `http` URLs. */
export const HTTP_PORT = 80;

/** The default port of `https` URLs. */
export const HTTPS_PORT = 443;

const PHRASES = {
  100: 'Continue',
  101: 'Switching Protocols',
  102: 'Processing',
  103: 'Early Hints',
  200: 'OK',
  201: 'Created',
  202: 'Accepted',
  203: 'Non-Authoritative Information',
  204: 'No Content',
  205: 'Reset Content',
  206: 'Partial Content',
  207: 'Multi-Status',
  208: 'Already Reported',
  226: 'IM Used',
  300: 'Multiple Choices',
  301: 'Moved Permanently',
  302: 'Found',
  303: 'See Other',
  304: 'Not Modified',
  305: 'Use Proxy',
  307: 'Temporary Redirect',
  308: 'Permanent Redirect',
  400: 'Bad Request',
  401: 'Unauthorized',
  402: 'Payment Required',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  407: 'Proxy Authentication Required',
  408: 'Request Timeout',
  409: 'Conflict',
  410: 'Gone',
  411: 'Length Required',
  412: 'Precondition Failed',
  413: 'Content Too Large',
  414: 'URI Too Long',
  415: 'Unsupported Media Type',
  416: 'Range Not Satisfiable',
  417: 'Expectation Failed',
  418: "I'm a Teapot",
  421: 'Misdirected Request',
  422: 'Unprocessable Content',
  423: 'Locked',
  424: 'Failed Dependency',
  425: 'Too Early',
  426: 'Upgrade Required',
  428: 'Precondition Required',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  451: 'Unavailable For Legal Reasons',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported',
  506: 'Variant Also Negotiates',
  507: 'Insufficient Storage',
  508: 'Loop Detected',
  510: 'Not Extended',
  511: 'Network Authentication Required',
} as const;

/* Names that RFC 9110 replaced. http.client keeps them, so programs ported from it do too. */
const ALIASES = {
  REQUEST_ENTITY_TOO_LARGE: 413,
  REQUEST_URI_TOO_LONG: 414,
  REQUESTED_RANGE_NOT_SATISFIABLE: 416,
  UNPROCESSABLE_ENTITY: 422,
} as const;

type Phrases = typeof PHRASES;

/** `"I'm a Teapot"` as a type becomes `IM_A_TEAPOT`; `nameOf` is the same at run time. */
type NameOf<Phrase extends string> = Phrase extends `${infer A}'${infer B}`
  ? NameOf<`${A}${B}`>
  : Phrase extends `${infer A} ${infer B}`
    ? NameOf<`${A}_${B}`>
    : Phrase extends `${infer A}-${infer B}`
      ? NameOf<`${A}_${B}`>
      : Uppercase<Phrase>;

function nameOf(phrase: string): string {
  return phrase.replaceAll("'", '').replaceAll(/[ -]/g, '_').toUpperCase();
}

/** Status name → code, and the four old names that http.client keeps as aliases. */
export type HTTPStatusTable = {
  readonly [Code in keyof Phrases as NameOf<Phrases[Code]>]: Code;
} & Readonly<typeof ALIASES>;

/**
 * Status name → code: `HTTPStatus.NOT_FOUND === 404`. Frozen. The old names `REQUEST_ENTITY_TOO_LARGE`,
 * `REQUEST_URI_TOO_LONG`, `REQUESTED_RANGE_NOT_SATISFIABLE` and `UNPROCESSABLE_ENTITY` are there too.
 */
export const HTTPStatus: HTTPStatusTable = Object.freeze({
  ...Object.fromEntries(Object.entries(PHRASES).map(([code, phrase]) => [nameOf(phrase), Number(code)])),
  ...ALIASES,
} as HTTPStatusTable);

/** A registered status code. A response's `status` is any number: a server may send a code that is not registered. */
export type HTTPStatus = HTTPStatusTable[keyof HTTPStatusTable];

/** Status code → reason phrase: `responses[404] === 'Not Found'`. Frozen; 62 entries. */
export const responses: Readonly<Record<number, string>> = Object.freeze(PHRASES);
