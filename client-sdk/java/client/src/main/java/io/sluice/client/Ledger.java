package io.sluice.client;

import com.google.protobuf.ByteString;
import io.sluice.v1.Delivery;
import io.sluice.v1.Open;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;

/**
 * What this app owes, and what it has settled without knowing that it arrived: all that keeps a message from being
 * handled twice when a stream or its daemon goes. No threads, no I/O; on the I/O thread only.
 *
 * <p>A stream that is opened answers which of the messages it still holds:
 *
 * <pre>
 * held, resumed       goes on under its new id
 * held, not resumed   lost: dropped if no handler has it yet, else an orphan, whose verdict nobody waits for
 * settled, resumed    its verdict got lost on the way: sent again, and in doubt as well
 * settled, not        the verdict arrived, or its daemon died with it: in doubt
 * </pre>
 *
 * <p>JetStream delivers an orphan, or one in doubt whose ack it never saw, once more; and what crossed with its ack. If
 * that comes to this app, the orphan's handler goes on for the new attempt, and the verdict is given again.
 */
final class Ledger {
  /** What follows from what is entered here. */
  interface Outlet {
    /** The current stream is to be told. */
    void tell(long id, Verdict verdict);

    /** Nobody waits for its verdict any more. */
    void cancel(Held held);

    /** The verdict has an outcome. */
    void resolve(Confirmation confirmation, Outcome outcome);
  }

  /** For {@link Stats}. */
  static final class Counts {
    long received;
    long acked;
    long naked;
    long terminated;
    long inFlight;
    long streams;
    long lost;
    long refused;
    long rejoined;
    long late;
    long notHeld;
    long failed;

    long settled() {
      return acked + naked + terminated;
    }

    /** A copy. {@code thrown}: handlers. */
    Stats toStats(long thrown) {
      return new Stats(
          received,
          acked,
          naked,
          terminated,
          thrown,
          inFlight,
          streams,
          lost,
          refused,
          rejoined,
          late,
          notHeld,
          failed);
    }
  }

  private record Doubt(long sequence, long storedNanos, Verdict verdict) {}

  /** A verdict of late; a place in the ring, written anew. */
  private static final class Given {
    long sequence;
    long storedNanos;
    long id;
    int stream;
    Verdict verdict;
    ByteString token;
    Confirmation confirmation;
  }

  private static final int MOST_NAMED = 1 << 20; // of Open.resume
  private static final int MOST_NAMED_BYTES = 12 << 20; // a request has at most 16 MiB
  private static final int ID_BYTES = 16; // of an entry, beside its token

  private final int capacity;
  private final boolean confirm;
  private final Outlet outlet;
  private final Counts counts = new Counts();

  private int stream = 0; // ordinal of the last opened stream; 0: none
  private boolean connected = false;
  private boolean closed = false;

  private final List<Frame> frames = new ArrayList<>(); // with something unsettled; in no order
  private final List<Given> given = new ArrayList<>(); // a ring of the last verdicts
  private int nextGiven = 0; // where the oldest is, once the ring is full
  private final List<Held> lost = new ArrayList<>(); // to be cancelled when what is under way is entered
  private final Map<Long, Held> orphans = new HashMap<>(); // by stream sequence; cancelled, with a handler
  private final Map<Long, Doubt> inDoubt = new HashMap<>(); // by stream sequence; acks and terms
  private final ArrayDeque<Long> inDoubtOrder = new ArrayDeque<>(); // its keys, the oldest first
  private Map<Long, Confirmation> awaited = new HashMap<>(); // results of this stream, by id

  /** {@code credit}: most messages held at once. {@code remembered}: most verdicts kept, recent and in doubt each. */
  Ledger(int credit, int remembered, boolean confirm, Outlet outlet) {
    this.capacity = Math.max(credit, remembered);
    this.confirm = confirm;
    this.outlet = outlet;
  }

  Counts counts() {
    return counts;
  }

  boolean connected() {
    return connected;
  }

  boolean knows(Held held) {
    return connected && held.stream == stream;
  }

  /** A frame of deliveries of the current stream: fills its {@code held}; what was handled already is dropped. */
  void accept(Frame frame) {
    long now = System.currentTimeMillis();
    for (int i = 0; i < frame.held.length; i++) {
      Delivery delivery = frame.deliveries.get(i);
      Held held = new Held(frame, delivery, stream, now);
      frame.held[i] = held;
      frame.keyed |= !delivery.getKey().isEmpty();
      if (delivery.getNumDelivered() > 1 && rejoin(held)) {
        held.drop();
        held.settled = true;
        counts.rejoined++;
        continue;
      }
      if (confirm) held.confirmation = new Confirmation();
      counts.received++;
      counts.inFlight++;
      frame.unsettled++;
    }
    if (frame.unsettled > 0) {
      frame.position = frames.size();
      frames.add(frame);
    }
  }

