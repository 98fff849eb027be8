package io.sluice.client;

import java.util.concurrent.TimeUnit;

/**
 * How many messages to ask for when the app does not say. Enough that its handlers never wait for the daemon, and no
 * more, as a drain finishes what is held, and siblings could have it meanwhile. So where a handler had nothing to do,
 * for all that they finish in {@code MOST_SECONDS}, which the way to the server may take; and where something was held
 * all the time that no handler had begun, for so much less that it is what they finish in {@code SPARE_SECONDS}. I/O
 * thread only.
 */
final class CreditWindow {
  /** As much as a frame carries sixteen times over: more makes nothing quicker. */
  static final int MOST = 4096;

  private static final long INTERVAL = TimeUnit.MILLISECONDS.toNanos(50);
  private static final double MOST_SECONDS = 0.25;
  private static final double SPARE_SECONDS = 0.025;
  private static final double GROWTH = 4; // at once: a hiccup on the way may be all that it was

  private final boolean adapts;
  private final int concurrency;
  private final int least;
  private int messages;
  private boolean measured = false;
  private long measuredAt; // nanoseconds, as System.nanoTime()
  private long measuredSettled = 0;
  private long leastHeld = Long.MAX_VALUE; // since then

  /** {@code fixed}: the app's own choice; 0: none. */
  CreditWindow(int fixed, int concurrency) {
    adapts = fixed == 0;
    this.concurrency = concurrency;
    least = Math.max(8, 4 * concurrency);
    messages = adapts ? least : fixed;
  }

  int messages() {
    return messages;
  }

  int most() {
    return adapts ? Math.max(MOST, least) : messages;
  }

  /**
   * When messages arrive: {@code settled} is the count of verdicts so far, {@code held} the messages that were here
   * before them; 0 if handlers may have nothing to do all the same. True: the credit is another one now.
   */
  boolean update(long now, long settled, long held) {
    leastHeld = Math.min(leastHeld, held);
    if (!adapts || (measured && now - measuredAt < INTERVAL)) return false;
    // A rest says nothing about how quick the handlers are.
    boolean rested = !measured || now - measuredAt > 10 * INTERVAL;
    double rate = (settled - measuredSettled) * 1e9 / (now - measuredAt);
    measured = true;
    measuredAt = now;
    measuredSettled = settled;
    long spare = leastHeld - concurrency;
    leastHeld = Long.MAX_VALUE;
    if (rested) return false;
    int wanted = (int) Math.min(Math.max(wanted(rate, spare), least), most());
    if (wanted < 2 * messages && wanted > messages / 2) return false; // not worth a request
    messages = wanted;
    return true;
  }
  // The daemon asks for more when half of it is free: of a message less to ask for, half is missing when that comes.
  private double wanted(double rate, long spare) {
    double most = rate * MOST_SECONDS;
    if (spare < 0) return Math.min(GROWTH * messages, most);
    double surplus = Math.max(spare - rate * SPARE_SECONDS, 0);
    return Math.min(messages - 2 * surplus, most);
  }
}
