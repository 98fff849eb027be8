package io.sluice.client;

import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import com.google.protobuf.Duration;
import com.google.protobuf.Timestamp;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.Status;
import io.sluice.v1.ConsumeRequest;
import io.sluice.v1.ConsumeResponse;
import io.sluice.v1.Credit;
import io.sluice.v1.Deliveries;
import io.sluice.v1.Delivery;
import io.sluice.v1.DrainReport;
import io.sluice.v1.Drained;
import io.sluice.v1.LeasesEnded;
import io.sluice.v1.Open;
import io.sluice.v1.Opened;
import io.sluice.v1.Resumed;
import io.sluice.v1.SettleResult;
import io.sluice.v1.SettleResults;
import io.sluice.v1.SettleRun;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;

/** One Consume call, from the daemon's side. */
final class FakeStream {
  /** A verdict that the app has sent: {@code ack}, {@code nak 1.5s}, {@code term why}, {@code progress}. */
  record Seen(long id, String verdict) {
    @Override
    public String toString() {
      return verdict + " " + id;
    }
  }

  private final ServerCall<ConsumeRequest, ConsumeResponse> call;
  private final BlockingQueue<ConsumeRequest> opens = new LinkedBlockingQueue<>();
  private final BlockingQueue<Seen> verdicts = new LinkedBlockingQueue<>();
  private final BlockingQueue<Credit> credits = new LinkedBlockingQueue<>();
  private final BlockingQueue<io.sluice.v1.Drain> drains = new LinkedBlockingQueue<>();
  private int recorded; // verdicts; of gRPC's thread, one request after the other
  private volatile int beforeDrain;
  private final CountDownLatch halfClosed = new CountDownLatch(1);
  private final CountDownLatch cancelled = new CountDownLatch(1);
  private boolean ended = false; // guarded by this

  FakeStream(ServerCall<ConsumeRequest, ConsumeResponse> call) {
    this.call = call;
    call.sendHeaders(new Metadata());
    call.request(Integer.MAX_VALUE);
  }

  ServerCall.Listener<ConsumeRequest> listener() {
    return new ServerCall.Listener<>() {
      @Override
      public void onMessage(ConsumeRequest request) {
        switch (request.getKindCase()) {
          case OPEN -> opens.add(request);
          case SETTLE -> request.getSettle().getRunsList().forEach(FakeStream.this::see);
          case CREDIT -> credits.add(request.getCredit());
          case DRAIN -> {
            beforeDrain = recorded;
            drains.add(request.getDrain());
          }
          default -> throw new IllegalStateException("an empty request");
        }
      }

      @Override
      public void onHalfClose() {
        halfClosed.countDown();
        end(Status.OK);
      }

      @Override
      public void onCancel() {
        cancelled.countDown();
      }
    };
  }

  private void see(SettleRun run) {
    String verdict =
        switch (run.getVerdictCase()) {
          case ACK -> "ack";
          case NAK -> run.getNak().hasDelay() ? "nak " + Wire.duration(run.getNak().getDelay()) : "nak";
          case TERM -> "term " + run.getTerm().getReason();
          case IN_PROGRESS -> "progress";
          default -> "none";
        };
    recorded += run.getIdsCount();
    for (long id : run.getIdsList()) verdicts.add(new Seen(id, verdict));
  }

