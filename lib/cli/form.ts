/**
 * A form of several parts (RFC 7578) as `-F` describes it: reads the values of the option, and writes the form as the parts of a body, so
 * that files in it are sent as they are read. Opens nothing.
 */
import { randomBytes } from 'node:crypto';
import { basename, extname } from 'node:path';
import { UsageError } from './failure.js';

/** One `-F NAME=VALUE`. */
export interface FormField {
  readonly name: string;
  readonly content: { readonly text: string } | FormFile;
}

/** A VALUE of `@FILE`, with curl's `;type=…` and `;filename=…` behind it. */
export interface FormFile {
  readonly path: string;
  readonly type: string | null;
  readonly filename: string | null;
}

/** A form that is ready to be sent. */
export interface Form {
  readonly contentType: string;
  /** Bytes, and the files between them. */
  readonly parts: readonly (Uint8Array | { readonly path: string })[];
}

/** The types of files that curl knows by their endings; any other is bytes. */
const TYPES: Readonly<Record<string, string>> = {
  '.gif': 'image/gif',
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain',
  '.htm': 'text/html',
  '.html': 'text/html',
  '.pdf': 'application/pdf',
  '.xml': 'application/xml',
};

/** Reads a value of `-F`. */
export function parseFormField(text: string): FormField {
  const split = text.indexOf('=');
  if (split < 1) throw new UsageError(`-F takes NAME=VALUE, not '${text}'`);
  const name = text.slice(0, split);
  const value = text.slice(split + 1);
  if (!value.startsWith('@')) return { name, content: { text: value } };
  let path = value.slice(1);
  const more: Record<string, string> = {};
  for (;;) {
    const found = /^(.*);(type|filename)=([^;]*)$/s.exec(path);
    if (found === null) break;
    const [, before = '', key = '', what = ''] = found;
    path = before;
    more[key] ??= what;
  }
  if (path === '') throw new UsageError(`-F ${name}=@FILE: the name of the file is empty`);
  return { name, content: { path, type: more['type'] ?? null, filename: more['filename'] ?? null } };
}

/** The form as a body. */
export function formOf(fields: readonly FormField[]): Form {
  // Long and random: no file holds it by chance, and nobody can put it into one on purpose.
  const boundary = `millrace-${randomBytes(18).toString('hex')}`;
  const parts = fields.flatMap(({ name, content }) => {
    const opening = `--${boundary}\r\nContent-Disposition: form-data; name="${quoted(name)}"`;
    if ('text' in content) return [Buffer.from(`${opening}\r\n\r\n${content.text}\r\n`)];
    const filename = content.filename ?? basename(content.path);
    const type = content.type ?? TYPES[extname(filename).toLowerCase()] ?? 'application/octet-stream';
    const head = `${opening}; filename="${quoted(filename)}"\r\nContent-Type: ${type.replaceAll(/[\r\n]/g, ' ')}\r\n\r\n`;
    return [Buffer.from(head), { path: content.path }, Buffer.from('\r\n')];
  });
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    parts: [...parts, Buffer.from(`--${boundary}--\r\n`)],
  };
}

/** As browsers and curl escape a name: what could end it or its line. */
function quoted(name: string): string {
  return name.replaceAll('"', '%22').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}
