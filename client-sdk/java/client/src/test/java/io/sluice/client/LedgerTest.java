package io.sluice.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import com.google.protobuf.Timestamp;
import io.sluice.v1.Delivery;
import io.sluice.v1.Open;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class LedgerTest implements Ledger.Outlet {
  private record Told(long id, Verdict verdict) {}

  private static final int CREDIT = 4;
  private static final int REMEMBERED = 8;

  private final List<Told> told = new ArrayList<>(); // since the last look
  private final Map<Confirmation, Outcome> outcomes = new HashMap<>();
  private Runnable onCancel = () -> {};
  private Ledger ledger = new Ledger(CREDIT, REMEMBERED, false, this);

  @BeforeEach
  void open() {
    ledger.onOpened(Map.of());
  }

  @Override
  public void tell(long id, Verdict verdict) {
    told.add(new Told(id, verdict));
  }

  @Override
  public void cancel(Held held) {
    held.cancelled = true;
    onCancel.run();
  }

  @Override
  public void resolve(Confirmation confirmation, Outcome outcome) {
    assertNull(outcomes.put(confirmation, outcome), "twice");
  }

  private List<Told> told() {
    List<Told> seen = List.copyOf(told);
    told.clear();
    return seen;
  }

  private static Delivery delivery(long id, long sequence, long numDelivered, long stored) {
    return Delivery.newBuilder()
        .setId(id)
        .setStreamSequence(sequence)
        .setNumDelivered(numDelivered)
        .setToken(token(id))
        .setTimestamp(Timestamp.newBuilder().setSeconds(stored))
        .build();
  }

  private static ByteString token(long id) {
    return ByteString.copyFromUtf8("token of " + id);
  }

  private Held receive(Delivery delivery) {
    Frame frame = new Frame(null, List.of(delivery));
    ledger.accept(frame);
    return frame.held[0];
  }

  private Held receive(long id, long sequence) {
    return receive(delivery(id, sequence, 1, sequence));
  }

  private Held receiveAgain(long id, long sequence) {
    return receive(delivery(id, sequence, 2, sequence));
  }

  private Held start(long id, long sequence) {
    Held held = receive(id, sequence);
    assertTrue(held.start());
    return held;
  }

  private void settle(Held held, Verdict verdict) {
    assertTrue(held.decide(verdict));
    ledger.settle(held);
  }

  private void reopen(Map<Long, Long> resumed) {
    ledger.onStreamEnded();
    ledger.onOpened(resumed);
  }

  private Open name(boolean kept) {
    Open.Builder open = Open.newBuilder();
    ledger.nameHeld(kept, open);
    return open.build();
  }

  private List<Long> named() {
    return name(true).getResumeList().stream().map(io.sluice.v1.Held::getId).toList();
  }

  /** The ids that go with the token of their message. */
  private Set<Long> withToken(boolean kept) {
    Set<Long> ids = new TreeSet<>();
    for (io.sluice.v1.Held held : name(kept).getResumeList()) {
      if (held.getToken().equals(token(held.getId()))) ids.add(held.getId());
    }
    return ids;
  }

  private static Set<Long> set(long... ids) {
    Set<Long> set = new TreeSet<>();
    for (long id : ids) set.add(id);
    return set;
  }

  private static Set<Long> set(Collection<Long> ids) {
    return new TreeSet<>(ids);
  }

  private static List<Told> list(Told... all) {
    return Arrays.asList(all);
  }

  @Test
  void aVerdictIsToldUnderItsId() {
    Held held = start(7, 100);
    assertEquals(1, ledger.counts().inFlight);
    settle(held, Verdict.ACK);
    assertEquals(list(new Told(7, Verdict.ACK)), told());
    assertEquals(0, ledger.counts().inFlight);
    assertEquals(1, ledger.counts().acked);
  }

  @Test
  void resumingNamesWhatIsHeldAndTheLastVerdicts() {
    start(1, 1);
    receive(2, 2);
    settle(start(3, 3), Verdict.ACK);
    assertEquals(set(1, 2, 3), set(named()));
  }

  /** A second NAK through another daemon would take the message from its new holder. */
  @Test
  void onlyWhatMayBeSettledElsewhereIsNamedWithItsToken() {
    start(1, 1);
    receive(2, 2);
    settle(start(3, 3), Verdict.ACK);
    settle(start(4, 4), Verdict.NAK);
    settle(start(5, 5), Verdict.term("no"));
    assertEquals(set(1, 2, 3, 4, 5), set(named()));
    assertEquals(set(1, 2, 3, 5), withToken(true));
    assertEquals(set(3), withToken(false));
  }

  @Test
  void whatFitsIntoARequestIsNamedTheHeldFirstThenTheLastVerdicts() {
    settle(start(1, 1), Verdict.ACK);
    settle(start(2, 2), Verdict.ACK);
    receive(3, 3);
    assertEquals(List.of(3L, 2L, 1L), named());
    ByteString large = ByteString.copyFrom(new byte[2 << 20]);
    for (long id = 4; id <= 10; id++) receive(delivery(id, id, 1, id).toBuilder().setToken(large).build());
    assertTrue(name(true).getSerializedSize() < 16 << 20);
    assertFalse(named().isEmpty());
  }

  @Test
  void onlyAsManyVerdictsAreRememberedAsAsked() {
    for (long id = 1; id <= REMEMBERED + 3; id++) settle(start(id, id), Verdict.ACK);
    assertEquals(set(4, 5, 6, 7, 8, 9, 10, 11), set(named()));
  }

  @Test
  void whatIsResumedGoesOnUnderItsNewId() {
    Held held = start(1, 1);
    reopen(Map.of(1L, 50L));
    assertEquals(list(), told());
    assertFalse(held.cancelled);
    settle(held, Verdict.ACK);
    assertEquals(list(new Told(50, Verdict.ACK)), told());
  }

  @Test
  void aVerdictThatGotLostIsToldAgainInOrder() {
    Held first = start(1, 1);
    Held second = start(2, 2);
    ledger.onStreamEnded();
    settle(second, Verdict.term("no"));
    settle(first, Verdict.ACK);
    assertEquals(list(), told());
    ledger.onOpened(Map.of(1L, 51L, 2L, 52L));
    assertEquals(list(new Told(52, Verdict.term("no")), new Told(51, Verdict.ACK)), told());
    assertEquals(set(51, 52), set(named()), "it may get lost once more");
  }

  /** The daemon's successor adopted it, but JetStream had sent it again already, before the ack was there. */
  @Test
  void whatIsResumedAfterItsVerdictIsNotRunWhenItComesBack() {
    settle(start(1, 9), Verdict.ACK);
    told();
    reopen(Map.of(1L, 51L));
    assertEquals(list(new Told(51, Verdict.ACK)), told());
    assertFalse(receiveAgain(60, 9).start());
    assertEquals(list(new Told(60, Verdict.ACK)), told());
  }

  @Test
  void whatIsNotResumedIsDroppedOrCancelled() {
    Held running = start(1, 1);
    Held waiting = receive(2, 2);
    reopen(Map.of());
    assertTrue(running.cancelled);
    assertFalse(waiting.start(), "another app may have it by now");
    settle(running, Verdict.ACK);
    assertEquals(list(), told());
    assertEquals(2, ledger.counts().lost);
    assertEquals(0, ledger.counts().inFlight);
    assertEquals(List.of(), named(), "the ids mean nothing to this stream");
  }

  @Test
  void aMessageThatComesBackToItsRunningHandlerIsNotRunTwice() {
    Held running = start(1, 9);
    reopen(Map.of());
    assertFalse(receiveAgain(60, 9).start());
    assertFalse(running.cancelled);
    settle(running, Verdict.ACK);
    assertEquals(list(new Told(60, Verdict.ACK)), told());
    assertEquals(1, ledger.counts().rejoined);
    assertEquals(0, ledger.counts().inFlight);
  }

  /** A token names one attempt: by the first one's, the daemon's successor would not find what this app holds now. */
  @Test
  void whatHasComeBackIsNamedWithTheTokenOfItsNewAttempt() {
    Held running = start(1, 9);
    Held settled = start(2, 10);
    reopen(Map.of());
    receiveAgain(60, 9);
    receiveAgain(61, 10);
    settle(settled, Verdict.ACK);
    assertEquals(set(60, 61), set(named()));
    assertEquals(set(60, 61), withToken(true));
    settle(running, Verdict.term("no"));
    assertEquals(set(60, 61), withToken(true));
  }

  @Test
  void aMessageThatComesBackAfterItsAckGotLostIsAckedAgain() {
    settle(start(1, 9), Verdict.ACK);
    told();
    reopen(Map.of());
    assertFalse(receiveAgain(60, 9).start());
    assertEquals(list(new Told(60, Verdict.ACK)), told());
  }

  @Test
  void aVerdictGivenToNobodyCountsWhenTheMessageComesBack() {
    Held orphan = start(1, 9);
    reopen(Map.of());
    settle(orphan, Verdict.term("no"));
    assertEquals(list(), told());
    assertFalse(receiveAgain(60, 9).start());
    assertEquals(list(new Told(60, Verdict.term("no"))), told());
  }

  @Test
  void whatWasNakedIsRunAgain() {
    settle(start(1, 9), Verdict.NAK);
    told();
    reopen(Map.of());
    assertTrue(receiveAgain(60, 9).start());
    assertEquals(list(), told());
  }

  @Test
  void theSameSequenceInAStreamMadeAnewIsAnotherMessage() {
    Held settled = receive(delivery(1, 9, 1, 1000));
    assertTrue(settled.start());
    settle(settled, Verdict.ACK);
    Held running = receive(delivery(2, 10, 1, 1000));
    assertTrue(running.start());
    reopen(Map.of());
    assertTrue(receive(delivery(60, 9, 2, 2000)).start());
    assertTrue(receive(delivery(61, 10, 2, 2000)).start());
    assertTrue(running.cancelled);
  }

  @Test
  void whatCrossedWithItsAckIsAckedAgain() {
    settle(start(1, 9), Verdict.ACK);
    told();
    assertFalse(receiveAgain(2, 9).start());
    assertEquals(list(new Told(2, Verdict.ACK)), told());
  }

  @Test
  void theLastVerdictOnAMessageCounts() {
    settle(start(1, 9), Verdict.NAK);
    Held again = receiveAgain(2, 9);
    assertTrue(again.start(), "it is to be handled again");
    settle(again, Verdict.ACK);
    told();
    assertFalse(receiveAgain(3, 9).start());
    assertEquals(list(new Told(3, Verdict.ACK)), told());
  }

  @Test
  void anEndedLeaseCancelsWhatRunsAndGivesBackWhatWaits() {
    Held running = start(1, 1);
    Held waiting = receive(2, 2);
    Held other = start(3, 3);
    ledger.onLeasesEnded(List.of(1L, 2L));
    assertEquals(list(new Told(2, Verdict.NAK)), told());
    assertTrue(running.cancelled);
    assertFalse(waiting.start());
    assertFalse(other.cancelled);
    settle(running, Verdict.ACK);
    assertEquals(list(new Told(1, Verdict.ACK)), told(), "a late ack is forwarded");
  }

  @Test
  void aLateVerdictCountsForTheNextAttemptToo() {
    Held running = start(1, 1);
    ledger.onLeasesEnded(List.of(1L));
    settle(running, Verdict.ACK);
    told();
    assertFalse(receiveAgain(2, 1).start());
    assertEquals(list(new Told(2, Verdict.ACK)), told());
  }

  @Test
  void anAttemptAfterAnEndedLeaseJoinsTheRunningHandlerAndFreesTheOldId() {
    Held running = start(1, 1);
    ledger.onLeasesEnded(List.of(1L));
    receiveAgain(2, 1);
    assertEquals(list(new Told(1, Verdict.NAK)), told());
    settle(running, Verdict.ACK);
    assertEquals(list(new Told(2, Verdict.ACK)), told());
  }

  @Test
  void handingBackTakesWhatWaitsAscending() {
    receive(3, 3);
    Held running = start(2, 2);
    receive(1, 1);
    ledger.handBack();
    assertEquals(list(new Told(1, Verdict.NAK), new Told(3, Verdict.NAK)), told());
    settle(running, Verdict.ACK);
    assertEquals(list(new Told(2, Verdict.ACK)), told());
  }

  @Test
  void theEndOfADaemonsDrainTakesWhatHasNoVerdict() {
    Held running = start(1, 1);
    Held waiting = receive(2, 2);
    ledger.onDrained();
    assertTrue(running.cancelled);
    assertFalse(waiting.start());
    settle(running, Verdict.ACK);
    reopen(Map.of());
    told();
    assertFalse(receiveAgain(9, 1).start(), "its ack came too late for that daemon, not for the next");
    assertEquals(list(new Told(9, Verdict.ACK)), told());
  }

  /** Its handler returns at once then, and would start the next one. */
  @Test
  void nothingIsCancelledBeforeWhatWaitsIsDropped() {
    Frame frame = new Frame(null, List.of(delivery(1, 1, 1, 1), delivery(2, 2, 1, 2)));
    ledger.accept(frame);
    assertTrue(frame.held[0].start());
    onCancel = () -> assertFalse(frame.held[1].start());
    ledger.onDrained();
    assertTrue(frame.held[0].cancelled);
  }

  @Test
  void aClosedOneTellsNothing() {
    Held running = start(1, 1);
    Held waiting = receive(2, 2);
    ledger.close();
    assertTrue(running.cancelled);
    assertFalse(waiting.start());
    settle(running, Verdict.ACK);
    assertEquals(list(), told());
  }

  @Test
  void whatIsSettledIsForgotten() {
    Frame frame = new Frame(null, List.of(delivery(1, 1, 1, 1), delivery(2, 2, 1, 2)));
    ledger.accept(frame);
    Held other = receive(3, 3);
    settle(frame.held[0], Verdict.NAK);
    settle(frame.held[1], Verdict.NAK);
    assertEquals(1, ledger.waiting(), "the other one");
    settle(other, Verdict.NAK);
    assertEquals(0, ledger.waiting());
  }

  // Confirmations

  private void confirming() {
    ledger = new Ledger(CREDIT, REMEMBERED, true, this);
    ledger.onOpened(Map.of());
  }

  @Test
  void aResultIsThatOfTheVerdict() {
    confirming();
    Held held = start(1, 1);
    settle(held, Verdict.ACK);
    assertEquals(Map.of(), outcomes);
    ledger.onResult(1, Outcome.CONFIRMED);
    assertEquals(Map.of(held.confirmation, Outcome.CONFIRMED), outcomes);
    ledger.onResult(1, Outcome.FAILED);
    assertEquals(1, outcomes.size(), "only the first counts");
  }

  @Test
  void theResultOfAnInProgressIsNotThatOfTheVerdict() {
    confirming();
    Held held = start(1, 1);
    ledger.tellInProgress(held);
    settle(held, Verdict.ACK);
    ledger.onResult(1, Outcome.CONFIRMED);
    assertEquals(Map.of(), outcomes);
    ledger.onResult(1, Outcome.LATE);
    assertEquals(Map.of(held.confirmation, Outcome.LATE), outcomes);
  }

  @Test
  void aResultThatGotLostIsAwaitedAnewIfItsMessageIsResumed() {
    confirming();
    Held resumed = start(1, 1);
    Held unknown = start(2, 2);
    settle(resumed, Verdict.ACK);
    settle(unknown, Verdict.ACK);
    reopen(Map.of(1L, 51L));
    assertEquals(Map.of(unknown.confirmation, Outcome.FAILED), outcomes);
    ledger.onResult(51, Outcome.CONFIRMED);
    assertEquals(Outcome.CONFIRMED, outcomes.get(resumed.confirmation));
  }

  @Test
  void theVerdictOfAnOrphanIsNotHeld() {
    confirming();
    Held orphan = start(1, 1);
    reopen(Map.of());
    settle(orphan, Verdict.ACK);
    assertEquals(Map.of(orphan.confirmation, Outcome.NOT_HELD), outcomes);
  }

  @Test
  void whatIsNotConfirmedAtTheEndHasFailed() {
    confirming();
    Held before = start(1, 1);
    Held after = start(2, 2);
    settle(before, Verdict.ACK);
    ledger.close();
    assertEquals(Map.of(before.confirmation, Outcome.FAILED), outcomes);
    settle(after, Verdict.ACK);
    assertEquals(Outcome.FAILED, outcomes.get(after.confirmation));
  }
}
