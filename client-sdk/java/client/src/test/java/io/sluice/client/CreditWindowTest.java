package io.sluice.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class CreditWindowTest {
  private long now = System.nanoTime();
  private long settled = 0;

  /** {@code more} verdicts in the next 100 ms. */
  private boolean after(CreditWindow window, long more) {
    now += TimeUnit.MILLISECONDS.toNanos(100);
    settled += more;
    return window.update(now, settled);
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
    assertTrue(after(window, 400));
    assertEquals(1000, window.messages());
    assertTrue(after(window, 100_000));
    assertEquals(CreditWindow.MOST, window.messages());
  }

  @Test
  void followsSlowHandlersDownToItsLeast() {
    CreditWindow window = new CreditWindow(0, 4);
    after(window, 0);
    after(window, 10_000);
    assertTrue(after(window, 40));
    assertEquals(100, window.messages());
    assertTrue(after(window, 1));
    assertEquals(16, window.messages());
  }

  @Test
  void doesNotFlutter() {
    CreditWindow window = new CreditWindow(0, 1);
    after(window, 0);
    after(window, 400);
    assertFalse(after(window, 700));
    assertFalse(after(window, 250));
  }

  @Test
  void aRestIsNotTakenForSlowness() {
    CreditWindow window = new CreditWindow(0, 1);
    after(window, 0);
    after(window, 400);
    now += TimeUnit.SECONDS.toNanos(60);
    assertFalse(window.update(now, settled + 1));
    assertEquals(1000, window.messages());
  }
}
