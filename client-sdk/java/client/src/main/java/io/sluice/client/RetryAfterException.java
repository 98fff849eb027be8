package io.sluice.client;

import java.time.Duration;

/** Thrown by a handler: nak the message, deliver it again not before some time from now. Carries no stack trace. */
public final class RetryAfterException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** The delay. */
  private final Duration delay;

  /**
   * To be thrown.
   *
   * @param delay not before this long from now; brought into 0..24 h
   */
  public RetryAfterException(Duration delay) {
    this(delay, null);
  }

  /**
   * To be thrown, with what was in the way.
   *
   * @param delay not before this long from now; brought into 0..24 h
   * @param cause for the app's own logs; may be null
   */
  public RetryAfterException(Duration delay, Throwable cause) {
    super("retry after " + delay, cause, true, false);
    this.delay = delay;
  }

  /**
   * The delay.
   *
   * @return as it was given
   */
  public Duration delay() {
    return delay;
  }
}
