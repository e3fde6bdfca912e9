/**
 * The head of a request as text (RFC 9112 §3, §5). What is given here has been checked: nothing may be left that could end a line.
 */
import { formatFields } from './grammar.js';

/** @param fields - `[name, value, name, value, …]` */
export function formatRequestHead(method: string, target: string, fields: readonly string[]): string {
  return `${method} ${target} HTTP/1.1\r\n${formatFields(fields)}\r\n`;
}
