package io.sluice.client;

import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;

/**
 * What waits for a handler, in the order of arrival; bounded by the credit. The I/O thread pushes frames, any number of
 * threads take messages: they share the first frame and claim from it without a lock, so that none waits behind a slow
 * neighbour.
 *
 * <p>Frames with keys are taken under the lock, one message at a time: a message whose key is at work is parked in its
 * lane, and comes to the front when the one before it has left.
 */
final class Inbox {
  /** A reader's place: the frame that it took the last message from. */
  static final class Cursor {
    private Frame frame = null;
  }

  private static final ArrayDeque<Held> NOBODY = new ArrayDeque<>(0);

  /** Of a message; null: it has none. */
  private final Function<Held, Object> keyOf;

  private final boolean allKeyed;
  private volatile Runnable onAvailable = () -> {};

  private final ReentrantLock lock = new ReentrantLock(); // guards what follows; the volatile ones are read without it
  private final Condition changed = lock.newCondition();
  private final ArrayDeque<Frame> frames = new ArrayDeque<>();
  private final ArrayDeque<Held> released = new ArrayDeque<>(); // parked before, their lane is free
  private final Map<Object, ArrayDeque<Held>> lanes = new HashMap<>(); // keys at work, and what is parked behind each
  private int waiting = 0; // readers
  private volatile Frame last = null; // of `frames`
  private volatile boolean anyReleased = false;
  private volatile boolean halted = true; // paused or closed
  private volatile boolean closed = false;

  /** {@code keyOf}: null, if nothing is to be ordered. {@code allKeyed}: not only where the daemon gives a key. */
  Inbox(Function<Held, Object> keyOf, boolean allKeyed) {
    this.keyOf = keyOf;
    this.allKeyed = allKeyed;
  }

  /** {@code action} is called when there is something to take. Before the first frame. */
  void onAvailable(Runnable action) {
    onAvailable = action;
  }

  void push(Frame frame) {
    lock.lock();
    try {
      if (closed) return;
      frames.add(frame);
      last = frame;
      if (waiting > 0) changed.signal();
    } finally {
      lock.unlock();
    }
    onAvailable.run();
  }

  /** Something waits, and may be started. */
  boolean available() {
    if (halted) return false;
    Frame newest = last; // as frames are taken in order, its end is the end of all
    return anyReleased || (newest != null && !newest.exhausted());
  }

  /** The next message, started; null: nothing for now. */
  Held poll(Cursor cursor) {
    Frame frame = cursor.frame;
    if (frame != null && !halted && !anyReleased) {
      Held held = frame.claim();
      if (held != null) return held;
    }
    lock.lock();
    try {
      return pollLocked(cursor);
    } finally {
      lock.unlock();
    }
  }

  /** Waits for the next message; null: closed, or {@code nanos} are over. */
  Held take(Cursor cursor, long nanos) throws InterruptedException {
    lock.lockInterruptibly();
    try {
      while (!closed) {
        Held held = pollLocked(cursor);
        if (held != null) {
          if (waiting > 0 && available()) changed.signal(); // one wakes the next
          return held;
        }
        if (nanos <= 0) return null;
        waiting++;
        try {
          nanos = changed.awaitNanos(nanos);
        } finally {
          waiting--;
        }
      }
      return null;
    } finally {
      lock.unlock();
    }
  }

  /** The verdict of what started in a lane was given, or its handler has returned: when both, its lane goes on. */
  void leaveLane(Held held) {
    if (!held.leaveLane()) return;
    lock.lock();
    try {
      advance(held.laneKey);
    } finally {
      lock.unlock();
    }
    if (anyReleased) onAvailable.run();
  }

  /** Between streams nothing new is started: the daemon may have handed it to another app. */
  void pause() {
    lock.lock();
    try {
      halted = true;
    } finally {
      lock.unlock();
    }
  }

  void resume() {
    lock.lock();
    try {
      if (closed) return;
      halted = false;
      changed.signal();
    } finally {
      lock.unlock();
    }
    onAvailable.run();
  }

  /** Lets go of everything and ends the readers. For good. */
  void close() {
    lock.lock();
    try {
      closed = halted = true;
      frames.clear();
      released.clear();
      lanes.clear();
      last = null;
      anyReleased = false;
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  boolean closed() {
    return closed;
  }

  private Held pollLocked(Cursor cursor) {
    cursor.frame = null;
    if (halted) return null;
    for (Held held = released.poll(); held != null; held = released.poll()) {
      anyReleased = !released.isEmpty();
      if (held.start()) return held;
      advance(held.laneKey); // it was dropped while it was parked
    }
    for (Frame frame = frames.peek(); frame != null; frame = frames.peek()) {
      Held held = isKeyed(frame) ? claimKeyed(frame) : frame.claim();
      if (held != null) {
        if (!isKeyed(frame)) cursor.frame = frame;
        return held;
      }
      frames.poll();
    }
    last = null;
    return null;
  }

  private boolean isKeyed(Frame frame) {
    return keyOf != null && (allKeyed || frame.keyed);
  }

  private Held claimKeyed(Frame frame) {
    for (Held held = frame.next(); held != null; held = frame.next()) {
      Object key = keyOf.apply(held);
      if (key == null) {
        if (held.start()) return held;
        continue;
      }
      ArrayDeque<Held> parked = lanes.get(key);
      if (parked == null) {
        if (!held.start()) continue;
        lanes.put(key, NOBODY);
        held.enterLane(key);
        return held;
      }
      if (parked == NOBODY) lanes.put(key, parked = new ArrayDeque<>());
      parked.add(held);
    }
    return null;
  }

  private void advance(Object key) {
    ArrayDeque<Held> parked = lanes.get(key);
    if (parked == null) return; // closed
    Held next = parked.poll();
    if (next == null) {
      lanes.remove(key);
      return;
    }
    next.enterLane(key);
    released.add(next);
    anyReleased = true;
    if (waiting > 0) changed.signal();
  }
}