  /** The app has given its verdict. */
  void settle(Held held) {
    Verdict verdict = held.verdict();
    forget(held);
    count(verdict);
    if (held.cancelled) {
      orphans.remove(held.sequence(), held);
      doubt(held.sequence(), held.storedNanos(), verdict);
    }
    if (held.confirmation != null) held.confirmation.settled = true;
    if (held.stream != stream || closed) {
      if (held.confirmation != null) outlet.resolve(held.confirmation, closed ? Outcome.FAILED : Outcome.NOT_HELD);
      return;
    }
    remember(held.sequence(), held.storedNanos(), held.id, verdict, held.token, held.confirmation);
    if (held.confirmation != null) awaited.put(held.id, held.confirmation);
    if (connected) outlet.tell(held.id, verdict);
  }

  /** The daemon was told that it is in progress. */
  void tellInProgress(Held held) {
    if (held.confirmation == null) return;
    held.confirmation.inProgress++;
    awaited.put(held.id, held.confirmation);
  }

  /** The daemon's answer to a verdict. */
  void onResult(long id, Outcome outcome) {
    Confirmation confirmation = awaited.get(id);
    if (confirmation == null) return;
    if (confirmation.inProgress > 0) {
      confirmation.inProgress--;
    } else if (confirmation.settled) {
      awaited.remove(id);
      outlet.resolve(confirmation, outcome);
    }
  }

  /**
   * For Open.resume: what is held, then the last verdicts, the newest first, as far as it fits into a request. With a
   * token goes what may be settled through another daemon process: acks always, as they do no harm; what has no verdict,
   * and terms, only if they are {@code kept}, that is, no daemon can have given them back; naks never, as a second one
   * could take the message from its new holder.
   */
  void nameHeld(boolean kept, Open.Builder open) {
    int[] bytes = {0};
    forEachHeld(
        held -> {
          if (held.stream == stream) name(open, held.id, kept ? held.token : ByteString.EMPTY, bytes);
        });
    for (int i = given.size(); i > 0; i--) {
      Given one = inOrder(i - 1);
      if (one.stream != stream) continue;
      boolean harmless = one.verdict.kind() == Verdict.Kind.ACK;
      boolean repeatable = one.verdict.kind() == Verdict.Kind.TERM && kept;
      name(open, one.id, harmless || repeatable ? one.token : ByteString.EMPTY, bytes);
    }
  }

  private static void name(Open.Builder open, long id, ByteString token, int[] bytes) {
    bytes[0] += ID_BYTES + token.size();
    if (open.getResumeCount() == MOST_NAMED || bytes[0] > MOST_NAMED_BYTES) return;
    open.addResumeBuilder().setId(id).setToken(token);
  }

  /** A new stream knows {@code resumed}: old id to new id. */
  void onOpened(Map<Long, Long> resumed) {
    int previous = stream++;
    connected = true;
    counts.streams++;
    Map<Long, Confirmation> before = awaited;
    awaited = new HashMap<>();
    for (int i = 0; i < given.size(); i++) {
      Given one = inOrder(i);
      if (one.stream != previous) continue;
      Long id = resumed.get(one.id);
      if (id != null) {
        before.remove(one.id);
        one.id = id;
        one.stream = stream;
        if (one.confirmation != null && !one.confirmation.outcome.isDone()) awaitAnew(id, one.confirmation);
        outlet.tell(id, one.verdict);
      }
      doubt(one.sequence, one.storedNanos, one.verdict); // it may already be on its way to us again
    }
    for (Confirmation unknown : before.values()) {
      unknown.inProgress = 0;
      if (unknown.settled) outlet.resolve(unknown, Outcome.FAILED);
    }
    forEachHeld(
        held -> {
          if (held.stream != previous) return;
          Long id = resumed.get(held.id);
          if (id != null) {
            held.id = id;
            held.stream = stream;
          } else {
            counts.lost++;
            lose(held);
          }
        });
    cancelLost();
  }

  private void awaitAnew(long id, Confirmation confirmation) {
    confirmation.inProgress = 0;
    awaited.put(id, confirmation);
  }

  void onStreamEnded() {
    connected = false;
  }

  /** The daemon has let these leases go. What no handler has yet is given back, the rest is cancelled. */
  void onLeasesEnded(Collection<Long> ids) {
    Set<Long> ended = new HashSet<>(ids);
    forEachHeld(
        held -> {
          if (held.stream == stream && ended.contains(held.id) && lose(held)) outlet.tell(held.id, Verdict.NAK);
        });
    cancelLost();
  }

  /** The daemon has given back what had no verdict. */
  void onDrained() {
    forEachHeld(
        held -> {
          if (held.stream == stream) lose(held);
        });
    cancelLost();
  }

