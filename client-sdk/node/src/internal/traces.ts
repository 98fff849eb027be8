import type * as Otel from '@opentelemetry/api';
import type { Message } from '../message';

// Not a dependency: only where the app has it.
const otel = load();

function load(): typeof Otel | undefined {
  try {
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- the one way to ask for what may be absent
    return require('@opentelemetry/api') as typeof Otel;
  } catch {
    return undefined;
  }
}

/** `version-traceid-spanid-flags`; https://www.w3.org/TR/trace-context */
const TRACEPARENT = /^(?!ff)[\da-f]{2}-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-([\da-f]{2})(?:-|$)/;

/** Calls `handler` in the trace that the message's `traceparent` and `tracestate` name. */
export function inTraceOf<T>(message: Message, handler: (message: Message) => T): T {
  if (otel === undefined || !message.delivery.hasHeaders) return handler(message);
  const [, traceId, spanId, flags] = TRACEPARENT.exec(headerOf(message, 'traceparent') ?? '') ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return handler(message);
  const state = headerOf(message, 'tracestate');
  const parent: Otel.SpanContext = {
    traceId,
    spanId,
    traceFlags: parseInt(flags, 16),
    isRemote: true,
    ...(state === undefined ? {} : { traceState: otel.createTraceState(state) }),
  };
  const context = otel.trace.setSpanContext(otel.context.active(), parent);
  return otel.context.with(context, () => handler(message));
}

/** NATS keeps the case that a publisher wrote, and W3C says that it does not matter. */
function headerOf(message: Message, name: string): string | undefined {
  return message.headers.find(([written]) => written.toLowerCase() === name)?.[1];
}
