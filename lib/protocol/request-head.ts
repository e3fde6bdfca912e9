/**
 * The head of a request as text (RFC 9112 §3, §5). What is given here has been checked: nothing may be left that could end a line.
 */
/** @param fields - as `formatFields` writes them */
export function formatRequestHead(method: string, target: string, fields: string): string {
  return `${method} ${target} HTTP/1.1\r\n${fields}\r\n`;
}
