package io.sluice.conformance;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;

/** How often this process has begun with each message, and which of them are held until the runner releases them. */
final class Attempts {
  private final Map<Long, Integer> counts = new HashMap<>(); // by stream sequence; guarded by this
  private final Map<Long, CompletableFuture<String>> releases = new HashMap<>(); // likewise

  /** The steps of the next attempt at it. */
  synchronized List<String> next(long sequence, String script) {
    String[] attempts = script.split("\\|", -1);
    int attempt = counts.merge(sequence, 1, Integer::sum);
    return steps(attempts[Math.min(attempt, attempts.length) - 1]);
  }

  static List<String> steps(String steps) {
    return List.of(steps.trim().split("\\s*,\\s*"));
  }

  /** Completes with the steps that follow. */
  synchronized CompletableFuture<String> hold(long sequence) {
    return releases.computeIfAbsent(sequence, held -> new CompletableFuture<>());
  }

  synchronized void forget(long sequence) {
    releases.remove(sequence);
  }

  void release(long sequence, String steps) {
    hold(sequence).complete(steps);
  }
}
