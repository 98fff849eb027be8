package io.sluice.client;

import io.grpc.netty.shaded.io.netty.channel.EventLoop;
import io.grpc.netty.shaded.io.netty.util.concurrent.ScheduledFuture;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/** How long the current stream is waited for; one thing at a time. I/O thread only. */
final class Patience {
  /** A daemon that has not answered Opened by then is taken for hung. */
  private static final Duration OPEN = Duration.ofSeconds(10);

  private static final Duration STOP = Duration.ofSeconds(5);

  /** For a drain without a timeout of its own, until Draining tells the daemon's. */
  private static final Duration DRAIN = Duration.ofSeconds(60);

  /** Beyond what a drain may take by its own deadline: the daemon's final phases and the way back. */
  private static final Duration DRAIN_GRACE = Duration.ofSeconds(5);

  private final EventLoop loop;
  private final Consumer<String> giveUp;
  private ScheduledFuture<?> timer = null;

  /** {@code giveUp}: told why. */
  Patience(EventLoop loop, Consumer<String> giveUp) {
    this.loop = loop;
    this.giveUp = giveUp;
  }

  void awaitOpened() {
    start(OPEN, "the daemon has not answered within 10 s");
  }

  /** The app wants it to end, and the daemon has not even answered Opened. */
  void awaitOpenedToEnd() {
    start(STOP, "the daemon has not answered within 5 s");
  }

  void awaitEnd() {
    start(STOP, "the daemon has not answered to the half-close within 5 s");
  }

  /** {@code timeout}: null, for the daemon's. */
  void awaitDrained(Duration timeout) {
    start((timeout == null ? DRAIN : timeout).plus(DRAIN_GRACE), "the drain has not ended in time");
  }

  /** Nothing is waited for any more. */
  void stop() {
    if (timer != null) timer.cancel(false);
    timer = null;
  }

  private void start(Duration wait, String reason) {
    stop();
    timer =
        loop.schedule(
            () -> {
              timer = null;
              giveUp.accept(reason);
            },
            wait.toMillis(),
            TimeUnit.MILLISECONDS);
  }
}
