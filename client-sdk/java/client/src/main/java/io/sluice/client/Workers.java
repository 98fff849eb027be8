package io.sluice.client;

import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Runs handlers: up to {@code concurrency} slots, each a task of the executor's that takes message after message and ends
 * when nothing waits. So an idle consumption occupies no thread, and any executor will do. Any thread.
 */
final class Workers {
  private static final System.Logger LOG = System.getLogger("io.sluice.client");

  private final Executor executor;
  private final int concurrency;
  private final Inbox inbox;
  private final Runner runner;
  private final AtomicInteger active = new AtomicInteger();

  Workers(Executor executor, int concurrency, Inbox inbox, Runner runner) {
    this.executor = executor;
    this.concurrency = concurrency;
    this.inbox = inbox;
    this.runner = runner;
  }

  /** Something may wait: starts a slot for it, if one is free. */
  void wake() {
    while (inbox.available()) {
      int slots = active.get();
      if (slots >= concurrency) return;
      if (!active.compareAndSet(slots, slots + 1)) continue;
      execute(new Slot());
      return; // the slot wakes the next one, as long as there is something for it
    }
  }

  private void execute(Slot slot) {
    try {
      executor.execute(slot);
    } catch (RejectedExecutionException e) {
      active.decrementAndGet();
      LOG.log(System.Logger.Level.ERROR, "the executor takes no handlers; messages wait until it does", e);
    }
  }

  /** One handler at a time. */
  final class Slot implements Runnable {
    private final Inbox.Cursor cursor = new Inbox.Cursor();

    @Override
    public void run() {
      while (true) {
        Held held = inbox.poll(cursor);
        if (held == null) {
          if (retire()) return;
        } else {
          if (active.get() < concurrency) wake();
          if (!runner.run(held, this)) return;
        }
      }
    }

    /** What else waits, for a batch; null: nothing. */
    Held more() {
      return inbox.poll(cursor);
    }

    /** Goes on after a runner that returned false. */
    void resume() {
      execute(this);
    }

    private boolean retire() {
      active.decrementAndGet();
      if (!inbox.available()) return true;
      // Something came after the last look, and whoever brought it may have seen all slots taken.
      int slots = active.get();
      while (slots < concurrency) {
        if (active.compareAndSet(slots, slots + 1)) return false;
        slots = active.get();
      }
      return true;
    }
  }
}
