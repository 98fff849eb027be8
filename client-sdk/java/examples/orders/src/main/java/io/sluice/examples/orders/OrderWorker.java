package io.sluice.examples.orders;

import io.sluice.client.Client;
import io.sluice.client.DrainReport;
import io.sluice.client.Message;
import io.sluice.client.RejectException;
import io.sluice.client.RetryAfterException;
import java.sql.SQLException;
import java.time.Duration;

/**
 * Books orders into SQLite: consumes {@code orders}, drains on SIGTERM. What comes twice is booked once, what is no
 * order is rejected, and while the database is locked messages wait.
 */
public final class OrderWorker {
  private final Ledger ledger;

  private OrderWorker(Ledger ledger) {
    this.ledger = ledger;
  }

  /**
   * Runs until SIGTERM or SIGINT.
   *
   * @param arguments the database's file
   * @throws SQLException it cannot be opened
   */
  public static void main(String[] arguments) throws SQLException {
    DrainReport report;
    try (Ledger ledger = Ledger.open(arguments[0]);
        Client client = Client.create()) {
      report = client.consume("orders", new OrderWorker(ledger)::handle).run();
    }
    System.exit(report.completed() ? 0 : 1);
  }

  private void handle(Message message) throws SQLException {
    Order order;
    try {
      order = Order.parse(message.text());
    } catch (IllegalArgumentException e) {
      throw new RejectException("no order: " + e.getMessage(), e);
    }
    try {
      if (!ledger.book(order)) System.out.println("was booked before: " + order.id());
    } catch (SQLException e) {
      if (!Ledger.isLocked(e)) throw e;
      throw new RetryAfterException(Duration.ofSeconds(1), e);
    }
  }
}
