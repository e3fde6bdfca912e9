/**
 * What can be watched: the diagnostics channels and the shape of what is published on them.
 *
 * Whoever publishes asks `hasSubscribers` first, so that nothing is gathered for nobody. Everything published is plain data. A
 * subscriber that throws is reported by Node as uncaught; the exchange goes on.
 */
import { channel } from 'node:diagnostics_channel';
import type { Channel } from 'node:diagnostics_channel';

/** The channels, by what happens. */
export interface Channels {
  readonly connectionOpen: Channel;
  readonly connectionClose: Channel;
  readonly requestStart: Channel;
  readonly requestSent: Channel;
  readonly requestHeaders: Channel;
  readonly requestEnd: Channel;
  readonly requestError: Channel;
  readonly requestRetry: Channel;
}

export const CHANNELS: Channels = {
  connectionOpen: channel('millrace:connection:open'),
  connectionClose: channel('millrace:connection:close'),
  requestStart: channel('millrace:request:start'),
  requestSent: channel('millrace:request:sent'),
  requestHeaders: channel('millrace:request:headers'),
  requestEnd: channel('millrace:request:end'),
  requestError: channel('millrace:request:error'),
  requestRetry: channel('millrace:request:retry'),
};
