package io.sluice.client;

import com.google.protobuf.ByteString;
import io.sluice.v1.Delivery;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.lang.ref.Cleaner;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executor;

/** One delivery in the hands of this app, from its frame's arrival until its verdict. */
final class Held {
  //  QUEUED --start--> STARTED   a thread of the app has it
  //     '------drop---> GONE     given back, or joined to an earlier delivery, before any saw it
  private static final int QUEUED = 0;
  private static final int STARTED = 1;
  private static final int GONE = 2;

  private static final VarHandle PLACE;
  private static final VarHandle VERDICT;
  private static final VarHandle LANE_HOLDS;

  static {
    try {
      MethodHandles.Lookup lookup = MethodHandles.lookup();
      PLACE = lookup.findVarHandle(Held.class, "place", int.class);
      VERDICT = lookup.findVarHandle(Held.class, "verdict", Verdict.class);
      LANE_HOLDS = lookup.findVarHandle(Held.class, "laneHolds", int.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  final Frame frame;
  final Delivery delivery;

  private volatile int place = QUEUED;
  private volatile Verdict verdict = null; // the app's; only the first counts
  volatile boolean cancelled = false; // nobody waits for its verdict
  volatile long leasedAt; // milliseconds, as System.currentTimeMillis()
  Held nextSettled = null; // a link of Settlements

  // I/O thread only.
  int stream; // ordinal of the stream that knows it by `id`
  long id;
  ByteString token; // of the attempt that `id` stands for, which need not be `delivery`
  boolean settled = false; // the Ledger knows its verdict
  long progressIn = 0; // ordinal of the request with its last in_progress
  Confirmation confirmation = null; // null: not asked for; constant after arrival

  // Ordering by key. Set before it starts; see Inbox.
  Object laneKey = null;
  private volatile int laneHolds = 0;

  Cleaner.Cleanable watch = null; // with manual: for being forgotten; its app thread only, until the verdict

  private List<Runnable> onCancel = null; // guarded by this

  Held(Frame frame, Delivery delivery, int stream, long now) {
    this.frame = frame;
    this.delivery = delivery;
    this.stream = stream;
    this.id = delivery.getId();
    this.token = delivery.getToken();
    this.leasedAt = now;
  }

  /** For the app: false if it was dropped. */
  boolean start() {
    return PLACE.compareAndSet(this, QUEUED, STARTED);
  }

  /** So that no app sees it: false if one has. */
  boolean drop() {
    return PLACE.compareAndSet(this, QUEUED, GONE);
  }

  boolean queued() {
    return place == QUEUED;
  }

  /** False: there was a verdict before. */
  boolean decide(Verdict first) {
    return verdict == null && VERDICT.compareAndSet(this, null, first);
  }

  Verdict verdict() {
    return verdict;
  }

  /** JetStream's name for the message: its sequence alone may mean another one after a stream was made anew. */
  long sequence() {
    return delivery.getStreamSequence();
  }

  long storedNanos() {
    return Wire.nanos(delivery.getTimestamp());
  }

  /** It has its key's lane, until it was let go of twice: by its verdict, and by the end of its handler. */
  void enterLane(Object key) {
    laneKey = key;
    laneHolds = 2;
  }

  /** True once: the lane is free. */
  boolean leaveLane() {
    return laneKey != null && (int) LANE_HOLDS.getAndAdd(this, -1) == 1;
  }

  void onCancel(Runnable callback, Executor executor) {
    synchronized (this) {
      if (!cancelled) {
        if (onCancel == null) onCancel = new ArrayList<>(1);
        onCancel.add(callback);
        return;
      }
    }
    executor.execute(callback);
  }

  void cancel(Executor executor) {
    List<Runnable> callbacks;
    synchronized (this) {
      cancelled = true;
      callbacks = onCancel;
      onCancel = null;
    }
    if (callbacks != null) callbacks.forEach(executor::execute);
  }
}
