package io.sluice.client;

import io.sluice.v1.Delivery;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

/** The deliveries of one response, and the app's hold on each. Filled by the Ledger, then shared. */
final class Frame {
  final Session session; // null in tests of single rules
  final List<Delivery> deliveries;
  final Held[] held; // one for each delivery
  boolean keyed = false; // some have a key of the daemon's; constant after arrival

  private final AtomicInteger next = new AtomicInteger(); // the first that is not claimed

  // I/O thread only.
  int unsettled = 0;
  int position = -1; // in the Ledger's list

  Frame(Session session, List<Delivery> deliveries) {
    this.session = session;
    this.deliveries = deliveries;
    this.held = new Held[deliveries.size()];
  }

  /** Claims the next one, whether or not it was dropped. Any thread; null: all are taken. */
  Held next() {
    if (exhausted()) return null;
    int index = next.getAndIncrement();
    return index < held.length ? held[index] : null;
  }

  /** Claims and starts the next one. Any thread; null: all are taken. */
  Held claim() {
    Held one;
    do {
      one = next();
    } while (one != null && !one.start());
    return one;
  }

  boolean exhausted() {
    return next.get() >= held.length;
  }
}
