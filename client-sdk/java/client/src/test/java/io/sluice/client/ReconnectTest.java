package io.sluice.client;

import static io.sluice.client.FakeStream.delivery;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import io.grpc.Status;
import io.sluice.client.FakeStream.Seen;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What a lost stream, or a lost daemon, does to what the app holds. */
@Timeout(60)
class ReconnectTest {
  private final FakeDaemon daemon = new FakeDaemon();
  private final Client client = daemon.client(ClientOptions.defaults().clientId("me"));
  private final BlockingQueue<Message> started = new LinkedBlockingQueue<>();
  private final BlockingQueue<String> states = new LinkedBlockingQueue<>();
  private final Consumption consumption =
      client.consume(
          "orders",
          ConsumeOptions.defaults().manual(true).onState((state, detail) -> states.add(state + ": " + detail)),
          started::add);

  @AfterEach
  void close() {
    client.close();
    daemon.close();
  }

  private Message nextStarted() throws InterruptedException {
    Message message = started.poll(FakeDaemon.PATIENCE, TimeUnit.SECONDS);
    assertNotNull(message, "no handler was started");
    return message;
  }

  private static void awaitCancelled(Message message) throws InterruptedException {
    CountDownLatch cancelled = new CountDownLatch(1);
    message.onCancel(cancelled::countDown);
    assertTrue(cancelled.await(FakeDaemon.PATIENCE, TimeUnit.SECONDS));
  }

  @Test
  void comesBackUnderItsIdNamingWhatItHolds() throws Exception {
    FakeStream stream = daemon.acceptOpened();
    stream.deliver(1, 3);
    nextStarted().ack();
    stream.awaitVerdicts(1);
    stream.breakOff();
    FakeStream next = daemon.accept();
    assertEquals(List.of(1L, 2L, 3L), next.awaitNamed());
  }

  @Test
  void whatIsResumedIsSettledOnTheNewStream() throws Exception {
    FakeStream stream = daemon.acceptOpened();
    stream.deliver(1, 2);
    Message first = nextStarted();
    Message second = nextStarted();
    stream.breakOff();
    FakeStream next = daemon.accept();
    first.ack(); // while there is no stream
    next.opened(Map.of(1L, 101L, 2L, 102L));
    second.nak();
    assertEquals("[ack 101, nak 102]", next.awaitVerdicts(2).toString());
    assertEquals(2, consumption.stats().streams());
    assertEquals(0, consumption.stats().lost());
  }

  @Test
  void aVerdictThatTheDaemonNeverGotIsSentAgain() throws Exception {
    FakeStream stream = daemon.acceptOpened();
    stream.deliver(1, 2);
    nextStarted().ack();
    nextStarted().ack();
    stream.awaitVerdicts(2);
    stream.breakOff();
    FakeStream next = daemon.accept();
    next.opened(Map.of(2L, 2L));
    assertEquals(List.of(new Seen(2, "ack")), next.awaitVerdicts(1));
  }

  @Test
  void whatIsNotResumedIsCancelled() throws Exception {
    FakeStream stream = daemon.acceptOpened();
    stream.deliver(1, 2);
    Message first = nextStarted();
    Message second = nextStarted();
    stream.breakOff();
    FakeStream next = daemon.accept();
    next.opened(Map.of(2L, 2L));
    awaitCancelled(first);
    assertFalse(second.cancelled());
    first.ack();
    second.ack();
    assertEquals(List.of(new Seen(2, "ack")), next.awaitVerdicts(1));
    assertEquals(1, consumption.stats().lost());
  }

  @Test
  void whatComesBackIsNotRunTwice() throws Exception {
    FakeStream stream = daemon.acceptOpened();
    stream.deliver(1, 2);
    Message running = nextStarted();
    nextStarted().ack();
    stream.awaitVerdicts(1);
    daemon.kill();
    daemon.start();
    FakeStream next = daemon.acceptOpened();
    next.deliver(delivery(1).setId(11).setNumDelivered(2), delivery(2).setId(12).setNumDelivered(2));
    assertEquals(List.of(new Seen(12, "ack")), next.awaitVerdicts(1), "the verdict is given again");
    running.ack();
    assertEquals(List.of(new Seen(11, "ack")), next.awaitVerdicts(1));
    assertTrue(started.isEmpty());
    assertEquals(2, consumption.stats().rejoined());
  }

  @Test
  void tokensGoAlongAfterAKill() throws Exception {
    FakeStream stream = daemon.acceptOpened();
    stream.deliver(delivery(1).setToken(ByteString.copyFromUtf8("t1")));
    nextStarted();
    daemon.kill();
    daemon.start();
    FakeStream next = daemon.accept();
    assertEquals("t1", next.awaitOpen().getResume(0).getToken().toStringUtf8());
  }

  /** A drained daemon has given everything back: only acks may go to its successor. */
  @Test
  void noTokensGoAlongAfterADrain() throws Exception {
    FakeStream stream = daemon.acceptOpened();
    stream.deliver(delivery(1).setToken(ByteString.copyFromUtf8("t1")));
    Message running = nextStarted();
    stream.drained(io.sluice.v1.DrainReport.getDefaultInstance());
    awaitCancelled(running);
    FakeStream next = daemon.accept();
    assertTrue(next.awaitOpen().getResumeList().stream().allMatch(held -> held.getToken().isEmpty()));
  }

  @Test
  void withoutAStreamNothingIsStarted() throws Exception {
    CountDownLatch release = new CountDownLatch(1);
    BlockingQueue<Long> begun = new LinkedBlockingQueue<>();
    client.consume(
        "bills",
        m -> {
          begun.add(m.streamSequence());
          release.await();
        });
    FakeStream orders = daemon.accept();
    FakeStream bills = daemon.accept();
    if (!bills.awaitOpen().getConsumer().equals("bills")) bills = orders;
    bills.opened();
    bills.deliver(1, 2);
    assertEquals(1, begun.poll(20, TimeUnit.SECONDS));
    bills.breakOff();
    FakeStream next = daemon.accept();
    assertEquals(List.of(1L, 2L), next.awaitNamed());
    release.countDown();
    next.opened(Map.of(1L, 1L));
    assertEquals(List.of(new Seen(1, "ack")), next.awaitVerdicts(1));
    assertTrue(begun.isEmpty(), "2 was not resumed, and must not start");
    next.deliver(3, 3);
    assertEquals(3, begun.poll(20, TimeUnit.SECONDS));
  }

  @Test
  void aNewDaemonIsFoundAtOnce() throws Exception {
    daemon.acceptOpened();
    daemon.kill();
    while (!states.take().contains("refused")) continue;
    daemon.start();
    long start = System.nanoTime();
    daemon.accept();
    assertTrue(System.nanoTime() - start < Duration.ofSeconds(4).toNanos(), "gRPC's own backoff is longer");
  }

  @Test
  void aDrainingDaemonIsAskedAgainNotHammered() {
    daemon.acceptOpened().end(Status.UNAVAILABLE.withDescription("draining"));
    long start = System.nanoTime();
    for (int i = 0; i < 10; i++) daemon.accept().end(Status.UNAVAILABLE.withDescription("draining"));
    // 1 + 2 + 4 + ... + 256 ms, less a quarter at most.
    assertTrue(System.nanoTime() - start > Duration.ofMillis(350).toNanos());
  }
}
