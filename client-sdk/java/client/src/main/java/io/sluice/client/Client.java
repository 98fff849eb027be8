package io.sluice.client;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Function;

/**
 * An app's connection to the Sluice daemon beside it. Opens nothing by itself: connecting, and reconnecting, is each
 * consumption's own business. Thread-safe.
 *
 * <pre>{@code
 * try (Client client = Client.create()) {
 *   client.consume("orders", ConsumeOptions.defaults().concurrency(8), m -> work(m.data())).run();
 * }
 * }</pre>
 */
public final class Client implements AutoCloseable {
  private final ClientOptions options;
  private final String clientId;
  private final Transport transport;

  private final Map<String, Integer> ordinals = new HashMap<>(); // of consumptions, by consumer; guarded by this
  private final List<Consumption> consumptions = new ArrayList<>(); // not closed ones; guarded by this
  private boolean closed = false; // guarded by this

  private Client(ClientOptions options) {
    this.options = options;
    this.clientId = Limits.clientId(options.clientId().isEmpty() ? makeClientId() : options.clientId());
    this.transport = new Transport(options);
  }

  /**
   * A client of the daemon at {@code $SLUICE_ADDRESS}, else at {@code unix:///run/sluice/sluice.sock}.
   *
   * @return to be closed
   */
  public static Client create() {
    return create(ClientOptions.defaults());
  }

  /**
   * A client of a daemon.
   *
   * @param options where the daemon is, and who the client is
   * @return to be closed
   */
  public static Client create(ClientOptions options) {
    return new Client(options);
  }

  /**
   * Calls {@code handler} for the messages of a consumer, one at a time, from now on.
   *
   * @param consumer its name in the daemon's configuration
   * @param handler returning acks, throwing naks
   * @return runs until it is drained or stopped
   */
  public Consumption consume(String consumer, Handler handler) {
    return consume(consumer, ConsumeOptions.defaults(), handler);
  }

  /**
   * Calls {@code handler} for the messages of a consumer, from now on.
   *
   * @param consumer its name in the daemon's configuration
   * @param options how
   * @param handler returning acks, throwing naks
   * @return runs until it is drained or stopped
   */
  public Consumption consume(String consumer, ConsumeOptions options, Handler handler) {
    return consume(consumer, options, new Runner.OfHandler(options, handler), options.concurrency() > 1);
  }

  /**
   * Calls {@code handler} for the messages of a consumer, from now on, and settles each when its stage completes.
   *
   * @param consumer its name in the daemon's configuration
   * @param options how
   * @param handler starts the work on a message
   * @return runs until it is drained or stopped
   */
  public Consumption consumeAsync(String consumer, ConsumeOptions options, AsyncHandler handler) {
    return consume(consumer, options, new Runner.OfAsyncHandler(options, handler), options.concurrency() > 1);
  }

  /**
   * Calls {@code handler} with what has come of the messages of a consumer, from now on: for work that is cheaper
   * together, as one transaction.
   *
   * @param consumer its name in the daemon's configuration
   * @param options how; {@code concurrency} counts batches
   * @param handler returning acks all, throwing naks all
   * @return runs until it is drained or stopped
   */
  public Consumption consumeBatches(String consumer, ConsumeOptions options, BatchHandler handler) {
    return consume(consumer, options, new Runner.OfBatchHandler(options, handler), options.concurrency() > 1);
  }

  private Consumption consume(String consumer, ConsumeOptions options, Runner runner, boolean parallel) {
    Inbox inbox = inboxOf(options, parallel || options.manual());
    Workers workers = new Workers(options.executor(), options.concurrency(), inbox, runner);
    inbox.onAvailable(workers::wake);
    return start(consumer, options, false, inbox, Consumption::new);
  }

  /**
   * The messages of a consumer as a loop.
   *
   * @param consumer its name in the daemon's configuration
   * @return to be closed
   */
  public Messages messages(String consumer) {
    return messages(consumer, ConsumeOptions.defaults());
  }

  /**
   * The messages of a consumer as a loop.
   *
   * @param consumer its name in the daemon's configuration
   * @param options how
   * @return to be closed
   */
  public Messages messages(String consumer, ConsumeOptions options) {
    return start(
        consumer, options, false, inboxOf(options, true), session -> new Messages(session, options.manual()));
  }

