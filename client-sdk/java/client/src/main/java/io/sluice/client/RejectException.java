package io.sluice.client;

/** Thrown by a handler: terminate the message, JetStream never delivers it again. Carries no stack trace. */
public final class RejectException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /**
   * To be thrown.
   *
   * @param reason for people; cut at 1,024 bytes, line breaks become spaces
   */
  public RejectException(String reason) {
    this(reason, null);
  }

  /**
   * To be thrown, with what was wrong.
   *
   * @param reason for people; cut at 1,024 bytes, line breaks become spaces
   * @param cause for the app's own logs; may be null
   */
  public RejectException(String reason, Throwable cause) {
    super(reason, cause, true, false);
  }
}
