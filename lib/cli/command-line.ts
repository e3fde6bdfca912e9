/**
 * A command as a line that a shell takes: each word quoted as POSIX shells read it. It is what an interrupted run prints, so that it can
 * be gone on with by copying the line.
 */

/** What needs no quotes in any shell. */
const PLAIN = /^[\w@%+:,./-][\w@%+=:,./-]*$/;

/** The words as one line. */
export function shellLine(words: readonly string[]): string {
  return words.map(shellWord).join(' ');
}

function shellWord(word: string): string {
  if (PLAIN.test(word)) return word;
  return `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