  /**
   * The messages of a consumer on demand.
   *
   * @param consumer its name in the daemon's configuration
   * @return to be closed
   */
  public Fetcher fetcher(String consumer) {
    return fetcher(consumer, ConsumeOptions.defaults());
  }

  /**
   * The messages of a consumer on demand.
   *
   * @param consumer its name in the daemon's configuration
   * @param options how; {@code concurrency}, {@code creditMessages}, {@code key} and {@code manual} say nothing here
   * @return to be closed
   */
  public Fetcher fetcher(String consumer, ConsumeOptions options) {
    return start(consumer, options, true, new Inbox(null, false), Fetcher::new);
  }

  private static Inbox inboxOf(ConsumeOptions options, boolean ordered) {
    if (!ordered) return new Inbox(null, false);
    Function<? super Message, ?> key = options.key();
    if (key != null) return new Inbox(held -> key.apply(new Message(held)), true);
    return new Inbox(held -> held.delivery.getKey().isEmpty() ? null : held.delivery.getKey(), false);
  }

  private synchronized <T extends Consumption> T start(
      String consumer, ConsumeOptions options, boolean onDemand, Inbox inbox, Function<Session, T> kind) {
    if (closed) throw new IllegalStateException("the client is closed");
    String id = clientIdFor(consumer);
    Session session = new Session(consumer, id, this.options, options, onDemand, transport, inbox);
    T consumption = kind.apply(session);
    consumptions.add(consumption);
    session.closed().whenComplete((end, error) -> forget(consumption));
    session.start();
    return consumption;
  }

  private synchronized void forget(Consumption consumption) {
    consumptions.remove(consumption);
  }

  /** A second consumption of the same consumer is another instance to the daemon. */
  private String clientIdFor(String consumer) {
    int ordinal = ordinals.merge(consumer, 1, Integer::sum);
    return ordinal == 1 ? clientId : cut(clientId, Limits.CLIENT_ID_BYTES - 12) + "-" + ordinal;
  }

  /**
   * For {@code main}: waits for SIGTERM or SIGINT, then drains all consumptions; or returns when they have ended by
   * themselves. A second SIGINT kills the process.
   *
   * @param drainTimeout as of {@link Consumption#drain(Duration)}; null: the daemon's
   * @return what became of what they held, in the order in which they were started
   */
  public List<DrainReport> run(Duration drainTimeout) {
    List<Consumption> all = open();
    Signals.during(
        () -> all.forEach(Consumption::awaitClosed), () -> all.forEach(one -> one.session().startDrain(drainTimeout, false)));
    return all.stream().map(Consumption::drainReport).toList();
  }

  /** Stops all consumptions, and disconnects. */
  @Override
  public void close() {
    synchronized (this) {
      if (closed) return;
      closed = true;
    }
    List<Consumption> all = open();
    for (Consumption one : all) one.session().startStop();
    for (Consumption one : all) one.stop();
    transport.close();
  }

  private synchronized List<Consumption> open() {
    return List.copyOf(consumptions);
  }

  /**
   * Where the daemon is.
   *
   * @return as gRPC spells it
   */
  public String address() {
    return options.address();
  }

  /**
   * Who this app instance is to the daemon.
   *
   * @return as given, else made up
   */
  public String clientId() {
    return clientId;
  }

  private static String makeClientId() {
    String random = Long.toHexString(ThreadLocalRandom.current().nextLong());
    return cut(host(), 64) + "-" + ProcessHandle.current().pid() + "-" + random;
  }

  private static String host() {
    String environment = System.getenv("HOSTNAME");
    if (environment != null && !environment.isEmpty()) return environment;
    try {
      return InetAddress.getLocalHost().getHostName();
    } catch (UnknownHostException e) {
      return "app"; // the rest makes it unique
    }
  }

  private static String cut(String text, int mostBytes) {
    int length = text.length();
    while (text.substring(0, length).getBytes(StandardCharsets.UTF_8).length > mostBytes) length--;
    return text.substring(0, length);
  }
}
