/**
 * The legal order of things, as data: what a caller may call in which state, and how the two sides of one exchange go on.
 *
 * Request and response are two axes that run side by side (a server may answer while the upload runs); `verdict` is the one place
 * where they meet and where it is decided, with a named reason, whether the connection lives on.
 */

/** http.client's three states of a connection, as the caller sees them. */
export type ConnectionState = 'Idle' | 'Request-started' | 'Request-sent';

/** The calls that depend on the state. `request` is `putRequest` and `endHeaders` in one. */
export type Call = 'putRequest' | 'putHeader' | 'endHeaders' | 'request' | 'getResponse';

/** What a call may not be made in this state is refused with. */
export type Refusal = 'CannotSendRequest' | 'CannotSendHeader' | 'ResponseNotReady';

/** The state after the call, or the exception that refuses it. `getResponse` moves on when the head is there. */
export const CALLS: Readonly<Record<ConnectionState, Readonly<Record<Call, ConnectionState | Refusal>>>> = {
  Idle: {
    putRequest: 'Request-started',
    putHeader: 'CannotSendHeader',
    endHeaders: 'CannotSendHeader',
    request: 'Request-sent',
    getResponse: 'ResponseNotReady',
  },
  'Request-started': {
    putRequest: 'CannotSendRequest',
    putHeader: 'Request-started',
    endHeaders: 'Request-sent',
    request: 'CannotSendRequest',
    getResponse: 'ResponseNotReady',
  },
  'Request-sent': {
    putRequest: 'CannotSendRequest',
    putHeader: 'CannotSendHeader',
    endHeaders: 'CannotSendHeader',
    request: 'CannotSendRequest',
    getResponse: 'Idle',
  },
};

/** `waiting`: for 100 (Continue); `cut`: the rest is not sent, because of an early response or a write error. */
export type RequestState = 'preparing' | 'waiting' | 'sending' | 'sent' | 'cut';
export type RequestEvent = 'head' | 'head and wait' | 'continue' | 'finish' | 'stop';

/** `switched`: after a 101 or a 2xx to CONNECT, HTTP is over on this connection. */
export type ResponseState = 'awaited' | 'body' | 'complete' | 'switched';
export type ResponseEvent = 'head' | 'end' | 'switch';

/** Where an event leads; an event that a state does not list changes nothing. */
export const REQUEST_STEPS: Readonly<Record<RequestState, Partial<Record<RequestEvent, RequestState>>>> = {
  preparing: { head: 'sending', 'head and wait': 'waiting', stop: 'cut' },
  waiting: { continue: 'sending', stop: 'cut' },
  sending: { finish: 'sent', stop: 'cut' },
  sent: {},
  cut: {},
};

export const RESPONSE_STEPS: Readonly<Record<ResponseState, Partial<Record<ResponseEvent, ResponseState>>>> =
  {
    awaited: { head: 'body', switch: 'switched' },
    body: { end: 'complete' },
    complete: {},
    switched: {},
  };

/** Why a connection closes after an exchange. */
export type CloseReason = 'the peer will close' | 'the request was cut short' | 'bytes followed the response';

/** `unfinished`: one side still runs. `hand over`: the bytes that follow are the caller's. */
export type Verdict = 'unfinished' | 'reuse' | 'hand over' | CloseReason;

/**
 * What becomes of the connection, from both axes.
 *
 * A close does not wait for a request that can no longer matter, nor for a body that was received but not read.
 */
export function verdict(
  request: RequestState,
  response: ResponseState,
  keepAlive: boolean,
  surplus: boolean,
): Verdict {
  if (response === 'switched') return 'hand over';
  if (response !== 'complete') return 'unfinished';
  if (surplus) return 'bytes followed the response';
  if (!keepAlive) return 'the peer will close';
  if (request === 'cut') return 'the request was cut short';
  return request === 'sent' ? 'reuse' : 'unfinished';
}

/** Whether a final head makes sending the rest of the request pointless: a refusal, or a peer that says it will close. */
export function makesSendingPointless(status: number, closes: boolean): boolean {
  return status >= 300 || closes;
}
