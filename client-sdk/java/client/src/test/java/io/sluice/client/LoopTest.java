package io.sluice.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.grpc.Status;
import io.sluice.client.FakeStream.Seen;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Messages and Fetcher: the caller's threads do the work. */
@Timeout(60)
class LoopTest {
  private static final io.sluice.v1.DrainReport REPORT = io.sluice.v1.DrainReport.newBuilder().setAwaited(3).build();

  private final FakeDaemon daemon = new FakeDaemon();
  private final Client client = daemon.client();

  @AfterEach
  void close() {
    client.close();
    daemon.close();
  }

  @Test
  void aTurnWithoutAVerdictNaks() {
    Messages messages = client.messages("orders");
    FakeStream stream = daemon.acceptOpened();
    stream.deliver(1, 3);
    Iterator<Message> loop = messages.iterator();
    loop.next().ack();
    loop.next();
    assertEquals(3, loop.next().streamSequence());
    assertEquals(List.of(new Seen(1, "ack"), new Seen(2, "nak")), stream.awaitVerdicts(2));
  }

  @Test
  void withManualATurnSettlesNothing() {
    Messages messages = client.messages("orders", ConsumeOptions.defaults().manual(true));
    FakeStream stream = daemon.acceptOpened();
    stream.deliver(1, 2);
    Iterator<Message> loop = messages.iterator();
    Message first = loop.next();
    loop.next().ack();
    first.ack();
    assertEquals(List.of(new Seen(2, "ack"), new Seen(1, "ack")), stream.awaitVerdicts(2));
  }

  @Test
  void aLoopGoesOnWithWhatWaitsUntilTheDrainIsOver() {
    Messages messages = client.messages("orders");
    FakeStream stream = daemon.acceptOpened();
    stream.deliver(1, 4);
    int count = 0;
    for (Message m : messages) {
      if (++count == 2) messages.startDrain();
      m.ack();
      if (count < 4) continue;
      stream.awaitDrain();
      stream.awaitVerdicts(4);
      stream.drained(REPORT);
    }
    assertEquals(4, count);
    assertTrue(messages.drainReport().completed());
  }

  @Test
  void drainingAfterALoopHandsBackWhatWaits() throws Exception {
    Messages messages = client.messages("orders");
    FakeStream stream = daemon.acceptOpened();
    stream.deliver(1, 3);
    CompletableFuture<DrainReport> app =
        CompletableFuture.supplyAsync(
            () -> {
              for (Message m : messages) {
                m.ack();
                break;
              }
              return messages.drain();
            });
    assertEquals("[ack 1, nak 2, nak 3]", stream.awaitVerdicts(3).toString());
    stream.awaitDrain();
    stream.drained(REPORT);
    assertTrue(app.get(20, TimeUnit.SECONDS).completed());
  }

  @Test
  void closingEndsALoopThatWaits() throws Exception {
    Messages messages = client.messages("orders");
    FakeStream stream = daemon.acceptOpened();
    // Not the common pool, which may have one thread only.
    Executor apart = task -> new Thread(task).start();
    CompletableFuture<Boolean> next = CompletableFuture.supplyAsync(messages.iterator()::hasNext, apart);
    CompletableFuture<Void> close = CompletableFuture.runAsync(messages::close, apart);
    stream.awaitHalfClose();
    assertFalse(next.get(20, TimeUnit.SECONDS));
    close.get(20, TimeUnit.SECONDS);
  }

  @Test
  void aRefusalIsThrownIntoTheLoop() {
    Messages messages = client.messages("ordres");
    daemon.accept().end(Status.NOT_FOUND.withDescription("known: orders"));
    SluiceException refused = assertThrows(SluiceException.class, () -> messages.iterator().hasNext());
    assertEquals(Status.Code.NOT_FOUND, refused.code());
  }

  @Test
  void anInterruptEndsALoop() throws Exception {
    Messages messages = client.messages("orders");
    daemon.acceptOpened();
    Thread loop = new Thread(() -> messages.forEach(Message::ack));
    loop.start();
    loop.interrupt();
    loop.join(TimeUnit.SECONDS.toMillis(20));
    assertFalse(loop.isAlive());
  }

  @Test
  void aStreamIsTheSame() {
    Messages messages = client.messages("orders");
    FakeStream stream = daemon.acceptOpened();
    stream.deliver(1, 4);
    List<Long> seen = messages.stream().filter(m -> m.streamSequence() != 2).peek(Message::ack).limit(2)
        .map(Message::streamSequence).toList();
    assertEquals(List.of(1L, 3L), seen);
    assertEquals("[ack 1, nak 2, ack 3]", stream.awaitVerdicts(3).toString());
  }

