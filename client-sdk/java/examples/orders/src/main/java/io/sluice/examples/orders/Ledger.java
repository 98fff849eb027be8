package io.sluice.examples.orders;

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;

/** Orders, and how many of each item they add up to, in one SQLite file. For one thread. */
final class Ledger implements AutoCloseable {
  private static final int SQLITE_BUSY = 5;
  private static final int SQLITE_LOCKED = 6;

  private final Connection connection;

  private Ledger(Connection connection) {
    this.connection = connection;
  }

  static Ledger open(String file) throws SQLException {
    Connection connection = DriverManager.getConnection("jdbc:sqlite:" + file);
    try (Statement statement = connection.createStatement()) {
      statement.execute("PRAGMA journal_mode = WAL");
      statement.execute("CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY, item TEXT, quantity INTEGER)");
      statement.execute("CREATE TABLE IF NOT EXISTS demand (item TEXT PRIMARY KEY, quantity INTEGER)");
    }
    connection.setAutoCommit(false);
    return new Ledger(connection);
  }

  /** False: it was booked before. The order and what follows from it are written together, or not at all. */
  boolean book(Order order) throws SQLException {
    try {
      boolean isNew = insert(order);
      if (isNew) add(order);
      connection.commit();
      return isNew;
    } catch (SQLException e) {
      connection.rollback();
      throw e;
    }
  }

  private boolean insert(Order order) throws SQLException {
    try (PreparedStatement insert = connection.prepareStatement("INSERT OR IGNORE INTO orders VALUES (?, ?, ?)")) {
      insert.setString(1, order.id());
      insert.setString(2, order.item());
      insert.setInt(3, order.quantity());
      return insert.executeUpdate() == 1;
    }
  }

  private void add(Order order) throws SQLException {
    String sql =
        "INSERT INTO demand VALUES (?, ?) ON CONFLICT (item) DO UPDATE SET quantity = quantity + excluded.quantity";
    try (PreparedStatement add = connection.prepareStatement(sql)) {
      add.setString(1, order.item());
      add.setInt(2, order.quantity());
      add.executeUpdate();
    }
  }

  long orders() throws SQLException {
    return number("SELECT count(*) FROM orders");
  }

  long demand() throws SQLException {
    return number("SELECT coalesce(sum(quantity), 0) FROM demand");
  }

  private long number(String sql) throws SQLException {
    try (Statement statement = connection.createStatement();
        ResultSet result = statement.executeQuery(sql)) {
      result.next();
      return result.getLong(1);
    } finally {
      connection.commit();
    }
  }

  static boolean isLocked(SQLException error) {
    int code = error.getErrorCode() & 0xff; // the rest says more about it
    return code == SQLITE_BUSY || code == SQLITE_LOCKED;
  }

  @Override
  public void close() throws SQLException {
    connection.close();
  }
}
