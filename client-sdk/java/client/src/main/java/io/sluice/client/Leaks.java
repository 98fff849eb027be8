package io.sluice.client;

import java.lang.ref.Cleaner;

/** Hands messages to the app, and finds those of which, with {@code manual}, it has let go without a verdict. */
final class Leaks {
  private static final Cleaner CLEANER = Cleaner.create(Threads.daemonThreads("sluice-leaks"));

  private Leaks() {}

  static Message message(Held held, boolean watched) {
    Message message = new Message(held);
    if (watched) held.watch = CLEANER.register(message, new Forgotten(held));
    return message;
  }

  /** A class, as a lambda might hold on to the message. */
  private record Forgotten(Held held) implements Runnable {
    @Override
    public void run() {
      if (held.verdict() == null) held.frame.session.onForgotten(held);
    }
  }
}
