/**
 * A span for each request, with OpenTelemetry's stable conventions for HTTP clients, and its context sent along. Import it and call
 * `traceRequests()` once; requests need no change. Each attempt of a request that is retried is a span of its own.
 *
 *   npm install @opentelemetry/api            (and an SDK, as for any program that is traced)
 */
import { subscribe } from 'node:diagnostics_channel';
import { context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';

const METHODS = ['CONNECT', 'DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'TRACE', 'QUERY'];

export function traceRequests(tracer = trace.getTracer('millrace')) {
  const connections = new Map();
  const spans = new Map();

  subscribe('millrace:connection:open', (connection) => connections.set(connection.id, connection));
  subscribe('millrace:connection:close', ({ id }) => connections.delete(id));

  subscribe('millrace:request:start', (request) => {
    const connection = connections.get(request.connection);
    const known = METHODS.includes(request.method);
    const attributes = {
      'http.request.method': known ? request.method : '_OTHER',
      'network.protocol.version': '1.1',
    };
    if (!known) attributes['http.request.method_original'] = request.method;
    if (connection !== undefined) {
      const { host, port, address, tls } = connection;
      const origin = `${tls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}`;
      attributes['server.address'] = host;
      attributes['server.port'] = port;
      attributes['url.full'] = URL.canParse(request.url, origin)
        ? new URL(request.url, origin).href
        : request.url;
      if (address) attributes['network.peer.address'] = address;
    }
    const span = tracer.startSpan(known ? request.method : 'HTTP', { kind: SpanKind.CLIENT, attributes });
    spans.set(request.id, span);
    // traceparent and its like: fields may be added as long as the event is being published.
    propagation.inject(trace.setSpan(context.active(), span), request, {
      set: (carrier, name, value) => carrier.addHeader(name, value),
    });
  });

  subscribe('millrace:request:headers', ({ id, status }) => {
    const span = spans.get(id);
    span?.setAttribute('http.response.status_code', status);
    if (status >= 400)
      span?.setAttribute('error.type', String(status)).setStatus({ code: SpanStatusCode.ERROR });
  });

  const end = (id) => {
    spans.get(id)?.end();
    spans.delete(id);
  };
  subscribe('millrace:request:end', ({ id }) => end(id));
  subscribe('millrace:request:error', ({ id, error }) => {
    const type = error?.code ?? error?.name ?? '_OTHER';
    const message = error instanceof Error ? error.message : String(error);
    spans
      .get(id)
      ?.setAttribute('error.type', String(type))
      .setStatus({ code: SpanStatusCode.ERROR, message });
    end(id);
  });
}
