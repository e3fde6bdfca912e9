/**
 * Metrics of all requests for Prometheus: how long they took and how they ended, bytes, open connections. Import it and call
 * `measureRequests()` once.
 *
 *   npm install prom-client
 */
import { subscribe } from 'node:diagnostics_channel';
import { Counter, Gauge, Histogram, register } from 'prom-client';

export function measureRequests(registers = [register]) {
  const duration = new Histogram({
    name: 'http_client_request_duration_seconds',
    help: 'From the making of a request to the last byte of its response',
    labelNames: ['method', 'status'],
    buckets: [0.005, 0.025, 0.1, 0.5, 1, 5, 30],
    registers,
  });
  const counter = (name, help, labelNames) => new Counter({ name, help, labelNames, registers });
  const failures = counter('http_client_failures_total', 'Requests that failed', ['method', 'code']);
  const retries = counter('http_client_retries_total', 'Requests that were made anew', []);
  const bytes = counter('http_client_bytes_total', 'Bytes on the wire, heads included', ['direction']);
  const open = new Gauge({ name: 'http_client_connections', help: 'Connections that are open', registers });
  // Labels are few by intent: a URL as label is a new time series for each URL.
  const running = new Map();

  subscribe('millrace:connection:open', () => open.inc());
  subscribe('millrace:connection:close', () => open.dec());
  subscribe('millrace:request:start', ({ id, method }) => running.set(id, { method, status: 0 }));
  subscribe('millrace:request:headers', ({ id, status }) => {
    const request = running.get(id);
    if (request !== undefined) request.status = status;
  });
  subscribe('millrace:request:end', ({ id, bytesSent, bytesReceived, timings }) => {
    const request = running.get(id);
    if (!running.delete(id)) return;
    bytes.inc({ direction: 'sent' }, bytesSent);
    bytes.inc({ direction: 'received' }, bytesReceived);
    // Without `end` the response was given up before it had come.
    if (timings.end !== null) duration.observe(request, timings.end / 1000);
  });
  subscribe('millrace:request:error', ({ id, error }) => {
    const request = running.get(id);
    if (!running.delete(id)) return;
    failures.inc({ method: request.method, code: error?.code ?? error?.name ?? 'other' });
  });
  subscribe('millrace:request:retry', () => retries.inc());
}
