package io.sluice.client;

import static io.sluice.client.FakeStream.delivery;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import io.grpc.Status;
import io.sluice.client.FakeStream.Seen;
import io.sluice.v1.Delivery;
import io.sluice.v1.Open;
import io.sluice.v1.SettleResult;
import io.sluice.v1.State.Kind;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Handlers and their verdicts, options, hooks. */
@Timeout(60)
class ClientTest {
  private final FakeDaemon daemon = new FakeDaemon();
  private final Client client = daemon.client(ClientOptions.defaults().clientId("me"));
  private final BlockingQueue<SluiceException> errors = new LinkedBlockingQueue<>();
  private final ConsumeOptions options = ConsumeOptions.defaults().onError(errors::add);

  @AfterEach
  void close() {
    client.close();
    daemon.close();
  }

  private SluiceException nextError() throws InterruptedException {
    return errors.poll(FakeDaemon.PATIENCE, TimeUnit.SECONDS);
  }

  @Test
  void openingSaysWhatTheOptionsSay() {
    client.consume(
        "orders",
        ConsumeOptions.defaults().creditMessages(100).creditBytes(1 << 20).maxBatch(10).confirm(true).resumable(false),
        m -> {});
    Open open = daemon.accept().awaitOpen();
    assertEquals("orders", open.getConsumer());
    assertEquals("me", open.getClientId());
    assertEquals(100, open.getCredit().getMessages());
    assertEquals(1 << 20, open.getCredit().getBytes());
    assertEquals(10, open.getMaxBatch());
    assertTrue(open.getConfirmSettlements());
    assertFalse(open.getResumable());
  }

  @Test
  void byDefaultTheCreditIsSmallAndTokensAreAskedFor() {
    client.consume("orders", m -> {});
    Open open = daemon.accept().awaitOpen();
    assertEquals(8, open.getCredit().getMessages());
    assertTrue(open.getResumable());
  }

  @Test
  void aSecondConsumptionOfAConsumerIsAnotherInstance() {
    client.consume("orders", m -> {});
    assertEquals("me", daemon.accept().awaitOpen().getClientId());
    client.consume("bills", m -> {});
    assertEquals("me", daemon.accept().awaitOpen().getClientId());
    Consumption second = client.consume("orders", m -> {});
    assertEquals("me-2", daemon.accept().awaitOpen().getClientId());
    assertEquals("me-2", second.clientId());
  }

  @Test
  void whatIsBeyondALimitIsRefusedAtOnce() {
    assertThrows(IllegalArgumentException.class, () -> options.concurrency(0));
    assertThrows(IllegalArgumentException.class, () -> options.maxBatch(257));
    assertThrows(IllegalArgumentException.class, () -> options.creditBytes((1L << 30) + 1));
    assertThrows(IllegalArgumentException.class, () -> daemon.client(ClientOptions.defaults().clientId("x".repeat(129))));
  }

  @Test
  void returningAcks() {
    client.consume("orders", m -> {});
    FakeStream stream = daemon.acceptOpened();
    stream.deliver(1, 3);
    assertEquals(List.of(new Seen(1, "ack"), new Seen(2, "ack"), new Seen(3, "ack")), stream.awaitVerdicts(3));
  }

  @Test
  void throwingNaksAndIsTold() throws Exception {
    Consumption consumption =
        client.consume(
            "orders",
            options,
            m -> {
              throw new IOException("disk full");
            });
    FakeStream stream = daemon.acceptOpened();
    stream.deliver(1, 1);
    assertEquals(List.of(new Seen(1, "nak")), stream.awaitVerdicts(1));
    SluiceException error = nextError();
    assertEquals(Status.Code.INTERNAL, error.code());
    assertInstanceOf(IOException.class, error.getCause());
    assertEquals(1, consumption.stats().thrown());
    assertEquals(1, consumption.stats().naked());
  }

  @Test
  void anErrorOfTheJvmNaksToo() {
    client.consume(
        "orders",
        m -> {
          throw new StackOverflowError();
        });
    FakeStream stream = daemon.acceptOpened();
    stream.deliver(1, 2);
    assertEquals(List.of(new Seen(1, "nak"), new Seen(2, "nak")), stream.awaitVerdicts(2));
  }

