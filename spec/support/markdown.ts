/**
 * What the specs of the documentation read out of Markdown: fenced code blocks, and the rows of tables.
 *
 * It knows the two constructs in the form they are written in here, and nothing else of Markdown.
 */

/** A fenced block of code. */
export interface CodeBlock {
  language: string;
  code: string;
  /** The line of the file on which the code begins, counted from 1. */
  line: number;
  /** The heading above it. */
  heading: string;
}

/** Every fenced block, in order. */
export function codeBlocks(markdown: string): CodeBlock[] {
  const blocks: CodeBlock[] = [];
  let open: { language: string; lines: string[]; line: number } | null = null;
  let heading = '';
  for (const [index, line] of markdown.split('\n').entries()) {
    const fence = /^```(\S*)/.exec(line);
    if (open === null && fence !== null) {
      open = { language: fence[1] ?? '', lines: [], line: index + 2 };
    } else if (open !== null && fence !== null) {
      blocks.push({ language: open.language, code: `${open.lines.join('\n')}\n`, line: open.line, heading });
      open = null;
    } else if (open !== null) {
      open.lines.push(line);
    } else if (/^#+ /.test(line)) {
      heading = line.replace(/^#+ /, '').replaceAll('`', '');
    }
  }
  if (open !== null) throw new Error(`the code block at line ${String(open.line)} has no end`);
  return blocks;
}

/** What a block says that it prints: the text behind each `// → `, in order. */
export function expectedOutput(code: string): string[] {
  return Array.from(code.matchAll(/\/\/ → (.*)$/gm), (match) => match[1] ?? '');
}

/** The cells of each row of each table below the heading, the header rows left out. A `|` inside of backticks divides nothing. */
export function tableRows(markdown: string, heading: string): string[][] {
  const lines = markdown.split('\n');
  const level = /^#+/.exec(
    lines.find((line) => line.replace(/^#+ /, '') === heading && line.startsWith('#')) ?? '',
  );
  if (level === null) throw new Error(`there is no heading '${heading}'`);
  const start = lines.indexOf(`${level[0]} ${heading}`) + 1;
  const rows: string[][] = [];
  for (let i = start; i < lines.length; i++) {
    const line = lines[i] ?? '';
    const next = /^(#+) /.exec(line);
    if (next !== null && (next[1] ?? '').length <= level[0].length) break;
    if (!line.startsWith('|')) continue;
    if (!(lines[i - 1] ?? '').startsWith('|')) {
      // The header row and the line under it.
      i++;
      continue;
    }
    rows.push(cells(line));
  }
  return rows;
}

function cells(line: string): string[] {
  const found: string[] = [''];
  let quoted = false;
  for (const character of line.trim().slice(1, -1)) {
    if (character === '`') quoted = !quoted;
    if (character === '|' && !quoted) found.push('');
    else found.push((found.pop() ?? '') + character);
  }
  return found.map((cell) => cell.trim());
}

/** The code spans of a text. */
export function codeSpans(text: string): string[] {
  return Array.from(text.matchAll(/`([^`]+)`/g), (match) => match[1] ?? '');
}
