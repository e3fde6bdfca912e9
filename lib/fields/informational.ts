/** What a caller sees of an interim response. */
import type { HTTPMessage } from './message.js';

/** An interim (1xx) response: reported and skipped, the final one is still to come (RFC 9110 §15.2). */
export interface InformationalResponse {
  /** The status code, 100 to 199 without 101. */
  status: number;
  /** The reason phrase, possibly empty. */
  reason: string;
  /** The fields. */
  headers: HTTPMessage;
}