  @Test
  void retryAfterAndRejectAreVerdictsAndNoErrors() {
    Consumption consumption =
        client.consume(
            "orders",
            options,
            m -> {
              if (m.streamSequence() == 1) throw new RetryAfterException(Duration.ofMillis(1500));
              throw new RejectException("no such order");
            });
    FakeStream stream = daemon.acceptOpened();
    stream.deliver(1, 2);
    assertEquals(List.of(new Seen(1, "nak PT1.5S"), new Seen(2, "term no such order")), stream.awaitVerdicts(2));
    assertEquals(0, consumption.stats().thrown());
    assertEquals(1, consumption.stats().terminated());
    assertTrue(errors.isEmpty());
  }

  @Test
  void anAsyncHandlerSettlesWhenItsStageCompletes() throws Exception {
    BlockingQueue<Message> started = new LinkedBlockingQueue<>();
    Map<Long, CompletableFuture<Void>> stages = new ConcurrentHashMap<>();
    for (long id = 1; id <= 3; id++) stages.put(id, new CompletableFuture<>());
    client.consumeAsync(
        "orders",
        options.concurrency(2),
        m -> {
          started.add(m);
          return stages.get(m.streamSequence());
        });
    FakeStream stream = daemon.acceptOpened();
    stream.deliver(1, 3);
    started.poll(20, TimeUnit.SECONDS);
    started.poll(20, TimeUnit.SECONDS);
    assertTrue(started.isEmpty(), "two at a time");
    stages.get(2L).complete(null);
    assertEquals(List.of(new Seen(2, "ack")), stream.awaitVerdicts(1));
    assertEquals(3, started.poll(20, TimeUnit.SECONDS).streamSequence());
    stages.get(3L).completeExceptionally(new RejectException("no"));
    assertEquals(List.of(new Seen(3, "term no")), stream.awaitVerdicts(1));
    stages.get(1L).completeExceptionally(new CompletionException(new IOException("gone")));
    assertEquals(List.of(new Seen(1, "nak")), stream.awaitVerdicts(1));
    assertInstanceOf(IOException.class, nextError().getCause());
  }

  @Test
  void anAsyncHandlerMayBeDoneAtOnceOrThrow() {
    client.consumeAsync(
        "orders",
        options,
        m -> {
          if (m.streamSequence() % 2 == 0) throw new RetryAfterException(Duration.ZERO);
          return CompletableFuture.completedFuture(null);
        });
    FakeStream stream = daemon.acceptOpened();
    stream.deliver(1, 8);
    for (long id = 1; id <= 8; id++) {
      assertEquals(List.of(new Seen(id, id % 2 == 0 ? "nak" : "ack")), stream.awaitVerdicts(1));
    }
  }

  @Test
  void aBatchIsWhatHasComeAndKeepsItsOwnVerdicts() throws Exception {
    CountDownLatch release = new CountDownLatch(1);
    BlockingQueue<Integer> sizes = new LinkedBlockingQueue<>();
    client.consumeBatches(
        "orders",
        options.maxBatch(4),
        batch -> {
          sizes.add(batch.size());
          release.await();
          for (Message m : batch) if (m.streamSequence() == 3) m.term("no");
          if (batch.get(0).streamSequence() == 6) throw new IOException("gone");
        });
    FakeStream stream = daemon.acceptOpened();
    stream.deliver(1, 1);
    assertEquals(1, sizes.poll(20, TimeUnit.SECONDS));
    stream.deliver(2, 7);
    release.countDown();
    assertEquals(
        "[ack 1, term no 3, ack 2, ack 4, ack 5, nak 6, nak 7]", stream.awaitVerdicts(7).toString());
    assertEquals(4, sizes.poll());
    assertEquals(2, sizes.poll());
    assertEquals(Status.Code.INTERNAL, nextError().code());
    assertTrue(errors.isEmpty(), "one failure is told once");
  }

  /** An app that keeps three of its messages, more than it has handlers: whether it asks for more after a while. */
  private boolean keeperAsksForMore(UnaryOperator<Delivery.Builder> change) {
    BlockingQueue<Message> kept = new LinkedBlockingQueue<>();
    client.consume(
        "orders",
        options.manual(true).concurrency(2),
        m -> {
          if (m.streamSequence() <= 3) kept.add(m);
          else m.ack();
        });
    FakeStream stream = daemon.acceptOpened();
    stream.deliver(1, 3, change);
    long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(300); // each 50 ms say something about it
    for (long next = 4; !stream.saidCredit() && System.nanoTime() < end; next += 8) {
      stream.deliver(next, next + 7, change);
      stream.awaitVerdicts(8);
    }
    return stream.saidCredit();
  }

  @Test
  void theCreditDoesNotGrowWhileNoHandlerWaits() {
    assertFalse(keeperAsksForMore(delivery -> delivery));
  }

