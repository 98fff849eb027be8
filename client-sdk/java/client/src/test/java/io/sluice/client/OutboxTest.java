package io.sluice.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sluice.v1.ConsumeRequest;
import io.sluice.v1.Drain;
import io.sluice.v1.Open;
import io.sluice.v1.Settle;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class OutboxTest {
  private final Outbox outbox = new Outbox();

  private static ConsumeRequest openRequest() {
    return ConsumeRequest.newBuilder().setOpen(Open.newBuilder().setConsumer("orders")).build();
  }

  @BeforeEach
  void open() {
    outbox.open(openRequest());
    assertTrue(outbox.poll().hasOpen());
  }

  private Settle nextSettle() {
    return outbox.poll().getSettle();
  }

  @Test
  void whatIsQueuedMeanwhileGoesOutTogether() {
    outbox.addVerdict(1, Verdict.ACK);
    assertEquals(List.of(1L), nextSettle().getRuns(0).getIdsList());
    outbox.addVerdict(2, Verdict.ACK);
    outbox.addVerdict(3, Verdict.ACK);
    assertEquals(List.of(2L, 3L), nextSettle().getRuns(0).getIdsList());
    assertNull(outbox.poll());
  }

  @Test
  void equalVerdictsInARowShareARun() {
    outbox.addVerdict(1, Verdict.ACK);
    outbox.addVerdict(2, Verdict.ACK);
    outbox.addVerdict(3, Verdict.nak(Duration.ofMillis(1500)));
    outbox.addVerdict(4, Verdict.nak(Duration.ofMillis(1500)));
    outbox.addVerdict(5, Verdict.NAK);
    outbox.addVerdict(6, Verdict.term("a"));
    outbox.addVerdict(7, Verdict.term("b"));
    outbox.addInProgress(8);
    outbox.addVerdict(9, Verdict.ACK);
    Settle settle = nextSettle();
    assertEquals(7, settle.getRunsCount());
    assertEquals(2, settle.getRuns(0).getIdsCount());
    assertEquals(2, settle.getRuns(1).getIdsCount());
    assertEquals(500_000_000, settle.getRuns(1).getNak().getDelay().getNanos());
    assertFalse(settle.getRuns(2).getNak().hasDelay());
    assertEquals("a", settle.getRuns(3).getTerm().getReason());
    assertEquals("b", settle.getRuns(4).getTerm().getReason());
    assertTrue(settle.getRuns(5).hasInProgress());
    assertEquals(List.of(9L), settle.getRuns(6).getIdsList());
  }

  @Test
  void requestsAreBounded() {
    for (int id = 0; id < Outbox.MOST_IDS + 1; id++) outbox.addVerdict(id, Verdict.ACK);
    assertEquals(Outbox.MOST_IDS, nextSettle().getRuns(0).getIdsCount());
    assertEquals(1, nextSettle().getRuns(0).getIdsCount());
  }

  @Test
  void otherRequestsKeepTheirPlace() {
    outbox.addVerdict(1, Verdict.ACK);
    outbox.add(ConsumeRequest.newBuilder().setDrain(Drain.getDefaultInstance()).build());
    outbox.addVerdict(2, Verdict.ACK);
    assertEquals(List.of(1L), nextSettle().getRuns(0).getIdsList());
    assertTrue(outbox.poll().hasDrain());
    assertEquals(List.of(2L), nextSettle().getRuns(0).getIdsList());
  }

  @Test
  void finishComesAfterWhatIsQueuedAndNothingAfterIt() {
    outbox.addVerdict(1, Verdict.ACK);
    outbox.finish();
    assertFalse(outbox.pollFinish());
    assertTrue(outbox.poll().hasSettle());
    assertTrue(outbox.pollFinish());
    assertFalse(outbox.pollFinish(), "once");
    outbox.addVerdict(2, Verdict.ACK);
    assertNull(outbox.poll());
  }

  @Test
  void anInProgressIsQueuedUntilItsRequestIsTaken() {
    long ordinal = outbox.addInProgress(1);
    assertTrue(ordinal > outbox.taken());
    outbox.poll();
    assertEquals(ordinal, outbox.taken());
  }

  @Test
  void aClosedOneWritesNothingUntilItIsOpenedAgain() {
    outbox.addVerdict(1, Verdict.ACK);
    outbox.close();
    assertNull(outbox.poll());
    outbox.open(openRequest());
    assertTrue(outbox.poll().hasOpen());
    assertNull(outbox.poll(), "verdicts of the old stream are gone");
  }
}
