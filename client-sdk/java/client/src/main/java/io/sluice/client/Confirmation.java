package io.sluice.client;

import java.util.concurrent.CompletableFuture;

/** What is still to be heard of one message, where verdicts are confirmed. I/O thread only, but for the future. */
final class Confirmation {
  final CompletableFuture<Outcome> outcome = new CompletableFuture<>();
  boolean settled = false;
  int inProgress = 0; // of those, each has a result of its own, which comes before the verdict's
}
