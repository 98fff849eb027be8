package io.sluice.testing;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** The real daemon, {@code $SLUICE_BIN}, with one consumer {@code orders} of the stream {@code ORDERS}. */
public final class Daemon implements AutoCloseable {
  private final Path folder;
  private Program program;

  private Daemon(Path folder) {
    this.folder = folder;
  }

  /**
   * Starts it.
   *
   * @param folder for its socket, configuration and log; its path must be short, as a socket's is
   * @param nats where NATS is
   * @return ready
   */
  public static Daemon start(Path folder, NatsServer nats) {
    Daemon daemon = new Daemon(folder);
    String config =
        """
        nats:
          servers: [%s]
        listen:
          unix: %s
        drain:
          timeout: 10s
        consumers:
          - name: orders
            stream: ORDERS
            config:
              ack_wait: 10s
              max_ack_pending: 1000
        """
            .formatted(nats.url(), daemon.socket());
    try {
      Files.writeString(daemon.config(), config);
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
    daemon.start();
    return daemon;
  }

  /** Again, after {@link #kill()} or {@link #terminate()}. */
  public void start() {
    String binary = System.getenv("SLUICE_BIN");
    if (binary == null || binary.isEmpty()) {
      throw new IllegalStateException("set SLUICE_BIN to the daemon's binary, or run the tests by `make test`");
    }
    List<String> command = List.of(binary, "serve", "--config", config().toString());
    program = Program.start(folder.resolve("daemon.log"), Map.of(), command);
    program.await("the daemon", () -> Files.exists(socket()));
  }

  private Path config() {
    return folder.resolve("sluice.yaml");
  }

  private Path socket() {
    return folder.resolve("s.sock");
  }

  /**
   * Where it listens.
   *
   * @return as gRPC spells it
   */
  public String address() {
    return "unix://" + socket();
  }

  /** SIGKILL. The socket's file stays, and does not count as the next one's. */
  public void kill() {
    program.kill();
    try {
      Files.deleteIfExists(socket());
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  /**
   * SIGTERM, and the drain.
   *
   * @return the exit code
   */
  public int terminate() {
    return program.terminate();
  }

  @Override
  public void close() {
    program.close();
  }
}
