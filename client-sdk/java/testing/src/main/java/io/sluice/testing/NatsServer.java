package io.sluice.testing;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** A real nats-server with JetStream, on a port of its own. */
public final class NatsServer implements AutoCloseable {
  private final Program program;
  private final int port;

  private NatsServer(Program program, int port) {
    this.program = program;
    this.port = port;
  }

  /**
   * Starts one: {@code $NATS_SERVER}, else the one on the PATH, else Debian's.
   *
   * @param folder for its store and log
   * @return ready
   */
  public static NatsServer start(Path folder) {
    int port = freePort();
    List<String> command =
        List.of(binary(), "-a", "127.0.0.1", "-p", String.valueOf(port), "-js", "-sd", folder.resolve("js").toString());
    NatsServer server = new NatsServer(Program.start(folder.resolve("nats.log"), Map.of(), command), port);
    server.program.await("nats-server on port " + port, server::isReachable);
    return server;
  }

  private static String binary() {
    String environment = System.getenv("NATS_SERVER");
    if (environment != null && !environment.isEmpty()) return environment;
    return Stream.concat(Stream.of(System.getenv("PATH").split(":")), Stream.of("/usr/sbin"))
        .map(folder -> Path.of(folder, "nats-server"))
        .filter(Files::isExecutable)
        .findFirst()
        .orElseThrow(() -> new IllegalStateException("no nats-server on the PATH; set NATS_SERVER"))
        .toString();
  }

  static int freePort() {
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  private boolean isReachable() {
    try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
      return socket.isConnected();
    } catch (IOException e) {
      return false;
    }
  }

  /**
   * Where it listens.
   *
   * @return as in {@code nats.servers}
   */
  public String url() {
    return "nats://127.0.0.1:" + port;
  }

  /**
   * Speaks to it.
   *
   * @return to be closed
   */
  public NatsConnection connect() {
    return new NatsConnection(port);
  }

  @Override
  public void close() {
    program.close();
  }
}
