package io.sluice.client;

import io.sluice.v1.Delivery;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.time.Instant;
import java.util.AbstractList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/**
 * One attempt at one message, and the duty to settle it: a handler does so by returning or throwing, with
 * {@link ConsumeOptions#manual(boolean)} the app does by {@link #ack()} and the like. Thread-safe.
 *
 * <p>Content is bytes, as NATS promises no character set; the methods that return a String read them as UTF-8. Verdicts
 * never block: what is queued goes out together. Only the first one counts.
 */
public final class Message {
  private final Held held;

  Message(Held held) {
    this.held = held;
  }

  Held held() {
    return held;
  }

  private Delivery delivery() {
    return held.delivery;
  }

  /**
   * What it was published to.
   *
   * @return the subject, read as UTF-8
   */
  public String subject() {
    return delivery().getSubject().toStringUtf8();
  }

  /**
   * What it was published to, byte for byte.
   *
   * @return a copy
   */
  public byte[] subjectBytes() {
    return delivery().getSubject().toByteArray();
  }

  /**
   * The payload.
   *
   * @return a copy
   */
  public byte[] data() {
    return delivery().getData().toByteArray();
  }

  /**
   * The payload, without a copy.
   *
   * @return read-only
   */
  public ByteBuffer buffer() {
    return delivery().getData().asReadOnlyByteBuffer();
  }

  /**
   * The payload as text.
   *
   * @return the payload, read as UTF-8
   */
  public String text() {
    return delivery().getData().toStringUtf8();
  }

  /**
   * The ordering key, where {@code ordering: key} is configured at the daemon.
   *
   * @return the key, read as UTF-8; empty: it has none
   */
  public String key() {
    return delivery().getKey().toStringUtf8();
  }

  /**
   * The ordering key, byte for byte.
   *
   * @return a copy; empty: it has none
   */
  public byte[] keyBytes() {
    return delivery().getKey().toByteArray();
  }

  /**
   * All headers. A header with several values stands several times.
   *
   * @return a view, in their order
   */
  public List<Header> headers() {
    List<io.sluice.v1.Header> headers = delivery().getHeadersList();
    return new AbstractList<>() {
      @Override
      public Header get(int index) {
        io.sluice.v1.Header header = headers.get(index);
        return new Header(header.getName(), header.getValue());
      }

      @Override
      public int size() {
        return headers.size();
      }
    };
  }

  /**
   * The first value of a header.
   *
   * @param name case-sensitive, as NATS has it
   * @return the value, read as UTF-8; empty: there is none
   */
  public Optional<String> header(String name) {
    for (io.sluice.v1.Header header : delivery().getHeadersList()) {
      if (header.getName().toStringUtf8().equals(name)) return Optional.of(header.getValue().toStringUtf8());
    }
    return Optional.empty();
  }

  /**
   * Its position in the JetStream stream.
   *
   * @return from 1
   */
  public long streamSequence() {
    return delivery().getStreamSequence();
  }

  /**
   * Its position among the consumer's deliveries.
   *
   * @return from 1
   */
  public long consumerSequence() {
    return delivery().getConsumerSequence();
  }

  /**
   * How many attempts there were at this message, with this one.
   *
   * @return from 1
   */
  public long numDelivered() {
    return delivery().getNumDelivered();
  }

  /**
   * How many messages of the stream the consumer had not delivered yet.
   *
   * @return as of this delivery
   */
  public long numPending() {
    return delivery().getNumPending();
  }

  /**
   * When JetStream stored it.
   *
   * @return in nanoseconds
   */
  public Instant timestamp() {
    return Wire.instant(delivery().getTimestamp());
  }

  /**
   * Done: JetStream will not deliver it again.
   *
   * @return false: there was a verdict before, this one is ignored
   */
  public boolean ack() {
    return settle(Verdict.ACK);
  }

  /**
   * Failed: JetStream delivers it again, to any app of this consumer; at once, or by the consumer's redelivery policy.
   *
   * @return false: there was a verdict before, this one is ignored
   */
  public boolean nak() {
    return settle(Verdict.NAK);
  }

  /**
   * Failed: JetStream delivers it again, to any app of this consumer.
   *
   * @param delay not before this long from now; brought into 0..24 h
   * @return false: there was a verdict before, this one is ignored
   */
  public boolean nak(Duration delay) {
    return settle(Verdict.nak(delay));
  }

  /**
   * Hopeless: JetStream never delivers it again.
   *
   * @param reason for people; cut at 1,024 bytes, line breaks become spaces
   * @return false: there was a verdict before, this one is ignored
   */
  public boolean term(String reason) {
    return settle(Verdict.term(reason));
  }

  boolean settle(Verdict verdict) {
    try {
      return held.frame.session.settle(held, verdict);
    } finally {
      Reference.reachabilityFence(this); // with manual, one that nobody holds naks
    }
  }

  boolean settled() {
    return held.verdict() != null;
  }

  /**
   * Still at work: restarts the ack wait and the daemon's longest lease (10 min by default). The daemon keeps the ack
   * wait from running out by itself, so only work that takes longer than the lease needs this.
   */
  public void inProgress() {
    held.frame.session.inProgress(held);
  }

  /**
   * What became of the verdict, once there is one.
   *
   * @return completes on a thread of the client's; never exceptionally
   * @throws IllegalStateException without {@link ConsumeOptions#confirm(boolean)}
   */
  public CompletableFuture<Outcome> outcome() {
    if (held.confirmation == null) {
      throw new IllegalStateException("verdicts are not confirmed; consume with ConsumeOptions.confirm(true)");
    }
    return held.confirmation.outcome.copy();
  }

  /**
   * Whether nobody waits for this verdict any more: its lease ended, the daemon was lost, the drain's deadline is over,
   * or the consumption was stopped. JetStream will deliver the message again; long work may as well give up.
   *
   * @return may turn false again, if the message comes back while this one is still at work: it then stands for the new
   *     attempt
   */
  public boolean cancelled() {
    return held.cancelled;
  }

  /**
   * Calls back once {@link #cancelled()} turns true; at once if it is.
   *
   * @param callback on a thread of the client's; it must not wait
   */
  public void onCancel(Runnable callback) {
    held.onCancel(callback, held.frame.session.hooks());
  }

  /**
   * When the lease ends, or the drain if one is running: a verdict is due before.
   *
   * @return {@link Instant#MAX}: not known
   */
  public Instant deadline() {
    return held.frame.session.deadline(held);
  }

  @Override
  public String toString() {
    return "message " + streamSequence() + " (" + subject() + ", attempt " + numDelivered() + ")";
  }
}