  /** Gives back what no handler has yet. */
  void handBack() {
    List<Held> waiting = new ArrayList<>();
    forEachHeld(
        held -> {
          if (held.drop()) waiting.add(held);
        });
    waiting.sort(Comparator.comparingLong(held -> held.id));
    for (Held held : waiting) {
      held.decide(Verdict.NAK);
      settle(held);
    }
  }

  /** What no handler has yet. */
  int waiting() {
    int[] count = {0};
    forEachHeld(held -> count[0] += held.queued() ? 1 : 0);
    return count[0];
  }

  /** Nothing will be told any more. */
  void close() {
    connected = false;
    closed = true;
    forEachHeld(this::lose);
    cancelLost();
    for (Confirmation confirmation : awaited.values()) {
      if (confirmation.settled) outlet.resolve(confirmation, Outcome.FAILED);
    }
    awaited.clear();
  }

  /** True if an orphan, or a verdict that stands, answers for this new attempt. */
  private boolean rejoin(Held attempt) {
    Held orphan = orphans.get(attempt.sequence());
    if (orphan != null && orphan.storedNanos() == attempt.storedNanos()) {
      // A lease that ended on this same stream: the daemon still counts the old id against the credit. It suppresses a
      // nak that is late.
      if (orphan.stream == stream) outlet.tell(orphan.id, Verdict.NAK);
      orphan.id = attempt.id;
      orphan.token = attempt.token;
      orphan.stream = stream;
      orphan.leasedAt = attempt.leasedAt;
      orphan.cancelled = false;
      orphans.remove(attempt.sequence());
      return true;
    }
    Verdict verdict = standing(attempt.sequence(), attempt.storedNanos());
    if (verdict == null) return false;
    outlet.tell(attempt.id, verdict);
    remember(attempt.sequence(), attempt.storedNanos(), attempt.id, verdict, attempt.token, null);
    return true;
  }

  /** What was given once and stands: never a nak, as that message is to be handled again. Null: nothing. */
  private Verdict standing(long sequence, long storedNanos) {
    Doubt doubt = inDoubt.get(sequence);
    if (doubt != null && doubt.storedNanos() == storedNanos) return doubt.verdict();
    for (int i = given.size(); i > 0; i--) { // few come again
      Given last = inOrder(i - 1);
      if (last.sequence != sequence || last.storedNanos != storedNanos) continue;
      return last.verdict.kind() == Verdict.Kind.NAK ? null : last.verdict;
    }
    return null;
  }

  /** Its lease is over. True if it was dropped, as no handler had it. */
  private boolean lose(Held held) {
    if (held.drop()) {
      forget(held);
      return true;
    }
    orphans.put(held.sequence(), held);
    lost.add(held);
    return false;
  }

  /** Only when all are dropped that must not be started: a cancelled handler makes room for the next one. */
  private void cancelLost() {
    lost.forEach(outlet::cancel);
    lost.clear();
  }

  private void forget(Held held) {
    held.settled = true;
    counts.inFlight--;
    Frame frame = held.frame;
    if (--frame.unsettled > 0) return;
    Frame last = frames.remove(frames.size() - 1);
    if (last != frame) {
      frames.set(frame.position, last);
      last.position = frame.position;
    }
  }

  private void remember(
      long sequence, long storedNanos, long id, Verdict verdict, ByteString token, Confirmation confirmation) {
    Given one;
    if (given.size() < capacity) {
      one = new Given();
      given.add(one);
    } else {
      one = given.get(nextGiven);
      if (++nextGiven == capacity) nextGiven = 0;
    }
    one.sequence = sequence;
    one.storedNanos = storedNanos;
    one.id = id;
    one.stream = stream;
    one.verdict = verdict;
    one.token = token;
    one.confirmation = confirmation;
  }

  private Given inOrder(int i) {
    return given.get((nextGiven + i) % given.size());
  }

  private void doubt(long sequence, long storedNanos, Verdict verdict) {
    if (verdict.kind() == Verdict.Kind.NAK) return; // it is to be handled again
    if (inDoubt.put(sequence, new Doubt(sequence, storedNanos, verdict)) != null) return;
    inDoubtOrder.add(sequence);
    if (inDoubtOrder.size() > capacity) inDoubt.remove(inDoubtOrder.poll());
  }

  private void count(Verdict verdict) {
    switch (verdict.kind()) {
      case ACK -> counts.acked++;
      case NAK -> counts.naked++;
      case TERM -> counts.terminated++;
    }
  }

  /** Not settled ones. Backwards, as a frame that is settled by {@code action} gives its place to the last one. */
  private void forEachHeld(Consumer<Held> action) {
    for (int i = frames.size() - 1; i >= 0; i--) {
      for (Held held : frames.get(i).held) {
        if (!held.settled) action.accept(held);
      }
    }
  }
}
