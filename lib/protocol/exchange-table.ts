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

/**
 * `waiting`: for 100 (Continue). `owing`: the head has promised more than has come, `send` is to bring it. `cut`: the rest is not sent,
 * because of an early response, a write error or a failure.
 */
export type RequestState = 'preparing' | 'waiting' | 'sending' | 'owing' | 'sent' | 'cut';
export type RequestEvent = 'head' | 'head and wait' | 'continue' | 'owe' | 'more' | 'finish' | 'stop';

/** `switched`: after a 101 or a 2xx to CONNECT, HTTP is over on this connection. `failed`: nothing more is taken. */
export type ResponseState = 'awaited' | 'body' | 'complete' | 'switched' | 'failed';
export type ResponseEvent = 'head' | 'end' | 'switch' | 'fail';

/** Where an event leads; an event that a state does not list changes nothing. */
export const REQUEST_STEPS: Readonly<Record<RequestState, Partial<Record<RequestEvent, RequestState>>>> = {
  preparing: { head: 'sending', 'head and wait': 'waiting', stop: 'cut' },
  waiting: { continue: 'sending', stop: 'cut' },
  sending: { owe: 'owing', finish: 'sent', stop: 'cut' },
  owing: { more: 'sending', stop: 'cut' },
  sent: { more: 'sending' },
  cut: {},
};

export const RESPONSE_STEPS: Readonly<Record<ResponseState, Partial<Record<ResponseEvent, ResponseState>>>> =
  {
    awaited: { head: 'body', switch: 'switched', fail: 'failed' },
    body: { end: 'complete', fail: 'failed' },
    complete: { fail: 'failed' },
    switched: { fail: 'failed' },
    failed: {},
  };

/** Why a connection is closed: kept with the link, and told to whoever owns it. */
export type CloseReason =
  | 'the peer will close'
  | 'the request was cut short'
  | 'bytes followed the response'
  | 'the exchange failed'
  | 'the response was destroyed'
  | 'the response was dropped'
  | 'the peer closed'
  | 'bytes came while idle'
  | 'bytes were sent outside of a request'
  | 'closed by its owner'
  | 'handed over';

/** What becomes of a link when its exchange is over. */
export type EndReason = 'reuse' | CloseReason;

/** `unfinished`: one side still runs. `hand over`: the bytes that follow are the caller's. */
export type Verdict = 'unfinished' | 'reuse' | 'hand over' | CloseReason;

/**
 * What becomes of the connection, from both axes.
 *
 * A close does not wait for a request that can no longer matter, nor for a body that was received but not read.
 *
 * @param unfit - why the link cannot be used again whatever the two sides say; null when nothing was seen
 */
export function verdict(
  request: RequestState,
  response: ResponseState,
  keepAlive: boolean,
  unfit: CloseReason | null,
): Verdict {
  if (response === 'failed') return unfit ?? 'the exchange failed';
  if (response === 'switched') return 'hand over';
  if (response !== 'complete') return 'unfinished';
  if (unfit !== null) return unfit;
  if (!keepAlive) return 'the peer will close';
  if (request === 'cut') return 'the request was cut short';
  return request === 'sent' ? 'reuse' : 'unfinished';
}

/** Whether a final head makes sending the rest of the request pointless: a refusal, or a peer that says it will close. */
export function makesSendingPointless(status: number, closes: boolean): boolean {
  return status >= 300 || closes;
}
