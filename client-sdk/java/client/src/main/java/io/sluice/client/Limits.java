package io.sluice.client;

import java.nio.charset.StandardCharsets;
import java.time.Duration;

/** The limits of sluice.v1, and complaints about what is beyond them. */
final class Limits {
  static final int CLIENT_ID_BYTES = 128;
  static final int CREDIT_MESSAGES = 1 << 20;
  static final long CREDIT_BYTES = 1L << 30;
  static final int FRAME_MESSAGES = 256;
  static final int HANDLERS = 10_000;

  private Limits() {}

  static int within(int value, int least, int most, String option) {
    return (int) within((long) value, least, most, option);
  }

  static long within(long value, long least, long most, String option) {
    if (value >= least && value <= most) return value;
    throw new IllegalArgumentException(option + " is " + value + "; it must be " + least + ".." + most);
  }

  static Duration positive(Duration value, String option) {
    if (!value.isNegative() && !value.isZero()) return value;
    throw new IllegalArgumentException(option + " is " + value + "; it must be more than 0");
  }

  static String clientId(String value) {
    int bytes = value.getBytes(StandardCharsets.UTF_8).length;
    if (bytes <= CLIENT_ID_BYTES) return value;
    throw new IllegalArgumentException(
        "the client id has " + bytes + " bytes; it must have at most " + CLIENT_ID_BYTES);
  }
}
