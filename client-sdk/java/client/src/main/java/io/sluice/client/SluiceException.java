package io.sluice.client;

import io.grpc.Status;

/**
 * What went wrong with a consumption, in a sentence that says what to do.
 *
 * <p>Ends a consumption: {@code NOT_FOUND} no such consumer, {@code INVALID_ARGUMENT}, {@code UNIMPLEMENTED} not a
 * Sluice daemon, {@code PERMISSION_DENIED}. Only told to the error hook: {@code INTERNAL} a handler threw,
 * {@code DEADLINE_EXCEEDED} verdicts came too late, {@code NOT_FOUND} the daemon does not know their messages,
 * {@code UNAVAILABLE} they could not be confirmed.
 */
public final class SluiceException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** As gRPC spells it. */
  private final Status.Code code;

  SluiceException(Status.Code code, String message, Throwable cause) {
    super(message, cause);
    this.code = code;
  }

  SluiceException(Status.Code code, String message) {
    this(code, message, null);
  }

  /**
   * What kind of error.
   *
   * @return as gRPC spells it
   */
  public Status.Code code() {
    return code;
  }
}