  private static <T> T await(BlockingQueue<T> queue, String what) {
    try {
      T one = queue.poll(FakeDaemon.PATIENCE, TimeUnit.SECONDS);
      assertNotNull(one, "the app has sent no " + what);
      return one;
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private static void await(CountDownLatch latch, String what) {
    try {
      assertTrue(latch.await(FakeDaemon.PATIENCE, TimeUnit.SECONDS), what);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  // What the app says

  Open awaitOpen() {
    return await(opens, "Open").getOpen();
  }

  List<Long> awaitNamed() {
    return awaitOpen().getResumeList().stream().map(io.sluice.v1.Held::getId).sorted().toList();
  }

  /** The next ones, in their order. */
  List<Seen> awaitVerdicts(int count) {
    List<Seen> seen = new ArrayList<>();
    while (seen.size() < count) seen.add(await(verdicts, "verdict after " + seen));
    return seen;
  }

  /** Whether it has asked for another credit since it opened. */
  boolean saidCredit() {
    return !credits.isEmpty();
  }

  Credit awaitCredit() {
    return await(credits, "Credit");
  }

  /** Verdicts that came before the last drain, once there was one. */
  int verdictsBeforeDrain() {
    return beforeDrain;
  }

  io.sluice.v1.Drain awaitDrain() {
    return await(drains, "Drain");
  }

  void awaitHalfClose() {
    await(halfClosed, "the app has not half-closed");
  }

  void awaitCancel() {
    await(cancelled, "the app has not cancelled");
  }

  // What the daemon says

  void send(ConsumeResponse.Builder response) {
    synchronized (this) {
      call.sendMessage(response.build());
    }
  }

  void opened() {
    opened(Map.of());
  }

  void opened(Map<Long, Long> resumed) {
    Opened.Builder opened = Opened.newBuilder().setMaxLease(Duration.newBuilder().setSeconds(600));
    resumed.forEach((held, id) -> opened.addResumed(Resumed.newBuilder().setHeldId(held).setId(id)));
    send(ConsumeResponse.newBuilder().setOpened(opened));
  }

  /** A delivery whose id is its sequence. */
  static Delivery.Builder delivery(long id) {
    return Delivery.newBuilder()
        .setId(id)
        .setSubject(ByteString.copyFromUtf8("orders.new"))
        .setData(ByteString.copyFromUtf8("order " + id))
        .setStreamSequence(id)
        .setConsumerSequence(id)
        .setNumDelivered(1)
        .setTimestamp(Timestamp.newBuilder().setSeconds(1_700_000_000 + id));
  }

  void deliver(Delivery.Builder... deliveries) {
    Deliveries.Builder frame = Deliveries.newBuilder();
    for (Delivery.Builder delivery : deliveries) frame.addDeliveries(delivery);
    send(ConsumeResponse.newBuilder().setDeliveries(frame));
  }

  /** A frame of plain ones. */
  void deliver(long first, long last) {
    deliver(first, last, delivery -> delivery);
  }

  void deliver(long first, long last, UnaryOperator<Delivery.Builder> change) {
    Deliveries.Builder frame = Deliveries.newBuilder();
    for (long id = first; id <= last; id++) frame.addDeliveries(change.apply(delivery(id)));
    send(ConsumeResponse.newBuilder().setDeliveries(frame));
  }

  void leasesEnded(long... ids) {
    LeasesEnded.Builder ended = LeasesEnded.newBuilder();
    for (long id : ids) ended.addIds(id);
    send(ConsumeResponse.newBuilder().setLeasesEnded(ended));
  }

  void result(SettleResult.Outcome outcome, long... ids) {
    SettleResult.Builder result = SettleResult.newBuilder().setOutcome(outcome);
    for (long id : ids) result.addIds(id);
    send(ConsumeResponse.newBuilder().setSettleResults(SettleResults.newBuilder().addResults(result)));
  }

  void state(io.sluice.v1.State.Kind kind, String detail) {
    send(ConsumeResponse.newBuilder().setState(io.sluice.v1.State.newBuilder().setKind(kind).setDetail(detail)));
  }

  void draining(io.sluice.v1.Draining.Reason reason, Instant deadline) {
    send(
        ConsumeResponse.newBuilder()
            .setDraining(
                io.sluice.v1.Draining.newBuilder()
                    .setReason(reason)
                    .setDeadline(
                        Timestamp.newBuilder().setSeconds(deadline.getEpochSecond()).setNanos(deadline.getNano()))));
  }

  /** The last response, and the end. */
  void drained(DrainReport report) {
    send(ConsumeResponse.newBuilder().setDrained(Drained.newBuilder().setReport(report)));
    end(Status.OK);
  }

  void end(Status status) {
    synchronized (this) {
      if (!ended) call.close(status, new Metadata());
      ended = true;
    }
  }

  void breakOff() {
    end(Status.UNAVAILABLE.withDescription("broken"));
  }
}
