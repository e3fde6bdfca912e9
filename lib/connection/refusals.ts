/**
 * What a call is told that the state of the connection refuses: the state, as http.client names it, which request is in the way, and what
 * to call. It decides nothing and changes nothing.
 */
import { CannotSendHeader, CannotSendRequest, ResponseNotReady } from '../errors.js';
import { CALLS } from '../protocol/exchange-table.js';
import type { Call, ConnectionState } from '../protocol/exchange-table.js';

const REFUSALS = { CannotSendRequest, CannotSendHeader, ResponseNotReady };

const BEGUN = 'was begun and not sent; call endHeaders() or close() first';
const SENT = 'was sent; await its getResponse() first, or close()';

/** Behind the state and the request. */
const WHY: Readonly<Record<ConnectionState, Readonly<Record<Call, string>>>> = {
  Idle: {
    request: '',
    putRequest: '',
    putHeader: 'no request was begun; call putRequest() first',
    endHeaders: 'no request was begun; call putRequest() first',
    getResponse: 'no response is due; call request() first',
  },
  'Request-started': {
    request: BEGUN,
    putRequest: BEGUN,
    putHeader: '',
    endHeaders: '',
    getResponse: 'was begun and not sent; call endHeaders() first',
  },
  'Request-sent': {
    request: SENT,
    putRequest: SENT,
    putHeader: 'has its head sent; a field belongs between putRequest() and endHeaders()',
    endHeaders: 'has its head sent; a request begins with putRequest()',
    getResponse: '',
  },
};

/**
 * Throws unless the call may be made in this state.
 *
 * @param request - the one that was begun or sent last
 * @throws CannotSendRequest, CannotSendHeader, ResponseNotReady
 */
export function checkState(
  call: Call,
  state: ConnectionState,
  request: { readonly method: string; readonly url: string } | null,
): void {
  const next = CALLS[state][call];
  if (!(next in REFUSALS)) return;
  const which = state === 'Idle' || request === null ? '' : `${request.method} ${request.url} `;
  throw new REFUSALS[next as keyof typeof REFUSALS](`${state}: ${which}${WHY[state][call]}`);
}
