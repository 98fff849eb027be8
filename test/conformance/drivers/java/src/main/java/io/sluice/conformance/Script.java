package io.sluice.conformance;

import io.opentelemetry.context.Context;
import io.sluice.client.Message;
import io.sluice.client.RejectException;
import io.sluice.client.RetryAfterException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Does with a message what its header `Script` says. */
final class Script {
  /** An error of the language's own. */
  private static final class ScriptedException extends Exception {
    private static final long serialVersionUID = 1L;

    ScriptedException() {
      super("as the script says");
    }
  }

  /** The verdict that a script comes to. */
  private record Verdict(String name, String argument) {
    Duration delay() {
      return Duration.ofMillis(Long.parseLong(argument));
    }
  }

  /** Collects garbage from the first message on that is forgotten: an idle driver would make none of its own. */
  private static final class Collector {
    static {
      Thread thread = new Thread(Collector::collect, "collector");
      thread.setDaemon(true);
      thread.start();
    }

    static void start() {
      // Loading the class did it.
    }

    private static void collect() {
      while (true) {
        System.gc();
        try {
          Thread.sleep(100);
        } catch (InterruptedException e) {
          return;
        }
      }
    }
  }

  private final String as;
  private final Events events;
  private final Attempts attempts;
  private final boolean confirm;

  Script(String as, Events events, Attempts attempts, boolean confirm) {
    this.as = as;
    this.events = events;
    this.attempts = attempts;
    this.confirm = confirm;
  }

  /** Styles handler and async: by returning and throwing. */
  void handle(Message message) throws Exception {
    Deque<String> rest = begin(message);
    Verdict verdict = work(message, rest);
    events.end(as, message, verdict.name(), message.cancelled(), null);
    switch (verdict.name()) {
      case "nak" -> throw new RetryAfterException(Duration.ZERO);
      case "retry" -> throw new RetryAfterException(verdict.delay());
      case "reject" -> throw new RejectException(verdict.argument());
      case "throw" -> throw new ScriptedException();
      default -> {}
    }
  }

  CompletionStage<Void> handleAsync(Message message, Executor executor) {
    CompletableFuture<Void> end = new CompletableFuture<>();
    Context.taskWrapping(executor).execute(
        () -> {
          try {
            handle(message);
            end.complete(null);
          } catch (Throwable e) {
            end.completeExceptionally(e);
          }
        });
    return end;
  }

  /** Styles manual, iterator and fetch: by the message's methods. */
  void settle(Message message) {
    Deque<String> rest = begin(message);
    Verdict verdict = work(message, rest);
    switch (verdict.name()) {
      case "ack" -> message.ack();
      case "nak", "throw" -> message.nak();
      case "retry" -> message.nak(verdict.delay());
      case "reject" -> message.term(verdict.argument());
      default -> Collector.start(); // forget
    }
    Boolean second = "again".equals(rest.peek()) ? message.nak() : null;
    events.end(as, message, verdict.name(), message.cancelled(), second);
  }

  private Deque<String> begin(Message message) {
    events.begin(as, message);
    if (confirm) {
      message
          .outcome()
          .thenAccept(
              outcome ->
                  events.tell(
                      "result", as, Map.of("sequence", message.streamSequence(), "outcome", outcome.toString())));
    }
    String script = message.header("Script").orElse("ack");
    return new ArrayDeque<>(attempts.next(message.streamSequence(), script));
  }

  /** Up to the verdict; what stands after it is left in {@code steps}. */
  private Verdict work(Message message, Deque<String> steps) {
    for (String step = steps.poll(); step != null; step = steps.poll()) {
      int blank = step.indexOf(' ');
      String name = blank < 0 ? step : step.substring(0, blank);
      String argument = blank < 0 ? "" : step.substring(blank + 1);
      switch (name) {
        case "sleep" -> sleep(message, Long.parseLong(argument));
        case "progress" -> message.inProgress();
        case "hold" -> hold(message, steps);
        default -> {
          return new Verdict(name, argument);
        }
      }
    }
    return new Verdict("ack", "");
  }

  /** For so long; that it is cancelled is told, and changes nothing. */
  private void sleep(Message message, long millis) {
    long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(millis);
    try {
      cancellationOf(message).get(millis, TimeUnit.MILLISECONDS);
      tellCancelled(message);
      TimeUnit.NANOSECONDS.sleep(end - System.nanoTime());
    } catch (TimeoutException e) {
      return; // it was not
    } catch (InterruptedException | ExecutionException e) {
      throw new IllegalStateException(e);
    }
  }

  private void hold(Message message, Deque<String> steps) {
    CompletableFuture<String> release = attempts.hold(message.streamSequence());
    try {
      CompletableFuture.anyOf(release, cancellationOf(message)).get();
    } catch (InterruptedException | ExecutionException e) {
      throw new IllegalStateException(e);
    }
    attempts.forget(message.streamSequence());
    steps.clear();
    if (release.isDone()) {
      steps.addAll(Attempts.steps(release.join()));
    } else {
      tellCancelled(message);
    }
  }

  private static CompletableFuture<Void> cancellationOf(Message message) {
    CompletableFuture<Void> cancelled = new CompletableFuture<>();
    message.onCancel(() -> cancelled.complete(null));
    return cancelled;
  }

  private void tellCancelled(Message message) {
    events.tell("cancelled", as, Map.of("sequence", message.streamSequence()));
  }
}