  @Test
  void theCreditGrowsWhereMessagesMayWaitForTheirKey() {
    assertTrue(keeperAsksForMore(delivery -> delivery.setKey(ByteString.copyFromUtf8("key " + delivery.getId()))));
  }

  @Test
  void withManualTheAppSettlesWhenItLikesAndOnlyTheFirstVerdictCounts() throws Exception {
    BlockingQueue<Message> kept = new LinkedBlockingQueue<>();
    client.consume("orders", options.manual(true), kept::add);
    FakeStream stream = daemon.acceptOpened();
    stream.deliver(1, 2);
    Message first = kept.poll(20, TimeUnit.SECONDS);
    Message second = kept.poll(20, TimeUnit.SECONDS);
    assertTrue(second.term("no"));
    assertFalse(second.ack());
    assertTrue(first.nak(Duration.ofSeconds(2)));
    assertEquals(List.of(new Seen(2, "term no"), new Seen(1, "nak PT2S")), stream.awaitVerdicts(2));
  }

  @Test
  void withManualWhatIsForgottenNaks() throws Exception {
    client.consume("orders", options.manual(true), m -> {});
    FakeStream stream = daemon.acceptOpened();
    stream.deliver(1, 1);
    CompletableFuture<List<Seen>> seen = CompletableFuture.supplyAsync(() -> stream.awaitVerdicts(1));
    while (!seen.isDone()) {
      System.gc();
      Thread.onSpinWait();
    }
    assertEquals(List.of(new Seen(1, "nak")), seen.get());
    assertTrue(nextError().getMessage().contains("without a verdict"));
  }

  @Test
  void contentIsBytes() throws Exception {
    byte[] odd = {(byte) 0xff, 0, (byte) 0xfe};
    BlockingQueue<Message> kept = new LinkedBlockingQueue<>();
    client.consume("orders", kept::add);
    FakeStream stream = daemon.acceptOpened();
    stream.deliver(
        delivery(1)
            .setSubject(ByteString.copyFrom(odd))
            .setData(ByteString.copyFrom(odd))
            .addHeaders(
                io.sluice.v1.Header.newBuilder().setName(ByteString.copyFromUtf8("A")).setValue(ByteString.copyFrom(odd)))
            .addHeaders(
                io.sluice.v1.Header.newBuilder()
                    .setName(ByteString.copyFromUtf8("A"))
                    .setValue(ByteString.copyFromUtf8("two")))
            .setNumPending(5)
            .setKey(ByteString.copyFromUtf8("k")));
    Message message = kept.poll(20, TimeUnit.SECONDS);
    assertArrayEquals(odd, message.subjectBytes());
    assertArrayEquals(odd, message.data());
    assertEquals(3, message.buffer().remaining());
    assertArrayEquals(odd, message.headers().get(0).valueBytes());
    assertEquals("two", message.headers().get(1).value());
    assertEquals(new String(odd, StandardCharsets.UTF_8), message.header("A").orElseThrow());
    assertTrue(message.header("a").isEmpty(), "names are case-sensitive");
    assertEquals(5, message.numPending());
    assertEquals("k", message.key());
    assertEquals(1_700_000_001, message.timestamp().getEpochSecond());
  }

  @Test
  void asManyHandlersRunAtOnceAsAsked() throws Exception {
    CountDownLatch release = new CountDownLatch(1);
    CountDownLatch running = new CountDownLatch(3);
    AtomicInteger most = new AtomicInteger();
    client.consume(
        "orders",
        options.concurrency(3),
        m -> {
          most.incrementAndGet();
          running.countDown();
          release.await();
        });
    FakeStream stream = daemon.acceptOpened();
    stream.deliver(1, 8);
    assertTrue(running.await(20, TimeUnit.SECONDS));
    assertEquals(3, most.get());
    release.countDown();
    stream.awaitVerdicts(8);
  }

  @Test
  void messagesOfAKeyRunOneAfterTheOther() throws Exception {
    BlockingQueue<Message> kept = new LinkedBlockingQueue<>();
    client.consume(
        "orders", options.concurrency(4).manual(true).key(m -> m.streamSequence() % 2), kept::add);
    FakeStream stream = daemon.acceptOpened();
    stream.deliver(1, 4);
    Message one = kept.poll(20, TimeUnit.SECONDS);
    Message two = kept.poll(20, TimeUnit.SECONDS);
    assertEquals(3, one.streamSequence() + two.streamSequence(), "one of each key");
    Message odd = one.streamSequence() == 1 ? one : two;
    odd.ack();
    assertEquals(3, kept.poll(20, TimeUnit.SECONDS).streamSequence());
    assertTrue(kept.isEmpty());
  }

