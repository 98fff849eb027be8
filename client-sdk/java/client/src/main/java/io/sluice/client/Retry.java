package io.sluice.client;

import io.grpc.netty.shaded.io.netty.channel.EventLoop;
import io.grpc.netty.shaded.io.netty.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;

/** The waiting for the next stream: for its time, or for a daemon that was not there. I/O thread only. */
final class Retry {
  /** How often a daemon that is not there is knocked at, so that a new one is found at once. */
  private static final long KNOCK = TimeUnit.MILLISECONDS.toNanos(500);

  private final Transport transport;
  private final EventLoop loop;
  private final Runnable open;
  private final Backoff backoff;
  private ScheduledFuture<?> waiting = null;
  private long at = 0; // as of System.nanoTime()
  private boolean watching = false; // the connection

  Retry(ClientOptions options, Transport transport, Runnable open) {
    this.transport = transport;
    this.loop = transport.loop();
    this.open = open;
    this.backoff = new Backoff(options.firstRetry(), options.longestRetry());
  }

  /** Calls {@code open} when it is time. {@code lived}: the last stream was a good one. */
  void await(boolean lived) {
    if (lived) backoff.reset();
    at = System.nanoTime() + backoff.nextNanos();
    if (!watching) watching = transport.whenReachable(() -> loop.execute(this::onReachable));
    waitOn();
  }

  /** In steps: a daemon that comes meanwhile is to be noticed. */
  private void waitOn() {
    long wait = at - System.nanoTime();
    if (wait > 0) {
      waiting = loop.schedule(this::knock, Math.min(wait, KNOCK), TimeUnit.NANOSECONDS);
    } else {
      waiting = null;
      open.run();
    }
  }

  private void knock() {
    transport.connectNow();
    waitOn();
  }

  private void onReachable() {
    watching = false;
    if (waiting == null) return;
    cancel();
    open.run();
  }

  void cancel() {
    if (waiting != null) waiting.cancel(false);
    waiting = null;
  }
}
