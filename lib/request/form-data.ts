/**
 * A `FormData` as multipart/form-data (RFC 7578), written as the platform's own encoder writes it, with its length known before a byte
 * of a file was read, and as often as it is asked for.
 */
import { repeatablePieces, webPieces } from './source.js';
import type { Pieces } from './source.js';

/** A form, ready to be sent. */
export interface EncodedForm {
  contentType: string;
  length: number;
  pieces: Pieces;
}

/**
 * The entries as they are now: what is appended later is not sent.
 *
 * @throws TypeError for a file whose size is no number of bytes
 */
export function encodeForm(form: FormData): EncodedForm {
  // The global loads `node:crypto` when it is first asked, an import would with every program.
  const boundary = `----millrace-${crypto.randomUUID()}`;
  const parts: (Buffer | Blob)[] = [];
  let length = 0;
  let text = '';
  const endText = (): void => {
    const bytes = Buffer.from(text);
    length += bytes.length;
    parts.push(bytes);
    text = '';
  };
  for (const [name, value] of form) {
    text += `--${boundary}\r\nContent-Disposition: form-data; name="${escapeName(normalizeLines(name))}"`;
    if (typeof value === 'string') {
      text += `\r\n\r\n${normalizeLines(value)}\r\n`;
      continue;
    }
    const type = value.type === '' ? 'application/octet-stream' : value.type;
    text += `; filename="${escapeName(value.name)}"\r\nContent-Type: ${type}\r\n\r\n`;
    endText();
    length += checkedSize(value);
    parts.push(value);
    text = '\r\n';
  }
  text += `--${boundary}--\r\n`;
  endText();
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    length,
    pieces: repeatablePieces(() => piecesOf(parts)),
  };
}

/** @throws TypeError unless the size is a number of bytes: it becomes the length that the head declares */
export function checkedSize(blob: Blob): number {
  const size: unknown = blob.size;
  if (Number.isSafeInteger(size) && (size as number) >= 0) return size as number;
  throw new TypeError(`the size of a Blob must be a number of bytes, got ${JSON.stringify(size)}`);
}

async function* piecesOf(parts: readonly (Buffer | Blob)[]): AsyncGenerator {
  for (const part of parts) {
    if (Buffer.isBuffer(part)) {
      yield part;
      continue;
    }
    const pieces = webPieces(part.stream());
    let ended = false;
    try {
      for (;;) {
        const { done, value } = (await pieces.next()) as IteratorResult<unknown>;
        ended = done === true;
        if (ended) break;
        yield value;
      }
    } finally {
      if (!ended) await pieces.return?.(undefined);
    }
  }
}

/** As the standard has it (HTML, multipart/form-data encoding algorithm): what would end the name or its line is percent-encoded. */
function escapeName(name: string): string {
  return name.replaceAll('\n', '%0A').replaceAll('\r', '%0D').replaceAll('"', '%22');
}

function normalizeLines(text: string): string {
  return text.replaceAll(/\r?\n|\r/g, '\r\n');
}
