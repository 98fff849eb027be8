package io.sluice.client;

import java.util.ArrayDeque;
import java.util.concurrent.Executor;

/**
 * Tells the app: hooks, callbacks and futures, one at a time and in order, away from the I/O thread. What they throw is
 * logged, as there is nobody left to tell.
 */
final class Hooks implements Executor {
  private static final System.Logger LOG = System.getLogger("io.sluice.client");

  private final Executor executor;
  private final ArrayDeque<Runnable> queue = new ArrayDeque<>(); // guarded by itself, like what follows
  private boolean running = false;

  Hooks(Executor executor) {
    this.executor = executor;
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
