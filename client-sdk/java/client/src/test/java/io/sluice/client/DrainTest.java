package io.sluice.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.grpc.Status;
import io.sluice.client.FakeStream.Seen;
import io.sluice.v1.Draining.Reason;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Drains that the app asks for, drains of the daemon, and stops. */
@Timeout(60)
class DrainTest {
  private final FakeDaemon daemon = new FakeDaemon();
  private final Client client = daemon.client();
  private final BlockingQueue<Message> begun = new LinkedBlockingQueue<>();
  private final CountDownLatch release = new CountDownLatch(1);

  @AfterEach
  void close() {
    release.countDown();
    client.close();
    daemon.close();
  }

  private void handle(Message message) throws InterruptedException {
    begun.add(message);
    release.await();
  }

  private Message awaitBegun() throws InterruptedException {
    Message message = begun.poll(FakeDaemon.PATIENCE, TimeUnit.SECONDS);
    assertNotNull(message, "no handler was started");
    return message;
  }

  private static io.sluice.v1.DrainReport report() {
    return io.sluice.v1.DrainReport.newBuilder()
        .setAwaited(3)
        .setAcked(2)
        .setNaked(1)
        .addPhases(
            io.sluice.v1.PhaseDuration.newBuilder()
                .setPhase("SETTLING")
                .setDuration(com.google.protobuf.Duration.newBuilder().setNanos(5_000_000)))
        .build();
  }

  private static <T> T get(CompletableFuture<T> future) throws Exception {
    return future.get(FakeDaemon.PATIENCE, TimeUnit.SECONDS);
  }

  @Test
  void worksOffWhatItHasAndReturnsTheReport() throws Exception {
    Consumption consumption = client.consume("orders", this::handle);
    FakeStream stream = daemon.acceptOpened();
    stream.deliver(1, 3);
    awaitBegun();
    CompletableFuture<DrainReport> drain =
        CompletableFuture.supplyAsync(() -> consumption.drain(Duration.ofMillis(7500)));
    assertEquals(Duration.ofMillis(7500), Wire.duration(stream.awaitDrain().getTimeout()));
    stream.draining(Reason.REASON_APP, Instant.now().plusSeconds(30));
    release.countDown();
    assertEquals("[ack 1, ack 2, ack 3]", stream.awaitVerdicts(3).toString());
    stream.drained(report());
    DrainReport report = get(drain);
    assertTrue(report.completed());
    assertEquals(3, report.awaited());
    assertEquals(2, report.acked());
    assertEquals(1, report.naked());
    assertEquals(Map.of("SETTLING", Duration.ofMillis(5)), report.phases());
    get(consumption.closed());
  }

  @Test
  void withoutATimeoutTheDaemonsCounts() throws Exception {
    Consumption consumption = client.consume("orders", m -> {});
    FakeStream stream = daemon.acceptOpened();
    consumption.startDrain();
    assertFalse(stream.awaitDrain().hasTimeout());
    stream.drained(report());
    get(consumption.closed());
    assertTrue(consumption.drainReport().completed());
  }

  @Test
  void mayHandBackWhatWaits() throws Exception {
    Consumption consumption =
        client.consume("orders", ConsumeOptions.defaults().handBack(true), this::handle);
    FakeStream stream = daemon.acceptOpened();
    stream.deliver(1, 3);
    awaitBegun();
    consumption.startDrain();
    assertEquals(List.of(new Seen(2, "nak"), new Seen(3, "nak")), stream.awaitVerdicts(2));
    stream.awaitDrain();
    assertEquals(0, stream.verdictsBeforeDrain(), "what goes before the drain comes to this app again");
    stream.deliver(4, 4);
    assertEquals(List.of(new Seen(4, "nak")), stream.awaitVerdicts(1), "it was on its way when the drain began");
    release.countDown();
    assertEquals(List.of(new Seen(1, "ack")), stream.awaitVerdicts(1));
    stream.drained(report());
    get(consumption.closed());
  }