  @Test
  void inProgressIsSentOnceWhileItIsQueued() throws Exception {
    BlockingQueue<Message> kept = new LinkedBlockingQueue<>();
    client.consume("orders", options.manual(true), kept::add);
    FakeStream stream = daemon.acceptOpened();
    stream.deliver(1, 1);
    Message message = kept.poll(20, TimeUnit.SECONDS);
    message.inProgress();
    assertEquals(List.of(new Seen(1, "progress")), stream.awaitVerdicts(1));
    message.ack();
    message.inProgress();
    assertEquals(List.of(new Seen(1, "ack")), stream.awaitVerdicts(1));
  }

  @Test
  void anEndedLeaseCancels() throws Exception {
    CountDownLatch cancelled = new CountDownLatch(1);
    BlockingQueue<Message> kept = new LinkedBlockingQueue<>();
    client.consume("orders", options.manual(true), kept::add);
    FakeStream stream = daemon.acceptOpened();
    stream.deliver(1, 1);
    Message message = kept.poll(20, TimeUnit.SECONDS);
    assertFalse(message.cancelled());
    message.onCancel(cancelled::countDown);
    stream.leasesEnded(1);
    assertTrue(cancelled.await(20, TimeUnit.SECONDS));
    assertTrue(message.cancelled());
    CountDownLatch atOnce = new CountDownLatch(1);
    message.onCancel(atOnce::countDown);
    assertTrue(atOnce.await(20, TimeUnit.SECONDS));
  }

  @Test
  void aCancelledHandlerIsInterruptedIfTheAppWants() throws Exception {
    CountDownLatch running = new CountDownLatch(1);
    client.consume(
        "orders",
        options.interruptOnCancel(true),
        m -> {
          if (m.streamSequence() > 1) return;
          running.countDown();
          new CountDownLatch(1).await();
        });
    FakeStream stream = daemon.acceptOpened();
    stream.deliver(1, 1);
    assertTrue(running.await(20, TimeUnit.SECONDS));
    stream.leasesEnded(1);
    assertEquals(List.of(new Seen(1, "nak")), stream.awaitVerdicts(1));
    assertInstanceOf(InterruptedException.class, nextError().getCause());
    stream.deliver(2, 2);
    assertEquals(List.of(new Seen(2, "ack")), stream.awaitVerdicts(1), "the next one is not interrupted");
  }

  @Test
  void theOutcomeOfAVerdictIsTold() throws Exception {
    BlockingQueue<Message> kept = new LinkedBlockingQueue<>();
    client.consume("orders", options.manual(true).confirm(true), kept::add);
    FakeStream stream = daemon.acceptOpened();
    stream.deliver(1, 2);
    Message first = kept.poll(20, TimeUnit.SECONDS);
    Message second = kept.poll(20, TimeUnit.SECONDS);
    first.ack();
    second.nak();
    stream.awaitVerdicts(2);
    assertFalse(first.outcome().isDone());
    stream.result(SettleResult.Outcome.OUTCOME_CONFIRMED, 1);
    stream.result(SettleResult.Outcome.OUTCOME_LATE, 2);
    assertEquals(Outcome.CONFIRMED, first.outcome().get(20, TimeUnit.SECONDS));
    assertEquals(Outcome.LATE, second.outcome().get(20, TimeUnit.SECONDS));
  }

  @Test
  void withoutConfirmThereIsNoOutcome() throws Exception {
    BlockingQueue<Message> kept = new LinkedBlockingQueue<>();
    client.consume("orders", kept::add);
    daemon.acceptOpened().deliver(1, 1);
    assertThrows(IllegalStateException.class, kept.poll(20, TimeUnit.SECONDS)::outcome);
  }

  @Test
  void badResultsAreToldAndCounted() throws Exception {
    Consumption consumption = client.consume("orders", options, m -> {});
    FakeStream stream = daemon.acceptOpened();
    stream.result(SettleResult.Outcome.OUTCOME_LATE, 1, 2);
    assertEquals(Status.Code.DEADLINE_EXCEEDED, nextError().code());
    stream.result(SettleResult.Outcome.OUTCOME_NOT_HELD, 3);
    assertEquals(Status.Code.NOT_FOUND, nextError().code());
    stream.result(SettleResult.Outcome.OUTCOME_FAILED, 4);
    assertEquals(Status.Code.UNAVAILABLE, nextError().code());
    Stats stats = consumption.stats();
    assertEquals(List.of(2L, 1L, 1L), List.of(stats.late(), stats.notHeld(), stats.failed()));
  }

