package io.sluice.client;

import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.Set;
import java.util.Spliterator;
import java.util.Spliterators;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/**
 * A consumption as a loop of the caller's:
 *
 * <pre>{@code
 * try (Messages messages = client.messages("orders")) {
 *   for (Message m : messages) {
 *     work(m.data());
 *     m.ack();
 *   }
 * }
 * }</pre>
 *
 * <p>Ends when the consumption does; throws the {@link SluiceException} if the daemon refused it. A message without a
 * verdict at the end of its turn naks, unless {@code manual}. Several threads may each run a loop over the same Messages.
 *
 * <p>{@link #startDrain()} lets loops go on with what waits here, until they end. {@link #drain()}, called by the one
 * thread that loops, hands it back: that thread has left its loop.
 */
public final class Messages extends Consumption implements Iterable<Message> {
  private final boolean manual;
  private final Set<Thread> readers = ConcurrentHashMap.newKeySet(); // that have begun a loop

  Messages(Session session, boolean manual) {
    super(session);
    this.manual = manual;
  }

  /**
   * A loop, for one thread.
   *
   * @return waits for messages; an interrupt ends it
   */
  @Override
  public Iterator<Message> iterator() {
    return new Turns();
  }

  /**
   * The same as a stream, for one thread; unbounded, until the consumption ends.
   *
   * @return sequential
   */
  public Stream<Message> stream() {
    return StreamSupport.stream(new TurnsOfStream(), false);
  }

  /** A thread that waits for a drain has left its loop. */
  @Override
  boolean worksOff() {
    Thread caller = Thread.currentThread();
    return readers.stream().anyMatch(reader -> reader != caller && reader.isAlive());
  }

  private final class Turns implements Iterator<Message> {
    private final Inbox.Cursor cursor = new Inbox.Cursor();
    private Thread reader = null; // the last one
    private Message turn = null; // the caller has it
    private Message next = null;

    @Override
    public boolean hasNext() {
      if (reader != Thread.currentThread()) readers.add(reader = Thread.currentThread());
      endTurn();
      if (next == null) next = take();
      return next != null;
    }

    @Override
    public Message next() {
      if (!hasNext()) throw new NoSuchElementException("the consumption has ended");
      turn = next;
      next = null;
      return turn;
    }

    void endTurn() {
      if (turn == null) return;
      Message ended = turn;
      turn = null;
      if (!manual) {
        ended.nak(); // counts only if there was no verdict
      } else if (ended.held().laneKey != null) {
        session().inbox().leaveLane(ended.held()); // whatever becomes of its verdict
      }
      if (ended.held().laneKey != null) session().inbox().leaveLane(ended.held());
    }

    private Message take() {
      try {
        Held held = session().inbox().take(cursor, Long.MAX_VALUE);
        if (held != null) return Leaks.message(held, manual);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        return null;
      }
      throwIfRefused(session());
      return null;
    }
  }

  /** Of an inbox that is closed: waits for the end. */
  static void throwIfRefused(Session session) {
    try {
      session.closed().join();
    } catch (CompletionException e) {
      if (e.getCause() instanceof SluiceException refused) throw refused;
      throw e;
    }
  }

  private final class TurnsOfStream extends Spliterators.AbstractSpliterator<Message> {
    private final Turns turns = new Turns();

    TurnsOfStream() {
      super(Long.MAX_VALUE, Spliterator.ORDERED | Spliterator.NONNULL);
    }

    @Override
    public boolean tryAdvance(Consumer<? super Message> action) {
      if (!turns.hasNext()) return false;
      try {
        action.accept(turns.next());
      } finally {
        turns.endTurn();
      }
      return true;
    }

    @Override
    public Spliterator<Message> trySplit() {
      return null; // a turn ends before the next one begins
    }
  }
}
