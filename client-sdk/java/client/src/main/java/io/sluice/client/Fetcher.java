package io.sluice.client;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;

/**
 * A consumption on demand. Holds nothing back from siblings between fetches: there is no credit then, and what was under
 * way when a fetch had ended is NAKed unless another one follows within a second.
 *
 * <pre>{@code
 * for (Message m : fetcher.fetch(10, Duration.ofSeconds(5))) {
 *   work(m.data());
 *   m.ack();
 * }
 * }</pre>
 *
 * <p>Each message is the caller's to settle, when it likes; one that the garbage collector finds without a verdict naks.
 */
public final class Fetcher extends Consumption {
  /** After the first message: a batch is worth waiting for, but not for long. As of the daemon's own Fetch. */
  private static final long SILENCE = TimeUnit.MILLISECONDS.toNanos(10);

  private static final long GATHERING = TimeUnit.MILLISECONDS.toNanos(100);

  private final ReentrantLock turn = new ReentrantLock(true); // one fetch at a time

  Fetcher(Session session) {
    super(session);
  }

  /**
   * Takes messages. Returns as soon as there are {@code most}, or when for 10 ms nothing more has come (for 100 ms at
   * most after the first one). Calls from several threads take turns.
   *
   * @param most 1..1,048,576
   * @param maxWait for the first message
   * @return 1..{@code most} messages; none after {@code maxWait}, and once it is drained or stopped
   * @throws SluiceException if the daemon refused
   * @throws InterruptedException if the thread was interrupted before there was a message
   */
  public List<Message> fetch(int most, Duration maxWait) throws InterruptedException {
    Limits.within(most, 1, Limits.CREDIT_MESSAGES, "most");
    long deadline = System.nanoTime() + maxWait.toNanos();
    if (!turn.tryLock(Math.max(0, maxWait.toNanos()), TimeUnit.NANOSECONDS)) return List.of();
    try {
      session().want(most);
      return collect(most, deadline);
    } finally {
      session().want(0);
      turn.unlock();
    }
  }

  private List<Message> collect(int most, long deadline) throws InterruptedException {
    Inbox inbox = session().inbox();
    Inbox.Cursor cursor = new Inbox.Cursor();
    Held held = inbox.take(cursor, deadline - System.nanoTime());
    if (held == null) {
      if (inbox.closed()) Messages.throwIfRefused(session());
      return List.of();
    }
    List<Message> messages = new ArrayList<>();
    long gathered = System.nanoTime() + GATHERING;
    while (held != null) {
      messages.add(Leaks.message(held, true));
      if (messages.size() == most) break;
      held = inbox.poll(cursor);
      if (held == null) held = await(cursor, Math.min(SILENCE, gathered - System.nanoTime()));
    }
    return Collections.unmodifiableList(messages);
  }

  /** An interrupt is left for the caller's next wait: what was taken must be returned. */
  private Held await(Inbox.Cursor cursor, long nanos) {
    try {
      return session().inbox().take(cursor, nanos);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return null;
    }
  }
}
