package io.sluice.client;

import io.sluice.v1.Ack;
import io.sluice.v1.ConsumeRequest;
import io.sluice.v1.InProgress;
import io.sluice.v1.Nak;
import io.sluice.v1.Settle;
import io.sluice.v1.SettleRun;
import io.sluice.v1.Term;
import java.util.ArrayDeque;

/**
 * What is to be written to one stream, in order. Verdicts queued while the stream is busy go out together in the next
 * request, as runs of packed ids. Bounded by the credit: a held message has one verdict, and at most one in_progress
 * queued. I/O thread only.
 */
final class Outbox {
  /** Most ids in one request: about 20 KiB, far below the limits of any server. */
  static final int MOST_IDS = 4096;

  private final ArrayDeque<ConsumeRequest> queue = new ArrayDeque<>();

  // The request at the back, while verdicts are still added to it.
  private Settle.Builder settle = null;
  private SettleRun.Builder run = null;
  private Verdict runVerdict = null; // null: in progress
  private int ids = 0;

  private long taken = 0;
  private boolean finish = false;
  private boolean finished = false;
  private boolean closed = true;

  /** Starts a new stream; what is left of the old one is forgotten. */
  void open(ConsumeRequest open) {
    taken += size(); // ordinals never come twice
    queue.clear();
    settle = null;
    run = null;
    finish = finished = closed = false;
    add(open);
  }

  void addVerdict(long id, Verdict verdict) {
    if (!isBack(verdict)) startRun(verdict);
    run.addIds(id);
    ids++;
  }

  /** Returns the ordinal of the request it goes with; see {@link #taken()}. */
  long addInProgress(long id) {
    if (!isBack(null)) startRun(null);
    run.addIds(id);
    ids++;
    return taken + size();
  }

  void add(ConsumeRequest request) {
    endSettle();
    queue.add(request);
  }

  /** Half-closes the stream after what is queued. */
  void finish() {
    finish = true;
  }

  /** Nothing can be written any more. */
  void close() {
    closed = true;
  }

  /** The next request to write now; null: none. */
  ConsumeRequest poll() {
    if (closed || finished) return null;
    if (queue.isEmpty()) endSettle();
    ConsumeRequest request = queue.poll();
    if (request != null) taken++;
    return request;
  }

  /** True once, when the stream is to be half-closed now. */
  boolean pollFinish() {
    if (!finish || finished || closed || size() > 0) return false;
    finished = true;
    return true;
  }

  /** Ordinal of the last request that {@link #poll()} gave out. */
  long taken() {
    return taken;
  }

  private int size() {
    return queue.size() + (settle == null ? 0 : 1);
  }

  private boolean isBack(Verdict verdict) {
    return run != null && ids < MOST_IDS && (verdict == null ? runVerdict == null : verdict.equals(runVerdict));
  }

  private void startRun(Verdict verdict) {
    if (ids >= MOST_IDS) endSettle();
    if (settle == null) {
      settle = Settle.newBuilder();
      ids = 0;
    }
    run = settle.addRunsBuilder();
    runVerdict = verdict;
    if (verdict == null) {
      run.setInProgress(InProgress.getDefaultInstance());
      return;
    }
    switch (verdict.kind()) {
      case ACK -> run.setAck(Ack.getDefaultInstance());
      case TERM -> run.setTerm(Term.newBuilder().setReason(verdict.reason()));
      case NAK -> run.setNak(
          verdict.delay().isZero()
              ? Nak.getDefaultInstance()
              : Nak.newBuilder().setDelay(Wire.duration(verdict.delay())).build());
    }
  }

  private void endSettle() {
    if (settle == null) return;
    queue.add(ConsumeRequest.newBuilder().setSettle(settle).build());
    settle = null;
    run = null;
    ids = 0;
  }
}
