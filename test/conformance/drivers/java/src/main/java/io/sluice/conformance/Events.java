package io.sluice.conformance;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanContext;
import io.sluice.client.DrainReport;
import io.sluice.client.Header;
import io.sluice.client.Message;
import io.sluice.client.Stats;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.zip.CRC32;

/** What the driver says, one JSON object a line. */
final class Events {
  private static final int MOST_DATA = 1024; // bytes that `begin` shows

  private final Gson gson = new GsonBuilder().disableHtmlEscaping().create();
  private final PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
  private final Set<String> closed = new HashSet<>(); // told so; guarded by this

  /** {@code as}: empty, of the driver itself. */
  synchronized void tell(String event, String as, Map<String, ?> fields) {
    Map<String, Object> line = new LinkedHashMap<>();
    line.put("event", event);
    if (!as.isEmpty()) line.put("as", as);
    line.putAll(fields);
    out.println(gson.toJson(line));
    out.flush();
    if (event.equals("closed")) {
      closed.add(as);
      notifyAll();
    }
  }

  /** Until `closed` was told of it, 5 s at most. */
  synchronized void awaitClosed(String as) {
    long deadline = System.nanoTime() + Duration.ofSeconds(5).toNanos();
    try {
      while (!closed.contains(as) && System.nanoTime() < deadline) wait(100);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  void begin(String as, Message message) {
    Map<String, Object> fields = new LinkedHashMap<>();
    fields.put("sequence", message.streamSequence());
    fields.put("consumer_sequence", message.consumerSequence());
    fields.put("num_delivered", message.numDelivered());
    fields.put("num_pending", message.numPending());
    fields.put("timestamp_ns", nanos(message.timestamp()));
    fields.put("subject", base64(message.subjectBytes()));
    List<List<String>> headers = new ArrayList<>();
    for (Header header : message.headers()) {
      headers.add(List.of(base64(header.nameBytes()), base64(header.valueBytes())));
    }
    fields.put("headers", headers);
    fields.put("key", base64(message.keyBytes()));
    byte[] data = message.data();
    CRC32 crc = new CRC32();
    crc.update(data);
    fields.put("size", data.length);
    fields.put("crc32", crc.getValue());
    SpanContext span = Span.current().getSpanContext();
    fields.put("trace", span.isValid() ? span.getTraceId() : "");
    if (data.length <= MOST_DATA) fields.put("data", base64(data));
    fields.put("time_ns", nanos(Instant.now()));
    tell("begin", as, fields);
  }

  /** {@code second}: null, if no second verdict was tried. */
  void end(String as, Message message, String verdict, boolean cancelled, Boolean second) {
    Map<String, Object> fields = new LinkedHashMap<>();
    fields.put("sequence", message.streamSequence());
    fields.put("verdict", verdict);
    fields.put("cancelled", cancelled);
    if (second != null) fields.put("second", second);
    fields.put("time_ns", nanos(Instant.now()));
    tell("end", as, fields);
  }

  static Map<String, Object> report(DrainReport report) {
    Map<String, Object> fields = new LinkedHashMap<>();
    fields.put("completed", report.completed());
    fields.put("deadline_exceeded", report.deadlineExceeded());
    fields.put("awaited", report.awaited());
    fields.put("acked", report.acked());
    fields.put("terminated", report.terminated());
    fields.put("naked", report.naked());
    fields.put("expired", report.expired());
    fields.put("late", report.late());
    fields.put("released", report.released());
    fields.put("unsettled", report.unsettled());
    fields.put("dead_lettered", report.deadLettered());
    return fields;
  }

  static Map<String, Long> stats(Stats stats) {
    Map<String, Long> fields = new LinkedHashMap<>();
    fields.put("received", stats.received());
    fields.put("acked", stats.acked());
    fields.put("naked", stats.naked());
    fields.put("terminated", stats.terminated());
    fields.put("thrown", stats.thrown());
    fields.put("in_flight", stats.inFlight());
    fields.put("streams", stats.streams());
    fields.put("lost", stats.lost());
    fields.put("refused", stats.refused());
    fields.put("rejoined", stats.rejoined());
    fields.put("late", stats.late());
    fields.put("not_held", stats.notHeld());
    fields.put("failed", stats.failed());
    return fields;
  }

  private static long nanos(Instant time) {
    return time.getEpochSecond() * 1_000_000_000L + time.getNano();
  }

  private static String base64(byte[] bytes) {
    return Base64.getEncoder().encodeToString(bytes);
  }
}
