package io.sluice.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import io.sluice.v1.Delivery;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
class InboxTest {
  private final Inbox.Cursor cursor = new Inbox.Cursor();

  private static Inbox ordered() {
    Inbox inbox =
        new Inbox(held -> held.delivery.getKey().isEmpty() ? null : held.delivery.getKey(), false);
    inbox.resume();
    return inbox;
  }

  private static Inbox unordered() {
    Inbox inbox = new Inbox(null, false);
    inbox.resume();
    return inbox;
  }

  /** One message for each key; "": none. Their sequences count from 1. */
  private static Frame frame(String... keys) {
    List<Delivery> deliveries = new ArrayList<>();
    for (String key : keys) {
      deliveries.add(
          Delivery.newBuilder()
              .setStreamSequence(deliveries.size() + 1)
              .setKey(ByteString.copyFromUtf8(key))
              .build());
    }
    Frame frame = new Frame(null, deliveries);
    for (int i = 0; i < deliveries.size(); i++) {
      frame.held[i] = new Held(frame, deliveries.get(i), 1, 0);
      frame.keyed |= !keys[i].isEmpty();
    }
    return frame;
  }

  private long next(Inbox inbox) {
    Held held = inbox.poll(cursor);
    return held == null ? 0 : held.sequence();
  }

  /** As the verdict and the end of the handler do. */
  private static void finish(Inbox inbox, Held held) {
    inbox.leaveLane(held);
    inbox.leaveLane(held);
  }

  @Test
  void messagesComeInTheirOrder() {
    Inbox inbox = unordered();
    inbox.push(frame("", ""));
    inbox.push(frame(""));
    assertTrue(inbox.available());
    assertEquals(1, next(inbox));
    assertEquals(2, next(inbox));
    assertEquals(1, next(inbox));
    assertEquals(0, next(inbox));
    assertFalse(inbox.available());
  }

  @Test
  void whatWasDroppedIsPassedOver() {
    Inbox inbox = unordered();
    Frame frame = frame("", "", "");
    inbox.push(frame);
    assertTrue(frame.held[0].drop());
    assertTrue(frame.held[2].drop());
    assertEquals(2, next(inbox));
    assertEquals(0, next(inbox));
  }

  @Test
  void betweenStreamsNothingIsStarted() {
    Inbox inbox = unordered();
    inbox.push(frame("", ""));
    assertEquals(1, next(inbox));
    inbox.pause();
    assertFalse(inbox.available());
    assertEquals(0, next(inbox), "not even from a reader's own frame");
    inbox.resume();
    assertEquals(2, next(inbox));
  }

  @Test
  void ofAKeyOneRunsAtATimeAndOthersPass() {
    Inbox inbox = ordered();
    Frame frame = frame("a", "a", "b", "a", "");
    inbox.push(frame);
    assertEquals(1, next(inbox));
    assertEquals(3, next(inbox));
    assertEquals(5, next(inbox), "without a key it waits for nobody");
    assertEquals(0, next(inbox));
    finish(inbox, frame.held[0]);
    assertTrue(inbox.available());
    assertEquals(2, next(inbox));
    assertEquals(0, next(inbox));
    finish(inbox, frame.held[1]);
    assertEquals(4, next(inbox));
  }

  @Test
  void aLaneIsFreeOnceThereIsAVerdictAndTheHandlerHasReturned() {
    Inbox inbox = ordered();
    Frame frame = frame("a", "a");
    inbox.push(frame);
    next(inbox);
    inbox.leaveLane(frame.held[0]);
    assertEquals(0, next(inbox));
    inbox.leaveLane(frame.held[0]);
    assertEquals(2, next(inbox));
    inbox.leaveLane(frame.held[0]);
    assertEquals(0, next(inbox), "a third time says nothing");
  }

  @Test
  void whatIsDroppedInItsLaneLetsTheNextOnePass() {
    Inbox inbox = ordered();
    Frame frame = frame("a", "a", "a");
    inbox.push(frame);
    next(inbox);
    assertEquals(0, next(inbox), "both are parked");
    assertTrue(frame.held[1].drop());
    finish(inbox, frame.held[0]);
    assertEquals(3, next(inbox));
  }

  @Test
  void keysAreKeptOverFrames() {
    Inbox inbox = ordered();
    Frame first = frame("a");
    inbox.push(first);
    inbox.push(frame("a"));
    assertEquals(1, next(inbox));
    assertEquals(0, next(inbox));
    finish(inbox, first.held[0]);
    assertEquals(1, next(inbox));
  }

  @Test
  void aReaderWaitsForAMessage() throws Exception {
    Inbox inbox = unordered();
    CompletableFuture<Held> taken =
        CompletableFuture.supplyAsync(
            () -> {
              try {
                return inbox.take(new Inbox.Cursor(), Long.MAX_VALUE);
              } catch (InterruptedException e) {
                throw new IllegalStateException(e);
              }
            });
    inbox.push(frame(""));
    assertNotNull(taken.get(20, TimeUnit.SECONDS));
  }

  @Test
  void aReaderWaitsNoLongerThanItWants() throws Exception {
    assertNull(unordered().take(cursor, TimeUnit.MILLISECONDS.toNanos(10)));
  }

  @Test
  void closingEndsTheReaders() throws Exception {
    Inbox inbox = unordered();
    Thread closing = new Thread(inbox::close);
    closing.start();
    assertNull(inbox.take(cursor, Long.MAX_VALUE));
    closing.join();
    inbox.push(frame(""));
    assertFalse(inbox.available());
  }

  /** Every message is taken once, whoever takes it, and of a key never two at a time. */
  @Test
  void manyReadersShareWithoutMixingKeys() throws Exception {
    Inbox inbox = ordered();
    String[] keys = new String[200];
    for (int i = 0; i < keys.length; i++) keys[i] = "key" + i % 3;
    ConcurrentLinkedQueue<Held> taken = new ConcurrentLinkedQueue<>();
    int[] running = new int[3];
    List<Thread> readers = new ArrayList<>();
    List<Frame> frames = new ArrayList<>();
    for (int i = 0; i < 10; i++) frames.add(frame(keys));
    int all = keys.length * frames.size();
    ConcurrentLinkedQueue<String> overlaps = new ConcurrentLinkedQueue<>();
    for (int i = 0; i < 4; i++) {
      Thread reader =
          new Thread(
              () -> {
                Inbox.Cursor own = new Inbox.Cursor();
                while (taken.size() < all) {
                  Held held = inbox.poll(own);
                  if (held == null) {
                    Thread.yield();
                    continue;
                  }
                  int key = held.delivery.getKey().byteAt(3) - '0';
                  // Not atomic: only a lane makes it right.
                  if (++running[key] != 1) overlaps.add("key " + key);
                  running[key]--;
                  taken.add(held);
                  finish(inbox, held);
                }
              });
      reader.start();
      readers.add(reader);
    }
    for (Frame frame : frames) inbox.push(frame);
    for (Thread reader : readers) reader.join();
    assertEquals(all, taken.stream().distinct().count());
    assertEquals(List.of(), List.copyOf(overlaps));
  }
}