  // Fetcher

  private CompletableFuture<List<Message>> fetch(Fetcher fetcher, int most, Duration maxWait) {
    return CompletableFuture.supplyAsync(
        () -> {
          try {
            return fetcher.fetch(most, maxWait);
          } catch (InterruptedException e) {
            throw new IllegalStateException(e);
          }
        });
  }

  /** Those that change nothing are passed over. */
  private static void awaitCredit(FakeStream stream, int messages) {
    while (stream.awaitCredit().getMessages() != messages) continue;
  }

  @Test
  void aFetchAsksForAsMuchAsItReturnsAndNothingBetween() throws Exception {
    Fetcher fetcher = client.fetcher("orders");
    FakeStream stream = daemon.accept();
    assertEquals(0, stream.awaitOpen().getCredit().getMessages());
    stream.opened();
    CompletableFuture<List<Message>> fetch = fetch(fetcher, 3, Duration.ofSeconds(20));
    awaitCredit(stream, 3);
    stream.deliver(1, 3);
    List<Message> messages = fetch.get(20, TimeUnit.SECONDS);
    assertEquals(3, messages.size());
    awaitCredit(stream, 0);
    for (Message m : messages) m.ack();
    stream.awaitVerdicts(3);
  }

  @Test
  void whatIsHeldDoesNotCountAgainstTheNextFetch() throws Exception {
    Fetcher fetcher = client.fetcher("orders");
    FakeStream stream = daemon.acceptOpened();
    CompletableFuture<List<Message>> first = fetch(fetcher, 2, Duration.ofSeconds(20));
    awaitCredit(stream, 2);
    stream.deliver(1, 2);
    List<Message> held = first.get(20, TimeUnit.SECONDS);
    CompletableFuture<List<Message>> second = fetch(fetcher, 5, Duration.ofSeconds(20));
    awaitCredit(stream, 7);
    held.get(0).ack();
    awaitCredit(stream, 6);
    stream.deliver(3, 3);
    assertEquals(1, second.get(20, TimeUnit.SECONDS).size(), "as soon as there are some");
  }

  @Test
  void aFetchReturnsNoneAfterItsWait() throws Exception {
    Fetcher fetcher = client.fetcher("orders");
    FakeStream stream = daemon.acceptOpened();
    assertEquals(List.of(), fetcher.fetch(3, Duration.ofMillis(20)));
    awaitCredit(stream, 0);
  }

  @Test
  void aFetchDuringTheHandshakeGetsItsCredit() throws Exception {
    Fetcher fetcher = client.fetcher("orders");
    FakeStream stream = daemon.accept();
    stream.awaitOpen();
    CompletableFuture<List<Message>> fetch = fetch(fetcher, 3, Duration.ofSeconds(20));
    while (fetcher.stats().streams() > 0) Thread.onSpinWait(); // posted after the wish
    stream.opened();
    awaitCredit(stream, 3);
    stream.deliver(1, 1);
    assertEquals(1, fetch.get(20, TimeUnit.SECONDS).size());
  }

  @Test
  void whatComesTooLateIsGivenBack() throws Exception {
    Fetcher fetcher = client.fetcher("orders");
    FakeStream stream = daemon.acceptOpened();
    assertEquals(List.of(), fetcher.fetch(3, Duration.ofMillis(1)));
    stream.deliver(1, 1);
    assertEquals(List.of(new Seen(1, "nak")), stream.awaitVerdicts(1));
  }

  @Test
  void aFetcherDrains() throws Exception {
    Fetcher fetcher = client.fetcher("orders");
    FakeStream stream = daemon.acceptOpened();
    CompletableFuture<List<Message>> fetch = fetch(fetcher, 2, Duration.ofSeconds(20));
    awaitCredit(stream, 2);
    stream.deliver(1, 2);
    List<Message> messages = new ArrayList<>(fetch.get(20, TimeUnit.SECONDS));
    CompletableFuture<DrainReport> drain = CompletableFuture.supplyAsync(fetcher::drain);
    stream.awaitDrain();
    for (Message m : messages) m.ack();
    stream.awaitVerdicts(2);
    stream.drained(REPORT);
    assertEquals(3, drain.get(20, TimeUnit.SECONDS).awaited());
    assertEquals(List.of(), fetcher.fetch(1, Duration.ofSeconds(20)), "at once, as it is closed");
  }

  @Test
  void aRefusedFetcherThrows() {
    Fetcher fetcher = client.fetcher("ordres");
    daemon.accept().end(Status.NOT_FOUND.withDescription("known: orders"));
    assertThrows(SluiceException.class, () -> fetcher.fetch(1, Duration.ofSeconds(20)));
  }
}
