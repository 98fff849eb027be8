package io.sluice.client;

import io.grpc.ClientCall;
import io.grpc.Metadata;
import io.grpc.Status;
import io.sluice.v1.ConsumeRequest;
import io.sluice.v1.ConsumeResponse;

/** One Consume call: hands everything that happens to its Session. I/O thread only. */
final class Stream extends ClientCall.Listener<ConsumeResponse> {
  private final Session session;
  private final ClientCall<ConsumeRequest, ConsumeResponse> call;
  private String cancelled = null; // why

  Stream(Session session, ClientCall<ConsumeRequest, ConsumeResponse> call) {
    this.session = session;
    this.call = call;
  }

  void start() {
    call.start(this, new Metadata());
    call.request(Integer.MAX_VALUE); // the credit bounds what comes
  }

  /** False: what was written before is still on its way; {@link Session#onWritable} tells. */
  boolean writable() {
    return call.isReady();
  }

  void write(ConsumeRequest request) {
    call.sendMessage(request);
  }

  void halfClose() {
    call.halfClose();
  }

  void cancel(String reason) {
    cancelled = reason;
    call.cancel(reason, null);
  }

  @Override
  public void onReady() {
    session.onWritable(this);
  }

  @Override
  public void onMessage(ConsumeResponse response) {
    session.onResponse(this, response);
  }

  @Override
  public void onClose(Status status, Metadata trailers) {
    session.onEnded(this, cancelled == null ? status : Status.DEADLINE_EXCEEDED.withDescription(cancelled));
  }
}
