package io.sluice.client;

import java.util.concurrent.atomic.AtomicReference;

/** Messages that the app has settled, on their way from its threads to the I/O thread. Without locks or allocation. */
final class Settlements {
  private final AtomicReference<Held> last = new AtomicReference<>();

  /** Any thread. True: it was empty, so somebody must be told to take. */
  boolean push(Held held) {
    Held before;
    do {
      before = last.get();
      held.nextSettled = before;
    } while (!last.compareAndSet(before, held));
    return before == null;
  }

  /** All so far, linked by {@code nextSettled} in their order. The caller unlinks them. */
  Held takeAll() {
    Held first = null;
    Held held = last.get() == null ? null : last.getAndSet(null);
    while (held != null) {
      Held before = held.nextSettled;
      held.nextSettled = first;
      first = held;
      held = before;
    }
    return first;
  }
}
