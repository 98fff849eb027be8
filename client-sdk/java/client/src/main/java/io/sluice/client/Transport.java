package io.sluice.client;

import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ConnectivityState;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.netty.channel.Channel;
import io.grpc.netty.shaded.io.netty.channel.ChannelOption;
import io.grpc.netty.shaded.io.netty.channel.EventLoop;
import io.grpc.netty.shaded.io.netty.channel.EventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.IoHandlerFactory;
import io.grpc.netty.shaded.io.netty.channel.MultiThreadIoEventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.epoll.Epoll;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollDomainSocketChannel;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollIoHandler;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollSocketChannel;
import io.grpc.netty.shaded.io.netty.channel.nio.NioIoHandler;
import io.grpc.netty.shaded.io.netty.channel.socket.nio.NioDomainSocketChannel;
import io.grpc.netty.shaded.io.netty.channel.socket.nio.NioSocketChannel;
import io.grpc.netty.shaded.io.netty.channel.unix.DomainSocketAddress;
import io.grpc.protobuf.ProtoUtils;
import io.sluice.v1.ConsumeRequest;
import io.sluice.v1.ConsumeResponse;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/**
 * The connection to the daemon, and the one thread that does its I/O. All sessions of a client live on that thread.
 * Opens nothing before the first call.
 */
final class Transport {
  static final MethodDescriptor<ConsumeRequest, ConsumeResponse> CONSUME =
      MethodDescriptor.<ConsumeRequest, ConsumeResponse>newBuilder()
          .setType(MethodDescriptor.MethodType.BIDI_STREAMING)
          .setFullMethodName(MethodDescriptor.generateFullMethodName("sluice.v1.ConsumerService", "Consume"))
          .setRequestMarshaller(ProtoUtils.marshaller(ConsumeRequest.getDefaultInstance()))
          .setResponseMarshaller(ProtoUtils.marshaller(ConsumeResponse.getDefaultInstance()))
          .build();

  private static final String UNIX = "unix:";
  private static final String UNIX_ABSTRACT = "unix-abstract:";

  private final EventLoopGroup group;
  private final EventLoop loop;
  private final ManagedChannel channel;

  Transport(ClientOptions options) {
    boolean epoll = Epoll.isAvailable();
    IoHandlerFactory io = epoll ? EpollIoHandler.newFactory() : NioIoHandler.newFactory();
    group = new MultiThreadIoEventLoopGroup(1, Threads.daemonThreads("sluice-io"), io);
    loop = group.next();
    channel =
        builder(options, epoll)
            .eventLoopGroup(group)
            .maxInboundMessageSize(Integer.MAX_VALUE) // a frame may be one message of any size the server allows
            // Finds a daemon that hangs, or a node that is gone. A stream that flows sends none.
            .keepAliveTime(30, TimeUnit.SECONDS)
            .keepAliveTimeout(10, TimeUnit.SECONDS)
            .disableRetry()
            .disableServiceConfigLookUp()
            .proxyDetector(target -> null) // the daemon is never beyond a proxy
            .build();
  }

  /** Where all of a session happens. */
  EventLoop loop() {
    return loop;
  }

  ClientCall<ConsumeRequest, ConsumeResponse> newCall() {
    return channel.newCall(CONSUME, CallOptions.DEFAULT.withExecutor(loop));
  }

  /** Ends the channel's own waiting between attempts to connect, which would add to the session's. */
  void connectNow() {
    channel.resetConnectBackoff();
  }

  /**
   * If the daemon is not reachable: true, and {@code action} is called once, on any thread, when it is again. Connecting
   * is tried whenever {@link #connectNow} says so.
   */
  boolean whenReachable(Runnable action) {
    ConnectivityState state = channel.getState(false);
    if (state != ConnectivityState.TRANSIENT_FAILURE && state != ConnectivityState.CONNECTING) return false;
    channel.notifyWhenStateChanged(
        state,
        () -> {
          if (!whenReachable(action)) action.run();
        });
    return true;
  }

  void close() {
    channel.shutdownNow();
    try {
      channel.awaitTermination(5, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    group.shutdownGracefully(0, 1, TimeUnit.SECONDS);
  }

  private static NettyChannelBuilder builder(ClientOptions options, boolean epoll) {
    String address = options.address();
    SocketAddress socket = socketOf(address, epoll);
    if (socket == null) {
      String target = address.startsWith("ipv4:") ? address.substring("ipv4:".length()) : address;
      return NettyChannelBuilder.forTarget(target, options.credentials())
          .channelType(epoll ? EpollSocketChannel.class : NioSocketChannel.class);
    }
    Class<? extends Channel> type = epoll ? EpollDomainSocketChannel.class : NioDomainSocketChannel.class;
    return NettyChannelBuilder.forAddress(socket, options.credentials())
        .channelType(type, socket.getClass())
        .withOption(ChannelOption.SO_KEEPALIVE, null) // gRPC's default, of which Netty warns here
        .overrideAuthority("localhost"); // a path is none
  }

  /** Null: not a Unix domain socket. */
  private static SocketAddress socketOf(String address, boolean epoll) {
    String path;
    if (address.startsWith(UNIX)) {
      path = address.substring(UNIX.length());
      if (path.startsWith("//")) path = path.substring(2); // unix:///absolute
    } else if (address.startsWith(UNIX_ABSTRACT)) {
      if (!epoll) throw new IllegalArgumentException(address + ": abstract sockets are Linux's");
      path = "\0" + address.substring(UNIX_ABSTRACT.length());
    } else {
      return null;
    }
    return epoll ? new DomainSocketAddress(path) : UnixDomainSocketAddress.of(Path.of(path));
  }
}
