package io.sluice.client;

import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/**
 * The consuming of one consumer, until it is drained or stopped. Reconnects for ever, unless the daemon says that there
 * is no point (unknown consumer, bad request, no permission, not a Sluice daemon). Thread-safe. A handler or hook must
 * not call what waits.
 */
public sealed class Consumption implements AutoCloseable permits Messages, Fetcher {
  private final Session session;

  Consumption(Session session) {
    this.session = session;
  }

  Session session() {
    return session;
  }

  /**
   * Ends it gracefully, and waits for the end: no more messages come, handlers finish, their verdicts are confirmed. What
   * is still held after the daemon's {@code drain.timeout} is NAKed.
   *
   * @return what became of what was held
   */
  public DrainReport drain() {
    return drainAndWait(null);
  }

  /**
   * Ends it gracefully, and waits for the end: no more messages come, handlers finish, their verdicts are confirmed.
   *
   * @param timeout what is still held then is NAKed by the daemon, and its handlers are cancelled
   * @return what became of what was held
   */
  public DrainReport drain(Duration timeout) {
    return drainAndWait(Objects.requireNonNull(timeout, "timeout"));
  }

  DrainReport drainAndWait(Duration timeout) {
    session.startDrain(timeout, !worksOff());
    awaitClosed();
    return session.drainReport();
  }

  /** Whether anybody takes what waits here while the calling thread waits for the end of a drain. */
  boolean worksOff() {
    return true;
  }

  /** Starts {@link #drain()} without waiting: for handlers, and for loops. */
  public void startDrain() {
    session.startDrain(null, false);
  }

  /**
   * Starts {@link #drain(Duration)} without waiting: for handlers, and for loops.
   *
   * @param timeout what is still held then is NAKed by the daemon
   */
  public void startDrain(Duration timeout) {
    session.startDrain(Objects.requireNonNull(timeout, "timeout"), false);
  }

  /**
   * Ends it at once: what has no verdict yet goes back to JetStream, later verdicts are dropped. Waits until the daemon
   * knows, 5 s at most; not for handlers that run, which are cancelled.
   */
  public void stop() {
    session.startStop();
    awaitClosed();
  }

  /** The same as {@link #stop()}. */
  @Override
  public void close() {
    stop();
  }

  void awaitClosed() {
    try {
      session.closed().join();
    } catch (CompletionException e) {
      // Why it ended is told by closed(); here it matters that it has.
      assert e.getCause() instanceof SluiceException;
    }
  }

  /**
   * For {@code main}: waits for SIGTERM or SIGINT, then drains; or returns when it has ended by itself. A second SIGINT
   * kills the process. Where the JVM does not let signals be caught, a shutdown hook drains.
   *
   * @return what became of what was held
   */
  public DrainReport run() {
    return run(null);
  }

  /**
   * For {@code main}: the same as {@link #run()}, with a timeout for the drain.
   *
   * @param drainTimeout as of {@link #drain(Duration)}; null: the daemon's
   * @return what became of what was held
   */
  public DrainReport run(Duration drainTimeout) {
    Signals.during(this::awaitClosed, () -> session.startDrain(drainTimeout, false));
    return session.drainReport();
  }

  /**
   * Its end.
   *
   * @return completes normally after a drain or stop; with a {@link SluiceException} if the daemon refused
   */
  public CompletableFuture<Void> closed() {
    CompletableFuture<Void> end = new CompletableFuture<>(); // the caller's own; copy() would wrap the exception
    session
        .closed()
        .whenComplete(
            (nothing, error) -> {
              if (error == null) {
                end.complete(null);
              } else {
                end.completeExceptionally(error);
              }
            });
    return end;
  }

  /**
   * Of the drain this app asked for.
   *
   * @return valid once it is closed
   */
  public DrainReport drainReport() {
    return session.drainReport();
  }

  /**
   * What happened so far.
   *
   * @return counted as of now
   */
  public Stats stats() {
    return session.stats();
  }

  /**
   * What stands between the app and its messages.
   *
   * @return as of now
   */
  public State state() {
    return session.state();
  }

  /**
   * Under which id the daemon knows it.
   *
   * @return the client's, with a number from the second consumption of a consumer on
   */
  public String clientId() {
    return session.clientId();
  }
}
