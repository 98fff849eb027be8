package io.sluice.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sluice.testing.Daemon;
import io.sluice.testing.NatsConnection;
import io.sluice.testing.NatsServer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The client, the real daemon, a real nats-server. */
@Timeout(120)
class RealDaemonTest {
  @TempDir Path folder;

  private NatsServer nats;
  private NatsConnection publisher;
  private Daemon daemon;
  private Client client;

  @BeforeEach
  void start() {
    nats = NatsServer.start(folder);
    publisher = nats.connect();
    publisher.createStream("ORDERS", "orders.>");
    daemon = Daemon.start(folder, nats);
    client = Client.create(ClientOptions.defaults().address(daemon.address()));
  }

  @AfterEach
  void stop() {
    client.close();
    daemon.close();
    publisher.close();
    nats.close();
  }

  private void publish(int first, int last) {
    for (int i = first; i <= last; i++) publisher.publish("orders.new", "order " + i);
  }

  private static void await(BooleanSupplier condition) throws InterruptedException {
    while (!condition.getAsBoolean()) Thread.sleep(5); // bounded by the test's timeout
  }

  @Test
  void everyMessageIsHandledOnceAndSettled() throws Exception {
    ConcurrentLinkedQueue<String> handled = new ConcurrentLinkedQueue<>();
    Consumption consumption =
        client.consume("orders", ConsumeOptions.defaults().concurrency(4), m -> handled.add(m.text()));
    publish(1, 200);
    await(() -> handled.size() >= 200);
    assertTrue(consumption.drain(Duration.ofSeconds(10)).completed());
    assertEquals(200, Set.copyOf(handled).size());
    assertEquals(200, handled.size());
    assertEquals(0, publisher.unsettled("ORDERS", "orders"));
  }

  @Test
  void aKilledDaemonsSuccessorTakesTheVerdictsThatAreDue() throws Exception {
    Set<String> handled = ConcurrentHashMap.newKeySet();
    ConcurrentLinkedQueue<String> twice = new ConcurrentLinkedQueue<>();
    Consumption consumption =
        client.consume(
            "orders",
            ConsumeOptions.defaults().concurrency(8),
            m -> {
              Thread.sleep(2);
              if (!handled.add(m.text())) twice.add(m.text());
            });
    publish(1, 150);
    await(() -> handled.size() >= 50);
    daemon.kill();
    daemon.start();
    publish(151, 300);
    await(() -> handled.size() >= 300);
    assertTrue(consumption.drain().completed());
    assertEquals(List.of(), List.copyOf(twice));
    assertEquals(0, publisher.unsettled("ORDERS", "orders"));
    assertEquals(2, consumption.stats().streams());
  }

  @Test
  void aDaemonThatDrainsIsFollowedByItsSuccessor() throws Exception {
    ConcurrentLinkedQueue<String> handled = new ConcurrentLinkedQueue<>();
    client.consume("orders", m -> handled.add(m.text()));
    publish(1, 20);
    await(() -> handled.size() >= 20);
    assertEquals(0, daemon.terminate());
    daemon.start();
    publish(21, 40);
    await(() -> handled.size() >= 40);
    assertEquals(40, Set.copyOf(handled).size());
  }

  @Test
  void batchesLoopsAndFetchesSettleToo() throws Exception {
    publish(1, 30);
    List<String> seen = new ArrayList<>();
    try (Fetcher fetcher = client.fetcher("orders")) {
      while (seen.size() < 10) {
        for (Message m : fetcher.fetch(10 - seen.size(), Duration.ofSeconds(10))) {
          seen.add(m.text());
          m.ack();
        }
      }
      assertTrue(fetcher.drain().completed());
    }
    try (Messages messages = client.messages("orders")) {
      for (Message m : messages) {
        seen.add(m.text());
        m.ack();
        if (seen.size() == 20) break;
      }
      assertTrue(messages.drain().completed());
    }
    ConcurrentLinkedQueue<String> batched = new ConcurrentLinkedQueue<>();
    Consumption batches =
        client.consumeBatches("orders", ConsumeOptions.defaults(), batch -> batch.forEach(m -> batched.add(m.text())));
    await(() -> batched.size() >= 10);
    assertTrue(batches.drain().completed());
    seen.addAll(batched);
    assertEquals(30, Set.copyOf(seen).size());
    assertEquals(30, seen.size());
    assertEquals(0, publisher.unsettled("ORDERS", "orders"));
  }

  @Test
  void aConfirmedVerdictIsOnTheServer() throws Exception {
    publish(1, 1);
    try (Messages messages = client.messages("orders", ConsumeOptions.defaults().confirm(true))) {
      Message message = messages.iterator().next();
      message.inProgress();
      message.ack();
      assertEquals(Outcome.CONFIRMED, message.outcome().get());
      assertEquals(0, publisher.unsettled("ORDERS", "orders"));
    }
  }
}
