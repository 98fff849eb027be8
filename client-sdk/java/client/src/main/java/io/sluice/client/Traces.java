package io.sluice.client;

import io.opentelemetry.api.trace.propagation.W3CTraceContextPropagator;
import io.opentelemetry.context.Context;
import io.opentelemetry.context.propagation.TextMapGetter;
import java.util.List;

/**
 * Makes the W3C trace context of a message's headers the context of its handler, where the app has OpenTelemetry's API.
 */
final class Traces {
  /** Until the handler returns. */
  interface Scope {
    void close();
  }

  private static final Scope NONE = () -> {};
  private static final boolean PRESENT = isPresent();

  private Traces() {}

  static Scope enter(Message message) {
    if (!PRESENT || headerOf(message, "traceparent") == null) return NONE;
    return OpenTelemetry.enter(message);
  }

  /** NATS keeps the case that a publisher wrote, and W3C says that it does not matter. */
  private static String headerOf(Message message, String name) {
    for (Header header : message.headers()) {
      if (header.name().equalsIgnoreCase(name)) return header.value();
    }
    return null;
  }

  private static boolean isPresent() {
    try {
      Class.forName("io.opentelemetry.api.trace.propagation.W3CTraceContextPropagator");
      return true;
    } catch (ClassNotFoundException | LinkageError e) {
      return false;
    }
  }

  /** Loaded only where it can be. */
  private static final class OpenTelemetry implements TextMapGetter<Message> {
    private static final OpenTelemetry GETTER = new OpenTelemetry();

    static Scope enter(Message message) {
      Context context = W3CTraceContextPropagator.getInstance().extract(Context.current(), message, GETTER);
      return context.makeCurrent()::close;
    }

    @Override
    public String get(Message message, String name) {
      return headerOf(message, name);
    }
  }
}
