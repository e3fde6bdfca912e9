/**
 * Judges one exchange of the chaos test: given what was planned, may the user have seen this?
 *
 * Without a fault in the plan only success will do. With one, the bytes must be a beginning of the right ones, and the error one that
 * the documentation has for that fault.
 */
import { HTTPException, IncompleteRead, TimeoutError } from '../../../lib/index.js';
import { ABORTED, LOOKUP_FAILURE, SOURCE_FAILURE } from './client.js';
import type { Report } from './client.js';
import type { ExchangePlan } from './plan.js';

/** How the connection was left by the exchange before. */
export interface Before {
  /** A close or bytes may be under way on it that nobody has announced. */
  readonly brittle: boolean;
  /** Whether its TLS can be garbled. */
  readonly garbles: boolean;
}

/** What is wrong with the report; empty when nothing is. */
export function judge(plan: ExchangePlan, report: Report, before: Before): string[] {
  const wrong: string[] = [];
  const { sent, head, body } = report;
  if (sent === null) wrong.push('request() never settled');
  if (head === null) wrong.push('getResponse() never settled');
  if (body === null) wrong.push('reading the body never settled');
  if (wrong.length > 0) return wrong;
  if (report.listeners > 0) wrong.push('a listener stayed on the signal');
  if (!report.sourceReleased) wrong.push('the source was neither read to its end nor cancelled');
  const errors = [sent, head, body].flatMap((outcome) =>
    outcome !== null && typeof outcome === 'object' && 'error' in outcome ? [outcome.error] : [],
  );
  for (const error of errors) {
    const objection = objectTo(error, plan, before);
    if (objection !== null) wrong.push(objection);
  }
  const response = head !== null && head !== 'not asked for' ? head.value : undefined;
  if (response !== undefined) {
    if (response.getHeader('X-Number') !== String(plan.number))
      wrong.push('the response is another request’s');
    if (response.status !== plan.response.status) wrong.push(`status ${String(response.status)}`);
    const whole = plan.response.content;
    if (!report.bytes.equals(whole.subarray(0, report.bytes.length))) wrong.push('wrong bytes');
    const complete = body !== 'not read' && body !== null && !('error' in body);
    const { fault } = plan.server;
    const garbled = fault === 'garble' && before.garbles;
    const mayBeShort = plan.client.act !== null || (plan.response.untilClose && fault !== null && !garbled);
    if (complete && report.bytes.length !== whole.length && !mayBeShort) {
      wrong.push(`a clean end after ${String(report.bytes.length)} of ${String(whole.length)} bytes`);
    }
  }
  return wrong;
}

/** Why this error may not have come; null if it may. */
function objectTo(error: unknown, plan: ExchangePlan, before: Before): string | null {
  const { server, client, request } = plan;
  const described = `${String(error)} [${String((error as { code?: unknown }).code)}]`;
  if (error === ABORTED) return client.act === 'abort' ? null : `not aborted, yet ${described}`;
  if (error === SOURCE_FAILURE)
    return request.failsAt === null ? `the source did not fail, yet ${described}` : null;
  if (error === LOOKUP_FAILURE)
    return client.lookup === 'a throw' ? null : `no look-up threw, yet ${described}`;
  const { code, phase, method, reused, bytesReceived } = error as HTTPException;
  const failure = request.failsAt === null ? null : request.failure;
  if (code === 'ERR_STREAM_PREMATURE_CLOSE' && failure === 'closes') return null;
  if (error instanceof TypeError && (failure === 'nonsense' || failure === 'malformed')) return null;
  if (code === 'ERR_INVALID_IP_ADDRESS')
    return client.lookup === null ? `no look-up lied, yet ${described}` : null;
  if (phase === undefined || method === undefined) return `no exchange data on ${described}`;
  if (error instanceof TimeoutError)
    return server.fault === 'stall' ? null : `nothing stalled, yet ${described}`;
  if (code === 'ERR_NOT_CONNECTED') return client.act === 'close' ? null : `not closed, yet ${described}`;
  if (error instanceof IncompleteRead) {
    if (client.act === 'close' || client.act === 'destroy') return null;
    return server.fault === null || server.fault === 'stall' ? maybeReset(plan, described) : null;
  }
  if (code === 'ERR_CONTENT_LENGTH_MISMATCH')
    return request.failsAt === null && !request.transferred ? described : null;
  const garbled = server.fault === 'garble';
  if ((garbled || before.brittle) && before.garbles && /^ERR_SSL_|^EPROTO$/.test(code)) return null;
  const lost =
    code === 'ECONNRESET' || code === 'EPIPE' || code === 'ERR_BAD_STATUS_LINE' || code === 'ERR_BAD_HEADER';
  if (!lost) return `undocumented: ${described}`;
  if (server.fault === 'FIN' || server.fault === 'reset' || garbled) return null;
  if (reused === true && bytesReceived === 0 && before.brittle) return null;
  return maybeReset(plan, described);
}

/** A reset right behind a response takes back what of it had not arrived. */
function maybeReset(plan: ExchangePlan, described: string): string | null {
  return plan.server.closesUnsaid === 'reset' ? null : `nothing broke, yet ${described}`;
}

/** Whether what the server did behind this response may reach the next request on the connection. */
export function leavesBrittle(plan: ExchangePlan): boolean {
  return (
    !plan.server.readsBody ||
    plan.server.closesUnsaid !== null ||
    plan.response.garbage !== '' ||
    plan.server.fault !== null
  );
}
