package io.sluice.client;

import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Waiting times between attempts: none before the first, then doubling from {@code first} to {@code longest}, each
 * shortened by up to a quarter at random so that a fleet does not knock in step. I/O thread only.
 */
final class Backoff {
  private final long first; // nanoseconds, as all here
  private final long longest;
  private long next = 0;

  Backoff(Duration first, Duration longest) {
    this.first = first.toNanos();
    this.longest = Math.max(longest.toNanos(), this.first);
  }

  long nextNanos() {
    long wait = next;
    next = Math.min(Math.max(2 * next, first), longest);
    return (long) (wait * ThreadLocalRandom.current().nextDouble(0.75, 1.0));
  }

  void reset() {
    next = 0;
  }
}
