package io.sluice.examples.orders;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sluice.testing.Daemon;
import io.sluice.testing.NatsConnection;
import io.sluice.testing.NatsServer;
import io.sluice.testing.Program;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The worker as a process of its own, with the real daemon and a real nats-server. */
@Timeout(120)
class OrderWorkerTest {
  @TempDir Path folder;

  private Program worker(Daemon daemon) {
    List<String> command =
        List.of(
            ProcessHandle.current().info().command().orElse("java"),
            "-cp",
            System.getProperty("java.class.path"),
            OrderWorker.class.getName(),
            folder.resolve("orders.db").toString());
    return Program.start(folder.resolve("worker.log"), Map.of("SLUICE_ADDRESS", daemon.address()), command);
  }

  private static String order(int number) {
    return "{\"id\": \"A-" + number + "\", \"item\": \"tea\", \"quantity\": 3}";
  }

  private static boolean booked(Ledger ledger, long orders) {
    try {
      return ledger.orders() >= orders;
    } catch (SQLException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void booksEveryOrderOnceOverARestart() throws Exception {
    try (NatsServer nats = NatsServer.start(folder);
        NatsConnection shop = nats.connect()) {
      shop.createStream("ORDERS", "orders.>");
      try (Daemon daemon = Daemon.start(folder, nats);
          Ledger ledger = Ledger.open(folder.resolve("orders.db").toString())) {
        for (int i = 1; i <= 100; i++) shop.publish("orders.new", order(i));
        shop.publish("orders.new", order(7)); // the shop sends it twice
        shop.publish("orders.new", "tea, please");
        try (Program first = worker(daemon)) {
          first.await("some orders", () -> booked(ledger, 10));
          assertEquals(0, first.terminate(), first.log());
        }
        for (int i = 101; i <= 200; i++) shop.publish("orders.new", order(i));
        try (Program second = worker(daemon)) {
          second.await("all orders", () -> booked(ledger, 200) && shop.unsettled("ORDERS", "orders") == 0);
          assertEquals(0, second.terminate(), second.log());
          assertTrue(second.log().contains("was booked before: A-7"), second.log());
        }
        assertEquals(200, ledger.orders());
        assertEquals(600, ledger.demand());
      }
    }
  }

  @Test
  void anOrderIsBookedOnce() throws Exception {
    try (Ledger ledger = Ledger.open(folder.resolve("unit.db").toString())) {
      assertTrue(ledger.book(Order.parse(order(1))));
      assertFalse(ledger.book(Order.parse(order(1))));
      assertEquals(3, ledger.demand());
    }
  }

  @Test
  void whatIsNoOrderIsRefused() {
    for (String text : List.of("", "tea", "[]", "{}", "{\"id\": \"1\"}", "{\"id\": \"1\", \"item\": \"tea\"}")) {
      assertThrows(IllegalArgumentException.class, () -> Order.parse(text), text);
    }
  }

  @Test
  void aLockedDatabaseIsRecognized() throws Exception {
    String file = folder.resolve("locked.db").toString();
    try (Ledger blocked = Ledger.open(file + "?busy_timeout=1");
        Connection writer = DriverManager.getConnection("jdbc:sqlite:" + file);
        Statement statement = writer.createStatement()) {
      statement.execute("BEGIN IMMEDIATE");
      SQLException error = assertThrows(SQLException.class, () -> blocked.book(Order.parse(order(1))));
      assertTrue(Ledger.isLocked(error), error.toString());
    }
  }
}
