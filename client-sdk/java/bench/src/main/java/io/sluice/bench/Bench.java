package io.sluice.bench;

import io.sluice.client.Client;
import io.sluice.client.ClientOptions;
import io.sluice.client.ConsumeOptions;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicLong;

/**
 * How many messages a second an app takes and acks, beside what a bare gRPC stream in Java reaches with the same frames,
 * resume tokens included, and packed ids. Rounds are interleaved, medians count. Prints JSON lines {name, value, unit}.
 */
public final class Bench {
  private static final int PAYLOAD = 128; // bytes
  private static final int CREDIT = 4096; // messages
  private static final int ROUNDS = 5;
  private static final long WARM_UP = 1000; // milliseconds at the begin of each measurement, not counted
  private static final long MEASURED = 2000; // milliseconds

  /** An app at work, until it is closed. */
  interface Running extends AutoCloseable {
    @Override
    void close();
  }

  /** Consumes, and counts. */
  private interface App {
    Running start(String address, AtomicLong handled);
  }

  /** One figure: an app, and a server of its own. */
  private record Row(String name, Callable<Server> servers, App app) {}

  private Bench() {}

  /**
   * Measures.
   *
   * @param arguments the folder with bench_floor and bench_stub_daemon
   * @throws Exception a server did not start
   */
  public static void main(String[] arguments) throws Exception {
    Path programs = Path.of(arguments[0]);
    Map<String, List<Double>> rates = new LinkedHashMap<>();
    List<Row> rows =
        new ArrayList<>(
            List.of(
                new Row("java.bare", () -> Server.floor(programs, PAYLOAD, CREDIT), Bench::bare),
                new Row("java.bare_stub", () -> Server.stubDaemon(programs, PAYLOAD), Bench::bare),
                new Row("java.handler", () -> Server.stubDaemon(programs, PAYLOAD), Bench::handler),
                new Row("java.batch", () -> Server.stubDaemon(programs, PAYLOAD), Bench::batch)));
    for (Row row : rows) rates.put(row.name(), new ArrayList<>());
    for (int round = 0; round <= ROUNDS; round++) {
      for (Row row : rows) {
        double rate = measure(row);
        if (round > 0) rates.get(row.name()).add(rate); // the first is the JIT's
      }
      Collections.reverse(rows); // what comes last is not always the same
    }
    rates.forEach((name, values) -> print(name, median(values), "msg/s"));
    double bare = median(rates.get("java.bare"));
    print("java.handler_ratio", median(rates.get("java.handler")) / bare, "of bare");
    print("java.batch_ratio", median(rates.get("java.batch")) / bare, "of bare");
    double stub = median(rates.get("java.bare_stub"));
    print("java.handler_stub_ratio", median(rates.get("java.handler")) / stub, "of bare_stub");
    print("java.batch_stub_ratio", median(rates.get("java.batch")) / stub, "of bare_stub");
  }

  private static double measure(Row row) throws Exception {
    AtomicLong handled = new AtomicLong();
    try (Server server = row.servers().call();
        Running running = row.app().start(server.address(), handled)) {
      Thread.sleep(WARM_UP);
      long before = handled.get();
      long start = System.nanoTime();
      Thread.sleep(MEASURED);
      double rate = (handled.get() - before) * 1e9 / (System.nanoTime() - start);
      if (rate == 0) throw new IllegalStateException(running + " got nothing");
      return rate;
    }
  }

  private static Running bare(String address, AtomicLong handled) {
    return new Bare(address, CREDIT, handled);
  }

  private static Running handler(String address, AtomicLong handled) {
    Client client = Client.create(ClientOptions.defaults().address(address));
    client.consume("bench", options(), m -> handled.lazySet(handled.get() + 1));
    return client::close;
  }

  private static Running batch(String address, AtomicLong handled) {
    Client client = Client.create(ClientOptions.defaults().address(address));
    client.consumeBatches("bench", options(), batch -> handled.lazySet(handled.get() + batch.size()));
    return client::close;
  }

  private static ConsumeOptions options() {
    return ConsumeOptions.defaults().creditMessages(CREDIT);
  }

  private static double median(List<Double> values) {
    List<Double> sorted = values.stream().sorted().toList();
    return sorted.get(sorted.size() / 2);
  }

  private static void print(String name, double value, String unit) {
    System.out.printf(
        Locale.ROOT, "{\"name\": \"%s\", \"value\": %.3f, \"unit\": \"%s\"}%n", name, value, unit);
  }
}
