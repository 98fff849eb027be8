package io.sluice.bench;

import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.netty.channel.ChannelOption;
import io.grpc.netty.shaded.io.netty.channel.EventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.MultiThreadIoEventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollDomainSocketChannel;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollIoHandler;
import io.grpc.netty.shaded.io.netty.channel.unix.DomainSocketAddress;
import io.grpc.protobuf.ProtoUtils;
import io.sluice.v1.Ack;
import io.sluice.v1.ConsumeRequest;
import io.sluice.v1.ConsumeResponse;
import io.sluice.v1.Credit;
import io.sluice.v1.Delivery;
import io.sluice.v1.Open;
import io.sluice.v1.Settle;
import io.sluice.v1.SettleRun;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/** What Java's gRPC reaches with nothing around it: each frame is answered with its packed ids, on gRPC's own thread. */
final class Bare extends ClientCall.Listener<ConsumeResponse> implements Bench.Running {
  private static final MethodDescriptor<ConsumeRequest, ConsumeResponse> CONSUME =
      MethodDescriptor.<ConsumeRequest, ConsumeResponse>newBuilder()
          .setType(MethodDescriptor.MethodType.BIDI_STREAMING)
          .setFullMethodName("sluice.v1.ConsumerService/Consume")
          .setRequestMarshaller(ProtoUtils.marshaller(ConsumeRequest.getDefaultInstance()))
          .setResponseMarshaller(ProtoUtils.marshaller(ConsumeResponse.getDefaultInstance()))
          .build();

  private final EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
  private final ManagedChannel channel;
  private final ClientCall<ConsumeRequest, ConsumeResponse> call;
  private final AtomicLong received;

  Bare(String address, int credit, AtomicLong received) {
    this.received = received;
    channel =
        NettyChannelBuilder.forAddress(new DomainSocketAddress(address.substring("unix:".length())))
            .channelType(EpollDomainSocketChannel.class, DomainSocketAddress.class)
            .withOption(ChannelOption.SO_KEEPALIVE, null) // Netty warns of it
            .eventLoopGroup(group)
            .overrideAuthority("localhost")
            .usePlaintext()
            .directExecutor()
            .build();
    call = channel.newCall(CONSUME, CallOptions.DEFAULT);
    call.start(this, new Metadata());
    call.request(Integer.MAX_VALUE);
    Open.Builder open = Open.newBuilder().setConsumer("bench").setResumable(true);
    open.setCredit(Credit.newBuilder().setMessages(credit));
    call.sendMessage(ConsumeRequest.newBuilder().setOpen(open).build());
  }

  @Override
  public void onMessage(ConsumeResponse response) {
    int count = response.getDeliveries().getDeliveriesCount();
    if (count == 0) return;
    SettleRun.Builder run = SettleRun.newBuilder().setAck(Ack.getDefaultInstance());
    for (Delivery delivery : response.getDeliveries().getDeliveriesList()) run.addIds(delivery.getId());
    call.sendMessage(ConsumeRequest.newBuilder().setSettle(Settle.newBuilder().addRuns(run)).build());
    received.addAndGet(count);
  }

  @Override
  public void close() {
    channel.shutdownNow();
    try {
      channel.awaitTermination(5, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    group.shutdownGracefully(0, 1, TimeUnit.SECONDS);
  }
}
