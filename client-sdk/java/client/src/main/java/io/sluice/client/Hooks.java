package io.sluice.client;

import io.grpc.Status;
import java.util.ArrayDeque;
import java.util.concurrent.Executor;

/**
 * Tells the app, and the log: hooks, callbacks and futures, one at a time and in order, away from the I/O thread. What
 * they throw is logged, as there is nobody left to tell. Any thread.
 */
final class Hooks implements Executor {
  private static final System.Logger LOG = System.getLogger("io.sluice.client");

  private final String consumer;
  private final ConsumeOptions options;
  private final Executor executor;
  private volatile State state = State.CONNECTING; // the last one told
  private volatile Stats stats = null; // likewise
  private final ArrayDeque<Runnable> queue = new ArrayDeque<>(); // guarded by itself, like what follows
  private boolean running = false;

  Hooks(String consumer, ConsumeOptions options, Executor executor) {
    this.consumer = consumer;
    this.options = options;
    this.executor = executor;
  }

  State state() {
    return state;
  }

  void tellState(State next, String detail) {
    state = next;
    LOG.log(System.Logger.Level.DEBUG, () -> consumer + ": " + next + (detail.isEmpty() ? "" : ": " + detail));
    execute(() -> options.onState().accept(next, detail));
  }

  void tellDraining(Draining draining) {
    execute(() -> options.onDraining().accept(draining));
  }

  void tellDrained(DrainReport report) {
    execute(() -> options.onDrained().accept(report));
  }

  void tellError(SluiceException error) {
    execute(() -> options.onError().accept(error));
  }

  void tellThrown(Throwable error) {
    LOG.log(System.Logger.Level.WARNING, () -> "a handler of " + consumer + " threw", error);
    tellError(new SluiceException(Status.Code.INTERNAL, "a handler threw: " + error, error));
  }

  void tellForgotten(Held held) {
    String what = consumer + ": message " + held.sequence() + " was let go of without a verdict; it is NAKed";
    LOG.log(System.Logger.Level.WARNING, what);
    tellError(new SluiceException(Status.Code.INTERNAL, what));
  }

  boolean wantStats() {
    return options.onStats() != null;
  }

  /** If they have changed. */
  void tellStats(Stats next) {
    if (next.equals(stats)) return;
    stats = next;
    execute(() -> options.onStats().accept(next));
  }

  @Override
  public void execute(Runnable hook) {
    synchronized (queue) {
      queue.add(hook);
      if (running) return;
      running = true;
    }
    executor.execute(this::run);
  }

  private void run() {
    for (Runnable hook = next(); hook != null; hook = next()) {
      try {
        hook.run();
      } catch (Throwable e) {
        LOG.log(System.Logger.Level.WARNING, "a hook threw, which is ignored", e);
      }
    }
  }

  private Runnable next() {
    synchronized (queue) {
      Runnable hook = queue.poll();
      running = hook != null;
      return hook;
    }
  }
}
