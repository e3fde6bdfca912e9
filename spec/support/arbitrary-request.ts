/**
 * Arbitrary requests for property tests: what a caller may pass, about half of it unfit for the wire in some part.
 *
 * Hostile text leans towards what splits messages (CR, LF, NUL, blanks, colons, whole requests) and what Latin-1 cannot hold.
 */
import fc from 'fast-check';

/** How a body is handed over. */
export type BodyKind = 'none' | 'text' | 'bytes' | 'pieces' | 'async pieces';

export interface ArbitraryRequest {
  readonly host: string;
  readonly method: string;
  readonly target: string;
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** A charset that can be declared, what cannot, or null for none. */
  readonly charset: string | null;
  readonly body: { readonly kind: BodyKind; readonly pieces: readonly (string | Uint8Array)[] };
  readonly trailers: readonly (readonly [name: string, value: string])[] | null;
  /** Whether through putRequest, putHeader and endHeaders. */
  readonly byHand: boolean;
}

const INJECTIONS = [
  '\r\nX-Injected: 1',
  '\nX-Injected: 1',
  '\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n',
  '\r\n folded',
  '\u010d\u010aX-Injected: 1',
  '\u560d\u560aX-Injected: 1',
  ' HTTP/1.1\r\nX: y',
  '0\r\n\r\n',
];

const hostile = fc.oneof(
  fc.string({
    unit: fc.constantFrom('\r', '\n', '\0', ' ', '\t', ':', '/', 'a', '@', '#', '\u007f', '\u0100'),
    maxLength: 6,
  }),
  fc.string({ unit: 'binary', maxLength: 6 }),
  fc
    .tuple(
      fc.constantFrom('', 'a', '/', 'x.example'),
      fc.constantFrom(...INJECTIONS),
      fc.constantFrom('', 'b'),
    )
    .map((parts) => parts.join('')),
);

/** One character of the text. */
function oneOf(characters: string): fc.Arbitrary<string> {
  return fc.constantFrom(...Array.from(characters));
}

/** Mostly fit, sometimes hostile. */
function mostly(fit: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.oneof({ weight: 12, arbitrary: fit }, { weight: 1, arbitrary: hostile });
}

const token = fc.string({ unit: oneOf("!#$%&'*+-.^_`|~09AZaz"), minLength: 1, maxLength: 8 });
const visible = fc.string({
  unit: oneOf('!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~09AZaz'),
  maxLength: 10,
});

const method = mostly(
  fc.oneof(fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'HEAD', 'get'), token),
);
const target = mostly(
  fc.oneof(
    fc.constantFrom('', '/', '*', '/a?b=c', 'http://a.example/x', 'http://u:p@b.example:8080/', '//x'),
    visible.map((text) => `/${text}`),
    visible.map((text) => `http://${text}`),
    visible,
  ),
);
const host = mostly(
  fc.oneof(
    {
      weight: 9,
      arbitrary: fc.constantFrom(
        'a.example',
        '127.0.0.1',
        '::1',
        '[::1]:8080',
        'b.example:81',
        'fe80::1%eth0',
      ),
    },
    { weight: 2, arbitrary: fc.constantFrom('b\u00fccher.example', 'x_y', '') },
    { weight: 1, arbitrary: visible },
  ),
);

const value = fc.string({
  unit: oneOf('!"#,.:;= \t09AZaz\\\u0080\u0085\u00a0\u00e9\u00ff'),
  maxLength: 10,
});
const name = fc.oneof(
  { weight: 8, arbitrary: token },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      'Host',
      'Content-Length',
      'Accept-Encoding',
      'Connection',
      'Cookie',
      'Trailer',
      'Transfer-Encoding',
    ),
  },
);
const field = fc.tuple(
  mostly(name),
  mostly(fc.oneof(value, fc.constantFrom('chunked', '0', '5', 'close', 'keep-alive', 'c.example'))),
);

const piece = fc.oneof(
  fc.uint8Array({ maxLength: 12 }),
  fc.string({ unit: fc.constantFrom('a', '\r', '\n', '0', ' ', '\u00e9'), maxLength: 8 }),
  fc.constantFrom('', '0\r\n\r\n', '\u20ac', '\ud800'),
);

export const arbitraryRequest: fc.Arbitrary<ArbitraryRequest> = fc.record({
  host,
  method,
  target,
  fields: fc.array(field, { maxLength: 3 }),
  charset: fc.oneof(
    {
      weight: 6,
      arbitrary: fc.constantFrom<(string | null)[]>(
        null,
        null,
        'utf-8',
        'UTF-8',
        'iso-8859-1',
        'us-ascii',
        'utf-16le',
      ),
    },
    { weight: 1, arbitrary: hostile },
  ),
  body: fc
    .tuple(
      fc.constantFrom<BodyKind[]>('none', 'none', 'text', 'bytes', 'pieces', 'async pieces'),
      fc.array(piece, { maxLength: 4 }),
    )
    .map(([kind, pieces]) => ({ kind, pieces })),
  trailers: fc.oneof(
    { weight: 3, arbitrary: fc.constant(null) },
    { weight: 1, arbitrary: fc.array(field, { maxLength: 2 }) },
  ),
  byHand: fc.boolean(),
});
