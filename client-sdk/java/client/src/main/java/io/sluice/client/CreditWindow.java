package io.sluice.client;

import java.util.concurrent.TimeUnit;

/**
 * How many messages to ask for when the app does not say: what its handlers finish in a quarter of a second. Enough
 * that quick ones never wait for the daemon, and so little that slow ones finish what they hold within a drain. I/O
 * thread only.
 */
final class CreditWindow {
  /** As much as a frame carries sixteen times over: more makes nothing quicker. */
  static final int MOST = 4096;

  private static final long INTERVAL = TimeUnit.MILLISECONDS.toNanos(50);
  private static final double SECONDS = 0.25;

  private final boolean adapts;
  private final int least;
  private int messages;
  private boolean measured = false;
  private long measuredAt; // nanoseconds, as System.nanoTime()
  private long measuredSettled = 0;

  /** {@code fixed}: the app's own choice; 0: none. */
  CreditWindow(int fixed, int concurrency) {
    adapts = fixed == 0;
    least = Math.max(8, 4 * concurrency);
    messages = adapts ? least : fixed;
  }

  int messages() {
    return messages;
  }

  int most() {
    return adapts ? Math.max(MOST, least) : messages;
  }

  /** When messages arrive: {@code settled} is the count of verdicts so far. True: the credit is another one now. */
  boolean update(long now, long settled) {
    if (!adapts || (measured && now - measuredAt < INTERVAL)) return false;
    // A rest says nothing about how quick the handlers are.
    boolean rested = !measured || now - measuredAt > 10 * INTERVAL;
    double rate = (settled - measuredSettled) * 1e9 / (now - measuredAt);
    measured = true;
    measuredAt = now;
    measuredSettled = settled;
    if (rested) return false;
    int wanted = (int) Math.min(Math.max(rate * SECONDS, least), most());
    if (wanted < 2 * messages && wanted > messages / 2) return false; // not worth a request
    messages = wanted;
    return true;
  }
}
