package io.sluice.client;

import io.grpc.Status;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.TimeUnit;

/**
 * How a session comes to its end: what the app wants, what its stream has been told of that, and whether another stream
 * is to follow. I/O thread only, but for the volatile ones.
 */
final class Ending {
  /** What the app wants; only ever grows. */
  enum Wish {
    SERVE,
    DRAIN,
    STOP
  }

  /** The daemon's default: it has given everything back by then, so a drain has nothing left to wait for. */
  private static final long RESUME_WINDOW = TimeUnit.SECONDS.toNanos(5);

  /** A stream that lasted this long was a good one: the next is tried without waiting. */
  private static final long LIVED = TimeUnit.SECONDS.toNanos(1);

  private Wish wish = Wish.SERVE;
  private Duration timeout = null; // of the app's drain; null: the daemon's
  private volatile DrainReport report = DrainReport.NONE; // of the app's drain
  private boolean everOpen = false;
  private long lastOpen = System.nanoTime() - RESUME_WINDOW; // as of System.nanoTime()

  // Of the current stream, or the last one.
  private boolean open = false;
  private long openSince = 0;
  private boolean drained = false; // the daemon has given back what was left
  private volatile Instant deadline = Instant.MAX; // of its drain

  Wish wish() {
    return wish;
  }

  boolean serves() {
    return wish == Wish.SERVE;
  }

  boolean drains() {
    return wish == Wish.DRAIN;
  }

  boolean stops() {
    return wish == Wish.STOP;
  }

  /** False: it wants that, or more, already. */
  boolean want(Wish next) {
    if (next.compareTo(wish) <= 0) return false;
    wish = next;
    return true;
  }

  /** Null: the daemon's. */
  Duration timeout() {
    return timeout;
  }

  void timeout(Duration drain) {
    timeout = drain == null || !drain.isNegative() ? drain : Duration.ZERO;
  }

  /** Any thread. */
  DrainReport report() {
    return report;
  }

  /** Any thread. */
  Instant deadline() {
    return deadline;
  }

  void onConnecting() {
    open = drained = false;
    deadline = Instant.MAX;
  }

  void onOpened() {
    open = everOpen = true;
    openSince = System.nanoTime();
  }

  void onDraining(Instant until) {
    deadline = until;
  }

  void onDrained(DrainReport of) {
    drained = true;
    if (wish == Wish.DRAIN) report = of;
  }

  void onEnded() {
    if (open) lastOpen = System.nanoTime();
  }

  /** Whether the last stream was a good one. */
  boolean lived() {
    return open && lastOpen - openSince >= LIVED;
  }

  /**
   * Whether a daemon that died since can have given back nothing of what the last stream held: not by the end of a
   * drain, and not by the end of its resume window.
   */
  boolean stillKept() {
    boolean byDrain = drained || !Instant.now().isBefore(deadline);
    return !byDrain && System.nanoTime() - lastOpen < RESUME_WINDOW;
  }

  /** No stream is to follow the one that ended so. */
  boolean isLast(Status end) {
    if (wish == Wish.STOP || isPermanent(end)) return true;
    if (wish == Wish.SERVE) return false;
    return report.completed() || !everOpen || System.nanoTime() - lastOpen > RESUME_WINDOW;
  }

  /** Answers that no amount of patience changes. */
  private static boolean isPermanent(Status end) {
    return switch (end.getCode()) {
      case NOT_FOUND, INVALID_ARGUMENT, UNIMPLEMENTED, PERMISSION_DENIED -> true;
      default -> false;
    };
  }
}
