package io.sluice.client;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.time.Duration;

/**
 * What is to become of a message; within the contract's limits.
 *
 * @param delay of a nak
 * @param reason of a term
 */
record Verdict(Kind kind, Duration delay, String reason) {
  enum Kind {
    ACK,
    NAK,
    TERM
  }

  static final Verdict ACK = new Verdict(Kind.ACK, Duration.ZERO, "");
  static final Verdict NAK = new Verdict(Kind.NAK, Duration.ZERO, "");

  static final Duration LONGEST_DELAY = Duration.ofHours(24);
  static final int LONGEST_REASON = 1024; // bytes

  static Verdict nak(Duration delay) {
    if (delay == null || delay.isNegative() || delay.isZero()) return NAK;
    return new Verdict(Kind.NAK, delay.compareTo(LONGEST_DELAY) < 0 ? delay : LONGEST_DELAY, "");
  }

  static Verdict term(String reason) {
    return new Verdict(Kind.TERM, Duration.ZERO, reason == null ? "" : oneLine(reason));
  }

  private static String oneLine(String reason) {
    ByteBuffer bytes = ByteBuffer.allocate(LONGEST_REASON);
    StandardCharsets.UTF_8
        .newEncoder()
        .onMalformedInput(CodingErrorAction.REPLACE) // a lone surrogate
        .encode(CharBuffer.wrap(reason.replace('\n', ' ').replace('\r', ' ')), bytes, true);
    return StandardCharsets.UTF_8.decode(bytes.flip()).toString();
  }
}
