package io.sluice.client;

import java.util.concurrent.Executor;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.atomic.AtomicLong;

/** Where handlers and hooks run if the app does not say: virtual threads where the JVM has them, else daemon threads. */
final class Threads {
  private static final Executor EXECUTOR = makeExecutor();

  private Threads() {}

  static Executor executor() {
    return EXECUTOR;
  }

  static ThreadFactory daemonThreads(String name) {
    AtomicLong ordinal = new AtomicLong();
    return task -> {
      Thread thread = new Thread(task, name + "-" + ordinal.incrementAndGet());
      thread.setDaemon(true);
      return thread;
    };
  }

  private static Executor makeExecutor() {
    try {
      // Java 21's; this is compiled for 17.
      return (Executor) Executors.class.getMethod("newVirtualThreadPerTaskExecutor").invoke(null);
    } catch (ReflectiveOperationException e) {
      return Executors.newCachedThreadPool(daemonThreads("sluice"));
    }
  }
}
