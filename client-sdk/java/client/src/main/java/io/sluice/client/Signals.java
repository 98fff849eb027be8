package io.sluice.client;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * SIGTERM and SIGINT, caught for a while. The first of either calls the action, and gives SIGINT back to the JVM, so
 * that a second one kills.
 *
 * <p>By sun.misc.Signal, which every JVM has and javac warns of; so reflectively. Where signals cannot be caught
 * ({@code -Xrs}), by a shutdown hook that holds the JVM until the waiting is over.
 */
final class Signals {
  private static final System.Logger LOG = System.getLogger("io.sluice.client");

  private static final Set<String> CAUGHT = ConcurrentHashMap.newKeySet();

  private record Caught(Object signal, Object before) {}

  private final Runnable action;
  private final List<Caught> caught = new ArrayList<>(); // guarded by this
  private final CountDownLatch closed = new CountDownLatch(1);
  private Thread shutdownHook = null;

  private Signals(Runnable action) {
    this.action = action;
  }

  /** {@code action} is called once a signal comes while {@code wait} waits; it must let that return. */
  static void during(Runnable wait, Runnable action) {
    Signals signals = caught(action);
    try {
      wait.run();
    } finally {
      signals.close();
    }
  }

  /** For tests: whether it is one of these that gets the signal. */
  static boolean caught(String name) {
    return CAUGHT.contains(name);
  }

  private static Signals caught(Runnable action) {
    Signals signals = new Signals(action);
    try {
      signals.catchSignal("TERM");
      signals.catchSignal("INT");
    } catch (ReflectiveOperationException | IllegalArgumentException e) {
      LOG.log(System.Logger.Level.DEBUG, "signals cannot be caught; a shutdown hook drains", e);
      signals.release();
      signals.hookShutdown();
    }
    return signals;
  }

  private synchronized void catchSignal(String name) throws ReflectiveOperationException {
    Class<?> type = Class.forName("sun.misc.Signal");
    Object signal = type.getConstructor(String.class).newInstance(name);
    caught.add(new Caught(signal, handle(signal, handlerOf(() -> onSignal(name)))));
    CAUGHT.add(name);
  }

  private static Object handlerOf(Runnable action) throws ReflectiveOperationException {
    Class<?> type = Class.forName("sun.misc.SignalHandler");
    InvocationHandler calls =
        (proxy, method, arguments) -> {
          switch (method.getName()) {
            case "handle" -> action.run();
            case "equals" -> {
              return proxy == arguments[0];
            }
            case "hashCode" -> {
              return System.identityHashCode(proxy);
            }
            default -> {
              return "sluice";
            }
          }
          return null;
        };
    return Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, calls);
  }

  /** Returns the handler before. */
  private static Object handle(Object signal, Object handler) throws ReflectiveOperationException {
    Class<?> type = Class.forName("sun.misc.Signal");
    return type.getMethod("handle", type, Class.forName("sun.misc.SignalHandler")).invoke(null, signal, handler);
  }

  private void onSignal(String name) {
    LOG.log(System.Logger.Level.INFO, "SIG" + name + ": draining");
    release("INT");
    action.run();
  }

  private void hookShutdown() {
    shutdownHook =
        new Thread(
            () -> {
              action.run();
              awaitClosed();
            },
            "sluice-shutdown");
    Runtime.getRuntime().addShutdownHook(shutdownHook);
  }

  private void awaitClosed() {
    try {
      closed.await(1, TimeUnit.DAYS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void release() {
    release("TERM");
    release("INT");
  }

  private synchronized void release(String name) {
    for (Caught one : List.copyOf(caught)) {
      if (!one.signal().toString().equals("SIG" + name)) continue;
      caught.remove(one);
      CAUGHT.remove(name);
      try {
        handle(one.signal(), one.before());
      } catch (ReflectiveOperationException e) {
        LOG.log(System.Logger.Level.WARNING, "SIG" + name + " stays caught", e);
      }
    }
  }

  private void close() {
    closed.countDown();
    release();
    if (shutdownHook == null) return;
    try {
      Runtime.getRuntime().removeShutdownHook(shutdownHook);
    } catch (IllegalStateException e) {
      LOG.log(System.Logger.Level.TRACE, "the JVM is going down already", e);
    }
  }
}
