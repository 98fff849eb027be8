package io.sluice.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.junit.jupiter.api.Test;

class VerdictTest {
  @Test
  void aDelayIsBroughtIntoItsLimits() {
    assertSame(Verdict.NAK, Verdict.nak(Duration.ZERO));
    assertSame(Verdict.NAK, Verdict.nak(Duration.ofSeconds(-1)));
    assertEquals(Duration.ofHours(24), Verdict.nak(Duration.ofDays(2)).delay());
    assertEquals(Duration.ofNanos(1), Verdict.nak(Duration.ofNanos(1)).delay());
  }

  @Test
  void aReasonIsOneLine() {
    assertEquals("no  such order", Verdict.term("no\r\nsuch order").reason());
    assertEquals("", Verdict.term(null).reason());
  }

  /** A cut inside of a character would be no UTF-8 any more. */
  @Test
  void aReasonIsCutBetweenCharacters() {
    String reason = Verdict.term("x" + "ä".repeat(1000)).reason();
    assertEquals(1023, reason.getBytes(StandardCharsets.UTF_8).length);
    assertEquals("x" + "ä".repeat(511), reason);
  }

  @Test
  void aLoneSurrogateIsReplaced() {
    assertEquals("a?b", Verdict.term("a\ud800b").reason());
  }
}
