package io.sluice.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class CreditWindowTest {
  private long now = System.nanoTime();
  private long settled = 0;

  /** {@code more} verdicts in the next 100 ms; then messages come, of which {@code held} are here still. */
  private boolean after(CreditWindow window, long more, long held) {
    now += TimeUnit.MILLISECONDS.toNanos(100);
    settled += more;
    return window.update(now, settled, held);
  }

  private boolean after(CreditWindow window, long more) {
    return after(window, more, 0);
  }

  /** So many in each 100 ms, and nothing to do in between, until the credit is what that is worth. */
  private void grow(CreditWindow window, long more) {
    after(window, 0);
    while (after(window, more)) continue;
  }

  @Test
  void beginsWithEnoughToKeepTheHandlersBusy() {
    assertEquals(8, new CreditWindow(0, 1).messages());
    assertEquals(400, new CreditWindow(0, 100).messages());
  }

  @Test
  void theAppsChoiceStays() {
    CreditWindow window = new CreditWindow(100, 8);
    after(window, 0);
    assertFalse(after(window, 100_000));
    assertEquals(100, window.messages());
    assertEquals(100, window.most());
  }

  @Test
  void followsQuickHandlersUpToItsMost() {
    CreditWindow window = new CreditWindow(0, 1);
    after(window, 0);
    for (int credit : new int[] {32, 128, 512, 1500}) {
      assertTrue(after(window, 600), "fourfold, and no more at once");
      assertEquals(credit, window.messages());
    }
    assertTrue(after(window, 100_000));
    assertEquals(CreditWindow.MOST, window.messages());
  }

  @Test
  void followsSlowHandlersDownToItsLeast() {
    CreditWindow window = new CreditWindow(0, 4);
    grow(window, 10_000);
    assertTrue(after(window, 40));
    assertEquals(100, window.messages());
    assertTrue(after(window, 1));
    assertEquals(16, window.messages());
  }

  @Test
  void doesNotFlutter() {
    CreditWindow window = new CreditWindow(0, 1);
    grow(window, 400);
    assertEquals(512, window.messages());
    assertFalse(after(window, 320));
    assertFalse(after(window, 120));
  }

  @Test
  void givesUpWhatNoHandlerWaitsFor() {
    CreditWindow window = new CreditWindow(0, 1);
    after(window, 0);
    assertFalse(after(window, 4_000, 4), "the first messages do not make it grow");
    grow(window, 4_000);
    assertEquals(CreditWindow.MOST, window.messages());
    assertTrue(after(window, 4_000, 2_249), "2,248 are more by 1,248 than 25 ms take, and that was half of it");
    assertEquals(1_600, window.messages());
    assertFalse(after(window, 4_000, 1_001));
    assertFalse(after(window, 4_000, 20), "it was just in time");
    assertTrue(after(window, 40, 2), "never more than is finished in a quarter of a second");
    assertEquals(100, window.messages());
  }

  @Test
  void oneTimeWithoutAnythingToDoIsEnoughToGrow() {
    CreditWindow window = new CreditWindow(0, 2);
    after(window, 0);
    after(window, 400, 3);
    assertFalse(window.update(now + TimeUnit.MILLISECONDS.toNanos(20), settled, 1), "too early");
    assertTrue(after(window, 400, 3));
    assertEquals(32, window.messages());
  }

  @Test
  void aRestIsNotTakenForSlowness() {
    CreditWindow window = new CreditWindow(0, 1);
    grow(window, 400);
    now += TimeUnit.SECONDS.toNanos(60);
    assertFalse(window.update(now, settled + 1, 0));
    assertEquals(512, window.messages());
  }
}