  @Test
  void statesAreToldInOrder() throws Exception {
    BlockingQueue<String> states = new LinkedBlockingQueue<>();
    Consumption consumption =
        client.consume("orders", options.onState((state, detail) -> states.add(state + " " + detail)), m -> {});
    FakeStream stream = daemon.acceptOpened();
    stream.state(Kind.KIND_SERVING, "");
    stream.state(Kind.KIND_PAUSED, "until noon");
    assertEquals("CONNECTING ", states.poll(20, TimeUnit.SECONDS));
    assertEquals("SERVING ", states.poll(20, TimeUnit.SECONDS));
    assertEquals("PAUSED until noon", states.poll(20, TimeUnit.SECONDS));
    assertEquals(State.PAUSED, consumption.state());
    CompletableFuture<Void> stop = CompletableFuture.runAsync(consumption::stop);
    stream.awaitHalfClose();
    stop.get(20, TimeUnit.SECONDS);
    assertEquals("CLOSED ", states.poll(20, TimeUnit.SECONDS));
  }

  @Test
  void countsAreToldWhenTheyChange() throws Exception {
    BlockingQueue<Stats> stats = new LinkedBlockingQueue<>();
    client.consume("orders", options.onStats(stats::add), m -> {});
    FakeStream stream = daemon.acceptOpened();
    stream.deliver(1, 3);
    stream.awaitVerdicts(3);
    while (stats.poll(20, TimeUnit.SECONDS).acked() < 3) continue;
  }

  @Test
  void aHookThatThrowsChangesNothing() {
    client.consume(
        "orders",
        options.onState(
            (state, detail) -> {
              throw new IllegalStateException("hook");
            }),
        m -> {});
    FakeStream stream = daemon.acceptOpened();
    stream.state(Kind.KIND_SERVING, "");
    stream.deliver(1, 1);
    stream.awaitVerdicts(1);
  }

  @Test
  void anUnknownConsumerEndsItAndSaysWhy() throws Exception {
    Consumption consumption = client.consume("ordres", options, m -> {});
    daemon.accept().end(Status.NOT_FOUND.withDescription("no consumer 'ordres'; known: orders"));
    SluiceException told = nextError();
    assertEquals(Status.Code.NOT_FOUND, told.code());
    assertEquals("no consumer 'ordres'; known: orders", told.getMessage());
    CompletionException closed = assertThrows(CompletionException.class, () -> consumption.closed().join());
    assertEquals(told, closed.getCause());
    assertEquals(State.CLOSED, consumption.state());
    assertFalse(consumption.drain().completed(), "returns at once");
  }

  @Test
  void aRejectingExecutorLosesNothing() {
    AtomicInteger calls = new AtomicInteger();
    client.consume(
        "orders",
        options.executor(
            task -> {
              if (calls.getAndIncrement() == 0) throw new java.util.concurrent.RejectedExecutionException("full");
              new Thread(task).start();
            }),
        m -> {});
    FakeStream stream = daemon.acceptOpened();
    stream.deliver(1, 1);
    stream.deliver(2, 2);
    assertEquals(List.of(new Seen(1, "ack"), new Seen(2, "ack")), stream.awaitVerdicts(2));
  }

  @Test
  void closingTheClientStopsWhatItOpened() throws Exception {
    Consumption consumption = client.consume("orders", m -> {});
    FakeStream stream = daemon.acceptOpened();
    CompletableFuture<Void> close = CompletableFuture.runAsync(client::close);
    stream.awaitHalfClose();
    close.get(20, TimeUnit.SECONDS);
    consumption.closed().get(20, TimeUnit.SECONDS);
    assertEquals(0, consumption.stats().received(), "can still be asked");
    assertThrows(IllegalStateException.class, () -> client.consume("orders", m -> {}));
  }

  @Test
  void whatIsSettledAfterTheEndIsDropped() throws Exception {
    BlockingQueue<Message> kept = new LinkedBlockingQueue<>();
    client.consume("orders", options.manual(true).confirm(true), kept::add);
    FakeStream stream = daemon.acceptOpened();
    stream.deliver(1, 1);
    Message message = kept.poll(20, TimeUnit.SECONDS);
    CompletableFuture<Void> close = CompletableFuture.runAsync(client::close);
    stream.awaitHalfClose();
    close.get(20, TimeUnit.SECONDS);
    assertTrue(message.cancelled());
    assertTrue(message.ack());
    assertEquals(Outcome.FAILED, message.outcome().get(20, TimeUnit.SECONDS));
  }
}
