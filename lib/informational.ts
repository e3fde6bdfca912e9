/** What a caller sees of an interim response. */
import type { HTTPMessage } from './message.js';

/** An interim (1xx) response: reported and skipped, the final one is still to come (RFC 9110 §15.2). */
export interface InformationalResponse {
  status: number;
  reason: string;
  headers: HTTPMessage;
}
