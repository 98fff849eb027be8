package io.sluice.client;

import static org.junit.jupiter.api.Assertions.assertNotNull;

import io.grpc.Server;
import io.grpc.ServerServiceDefinition;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** A gRPC server that says what the test says. */
final class FakeDaemon implements AutoCloseable {
  static final long PATIENCE = 20; // seconds

  private final BlockingQueue<FakeStream> streams = new LinkedBlockingQueue<>();
  private int port = 0;
  private Server server;

  FakeDaemon() {
    start();
  }

  /** Again at the same address, after {@link #kill()}. */
  void start() {
    try {
      server =
          NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), port))
              .directExecutor()
              .maxInboundMessageSize(Integer.MAX_VALUE)
              .addService(
                  ServerServiceDefinition.builder("sluice.v1.ConsumerService")
                      .addMethod(
                          Transport.CONSUME,
                          (call, headers) -> {
                            FakeStream stream = new FakeStream(call);
                            streams.add(stream);
                            return stream.listener();
                          })
                      .build())
              .build()
              .start();
      port = server.getPort();
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  String address() {
    return "127.0.0.1:" + port;
  }

  Client client() {
    return client(ClientOptions.defaults());
  }

  Client client(ClientOptions options) {
    java.time.Duration quick = java.time.Duration.ofMillis(1);
    return Client.create(options.address(address()).retry(quick, java.time.Duration.ofSeconds(5)));
  }

  /** The next stream. */
  FakeStream accept() {
    try {
      FakeStream stream = streams.poll(PATIENCE, TimeUnit.SECONDS);
      assertNotNull(stream, "no stream was opened");
      return stream;
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  /** The next stream, opened. */
  FakeStream acceptOpened() {
    FakeStream stream = accept();
    stream.opened();
    return stream;
  }

  /** Breaks what is open. */
  void kill() {
    server.shutdownNow();
    try {
      server.awaitTermination();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  @Override
  public void close() {
    kill();
  }
}