  @Test
  void ofTheDaemonFinishesTheWorkAndGoesToItsSuccessor() throws Exception {
    BlockingQueue<Draining> notices = new LinkedBlockingQueue<>();
    BlockingQueue<DrainReport> reports = new LinkedBlockingQueue<>();
    Consumption consumption =
        client.consume(
            "orders", ConsumeOptions.defaults().onDraining(notices::add).onDrained(reports::add), this::handle);
    FakeStream stream = daemon.acceptOpened();
    stream.deliver(1, 2);
    Message first = awaitBegun();
    Instant soon = Instant.now().plusSeconds(60);
    assertTrue(first.deadline().isAfter(soon), "the lease");
    stream.draining(Reason.REASON_DAEMON, Instant.now().plusSeconds(30));
    assertTrue(notices.poll(20, TimeUnit.SECONDS).byDaemon());
    assertTrue(first.deadline().isBefore(soon), "the drain");
    release.countDown();
    stream.awaitVerdicts(2);
    stream.drained(report());
    assertEquals(3, reports.poll(20, TimeUnit.SECONDS).awaited());
    daemon.accept().end(Status.UNAVAILABLE.withDescription("draining"));
    FakeStream successor = daemon.acceptOpened();
    successor.deliver(10, 10);
    successor.awaitVerdicts(1);
    assertFalse(consumption.drainReport().completed(), "it was not the app's");
  }

  @Test
  void afterTheDeadlineNothingIsStarted() throws Exception {
    client.consume("orders", this::handle);
    FakeStream stream = daemon.acceptOpened();
    stream.deliver(1, 2);
    Message first = awaitBegun();
    stream.draining(Reason.REASON_DAEMON, Instant.now().minusMillis(1));
    CountDownLatch cancelled = new CountDownLatch(1);
    first.onCancel(cancelled::countDown);
    stream.drained(report());
    assertTrue(cancelled.await(20, TimeUnit.SECONDS));
    release.countDown();
    FakeStream successor = daemon.acceptOpened();
    successor.deliver(3, 3);
    assertEquals(3, awaitBegun().streamSequence(), "2 was given back");
  }

  @Test
  void goesOnAfterAReconnectWithoutNewMessages() throws Exception {
    Consumption consumption = client.consume("orders", this::handle);
    FakeStream stream = daemon.acceptOpened();
    stream.deliver(1, 1);
    awaitBegun();
    consumption.startDrain();
    stream.awaitDrain();
    stream.breakOff();
    FakeStream next = daemon.accept();
    assertEquals(0, next.awaitOpen().getCredit().getMessages());
    next.opened(Map.of(1L, 1L));
    next.awaitDrain();
    release.countDown();
    next.awaitVerdicts(1);
    next.drained(report());
    get(consumption.closed());
    assertTrue(consumption.drainReport().completed());
  }

  @Test
  void withoutADaemonHasNothingToWaitFor() {
    daemon.kill();
    assertFalse(client.consume("orders", m -> {}).drain().completed());
  }

  @Test
  void aDaemonThatIsSilentIsLeft() throws Exception {
    Consumption consumption = client.consume("orders", m -> {});
    FakeStream stream = daemon.acceptOpened();
    CompletableFuture<DrainReport> drain = CompletableFuture.supplyAsync(() -> consumption.drain(Duration.ZERO));
    stream.awaitDrain();
    stream.awaitCancel();
    assertFalse(get(drain).completed());
  }

  @Test
  void stoppingGivesBackAtOnceAndCancels() throws Exception {
    Consumption consumption = client.consume("orders", this::handle);
    FakeStream stream = daemon.acceptOpened();
    stream.deliver(1, 2);
    Message first = awaitBegun();
    CompletableFuture<Void> stop = CompletableFuture.runAsync(consumption::stop);
    stream.awaitHalfClose();
    get(stop);
    assertTrue(first.cancelled());
    release.countDown();
    assertTrue(begun.isEmpty());
  }

  @Test
  void runningEndsWithTheConsumption() {
    Consumption consumption = client.consume("orders", m -> {});
    daemon.accept().end(Status.PERMISSION_DENIED.withDescription("no"));
    assertFalse(consumption.run().completed());
  }

  @Test
  void aSignalDrainsAll() throws Exception {
    Consumption orders = client.consume("orders", m -> {});
    FakeStream first = daemon.acceptOpened();
    Consumption bills = client.consume("bills", m -> {});
    FakeStream second = daemon.acceptOpened();
    CompletableFuture<List<DrainReport>> run = CompletableFuture.supplyAsync(() -> client.run(Duration.ofSeconds(9)));
    // As in a terminal; caught only once run() is there.
    while (!Signals.caught("TERM")) Thread.onSpinWait();
    new ProcessBuilder("kill", "-TERM", String.valueOf(ProcessHandle.current().pid())).start().waitFor();
    assertEquals(9, first.awaitDrain().getTimeout().getSeconds());
    assertEquals(9, second.awaitDrain().getTimeout().getSeconds());
    first.drained(report());
    second.drained(report());
    assertEquals(List.of(3L, 3L), get(run).stream().map(DrainReport::awaited).toList());
    assertFalse(Signals.caught("TERM"), "given back to the JVM");
    get(orders.closed());
    get(bills.closed());
  }
}
