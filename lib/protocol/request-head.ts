/**
 * The head of a request as text (RFC 9112 §3, §5). What is given here has been checked: nothing may be left that could end a line.
 */

/** @param fields - `[name, value, name, value, …]` */
export function formatRequestHead(method: string, target: string, fields: readonly string[]): string {
  let head = `${method} ${target} HTTP/1.1\r\n`;
  for (let i = 0; i < fields.length; i += 2) head += `${fields[i] as string}: ${fields[i + 1] as string}\r\n`;
  return `${head}\r\n`;
}
