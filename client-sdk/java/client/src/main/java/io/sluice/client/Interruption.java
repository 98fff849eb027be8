package io.sluice.client;

import java.util.List;

/** Interrupts the thread of a handler once a message of its is cancelled, and never the one after it. */
final class Interruption {
  private static final Interruption NONE = new Interruption(null);

  private Thread thread; // guarded by this; null: not (any more) at work

  private Interruption(Thread thread) {
    this.thread = thread;
  }

  /** Of the calling thread, if the app wants it. */
  static Interruption of(ConsumeOptions options, List<Message> messages) {
    if (!options.interruptOnCancel()) return NONE;
    Interruption interruption = new Interruption(Thread.currentThread());
    for (Message message : messages) message.onCancel(interruption::interrupt);
    return interruption;
  }

  private synchronized void interrupt() {
    if (thread != null) thread.interrupt();
  }

  /** The handler has returned. An interrupt that it has not seen is taken back. */
  void end() {
    if (this != NONE) {
      synchronized (this) {
        thread = null;
      }
    }
    Thread.interrupted(); // one that the handler left behind is not the next one's
  }
}
